"""Attention-based super-resolution, restoration and compression of images in JAX.

What users import is here, each part loaded when it is first asked for, so that ``import jaxsr`` and
``jaxsr --help`` need no JAX:

- :func:`load`: weights of any kind by name or from any file, as what can be called,
- :mod:`pipeline`: segmenting, restoring and the whole chain in the same way, and as pure functions,
- :mod:`codec`: images to ``.jsr`` files and back,
- :mod:`networks`, :mod:`attention`: the networks and their operators as Flax modules and functions,
- :mod:`image`: files, colour, resizing, metrics,
- :mod:`errors`: the one kind of error that a user can cause.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxsr import attention, codec, errors, image, networks, pipeline
    from jaxsr.pipeline import load

__version__ = "0.1.0"

__all__ = ["attention", "codec", "errors", "image", "load", "networks", "pipeline"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "load":
        return importlib.import_module("jaxsr.pipeline").load
    return importlib.import_module(f"jaxsr.{name}")


def __dir__() -> list[str]:
    """List what can be imported, loaded yet or not."""
    return sorted({*globals(), *__all__})
