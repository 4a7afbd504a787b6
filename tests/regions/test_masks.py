"""Masks: of classes, enlarged, and feathered: they rise from the region's border inward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from jaxsr.image.pictures import boxes_mask
from jaxsr.regions import masks

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("namespace", [np, jnp])
def test_the_region_of_a_class_is_where_it_is_the_most_probable(namespace):
    p = RNG.dirichlet(np.ones(4), (5, 7)).astype(np.float32)
    for index in range(4):
        mask = masks.of_class(namespace.asarray(p), index)
        np.testing.assert_array_equal(mask > masks.REGION, p.argmax(-1) == index)
    two = p[..., :2] / p[..., :2].sum(-1, keepdims=True)
    np.testing.assert_allclose(masks.of_class(two, 1), two[..., 1], rtol=1e-6)


def test_labels_make_masks_too():
    np.testing.assert_array_equal(masks.of_class(np.array([[0, 2], [2, 1]]), 2), [[0, 1], [1, 0]])


def test_a_class_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no class 3; there are 0 to 2"):
        masks.of_class(np.ones((2, 2, 3), np.float32), 3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_enlarged_mask_has_its_edges_where_the_enlarged_image_has_them(scale):
    mask = boxes_mask([(0, 2, 9, 4)], 8, 9)
    expected = boxes_mask([(0, 2 * scale, 9 * scale, 4 * scale)], 8 * scale, 9 * scale)
    np.testing.assert_array_equal(masks.enlarge(mask, scale) > masks.REGION, expected > 0)
    soft = RNG.random((8, 9), np.float32)
    np.testing.assert_allclose(
        masks.enlarge(soft, scale), masks.enlarge(jnp.asarray(soft), scale), atol=1e-6
    )


def blobs(height=61, width=83):
    """A region with holes, thin parts, and a part at the image's border."""
    mask = boxes_mask([(0, 5, 40, 50), (60, 10, 3, 30), (50, 58, 33, 3)], height, width)
    mask[20:23, 18:25] = 0
    return mask * 0.9 + 0.05


@pytest.mark.parametrize("width", [1, 5, 16])
def test_the_feather_is_a_smooth_function_of_the_distance_to_the_border(width):
    mask = blobs()
    region = np.pad(mask > 0.5, width, mode="edge")  # beyond the image the region goes on
    distance = distance_transform_edt(region)[width:-width, width:-width]
    t = np.minimum(distance / width, 1)
    weights = masks.feather(mask, width)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, t * t * (3 - 2 * t), atol=1e-6)


def test_the_feather_is_zero_outside_one_deep_inside_and_never_jumps():
    mask = blobs()
    weights = masks.feather(mask)
    assert (weights[mask <= 0.5] == 0).all() and (weights[mask > 0.5] > 0).all()
    assert weights[37, 0] == 1 and weights.max() == 1  # the image's border is none of the region
    for axis in (0, 1):
        assert np.abs(np.diff(weights, axis=axis)).max() <= 1.5 / masks.WIDTH


def test_thin_regions_have_weight_at_their_core():
    weights = masks.feather(boxes_mask([(20, 20, 16, 16)], 60, 60))
    assert weights.max() > 0.4


def test_on_the_device_the_feather_is_the_same_for_every_image_of_a_batch():
    batch = np.stack([blobs(), blobs()[::-1], np.zeros((61, 83)), np.ones((61, 83))]).astype(
        np.float32
    )
    weights = jax.jit(jax.vmap(masks.feather))(batch)
    np.testing.assert_allclose(weights, masks.feather(batch), atol=1e-6)
    assert not weights[2].any() and (weights[3] == 1).all()


def test_a_feather_of_no_width_is_refused():
    with pytest.raises(ValueError, match="1 pixel wide or more"):
        masks.feather(np.ones((2, 2), np.float32), 0)
