"""The five stages as a user calls them: extract → enhance → fuse → segment → restore.

For images of any kind and size, on the host, tile by tile; everything returns a :class:`Result`::

    big = load_upscaler("span-photo")("photo.jpg").image   # the first three stages
    mask = load_segmenter()("photo.jpg").mask                # the fourth: (h, w) in [0, 1]
    better = load_restorer()("photo.jpg", [(x, y, w, h)])    # the fifth: .image, .mask, .tiles
    result = load_chain(scale=2)("photo.jpg")                # all five

As one pure function of parameters and arrays, to jit, vmap, grad and shard: :func:`run_chain`.
"""

from jaxsr.image.pictures import Image, Roi
from jaxsr.pipeline.chaining import Chain, load_chain, load_region_upscaler
from jaxsr.pipeline.enlarging import Enlarge, bicubic
from jaxsr.pipeline.loading import Loaded, load
from jaxsr.pipeline.restoring import Restore, load_restorer
from jaxsr.pipeline.result import Result
from jaxsr.pipeline.segmenting import Segment, load_segmenter
from jaxsr.pipeline.stages import Local, Stages, load_stages, run_chain
from jaxsr.pipeline.upscaling import Params, Upscale, load_upscaler
from jaxsr.regions.degradation import Degraded

__all__ = [
    "Chain",
    "Degraded",
    "Enlarge",
    "Image",
    "Loaded",
    "Local",
    "Params",
    "Restore",
    "Result",
    "Roi",
    "Segment",
    "Stages",
    "Upscale",
    "bicubic",
    "load",
    "load_chain",
    "load_region_upscaler",
    "load_restorer",
    "load_segmenter",
    "load_stages",
    "load_upscaler",
    "run_chain",
]
