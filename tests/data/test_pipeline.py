"""The pipeline: crops that correspond, batches that do not depend on who makes them."""

import json

import grain
import numpy as np
import PIL.Image
import pytest

from jaxsr.data import options, pipeline
from jaxsr.data.sources import Source
from jaxsr.image.resize import imresize_uint8, modcrop
from jaxsr.image.symmetry import turn

SIZES = ((70, 45), (40, 40), (61, 90), (33, 120), (24, 64))  # of the images; 32 fit but the last


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i, size in enumerate(SIZES):
        image = PIL.Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8))
        image.save(tmp_path / "images" / f"{i}.png")
    config = options.default_config("super_resolution")
    config.source, config.cache = f"folder:{tmp_path / 'images'}", str(tmp_path / "cache")
    config.low_crop = 8
    return config


def dataset(config, **options):
    return pipeline.super_resolution(config, **({"scale": 4, "batch_size": 3, "seed": 7} | options))


def take(iterator, count):
    return [next(iterator) for _ in range(count)]


def first(config, count, **options):
    iterator = iter(dataset(config, **options))
    batches = take(iterator, count)
    iterator.close()
    return batches


def assert_same(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert x.keys() == y.keys()
        for key in x:
            np.testing.assert_array_equal(x[key], y[key])


def test_batches_are_uint8_pairs_with_the_images_index(config):
    (batch,) = first(config, 1)
    assert {key: (x.shape, x.dtype.name) for key, x in batch.items()} == {
        "low": ((3, 8, 8, 3), "uint8"),
        "high": ((3, 32, 32, 3), "uint8"),
        "index": ((3,), "int32"),
    }
    names = dataset(config).names
    assert all(names[i].endswith(f"{i}.png") for i in batch["index"])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_both_crops_are_of_the_same_place(config, scale):
    """The low crop lies in the whole image's reduction, the high crop at scale times its place."""
    config.augment = False
    data = dataset(config, scale=scale)
    batch = take(iter(data), 2)[1]
    for low, high, index in zip(batch["low"], batch["high"], batch["index"], strict=True):
        image = modcrop(np.asarray(PIL.Image.open(data.names[index])), scale)
        whole = imresize_uint8(image, 1 / scale)
        windows = np.lib.stride_tricks.sliding_window_view(whole, (8, 8), (0, 1))
        ((y, x),) = np.argwhere((windows == np.moveaxis(low, -1, 0)).all((2, 3, 4)))
        side = 8 * scale
        there = image[scale * y : scale * y + side, scale * x : scale * x + side]
        np.testing.assert_array_equal(high, there)


def test_all_eight_flips_and_rotations_occur_alike_in_both_crops(config, tmp_path):
    """With one image that is one crop, a pair is the image itself, turned."""
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    (tmp_path / "single").mkdir()
    PIL.Image.fromarray(image).save(tmp_path / "single" / "x.png")
    config.source = f"folder:{tmp_path / 'single'}"
    low = imresize_uint8(image, 1 / 4)
    turned = [turn(image, i).tobytes() for i in range(8)]
    assert len(set(turned)) == 8
    seen = set()
    for batch in first(config, 20):
        for i in range(3):
            which = turned.index(batch["high"][i].tobytes())
            np.testing.assert_array_equal(batch["low"][i], turn(low, which))
            seen.add(which)
    assert seen == set(range(8))


def test_worker_processes_change_nothing_and_a_run_resumes_with_another_number_of_them(config):
    config.workers = 2  # they fill the cache together
    iterator = iter(dataset(config))
    of_processes = take(iterator, 7)
    state = json.loads(json.dumps(iterator.get_state()))
    iterator.close()

    config.workers = 0
    expected = first(config, 12)
    assert len({batch["high"].tobytes() for batch in expected}) == 12
    assert_same(of_processes, expected[:7])

    resumed = iter(dataset(config))
    resumed.set_state(state)
    assert_same(take(resumed, 5), expected[7:])
    resumed.set_state(state)  # also back, from where it has read ahead
    assert_same(take(resumed, 5), expected[7:])


def test_the_state_is_that_of_the_batches_given_out_not_of_those_read_ahead(config, tmp_path):
    iterator = iter(dataset(config))
    take(iterator, 4)
    handler = grain.checkpoint.CheckpointHandler()
    handler.save(tmp_path, iterator)
    expected = take(iterator, 3)
    assert_same(take(handler.restore(tmp_path, iter(dataset(config))), 3), expected)


def test_two_hosts_make_the_two_halves_of_a_batch(config):
    whole = first(config, 9, batch_size=4)
    parts = [first(config, 9, batch_size=2, host=i) for i in range(2)]
    for batch, *halves in zip(whole, *parts, strict=True):
        for key in batch:
            np.testing.assert_array_equal(np.concatenate([h[key] for h in halves]), batch[key])


@pytest.mark.parametrize("by_area", [True, False])
def test_images_are_drawn_as_often_as_they_are_large_or_all_alike(config, by_area):
    config.weight_by_area = by_area
    data, count = dataset(config, batch_size=4), 4000
    drawn = np.concatenate([draws_of(data, step) for step in range(count // 4)])
    weights = np.array([h * w for h, w in SIZES[:4]]) if by_area else np.ones(4)
    expected = count * weights / weights.sum()
    assert (np.abs(np.bincount(drawn, minlength=4) - expected) < 4 * np.sqrt(expected)).all()


def draws_of(data, step):
    """The numbers of the images of a batch."""
    return [data.names.index(name) for name in data.shown(step)]


def test_the_images_of_a_batch_can_be_told_without_making_it(config):
    data = dataset(config)
    for step, batch in enumerate(first(config, 3)):
        assert draws_of(data, step) == batch["index"].tolist()


def test_another_seed_gives_other_batches(config):
    (a,), (b,) = first(config, 1), first(config, 1, seed=8)
    assert a["low"].tobytes() != b["low"].tobytes()


def test_an_unreadable_image_is_replaced_by_the_next_and_the_small_one_is_never_met(config):
    data = dataset(config)
    with open(data.names[2], "r+b") as file:
        file.truncate(3000)
    data = dataset(config)
    met = np.concatenate([batch["index"] for batch in take(iter(data), 12)])
    assert set(met.tolist()) == {0, 1, 3}
    assert data.source.skipped == 2  # the truncated one and the small one

    for name in data.names:
        with open(name, "r+b") as file:
            file.truncate(200)
    with pytest.raises(ValueError, match="none of the 4 images can be read"):
        next(iter(dataset(config)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradation": "blurry"}, "is 'blurry'; use one of bicubic, given, real"),
        ({"degradation": "given"}, "gives no low-resolution images"),
        ({"low_crop": 0}, "low_crop is 0; give 1 pixel or more"),
        (
            {"low_crop": 64},
            r"smaller than 256×256 pixels; .* a smaller config\.data\.low_crop",
        ),
    ],
)
def test_what_cannot_be_done_is_a_value_error(config, changes, message):
    config.update(changes)
    with pytest.raises(ValueError, match=message):
        dataset(config)


def test_real_world_pairs_are_reproducible_and_correspond(config):
    config.degradation = "real"
    a, b = first(config, 2), first(config, 2)
    assert_same(a, b)
    assert a[0]["low"].shape == (3, 8, 8, 3) and a[0]["low"].dtype == np.uint8
    mild = {"blur": 0.0, "resize": 0.0, "noise": 0.0, "jpeg": 0.0, "kernels": ("area",)}
    config.real.first.update(mild)
    (batch,) = first(config, 1)
    mean = batch["high"].astype(float).reshape(3, 8, 4, 8, 4, 3).mean((2, 4))
    assert np.abs(batch["low"] - mean).max() <= 0.51


def test_low_images_that_come_with_the_data_are_cropped_at_the_same_place(config, monkeypatch):
    """As a tfds dataset with a feature lr gives them; here each image is its own reduction."""
    config.degradation = "given"
    monkeypatch.setattr(Source, "gives_low", True)
    monkeypatch.setattr(Source, "given", lambda source, index: source.high(index) // 2)
    data = dataset(config, scale=1)
    batch = data.batch(0)
    np.testing.assert_array_equal(batch["low"], batch["high"] // 2)
    with pytest.raises(ValueError, match=r"image \d is .*, its low-resolution one .* is not ×2"):
        dataset(config, scale=2).batch(0)
