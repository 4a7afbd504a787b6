"""Released weights: what there is, what is said when there is not, and folding on the way in."""

import shutil

import jax
import numpy as np
import pytest

from jaxsr import networks, zoo
from jaxsr.zoo import kinds, weights


@pytest.fixture
def tiny_span(random_params):
    def save(path, folded=False, scale=2, features=4):
        options = {"scale": scale, "features": features, "folded": folded}
        params = random_params(networks.create("span", **options))
        weights.write(path, weights.Weights("span", options, params))
        return path

    return save


@pytest.fixture
def tiny(random_params):
    """``tiny(kind, path)``: a weights file of that kind."""
    made = {
        kinds.UPSCALER: ("span", {"scale": 2, "features": 4, "folded": True}),
        kinds.SEGMENTER: ("attention_unet", {"features": [4, 4, 4, 8], "layers": 1}),
        kinds.RESTORER: ("window_restorer", {"features": 8, "heads": 2, "blocks": 1, "layers": 1}),
    }

    def save(kind, path, **more):
        name, options = made[kind]
        network = kind.create(name, **options)
        with_features = {"fused": {"kernel": np.zeros((1, 1, 5, 8))}}
        params = random_params(network, *kind.inputs(network, params=with_features))
        weights.write(path, weights.Weights(name, options | more, params))
        return path

    return save


@pytest.fixture
def folder(tmp_path, tiny, tiny_codec):
    """Released weights of every kind, with names that other kinds' have too."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    for kind, name in (
        (kinds.UPSCALER, "up-x2"),
        (kinds.SEGMENTER, "seg"),
        (kinds.RESTORER, "r-x4"),
    ):
        tiny(kind, folder / f"{name}.safetensors")
    shutil.copy(tiny_codec, folder / "small.safetensors")
    (folder / "torn-x2.safetensors").write_bytes(b"torn")
    return folder


def test_each_listing_has_the_weights_of_its_kind_alone(folder):
    assert zoo.released_upscalers(folder) == {"up": {2: folder / "up-x2.safetensors"}}
    released = {kind.name: list(zoo.released(kind, folder)) for kind in zoo.KINDS}
    assert released == {
        "upscaler": ["up-x2"],
        "segmenter": ["seg"],
        "restorer": ["r-x4"],
        "codec": ["small"],
    }


def test_segmenters_and_restorers_are_found_by_name_and_by_path(folder):
    for load, name, network in (
        (zoo.read_segmenter, "seg", "attention_unet"),
        (zoo.read_restorer, "r-x4", "window_restorer"),
    ):
        by_name, by_path = load(name, folder), load(folder / f"{name}.safetensors")
        assert by_name.network == by_path.network == network
        module = zoo.build(by_name, name)
        assert module.multiple == 32
        assert zoo.find_any_weights(name, folder=folder) == folder / f"{name}.safetensors"


def test_weights_of_another_kind_are_refused_with_what_they_are_and_who_takes_them(folder):
    for load, name, message in (
        (
            zoo.read_segmenter,
            "r-x4",
            "'r-x4': restorer weights, not segmenter weights; jaxsr restore",
        ),
        (zoo.read_segmenter, "small", "codec weights, not segmenter weights; jaxsr compress takes"),
        (zoo.read_segmenter, "spam", "unknown segmenter 'spam'; released: seg [(]or give"),
        (zoo.read_segmenter, "net.pth", "net.pth: no such weights file"),
        (zoo.read_segmenter, folder, "a folder; if it is a training run"),
        (zoo.read_restorer, folder / "seg.safetensors", r"segmenter weights [(]attention_unet[)]"),
        (zoo.read_restorer, folder / "small.safetensors", "patch_hyperprior.*jaxsr compress takes"),
        (zoo.read_restorer, folder / "torn-x2.safetensors", "torn-x2.safetensors: .*not a"),
        (zoo.read_restorer, "up", "upscaler weights, not restorer weights; jaxsr upscale takes"),
    ):
        with pytest.raises(ValueError, match=message):
            load(name, folder)
    with pytest.raises(ValueError, match="segmenter weights, not upscaler weights; jaxsr segment"):
        zoo.read_upscaler("seg", folder=folder)
    with pytest.raises(ValueError, match=r"restorer weights .* jaxsr restore takes them"):
        zoo.read_upscaler(folder / "r-x4.safetensors")


def test_a_folder_beside_does_not_hide_released_weights_of_its_name(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("seg", "mine"):
        (tmp_path / name).mkdir()
    assert zoo.read_segmenter("seg", folder).network == "attention_unet"
    with pytest.raises(
        ValueError, match=r"mine: a folder; .* jaxsr convert mine mine\.safetensors"
    ):
        zoo.read_segmenter("mine", folder)


def test_a_network_not_known_here_is_named(tmp_path):
    path = tmp_path / "new.safetensors"
    weights.write(path, weights.Weights("sam9", {}, {"a": np.zeros(1, np.float32)}))
    with pytest.raises(ValueError, match="unknown network 'sam9'; a segmenter is: attention_unet"):
        zoo.read_segmenter(path)


def test_arrays_that_do_not_fit_their_network_are_refused_for_every_kind(tmp_path, tiny):
    for kind, other in (
        (kinds.UPSCALER, {"features": 5}),
        (kinds.SEGMENTER, {"classes": 3}),
        (kinds.RESTORER, {"blocks": 2}),
    ):
        path = tiny(kind, tmp_path / "other.safetensors", **other)
        with pytest.raises(ValueError, match="mine: the weights do not fit the network they name"):
            zoo.build(weights.read(path), "mine")


def test_released_files_are_found_by_name_and_scale(tmp_path, tiny_span):
    two = tiny_span(tmp_path / "tiny-span-x2.safetensors")
    four = tiny_span(tmp_path / "tiny-span-x4.safetensors", scale=4)
    assert zoo.released_upscalers(tmp_path) == {"tiny-span": {2: two, 4: four}}
    assert zoo.find_weights(zoo.UPSCALER, "tiny-span", 2, tmp_path) == two
    assert zoo.find_weights(zoo.UPSCALER, "tiny-span", folder=tmp_path) == four
    assert zoo.find_weights(zoo.UPSCALER, two) == two


def test_what_is_not_there_is_said_with_what_is(tmp_path, tiny_span):
    tiny_span(tmp_path / "tiny-span-x2.safetensors")
    for name, scale, message in (
        ("spam", 2, "unknown upscaler 'spam'; released: tiny-span ×2"),
        ("tiny-span", 4, "not released at ×4; tiny-span ×2"),
        ("tiny-span", 5, "unsupported scale 5"),
        ("missing.safetensors", 2, "no such weights file"),
        (str(tmp_path / "missing"), 2, "no such weights file"),
        ("PAN.pth", 2, "PAN.pth: no such weights file"),
    ):
        with pytest.raises(ValueError, match=message):
            zoo.find_weights(zoo.UPSCALER, name, scale, tmp_path)


def test_weights_of_another_scale_are_refused(tmp_path, tiny_span):
    path = tiny_span(tmp_path / "two.safetensors", scale=2)
    assert zoo.read_upscaler(path).options["scale"] == 2
    with pytest.raises(ValueError, match="upscale ×2, not ×4"):
        zoo.read_upscaler(path, 4)


def test_weights_in_the_training_form_are_folded_when_loaded(tmp_path, tiny_span):
    path = tiny_span(tmp_path / "training.safetensors")
    training, folded = weights.read(path), zoo.read_upscaler(path)
    x = jax.random.uniform(jax.random.key(1), (1, 8, 6, 3))
    outputs = [
        networks.create(w.network, **w.options).apply({"params": w.params}, x)
        for w in (training, folded)
    ]
    assert folded.options["folded"]
    assert "conv" in folded.params["extract"]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-4)
