"""Weights files of codecs and upscalers as they are loaded."""

import dataclasses
import os
import shutil

import jax

from jaxsr import codec, zoo
from jaxsr.codec import half, weights


def test_a_codec_is_loaded_once_for_as_long_as_its_file_is_the_same(small_path, tmp_path):
    path = tmp_path / "codec.safetensors"
    shutil.copy(small_path, path)
    assert codec.load(path) is codec.load(os.fspath(path))


def test_a_codec_whose_file_was_rewritten_is_read_anew(small_path, tiny_codec, tmp_path):
    path = tmp_path / "codec.safetensors"
    hashes = []
    for source in (small_path, tiny_codec, small_path):
        shutil.copy(source, path)
        hashes.append(codec.load(path).hash)
    assert hashes == [codec.load(x).hash for x in (small_path, tiny_codec, small_path)]


def test_a_file_of_the_same_size_and_time_that_was_replaced_is_read_anew(small_path, tmp_path):
    path, other = tmp_path / "codec.safetensors", tmp_path / "other"
    model = codec.load(small_path)
    weights.save(path, model)
    before, state = codec.load(path), path.stat()
    changed = model.gains.copy()
    changed[0, 0] += 1
    weights.save(other, dataclasses.replace(model, gains=changed))
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    os.replace(other, path)
    assert path.stat().st_size == state.st_size
    assert codec.load(path).hash != before.hash


def test_an_upscaler_whose_file_was_rewritten_is_read_anew(tmp_path):
    path = tmp_path / "upscaler.safetensors"
    shutil.copy(zoo.find_weights(zoo.UPSCALER, "span-compact", 2), path)
    before = half.load_enlarger(path)
    assert half.load_enlarger(path) is before
    changed = zoo.read_weights(path, zoo.UPSCALER)
    changed = dataclasses.replace(changed, params=jax.tree.map(lambda x: x + 1, changed.params))
    zoo.weights.write(path, changed)
    assert half.load_enlarger(path).hash != before.hash
