"""Images with masks: what values mean, which files belong together, and the views of them."""

import pickle
from io import BytesIO

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest
import scipy.stats

from jaxsr.data import draws, masked, masks, options, pipeline, views
from jaxsr.data.images import stretched
from jaxsr.data.sources import Unreadable
from jaxsr.image.decoding import ORIENTATION

SIZES = ((40, 50), (36, 36), (33, 60))
PETS = masks.legend_of((2, 1), (3,))  # oxford_iiit_pet's


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, np.ndarray):
        image = PIL.Image.fromarray(image)
    image.save(path, **options)
    return path


def as_bytes(image, kind="PNG"):
    file = BytesIO()
    (PIL.Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind)
    return file.getvalue()


def disc(height, width):
    y, x = np.mgrid[:height, :width]
    return (y - height / 2) ** 2 + (x - width / 3) ** 2 < (height / 3) ** 2


def photo(height, width):
    """Bright inside the disc: a mask can be told from the image."""
    x = np.random.default_rng(height).integers(0, 60, (height, width, 3), np.uint8)
    return x + 180 * disc(height, width)[..., None].astype(np.uint8)


def read(data, legend):
    return legend.labels(legend.mask(legend.decode(data, "x.png"), "x.png"))


@pytest.fixture
def folder(tmp_path):
    for i, size in enumerate(SIZES):
        below = "a/b/" * (i == 2)
        save(tmp_path / f"set/images/{below}{i}.jpg", photo(*size), quality=95)
        save(tmp_path / f"set/masks/{below}{i}.png", disc(*size).astype(np.uint8) * 255)
    return tmp_path / "set"


@pytest.fixture
def config(folder, tmp_path):
    config = options.default_config("segmentation")
    config.source, config.cache, config.crop = f"folder:{folder}", str(tmp_path / "cache"), 32
    return config


def first(config, count, **options):
    data = pipeline.segmentation(config, **({"batch_size": 3, "seed": 7} | options))
    iterator = iter(data)
    batches = [next(iterator) for _ in range(count)]
    iterator.close()
    return data, batches


# What values mean


@pytest.mark.parametrize(
    "kind", ["8 bits", "16 bits", "1 bit", "RGB", "with alpha", "JPEG", "palette"]
)
def test_white_of_any_kind_of_file_is_the_region(kind):
    truth = disc(20, 30)
    white = truth.astype(np.uint8) * 255
    palette = PIL.Image.fromarray(1 - truth.astype(np.uint8), "P")
    palette.putpalette([255, 255, 255, 0, 0, 0])
    data = {
        "8 bits": lambda: as_bytes(white),
        "16 bits": lambda: as_bytes(truth.astype(np.uint16) * 65535),
        "1 bit": lambda: as_bytes(truth),
        "RGB": lambda: as_bytes(np.stack([white] * 3, -1)),
        "with alpha": lambda: as_bytes(np.dstack([white] * 3 + [255 - white])),
        "JPEG": lambda: as_bytes(white, "JPEG"),
        "palette": lambda: as_bytes(palette),
    }[kind]()
    np.testing.assert_array_equal(read(data, masks.Brightness()), truth)


def test_a_gray_mask_counts_from_just_above_half():
    deep = np.array([[0, 32767, 32768, 65535]], np.uint16)
    assert read(as_bytes(deep), masks.Brightness()).tolist() == [[0, 0, 1, 1]]
    assert read(as_bytes(np.array([[127, 128]], np.uint8)), masks.Brightness()).tolist() == [[0, 1]]


@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "palette", "palette with alpha", "RGB"])
def test_numbers_of_classes_are_gray_levels_or_places_in_a_palette(kind):
    values = np.random.default_rng(0).integers(1, 4, (9, 7)).astype(np.uint8)
    palette = PIL.Image.fromarray(values, "P")
    palette.putpalette([200, 0, 0, 200, 0, 0, 0, 90, 0, 255, 255, 255])
    if kind == "palette with alpha":
        palette.info["transparency"] = 0
    data = {
        "8 bits": values,
        "16 bits": values.astype(np.uint16),
        "RGB": np.stack([values] * 3, -1),
    }.get(kind, palette)
    want = np.array([9, 1, 0, masks.IGNORED])[values]
    np.testing.assert_array_equal(read(as_bytes(data), PETS), want)


def test_a_one_bit_mask_has_the_numbers_0_and_1():
    truth = disc(9, 9)
    np.testing.assert_array_equal(read(as_bytes(truth), masks.legend_of((0, 1))), truth)


def test_a_class_may_have_several_values():
    values = np.array([[0, 7, 20, 255]], np.uint8)
    labels = read(as_bytes(values), masks.legend_of(((0, 7), 20), (255,)))
    assert labels.tolist() == [[0, 0, 1, masks.IGNORED]]


@pytest.mark.parametrize(
    ("image", "legend", "message"),
    [
        (
            np.full((4, 4), 3, np.uint8),
            masks.Brightness(),
            "no value above 3 of 255.*mask_classes",
        ),
        (np.full((4, 4, 3), (200, 0, 0), np.uint8), masks.Brightness(), "coloured.*mask_classes"),
        (np.full((4, 4), 4, np.uint8), PETS, "holds 4, no class's value; name it in"),
        (np.full((4, 4, 3), (2, 1, 1), np.uint8), PETS, "give it a palette"),
    ],
)
def test_a_mask_of_another_kind_is_refused(image, legend, message):
    with pytest.raises(ValueError, match=f"x.png .*{message}"):
        read(as_bytes(image), legend)


def test_black_is_a_mask_without_a_region():
    assert not read(as_bytes(np.zeros((4, 4), np.uint8)), masks.Brightness()).any()


@pytest.mark.parametrize(
    ("classes", "ignored", "message"),
    [
        ((1,), (), "give the values of 2 to 255 classes"),
        ((), (3,), "give the values of 2 to 255 classes"),
        ((0, 1), (1,), "one class only"),
        ((0, (1, 0)), (), "one class only"),
    ],
)
def test_values_mean_one_thing(classes, ignored, message):
    with pytest.raises(ValueError, match=message):
        masks.legend_of(classes, ignored)


# Sources


def test_masks_are_found_by_their_names_at_any_depth(folder, tmp_path):
    source = masked.open_masked(f"folder:{folder}", masks.Brightness(), tmp_path / "cache")
    assert [name.rpartition("images/")[2] for name in source.names] == [
        "0.jpg",
        "1.jpg",
        "a/b/2.jpg",
    ]
    for i, size in enumerate(SIZES):
        image, mask = source.pair(i)
        assert image.shape == (*size, 3)
        np.testing.assert_array_equal(mask, disc(*size) * 255)
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy.pair(2)[1], disc(*SIZES[2]) * 255)


def test_an_image_without_a_mask_is_named(folder, tmp_path):
    (folder / "masks/a/b/2.png").rename(folder / "masks/2.png")
    with pytest.raises(ValueError, match=r"a/b/2\.jpg has no mask"):
        masked.open_masked(f"folder:{folder}", masks.Brightness(), tmp_path / "cache")
    with pytest.raises(ValueError, match="images/images: no such folder"):
        masked.open_masked(f"folder:{folder}/images", masks.Brightness(), tmp_path / "cache")


def test_a_changed_mask_or_legend_is_read_again(folder, tmp_path):
    def mask(*legend):
        return masked.open_masked(
            f"folder:{folder}", masks.legend_of(*legend), tmp_path / "cache"
        ).pair(0)[1]

    assert mask().max() == 255
    assert mask((0, 255)).max() == 1
    save(folder / "masks/0.png", np.zeros(SIZES[0], np.uint8))
    assert mask().max() == 0


def test_a_mask_has_its_images_size(folder, tmp_path):
    save(folder / "masks/0.png", np.zeros((50, 40), np.uint8))
    source = masked.open_masked(f"folder:{folder}", masks.Brightness(), tmp_path / "cache")
    with pytest.raises(ValueError, match=r"0\.jpg is 50×40, its mask 40×50 pixels"):
        source.pair(0)


def test_a_mask_turned_by_exif_is_turned_as_its_image_is(tmp_path):
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    save(tmp_path / "images/x.jpg", photo(30, 40), exif=exif)
    save(tmp_path / "masks/x.png", disc(30, 40).astype(np.uint8), exif=exif)
    for legend in (masks.legend_of((0, 1)), masks.legend_of((0, (1, 2)))):
        source = masked.open_masked(f"folder:{tmp_path}", legend, tmp_path / "cache")
        np.testing.assert_array_equal(source.pair(0)[1], np.rot90(disc(30, 40), -1))


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A real tfds dataset with oxford_iiit_pet's features, written and read without TensorFlow."""
    tfds = pytest.importorskip("tensorflow_datasets")
    root = tmp_path_factory.mktemp("tfds")

    class TinyPets(tfds.core.GeneratorBasedBuilder):
        """Discs with a border."""

        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = tuple(
            tfds.core.BuilderConfig(name=name, description="") for name in ("trimaps", "unclear")
        )
        pkg_dir_path, code_path = root, None  # there is no package to look into

        def _info(self):
            mask = tfds.features.Image(shape=(None, None, 1), use_colormap=True)
            features = {
                "image": tfds.features.Image(),
                "label": tfds.features.ClassLabel(num_classes=2),
            }
            features |= {"segmentation_mask": mask, "file_name": tfds.features.Text()}
            features["head_bbox"] = tfds.features.BBoxFeature()
            if self.builder_config.name == "unclear":
                features["depth"] = tfds.features.Image(shape=(None, None, 1))
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i, size in enumerate(SIZES):
                image, mask = as_bytes(photo(*size), "JPEG"), as_bytes(trimap(*size))
                example = {"image": image, "label": 0, "segmentation_mask": mask, "file_name": "x"}
                example["head_bbox"] = tfds.features.BBox(0.0, 0.0, 0.5, 0.5)
                if self.builder_config.name == "unclear":
                    example["depth"] = mask
                yield i, example

    for name in ("trimaps", "unclear"):
        builder = TinyPets(config=name, data_dir=str(root / "data"), file_format="array_record")
        builder.download_and_prepare()
    return root / "data"


def trimap(height, width):
    """1 inside the disc, 2 outside, 3 along its left edge."""
    inside = disc(height, width)
    return np.where(inside, np.where(np.roll(inside, 1, axis=1), 1, 3), 2).astype(np.uint8)


def test_a_tfds_set_with_masks_is_a_source_like_a_folder(pets, tmp_path):
    folder = pets / "tiny_pets/trimaps/1.0.0"
    source = masked.open_masked(f"tfds:{folder}:train", PETS, tmp_path / "cache")
    by_height = {}
    for i in range(3):
        image, labels = source.pair(i)
        by_height[len(image)] = labels
    for size in SIZES:
        want = np.array([9, 1, 0, masks.IGNORED])[trimap(*size)]
        np.testing.assert_array_equal(by_height[size[0]], want)
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy.pair(1)[1], source.pair(1)[1])
    unclear = masked.open_masked("tfds:tiny_pets/trimaps", masks.Brightness(), tmp_path, pets)
    with pytest.raises(ValueError, match="no value above 3 of 255"):
        unclear.pair(0)


def test_a_tfds_set_has_one_mask(pets, tmp_path):
    with pytest.raises(ValueError, match=r"needs a mask, one image besides image; it has .*depth"):
        masked.open_masked("tfds:tiny_pets/unclear", PETS, tmp_path, pets)


# Views


def test_batches_are_square_images_and_labels(config):
    data, (batch,) = first(config, 1)
    assert {key: (x.shape, x.dtype.name) for key, x in batch.items()} == {
        "image": ((3, 32, 32, 3), "uint8"),
        "mask": ((3, 32, 32), "uint8"),
        "index": ((3,), "int32"),
    }
    assert set(np.unique(batch["mask"])) == {0, 1}
    assert all(f"{i}.jpg" in data.names[i] for i in batch["index"])


def test_image_and_mask_show_the_same_part(config):
    _, batches = first(config, 4)
    masks = {batch["mask"].tobytes() for batch in batches}
    assert len(masks) == 4
    for batch in batches:
        for image, mask in zip(batch["image"], batch["mask"], strict=True):
            bright = image.mean(-1) > image[mask == 1].mean() / 2 + image[mask == 0].mean() / 2
            assert (bright == mask).mean() > 0.97


def test_without_augmentation_an_image_is_shown_whole_as_it_is(config):
    config.augment = False
    _, batches = first(config, 3)
    shown = {}
    for batch in batches:
        for image, mask, index in zip(
            *(batch[key] for key in ("image", "mask", "index")), strict=True
        ):
            image_before, mask_before = shown.setdefault(int(index), (image, mask))
            np.testing.assert_array_equal(image, image_before)
            np.testing.assert_array_equal(mask, mask_before)


def test_labels_are_not_blended(config, folder):
    for i, size in enumerate(SIZES):
        name = f"{'a/b/' * (i == 2)}{i}.png"
        save(folder / "masks" / name, np.where(disc(*size), 9, 5).astype(np.uint8))
    config.update(mask_classes=(9, 7, 5), mask_ignored=())
    _, batches = first(config, 4)
    assert {value for batch in batches for value in np.unique(batch["mask"])} == {0, 2}


@pytest.mark.parametrize("part", ["images/1.jpg", "masks/1.png"])
def test_a_damaged_file_is_replaced_by_the_next_image_and_named(part, config, folder, caplog):
    data = (folder / part).read_bytes()
    (folder / part).write_bytes(data[: len(data) * 2 // 3])
    data, batches = first(config, 4)
    assert {i for batch in batches for i in batch["index"].tolist()} == {0, 2}
    assert "1.jpg is skipped, it is unreadable" in caplog.text and data.source.skipped == 1
    with pytest.raises(Unreadable):
        data.source.pair(1)


def test_two_hosts_share_out_the_global_order(config):
    _, whole = first(config, 3, batch_size=2)
    parts = [first(config, 3, batch_size=1, host=i)[1] for i in range(2)]
    for n, batch in enumerate(whole):
        for key in batch:
            joined = np.concatenate([part[n][key] for part in parts])
            np.testing.assert_array_equal(joined, batch[key])


def test_worker_processes_are_given_the_views(config):
    data, _ = first(config, 1)
    drawn, again = data.batch(1), cloudpickle.loads(cloudpickle.dumps(data)).batch(1)
    for key in drawn:
        np.testing.assert_array_equal(again[key], drawn[key])


# Views drawn in a program


def in_program(config, step=0, **options):
    data = pipeline.segmentation(config, **({"batch_size": 6, "seed": 7} | options))
    arrays = jax.tree.map(jnp.asarray, data.pack())
    batch = jax.jit(data.draw)(arrays, jnp.int32(step), jnp.arange(data.batch_size))
    return data, jax.device_get(batch)


def test_a_program_shows_the_hosts_images_whole_without_augmentation(config):
    """They are packed at twice their side: so small the host does not stretch them twice."""
    config.augment = False
    data, there = in_program(config)
    host = data.batch(0)
    for i, index in enumerate(host["index"]):
        image, _ = data.source.pair(int(index))
        image = stretched(stretched(image, 64), 32).astype(int)
        assert np.abs(there["image"][i] - image).max() <= 1
        assert np.abs(there["image"][i].astype(int) - host["image"][i]).mean() < 4
        assert (there["mask"][i] == host["mask"][i]).mean() > 0.98
    assert {k: (x.shape, x.dtype) for k, x in there.items()} == {
        k: (x.shape, x.dtype) for k, x in host.items() if k != "index"
    }


@pytest.mark.parametrize("kind", ["brightness", "numbers"])
def test_a_program_shows_the_same_part_of_image_and_mask(config, folder, kind):
    if kind == "numbers":
        config.update(mask_classes=(0, 255))
    _, batch = in_program(config, batch_size=24)
    for image, mask in zip(batch["image"], batch["mask"], strict=True):
        bright = image.mean(-1) > image[mask == 1].mean() / 2 + image[mask == 0].mean() / 2
        assert (bright == mask).mean() > 0.96
    assert len({x.tobytes() for x in batch["mask"]}) == 24
    is_gray = np.ptp(batch["image"].astype(int), -1).max((1, 2)) <= 1
    assert 0 <= is_gray.sum() < 10


def test_parts_and_colours_are_drawn_as_the_host_draws_them():
    count, side = 4000, 64
    words = draws.words(0, 0, np.arange(count, dtype=np.int32), 2)
    drawn = draws.more([jnp.asarray(word) for word in words], len(views.DRAWN))
    drawn = dict(zip(views.DRAWN, drawn, strict=True))
    parts = [np.asarray(x) for part in views.random_parts(side, drawn) for x in part]
    rng = np.random.default_rng(0)
    boxes = np.array([views.random_part(side, side, rng) for _ in range(count)])
    left, top, right, bottom = boxes.T
    for there, host in zip(parts, (top, bottom - top, left, right - left), strict=True):
        assert scipy.stats.ks_2samp(there, host).pvalue > 1e-3
    image = photo(8, 9)[..., :3]
    host = np.array([views.random_colours(image, rng).std((0, 1)) for _ in range(count)])
    many = jnp.broadcast_to(jnp.asarray(image.swapaxes(1, 2), jnp.float32), (count, 8, 3, 9))
    there = np.asarray(views.recoloured(many, drawn)).std((1, 3))
    for channel in range(3):
        assert scipy.stats.ks_2samp(there[:, channel], host[:, channel]).pvalue > 1e-3


def test_a_changed_mask_is_packed_anew(config, folder):
    config.augment = False
    _, before = in_program(config)
    for path in folder.glob("masks/**/*.png"):
        save(path, np.zeros_like(np.asarray(PIL.Image.open(path))))
    _, after = in_program(config)
    assert before["mask"].any() and not after["mask"].any()


def test_the_size_of_packed_squares_is_known_before(config):
    data = pipeline.segmentation(config, batch_size=2, seed=0)
    layers = data.pack()["layers"].values()
    assert sum(layer["blocks"].nbytes for layer in layers) == data.packed_bytes()
