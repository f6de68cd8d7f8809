"""The errors that a user's mistake ends in."""


class UserError(Exception):
    """A mistake in what the user gave; its message is all that he needs to see.

    One or two lines: where, what was expected, what was found, what to do. A message
    starts with the place at fault (`FILE: ...`) where there is one.
    """


class UsageError(UserError):
    """A mistake in the command line: an option, or a name that does not exist."""
