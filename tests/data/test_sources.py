"""Sources: what is read, what is left out, and what the cache holds."""

import contextlib
import pickle

import numpy as np
import PIL.Image
import pytest

from jaxsr.data import sources
from jaxsr.image import files
from jaxsr.image.resize import imresize_uint8, modcrop


def picture(height, width, seed=0, channels=3):
    """Smooth random pixels: JPEG keeps them nearly."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 4, channels), np.uint8)
    return imresize_uint8(small, shape=(height, width))


def write(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels.squeeze()).save(path, **options)
    return path


def read_all(source, scale):
    """Fills the source's cache."""
    for i in range(len(source)):
        with contextlib.suppress(sources.Unreadable):
            source.low(i, scale)


@pytest.fixture
def folder(tmp_path):
    """Every format, nested: RGB, gray, palette with alpha, 16 bits."""
    root = tmp_path / "images"
    write(root / "a.png", picture(41, 50, 1))
    write(root / "one" / "b.jpg", picture(48, 40, 2), quality=95)
    write(root / "one" / "two" / "gray.webp", picture(40, 44, 3, channels=1), lossless=True)
    write(root / "one" / "two" / "alpha.png", picture(40, 44, 4, channels=4))
    deep = np.minimum(picture(40, 40, 5), 254).astype(np.uint16) * 257 + 100  # rounds down
    files.write(root / "deep.png", files.Picture(deep))
    files.write(root / "deep.tif", files.Picture(deep[..., :1]))
    (root / "notes.txt").write_text("no image")
    return root


def test_a_folder_gives_8_bit_rgb_of_every_format_in_it_and_below(folder, tmp_path):
    source = sources.FolderSource([folder], tmp_path / "cache")
    images = {name.rpartition("/")[2]: source.high(i) for i, name in enumerate(source.names)}
    assert len(source) == 6 and source.skipped == 0
    assert {image.dtype.name for image in images.values()} == {"uint8"}
    assert [tuple(image.shape[:2]) for image in images.values()] == [tuple(s) for s in source.sizes]
    np.testing.assert_array_equal(images["a.png"], picture(41, 50, 1))
    np.testing.assert_array_equal(images["alpha.png"], picture(40, 44, 4, channels=4)[..., :3])
    gray = picture(40, 44, 3, channels=1).repeat(3, axis=2)
    np.testing.assert_allclose(images["gray.webp"].astype(int), gray, atol=1)
    deep = np.minimum(picture(40, 40, 5), 254)
    np.testing.assert_array_equal(images["deep.png"], deep)
    np.testing.assert_array_equal(images["deep.tif"][..., 2], images["deep.png"][..., 0])


def test_an_image_is_decoded_once_and_its_reduction_is_matlabs(folder, tmp_path):
    source = sources.FolderSource([folder], tmp_path / "cache")
    i = [name.endswith("a.png") for name in source.names].index(True)
    low = source.low(i, 3)
    np.testing.assert_array_equal(low, imresize_uint8(modcrop(picture(41, 50, 1), 3), 1 / 3))
    assert not low.flags.writeable

    again = sources.FolderSource([folder], tmp_path / "cache")
    again.decode = None  # would fail
    np.testing.assert_array_equal(again.low(i, 3), low)
    np.testing.assert_array_equal(again.high(i), picture(41, 50, 1))


def test_a_changed_file_is_decoded_again(tmp_path):
    path = write(tmp_path / "images" / "x.png", picture(20, 20, 1))
    read_all(sources.FolderSource([path.parent], tmp_path / "cache"), 2)
    write(path, picture(22, 20, 2))
    source = sources.FolderSource([path.parent], tmp_path / "cache")
    np.testing.assert_array_equal(source.high(0), picture(22, 20, 2))


def test_the_cache_leaves_no_temporary_files_and_may_be_deleted_midway(folder, tmp_path):
    cache = tmp_path / "cache"
    source = sources.FolderSource([folder], cache)
    read_all(source, 4)
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert len(files) == 12 and {path.suffix for path in files} == {".npy"}
    before = np.array(source.low(0, 4))
    for path in files:
        path.unlink()
    np.testing.assert_array_equal(source.low(0, 4), before)


def test_a_file_of_the_cache_that_is_cut_short_is_written_again(folder, tmp_path):
    before = np.array(sources.FolderSource([folder], tmp_path / "cache").high(0))
    (path,) = (tmp_path / "cache").rglob("*.npy")
    for length in (0, 50, 500):
        with open(path, "r+b") as file:
            file.truncate(length)
        again = sources.FolderSource([folder], tmp_path / "cache")
        np.testing.assert_array_equal(again.high(0), before)


def test_a_truncated_file_is_named_skipped_and_counted_once(folder, tmp_path, caplog):
    path = write(folder / "cut.jpg", picture(60, 60, 6), quality=95)
    path.write_bytes(path.read_bytes()[:-900])
    (folder / "text.png").write_text("not a picture")
    source = sources.FolderSource([folder], tmp_path / "cache")
    assert "text.png" in caplog.text and len(source) == 7
    for _ in range(2):
        read_all(source, 2)
    assert caplog.text.count("cut.jpg is skipped") == 1
    assert source.skipped == 2
    with pytest.raises(sources.Unreadable, match=r"cut\.jpg"):
        source.high([name.endswith("cut.jpg") for name in source.names].index(True))


def test_small_images_are_counted_and_it_is_an_error_if_all_are(folder, tmp_path, caplog):
    source = sources.FolderSource([folder], tmp_path / "cache")
    assert [source.names[i].rpartition("/")[2] for i in source.at_least(41, "crop")] == ["a.png"]
    assert source.skipped == 5 and "deep.tif" in caplog.text
    with pytest.raises(ValueError, match="all 6 images are smaller than 200×200"):
        source.at_least(200, "crop")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("folder:{}/nowhere", "no such folder"),
        ("folder:{}/empty", "no image in"),
        ("folder:", "give folder:PATH"),
        ("div2k", "config.data.source is 'div2k'; give folder:PATH"),
        ("tfds:no_such_dataset", "tfds dataset no_such_dataset"),
    ],
)
def test_a_source_that_is_not_there_is_a_value_error(spec, message, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        sources.open_source(spec.format(tmp_path), tmp_path / "cache", str(tmp_path))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A real tfds dataset like div2k: pairs of images, written and read without TensorFlow."""
    tfds = pytest.importorskip("tensorflow_datasets")
    root = tmp_path_factory.mktemp("tfds")

    class TinyPairs(tfds.core.GeneratorBasedBuilder):
        """Four pairs of crops of skimage's cat."""

        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path, code_path = root, None  # there is no package to look into

        def _info(self):
            features = {"hr": tfds.features.Image(), "lr": tfds.features.Image()}
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i, high in enumerate(cats()):
                low = imresize_uint8(high, 1 / 2)
                paths = [write(root / f"{i}{name}.png", x) for name, x in (("h", high), ("l", low))]
                yield i, {"hr": paths[0].read_bytes(), "lr": paths[1].read_bytes()}

    builder = TinyPairs(data_dir=str(root / "data"), file_format="array_record")
    builder.download_and_prepare()
    return builder.data_path


def cats():
    cat = pytest.importorskip("skimage.data").cat()
    return [cat[80 + 10 * i : 130 + 12 * i, 150:210] for i in range(4)]


def test_a_tfds_dataset_is_a_source_like_a_folder(prepared, tmp_path):
    source = sources.open_source(f"tfds:{prepared}", tmp_path / "cache")
    assert sorted(map(tuple, source.sizes)) == [(50, 60), (52, 60), (54, 60), (56, 60)]
    assert source.names[3] == "tiny_pairs/1.0.0:train:3"
    by_height = {len(source.high(i)): i for i in range(4)}
    for cat in cats():
        i = by_height[len(cat)]
        np.testing.assert_array_equal(source.high(i), cat)
        np.testing.assert_array_equal(source.low(i, 2), imresize_uint8(cat, 1 / 2))
        np.testing.assert_array_equal(source.given(i), source.low(i, 2))
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy.high(1), source.high(1))


def test_part_of_a_split_of_a_named_tfds_dataset(prepared, tmp_path):
    data_dir = str(prepared.parents[1])
    source = sources.open_source("tfds:tiny_pairs:1.0.0:train[:50%]", tmp_path / "cache", data_dir)
    whole = sources.open_source("tfds:tiny_pairs", tmp_path / "cache", data_dir)
    assert (len(source), len(whole)) == (2, 4)
    np.testing.assert_array_equal(source.high(0), whole.high(0))
    with pytest.raises(ValueError, match=r"split test.*Unknown split"):
        sources.open_source("tfds:tiny_pairs:test", tmp_path / "cache", data_dir)
