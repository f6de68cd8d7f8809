"""The one error of the importer: a model that is not accepted, and why."""


class ImportRefused(Exception):  # noqa: N818
    """A model that cannot be imported.

    Args:
        message: the file, the node or tensor at fault, what was found and what is
            accepted. Names in it may hold anything; it is made one printable line.
        hint: a second line, with more of what is accepted.
    """

    def __init__(self, message: str, *, hint: str = ""):
        line = "".join(c if c.isprintable() else "?" for c in message)
        super().__init__(f"{line}\n  {hint}" if hint else line)
