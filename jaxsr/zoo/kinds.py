"""The kinds of networks: which networks are of a kind, what they take, what command runs them."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from jaxsr import networks
from jaxsr.errors import UserError
from jaxsr.networks import window_restorer
from jaxsr.networks.compressor import DOWN

Inputs = tuple[jax.ShapeDtypeStruct, ...]
Size = tuple[int, int]  # height and width of an image


@dataclasses.dataclass(frozen=True, eq=False)
class Kind:
    """One of upscaler, segmenter, restorer and codec.

    Attributes:
      name: what a network of this kind is called.
      networks: name → factory.
      create: builds one: ``create(name, **options)``.
      inputs: ``inputs(network, size, params)`` returns what a network takes, to trace it, for one
        image of ``size``, a small one when not given. ``params`` tell what the network does not.
      command: the command that takes such weights by ``--model``.
    """

    name: str
    networks: Mapping[str, Callable[..., nn.Module]]
    create: Callable[..., nn.Module]
    inputs: Callable[..., Inputs]
    command: str


def kind_of(network: str | None) -> Kind | None:
    """Return the kind of the network with this name; None where there is no such network."""
    return next((kind for kind in KINDS if network in kind.networks), None)


def known_kind(network: str) -> Kind:
    """Return the kind of the network with this name.

    Raises:
      UserError: there is no such network.
    """
    kind = kind_of(network)
    if kind is None:
        raise UserError(f"unknown network {network!r}")
    return kind


def check_of_images(network: str | None, lack: str, have: str) -> None:
    """Check that a network maps whole images to images.

    Args:
      lack, have: what the error says of other weights, and of those: "are not exported", "are".

    Raises:
      UserError: it segments, codes or restores by a mask.
    """
    kind = kind_of(network)
    if kind is not UPSCALER:
        raise UserError(
            f"{network}: {kind.name if kind else 'unknown'} weights {lack}; those of upscalers "
            f"and of networks that restore whole images {have}"
        )


def _array(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def _of_upscaler(network: nn.Module, size: Size = (16, 16), params: Any = ()) -> Inputs:
    return (_array(1, *size, getattr(network, "channels", 3)),)


def _of_segmenter(network: nn.Module, size: Size | None = None, params: Any = ()) -> Inputs:
    return (_array(1, *(size or 2 * (network.multiple,)), 3),)


def _of_restorer(network: nn.Module, size: Size | None = None, params: Any = ()) -> Inputs:
    """Return image and mask; and features, where ``params`` have the layer that takes them."""
    height, width = size or 2 * (network.multiple,)
    image, mask = _array(1, height, width, 3), _array(1, height, width, 1)
    if "fused" not in params:
        return image, mask
    patch, channels = window_restorer.PATCH, params["fused"]["kernel"].shape[-2]
    return image, mask, _array(1, height // patch, width // patch, channels)


def _of_codec(network: nn.Module, size: Size = (128, 128), params: Any = ()) -> Inputs:
    """Return image, rate, the map of its changes by region, and a key for the noise."""
    key = jax.eval_shape(lambda: jax.random.key(0))
    return _array(1, *size, 3), _array(1), _array(1, *(n // DOWN for n in size)), key


UPSCALER = Kind("upscaler", networks.UPSCALERS, networks.create, _of_upscaler, "jaxsr upscale")
SEGMENTER = Kind(
    "segmenter", networks.SEGMENTERS, networks.create_segmenter, _of_segmenter, "jaxsr segment"
)
RESTORER = Kind(
    "restorer", networks.RESTORERS, networks.create_restorer, _of_restorer, "jaxsr restore"
)
CODEC = Kind("codec", networks.COMPRESSORS, networks.create_compressor, _of_codec, "jaxsr compress")
KINDS = (UPSCALER, SEGMENTER, RESTORER, CODEC)
