"""What everything that is called in :mod:`jaxsr.pipeline` returns."""

import dataclasses
from typing import Any

import jax
from jaxtyping import Array, Float, Int

from jaxsr.regions.degradation import Degraded


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """An image and what was found out about it; None is what a stage has nothing to say about.

    It is a pytree, so the pure chain returns it through ``jit``, ``vmap`` and ``grad``, with a
    batch as the first axis of every array.

    Attributes:
      image: upscaled, restored, or both: an array of the kind that was given, or a
        :class:`~jaxsr.image.files.Picture` for a Picture or a path.
      mask: ``(h, w)`` float32 in [0, 1], of the image's size; above 0.5 is the region.
      tiles: how many tiles of the region were restored.
      degraded: what the restorer was told of how the image was degraded, given or estimated.
      fused: the image before its region was restored (:func:`~jaxsr.pipeline.run_chain` only).
      left_over: how many tiles of each image's region are beyond the budget, and not restored
        (:func:`~jaxsr.pipeline.run_chain` only).
    """

    image: Any = None
    mask: Any = None
    tiles: int | None = None
    degraded: Degraded | None = None
    fused: Float[Array, "b h w 3"] | None = None
    left_over: Int[Array, "b"] | None = None


def _unflatten(_: None, values: tuple) -> Result:
    """Make a Result of whatever JAX puts into pytrees, which need not be arrays: unchecked."""
    result = object.__new__(Result)
    for field, value in zip(dataclasses.fields(Result), values, strict=True):
        object.__setattr__(result, field.name, value)
    return result


def _flatten(result: Result) -> tuple[tuple, None]:
    return tuple(getattr(result, field.name) for field in dataclasses.fields(Result)), None


jax.tree_util.register_pytree_node(Result, _flatten, _unflatten)
