"""PLKSR and RealPLKSR: the published sizes, how far they see, and the head that samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention import Affine, dynamic_upsample
from jaxsr.networks import create
from jaxsr.networks.count import parameters
from jaxsr.networks.layers import mish, two_rows_on_cpu, upsample_bilinear

SMALL = {"features": 8, "blocks": 1, "kernel": 5, "part": 4}


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("plksr", {}, 7.39e6),
        ("plksr", {"scale": 2}, 7.36e6),
        ("plksr", {"blocks": 12, "kernel": 13, "attention": False}, 2.37e6),
        ("realplksr", {}, 7.39e6),
    ],
)
def test_published_parameter_counts(name, options, expected):
    assert parameters(create(name, **options)) == pytest.approx(expected, abs=1e4)


@pytest.mark.parametrize(
    ("name", "options"), [("plksr", {"mixer": "CCM"}), ("realplksr", {"layer_norm": True})]
)
def test_no_pixel_is_seen_beyond_the_receptive_field(name, options, random_params):
    network = create(name, scale=2, **SMALL, **options)
    field = network.receptive_field or 0
    n = 2 * field + 3
    x = jnp.full((1, 1, n, 3), 0.5)
    params = {"params": random_params(network, x)}
    apply = jax.jit(network.apply)
    changed = apply(params, x.at[0, 0, n // 2].set(1.0)) - apply(params, x)
    reach = np.abs(np.flatnonzero(np.any(np.asarray(changed[0, 0]) != 0, axis=-1)) // 2 - n // 2)
    assert reach.max() == field


def test_groups_normalised_over_the_image_see_all_of_it():
    assert create("realplksr").receptive_field is None
    assert create("realplksr", layer_norm=True, head="dysample").receptive_field is None


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "groups"), [(2, 4), (3, 3), (1, 2)])
def test_pixels_that_choose_no_other_place_are_those_of_bilinear_enlarging(scale, groups):
    x = jax.random.uniform(jax.random.key(0), (2, 5, 7, 12))
    kernel = jnp.zeros((1, 1, 12, 2 * groups * scale**2))
    y = dynamic_upsample(x, Affine(kernel), Affine(kernel), scale, groups)
    np.testing.assert_allclose(y, upsample_bilinear(x, scale), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("axis", [0, 1])
def test_a_group_moves_by_its_offset_across_and_down(axis):
    """An offset of 4 times a half scope moves by one pixel, here of the second of two groups."""
    x = jax.random.uniform(jax.random.key(0), (1, 6, 6, 4))
    kernel = jnp.zeros((1, 1, 4, 16))
    bias = jnp.zeros((2, 2, 4)).at[axis, 1].set(4.0).ravel()
    y = dynamic_upsample(x, Affine(kernel, bias), Affine(kernel), 2, 2)
    plain = upsample_bilinear(x, 2)
    np.testing.assert_allclose(y[..., :2], plain[..., :2], atol=1e-6)
    moved = jnp.roll(plain, -2, axis=2 - axis)[:, 2:-4, 2:-4, 2:]
    np.testing.assert_allclose(y[:, 2:-4, 2:-4, 2:], moved, atol=1e-6)


def test_groups_that_do_not_divide_the_channels_are_refused():
    kernel = Affine(jnp.zeros((1, 1, 6, 32)))
    with pytest.raises(ValueError, match="4 groups of places do not divide 6 channels"):
        dynamic_upsample(jnp.zeros((1, 2, 2, 6)), kernel, kernel, 2, 4)


@pytest.mark.parametrize("height", [4, 7])
def test_two_rows_at_once_are_the_rows_of_the_convolution(height):
    keys = jax.random.split(jax.random.key(0))
    x, kernel = (
        jax.random.normal(key, shape)
        for key, shape in zip(keys, [(2, height, 5, 3), (5, 5, 3, 4)], strict=True)
    )
    options = {"padding": ((2, 2), (2, 2)), "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    expected = jax.lax.conv_general_dilated(x, kernel, (1, 1), **options)
    y = jax.jit(lambda x, kernel: two_rows_on_cpu(x, kernel, (1, 1), **options))(x, kernel)
    np.testing.assert_allclose(y, expected, atol=1e-4)


@pytest.mark.usefixtures("optimised")
def test_mish_is_its_definition_and_has_a_gradient_everywhere():
    x = jnp.linspace(-100, 100, 4001)
    np.testing.assert_allclose(mish(x), jax.nn.mish(x), atol=1e-5)
    slope = jax.vmap(jax.grad(lambda x: mish(x[None])[0]))(x)
    np.testing.assert_allclose(slope, jax.vmap(jax.grad(jax.nn.mish))(x), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [("plksr", {"mixer": "XCM"}, "there are: CCM"), ("realplksr", {"head": "x"}, "shuffle, dys")],
)
def test_unknown_parts_are_refused(name, option, message):
    with pytest.raises(ValueError, match=message):
        create(name, **option)


def test_a_part_of_more_channels_than_there_are_is_refused():
    network = create("plksr", features=8, blocks=1)
    with pytest.raises(ValueError, match="on 16 channels needs as many; got 8"):
        jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 4, 4, 3)))
