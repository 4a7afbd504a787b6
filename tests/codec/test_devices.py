"""Tiles on all devices: the same bytes as on one, parameters placed once."""

import jax
import numpy as np
import pytest
import skimage.data

from jaxsr import codec
from jaxsr.codec import tiles

CAT = skimage.data.chelsea()[40:240, 80:330]


@pytest.fixture
def model(tiny_codec):
    return codec.load(tiny_codec)


@pytest.fixture
def nothing_implicit(model):
    """Every transfer that isn't asked for is an error, in all threads, once the model is loaded."""
    jax.config.update("jax_transfer_guard", "disallow")
    yield
    jax.config.update("jax_transfer_guard", "allow")


def test_parameters_are_placed_once_and_nothing_is_moved_unasked(model, nothing_implicit):
    data = codec.encode(CAT[:100, :100], 50, model=model)
    placed = model.placed
    assert codec.decode(data, model=model).shape == (100, 100, 3)
    assert model.placed is placed


def test_one_device_and_all_of_them_write_and_read_the_same(model, tiny_tiles, monkeypatch):
    assert len(tiles.models(model, 4)) == 4
    data = codec.encode(CAT, 50, model=model)
    assert codec.info(data).grid == (2, 2)
    pixels = codec.decode(data, model=model)
    monkeypatch.setattr(tiles, "models", lambda model, tiles: [model])
    assert codec.encode(CAT, 50, model=model) == data
    np.testing.assert_array_equal(codec.decode(data, model=model), pixels)


def test_as_many_tiles_run_at_once_as_memory_holds(model, monkeypatch):
    monkeypatch.setattr(tiles, "free_memory", lambda device: 3 * tiles.TILE_MEMORY / 0.6 + 1)
    assert len(tiles.models(model, 9)) == 3
    monkeypatch.setattr(tiles, "free_memory", lambda device: 0)
    assert len(tiles.models(model, 9)) == 1


def test_models_on_other_devices_share_what_is_compiled(model):
    other = model.on(jax.local_devices()[1])
    assert other is model.on(jax.local_devices()[1]) and other.programs is model.programs
    assert other.hash == model.hash
    (kernel, *_) = jax.tree.leaves(other.placed.params)
    assert kernel.devices() == {jax.local_devices()[1]}
