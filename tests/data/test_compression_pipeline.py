"""The codec's batches: crops with seeds and places, alike for any number of workers and hosts."""

import numpy as np
import PIL.Image
import pytest

from jaxsr.data import options, pipeline
from jaxsr.errors import UserError
from jaxsr.image.symmetry import turn

SIZES = ((70, 45), (40, 90), (24, 64))  # 32 fit into all but the last


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i, size in enumerate(SIZES):
        image = PIL.Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8))
        image.save(tmp_path / "images" / f"{i}.png")
    config = options.default_config("compression")
    config.source, config.cache = f"folder:{tmp_path / 'images'}", str(tmp_path / "cache")
    config.crop = 32
    return config


def first(config, count, **options):
    data = pipeline.compression(config, **({"batch_size": 4, "seed": 7} | options))
    iterator = iter(data)
    batches = [next(iterator) for _ in range(count)]
    iterator.close()
    return data, batches


def test_batches_are_uint8_crops_with_a_seed_and_the_images_index(config):
    data, (batch,) = first(config, 1)
    assert {key: (x.shape, x.dtype.name) for key, x in batch.items()} == {
        "image": ((4, 32, 32, 3), "uint8"),
        "seed": ((4,), "uint32"),
        "place": ((4,), "int32"),
        "index": ((4,), "int32"),
    }
    assert all(data.names[i].endswith(f"{i}.png") for i in batch["index"])


def test_every_crop_is_a_place_of_its_image_turned(config):
    data, batches = first(config, 4)
    turned = set()
    for batch in batches:
        for crop, index in zip(batch["image"], batch["index"], strict=True):
            image = np.asarray(PIL.Image.open(data.names[index]))
            windows = np.lib.stride_tricks.sliding_window_view(image, (32, 32), (0, 1))
            windows = np.moveaxis(windows, 2, -1).reshape(-1, *crop.shape)
            ways = [i for i in range(8) if (windows == turn(crop, i)).all((1, 2, 3)).any()]
            assert len(ways) == 1
            turned.update(ways)
    assert len(turned) > 4
    assert {int(i) for batch in batches for i in batch["index"]} == {0, 1}  # the last is too small


def test_seeds_differ_and_come_again_with_the_run(config):
    seeds, again = ([b["seed"] for b in first(config, 5)[1]] for _ in range(2))
    np.testing.assert_array_equal(seeds, again)
    assert len(set(np.concatenate(seeds).tolist())) == 20
    other = [b["seed"] for b in first(config, 5, seed=8)[1]]
    assert not np.isin(seeds, other).any()


@pytest.mark.parametrize("key", ["seed", "place"])
def test_hosts_share_one_order(config, key):
    whole = np.concatenate([b[key] for b in first(config, 2, batch_size=4)[1]])
    for host in range(2):
        mine = first(config, 2, batch_size=2, host=host)[1]
        theirs = whole.reshape(2, 2, 2)[:, host].ravel()
        np.testing.assert_array_equal(np.concatenate([b[key] for b in mine]), theirs)


def test_an_example_knows_its_place_in_the_batch_of_all_hosts(config):
    for batch in first(config, 3)[1]:
        assert batch["place"].tolist() == [0, 1, 2, 3]


def test_a_batch_may_be_one_crop(config):
    _, batches = first(config, 2, batch_size=1)
    assert [batch["image"].shape for batch in batches] == [(1, 32, 32, 3)] * 2


def test_crops_that_no_image_holds_are_refused(config):
    config.crop = 80
    with pytest.raises(
        UserError, match=r"smaller than 80×80 pixels; .* or a smaller config\.data\.crop"
    ):
        first(config, 1)
    config.crop = 0
    with pytest.raises(ValueError, match="crop is 0; give 1 pixel or more"):
        first(config, 1)
