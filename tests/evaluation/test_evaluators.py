"""What measures a network while it trains: the figures of ``eval.py``, without compiling again."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import jax
import numpy as np
import pytest
import skimage.data
from PIL import Image

from jaxsr import networks
from jaxsr.data import masks
from jaxsr.evaluation import tasks
from jaxsr.evaluation.codecs import task as codecs
from jaxsr.evaluation.regions import restorers, segmenters
from jaxsr.evaluation.upscalers import task as upscalers
from jaxsr.zoo.weights import Weights

REPO = Path(__file__).resolve().parents[2]
SIZE = (64, 80)


def configured(name, **fields):
    spec = importlib.util.spec_from_file_location(name, REPO / "configs" / "eval" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    config.update(fields)
    return config


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two images with masks; they themselves are in ``images/``."""
    folder = tmp_path_factory.mktemp("set")
    for part in ("images", "masks"):
        (folder / part).mkdir()
    mask = np.zeros(SIZE, np.uint8)
    mask[16:48, 24:60] = 255
    for name in ("astronaut", "coffee"):
        crop = getattr(skimage.data, name)()[60:, 190:][: SIZE[0], : SIZE[1]]
        Image.fromarray(crop).save(folder / "images" / f"{name}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    return folder


def drawn(random_params, kind, name, options, *shapes):
    """Weights of a small network of a kind."""
    inputs = (jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes)
    network = getattr(networks, kind)(name, **options)
    return Weights(name, options, random_params(network, *inputs))


@pytest.fixture(scope="module")
def span(random_params):
    return drawn(random_params, "create", "span", {"scale": 2, "features": 4})


@pytest.fixture(scope="module")
def segmenter(random_params):
    options = {"features": [4, 4, 4, 4], "side": 32, "layers": 1}
    return drawn(random_params, "create_segmenter", "attention_unet", options, (1, 32, 32, 3))


@pytest.fixture(scope="module")
def restorer(random_params):
    options = {"features": 6, "blocks": 1, "layers": 1, "heads": 1}
    shapes = (1, 32, 32, 3), (1, 32, 32, 1), (1, 8, 8, 32)
    return drawn(random_params, "create_restorer", "window_restorer", options, *shapes)


@pytest.fixture(scope="module")
def codec(random_params):
    options = {"features": 12, "latents": 16, "hyper": 4, "width": 4, "attention": 4}
    options |= {"context": 4, "analysis_blocks": 1, "synthesis_blocks": 1}
    shapes = (1, 128, 128, 3), (1,), (1, 8, 8)
    inputs = (jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes)
    network = networks.create_compressor("patch_hyperprior", **options)
    params = random_params(network, *inputs, jax.random.key(1))
    rate = np.linspace(0, 1, len(params["rates"]["log_gain"]), dtype=np.float32)[:, None]
    for name, values in (("log_gain", 4 * rate), ("offset", 2 + 4 * rate)):
        params["rates"][name] = np.broadcast_to(values, params["rates"][name].shape)
    return Weights("patch_hyperprior", options, params)


def other(weights):
    """Weights of the same network that are a little different."""
    return dataclasses.replace(weights, params=jax.tree.map(lambda x: x * 1.01, weights.params))


@pytest.fixture(scope="module")
def compilations():
    """A list that grows by a duration whenever a program is compiled."""
    seen = []

    def note(event, duration, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(duration)

    jax.monitoring.register_event_duration_secs_listener(note)
    return seen


def measured_twice(evaluator, weights, compilations):
    """Figures and pictures of ``weights``, measured again after others: by the same programs."""
    first, _ = evaluator(weights)
    assert compilations
    compilations.clear()
    changed, _ = evaluator(other(weights))
    assert not compilations
    assert changed != first
    again, pictures = evaluator(weights)
    assert again == first
    return first, pictures


def written(name, weights, out, **fields):
    """What ``eval.py`` writes of ``weights``, for the one folder."""
    config = configured(name, out=str(out), **fields)
    tasks.run(config, weights, called={})
    (one,) = json.loads(out.read_text())["sets"]
    return one


def test_upscalers_in_training_have_the_figures_of_eval(photos, span, tmp_path, compilations):
    data = str(photos / "images")
    evaluator = upscalers.evaluator(data, scale=2, pictures=1)
    figures, pictures = measured_twice(evaluator, span, compilations)
    expected = written("sr", span, tmp_path / "out.json", data=data, scale=2)["mean"]
    assert figures == expected
    assert [picture.shape for picture in pictures.values()] == [(*SIZE, 3)]


def test_segmenters_in_training_have_the_figures_of_eval(photos, segmenter, tmp_path, compilations):
    evaluator = segmenters.evaluator(
        str(photos), legend=masks.legend_of(), cache=tmp_path / "cache", pictures=1
    )
    figures, pictures = measured_twice(evaluator, segmenter, compilations)
    ours, *_ = written("regions", segmenter, tmp_path / "out.json", data=str(photos))["saliency"]
    assert figures == pytest.approx({name: ours[name] for name in ("mae", "max_f", "iou")})
    assert [picture.shape for picture in pictures.values()] == [(SIZE[0], 3 * SIZE[1], 3)]


@pytest.mark.parametrize("part", ["", "images"], ids=["masks", "the middle"])
def test_restorers_in_training_have_the_figures_of_eval(
    part, photos, restorer, tmp_path, compilations
):
    data, degradations = str(photos / part), ("x2", "noise")
    evaluator = restorers.evaluator(data, degradations=degradations, pictures=3)
    figures, pictures = measured_twice(evaluator, restorer, compilations)
    measured = written(
        "regions", restorer, tmp_path / "out.json", data=data, degradations=degradations
    )
    gains = {
        f"gain_{result['degradation']}": result["mean"]["inside"]["gain"]["psnr"]
        for result in measured["quality"]
    }
    assert figures == gains | {"gain": np.mean(list(gains.values()))}
    assert len(pictures) == 3
    assert all(picture.shape == (SIZE[0], 3 * SIZE[1], 3) for picture in pictures.values())


def test_codecs_in_training_have_the_figures_of_eval(photos, codec, tmp_path, compilations):
    data, qualities = str(photos / "images"), (50,)
    evaluator = codecs.evaluator(data, qualities=qualities, pictures=1)
    figures, pictures = measured_twice(evaluator, codec, compilations)
    classical = {"jpeg": (), "webp": (), "avif": (), "jpeg_xl": ()}
    fields = {"data": data, "qualities": qualities, "classical": classical, "anchor": ""}
    (ours,) = written("codec", codec, tmp_path / "out.json", **fields)["codecs"]
    for point in ours["points"]:
        for name in ("bpp", "psnr"):
            assert figures[f"{name}_q{point['quality']}"] == point["mean"][name]
        assert abs(figures[f"bytes_above_estimate_q{point['quality']}"]) < 0.3
    assert [picture.shape for picture in pictures.values()] == [(*SIZE, 3)]
