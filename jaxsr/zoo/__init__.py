"""Released weights and their cards, other weights files, and converted PyTorch checkpoints."""

from jaxsr.zoo import weights
from jaxsr.zoo.building import PRECISIONS, build, folded, options_to_run, precisions
from jaxsr.zoo.description import Description, describe
from jaxsr.zoo.kinds import CODEC, KINDS, RESTORER, SEGMENTER, UPSCALER, Kind, kind_of, known_kind
from jaxsr.zoo.released import (
    DEFAULT_RESTORER,
    DEFAULT_SCALE,
    DEFAULT_SEGMENTER,
    DEFAULT_UPSCALER,
    FOLDER,
    SUFFIXES,
    check_kind,
    find_any_weights,
    find_weights,
    path_of,
    read_restorer,
    read_segmenter,
    read_upscaler,
    read_weights,
    released,
    released_upscalers,
    upscalers,
)
from jaxsr.zoo.weights import Weights

__all__ = [
    "CODEC",
    "DEFAULT_RESTORER",
    "DEFAULT_SCALE",
    "DEFAULT_SEGMENTER",
    "DEFAULT_UPSCALER",
    "FOLDER",
    "KINDS",
    "PRECISIONS",
    "RESTORER",
    "SEGMENTER",
    "SUFFIXES",
    "UPSCALER",
    "Description",
    "Kind",
    "Weights",
    "build",
    "check_kind",
    "describe",
    "find_any_weights",
    "find_weights",
    "folded",
    "kind_of",
    "known_kind",
    "options_to_run",
    "path_of",
    "precisions",
    "read_restorer",
    "read_segmenter",
    "read_upscaler",
    "read_weights",
    "released",
    "released_upscalers",
    "upscalers",
    "weights",
]
