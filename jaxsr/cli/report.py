"""How the command line says things: errors in one line, numbers short."""

import sys
from pathlib import Path

from jaxsr.errors import UserError

# What a user can cause. Anything else is a mistake of ours and comes with its traceback.
USER_ERRORS = (UserError, MemoryError)


def one_line(error: BaseException) -> str:
    """Returns what went wrong, without line breaks: ``FILE: what — what to do``."""
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs, or give a smaller image"
    return " ".join(str(error).split()) or type(error).__name__


def naming(error: BaseException, source: Path, target: Path) -> str:
    """What went wrong in making ``target`` of ``source``, in one line that names the file."""
    message = one_line(error)
    return message if message.startswith((str(source), str(target))) else f"{source}: {message}"


def short(number: int | float) -> str:
    """Three digits and a unit: 425923 → ``426K``, 24.5e9 → ``24.5G``."""
    for unit in ("", "K", "M", "G"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g}T"


def complain(message: str) -> None:
    """One line on stderr."""
    print(f"jaxsr: {message}", file=sys.stderr)
