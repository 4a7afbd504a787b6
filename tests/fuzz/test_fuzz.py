"""The fuzzer's harness on its corpus; the fuzzer itself is ``make fuzz``."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxsr.codec import container

HARNESS = "tests/fuzz/harness.py"


@pytest.fixture(scope="module")
def fuzzing(module_at):
    """The harness's module."""
    return module_at(HARNESS)


@pytest.fixture(scope="module")
def seeds(fuzzing):
    return fuzzing.seeds()


@pytest.fixture(scope="module")
def harness(fuzzing):
    return fuzzing.Harness(fuzzing.load_small())


def test_the_corpus_has_every_part_and_is_small(seeds):
    layouts = [container.inspect(data) for data in seeds.values()]
    parts = {name for layout in layouts for name in layout.sections}
    assert parts == {"region", "alpha", "icc", "exif"}
    headers = [layout.header for layout in layouts]
    assert {header.channels for header in headers} == {1, 3}
    assert {header.scale for header in headers} == {1, 2}
    assert max(header.tiles for header in headers) == 2
    assert sum(map(len, seeds.values())) < 20_000


@pytest.mark.slow
def test_every_file_of_the_corpus_is_a_picture_of_this_version(harness, seeds):
    """If not: python tests/fuzz/write.py writes it anew."""
    harness.ends.clear()
    for data in seeds.values():
        harness(data, thorough=True)
    assert set(harness.ends) == {"a picture of other symbols than were coded"}, harness.ends
    assert harness.report().startswith(f"{len(seeds):9} files")


def test_files_whose_words_were_changed_are_coded_anew_and_decode(harness, seeds):
    rng = np.random.default_rng(0)
    harness.ends.clear()
    for name in ("colour", "everything", "lanes", "half"):
        file = container.parse(seeds[name])
        words = bytearray(file.tiles[0].words)
        for place in rng.integers(4, len(words), 3):
            words[place] ^= 1 + rng.integers(255)
        tile = dataclasses.replace(file.tiles[0], words=bytes(words))
        harness(container.pack(dataclasses.replace(file, tiles=(tile,))), thorough=True)
    assert harness.ends == {"a picture of other symbols than were coded": 4}


def test_bytes_of_any_kind_end_in_an_error_that_is_counted(harness, seeds):
    rng = np.random.default_rng(0)
    harness.ends.clear()
    good = seeds["everything"]
    for length in (0, 3, 40, 4096):
        harness(rng.bytes(length))
        harness(good[:5] + rng.bytes(length))
        harness(good[:length])
    assert sum(harness.ends.values()) == 12
    assert sum("error: " in how for how in harness.ends) == 4
    assert harness.slowest < 1


def test_a_file_that_takes_more_memory_than_good_ones_is_noticed(
    fuzzing, harness, seeds, monkeypatch
):
    monkeypatch.setattr(fuzzing, "GOOD", dict.fromkeys(fuzzing.GOOD, 0))
    with pytest.raises(AssertionError, match="bytes, 0 can be"):
        harness(seeds["alpha"])


def test_a_file_that_takes_too_long_is_noticed(fuzzing, harness, seeds, monkeypatch):
    monkeypatch.setattr(fuzzing, "SECONDS", 0.0)
    with pytest.raises(AssertionError, match=r"\d s"):
        harness(seeds["colour"])


def test_a_fault_of_the_decoder_is_no_end_of_a_file(fuzzing, harness, seeds, monkeypatch):
    def fault(*_):
        raise ValueError("a fault")

    monkeypatch.setattr(container, "_read_tile", fault)
    with pytest.raises(ValueError, match=r"^a fault$"):
        harness(seeds["colour"])


def test_the_fuzzer_mutates_files_and_says_how_they_ended(tmp_path):
    pytest.importorskip("atheris")
    script = Path(__file__).with_name("fuzz.py")
    command = [sys.executable, script, "--files", "80", "--folder", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "files, of which ended in" in done.stdout and "error: the file is damaged" in done.stdout
    assert not list(tmp_path.glob("bad-*"))
