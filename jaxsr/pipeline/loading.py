"""Weights of any kind, from any program, as what can be called."""

import os
from typing import Any

from jaxsr import zoo
from jaxsr.pipeline.restoring import load_restorer
from jaxsr.pipeline.segmenting import load_segmenter
from jaxsr.pipeline.upscaling import load_upscaler

Loaded = Any  # Upscale, Segment, Restore or jaxsr.codec.Model


def load(
    name_or_path: str | os.PathLike = zoo.DEFAULT_UPSCALER,
    scale: int | None = None,
    precision: str = zoo.PRECISIONS[0],
) -> Loaded:
    """Load weights of any kind by name or from a file, and say what they are.

    Args:
      name_or_path: a name that ``jaxsr models`` lists; or a file: ours, PyTorch's ``.pth``,
        ``.pt`` or ``.ckpt`` (nothing in it is run), ``.safetensors``, or ncnn's ``.param`` or
        ``.bin``.
      scale: of an upscaler: by default 4 for a name, and the file's own for a file. It is needed
        for the few files that do not tell theirs.
      precision: of an upscaler or a restorer, as for :func:`jaxsr.pipeline.load_upscaler`.

    Returns:
      An upscaler or a restorer ×1: :class:`jaxsr.pipeline.Upscale`. A segmenter:
      :class:`~jaxsr.pipeline.Segment`. A restorer of regions: :class:`~jaxsr.pipeline.Restore`. A
      codec: :class:`jaxsr.codec.Model`. Each has a ``description``.

    Raises:
      UserError: there are no such weights, their network is not known (the nearest one is named),
        or they don't fit it.
    """
    path = zoo.find_any_weights(name_or_path, scale)
    kind = zoo.kind_of(zoo.weights.network_of(path))
    if kind is zoo.CODEC:
        from jaxsr import codec  # it stands on this package

        return codec.load(path)
    loaded: Any
    if kind is zoo.SEGMENTER:
        loaded = load_segmenter(path)
    elif kind is zoo.RESTORER:
        loaded = load_restorer(path, precision=precision)
    else:
        # not by its name: a converted file is hashed whole
        loaded = load_upscaler(path, scale, precision)
    loaded.description = zoo.describe(zoo.weights.read(path), loaded.network)
    return loaded
