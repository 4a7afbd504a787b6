"""Build the network that weights belong to, in the form that is run."""

import dataclasses
import inspect
import os
from typing import Any

import jax.numpy as jnp

from jaxsr import networks
from jaxsr.errors import UserError
from jaxsr.networks import span
from jaxsr.zoo import weights
from jaxsr.zoo.kinds import kind_of
from jaxsr.zoo.weights import Weights

PRECISIONS = ("float32", "bfloat16", "float16")
# Families whose attention exceeds 65504, the largest float16; bfloat16 has the range of float32.
OVERFLOWS_IN_FLOAT16 = ("swinir", "hat", "dat", "atd", "drct", "rgt", "srformer")


def build(
    read: Weights, name: str | os.PathLike = "weights", precision: str = PRECISIONS[0]
) -> Any:
    """Build the network of an upscaler's, segmenter's or restorer's weights, checked to fit it.

    Args:
      read: the weights, as read from a file.
      name: what the error calls them.
      precision: the type to compute in, one of :func:`precisions`; parameters stay float32, and so
        do norms and softmaxes.

    Returns:
      An ``Upscaler``, ``AttentionUNet`` or ``WindowRestorer``, as the weights' kind is.

    Raises:
      UserError: there is no such network, its parameters differ in name or shape, or it does not
        compute in that precision.
    """
    kind = kind_of(read.network)
    if kind is None:
        raise UserError(f"{os.fspath(name)}: unknown network {read.network!r}")
    check_precision(precision, read.network)
    dtype = {} if precision == PRECISIONS[0] else {"dtype": jnp.dtype(precision)}
    network = kind.create(read.network, **read.options | dtype)
    if not read.checked:
        inputs = kind.inputs(network, params=read.params)
        weights.check_params(network, read.params, os.fspath(name), *inputs)
    return network


def precisions(network: str) -> tuple[str, ...]:
    """Return the types that a network may compute in."""
    return PRECISIONS[:2] if network.startswith(OVERFLOWS_IN_FLOAT16) else PRECISIONS


def check_precision(precision: str, network: str) -> None:
    """Check that a network may compute in a type.

    Raises:
      UserError: it may not; the message says which it may.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision {precision!r}; there are: {', '.join(PRECISIONS)}")
    if precision not in precisions(network):
        raise UserError(
            f"{network} exceeds the range of {precision}; give bfloat16, which is as fast"
        )


def options_to_run(network: str, scale: int) -> dict[str, Any]:
    """Return the options with which an upscaler's factory builds it as it runs; of others, none.

    Those that restore whole images have a scale of 1, whatever ``scale`` is.
    """
    if network not in networks.UPSCALERS:
        return {}
    folded = {"folded": True} if _has_folded_form(network) else {}
    return {"scale": 1 if networks.restores(network) else scale} | folded


def _has_folded_form(network: str) -> bool:
    """Return True if ``network`` trains in another form than it runs in (option ``folded``)."""
    factory = networks.UPSCALERS.get(network)
    return factory is not None and "folded" in inspect.signature(factory).parameters


def folded(trained: Weights) -> Weights:
    """Fold re-parameterised weights into the form to run (SPAN's ``folded=True``).

    Other weights, and folded ones, are returned as they are.
    """
    if trained.options.get("folded") or not _has_folded_form(trained.network):
        return trained
    return dataclasses.replace(
        trained, options={**trained.options, "folded": True}, params=span.fold(trained.params)
    )
