"""Attention-based super-resolution, restoration and compression of images in JAX."""

__version__ = "0.1.0"
