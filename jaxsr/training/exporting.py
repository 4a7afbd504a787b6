"""From the parameters of a run to a file of weights that programs use."""

import os

from jaxsr import networks, zoo
from jaxsr.codec import weights as codec_weights
from jaxsr.codec.export import export
from jaxsr.zoo.weights import Weights


def write_weights(target: str | os.PathLike, trained: Weights) -> Weights:
    """Write parameters as training has them in the form to use; return what was written.

    A codec gets its integers and tables, and a network that trains in another form than it runs in
    is folded.
    """
    if trained.network in networks.COMPRESSORS:
        codec_weights.save(target, export(trained))
        return trained
    folded = zoo.folded(trained)
    zoo.weights.write(target, folded)
    return folded
