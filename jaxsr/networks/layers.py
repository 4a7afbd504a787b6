"""Small layers that every network shares."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from jax import export
from jaxtyping import Array, Float

from jaxsr.errors import UserError

Dtype = Any

COLOURS = np.array(  # orthonormal: brightness, red − blue, green − magenta
    [np.array([1, 1, 1]) / 3**0.5, np.array([1, 0, -1]) / 2**0.5, np.array([-1, 2, -1]) / 6**0.5]
)


def apply(network: nn.Module, params: Mapping[str, Any], *inputs: Any) -> Any:
    """Return what ``network`` makes of ``inputs``; its parameters are all the variables it has."""
    return network.apply({"params": params}, *inputs)


def Conv(
    features: int, kernel: int = 3, *, dtype: Dtype = None, name: str | None = None, **options
) -> nn.Conv:
    """Build a convolution, ``kernel`` pixels a side, with zero padding that keeps the size.

    Args:
      features: channels that come out.
      options: more of linen's ``nn.Conv`` (``strides``, ``use_bias``, ``kernel_init`` …).
    """
    pad = kernel // 2
    options.setdefault("padding", ((pad, pad), (pad, pad)))
    if kernel > 1:
        options.setdefault("conv_general_dilated", padded_on_cpu)
    return nn.Conv(features, (kernel, kernel), dtype=dtype, name=name, **options)


def padded_on_cpu(x: Array, kernel: Array, *args, **options) -> Array:
    """Convolve as ``lax.conv_general_dilated``, on CPUs with a quick number of output channels.

    XLA's CPU convolution takes 64 channels in one piece, but 49 to 63 in slow small ones (52 → 52
    takes half as long again as 52 → 64): there the kernel is padded with channels of zeros, which
    are cut off the result. Every number stays the same.
    """
    channels = kernel.shape[-1]
    rest = channels % 64
    plain = functools.partial(jax.lax.conv_general_dilated, **options)
    if rest <= 48 or options.get("feature_group_count", 1) > 1:
        return plain(x, kernel, *args)

    def padded(x, kernel):
        kernel = jnp.pad(kernel, ((0, 0),) * (kernel.ndim - 1) + ((0, 64 - rest),))
        return jax.lax.slice_in_dim(plain(x, kernel, *args), 0, channels, axis=-1)

    return jax.lax.platform_dependent(
        x, kernel, cpu=padded, default=lambda x, kernel: plain(x, kernel, *args)
    )


def two_rows_on_cpu(x: Array, kernel: Array, strides: Any, padding: Any, **options) -> Array:
    """Convolve as ``lax.conv_general_dilated`` with stride 1, on CPUs two rows of output at once.

    For large kernels of few channels: XLA's CPU convolution of 17×17 from 16 to 16 channels fills
    half of its registers. A kernel one row taller, with stride 2, has the even and the odd rows'
    outputs side by side: 32 channels, and 1.7 times as fast (28 ms for 47 on 128×128 pixels).
    """
    plain = functools.partial(jax.lax.conv_general_dilated, padding=padding, **options)
    if export.is_symbolic_dim(x.shape[1]):  # of any number of rows, in an export
        return plain(x, kernel, (1, 1))

    def paired(x, kernel):
        batch, height, width, _ = x.shape
        channels = kernel.shape[-1]
        even, odd = (jnp.pad(kernel, (rows, *[(0, 0)] * 3)) for rows in ((0, 1), (1, 0)))
        x = jnp.pad(x, ((0, 0), (0, height % 2), (0, 0), (0, 0)))
        y = plain(x, jnp.concatenate([even, odd], axis=-1), (2, 1))
        y = y.reshape(batch, -1, width, 2, channels).swapaxes(2, 3)
        return y.reshape(batch, -1, width, channels)[:, :height]

    return jax.lax.platform_dependent(
        x, kernel, cpu=paired, default=lambda x, kernel: plain(x, kernel, (1, 1))
    )


gelu = functools.partial(nn.gelu, approximate=False)  # as PyTorch's, by the error function


def mish(x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
    """``x · tanh(ln(1 + eˣ)) = x · n / (n + 2)`` with ``n = eˣ(eˣ + 2)``, in float32.

    Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function" (2019), eq. 1.
    """
    exact = x.astype(jnp.float32)
    e = jnp.exp(jnp.minimum(exact, 20.0))  # beyond, x is what comes out
    n = e * (e + 2)
    return (exact * (n / (n + 2))).astype(x.dtype)


def dct(size: int) -> Float[np.ndarray, "{size} {size}"]:
    """Return the orthonormal DCT-II, one basis function a row."""
    k, n = np.indices((size, size))
    rows = np.cos(np.pi * (n + 0.5) * k / size) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


def patch_dct(size: int) -> Float[np.ndarray, "{3*size**2} {3*size**2}"]:
    """Return the orthonormal DCT of RGB patches of ``size`` × ``size`` pixels in ``COLOURS``.

    Rows are by colour and frequency, columns by colour and place, as in :func:`pixel_unshuffle`.
    """
    patch = np.einsum("kc,ui,vj->kuvcij", COLOURS, dct(size), dct(size))
    return patch.reshape(3 * size**2, -1)


def overlap(size: int) -> Float[np.ndarray, "{size} {size}"]:
    """Return the orthogonal matrix that makes a lapped transform of blocks of ``size`` values.

    It mixes the halves of two neighbouring blocks, those before and behind their border; a DCT-II
    of the blocks behind it makes the lapped orthogonal transform, whose basis functions reach half
    a block into the neighbours and fade to nothing there. Source: Malvar and Staelin, "The LOT:
    transform coding without blocking effects" (1989), in the form of Tran, Liang and Tu,
    "Lapped transform via time-domain pre- and post-filtering" (2003).
    """
    half = size // 2
    k, n = np.indices((half, half))
    type4 = np.cos(np.pi * (n + 0.5) * (k + 0.5) / half) * math.sqrt(2 / half)
    one, flip, none = np.eye(half), np.eye(half)[::-1], np.zeros((half, half))
    butterflies = np.block([[one, flip], [flip, -one]]) / math.sqrt(2)
    middle = np.block([[one, none], [none, flip @ dct(half).T @ type4 @ flip]])
    return butterflies @ middle @ butterflies


def lapped(x: Float[Array, "b h w c"], matrix: Float[np.ndarray, "n n"]) -> Float[Array, "b h w c"]:
    """Multiply the values around each border of n×n blocks, n along either axis, by ``matrix``.

    The outer half block at the edges of ``x`` stays as it is. The transposed matrix undoes it.
    """
    size, half = len(matrix), len(matrix) // 2
    if x.shape[1] > size:
        inner = _along_columns(x[:, half:-half], matrix)
        x = jnp.concatenate([x[:, :half], inner, x[:, -half:]], axis=1)
    if x.shape[2] > size:
        inner = _along_rows(x[:, :, half:-half], matrix)
        x = jnp.concatenate([x[:, :, :half], inner, x[:, :, -half:]], axis=2)
    return x


def blockwise(
    x: Float[Array, "b h w c"], matrix: Float[np.ndarray, "n n"]
) -> Float[Array, "b h w c"]:
    """Multiply the values of each n×n block, n along either axis, by ``matrix``."""
    return _along_rows(_along_columns(x, matrix), matrix)


def _along_columns(x: Array, matrix: np.ndarray) -> Array:
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, -1, len(matrix), width * channels)
    mixed = jnp.einsum("pq,bkqw->bkpw", jnp.asarray(matrix, x.dtype), blocks)
    return mixed.reshape(batch, height, width, channels)


def _along_rows(x: Array, matrix: np.ndarray) -> Array:
    batch, height, _, channels = x.shape
    # pixels and channels in one, for a product of few columns is slow
    wide = jnp.asarray(np.kron(matrix, np.eye(channels)), x.dtype)
    return (x.reshape(batch, height, -1, len(matrix) * channels) @ wide.T).reshape(x.shape)


def fan_in(variance: float) -> nn.initializers.Initializer:
    """Initialise kernels whose output has ``variance`` times the input's (2: He et al., 2015)."""
    return nn.initializers.variance_scaling(variance, "fan_in", "truncated_normal")


def pixel_shuffle(x: Float[Array, "*b h w s2c"], scale: int) -> Float[Array, "*b sh sw c"]:
    """Move groups of ``scale²`` channels into space; channel order as torch's ``PixelShuffle``.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution" (2016).

    Raises:
      UserError: the channel count is not a multiple of ``scale²``.
    """
    *batch, height, width, channels = x.shape
    if channels % scale**2:
        raise UserError(
            f"pixel_shuffle by {scale} needs a multiple of {scale**2} channels, got {channels}"
        )
    x = x.reshape(*batch, height, width, channels // scale**2, scale, scale)
    x = jnp.moveaxis(x, (-2, -1), (-4, -2))  # … h, sy, w, sx, c
    return x.reshape(*batch, height * scale, width * scale, channels // scale**2)


def pixel_unshuffle(x: Float[Array, "*b sh sw c"], scale: int) -> Float[Array, "*b h w s2c"]:
    """Move squares of ``scale`` pixels into channels: the inverse of :func:`pixel_shuffle`."""
    *batch, height, width, channels = x.shape
    x = x.reshape(*batch, height // scale, scale, width // scale, scale, channels)
    x = jnp.moveaxis(x, (-4, -2), (-2, -1))
    return x.reshape(*batch, height // scale, width // scale, channels * scale**2)


def upsample_nearest(x: Float[Array, "*b h w c"], scale: int) -> Float[Array, "*b sh sw c"]:
    """Repeat every pixel ``scale`` times along both axes."""
    return jnp.repeat(jnp.repeat(x, scale, axis=-3), scale, axis=-2)


def upsample_bilinear(x: Float[Array, "*b h w c"], scale: int) -> Float[Array, "*b sh sw c"]:
    """Enlarge bilinearly: half-pixel centres, edges repeated (torch's ``align_corners=False``).

    Along an axis every output pixel is a fixed blend of two neighbours, so this is ``scale`` blends
    of shifted copies and an interleave: no gather, and float32 throughout.
    """
    for axis in (x.ndim - 3, x.ndim - 2):
        x = _stretch(x, axis, scale)
    return x


def resize_cubic(x: Float[Array, "*b h w c"], up: int, down: int) -> Float[Array, "*b h2 w2 c"]:
    """Resize by ``up / down`` with cubic convolution, half-pixel centres, edges repeated.

    As torch's and ncnn's "bicubic": a is −0.75, and kernels are not widened where images shrink.
    Every ``up`` pixels the weights repeat, so this is ``up`` blends of every ``down``-th pixel.
    Source: Keys, "Cubic Convolution Interpolation for Digital Image Processing" (1981), eq. 4.

    Raises:
      UserError: a size is no multiple of ``down``.
    """
    if any(x.shape[axis] % down for axis in (-3, -2)):
        raise UserError(f"sizes {x.shape[-3:-1]} are no multiples of {down}")
    for axis in (x.ndim - 3, x.ndim - 2):
        x = _resample(x, axis, up, down)
    return x


def _resample(x: Array, axis: int, up: int, down: int) -> Array:
    size, reach = x.shape[axis], 4  # at least how far a centre's taps lie from its group
    edges = [(reach, reach + down) if a == axis else (0, 0) for a in range(x.ndim)]
    padded, groups = jnp.pad(x, edges, mode="edge"), size // down
    phases = []
    for phase in range(up):
        centre = (phase + 0.5) * down / up - 0.5
        left = math.floor(centre)
        taps = [
            _cubic(centre - left - tap)
            * jax.lax.slice_in_dim(
                padded,
                start := reach + left + tap,
                start + (groups - 1) * down + 1,
                stride=down,
                axis=axis,
            )
            for tap in range(-1, 3)
        ]
        phases.append(functools.reduce(jnp.add, taps))
    out = jnp.stack(phases, axis=axis + 1)
    return out.reshape(*x.shape[:axis], groups * up, *x.shape[axis + 1 :])


def _cubic(distance: float, a: float = -0.75) -> float:
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def transposed_kernel(
    kernel: Float[Array, "k k i o"], stride: int, crop: int
) -> Float[Array, "t t i s2o"]:
    """Return the kernel of the convolution which, shuffled by ``stride``, is a transposed one.

    Output ``stride·u + a`` gets the products of input ``u + j`` with tap ``a + crop − stride·j``.

    Args:
      crop: pixels that are cut off the result; the kernel's side is at most ``stride + crop``.
    """
    side = kernel.shape[0]
    taps = (stride - 1 + crop) // stride + 1
    place = np.arange(stride) + crop - stride * np.arange(taps)[:, None]  # of tap j and phase a
    place = np.where((place >= 0) & (place < side), place, side)  # the last ones are zeros
    padded = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
    phases = padded[place][:, :, place].transpose(0, 2, 4, 5, 1, 3)
    return phases.reshape(taps, taps, kernel.shape[2], -1)


class TransposedConv(nn.Module):
    """Transposed convolution, as torch's: every pixel adds its kernel to the result.

    Computed as a convolution and a pixel shuffle, which XLA does several times as fast on CPUs.

    Attributes:
      kernel: its side, at most ``stride + crop``.
      stride: how many times the result is larger.
      crop: pixels that are cut off every side of the result.
    """

    features: int
    kernel: int
    stride: int
    crop: int = 0
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b h2 w2 o"]:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape[-1:], jnp.float32)
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        kernel = transposed_kernel(kernel, self.stride, self.crop)
        sizes = [self.stride * (n - 1) - 2 * self.crop + self.kernel for n in x.shape[1:3]]
        # zeros behind the image, where the last pixels' kernels end
        ends = [
            (0, -(-size // self.stride) - 1 + kernel.shape[0] - n)
            for size, n in zip(sizes, x.shape[1:3], strict=True)
        ]
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), ends, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        y = pixel_shuffle(y, self.stride)[:, : sizes[0], : sizes[1]]
        return y + jnp.broadcast_to(bias, y.shape)


class ChannelPrelu(nn.Module):
    """Leaky ReLU with a learned slope for each channel, ``max(x, 0) + a · min(x, 0)``.

    Source: He et al., "Delving Deep into Rectifiers" (2015), eq. 1.
    """

    init: float = 0.25

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        slope = self.param("slope", nn.initializers.constant(self.init), x.shape[-1:], jnp.float32)
        return jnp.where(x >= 0, x, jnp.broadcast_to(slope.astype(x.dtype), x.shape) * x)


def _stretch(x: Array, axis: int, scale: int) -> Array:
    size = x.shape[axis]
    padded = jnp.concatenate(
        [
            jax.lax.slice_in_dim(x, 0, 1, axis=axis),
            x,
            jax.lax.slice_in_dim(x, size - 1, size, axis=axis),
        ],
        axis=axis,
    )
    phases = []
    for phase in range(scale):
        centre = (phase + 0.5) / scale + 0.5  # position in the padded array, relative to the pixel
        left = int(centre)
        weight = centre - left
        a = jax.lax.slice_in_dim(padded, left, left + size, axis=axis)
        b = jax.lax.slice_in_dim(padded, left + 1, left + 1 + size, axis=axis)
        phases.append(a * (1 - weight) + b * weight)
    out = jnp.stack(phases, axis=axis + 1)
    return out.reshape(*x.shape[:axis], size * scale, *x.shape[axis + 1 :])
