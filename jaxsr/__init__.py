"""Attention-based super-resolution, restoration and compression of images in JAX."""

__version__ = "0.1.0"


def __getattr__(name: str):
    """``jaxsr.load``, imported when it is first asked for: ``jaxsr --help`` needs no JAX."""
    if name == "load":
        from jaxsr.pipeline import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
