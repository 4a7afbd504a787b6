"""The examples run, on the data of their packages, where those are installed."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxsr.image import files

FOLDER = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture
def example(monkeypatch):
    """``example(name, package)``: its module; the test skips without the package of its data."""

    def load(name, package):
        pytest.importorskip(package, reason=f"the example's data come with {package}")
        monkeypatch.syspath_prepend(FOLDER)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def test_a_scan_stays_16_bits_from_end_to_end(example, tmp_path, capsys):
    example("medical", "pydicom").main(tmp_path)
    pixels = files.read(tmp_path / "medical-16bit.png").pixels
    assert pixels.dtype == np.uint16 and pixels.shape == (300, 484, 1)
    assert len(np.unique(pixels)) > 10_000
    assert "restored: inside" in capsys.readouterr().out


@pytest.mark.slow
def test_a_box_of_a_night_frame_is_restored_and_given_the_bytes(example, tmp_path, capsys):
    example("night", "skimage").main(tmp_path)
    lines = dict(line.split(": ") for line in capsys.readouterr().out.splitlines()[1:])
    inside = [float(line.split()[1]) for line in lines.values()]
    dark, restored, plain, finer = inside
    assert restored > dark + 0.3
    assert finer > plain + 1


def test_a_street_goes_through_the_whole_chain(example, tmp_path):
    example("street", "yolov5").main(tmp_path)
    assert files.read(tmp_path / "street.png").pixels.dtype == np.uint8
