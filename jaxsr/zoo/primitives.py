"""Programs of JAX in fewer kinds of operations, for what translates them into other languages."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import lax
from jax.extend.core import JaxprEqn, Literal


def evaluate(program: Any, *inputs: Any) -> list[Any]:
    """Evaluate a jaxpr, anew and in simpler operations; traced, that gives a simpler program.

    Up to JAX 0.11 a jaxpr is closed, holding its constants, or open; since then there is one kind.
    Calls are inlined. Of what depends on the platform, the form that is for no certain one is
    taken. Windows of a maximum are slices and the maxima of them, borders of arrays of unknown
    size are joined to them, and empty arrays are left out of concatenations: jax2onnx and
    onnxruntime get these wrong.
    """
    jaxpr, constants = getattr(program, "jaxpr", program), getattr(program, "consts", ())
    values = dict(zip(jaxpr.constvars, constants, strict=True))
    values |= dict(zip(jaxpr.invars, inputs, strict=True))

    def value(place: Any) -> Any:
        return place.val if isinstance(place, Literal) else values[place]

    for equation in jaxpr.eqns:
        results = _apply(equation, [value(place) for place in equation.invars])
        values |= dict(zip(equation.outvars, results, strict=True))
    return [value(place) for place in jaxpr.outvars]


def _apply(equation: JaxprEqn, inputs: list[Any]) -> Sequence[Any]:
    """Return the results of one operation."""
    name, options = equation.primitive.name, equation.params
    if name == "cond" and options.get("branches_platforms"):
        default = options["branches_platforms"].index(None)
        return evaluate(options["branches"][default], *inputs[1:])
    if name == "platform_index":  # what chooses among the branches, of which one is taken above
        return [np.int32(0)]
    if name in CALLS:
        return evaluate(options.get("jaxpr") or options["call_jaxpr"], *inputs)
    if name in SIMPLER:
        return [SIMPLER[name](equation, inputs)]
    results = equation.primitive.bind(*inputs, **options)
    return results if equation.primitive.multiple_results else [results]


def _concatenate(equation: JaxprEqn, inputs: list[Any]) -> Any:
    axis = equation.params["dimension"]
    filled = [x for x in inputs if not (isinstance(x.shape[axis], int) and x.shape[axis] == 0)]
    return lax.concatenate(filled, axis) if len(filled) > 1 else filled[0]


def _pad(equation: JaxprEqn, inputs: list[Any]) -> Any:
    """Put borders beside arrays whose sizes are not known yet; others are padded as they are."""
    (x, filling), config = inputs, equation.params["padding_config"]
    if all(isinstance(n, int) for n in x.shape) or any(min(of) < 0 or of[2] for of in config):
        return equation.primitive.bind(x, filling, **equation.params)
    for axis, (before, behind, _) in enumerate(config):
        line = lax.slice_in_dim(x, 0, 1, axis=axis)  # the only array whose size need not be told
        border = line * np.zeros((), x.dtype) + filling
        x = lax.concatenate([border] * int(before) + [x] + [border] * int(behind), axis)
    return x


def _stack(equation: JaxprEqn, inputs: list[Any]) -> Any:
    options = equation.params
    axis = options["axis"] if "axis" in options else options["dimension"]
    axis %= np.ndim(inputs[0]) + 1
    return lax.concatenate([lax.expand_dims(x, (axis,)) for x in inputs], axis)


def _window_max(equation: JaxprEqn, inputs: list[Any]) -> Any:
    """Take the maximum along one axis after the other, over slices at its windows' places."""
    (x,), options = inputs, equation.params
    if any(map(any, options["padding"])) or {*options["window_dilation"]} > {1}:
        return equation.primitive.bind(x, **options)
    for axis, (window, stride) in enumerate(
        zip(options["window_dimensions"], options["window_strides"], strict=True)
    ):
        if window > 1 or stride > 1:
            count = (x.shape[axis] - window) // stride + 1
            span = (count - 1) * stride + 1
            places = (lax.slice_in_dim(x, i, i + span, stride, axis) for i in range(window))
            x = functools.reduce(lax.max, places)
    return x


CALLS = frozenset(
    ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "checkpoint")
)
SIMPLER = {
    "concatenate": _concatenate,
    "pad": _pad,
    "reduce_window_max": _window_max,
    "stack": _stack,
}
