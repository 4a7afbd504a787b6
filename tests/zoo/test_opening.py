"""Files of other programs, given where weights are: converted once, and kept by their content."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from jaxsr import zoo
from jaxsr.zoo import opening, weights

GOLDEN = Path(__file__).parents[1] / "networks/golden/pan_x4.npz"


@pytest.fixture
def pan(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "theirs.safetensors"
    with np.load(GOLDEN) as golden:
        names = [name for name in golden.files if name.startswith("state/")]
        state = {name.removeprefix("state/"): golden[name] for name in names}
    safetensors.numpy.save_file(state, path)
    return path


def test_a_checkpoint_is_read_where_weights_are(pan):
    read = zoo.read_upscaler(pan)
    assert (read.network, read.options["scale"]) == ("pan", 4)
    assert read.notes["converted_from"] == "theirs.safetensors"


def test_a_copy_is_found_by_content_under_any_name_and_made_anew_for_other_content(pan, tmp_path):
    copy = opening.opened(pan)
    made = copy.stat().st_mtime_ns
    other = tmp_path / "elsewhere.pt"
    shutil.copy(pan, other)
    assert opening.opened(other) == copy and copy.stat().st_mtime_ns == made
    state = safetensors.numpy.load_file(pan)
    safetensors.numpy.save_file({key: value + 1 for key, value in state.items()}, other)
    assert opening.opened(other) != copy


def test_a_copy_that_was_cut_short_is_made_anew(pan):
    copy = opening.opened(pan)
    copy.write_bytes(copy.read_bytes()[:100])
    assert zoo.read_upscaler(pan).network == "pan"


def test_weights_of_ours_are_taken_as_they_are(tmp_path):
    path = tmp_path / "mine.safetensors"
    weights.write(path, weights.Weights("pan", {}, {"a": np.zeros(1, np.float32)}))
    assert opening.opened(path) == path


def test_errors_name_the_file_that_was_given(pan):
    with pytest.raises(ValueError, match=r"theirs.safetensors: upscaler weights \(pan\), not segm"):
        zoo.read_segmenter(pan)
    with pytest.raises(ValueError, match=r"theirs.safetensors: these weights upscale ×4, not ×2"):
        zoo.read_upscaler(pan, scale=2)
