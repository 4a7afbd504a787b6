"""A codec ready to run: networks, integers, and jitted functions from pixels to symbols and back.

Everything that decides how a file is parsed is an integer: the σ network, the tables of gains and
offsets, the frequencies. The networks of floats only move values within a quantisation step.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, PyTree, UInt8

from jaxsr import networks
from jaxsr.codec import container
from jaxsr.entropy import integer, tables
from jaxsr.entropy.tables import SCALE_COUNT, STEP, Tables
from jaxsr.errors import UserError
from jaxsr.networks.compressor import HYPER_DOWN, INDEX_UNIT, level
from jaxsr.networks.density import gaussian_bits, scale_of
from jaxsr.zoo.description import Description

LEVELS = container.LEVELS
GAIN_UNIT = 256  # a stored log-gain counts 1/256 of a σ index step
OFFSET_BITS = 7  # the accumulator and the offsets count 2^-7 of a σ index step
ENTROPY_DEVICES = ("auto", "cpu", "default")
HYPER_LIMIT = 127  # hyper-latents lie within ± this

Latents = Float[Array, "h w m"]
Size = Int[np.ndarray | Array, "2"]


class Rate(NamedTuple):
    """The integers of one level, for every latent channel."""

    gain: Int32[np.ndarray | Array, "m"]  # log-gain in 1/256 of a σ index step
    offset: Int32[np.ndarray | Array, "m"]  # of the σ index, in 1/128
    anchor: Int32[np.ndarray | Array, ""]  # row of the hyper-latents' tables


class Placed(NamedTuple):
    """The arrays of a model that programs take as arguments, on one device."""

    params: PyTree
    scales: tuple[integer.Layer, ...]
    residual_tables: Tables
    hyper_tables: Tables


class Symbols(NamedTuple):
    """All that is coded of a tile, on its canvas; 0 outside the tile's own size."""

    hyper: Int32[Array, "hz wz n"]
    index: Int32[Array, "h w m"]  # of the table of σ; where it is 0 nothing is coded
    residual: Int32[Array, "h w m"]


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained codec.

    Attributes:
      name: the network's name in ``jaxsr.networks.COMPRESSORS``.
      options: keyword arguments of the network's factory.
      params: the float networks' parameters, float16 values in float32 arrays.
      scales: the layers of the σ network.
      gains, offsets: for each anchor rate and channel; units as in :class:`Rate`.
      residual_tables: one for each σ index of 0 to 63.
      hyper_tables: one for each anchor rate and hyper-latent channel; the channel varies fastest.
      number: that of a released model, 0 to 255, as files name it.
      notes: free text.
      programs: jitted functions by name. Models that differ only in their arrays can share them:
        ``dataclasses.replace(model, programs=other.programs)``.
      device: where it runs; None is the default device. See :meth:`on`.
      entropy_device: where the entropy coder runs. "default": beside the transforms; "cpu": on the
        CPUs of the host; "auto": on those where the transforms run on a GPU or TPU, whose loops are
        slow; or a device. See :meth:`coding_on`.
    """

    name: str
    options: dict[str, Any]
    params: dict[str, Any]
    scales: tuple[integer.Layer, ...]
    gains: Int32[np.ndarray, "a m"]
    offsets: Int32[np.ndarray, "a m"]
    residual_tables: Tables
    hyper_tables: Tables
    number: int = 0
    notes: dict[str, str] = dataclasses.field(default_factory=dict)
    programs: dict[Any, Callable] = dataclasses.field(default_factory=dict, repr=False)
    device: jax.Device | None = None
    entropy_device: str | jax.Device = "auto"

    @functools.cached_property
    def hash(self) -> bytes:
        """The 4 bytes by which files name the model; see :func:`fingerprint`."""
        return fingerprint(self.name, self.options, self.arrays())

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that define the model, by name, as its file holds them."""
        tree = {
            "params": jax.tree.map(lambda x: np.asarray(x, np.float16), self.params),
            "scales": {str(i): layer._asdict() for i, layer in enumerate(self.scales)},
            "rates": {"gains": self.gains, "offsets": self.offsets},
            "residual_tables": tables.to_arrays(self.residual_tables),
            "hyper_tables": tables.to_arrays(self.hyper_tables),
        }
        flat = flax.traverse_util.flatten_dict(tree, sep="/")
        return {name: np.ascontiguousarray(value) for name, value in flat.items()}

    @functools.cached_property
    def description(self) -> Description:
        """What the model is, in words."""
        notes = dict(self.notes)
        return Description(
            kind="codec",
            architecture=self.name,
            options=dict(self.options),
            scale=1,
            channels=3,
            parameters=sum(leaf.size for leaf in jax.tree.leaves(self.trainable)),
            sizes="any",
            tiles="of about 1024×1024 pixels; equal to the whole image but for roundings",
            precisions=("float32",),
            licence=notes.pop("licence", None),
            notes=notes,
        )

    @functools.cached_property
    def network(self) -> networks.Compressor:
        """The network, without parameters."""
        created: Any = networks.create_compressor(self.name, **self.options)
        return created  # one with hyper-latents: others have no file

    @property
    def hyper(self) -> int:
        """The number of hyper-latent channels."""
        return self.scales[0].kernel.shape[2]

    @property
    def latents(self) -> int:
        """The number of latent channels."""
        return self.gains.shape[1]

    def rate(self, level: int) -> Rate:
        """Return the integers of a level, 0 to 1023, by linear interpolation of the anchors'."""
        position = level * (len(self.gains) - 1)
        last = LEVELS - 1
        row = min(position // last, len(self.gains) - 2)
        part = position - row * last

        def between(table):
            table = table.astype(np.int64)
            return ((table[row] * (last - part) + table[row + 1] * part) // last).astype(np.int32)

        rows = len(self.hyper_tables.sizes) // self.hyper - 1
        anchor = np.array((2 * level * rows + last) // (2 * last), np.int32)  # the nearest
        return Rate(between(self.gains), between(self.offsets), anchor)

    @functools.cached_property
    def trainable(self) -> dict:
        """All parameters as the network takes them, to go on training from."""
        unit = 2 ** (integer.WEIGHT_BITS + integer.ACTIVATION_BITS)
        scales = {}
        for i, layer in enumerate(self.scales):
            scales[f"kernel{i}"] = np.asarray(layer.kernel, np.float32) / 2**integer.WEIGHT_BITS
            scales[f"bias{i}"] = np.asarray(layer.bias, np.float32) / unit
        rates = {
            "log_gain": self.gains.astype(np.float32) * (STEP / GAIN_UNIT),
            "offset": self.offsets.astype(np.float32) / (INDEX_UNIT * 2**OFFSET_BITS),
        }
        return self.params | {"scales": scales, "rates": rates}

    @functools.cached_property
    def placed_trainable(self) -> dict:
        """:attr:`trainable` on the device, put there once."""
        return self._put(self.trainable)

    @functools.cached_property
    def placed(self) -> Placed:
        """Parameters, integer layers and tables on the device, put there once."""
        return self._put(Placed(self.params, self.scales, self.residual_tables, self.hyper_tables))

    def _put(self, tree: PyTree) -> PyTree:
        with jax.ensure_compile_time_eval():  # arrays, not tracers, also where a caller is traced
            return jax.device_put(tree, self.device)

    def on(self, device: jax.Device) -> "Model":
        """Return this model on ``device``, always the same object; programs are shared."""
        if device not in self._elsewhere:
            other = dataclasses.replace(self, device=device)
            vars(other)["_elsewhere"] = self._elsewhere
            self._elsewhere[device] = other
        return self._elsewhere[device]

    def coding_on(self, entropy_device: str | jax.Device) -> "Model":
        """Return this model with its coder placed so, always the same object.

        Raises:
          UserError: it is neither a device nor one of ``ENTROPY_DEVICES``.
        """
        known = isinstance(entropy_device, str) and entropy_device in ENTROPY_DEVICES
        if not known and not isinstance(entropy_device, jax.Device):
            raise UserError(
                f"entropy_device is {', '.join(ENTROPY_DEVICES)} or a JAX device, "
                f"got {entropy_device!r}"
            )
        if entropy_device not in self._choices:
            other = dataclasses.replace(self, entropy_device=entropy_device)
            vars(other)["_choices"] = self._choices
            self._choices[entropy_device] = other
        return self._choices[entropy_device]

    @functools.cached_property
    def _elsewhere(self) -> dict[jax.Device, "Model"]:
        return {}

    @functools.cached_property
    def _choices(self) -> dict[str | jax.Device, "Model"]:
        return {self.entropy_device: self}

    # ---- jitted once for every canvas size; parameters are arguments, not constants ----

    @functools.cached_property
    def analyse(self):
        """(pixels (16h, 16w, 3) uint8) → latents (h, w, m), before any gain."""
        return self._jitted(self.analysis_of, self.placed.params)

    @functools.cached_property
    def symbols(self):
        """(latents, rate, region (h, w), size (2,)) → (:class:`Symbols`, estimated bits)."""
        return self._jitted(self.symbols_of, self.placed.params, self.placed.scales)

    @functools.cached_property
    def indexes(self):
        """(hyper-latents, rate, region, size) → σ indexes, computed in integers only."""
        return self._jitted(self.indexes_of, self.placed.scales)

    @functools.cached_property
    def decoded_latents(self):
        """(Symbols, rate, region, size) → latents without gain; the edge repeats beyond size."""
        return self._jitted(self.latents_of, self.placed.params)

    @functools.cached_property
    def synthesise(self):
        """(latents, rate, region) → pixels (16h, 16w, 3) uint8."""
        return self._jitted(self.synthesis_of, self.placed.params)

    @functools.cached_property
    def symbols_of_many(self):
        """(pixels, rate, region, size), of a batch → what :attr:`symbols` gives, of a batch."""
        return self._jitted(self.many_symbols_of, self.placed.params, self.placed.scales)

    @functools.cached_property
    def pixels_of_many(self):
        """(Symbols, rate, region, size), of a batch → pixels (b, 16h, 16w, 3) uint8."""
        return self._jitted(self.many_pixels_of, self.placed.params)

    @functools.cached_property
    def hyper_bits(self):
        """(hyper-latents, rate of 0 to 1, size) → their bits by the learned density."""
        return self._jitted(self._hyper_bits, self.placed.params)

    def _jitted(self, function: Callable, *placed: PyTree) -> Callable:
        """Jit a method, or find it jitted by another model that shares :attr:`programs`.

        The result passes ``placed`` on first, then its own arguments, moved to the device.
        """
        program = self.programs.setdefault(function.__name__, jax.jit(function))
        return lambda *args: program(*placed, *jax.device_put(args, self.device))

    def _apply(self, params, method, *args):
        # float32 products everywhere: TF32 and bf16 would move pixels by more than one step
        with jax.default_matmul_precision("highest"):
            return self.network.apply({"params": params}, *args, method=method)

    def analysis_of(self, params, pixels: UInt8[Array, "hh ww 3"]) -> Latents:
        x = pixels[None].astype(jnp.float32) / 255
        return self._apply(params, lambda net, x: net.analysis(x), x)[0]

    def symbols_of(
        self, params, scales, y: Latents, rate: Rate, region: Int32[Array, "h w"], size: Size
    ) -> tuple[Symbols, Float[Array, ""]]:
        log_gain = _log_gain(rate, region)
        y = y * jnp.exp(log_gain)
        z = self._apply(params, lambda net, y: net.hyper_analysis(y), y[None])[0]
        z = jnp.clip(jnp.round(z), -HYPER_LIMIT, HYPER_LIMIT).astype(jnp.int32)
        z = jnp.where(inside(z.shape, -(-size // HYPER_DOWN)), z, 0)
        index = self.indexes_of(scales, z, rate, region, size)

        def quantised(mean):
            return jnp.round(y - mean) * (index > 0).astype(jnp.float32)

        mean = self._mean(params, z, log_gain, quantised)
        residual = quantised(mean)
        bits = gaussian_bits(residual, scale_of(index), self.network.mixture)
        bits = jnp.where(index > 0, bits, 0).sum()
        return Symbols(z, index, residual.astype(jnp.int32)), bits

    def _hyper_bits(self, params, z, fraction: Float[Array, ""], size: Size) -> Float[Array, ""]:
        def bits(net, z, rate):
            return net.density(z, rate)

        every = self._apply(params, bits, z[None].astype(jnp.float32), fraction[None])[0]
        return jnp.where(inside(z.shape, -(-size // HYPER_DOWN)), every, 0).sum()

    def _mean(self, params, z, log_gain, quantised) -> Latents:
        def mean(net, z, log_gain):
            return net.mean(z, log_gain, lambda first: quantised(first[0])[None])

        return self._apply(params, mean, z[None].astype(jnp.float32), log_gain[None])[0]

    def indexes_of(self, scales, z, rate: Rate, region, size: Size) -> Int32[Array, "h w m"]:
        """Compute the σ indexes, 0 to 63, that hyper-latents give; 0 outside ``size``."""
        offset = jnp.asarray(rate.offset)[None, None]
        index = integer.run(scales, z) + offset + (region << OFFSET_BITS)[..., None]
        index = jnp.clip(integer.shifted(index, OFFSET_BITS), 0, SCALE_COUNT - 1)
        return jnp.where(inside(index.shape, size), index, 0)

    def latents_of(self, params, symbols: Symbols, rate: Rate, region, size) -> Latents:
        log_gain = _log_gain(rate, region)
        residual = symbols.residual.astype(jnp.float32)
        mean = self._mean(params, symbols.hyper, log_gain, lambda _: residual)
        y = (residual + mean) * jnp.exp(-log_gain)
        return part_of(y, np.zeros(2, np.int32), size, y.shape[:2])

    def synthesis_of(self, params, y: Latents, rate: Rate, region) -> UInt8[Array, "hh ww 3"]:
        log_gain = _log_gain(rate, region)
        x = self._apply(
            params, lambda net, y, g: net.synthesis(y, level(g)), y[None], log_gain[None]
        )
        return jnp.round(jnp.clip(x[0], 0, 1) * 255).astype(jnp.uint8)

    def many_symbols_of(self, params, scales, *batch):
        """Compute the symbols of images whose canvases have one shape."""

        def one(pixels, *where):
            return self.symbols_of(params, scales, self.analysis_of(params, pixels), *where)

        return jax.vmap(one)(*batch)

    def many_pixels_of(self, params, *batch):
        """Compute the pixels of images whose canvases have one shape."""

        def one(symbols, rate, region, size):
            y = self.latents_of(params, symbols, rate, region, size)
            return self.synthesis_of(params, y, rate, region)

        return jax.vmap(one)(*batch)


def fingerprint(network: str, options: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Return the 4 bytes by which files name weights.

    They are the first of a SHA-256 over the network's name and options and over all arrays, in the
    order of their names.
    """
    sha = hashlib.sha256(json.dumps([network, options], sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return sha.digest()[:4]


def _log_gain(rate: Rate, region: Int32[Array, "h w"]) -> Latents:
    """Return the log-gain of every latent in nepers."""
    steps = jnp.asarray(rate.gain)[None, None] + region[..., None] * GAIN_UNIT
    return steps.astype(jnp.float32) * (STEP / GAIN_UNIT)


def part_of(
    y: Float[Array, "h w m"], first: Size, size: Size, shape: tuple[int, ...]
) -> Float[Array, "hh ww m"]:
    """Return a part of ``shape`` from ``first`` on; beyond ``size`` the edge there repeats."""
    rows, columns = (
        jnp.minimum(first[i] + jnp.arange(n, dtype=jnp.int32), size[i] - 1)
        for i, n in enumerate(shape)
    )
    return y[rows][:, columns]


def inside(shape: tuple[int, ...], size: Size) -> Bool[Array, "h w 1"]:
    """Mark the positions of a canvas that lie within the tile's size."""
    rows, columns = (jnp.arange(n, dtype=jnp.int32) < size[i] for i, n in enumerate(shape[:2]))
    return (rows[:, None] & columns[None, :])[..., None]
