"""The user's folder of models: files there are known by name."""

import shutil

import pytest

import jaxsr
from jaxsr import zoo
from jaxsr.zoo import own


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXSR_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "models" / "deeper").mkdir(parents=True)
    return tmp_path / "models"


def test_a_file_there_is_known_by_its_name(models):
    file = zoo.find_weights(zoo.UPSCALER, "span-compact", 2)
    shutil.copy(file, models / "deeper" / "mine.safetensors")
    assert list(own.models()) == ["mine"]
    assert jaxsr.load("mine").description.scale == 2
    assert zoo.find_any_weights("mine") == models / "deeper" / "mine.safetensors"


def test_a_file_there_does_not_hide_released_weights(models):
    file = zoo.find_weights(zoo.UPSCALER, "span-compact", 2)
    shutil.copy(file, models / "span-compact.safetensors")
    assert zoo.read_upscaler("span-compact").options["scale"] == 4


def test_without_the_folder_there_are_none(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXSR_MODELS", str(tmp_path / "nowhere"))
    assert own.models() == {}
    with pytest.raises(ValueError, match="unknown upscaler 'mine'"):
        zoo.read_upscaler("mine")
