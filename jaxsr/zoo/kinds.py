"""The kinds of networks that weights are for: which they are, what they take, who runs them."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from jaxsr import networks
from jaxsr.networks import window_restorer

Inputs = tuple[jax.ShapeDtypeStruct, ...]


@dataclasses.dataclass(frozen=True)
class Kind:
    """One of upscaler, segmenter, restorer and codec.

    Attributes:
      name: what a network of it is called, with its article.
      networks: name → factory.
      create: builds one, ``create(name, **options)``.
      inputs: ``inputs(network, params)``: shapes that a network can be traced with, small ones; ``params``
        may be empty and are asked for what the network itself does not tell.
      command: the one that takes such weights by ``--model``.
    """

    name: str
    networks: Mapping[str, Callable[..., nn.Module]]
    create: Callable[..., nn.Module]
    inputs: Callable[[nn.Module, Mapping[str, Any]], Inputs]
    command: str


def kind_of(network: str | None) -> Kind | None:
    """The kind that a network is of, by its name; None where there is no such network."""
    return next((kind for kind in KINDS if network in kind.networks), None)


def array(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def _of_upscaler(network, params) -> Inputs:
    return (array(1, 16, 16, 3),)


def _of_segmenter(network, params) -> Inputs:
    return (array(1, network.multiple, network.multiple, 3),)


def _of_restorer(network, params) -> Inputs:
    """With features where the parameters are there that take them, as many as those take."""
    side = network.multiple
    image, mask = array(1, side, side, 3), array(1, side, side, 1)
    if "fused" not in params:
        return image, mask
    places = side // window_restorer.PATCH
    return image, mask, array(1, places, places, params["fused"]["kernel"].shape[-2])


def _of_codec(network, params) -> Inputs:
    """An image, its rate, the hyper-latents' rates, and a key for the noise."""
    key = jax.eval_shape(lambda: jax.random.key(0))
    return array(1, 128, 128, 3), array(1), array(1, 8, 8), key


UPSCALER = Kind("an upscaler", networks.UPSCALERS, networks.create, _of_upscaler, "jaxsr upscale")
SEGMENTER = Kind(
    "a segmenter", networks.SEGMENTERS, networks.create_segmenter, _of_segmenter, "jaxsr segment"
)
RESTORER = Kind(
    "a restorer", networks.RESTORERS, networks.create_restorer, _of_restorer, "jaxsr restore"
)
CODEC = Kind(
    "a codec", networks.COMPRESSORS, networks.create_compressor, _of_codec, "jaxsr compress"
)
KINDS = (UPSCALER, SEGMENTER, RESTORER, CODEC)
