"""SPAN: blocks of three re-parameterised 3×3 convolutions and a parameter-free attention.

Source: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution" (2023).
"""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Array, Float

from jaxsr.attention.parameter_free import ParameterFreeAttention
from jaxsr.networks.layers import Conv, Dtype, fan_in
from jaxsr.networks.upscaler import DIV2K_MEAN, Extract, PixelShuffleDirect, Upscaler


def span(
    scale: int = 4,
    *,
    channels: int = 3,
    features: int = 48,
    mean: Sequence[float] = DIV2K_MEAN,
    value_range: float = 255.0,
    folded: bool = False,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SPAN as published: six blocks, inputs centred and scaled to 0..255, no image skip.

    ``folded=False`` is the training form, ``folded=True`` the inference form of the same network;
    :func:`fold` turns the parameters of the first into those of the second.

    Args:
      channels: of images.
      mean, value_range: what the network was trained to see: ``(x − mean) · value_range``, where
        ``mean`` is of each channel, or of all. Many see images as they are: 0 and 1.
    """
    return Upscaler(
        extract=RepConv(features, folded=folded, dtype=dtype),
        enhance=SpanBody(features, 6, functools.partial(RepConv, folded=folded), dtype=dtype),
        fuse=PixelShuffleDirect(scale, channels, dtype=dtype),
        scale=scale,
        channels=channels,
        mean=tuple(mean),
        value_range=value_range,
        denormalise=False,
        receptive_field=1 + 6 * 3 + 1 + 1,
    )


def span_compact(
    scale: int = 4, *, features: int = 32, blocks: int = 6, dtype: Dtype = None
) -> Upscaler:
    """Build the network of the released weights: SPAN's body made quick to train.

    It differs from :func:`span` where that starts badly conditioned: plain convolutions with
    He initialisation, an attention that lets the block's input pass
    (``residual_parameter_free_attention``), inputs of unit size, and the low-resolution image
    added to the output, so that an untrained network already enlarges it.
    """
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SpanBody(features, blocks, PlainConv, residual=True, dtype=dtype),
        fuse=PixelShuffleDirect(scale, skip="nearest", variance=0.1, dtype=dtype),
        scale=scale,
        mean=(0.45, 0.45, 0.45),
        value_range=4.0,
        receptive_field=1 + blocks * 3 + 1 + 1,
    )


class SpanBody(nn.Module):
    """The blocks, then one 1×1 convolution over early, middle and late features.

    Attributes:
      conv: makes the 3×3 convolutions.
      residual: chooses between the two attentions of ``jaxsr.attention.parameter_free``.
    """

    features: int
    blocks: int
    conv: Callable[..., nn.Module]
    residual: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        outputs, inner = [f0], f0
        for i in range(self.blocks):
            block = SpanBlock(
                self.features, self.conv, self.residual, self.dtype, name=f"block_{i}"
            )
            f, inner = block(outputs[-1])
            outputs.append(f)
        late = self.conv(self.features, dtype=self.dtype, name="conv_last")(outputs[-1])
        joined = jnp.concatenate([f0, late, outputs[1], inner], axis=-1)
        return Conv(self.features, 1, dtype=self.dtype, name="conv_join")(joined)


class SpanBlock(nn.Module):
    """Three convolutions with SiLU between; their response weighs itself (and the input: eq. 5).

    It returns the block's output and its first activated response.
    """

    features: int
    conv: Callable[..., nn.Module]
    residual: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        def conv(i, variance):
            return self.conv(self.features, variance=variance, dtype=self.dtype, name=f"conv_{i}")

        inner = nn.silu(conv(0, 2.0)(x))
        f = conv(2, 0.1)(nn.silu(conv(1, 2.0)(inner)))
        return ParameterFreeAttention(self.residual, name="attention")(f, x), inner


def PlainConv(
    features: int, *, variance: float = 1.0, dtype: Dtype = None, name: str | None = None
) -> nn.Module:
    """Build a 3×3 convolution whose fresh output has ``variance`` times its input's variance."""
    return Conv(features, kernel_init=fan_in(variance), dtype=dtype, name=name)


class RepConv(nn.Module):
    """A 3×3 convolution, over-parameterised while it trains (the paper's Conv3XC).

    The training form is ``1×1 expand → 3×3 → 1×1 reduce`` beside a 1×1 skip. All of it is linear,
    so the branches are multiplied out into one kernel (:func:`fold_kernel`) *before* they meet the
    image: same function and gradients as running the branches, at the cost of one convolution.
    """

    features: int
    folded: bool = False
    gain: int = 2
    variance: float = 1.0  # of a fresh convolution's output over its input's
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        c_in, c_out, gain = x.shape[-1], self.features, self.gain
        if self.folded:
            return Conv(c_out, dtype=self.dtype, name="conv")(x)
        shapes = {
            "expand": (1, 1, c_in, c_in * gain),
            "middle": (3, 3, c_in * gain, c_out * gain),
            "reduce": (1, 1, c_out * gain, c_out),
            "skip": (1, 1, c_in, c_out),
        }
        # the two branches that are added share the variance
        halves = {"reduce": self.variance / 2, "skip": self.variance / 2}
        kernels = {
            name: {
                "kernel": self.param(
                    f"{name}_kernel", fan_in(halves.get(name, 1.0)), shape, jnp.float32
                ),
                "bias": self.param(f"{name}_bias", nn.initializers.zeros, shape[-1:], jnp.float32),
            }
            for name, shape in shapes.items()
        }
        kernel, bias = fold_kernel(kernels)
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + jnp.broadcast_to(bias, y.shape)


def fold_kernel(branches: dict) -> tuple[Float[Array, "3 3 i o"], Float[Array, "o"]]:
    """Multiply the branches of :class:`RepConv` out into one 3×3 kernel and bias."""
    expand, middle = branches["expand"], branches["middle"]
    reduce, skip = branches["reduce"], branches["skip"]
    highest = jax.lax.Precision.HIGHEST
    kernel = jnp.einsum(
        "ia,yxab,bo->yxio",
        expand["kernel"][0, 0],
        middle["kernel"],
        reduce["kernel"][0, 0],
        precision=highest,
    )
    kernel = kernel.at[1, 1].add(skip["kernel"][0, 0])
    inner = jnp.einsum("a,yxab->b", expand["bias"], middle["kernel"], precision=highest)
    bias = jnp.einsum("b,bo->o", inner + middle["bias"], reduce["kernel"][0, 0], precision=highest)
    return kernel, bias + reduce["bias"] + skip["bias"]


def fold(params: dict) -> dict:
    """Turn parameters of the training form into those of ``folded=True``, anywhere in the tree."""
    if "expand_kernel" in params:
        branches = {
            name: {"kernel": params[f"{name}_kernel"], "bias": params[f"{name}_bias"]}
            for name in ("expand", "middle", "reduce", "skip")
        }
        kernel, bias = fold_kernel(branches)
        return {"conv": {"kernel": kernel, "bias": bias}}
    return {k: fold(v) if isinstance(v, dict) else v for k, v in params.items()}
