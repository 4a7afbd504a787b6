"""Build the network that weights belong to, in the form that is run."""

import dataclasses
import inspect
import os
from typing import Any

from jaxsr import networks
from jaxsr.errors import UserError
from jaxsr.networks import span
from jaxsr.zoo import weights
from jaxsr.zoo.kinds import kind_of
from jaxsr.zoo.weights import Weights


def build(read: Weights, name: str | os.PathLike = "weights") -> Any:
    """Build the network of an upscaler's, segmenter's or restorer's weights, checked to fit it.

    Args:
      read: the weights, as read from a file.
      name: what the error calls them.

    Returns:
      An ``Upscaler``, ``AttentionUNet`` or ``WindowRestorer``, as the weights' kind is.

    Raises:
      UserError: there is no such network, or its parameters differ in name or shape.
    """
    kind = kind_of(read.network)
    if kind is None:
        raise UserError(f"{os.fspath(name)}: unknown network {read.network!r}")
    network = kind.create(read.network, **read.options)
    inputs = kind.inputs(network, params=read.params)
    weights.check_params(network, read.params, os.fspath(name), *inputs)
    return network


def has_folded_form(network: str) -> bool:
    """Return True if ``network`` trains in another form than it runs in (option ``folded``)."""
    factory = networks.UPSCALERS.get(network)
    return factory is not None and "folded" in inspect.signature(factory).parameters


def folded(trained: Weights) -> Weights:
    """Fold re-parameterised weights into the form to run (SPAN's ``folded=True``).

    Other weights, and folded ones, are returned as they are.
    """
    if trained.options.get("folded") or not has_folded_form(trained.network):
        return trained
    return dataclasses.replace(
        trained, options={**trained.options, "folded": True}, params=span.fold(trained.params)
    )
