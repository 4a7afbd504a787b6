"""Tiles on all devices: the same bytes as on one, parameters placed once."""

import threading

import jax
import numpy as np
import pytest
import skimage.data

from jaxsr import codec
from jaxsr.codec import tiles
from jaxsr.errors import UserError

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


@pytest.mark.slow
def test_one_device_and_all_of_them_write_and_read_the_same(model, tiny_tiles, monkeypatch):
    assert len(tiles.models(model, 4)) == 4
    data = codec.encode(CAT, 50, model=model)
    assert codec.info(data).grid == (2, 2)
    pixels = codec.decode(data, model=model)
    monkeypatch.setattr(tiles, "models", lambda model, tiles: [model])
    assert codec.encode(CAT, 50, model=model) == data
    np.testing.assert_array_equal(codec.decode(data, model=model), pixels)


@pytest.mark.parametrize("grid", [(1, 1), (2, 2)], ids=["one tile", "four tiles"])
def test_a_coder_on_another_device_writes_and_reads_the_same(model, grid, tiny_tiles, monkeypatch):
    image = CAT if grid == (2, 2) else CAT[:100, :120]
    data = codec.encode(image, 50, model=model)
    assert codec.info(data).grid == grid
    pixels = codec.decode(data, model=model)
    first, *_, last = jax.local_devices()
    monkeypatch.setattr(tiles.jax, "local_devices", lambda: [first])  # of the transforms
    apart = model.coding_on(last)
    jax.config.update("jax_transfer_guard", "disallow")  # in all threads
    try:
        assert codec.encode(image, 50, model=apart) == data
        np.testing.assert_array_equal(codec.decode(data, model=apart), pixels)
        np.testing.assert_array_equal(codec.decode(data, model=model, entropy_device=last), pixels)
    finally:
        jax.config.update("jax_transfer_guard", "allow")
    assert {model.device for model in tiles.models(apart, 4)} == {first}
    assert {model.device for model in tiles.coders(apart, [], 4)} == {last}


@pytest.mark.parametrize("choice", ["auto", "cpu", "default"])
def test_on_a_cpu_every_choice_keeps_the_coder_beside_the_transforms(model, tiny_codec, choice):
    chosen = model.coding_on(choice)
    assert chosen is codec.load(tiny_codec, choice)
    assert chosen.coding_on("auto") is model.coding_on("auto")
    for count in (1, 4):
        transformers = tiles.models(chosen, count)
        assert tiles.coders(chosen, transformers, count) is transformers


def test_the_second_step_of_a_tile_is_done_beside_the_first_of_later_ones(model):
    first, *_, last = jax.local_devices()
    later = threading.Event()

    def make(model, place):
        if place.own.top > 0:
            later.set()
        return model.device, place.own.top

    def finish(model, place, made):
        assert later.wait(60)  # tile 0 is not finished before tile 1 was begun
        return *made, model.device

    steps = (make, [model.on(first)]), (finish, [model.on(last)])
    where = tiles.places(40 * 1024, 1024)
    done = list(tiles.in_two_steps(*steps, where))
    assert done == [(first, 64 * i, last) for i in range(40)]


def test_an_unknown_place_for_the_coder_is_refused_with_the_known_ones(tiny_codec):
    with pytest.raises(UserError, match="auto, cpu, default or a JAX device, got 'gpu'"):
        codec.load(tiny_codec, "gpu")


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
