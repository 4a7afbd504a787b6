"""What the tests of evaluation share: ``eval.py``, its configs, photos and small networks."""

import jax
import numpy as np
import pytest

from jaxsr import networks
from jaxsr.zoo.weights import Weights

CROP = slice(60, 124), slice(190, 270)  # of the photos


@pytest.fixture(scope="session")
def script(module_at):
    """``eval.py``, whose flags can be defined once in a process."""
    return module_at("eval.py")


@pytest.fixture(scope="session")
def configured(module_at):
    """``configured(name, field=…)``: the config of ``configs/eval``, with other values."""

    def config(name, **fields):
        config = module_at(f"configs/eval/{name}.py").get_config()
        config.update(fields)
        return config

    return config


@pytest.fixture(scope="session")
def mask():
    """(64, 80) uint8: the region of the photos, a rectangle of 255."""
    mask = np.zeros([part.stop - part.start for part in CROP], np.uint8)
    mask[16:48, 24:60] = 255
    return mask


@pytest.fixture(scope="session")
def photos(folder_of, crops, mask):
    """A folder with ``images/`` of 64×80 pixels and their ``masks/``."""
    images = crops("astronaut coffee", *CROP)
    return folder_of(images, dict.fromkeys(images, mask))


@pytest.fixture(scope="session")
def weights_of(random_params):
    """``weights_of(kind, name, options, *shapes)``: of a small network, given such inputs."""

    def draw(kind, name, options, *shapes):
        inputs = (jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes)
        network = getattr(networks, kind)(name, **options)
        return Weights(name, options, random_params(network, *inputs))

    return draw


@pytest.fixture(scope="session")
def span(weights_of):
    """The weights of a small upscaler ×2."""
    return weights_of("create", "span", {"scale": 2, "features": 4})


@pytest.fixture(scope="session")
def segmenter(weights_of):
    """The weights of a small segmenter."""
    options = {"features": [4, 4, 4, 4], "side": 32, "layers": 1}
    return weights_of("create_segmenter", "attention_unet", options, (1, 32, 32, 3))


@pytest.fixture(scope="session")
def restorer(weights_of):
    """The weights of a small restorer of what span-compact enlarged, whose features it takes."""
    options = {"features": 6, "blocks": 1, "layers": 1, "heads": 1}
    shapes = (1, 32, 32, 3), (1, 32, 32, 1), (1, 8, 8, 32)
    return weights_of("create_restorer", "window_restorer", options, *shapes)
