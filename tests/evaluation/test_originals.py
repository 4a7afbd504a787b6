"""The originals of an evaluation: names that a table can hold."""

import numpy as np

from jaxsr.evaluation import originals
from jaxsr.image import files


def test_images_are_named_by_their_paths_on_one_line(tmp_path):
    for name in ("a.png", "a.jpg", "b.png", "deep/c.png", "line\nbreak.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        files.write(tmp_path / name, files.Picture(np.zeros((4, 4, 3), np.uint8)))
    named = originals.named(tmp_path)
    assert set(named) == {"a.png", "a.jpg", "b", "deep/c", r"line\nbreak"}
    assert all(path.is_file() for path in named.values())
    assert {name for name, _ in originals.read(tmp_path)} == set(named)
