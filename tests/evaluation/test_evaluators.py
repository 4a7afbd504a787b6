"""What measures a network while it trains: the figures of ``eval.py``, without compiling again."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxsr.data import masks
from jaxsr.evaluation import tasks
from jaxsr.evaluation.codecs import task as codecs
from jaxsr.evaluation.regions import restorers, segmenters
from jaxsr.evaluation.upscalers import task as upscalers

SIZE = (64, 80)


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


@pytest.fixture
def written(configured, tmp_path):
    """``written(name, weights, field=…)``: what ``eval.py`` writes of them, for the one folder."""

    def run(name, weights, **fields):
        config = configured(name, out=str(tmp_path / "out.json"), **fields)
        tasks.run(config, weights, called={})
        (one,) = json.loads((tmp_path / "out.json").read_text())["sets"]
        return one

    return run


def test_upscalers_in_training_have_the_figures_of_eval(photos, span, written, compilations):
    data = str(photos / "images")
    evaluator = upscalers.evaluator(data, scale=2, pictures=1)
    figures, pictures = measured_twice(evaluator, span, compilations)
    expected = written("sr", span, data=data, scale=2)["mean"]
    assert figures == expected
    assert [picture.shape for picture in pictures.values()] == [(*SIZE, 3)]


def test_segmenters_in_training_have_the_figures_of_eval(
    photos, segmenter, written, tmp_path, compilations
):
    evaluator = segmenters.evaluator(
        str(photos), legend=masks.legend_of(), cache=tmp_path / "cache", pictures=1
    )
    figures, pictures = measured_twice(evaluator, segmenter, compilations)
    ours, *_ = written("regions", segmenter, data=str(photos))["saliency"]
    assert figures == pytest.approx({name: ours[name] for name in ("mae", "max_f", "iou")})
    assert [picture.shape for picture in pictures.values()] == [(SIZE[0], 3 * SIZE[1], 3)]


@pytest.mark.parametrize("part", ["", "images"], ids=["masks", "the middle"])
def test_restorers_in_training_have_the_figures_of_eval(
    part, photos, restorer, written, compilations
):
    data, degradations = str(photos / part), ("x2", "noise")
    evaluator = restorers.evaluator(data, degradations=degradations, pictures=3)
    figures, pictures = measured_twice(evaluator, restorer, compilations)
    measured = written("regions", restorer, data=data, degradations=degradations)
    gains = {
        f"gain_{result['degradation']}": result["mean"]["inside"]["gain"]["psnr"]
        for result in measured["quality"]
    }
    assert figures == gains | {"gain": np.mean(list(gains.values()))}
    assert len(pictures) == 3
    assert all(picture.shape == (SIZE[0], 3 * SIZE[1], 3) for picture in pictures.values())


@pytest.mark.slow
def test_codecs_in_training_have_the_figures_of_eval(
    photos, tiny_codec_weights, written, compilations
):
    data, qualities = str(photos / "images"), (50,)
    evaluator = codecs.evaluator(data, qualities=qualities, pictures=1)
    figures, pictures = measured_twice(evaluator, tiny_codec_weights, compilations)
    classical = {"jpeg": (), "webp": (), "avif": (), "jpeg_xl": ()}
    fields = {"data": data, "qualities": qualities, "classical": classical, "anchor": ""}
    (ours,) = written("codec", tiny_codec_weights, **fields)["codecs"]
    for point in ours["points"]:
        for name in ("bpp", "psnr"):
            assert figures[f"{name}_q{point['quality']}"] == point["mean"][name]
        assert abs(figures[f"bytes_above_estimate_q{point['quality']}"]) < 0.3
    assert [picture.shape for picture in pictures.values()] == [(*SIZE, 3)]
