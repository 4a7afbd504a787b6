"""The programs that make a tile's file and read it, with the shapes of what they take."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import PyTree

from jaxsr.codec import symbols
from jaxsr.codec.model import Model
from jaxsr.codec.tiles import places
from jaxsr.networks.compressor import DOWN

Stage = tuple[Callable, tuple[PyTree, ...]]  # a pure function; the shapes of its arguments


def stages(model: Model, height: int, width: int) -> dict[str, Stage]:
    """Return what runs for one tile of an image of so many pixels, in turn, by name.

    "analysis", "symbols" and "encoder" make the file; "decoder", "latents" and "synthesis" read it.
    An image of 1536 pixels or more, either way, has several such tiles.
    """
    place = places(height, width)[0]
    canvas, (rows, columns) = place.canvas[2:], place.seen[2:]
    params, scales, *tables = _shapes(model.placed)
    rate, region, size = _shapes(model.rate(0)), _ints(*canvas), _ints(2)
    y = _array(np.float32, *canvas, model.latents)
    coded, _ = jax.eval_shape(model.symbols_of, params, scales, y, rate, region, size)
    residual_tables, hyper_tables = tables
    lanes = max(symbols.LANES)
    words, length = _array(np.uint16, symbols.capacity_of(region.size, model)), _ints()
    around = _array(np.float32, rows, columns, model.latents)
    return {
        "analysis": (model.analysis_of, (params, _array(np.uint8, rows * DOWN, columns * DOWN, 3))),
        "symbols": (model.symbols_of, (params, scales, y, rate, region, size)),
        "encoder": (
            symbols.encoding(model, lanes),
            (coded, hyper_tables, residual_tables, rate.anchor, size),
        ),
        "decoder": (
            symbols.decoding(model, lanes),
            (words, length, scales, hyper_tables, residual_tables, rate, region, size),
        ),
        "latents": (model.latents_of, (params, coded, rate, region, size)),
        "synthesis": (model.synthesis_of, (params, around, rate, _ints(rows, columns))),
    }


def _shapes(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda x: _array(x.dtype, *np.shape(x)), tree)


def _ints(*shape: int) -> jax.ShapeDtypeStruct:
    return _array(np.int32, *shape)


def _array(dtype, *shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
