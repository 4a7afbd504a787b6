"""The five stages as a user calls them: extract → enhance → fuse → segment → restore.

For images of any kind and size, from the host, tile by tile::

    big = load("span-compact")("photo.jpg")            # Upscale: the first three stages
    mask = load_segmenter()("photo.jpg")               # Segment: what stands out, (h, w) in [0, 1]
    better = load_restorer()("photo.jpg", [(x, y, w, h)])   # Restore: a region, at the image's size
    big, mask, tiles = load_chain(scale=2)("photo.jpg")     # Enhance: all of them

As one pure function of parameters and arrays, to jit, vmap, grad and shard: :func:`enhance`.
"""

from jaxsr.image.pictures import Image
from jaxsr.pipeline.enhancing import Enhance, load_chain
from jaxsr.pipeline.regions import Restored, Roi
from jaxsr.pipeline.restoring import Restore, load_restorer
from jaxsr.pipeline.segmenting import Segment, load_segmenter
from jaxsr.pipeline.stages import Enhanced, Local, Stages, enhance, load_stages
from jaxsr.pipeline.upscaling import Params, Upscale, load

__all__ = [
    "Enhance",
    "Enhanced",
    "Image",
    "Local",
    "Params",
    "Restore",
    "Restored",
    "Roi",
    "Segment",
    "Stages",
    "Upscale",
    "enhance",
    "load",
    "load_chain",
    "load_restorer",
    "load_segmenter",
    "load_stages",
]
