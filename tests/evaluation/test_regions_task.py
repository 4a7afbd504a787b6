"""``eval.py --config=configs/eval/regions.py``, from its config to the files it writes."""

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from jaxsr.evaluation.regions import masked, restorers, saliency, segmenters
from jaxsr.evaluation.tasks import regions
from jaxsr.zoo import weights
from jaxsr.zoo.weights import Weights

REPO = Path(__file__).resolve().parents[2]
SIZE = (64, 80)


@pytest.fixture
def configured(configured):
    return functools.partial(configured, "regions")


@pytest.fixture(scope="module")
def photos(folder_of, crops, mask):
    """Two images with masks, one of them gray and its mask an RGB file."""
    (crop,) = crops("astronaut", slice(60, 124), slice(190, 270)).values()
    images = {"astronaut.v1.png": crop, "gray.jpg": crop[..., 1]}
    return folder_of(images, {"astronaut.v1.png": mask, "gray.png": np.stack([255 - mask] * 3, -1)})


@pytest.fixture(scope="module")
def tiny_segmenter(segmenter, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "segmenter.safetensors"
    weights.write(path, segmenter)
    return path


@pytest.fixture(scope="module")
def tiny_restorer(restorer, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "restorer.safetensors"
    weights.write(path, restorer)
    return path


@pytest.mark.slow
def test_a_segmenter_is_measured_beside_the_baselines(
    script, configured, photos, tiny_segmenter, tmp_path, capsys
):
    pytest.importorskip("matplotlib")
    config = configured(
        model=str(tiny_segmenter),
        data=str(photos),
        out=str(tmp_path / "regions.json"),
        plot=str(tmp_path / "curves.png"),
        pictures=str(tmp_path / "pictures"),
    )
    script.run(config)
    (measured,) = json.loads(Path(config.out).read_text())["sets"]
    ours, gaussian, everything = measured["saliency"]
    finder = segmenters.finder(weights.read(tiny_segmenter))
    (expected,) = saliency.evaluate({"": finder}, masked.read(photos))
    assert ours["mae"] == pytest.approx(expected.mae, abs=1e-6)
    assert ours["max_f"] == pytest.approx(expected.max_f, abs=1e-6)
    assert [image["name"] for image in ours["images"]] == ["astronaut.v1", "gray"]
    region = 32 * 36 / (SIZE[0] * SIZE[1])
    shares = [1 - region, region]
    assert [image["mae"] for image in everything["images"]] == pytest.approx(shares)
    assert gaussian["images"][0]["iou"] > 0.5 > gaussian["images"][1]["iou"]
    assert measured["quality"] == []
    picture = Image.open(tmp_path / "pictures" / photos.name / "gray.png")
    assert picture.size == (3 * SIZE[1] + 2 * regions.GAP, SIZE[0])
    assert Image.open(config.plot).format == "PNG"
    assert "centred Gaussian" in capsys.readouterr().out


def test_a_restorer_is_measured_in_three_places(
    script, configured, photos, tiny_restorer, tmp_path, capsys
):
    config = configured(
        restorer=str(tiny_restorer),
        data=f"{photos},{photos / 'images'}",
        degradations=("x4", "noise"),
        out=str(tmp_path / "regions.json"),
        pictures=str(tmp_path / "pictures"),
        each_image=True,
        limit=1,
    )
    script.run(config)
    first, second = json.loads(Path(config.out).read_text())["sets"]
    assert first["saliency"] == second["saliency"] == []
    for result in first["quality"]:
        inside, outside, whole = (result["mean"][p] for p in ("inside", "outside", "whole"))
        assert outside["gain"]["psnr"] == 0
        assert inside["gain"]["psnr"] < whole["gain"]["psnr"] < 0  # weights that learned nothing
        assert inside["restored"]["ssim"] < inside["global"]["ssim"]
        assert result["images_worse_inside"] == 1
    assert [result["scale"] for result in first["quality"]] == [4, 1]
    shares = [of["quality"][0]["region_share"] for of in (first, second)]
    assert shares == [32 * 36 / (SIZE[0] * SIZE[1]), 0.25]  # its mask; a box in the middle
    name = "astronaut.v1_noise.png"
    assert Image.open(tmp_path / "pictures" / photos.name / name).size[1] == SIZE[0]
    assert "x4 astronaut.v1" in capsys.readouterr().out


def test_a_run_is_measured_as_what_it_trained(configured, photos, tiny_segmenter, tiny_restorer):
    segmenter, restorer = (weights.read(path) for path in (tiny_segmenter, tiny_restorer))
    assert [stage is None for stage in regions.stages(configured(), segmenter)] == [False, True]
    assert [stage is None for stage in regions.stages(configured(), restorer)] == [True, False]
    both = configured(restorer=str(tiny_restorer))
    assert None not in regions.stages(both, segmenter)
    with pytest.raises(ValueError, match=r"either --config.restorer or --workdir"):
        regions.stages(both, restorer)
    found = configured(model=str(tiny_segmenter))  # a run's restorer, on what it finds
    assert None not in regions.stages(found, restorer)
    with pytest.raises(ValueError, match=r"either --config.model or --workdir"):
        regions.stages(found, segmenter)
    with pytest.raises(ValueError, match="'span', which is no segmenter and no restorer"):
        regions.stages(configured(), Weights("span", {}, {}))


def test_without_masks_the_region_is_the_segmenters_or_a_box(photos):
    images = photos / "images"
    box = saliency.everything(np.zeros((*SIZE, 3), np.uint8)) > 0
    for finder, share in [(None, 0.25), (saliency.everything, 1.0)]:
        for _, image, mask in restorers.regions(images, finder):
            assert image.shape == (*SIZE, 3) and mask.shape == box.shape
            assert mask.mean() == share
    nothing = lambda image: np.zeros(image.shape[:2], np.float32)  # noqa: E731
    assert [mask.mean() for *_, mask in restorers.regions(images, nothing)] == [0.25, 0.25]


def test_a_folder_without_masks_beside_one_with_some_is_named(
    script, configured, photos, tiny_segmenter, tmp_path, capsys
):
    images = str(photos / "images")
    config = configured(model=str(tiny_segmenter), data=f"{photos},{images}", limit=1)
    config.out = str(tmp_path / "out.json")
    script.run(config)
    assert f"{images}: no masks/ beside images/" in capsys.readouterr().out
    assert len(json.loads(Path(config.out).read_text())["sets"]) == 1


def test_what_does_not_go_together_is_refused(script, configured, photos, tiny_segmenter, tmp_path):
    data = str(photos)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    (tmp_path / "images" / "alone.png").write_bytes(
        (photos / "images" / "astronaut.v1.png").read_bytes()
    )
    for fields, message in [
        ({}, "no originals"),
        ({"data": "nowhere"}, "nowhere: no such folder"),
        ({"data": str(tmp_path)}, "alone.png has no mask; it would be .*masks/alone.png"),
        ({"data": str(photos / "images")}, "no masks/ beside images/"),
        ({"data": data, "restorer": str(tiny_segmenter)}, "segmenter"),
        ({"data": data, "degradations": ("fog",)}, "unknown degradation 'fog'"),
        ({"data": data, "plot": str(tmp_path)}, "a folder; give --config.plot=FILE.png"),
    ]:
        with pytest.raises(ValueError, match=message):
            script.run(configured(**fields))
    Image.new("L", (3, 4)).save(tmp_path / "masks" / "alone.png")
    with pytest.raises(ValueError, match=r"alone.png has 3×4 pixels, its image 80×64"):
        script.run(configured(data=str(tmp_path)))


def test_masks_of_numbers_or_colours_are_refused(tmp_path):
    for pixels, found in [
        (np.full((4, 4), 3, np.uint8), "has no value above 3 of 255"),
        (np.full((4, 4, 3), (200, 0, 0), np.uint8), "is coloured"),
    ]:
        Image.fromarray(pixels).save(tmp_path / "mask.png")
        with pytest.raises(ValueError, match=rf"mask.png {found}; make it white .* outside$"):
            masked.read_mask(tmp_path / "mask.png")


def test_a_restorer_is_given_only_the_features_it_was_trained_with(tiny_restorer):
    known = weights.read(tiny_restorer)
    other = dataclasses.replace(known, notes={"features_of": "pan"})
    low, mask = skimage.data.astronaut()[:32, :32], np.ones((64, 64), bool)
    results = [
        restorers.Restoration(loaded, "span-compact")(low, mask, 2) for loaded in (known, other)
    ]
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert (results[0][1] != results[1][1]).any()


def test_the_baselines_have_the_figures_that_the_config_promises(
    script, configured, shared, tmp_path
):
    config = configured(
        data=str(shared / "data" / "roi" / "ecssd"), limit=60, out=str(tmp_path / "out.json")
    )
    script.run(config)
    promised = (REPO / "configs" / "eval" / "regions.py").read_text()
    (measured,) = json.loads(Path(config.out).read_text())["sets"]
    for result in measured["saliency"]:
        figures = [result[name] for name in ("mae", "max_f", "s_measure", "iou")]
        assert " / ".join(f"{value:.4f}".removeprefix("0") for value in figures) in promised
