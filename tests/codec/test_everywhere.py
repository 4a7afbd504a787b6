"""Same symbols everywhere, pixels within ±1: noise in every float, other instruction sets, batches,
devices, threads, and files of earlier versions.

Another version of jax: `.ci/run` runs this once more with the newest Python and jax there are.
"""

import contextlib
import dataclasses
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from jax.sharding import Mesh, PartitionSpec

from jaxsr import codec
from jaxsr.codec import container, decoding, symbols, tiles, weights
from jaxsr.codec import model as models
from jaxsr.entropy import rans
from jaxsr.image import files

CAT = skimage.data.chelsea()[100:148, 100:164]
QUALITIES = 10, 50, 90
FILES = sorted((Path(__file__).parent / "golden").glob("*/*.jsr"))


# ---- noise ----


class Noisy(models.Model):
    """A codec in which whatever is a float is wrong: what every layer gives, and the log-gains.

    By a relative error of up to ``params["noise"]``, an argument of the jitted functions.
    """

    def _apply(self, params, method, *args):
        params = dict(params)
        with nn.intercept_methods(functools.partial(disturbed, params.pop("noise"))):
            return super()._apply(params, method, *args)

    def symbols_of(self, params, *args):
        with wrong_gains(params["noise"]):
            return super().symbols_of(params, *args)

    def latents_of(self, params, *args):
        with wrong_gains(params["noise"]):
            return super().latents_of(params, *args)

    def synthesis_of(self, params, *args):
        with wrong_gains(params["noise"]):
            return super().synthesis_of(params, *args)


def disturbed(noise, call, args, kwargs, context):
    out = call(*args, **kwargs)
    is_float = isinstance(out, jax.Array) and jnp.issubdtype(out.dtype, jnp.floating)
    return wrong(out, noise, "/".join(context.module.path)) if is_float else out


def wrong(x, noise, name=""):
    key = jax.random.key(sum(name.encode()) + x.size)
    return x * (1 + noise * jax.random.uniform(key, x.shape, minval=-1, maxval=1))


@contextlib.contextmanager
def wrong_gains(noise):
    exact = models._log_gain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "_log_gain", lambda *args: wrong(exact(*args), noise))
        yield


def noisy(model):
    fields = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    other = Noisy(**fields | {"programs": {}})
    return with_noise(other, 0, model.hash)


def with_noise(model, noise, name=None):
    """A model with so much noise, known to files by the name ``name``; programs are shared."""
    params = model.params | {"noise": np.float32(noise)}
    other = dataclasses.replace(model, params=params)
    vars(other)["hash"] = name or model.hash
    return other


@pytest.fixture(scope="module")
def noisy_small(small):
    return noisy(small)


def symbols_of(model, data):
    """Hyper-latents, σ indexes and residuals of a file of one tile."""
    file = container.parse(data)
    (place,) = tiles.places(*file.header.coded)
    steps = tiles.cut(tiles.region_of(file.region, [place]), place.canvas)
    rate = model.rate(file.header.level)
    return symbols.read(model, file.tiles[0], rate, steps, place.size, "tile")


def assert_same_symbols(a, b):
    for name in models.Symbols._fields:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), name)


def farthest(a, b):
    """The largest difference of two images' pixels."""
    return np.abs(np.asarray(a, int) - np.asarray(b, int)).max()


# Layers may be wrong by 1e-4 with pixels still within ±1. float32 in another order of summation is
# wrong by some 1e-6; TF32, which the codec forbids, by up to 2^-11 = 5e-4.
@pytest.mark.slow
@pytest.mark.parametrize("noise", [1e-6, 1e-4, 1e-2])
def test_a_decoder_with_noise_in_every_layer_finds_the_same_symbols(small, noisy_small, noise):
    assert_decoded_alike(small, noisy_small, noise)


@pytest.mark.slow
def test_a_decoder_of_the_released_codec_with_noise_finds_the_same_symbols(released):
    other = noisy(released)
    for noise in (1e-5, 1e-2):
        assert_decoded_alike(released, other, noise)


def assert_decoded_alike(model, other, noise):
    other = with_noise(other, noise)
    moved = 0
    for quality in QUALITIES:
        data = codec.encode(CAT, quality, model=model)
        assert_same_symbols(symbols_of(other, data), symbols_of(model, data))
        pixels = codec.decode(data, model=model)
        moved = max(moved, farthest(codec.decode(data, model=other), pixels))
    if noise <= 1e-4:
        assert moved <= 1
    else:
        assert moved > 1  # so there was noise


def test_what_an_encoder_with_noise_writes_is_what_others_read(small, noisy_small):
    noisy_small = with_noise(noisy_small, 1e-2)
    rate = small.rate(600)
    analysed = tiles.Analysed(noisy_small, CAT, None)
    (place,) = analysed.places
    coded, bits, steps = analysed._symbols(noisy_small, place, analysed.latents[0], rate)
    tile = symbols.write(small, coded, rate, steps, place.size, float(bits))
    assert_same_symbols(symbols.read(small, tile, rate, steps, place.size, "tile"), coded)
    # and it is another file than one without noise
    analysed = tiles.Analysed(small, CAT, None)
    clean, _, _ = analysed._symbols(small, place, analysed.latents[0], rate)
    assert (np.asarray(clean.residual) != np.asarray(coded.residual)).mean() > 1e-3


# ---- other programs: instruction sets, threads, one device ----

ELSEWHERE = """
import sys
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_compilation_cache_dir", sys.argv[3])
from jaxsr import codec
from jaxsr.codec import tiles

assert len(jax.devices()) == 1
model, folder = codec.load(sys.argv[1]), Path(sys.argv[2])
for path in sorted(folder.glob("*.jsr")):
    np.save(path.with_suffix(".decoded.npy"), codec.decode(path.read_bytes(), model=model))
image = np.load(folder / "image.npy")
for quality in 10, 50, 90:
    data = codec.encode(image, quality, model=model)
    path = folder / f"elsewhere-{quality}.jsr"
    path.write_bytes(data)
    np.save(path.with_suffix(".npy"), codec.decode(data, model=model))
np.save(folder / "latents.npy", tiles.Analysed(model, image, None).latents[0])
"""

FLAGS = "--xla_cpu_max_isa=SSE4_2 --xla_cpu_multi_thread_eigen=false"


def test_files_travel_to_other_programs_and_back(small, small_path, tmp_path):
    """Elsewhere is another instruction set, one thread, and one device; here there are four."""
    assert len(jax.devices()) == 4
    for quality in QUALITIES:
        data = codec.encode(CAT, quality, model=small)
        (tmp_path / f"here-{quality}.jsr").write_bytes(data)
    np.save(tmp_path / "image.npy", CAT)
    cache = jax.config.jax_compilation_cache_dir
    arguments = [sys.executable, "-c", ELSEWHERE, small_path, tmp_path, cache]
    environment = os.environ | {"XLA_FLAGS": FLAGS, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # every tile's check holds there
    for quality in QUALITIES:
        here = codec.decode((tmp_path / f"here-{quality}.jsr").read_bytes(), model=small)
        assert farthest(np.load(tmp_path / f"here-{quality}.decoded.npy"), here) <= 1
        back = codec.decode((tmp_path / f"elsewhere-{quality}.jsr").read_bytes(), model=small)
        assert farthest(np.load(tmp_path / f"elsewhere-{quality}.npy"), back) <= 1
    latents = np.asarray(tiles.Analysed(small, CAT, None).latents[0])
    same = np.array_equal(np.load(tmp_path / "latents.npy"), latents)
    assert not (same and has_avx())  # that floats differ shows that it was another instruction set


def has_avx():
    cpu = Path("/proc/cpuinfo")
    return cpu.is_file() and bool(re.search(r"\bavx2\b", cpu.read_text()))


# ---- batches and devices ----

BATCH = 8


@pytest.fixture(scope="module")
def singly(small):
    """Eight images' latents, and all that is coded of each: one after another."""
    crops = [skimage.data.chelsea()[i : i + 48, 2 * i : 2 * i + 64] for i in range(0, 160, 20)]
    every = [tiles.Analysed(small, crop, None) for crop in crops]
    (place,) = every[0].places
    rate = small.rate(500)
    steps = np.zeros(place.canvas[2:], np.int32)
    coded = [small.symbols(one.latents[0], rate, steps, place.size)[0] for one in every]
    latents = jnp.stack([one.latents[0] for one in every])
    return latents, jax.tree.map(lambda *x: np.stack(x), *coded), rate, steps, place.size


def test_a_batch_of_eight_has_the_symbols_of_eight_single_ones(small, singly):
    latents, coded, rate, steps, size = singly
    index = jax.vmap(lambda z: small.indexes(z, rate, steps, size))(coded.hyper)
    np.testing.assert_array_equal(index, coded.index)
    together = jax.vmap(lambda y: small.symbols(y, rate, steps, size)[0])(latents)
    for a, b in zip(together, coded, strict=True):  # the encoder's floats may round otherwise
        assert (np.asarray(a) != b).mean() < 1e-3
    encode = symbols._encoder(small, 1)
    words, lengths = jax.vmap(lambda one: encode(one, rate.anchor, size))(coded)
    words = words[:, : symbols.SMALLEST_WORDS]
    decode = symbols._decoder(small, 1)
    found, sound = jax.vmap(lambda w, n: decode(w, n, rate, steps, size))(words, lengths)
    assert np.all(sound)
    assert_same_symbols(found, models.Symbols(*coded))
    for i in range(0, BATCH, 3):
        one, length = encode(jax.tree.map(lambda x, i=i: x[i], coded), rate.anchor, size)
        assert length == lengths[i]
        np.testing.assert_array_equal(one[: symbols.SMALLEST_WORDS], words[i])


def test_four_devices_have_the_indexes_of_one(small, singly):
    _, coded, rate, steps, size = singly
    mesh = Mesh(np.array(jax.devices()), ("tiles",))
    one = functools.partial(small.indexes_of, small.scales, rate=rate, region=steps, size=size)
    spread = PartitionSpec("tiles")
    every = jax.shard_map(jax.vmap(one), mesh=mesh, in_specs=spread, out_specs=spread)
    index = jax.jit(every)(coded.hyper)
    assert len(index.sharding.device_set) == 4
    np.testing.assert_array_equal(index, coded.index)


def test_another_device_decodes_the_same(small):
    data = codec.encode(CAT, 60, model=small)
    here = codec.decode(data, model=small)
    with jax.default_device(jax.devices()[3]):
        assert farthest(codec.decode(data, model=small), here) <= 1


# ---- earlier versions ----


def model_of(path, small):
    return small if path.parent.name == "small" else None  # the one that the file names


def test_there_are_golden_files_of_every_codec(small):
    assert {path.parent.name for path in FILES} >= {"small", *weights.available()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden_files_decode_as_they_did_when_they_were_written(path, small):
    """See golden/write.py. That all symbols are the same, the file's own check says."""
    data = path.read_bytes()
    picture = codec.decode_picture(data, model=model_of(path, small))
    expected = files.read(path.with_suffix(".png"))
    enlarged = codec.info(data).scale > 1  # what differs by 1 may differ by more then
    assert farthest(picture.pixels, expected.pixels) <= (3 if enlarged else 1)
    assert (picture.alpha is None) == (expected.alpha is None)
    if picture.alpha is not None:
        np.testing.assert_array_equal(picture.alpha, expected.alpha)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_symbols_of_golden_files_are_coded_to_the_same_bytes(path, small):
    data = path.read_bytes()
    file = container.parse(data)
    model = decoding.model_of(file.header, model_of(path, small))
    (tile,), (place,) = file.tiles, tiles.places(*file.header.coded)
    coded, rate = symbols_of(model, data), model.rate(file.header.level)
    words, length = symbols._encoder(model, tile.lanes)(coded, rate.anchor, place.size)
    assert rans.to_bytes(words, length) == tile.words
    assert container.pack(file) == data
