"""The programs that using a network runs on a device, with the shapes of what they take."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaxsr import codec, networks, zoo
from jaxsr.chips import programs, report
from jaxsr.chips.topology import Topology
from jaxsr.codec.stages import stages
from jaxsr.networks.compressor import DOWN
from jaxsr.zoo.kinds import CODEC, SEGMENTER, UPSCALER, Kind, Size


class Use(NamedTuple):
    """A program of a network's use on one image.

    Attributes:
      what: "network", or a stage of a codec.
      function: pure.
      inputs: the shapes of its arguments, the parameters' first.
    """

    what: str
    function: Callable
    inputs: tuple[PyTree, ...]


def uses(name: str, size: Size, scale: int = 4, dtype: str = "bfloat16") -> Iterator[Use]:
    """Yield what the network ``name`` runs for one image of ``size``, (height, width) in pixels.

    Upscalers and restorers compute in ``dtype``, the latter on whole windows; upscalers that
    restore whole images have a scale of 1. A segmenter's image is brought to its own size. A codec
    is that of the released weights, where the network has some, and has all stages of
    :func:`jaxsr.codec.stages.stages`; another one has its two transforms.

    Raises:
      UserError: there is no such network.
    """
    kind = zoo.known_kind(name)
    if kind is CODEC:
        yield from _of_codec(name, size)
        return
    network = kind.create(name, dtype=jnp.dtype(dtype), **zoo.options_to_run(name, scale))
    inputs = kind.inputs(network, _taken(kind, network, size))
    yield Use("network", network.apply, (_parameters(network, inputs), *inputs))


def compiled(use: Use, topology: Topology) -> programs.Program:
    """Compile a use for one device of ``topology``.

    Raises:
      DoesNotFit: it needs more memory than the device has.
    """
    sharding = NamedSharding(topology.mesh("all"), PartitionSpec())
    placed = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), use.inputs
    )
    return report.fits(programs.compiled(jax.jit(use.function).trace(*placed)), topology)


def _taken(kind: Kind, network, size: Size) -> Size:
    """Return the size of the image that reaches the network."""
    if kind is UPSCALER:
        return size
    if kind is SEGMENTER:
        return network.side, network.side
    return _rounded(size, network.multiple)


def _rounded(size: Size, multiple: int) -> Size:
    height, width = (-(-side // multiple) * multiple for side in size)
    return height, width


def _of_codec(name: str, size: Size) -> Iterator[Use]:
    for path in zoo.released(CODEC).values():
        if zoo.weights.network_of(path) == name:
            for what, (function, inputs) in stages(codec.load(path), *size).items():
                yield Use(what, function, inputs)
            return
    network = networks.create_compressor(name)
    params = _parameters(network, CODEC.inputs(network))
    image = jax.ShapeDtypeStruct((1, *_rounded(size, DOWN), 3), np.float32)

    def analysis(params, x):
        return network.apply(params, x, method=lambda net, x: net.analysis(x))

    def synthesis(params, y, level):
        return network.apply(params, y, level, method=lambda net, *given: net.synthesis(*given))

    y = jax.eval_shape(analysis, params, image)
    level = jax.ShapeDtypeStruct((*y.shape[:-1], 1), np.float32)
    yield Use("analysis", analysis, (params, image))
    yield Use("synthesis", synthesis, (params, y, level))


def _parameters(network, inputs) -> PyTree:
    return jax.eval_shape(network.init, jax.random.key(0), *inputs)
