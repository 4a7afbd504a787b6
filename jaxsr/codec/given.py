"""What callers give as numbers and as files' bytes, checked where it comes in."""

import numbers
from collections.abc import Callable
from typing import Any

from jaxsr.errors import UserError

Data = bytes | bytearray | memoryview


def real(value: Any, expected: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
    """Return a real number as one of Python's; an array without axes is a number, too.

    NaN and infinities are numbers; True and False, text and complex numbers are not.

    Args:
      value: what was given.
      expected: begins the error: what is accepted, such as "bpp is more than 0".
      fits: returns False for numbers that are not accepted.

    Raises:
      UserError: it is no number, or doesn't fit.
    """
    number = value.item() if getattr(value, "ndim", None) == 0 else value
    is_number = isinstance(number, numbers.Real) and not isinstance(number, bool)
    if not is_number or not fits(number):
        raise UserError(f"{expected}, got {_short(value)}")
    return number


def whole(value: Any, expected: str, fits: Callable[[Any], bool] = lambda _: True) -> int:
    """Return a whole number as :func:`real` does; floats without a fraction are whole."""
    return int(real(value, expected, lambda number: number % 1 == 0 and fits(number)))


def _short(value: Any) -> str:
    """Return what errors print of a value: one line."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python prints no whole number of thousands of digits
        text = f"a very large {type(value).__name__}"
    return text if len(text) < 60 else f"{text[:56]} …"


def as_bytes(data: Any) -> bytes:
    """Return the bytes that any buffer holds: bytes as they are, others copied.

    Raises:
      UserError: it is no buffer, but for instance a path.
    """
    if isinstance(data, bytes):
        return data
    try:
        return memoryview(data).tobytes()
    except TypeError:
        raise UserError(
            f"a .jsr file is given as its bytes, got {type(data).__name__}; "
            "read a path first: pathlib.Path(path).read_bytes()"
        ) from None
