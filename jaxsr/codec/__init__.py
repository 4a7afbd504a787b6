"""The learned codec as a user calls it: ``encode(image, quality=60)`` → bytes → ``decode(data)``.

A file decodes to the same symbols on every device, and to the same pixels within ±1 of 255.
"""

from jaxsr.codec.batches import decode_batch, encode_batch
from jaxsr.codec.container import Header, Layout, inspect
from jaxsr.codec.container import parse_header as info
from jaxsr.codec.decoding import Partial, decode, decode_partial, decode_picture, region_of
from jaxsr.codec.differentiable import coded, rate_distortion, rate_of
from jaxsr.codec.encoding import MODES, ROI_GAIN, encode, find_region, level_of
from jaxsr.codec.half import Enlarger, load_enlarger
from jaxsr.codec.model import Model
from jaxsr.codec.weights import DEFAULT, load

__all__ = [
    "DEFAULT",
    "MODES",
    "ROI_GAIN",
    "Enlarger",
    "Header",
    "Layout",
    "Model",
    "Partial",
    "coded",
    "decode",
    "decode_batch",
    "decode_partial",
    "decode_picture",
    "encode",
    "encode_batch",
    "find_region",
    "info",
    "inspect",
    "level_of",
    "load",
    "load_enlarger",
    "rate_distortion",
    "rate_of",
    "region_of",
]
