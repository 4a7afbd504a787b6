"""Write weights under the names that PyTorch programs know, for those programs to load."""

import inspect
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy

from jaxsr.atomic import write_bytes
from jaxsr.errors import UserError
from jaxsr.zoo import weights
from jaxsr.zoo.building import folded
from jaxsr.zoo.convert import convert
from jaxsr.zoo.dialects import DIALECTS, Dialect, State, recognise
from jaxsr.zoo.kinds import UPSCALER, check_of_images
from jaxsr.zoo.weights import Weights

NO_OPTIONS = ("dtype", "folded")  # how a network is computed, not what


def publish(trained: Weights) -> tuple[Dialect, State]:
    """Name and arrange parameters as the PyTorch code of their family does.

    Where several codes name a family's parameters, it is the one that most programs read. Whoever
    loads the result must take it for the same network: it is recognised again here, and compared.

    Returns:
      The dialect, and the state: with all arrays that PyTorch's strict loading asks for.

    Raises:
      UserError: no PyTorch code has such a network, or its names and shapes do not tell all of it.
    """
    check_published(trained.network)
    flat = {path: np.asarray(value) for path, value in weights.flatten(trained.params).items()}
    options = all_options(trained.network, trained.options)
    reasons = []
    for dialect in DIALECTS:
        if not all(dialect.names(path) for path in flat):
            continue
        try:
            state = dialect.written(flat, options)
            read_by, _ = recognise(state)
            if read_by.describe is not dialect.describe:
                raise UserError(f"it would be taken for {read_by.name}")
            check_same(trained, state)
            return read_by, state
        except UserError as error:
            reasons.append(f"{dialect.name}: {error}")
    why = "; ".join(reasons) or "it is known here only"
    raise UserError(f"{trained.network} cannot be written for PyTorch programs: {why}")


def check_published(network: str | None) -> None:
    """Check that a network is of the kind that PyTorch programs may know.

    Raises:
      UserError: it segments, codes or restores by a mask.
    """
    check_of_images(network, "have no names in PyTorch programs", "have")


def all_options(network: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a network's factory, those by default too."""
    parameters = inspect.signature(UPSCALER.networks[network]).parameters
    return {name: of.default for name, of in parameters.items()} | dict(options)


def check_same(trained: Weights, state: State) -> None:
    """Check that a state is read as the network and the numbers that it was written of.

    Raises:
      UserError: it is not; the message says what would be lost.
    """
    read = convert(state, hint=trained.options.get("scale"))
    ours, theirs = (_described(w) for w in (trained, read))
    if ours[0] != theirs[0]:
        raise UserError(f"it would be taken for {read.network}")
    lost = [name for name in ours[1] if not _alike(ours[1][name], theirs[1][name])]
    if lost:
        told = ", ".join(f"{name}={ours[1][name]}" for name in lost)
        raise UserError(f"its names and shapes do not tell {told}")
    expected = weights.flatten(folded(trained).params)
    for name, value in weights.flatten(folded(read).params).items():
        if not np.allclose(value, expected[name], rtol=1e-5, atol=1e-6):
            raise UserError(f"it would change {name}")


def _described(read: Weights) -> tuple[Any, dict[str, Any]]:
    """Return the function that builds a network, whatever variant is asked for, and its options."""
    factory: Any = UPSCALER.networks[read.network]
    options = all_options(read.network, read.options)
    kept = {name: value for name, value in options.items() if name not in NO_OPTIONS}
    return getattr(factory, "func", factory), kept


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=1e-6)
    return a == b


def write_published(target: str | os.PathLike, trained: Weights) -> Dialect:
    """Write a ``.safetensors`` file that PyTorch programs load; return whose names it has.

    Raises:
      UserError: see :func:`publish`.
    """
    dialect, state = publish(trained)
    arrays = {name: np.ascontiguousarray(value) for name, value in state.items()}
    metadata = {"format": "pt"} | {key: str(value) for key, value in trained.notes.items()}
    write_bytes(target, safetensors.numpy.save(arrays, metadata))
    return dialect
