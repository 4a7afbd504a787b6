"""What a network costs: parameters and multiply-adds, read off its program."""

import math
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.extend import core

from jaxsr.errors import UserError

OUTPUT = (720, 1280)  # height and width of the output for which papers state multiply-adds


def parameters(network: nn.Module, *inputs: jax.ShapeDtypeStruct) -> int:
    """Count a network's trained numbers without allocating any.

    Args:
      inputs: what the network takes; an image where nothing is given.
    """
    shapes = _shapes(network, *(inputs or (_image(network, 16, 16),)))
    return sum(math.prod(a.shape) for a in jax.tree.leaves(shapes))


def multiply_adds(network: Any, height: int | None = None, width: int | None = None) -> int:
    """Count the multiply-adds of an upscaler for one image of ``height × width`` pixels.

    Without sizes, those are taken whose output is 1280×720 (×3: 1278×720, 1280 being no multiple of
    3; tables may differ by 0.2 %). The network is traced, not run, and every convolution and matrix
    product of the traced program counts ``outputs × inputs of each output``. So

    - both products of an attention are in (``2·pixels·window²·channels`` a layer). Tools that only
      look at layers, as many papers' do, leave them out: 10.9 of SwinIR-light's 62.7 G at ×4, for
      which its paper states 49.6 G.
    - the padding to whole windows is in: SwinIR pads 320×180 to 320×184, 2 % more, HAT to 320×192.
    - convolutions count their zero padding, as every tool does.
    - anything elementwise is out: activations, norms, gates, skips, resizing, biases. So are
      depthwise convolutions where a network writes them as shifted multiply-adds.
    - what is computed on the weights counts: SPAN's training form multiplies its branches out,
      0.1 G; count the folded form.

    Raises:
      UserError: the program has a loop of unknown length.
    """
    size = height or OUTPUT[0] // network.scale, width or OUTPUT[1] // network.scale
    return multiply_adds_of(network, _image(network, *size))


def multiply_adds_of(network: nn.Module, *inputs: jax.ShapeDtypeStruct) -> int:
    """Count the multiply-adds of any network for ``inputs``, as :func:`multiply_adds` does.

    Raises:
      UserError: the program has a loop of unknown length.
    """
    program = jax.make_jaxpr(network.apply)(_shapes(network, *inputs), *inputs)
    return multiply_adds_of_program(program.jaxpr)


def multiply_adds_of_program(program: core.Jaxpr, loops: int | None = None) -> int:
    """Count the multiply-adds of any traced program, as :func:`multiply_adds` does.

    Of a program that is mapped over devices, those of one device count.

    Args:
      loops: how often loops of unknown length are taken to run; None: they are an error.

    Raises:
      UserError: the program has a loop of unknown length.
    """
    return sum(_multiply_adds(program, loops))


def _image(network: Any, height: int, width: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1, height, width, getattr(network, "channels", 3)), jnp.float32)


def _shapes(network: nn.Module, *inputs: jax.ShapeDtypeStruct) -> dict:
    return jax.eval_shape(network.init, jax.random.key(0), *inputs)


def _multiply_adds(program: core.Jaxpr, loops: int | None) -> Iterator[int]:
    for equation in program.eqns:
        name = equation.primitive.name
        if name == "conv_general_dilated":
            yield _convolution(equation)
        elif name == "dot_general":
            yield _matrix_product(equation)
        else:
            times = _times(equation, loops)
            inner = [sum(_multiply_adds(p, loops)) for p in _programs_within(equation.params)]
            yield times * (_of_branches(equation, inner) if name == "cond" else sum(inner))


def _times(equation: core.JaxprEqn, loops: int | None) -> int:
    """Return how often what is within an equation runs."""
    if equation.primitive.name == "scan":
        return equation.params["length"]
    if equation.primitive.name != "while":
        return 1
    if loops is None:
        raise UserError("cannot count a while loop: nobody knows how often it runs")
    return loops


def _of_branches(equation: core.JaxprEqn, branches: list[int]) -> int:
    """Count the branch that is run: the dearest, for which branch runs is not known.

    Of branches for each platform the cheapest counts: others pad their channels for speed.
    """
    by_platform = equation.params.get("branches_platforms") is not None
    return (min if by_platform else max)(branches)


def _programs_within(params: dict) -> Iterator[core.Jaxpr]:
    """Yield the bodies of a call, a custom derivative, a scan or a cond."""
    for value in params.values():
        for item in value if isinstance(value, (tuple, list)) else [value]:
            body = getattr(item, "jaxpr", item)  # a closed program holds the one to count
            if isinstance(body, core.Jaxpr):
                yield body


def _convolution(equation: core.JaxprEqn) -> int:
    """Return outputs × the kernel's taps × input channels a group."""
    kernel = _shape_of(equation.invars[1])
    outputs_axis = equation.params["dimension_numbers"].rhs_spec[0]
    taps = math.prod(kernel) // kernel[outputs_axis]
    return math.prod(_shape_of(equation.outvars[0])) * taps


def _matrix_product(equation: core.JaxprEqn) -> int:
    """Return outputs × the length of the axes summed over."""
    (summed, _), _ = equation.params["dimension_numbers"]
    left = _shape_of(equation.invars[0])
    return math.prod(_shape_of(equation.outvars[0])) * math.prod(left[a] for a in summed)


def _shape_of(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape
