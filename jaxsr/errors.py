"""The one kind of error that a user of jaxsr can cause."""

import contextlib
from collections.abc import Iterator


class UserError(ValueError):
    """Something given cannot be used; the message says what, what is accepted and what to do.

    The command line prints it as one line and exits with 2. Any other exception is a fault of the
    program, and keeps its traceback.
    """


@contextlib.contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn a missing package into what to do: ``with needs_extra("plot", "the plot"):``.

    Args:
      extra: of jaxsr's installation, which brings the packages imported inside.
      purpose: what they are needed for, as in "the plot needs matplotlib".

    Raises:
      UserError: a package that is imported inside is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "jaxsr").split(".")[0] == "jaxsr":  # a fault of ours
            raise
        raise UserError(
            f"{purpose} needs {error.name}, which is not installed: pip install 'jaxsr[{extra}]'"
        ) from None


class Diverged(UserError, FloatingPointError):
    """A training's loss or gradient is no number any more; another config has to be tried."""
