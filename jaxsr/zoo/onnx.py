"""Write networks as ONNX, by jax2onnx, and check by onnxruntime that they compute the same."""

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxsr
from jaxsr.atomic import write_bytes
from jaxsr.errors import UserError, needs_extra
from jaxsr.zoo.portable import Portable
from jaxsr.zoo.primitives import evaluate

OPSET, IR = 18, 8  # versions of operations and of the format that programs of 2023 read
TOLERANCE = 1e-4  # of the output's range, between JAX's results and onnxruntime's
INPUT, OUTPUT = "input", "output"


class Untranslated(UserError):
    """jax2onnx does not know how to write an operation; the message says which."""


def write_onnx(target: str | os.PathLike, program: Portable) -> float:
    """Write a model as upscaling programs expect one; return how much its results differ.

    Its input is an image, ``(1, channels, height, width)``, float32 in [0, 1], colours in the order
    RGB; so is its output, which is not clipped. The model is run once, and compared, before it is
    written.

    Raises:
      Untranslated: an operation cannot be written; of images of one size it perhaps can.
      UserError: a package is missing, or onnxruntime computes something else.
    """
    with needs_extra("onnx", "writing ONNX"):
        import jax2onnx
        import onnx.helper
        import onnxruntime  # noqa: F401
    shape = (1, program.network.channels, *program.sides())
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    plain = jax.make_jaxpr(lambda x: _by_planes(program, x))(image)
    with _quiet():
        try:
            model: Any = jax2onnx.to_onnx(
                lambda x: evaluate(plain, x)[0],
                [image],
                model_name=f"{program.read.network}_x{program.network.scale}",
                opset=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
            )
        except Exception as error:  # of whatever kind: it is for other programs' authors
            why = str(error).partition("\n")[0] or type(error).__name__
            raise Untranslated(
                f"jax2onnx cannot translate {program.read.network}: {why}"
            ) from error
    model.ir_version = IR
    model.producer_name, model.producer_version = "jaxsr", jaxsr.__version__
    options = {"options": json.dumps(program.read.options), "layout": "NCHW"}
    onnx.helper.set_model_props(model, program.facts() | options)
    data = model.SerializeToString()
    difference = _difference(data, program)
    write_bytes(target, data)
    return difference


def _by_planes(program: Portable, x: Any) -> Any:
    """Map images whose channels come before their rows and columns."""
    return jnp.moveaxis(program(jnp.moveaxis(x, 1, -1)), -1, 1)


def _difference(data: bytes, program: Portable) -> float:
    """Return by how much onnxruntime's results differ from JAX's, as a share of their range.

    Raises:
      UserError: by more than ``TOLERANCE``, or it does not run the model at all.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    rng, worst = np.random.default_rng(0), 0.0
    try:
        session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
        for size in program.trials():
            image = rng.random((1, program.network.channels, *size), np.float32)
            (found,) = session.run([OUTPUT], {INPUT: image})
            with jax.default_matmul_precision("highest"):
                expected = np.asarray(jax.jit(program)(np.moveaxis(image, 1, -1)))
            gap = np.abs(np.moveaxis(found, 1, -1) - expected).max()
            worst = max(worst, float(gap / max(1.0, np.abs(expected).max())))
    except Exception as error:  # onnxruntime's have no common class
        why = str(error).partition("\n")[0]
        raise UserError(f"onnxruntime does not run this {program.read.network}: {why}") from error
    if not worst <= TOLERANCE:
        raise UserError(
            f"onnxruntime computes something else of {program.read.network}: results differ by "
            f"{worst:.1e} of their range"
        )
    return worst


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what jax2onnx has to say about its own work."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
