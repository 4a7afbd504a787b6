"""How the command line says things: in one line each, names of files escaped, numbers short."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from jaxsr.errors import UserError, needs_extra
from jaxsr.image.folders import escaped

# What a user can cause. Anything else is a mistake of ours and comes with its traceback.
USER_ERRORS = (UserError, MemoryError)


def one_line(error: BaseException, *names: object) -> str:
    """Return what went wrong, without line breaks: ``FILE: what — what to do``.

    Args:
      names: files that the message may name; line breaks in them are escaped, not dropped.
    """
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs, or give a smaller image"
    message = str(error)
    for name in map(str, names):
        if name != (printed := escaped(name)):
            message = message.replace(name, printed)
    return " ".join(message.split()) or type(error).__name__


def naming(error: BaseException, source: Path, target: Path) -> str:
    """Return what went wrong in making ``target`` of ``source``, in a line that names the file."""
    message = one_line(error, source, target)
    files = escaped(str(source)), escaped(str(target))
    return message if message.startswith(files) else f"{files[0]}: {message}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 tile``, ``2 tiles``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def short(number: int | float) -> str:
    """Return three digits and a unit: 425923 → ``426K``, 24.5e9 → ``24.5G``."""
    for unit in ("", "K", "M", "G"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g}T"


@contextlib.contextmanager
def packages_of_training(program: str) -> Iterator[None]:
    """Exit with 2 and one line where a package imported inside is not installed."""
    try:
        with needs_extra("train", program):
            yield
    except UserError as error:
        say(f"{program}: {error}", on_stderr=True)
        sys.exit(2)


def complain(message: str) -> None:
    """Print one line on stderr."""
    say(f"jaxsr: {message}", on_stderr=True)


def say(message: str, on_stderr: bool = False) -> None:
    """Print one line, on stdout unless told otherwise; see :func:`escaped`."""
    print(escaped(message), file=sys.stderr if on_stderr else sys.stdout, flush=True)
