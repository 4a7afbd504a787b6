"""The codecs that are tested: a small one beside the golden files, and the released ones."""

import lzma
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def small_path(tmp_path_factory):
    """The weights file of the golden files' small codec, whose pictures are pictures."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    path.write_bytes(lzma.decompress((GOLDEN / "small/model.safetensors.xz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def small(small_path):
    """The small codec, loaded."""
    from jaxsr import codec

    return codec.load(small_path)


@pytest.fixture
def tiny_tiles(monkeypatch):
    """Tiles of about 8×8 latents, 128×128 pixels, instead of 64×64."""
    from jaxsr.codec import container

    monkeypatch.setattr(container, "TILE", 128)


@pytest.fixture(scope="session")
def released():
    """The released codec; the test skips where this version ships none."""
    from jaxsr.codec import weights

    if not weights.available():
        pytest.skip("no codec's weights are released yet: jaxsr/zoo has none")
    return weights.load(next(iter(weights.available())))
