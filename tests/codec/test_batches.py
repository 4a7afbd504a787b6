"""Many images at once: what one by one gives, on four devices and through vmapped transforms."""

import jax
import numpy as np
import pytest
import skimage.data

from jaxsr import codec
from jaxsr.codec import batches, container, symbols, tiles
from jaxsr.errors import UserError
from jaxsr.image import files

CAT = skimage.data.chelsea()[40:240, 80:330]
GRAY, ALPHA = CAT[:60, :90, 1], np.dstack([CAT, CAT[::-1, :, 1]])[:64, :90]
# two sizes of one canvas, others of other canvases, all kinds of channels, one that has four tiles
IMAGES = [CAT[:64, :96], CAT[:60, 100:190], GRAY, ALPHA, CAT[:1, :1], CAT, CAT[40:104, 40:136]]
BOX = [(0, 0, 40, 40)]


@pytest.fixture
def vmapped(monkeypatch):
    """The way of GPUs and TPUs, on this machine's CPU; gives the sizes of batches that ran."""
    monkeypatch.setattr(batches, "batches", lambda model: True)
    sizes = []
    for name in ("symbols_of_many", "pixels_of_many"):
        whole = getattr(codec.Model, name).func

        def seen(model, whole=whole):
            run = whole(model)
            return lambda *args: (sizes.append(len(args[-1])), run(*args))[1]

        monkeypatch.setattr(codec.Model, name, property(seen))
    return sizes


def arrays_equal(a, b, within=0):
    assert [x.shape for x in a] == [x.shape for x in b]
    return all(np.abs(x.astype(int) - y).max() <= within for x, y in zip(a, b, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"quality": 40},
        {"roi": BOX, "roi_gain": 6.0},
        {"max_bytes": 900, "mode": "half"},
    ],
    ids=str,
)
def test_on_cpus_files_and_pixels_are_those_of_one_by_one(small, tiny_tiles, options):
    images = IMAGES[:3] if "max_bytes" in options else IMAGES
    expected = [codec.encode(image, **options, model=small) for image in images]
    data = codec.encode_batch(images, **options, model=small)
    assert data == expected
    decoded = codec.decode_batch(data, model=small)
    assert arrays_equal(decoded, [codec.decode(one, model=small) for one in data])


def test_each_device_takes_images(small, monkeypatch):
    devices = set()
    write = symbols.write
    monkeypatch.setattr(
        symbols, "write", lambda model, *args: devices.add(model.device) or write(model, *args)
    )
    codec.encode_batch([CAT[:32, :32]] * 8, model=small)
    assert devices == set(jax.local_devices())


@pytest.mark.slow
def test_vmapped_symbols_are_nearly_all_those_of_one_by_one(small, tiny_tiles, vmapped):
    data = codec.encode_batch(IMAGES, 40, roi=BOX, model=small)
    assert max(vmapped) >= 2 and sum(vmapped) == len(IMAGES) - 1
    for image, one in zip(IMAGES, data, strict=True):
        expected = codec.encode(image, 40, roi=BOX, model=small)
        header = codec.info(one)
        assert header == codec.info(expected)
        if header.tiles == 1:
            pair = [symbols_of(small, x) for x in (one, expected)]
            for a, b in zip(*pair, strict=True):
                assert np.abs(a - b).max() <= 1 and (a != b).mean() < 1e-3


def symbols_of(model, data):
    file = container.parse(data)
    place = tiles.places(*file.header.coded)[0]
    where = batches._where(model, file.header.level, file.region, place)
    found = symbols.read(model, file.tiles[0], *where, "it")
    return [np.asarray(x) for x in (found.hyper, found.residual)]


def test_vmapped_pixels_are_those_of_one_by_one_within_one(small, tiny_tiles, vmapped):
    data = [codec.encode(x, q, model=small) for x, q in zip(IMAGES, range(20, 80, 8), strict=False)]
    half = codec.encode(CAT[:64, :96], 50, mode="half", model=small)
    decoded = codec.decode_batch([*data, half], model=small)
    assert max(vmapped) >= 2 and sum(vmapped) == len(IMAGES) - 1
    expected = [codec.decode(one, model=small) for one in (*data, half)]
    assert arrays_equal(decoded, expected, within=1)


def test_vmapped_batches_are_powers_of_two(small, vmapped):
    codec.encode_batch([CAT[:16, :16]] * 7, model=small)
    assert sorted(vmapped) == [1, 2, 4]


def test_batches_are_no_larger_than_memory_allows(small, vmapped, monkeypatch):
    images = [CAT[:16, :16]] * 6
    share = tiles.TILE_MEMORY * (tiles.UNIT / 64) ** 2 / batches.MEMORY_SHARE
    monkeypatch.setattr(batches, "free_memory", lambda device: int(2 * share) + 1)
    codec.encode_batch(images, model=small)
    assert vmapped == [2, 2, 2]


def test_the_vmapped_programs_compile_for_gpus_and_tpus(small):
    place = tiles.places(64, 96)[0]
    where = batches._where(small, 500, None, place)
    pixels = np.zeros((*(16 * side for side in place.canvas[2:]), 3), np.uint8)
    params, scales, *_ = small.placed
    batch = batches._stacked([(pixels, *where)] * 2)
    (found, _) = jax.eval_shape(small.many_symbols_of, params, scales, *batch)
    programs = {
        small.many_symbols_of: (params, scales, *batch),
        small.many_pixels_of: (params, found, *batch[1:]),
    }
    for program, args in programs.items():
        exported = jax.export.export(jax.jit(program), platforms=["cuda", "tpu"])(*args)
        assert exported.platforms == ("cuda", "tpu")


def test_strict_settings_of_jax_change_nothing(small, vmapped, strictest):
    images = [CAT[:16, :16], CAT[:16, 16:32]]
    data = codec.encode_batch(images, model=small)
    with strictest():
        assert codec.encode_batch(images, model=small) == data
        pixels = codec.decode_batch(data, model=small)
    assert arrays_equal(pixels, codec.decode_batch(data, model=small))


def test_nothing_is_moved_unasked(small, vmapped):
    images = [CAT[:16, :16], CAT[:16, 16:32]]
    data = codec.encode_batch(images, model=small)
    jax.config.update("jax_transfer_guard", "disallow")
    try:
        assert codec.encode_batch(images, model=small) == data
        codec.decode_batch(data, model=small)
    finally:
        jax.config.update("jax_transfer_guard", "allow")


def test_files_and_pictures_are_taken_and_profiles_kept(small, tmp_path):
    picture = files.Picture(CAT[:30, :40], icc=b"profile", exif=b"Exif\0\0tags")
    files.write(tmp_path / "cat.png", files.Picture(CAT[:30, :40]))
    data = codec.encode_batch([picture, tmp_path / "cat.png"], keep_metadata=True, model=small)
    assert codec.decode_picture(data[0], model=small).exif == picture.exif
    assert data[1] == codec.encode(CAT[:30, :40], model=small)


def test_an_array_of_images_and_a_generator_are_batches_one_image_is_not(small):
    batch = np.stack([CAT[:20, :30], CAT[20:40, :30]])
    expected = [codec.encode(image, model=small) for image in batch]
    assert codec.encode_batch(batch, model=small) == expected
    assert codec.encode_batch((image for image in batch), model=small) == expected
    assert codec.encode_batch(np.stack([CAT[:20, :30, 1]] * 2), model=small)
    for one in (CAT, CAT[..., 1], "cat.png", files.Picture(CAT)):
        with pytest.raises(UserError, match="a batch is several images, this is one"):
            batches._several(one)


def test_no_images_give_no_files(small):
    assert codec.encode_batch([], model=small) == [] == codec.decode_batch([], model=small)


@pytest.mark.parametrize("way", ["one by one", "vmapped"])
def test_errors_say_which_image_or_file(small, way, request):
    if way == "vmapped":
        request.getfixturevalue("vmapped")
    good, deep = CAT[:20, :20], CAT[:20, :20].astype(np.uint16)
    with pytest.raises(UserError, match=r"^image 2 of 3: the image has 16 bits"):
        codec.encode_batch([good, deep, good], model=small)
    with pytest.raises(UserError, match=r"^image 1 of 1: an image is \(height, width\)"):
        codec.encode_batch([good[0, 0]], model=small)
    with pytest.raises(UserError, match="quality is a whole number of 1 to 100, got 0"):
        codec.encode_batch([good], 0, model=small)
    data = [codec.encode(good, model=small)] * 3
    broken = data[1][:-1] + b"x"
    with pytest.raises(UserError, match=r"^file 3 of 3: the file is damaged or cut off"):
        codec.decode_batch([*data[:2], broken], model=small)
    with pytest.raises(UserError, match=r"^file 1 of 2: not a \.jsr file"):
        codec.decode_batch([b"hello", data[0]], model=small)
    with pytest.raises(UserError, match=r"^file 1 of 3: .* a model that is not here"):
        codec.decode_batch(data)
