"""Entry points: the commands, the importers, the named pipelines."""
