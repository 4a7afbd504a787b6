"""Packed images: the blocks, the crops that a program cuts of them, and the host's to compare."""

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest

from jaxsr.data import options, packed, pipeline
from jaxsr.errors import UserError
from jaxsr.image.symmetry import turn, turned

SIZES = ((70, 45), (200, 300), (64, 128), (33, 260), (24, 64))  # 32 fit into all but the last


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i, size in enumerate(SIZES):
        image = PIL.Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8))
        image.save(tmp_path / "images" / f"{i}.png")
    return tmp_path


def config_of(task, folder, **changes):
    config = options.default_config(task)
    config.source, config.cache = f"folder:{folder / 'images'}", str(folder / "cache")
    config.update(changes)
    return config


def test_a_program_turns_as_the_host_does():
    x = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    for i in range(8):
        np.testing.assert_array_equal(jax.jit(turned)(x, i), turn(x, i))


def test_blocks_laid_out_again_are_the_image():
    for size in SIZES:
        image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
        blocks = packed.to_blocks(image)
        across = -(-size[1] // packed.COLUMNS)
        grid = blocks.reshape(-1, across, 64, 128, 3).swapaxes(1, 2)
        whole = grid.reshape(-1, across * 128, 3)
        np.testing.assert_array_equal(whole[: size[0], : size[1]], image)
        assert whole[size[0] :].max(initial=0) == whole[:, size[1] :].max(initial=0) == 0
        assert blocks.nbytes == packed.bytes_of(*np.array(size)[:, None])


@pytest.mark.parametrize("side", [1, 33, 64, 66, 130])
def test_a_crop_lies_anywhere_in_any_image(side):
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((150, 140), (131, 300))]
    blocks = [packed.to_blocks(image) for image in images]
    table = np.array([[0, 2, 150, 140], [len(blocks[0]), 3, 131, 300]], np.int32)
    drawn = [
        (i, top, left, int(rng.integers(8)))
        for i, image in enumerate(images)
        for top in (0, 63, 64, image.shape[0] - side)
        for left in (0, 127, 128, image.shape[1] - side)
        if top <= image.shape[0] - side and left <= image.shape[1] - side
    ]
    which, top, left, turns = np.array(drawn, np.int32).T
    cut = jax.jit(packed.crops, static_argnums=5)
    crops = cut(jnp.concatenate(blocks), table[which], top, left, turns, side)
    for crop, (i, y, x, turns) in zip(crops, drawn, strict=True):
        np.testing.assert_array_equal(crop, turn(images[i][y : y + side, x : x + side], turns))


TASKS = {
    "super_resolution": ({"low_crop": 8}, {"scale": 4}),
    "compression": ({"crop": 32}, {}),
    "restoration": ({"crop": 24, "clean": 1.0}, {"scales": (1, 2, 3)}),
}


def dataset(task, folder, changes=(), **arguments):
    settings, more = TASKS[task]
    config = config_of(task, folder, **(settings | dict(changes)))
    make = getattr(pipeline, task)
    return make(config, **({"batch_size": 8, "seed": 3} | more | arguments))


@pytest.mark.parametrize("task", TASKS)
def test_a_program_draws_the_batches_of_the_host_to_the_bit(task, folder):
    data = dataset(task, folder)
    arrays = jax.tree.map(jnp.asarray, data.pack())
    draw = jax.jit(data.draw)
    for step in (0, 1, 70_000):
        host = data.batch(step)
        there = draw(arrays, jnp.int32(step), jnp.arange(8))
        assert there.keys() == host.keys() - {"index"}
        for key, x in there.items():
            np.testing.assert_array_equal(x, host[key], err_msg=key)
            assert x.dtype == host[key].dtype


def test_an_example_is_the_same_in_any_part_of_a_batch(folder):
    data = dataset("compression", folder)
    arrays = jax.tree.map(jnp.asarray, data.pack())
    whole = data.draw(arrays, jnp.int32(5), jnp.arange(8))
    half = data.draw(arrays, jnp.int32(5), jnp.arange(4, 8))
    for key in whole:
        np.testing.assert_array_equal(whole[key][4:], half[key])
    other = dataset("compression", folder, batch_size=4, host=1).batch(5)
    np.testing.assert_array_equal(other["image"], half["image"])


def test_images_are_packed_once_and_found_again_for_any_crop(folder, monkeypatch):
    first = dataset("super_resolution", folder).pack()
    monkeypatch.setattr(packed, "to_blocks", None)  # nothing is packed anew
    again = dataset("super_resolution", folder, {"low_crop": 6, "augment": False}).pack()
    for name in ("high", "low"):
        blocks = (arrays["layers"][name]["blocks"] for arrays in (first, again))
        np.testing.assert_array_equal(*blocks)
    assert [len(arrays["thresholds"]) + 1 for arrays in (first, again)] == [4, 5]  # 24 × 64 fits


def test_the_size_is_known_before_anything_is_packed(folder):
    data = dataset("super_resolution", folder)
    expected = data.packed_bytes()
    blocks = [layer["blocks"] for layer in data.pack()["layers"].values()]
    assert sum(x.nbytes for x in blocks) == expected


def test_an_unreadable_image_is_replaced_alike_on_host_and_device(folder, caplog):
    with open(folder / "images/1.png", "r+b") as file:
        file.truncate(3000)
    data = dataset("super_resolution", folder)
    arrays = jax.tree.map(jnp.asarray, data.pack())
    assert "1 images are left out, unreadable" in caplog.text and "1.png" in caplog.text
    for step in range(4):
        there = data.draw(arrays, jnp.int32(step), jnp.arange(8))
        host = data.batch(step)
        np.testing.assert_array_equal(there["high"], host["high"])
        assert 1 not in host["index"]


def test_where_no_image_can_be_read_that_is_said(folder):
    for i in range(5):
        with open(folder / f"images/{i}.png", "r+b") as file:
            file.truncate(200)
    with pytest.raises(UserError, match="none of the 4 images can be read"):
        dataset("super_resolution", folder).pack()


def test_a_program_degrades_the_crops_that_the_host_degrades(folder):
    changes = dict(blur=0.0, resize=0.0, jpeg=0.0, poisson=0.0, noise_sigma=(20.0, 20.0))
    config = config_of("restoration", folder, crop=24, clean=0.5)
    for degradation in (config.real, config.real_before_upscaling):
        degradation.first.update(changes)
    noisy = pipeline.restoration(config, batch_size=8, seed=3, scales=(1, 2))
    config.clean = 1.0
    clean = pipeline.restoration(config, batch_size=8, seed=3, scales=(1, 2)).batch(0)
    host = noisy.batch(0)
    there = jax.jit(noisy.draw)(jax.tree.map(jnp.asarray, noisy.pack()), 0, jnp.arange(8))
    np.testing.assert_array_equal(there["high"], host["high"])
    for name in ("low_1", "low_2"):
        of_host, of_program = (
            np.abs(x[name].astype(float) - clean[name]).mean((1, 2, 3)) for x in (host, there)
        )
        np.testing.assert_array_equal(of_program > 0, of_host > 0)
        assert 0 < (of_host > 0).sum() < 8
        np.testing.assert_allclose(of_program, of_host, rtol=0.3)
    for name in ("strengths_1", "strengths_2"):
        np.testing.assert_allclose(there[name], host[name], rtol=1e-5)
        assert not clean[name].any()
