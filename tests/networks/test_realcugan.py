"""Real-CUGAN: the published sizes, features without borders, and transposed convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters
from jaxsr.networks.layers import TransposedConv


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale": 2}, 1_284_598),
        ({"scale": 3}, 1_286_326),
        ({"scale": 4}, 1_406_812),
        ({"scale": 2, "fast": True}, 1_409_404),
    ],
)
def test_published_parameter_counts(options, expected):
    assert parameters(create("realcugan", **options)) == expected


@pytest.mark.parametrize("options", [{"scale": 3}, {"scale": 4}, {"scale": 2, "fast": True}])
def test_images_of_any_size_are_enlarged_and_features_are_as_large_as_they_are(options):
    network = create("realcugan", features=16, **options)
    x = jnp.ones((1, 5, 27, 3))
    (y, f), _ = jax.eval_shape(
        lambda key: network.init_with_output(key, x, method="with_features"), jax.random.key(0)
    )
    scale, smaller = options["scale"], network.unshuffle
    assert y.shape == (1, 5 * scale, 27 * scale, 3)
    assert f.shape == (1, -(-5 // smaller), -(-27 // smaller), 16)


@pytest.mark.parametrize("options", [{"scale": 1}, {"scale": 4, "fast": True}])
def test_other_scales_are_refused(options):
    with pytest.raises(ValueError, match="realcugan"):
        create("realcugan", **options)


@pytest.mark.parametrize(("kernel", "stride", "crop"), [(2, 2, 0), (4, 2, 3), (5, 3, 2), (4, 2, 2)])
def test_every_pixel_adds_its_kernel_to_what_a_transposed_convolution_gives(
    kernel, stride, crop, random_params
):
    module = TransposedConv(3, kernel, stride, crop)
    x = np.random.default_rng(0).random((1, 4, 5, 2), np.float32)
    params = random_params(module, x)
    expected = np.zeros((stride * 3 + kernel, stride * 4 + kernel, 3)) + params["bias"]
    for i, j in np.ndindex(4, 5):
        spot = expected[stride * i : stride * i + kernel, stride * j : stride * j + kernel]
        spot += np.einsum("yxio,i->yxo", params["kernel"], x[0, i, j])
    expected = expected[crop : expected.shape[0] - crop, crop : expected.shape[1] - crop]
    y = jax.jit(module.apply)({"params": params}, x)
    np.testing.assert_allclose(np.asarray(y)[0], expected, atol=1e-5)
