"""A tile's symbols in its rANS stream: first all hyper-latents, then the residuals they describe.

Both are in raster order: rows, columns, channels. A residual is coded only where its σ index is not
0. Hyper-latents are coded for the tile's size, rounded up to whole hyper-latents.
"""

import functools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32

from jaxsr.codec.container import CodedTile
from jaxsr.codec.model import Model, Rate, Symbols, inside
from jaxsr.entropy import rans
from jaxsr.entropy.loops import in_turn
from jaxsr.errors import UserError
from jaxsr.networks.compressor import HYPER_DOWN

# More lanes are faster; each costs about a byte, so at 800 bytes a lane ⅛ % of the payload. Each
# number of lanes is compiled anew, which takes seconds, and between these speed hardly differs.
BYTES_PER_LANE = 800
LANES = (1, 8, 64)
# Streams are padded to one length for every canvas, enough for 5 bits a pixel with 320 channels;
# only longer ones, padded to twice that or more, are compiled anew.
LATENTS_PER_WORD = 4
SMALLEST_WORDS = 2**12


def write(
    model: Model,
    symbols: Symbols,
    rate: Rate,
    region: Int32[np.ndarray, "h w"],
    size: np.ndarray,
    bits: float,
) -> CodedTile:
    """Code the symbols of a tile.

    Args:
      model: gives the tables.
      symbols: on the tile's canvas; they may lie on another device than the model.
      rate: the level's integers.
      region: steps of finer quantisation of every latent position of the canvas.
      size: latents of the tile within its canvas, (height, width).
      bits: estimate of what the symbols take, which decides the number of lanes.
    """
    lanes = max(n for n in LANES if n == 1 or n * BYTES_PER_LANE <= bits / 8)
    encode = _encoder(model, lanes)
    symbols, anchor, extent = jax.device_put((symbols, rate.anchor, size), model.device)
    words, length = jax.device_get(encode(symbols, anchor, extent))
    return CodedTile(lanes, rans.to_bytes(words, length), check_of(symbols, rate, region, size))


def read(
    model: Model,
    tile: CodedTile,
    rate: Rate,
    region: Int32[np.ndarray, "h w"],
    size: np.ndarray,
    what: str,
) -> Symbols:
    """Decode the symbols of a tile, on a canvas of ``region``'s shape.

    Args:
      model, rate, region, size: as for :func:`write`.
      tile: the coded tile.
      what: names the tile in errors.

    Raises:
      UserError: the symbols are not the ones that were coded.
    """
    symbols, sound = read_unchecked(model, tile, rate, region, size)
    if not sound or check_of(symbols, rate, region, size) != tile.check:
        raise UserError(
            f"{what} does not decode to what was coded: the file is damaged, or was made with "
            "other weights"
        )
    return symbols


def read_unchecked(
    model: Model, tile: CodedTile, rate: Rate, region: Int32[np.ndarray, "h w"], size: np.ndarray
) -> tuple[Symbols, bool]:
    """Decode as :func:`read` does, whatever comes of it; True if the stream ended as it should."""
    capacity = capacity_of(region.size, model)
    while capacity < len(tile.words) // 2:
        capacity *= 2
    words, length = rans.from_bytes(tile.words, capacity)
    decode = _decoder(model, tile.lanes)
    symbols, sound = decode(*jax.device_put((words, length, rate, region, size), model.device))
    return symbols, bool(jax.device_get(sound))


def capacity_of(positions: int, model: Model) -> int:
    """Return the words that streams are padded to, for a canvas of so many latent positions."""
    return max(SMALLEST_WORDS, positions * model.latents // LATENTS_PER_WORD)


def check_of(
    symbols: Symbols, rate: Rate, region: Int32[np.ndarray, "h w"], size: np.ndarray
) -> int:
    """Return the CRC32 of gains, region steps, hyper-latents and residuals as little-endian int32.

    Only what lies within ``size`` counts. Gains and region are included because they, too, decide
    which pixels the symbols stand for.
    """
    planes = (
        (region, size),
        (symbols.hyper, -(-size // HYPER_DOWN)),
        (symbols.residual, size),
    )
    check = zlib.crc32(np.asarray(rate.gain).astype("<i4").tobytes())
    for plane, (height, width) in planes:
        part = np.ascontiguousarray(jax.device_get(plane)[:height, :width])
        check = zlib.crc32(part.astype("<i4", copy=False).tobytes(), check)
    return check


def _once_a_model(make):
    """Make ``make(model, lanes)`` keep its result in the model's programs."""

    @functools.wraps(make)
    def made(model: Model, lanes: int):
        key = make.__name__, lanes
        if key not in model.programs:
            model.programs[key] = make(model, lanes)
        return model.programs[key]

    return made


def _encoder(model: Model, lanes: int):
    """Return ``(symbols, anchor, size) → (words, length)``."""
    tables = model.placed.hyper_tables, model.placed.residual_tables
    encode = encoding(model, lanes)
    return lambda symbols, anchor, size: encode(symbols, *tables, anchor, size)


def _decoder(model: Model, lanes: int):
    """Return ``(words, length, rate, region, size) → (symbols, True if the stream was sound)``."""
    _, scales, residual_tables, hyper_tables = model.placed
    decode = decoding(model, lanes)
    return lambda words, length, *where: decode(
        words, length, scales, hyper_tables, residual_tables, *where
    )


@_once_a_model
def encoding(model: Model, lanes: int):
    @jax.jit
    @in_turn  # on a CPU, gathering symbols is faster for one image at a time
    def encode(symbols: Symbols, hyper_tables, residual_tables, anchor, size):
        coded = inside(symbols.hyper.shape, -(-size // HYPER_DOWN))
        z, hyper_count = _gather(symbols.hyper, coded)
        index, _ = _gather(_hyper_index(symbols.hyper.shape, anchor), coded)
        hyper = rans.Group(z, index, hyper_tables, hyper_count)
        residual, count = _gather(symbols.residual, symbols.index > 0)
        index, _ = _gather(symbols.index, symbols.index > 0)
        groups = [hyper, rans.Group(residual, index, residual_tables, count)]
        return rans.encode_groups(groups, lanes=lanes)

    return encode


@_once_a_model
def decoding(model: Model, lanes: int):
    @jax.jit
    @in_turn
    def decode(words, length, scales, hyper_tables, residual_tables, rate, region, size):
        shape = (region.shape[0] // HYPER_DOWN, region.shape[1] // HYPER_DOWN, model.hyper)
        state = rans.start(words, length, lanes=lanes)
        coded = inside(shape, -(-size // HYPER_DOWN))
        index, count = _gather(_hyper_index(shape, rate.anchor), coded)
        z, state = rans.read(state, index, hyper_tables, count=count)
        z = _scatter(z, coded, shape)
        index = model.indexes_of(scales, z, rate, region, size)
        chosen, count = _gather(index, index > 0)
        residual, state = rans.read(state, chosen, residual_tables, count=count)
        residual = _scatter(residual, index > 0, index.shape)
        return Symbols(z, index, residual), rans.finished(state)

    return decode


def _hyper_index(shape: tuple[int, ...], anchor) -> Int32[Array, "h w n"]:
    """Return the index of the table that each hyper-latent is coded with."""
    first = jnp.asarray(anchor, jnp.int32) * shape[2]
    return jnp.broadcast_to(first + jnp.arange(shape[2], dtype=jnp.int32), shape)


def _gather(x: Int32[Array, "h w c"], chosen: Bool[Array, "h w #c"]):
    """Return the chosen values in raster order, followed by zeros, and their number."""
    flat, chosen = x.reshape(-1), jnp.broadcast_to(chosen, x.shape).reshape(-1)
    rank, count = _ranks(chosen)
    at = jnp.where(chosen, rank, flat.size)
    row = jnp.zeros_like(flat).at[at].set(flat, mode="drop", unique_indices=True)
    return row, count


def _scatter(row: Int32[Array, "n"], chosen: Bool[Array, "h w #c"], shape) -> Int32[Array, "h w c"]:
    """Invert :func:`_gather`; 0 where nothing was chosen."""
    chosen = jnp.broadcast_to(chosen, shape).reshape(-1)
    rank, _ = _ranks(chosen)
    return jnp.where(chosen, row[rank], 0).reshape(shape)


def _ranks(chosen: Bool[Array, "n"]) -> tuple[Int32[Array, "n"], Int32[Array, ""]]:
    """Count the chosen before each place, and all of them.

    It counts bits, 32 at a time: a running sum over all would take most of the encoder's time.
    """
    bit = jnp.uint32(1) << jnp.arange(32, dtype=jnp.uint32)
    blocks = jnp.pad(chosen, (0, -chosen.size % 32)).reshape(-1, 32)
    bits = jnp.sum(jnp.where(blocks, bit[None], 0), -1, dtype=jnp.uint32)
    counts = jax.lax.population_count(bits).astype(jnp.int32)
    within = jax.lax.population_count(bits[:, None] & (bit - 1)[None]).astype(jnp.int32)
    running = jnp.cumsum(counts, dtype=jnp.int32)
    ranks = (within + (running - counts)[:, None]).reshape(-1)[: chosen.size]
    return ranks, running[-1]
