"""The one kind of error that a user of jaxsr can cause."""


class UserError(ValueError):
    """Something given cannot be used; the message says what was given, what is accepted and what to do.

    The command line prints it as one line and exits with 2. Any other exception is a fault of the
    program, and keeps its traceback.
    """
