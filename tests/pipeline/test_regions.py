"""Regions of images of every kind: found, restored on tiles as on the whole, all else untouched."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import AxisType, PartitionSpec

from jaxsr import networks, pipeline
from jaxsr.image import files
from jaxsr.image.pictures import boxes_mask
from jaxsr.image.values import to_float
from jaxsr.networks.degradation import UNITS
from jaxsr.pipeline import Chain, Restore, Result, Segment, Stages, Upscale, run_chain
from jaxsr.regions import masks, segment
from jaxsr.regions.degradation import UNKNOWN, Degraded
from jaxsr.regions.restoring import TiledRestorer, part
from jaxsr.tiling import runner
from jaxsr.zoo import weights

OPTIONS = {
    "span_compact": {"features": 4, "blocks": 2},
    "attention_unet": {"features": [4, 8], "layers": 1, "side": 32},
    "window_restorer": {"features": 8, "blocks": 1, "layers": 1, "window": 4, "heads": 2},
}
QUICKLY = {"xla_backend_optimization_level": 0}  # compiled in half the time
HEIGHT, WIDTH = 130, 120
BOXES = [(5, 3, 20, 17), (90, 100, 30, 20)]  # two corners


@pytest.fixture(scope="module")
def make(random_params):
    """``make(name, classes=…)``: a small network and its parameters."""

    def make(name, **options):
        options = OPTIONS[name] | options
        if name == "span_compact":
            network = networks.create(name, **options)
            return network, random_params(network)
        if name == "attention_unet":
            network = networks.create_segmenter(name, **options)
            return network, random_params(network, array(1, 32, 32, 3), gain=2.0)
        network = networks.create_restorer(name, **options)
        shapes = (1, 32, 32, 3), (1, 32, 32, 1), (1, 8, 8, 4)
        return network, random_params(network, *(array(*shape) for shape in shapes))

    return make


def array(*shape):
    return jax.ShapeDtypeStruct(shape, np.float32)


@pytest.fixture(scope="module")
def segmenter(make):
    """One that finds about half of a gray image."""
    network, params = make("attention_unet")
    p = np.median(Segment(network, params)(np.full((32, 32), 0.5)).mask)
    params["logits"]["bias"] -= np.log(p / (1 - p))
    return Segment(network, params)


@pytest.fixture(scope="module")
def restore(make, segmenter):
    return Restore(*make("window_restorer"), segmenter)


@pytest.fixture(scope="module")
def chain(make, restore):
    """The chain ×2 for images of any size."""
    return Chain(Upscale(*make("span_compact", scale=2)), restore)


def stages_of(upscaler, segmenter, restorer):
    """The same as a pure function's stages and parameters."""

    def run(stage, method, params, *inputs):
        return upscaler[0].apply({"params": {stage: params}}, *inputs, method=method)

    names = {"extract": "extracted", "enhance": "enhanced", "fuse": "fused"}
    three = {stage: functools.partial(run, stage, method) for stage, method in names.items()}
    stages = Stages(
        **three,
        segment=functools.partial(segment.saliency, segmenter.network),
        restore=restorer[0],
        scale=upscaler[0].scale,
    )
    return stages, {**upscaler[1], "segment": segmenter.params, "restore": restorer[1]}


def noise(*shape, dtype=np.uint8, seed=0):
    high = 1 if dtype == np.float32 else np.iinfo(dtype).max
    return (np.random.default_rng(seed).random(shape) * high).astype(dtype)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tiles_on_the_host_give_what_the_pure_function_gives(make, segmenter, scale):
    upscaler, restorer = make("span_compact", scale=scale), make("window_restorer")
    image = noise(HEIGHT, WIDTH, 3, dtype=np.float32)
    mask = boxes_mask(BOXES, HEIGHT, WIDTH)
    host = Chain(Upscale(*upscaler), Restore(*restorer))(image, BOXES)
    assert host.tiles == (1 if scale == 2 else 2)
    stages, params = stages_of(upscaler, segmenter, restorer)
    run = jax.jit(functools.partial(run_chain, stages, core=96, budget=8))
    pure = run(params, image[None], mask[None])
    assert pure.left_over.tolist() == [0]
    np.testing.assert_allclose(host.mask, pure.mask[0], atol=2e-5)
    np.testing.assert_allclose(host.image, pure.image[0], atol=1e-5)
    changed = np.abs(host.image - pure.fused[0]).max(-1)
    assert changed[host.mask > masks.REGION].mean() > 0.01 and changed[host.mask == 0].max() < 1e-5


@pytest.fixture(scope="module")
def pure(make, segmenter):
    """Stages ×2 and their parameters."""
    return stages_of(make("span_compact", scale=2), segmenter, make("window_restorer"))


def test_the_pure_chain_vmaps_and_shards_over_devices(pure):
    stages, params = pure
    run = functools.partial(run_chain, stages, core=32, budget=2)
    x = noise(4, 24, 20, 3, dtype=np.float32)
    together = jax.jit(run, compiler_options=QUICKLY)(params, x)
    assert together.image.shape == (4, 48, 40, 3) and together.mask.shape == (4, 48, 40)
    mesh = jax.make_mesh((4,), ("images",), axis_types=(AxisType.Auto,))
    one_by_one = jax.vmap(run, in_axes=(None, 0))  # of batches of one
    spread = jax.shard_map(
        one_by_one,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec("images")),
        out_specs=PartitionSpec("images"),
        check_vma=False,
    )
    apart = jax.jit(spread, compiler_options=QUICKLY)(params, x[:, None])
    assert len(apart.image.sharding.device_set) == 4
    for alone, batched in zip(*map(jax.tree.leaves, (apart, together)), strict=True):
        np.testing.assert_allclose(alone.reshape(batched.shape), batched, atol=1e-5)


@pytest.mark.slow
def test_every_stage_has_a_gradient(pure):
    stages, params = pure
    x = noise(1, 24, 20, 3, dtype=np.float32)

    def loss(params):
        result = run_chain(stages, params, x, core=32, budget=2)
        return ((result.image - 0.5) ** 2).mean() + (result.mask**2).mean()

    gradients = jax.jit(jax.grad(loss), compiler_options=QUICKLY)(params)
    for stage in ("extract", "enhance", "fuse", "segment", "restore"):
        leaves = jax.tree.leaves(gradients[stage])
        assert all(np.isfinite(leaf).all() for leaf in leaves)
        assert any(np.abs(leaf).max() > 0 for leaf in leaves)


def test_stages_are_exchanged_for_callables(pure):
    stages, params = pure
    x, parts = noise(2, 24, 20, 3, dtype=np.float32), {"fuse": np.float32(2), "restore": {}}
    stages = dataclasses.replace(
        stages,
        enhance=lambda params, f0: f0 * 0,
        fuse=lambda factor, x, f: factor * x.repeat(2, 1).repeat(2, 2) + f.mean(),
        segment=lambda params, y: jnp.ones(y.shape[:3]),
        restore=lambda params, y, mask, features: 1 - y,
    )
    result = jax.jit(functools.partial(run_chain, stages))(params | parts, x)
    fused = np.clip(2 * x, 0, 1).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(result.fused, fused, atol=1e-6)
    np.testing.assert_allclose(result.image, 1 - fused, atol=1e-6)  # no border within an image
    given = jax.jit(functools.partial(run_chain, stages))(
        params | parts, x, np.zeros((2, 24, 20), "f")
    )
    np.testing.assert_array_equal(given.image, given.fused)


def test_an_image_is_restored_at_its_own_size_by_either_path(make, restore):
    network, params = make("window_restorer")
    stages = Stages(None, None, None, None, network, scale=1)
    image = noise(70, 90, 3, dtype=np.float32)
    mask = boxes_mask([(10, 20, 40, 30)], 70, 90)
    run = jax.jit(functools.partial(run_chain, stages, core=64, budget=2))
    pure = run({"restore": params}, image[None], mask[None])
    np.testing.assert_array_equal(pure.fused[0], image)
    np.testing.assert_allclose(restore(image, mask).image, pure.image[0], atol=1e-5)


def test_what_a_restorer_is_told_is_given_or_estimated_by_either_path(make):
    network, params = make("window_restorer", told=True)
    last = params["estimate"]["strengths"]
    last["kernel"] *= 0
    image = noise(40, 60, 3, dtype=np.float32)
    stages = Stages(None, None, None, None, network, scale=1)
    run = jax.jit(functools.partial(run_chain, stages, core=64, budget=2))

    def both(bias, known):
        last["bias"] = np.full(4, bias, np.float32)
        host = Restore(network, params)(image, "all", known)
        told = np.float32([[*host.degraded[:2], *(100 - q for q in host.degraded[2:])]])
        pure = run({"restore": params}, image[None], np.ones((1, 40, 60), np.float32), told)
        np.testing.assert_allclose(host.image, pure.image[0], atol=1e-5)
        return host

    given = Degraded(noise=20, jpeg=40)
    assert both(-50, given).degraded == (20, 0, 40, 100)
    found = both(0.5, UNKNOWN)
    units = 0.5 * UNITS
    np.testing.assert_allclose(found.degraded, [*units[:2], *(100 - units[2:])], rtol=1e-4)
    assert np.abs(found.image - image).max() > 0.01
    nothing = both(-50, UNKNOWN)
    assert nothing.tiles == 0 and nothing.degraded == (0, 0, 100, 100)
    np.testing.assert_array_equal(nothing.image, image)
    pure = run({"restore": params}, image[None], np.ones((1, 40, 60), np.float32))  # estimates
    np.testing.assert_array_equal(pure.image[0], image)


def test_the_chain_finds_the_region_itself_and_leaves_the_rest_bit_for_bit(chain):
    for dtype in (np.uint8, np.uint16, np.float32):
        image = noise(70, 90, 3, dtype=dtype)
        found, upscaled = chain(image), chain.upscale(image).image
        np.testing.assert_array_equal(found.mask, chain.segment(upscaled).mask)
        region, result = found.mask > masks.REGION, found.image
        assert 0.01 < region.mean() < 0.99 and found.tiles > 0
        assert result.dtype == dtype
        np.testing.assert_array_equal(result[~region], upscaled[~region])
        assert (result != upscaled)[region].mean() > 0.3


def test_every_kind_of_array_is_restored_in_its_own_kind(restore):
    for shape, dtype in (
        ((70, 90), np.uint8),
        ((70, 90, 1), np.uint16),
        ((70, 90, 2), np.float32),
        ((70, 90, 3), np.float64),
        ((70, 90, 4), np.uint8),
    ):
        image = (
            noise(*shape, dtype=np.float32).astype(dtype)
            if dtype == np.float64
            else noise(*shape, dtype=dtype)
        )
        restored = restore(image, [(10, 20, 40, 30)])
        result, mask = restored.image, restored.mask
        assert result.shape == shape and restored.tiles == 1
        assert result.dtype == (np.float32 if dtype == np.float64 else dtype)
        np.testing.assert_array_equal(result[mask == 0], image[mask == 0].astype(result.dtype))
        if shape[2:] in ((2,), (4,)):
            np.testing.assert_array_equal(result[..., -1], image[..., -1])
        colours = slice(None) if shape[2:] in ((), (1,), (3,)) else slice(-1)
        inside = (result != image)[20:50, 10:50]
        assert inside[..., colours].mean() > 0.5


def test_sixteen_bits_stay_sixteen_bits_deep(restore, chain):
    ramp = np.linspace(20_000, 40_000, 70 * 90).reshape(70, 90).round().astype(np.uint16)
    for result in (restore(ramp, "all").image, chain(ramp, "all").image):
        assert result.dtype == np.uint16
        assert np.unique(result).size > 5_000 and np.unique(result % 257).size == 257


def test_what_alpha_hides_stays_and_does_not_bleed_into_the_region(restore):
    image = np.zeros((70, 90, 4), np.uint8)
    image[..., :3] = 9, 8, 7
    image[:, 45:] = 200, 120, 40, 255
    boxes = [(50, 20, 30, 30)]
    result = restore(image, boxes).image
    np.testing.assert_array_equal(result[:, :45], image[:, :45])
    opaque = np.broadcast_to(image[0, 89, :3], (70, 90, 3))
    np.testing.assert_array_equal(result[:, 45:, :3], restore(opaque, boxes).image[:, 45:])


def test_a_file_becomes_a_picture_that_keeps_its_profile(restore, chain, tmp_path):
    from PIL import ImageCms

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files.write(tmp_path / "in.png", files.Picture(noise(70, 90, 3), icc=icc))
    for result, shape in (
        (restore(tmp_path / "in.png", "all").image, (70, 90, 3)),
        (chain(tmp_path / "in.png", "all").image, (140, 180, 3)),
    ):
        assert result.pixels.shape == shape and result.icc == icc
    assert restore.segment(tmp_path / "in.png").mask.shape == (70, 90)


def test_one_pixel_passes_all_stages(restore, chain):
    pixel = np.full((1, 1, 3), 99, np.uint8)
    assert restore.segment(pixel).mask.shape == (1, 1)
    assert restore(pixel, [(0, 0, 1, 1)]).image.shape == (1, 1, 3)
    assert chain(pixel).image.shape == (2, 2, 3)


def test_no_region_runs_no_restorer(restore):
    image = noise(70, 90, 3)
    result = restore(image, np.zeros((70, 90), bool))
    np.testing.assert_array_equal(result.image, image)
    assert result.tiles == 0 and not result.mask.any()


def test_images_of_other_sizes_compile_nothing_new(restore):
    for size in ((300, 280), (260, 310)):
        restore(noise(*size, 3), [(100, 90, 20, 20)])
    compiled = set(restore._tiled._runner._programs)
    restore(noise(333, 222, 3), [(150, 160, 9, 9)])
    assert set(restore._tiled._runner._programs) == compiled


def test_tiles_in_batches_that_they_do_not_fill_are_each_as_if_alone(restore, monkeypatch):
    image = noise(600, 600, 3)
    boxes = [(x, y, 20, 20) for x, y in ((10, 10), (560, 10), (10, 560), (560, 560), (280, 280))]
    expected = restore(image, boxes)
    assert expected.tiles > 4
    monkeypatch.setattr(TiledRestorer, "_each", lambda *_: 2)
    for devices in (jax.local_devices()[:1], jax.local_devices()[:2]):
        batched = Restore(restore.network, restore.params, devices=devices)
        np.testing.assert_array_equal(batched(image, boxes).image, expected.image)


def test_less_memory_means_smaller_tiles_and_none_an_error(restore, monkeypatch, caplog):
    image, one = noise(400, 500, 3), jax.local_devices()[:1]
    before = Restore(restore.network, restore.params, devices=one)
    expected = before(image, "all")
    assert expected.tiles == 1
    (program,) = before._tiled._runner._programs.values()
    needed = program.memory
    monkeypatch.setattr(runner, "free_memory", lambda device: needed)  # not all of it may be used
    after = Restore(restore.network, restore.params, devices=one)
    for limited in (before, after):  # what is compiled already is not run, either
        result = limited(image, "all")
        assert result.tiles > 1
        assert np.abs(result.image.astype(int) - expected.image).max() <= 1
    assert "tiles exceed the memory, trying those of 512 pixels" in caplog.text
    monkeypatch.setattr(runner, "free_memory", lambda device: 1000)
    with pytest.raises(ValueError, match="not enough memory"):
        before(image, "all")


@pytest.mark.parametrize(
    ("roi", "message"),
    [
        ([(95, 5, 10, 10)], "lies outside the image of 90×70"),
        (np.zeros((5, 5), bool), "the mask is 5×5, the image 90×70"),
        (np.full((70, 90), 2.0), r"in \[0, 1\], got 2"),
        ([], "no boxes given"),
        ("face", "face: no such file; a region is 'auto', 'all', boxes, a mask or its file"),
    ],
    ids=["box", "size", "range", "none", "word"],
)
def test_regions_that_cannot_be_are_refused(restore, roi, message):
    with pytest.raises(ValueError, match=message):
        restore(noise(70, 90, 3), roi)


def test_without_a_segmenter_a_region_has_to_be_given(restore):
    with pytest.raises(ValueError, match="no segmenter to find the region"):
        Restore(restore.network, restore.params)(noise(70, 90, 3))


def test_classes_have_masks_and_labels_that_agree(make):
    segmenter = Segment(*make("attention_unet", classes=3), ["background", "cat", "dog"])
    image = noise(50, 60, 3)
    labels = segmenter.labels(image)
    assert labels.dtype == np.uint8 and labels.shape == (50, 60) and np.unique(labels).size > 1
    for index, name in enumerate(segmenter.classes):
        mask = segmenter(image, name).mask
        np.testing.assert_array_equal(mask > masks.REGION, labels == index)
        np.testing.assert_array_equal(mask, segmenter(image, index).mask)
    expected = jax.jit(functools.partial(segment.saliency, segmenter.network))(
        segmenter.params, to_float(image)[None]
    )
    np.testing.assert_allclose(segmenter(image).mask, expected[0], atol=1e-5)
    with pytest.raises(ValueError, match="no class 'cow'; there are: background, cat, dog"):
        segmenter(image, "cow")
    with pytest.raises(ValueError, match="no class '3'"):
        segmenter(image, "3")
    with pytest.raises(ValueError, match="no class -1"):
        segmenter.index(-1)
    assert Segment(segmenter.network, segmenter.params, ["0", "2", "1"]).index("1") == 2
    with pytest.raises(ValueError, match="2 names for the 3 classes"):
        Segment(segmenter.network, segmenter.params, ["a", "b"])


def test_without_classes_there_is_none_to_name(segmenter):
    image = noise(50, 60, 3)
    region = segmenter(image).mask > masks.REGION
    np.testing.assert_array_equal(segmenter.labels(image) == 1, region)
    with pytest.raises(ValueError, match="tells only what stands out"):
        segmenter(image, 1)


@pytest.mark.slow
def test_weights_files_become_chains_and_others_are_refused(make, tmp_path):
    files = {}
    for name, options in (
        ("span_compact", {"scale": 2}),
        ("attention_unet", {"classes": 2}),
        ("window_restorer", {}),
    ):
        files[name] = tmp_path / f"{name}.safetensors"
        _, params = make(name, **options)
        notes = {"classes": "rest,thing"} if options.get("classes") else {}
        saved = weights.Weights(name, OPTIONS[name] | options, params, notes)
        weights.write(files[name], saved)
    upscaler, segmenter, restorer = files.values()
    chain = pipeline.load_chain(upscaler=upscaler, segmenter=segmenter, restorer=restorer)
    assert chain.scale == 2 and chain.segment.classes == ("rest", "thing")
    image = noise(40, 30, 3, dtype=np.float32)
    result = chain(image, lambda image: chain.segment(image, "thing"))
    assert result.image.shape == (80, 60, 3)
    stages, params = pipeline.load_stages(2, upscaler=upscaler, segment=segmenter, restore=restorer)
    assert stages.features
    pure = jax.jit(functools.partial(run_chain, stages))(params, image[None])
    np.testing.assert_allclose(chain(image).image, pure.image[0], atol=1e-5)
    with pytest.raises(ValueError, match="segmenter weights"):
        pipeline.load_restorer(segmenter)
    with pytest.raises(ValueError, match="no such weights file"):
        pipeline.load_segmenter(tmp_path / "nothere.safetensors")


def test_parameters_are_placed_once_and_only_images_and_results_travel(chain, segmenter):
    images = noise(70, 90, 3), noise(100, 60, 4, dtype=np.uint16)
    with jax.transfer_guard("disallow"):
        for image in images:
            result = chain(image)
            assert result.tiles > 0
            assert segmenter.in_boxes(image, [(0, 0, 40, 40), (30, 20, 20, 20)]).mask.any()
    for stage in (chain.upscale, segmenter):
        assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(stage.params))


def test_other_parameters_of_the_restorer_are_other_results_by_the_same_programs(
    chain, restore, monkeypatch
):
    image = noise(70, 90, 3)
    before = [run(image, "all").image for run in (restore, chain)]
    monkeypatch.setattr(runner.Runner, "_compile", lambda *_: pytest.fail("compiled again"))
    half = jax.tree.map(lambda leaf: leaf / 2, restore.params)
    others = restore.with_params(half), chain.with_restorer(half)
    for run, other, expected in zip((restore, chain), others, before, strict=True):
        assert (other(image, "all").image != expected).any()
        np.testing.assert_array_equal(run(image, "all").image, expected)


def test_a_pure_chain_that_cannot_find_a_region_wants_a_mask(pure):
    stages, params = pure
    with pytest.raises(ValueError, match="no stage finds the region; give a mask"):
        run_chain(dataclasses.replace(stages, segment=None), params, noise(1, 8, 8, 3) / 255)


@pytest.mark.parametrize("scale", [0, -1, 5])
def test_a_chain_of_no_scale_is_refused_at_once(scale):
    with pytest.raises(ValueError, match=f"scale is one of 1, 2, 3, 4, 8 .*, got {scale}"):
        pipeline.load_stages(scale)


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 300),
    scale=st.integers(2, 4),
    reach=st.integers(0, 40),
    unit=st.sampled_from([1, 8, 16]),
    data=st.data(),
)
def test_a_tiles_part_of_the_small_image_has_its_windows(size, scale, reach, unit, data):
    length = data.draw(st.integers(1, scale * size))
    start = data.draw(st.integers(0, scale * size - length))
    found = part(slice(start, start + length), size, scale, reach, unit)
    assert 0 <= found.start <= max(0, start // scale - reach)
    assert min(size, -(-(start + length) // scale) + reach) <= found.stop <= size
    assert found.start % unit == 0 and (size - found.stop) % unit == 0
    first = part(slice(0, length), size, scale, reach, unit)
    assert found.stop - found.start == first.stop - first.start  # one shape for all tiles


def test_tiles_see_the_windows_that_the_whole_image_has(make, random_params):
    network = networks.create("swinir_light", scale=2, features=8, groups=1, depth=1, heads=2)
    params = random_params(network, gain=0.5)
    restorer = make("window_restorer")
    image, boxes = noise(290, 271, 3, dtype=np.float32), [(110, 120, 20, 20)]
    chain = Chain(Upscale(network, params), Restore(*restorer), features=False)
    upscaled, result = chain.upscale(image).image, chain(image, boxes)
    assert result.tiles == 1
    alone = Restore(*restorer)(upscaled, result.mask)  # of what the whole image was upscaled to
    np.testing.assert_allclose(result.image, alone.image, atol=2e-5)


def test_everything_that_is_called_returns_one_kind_of_result(chain, restore, segmenter, pure):
    image = noise(40, 30, 3)
    results = {
        "upscaled": (chain.upscale(image), {"image"}),
        "segmented": (segmenter(image), {"mask"}),
        "restored": (restore(image, "all"), {"image", "mask", "tiles"}),
        "all": (chain(image), {"image", "mask", "tiles"}),
        "pure": (
            jax.jit(functools.partial(run_chain, pure[0], core=32))(pure[1], to_float(image)[None]),
            {"image", "mask", "fused", "left_over"},
        ),
    }
    fields = [field.name for field in dataclasses.fields(Result)]
    for result, there in results.values():
        assert type(result) is Result
        assert {name for name in fields if getattr(result, name) is not None} == there


def test_a_region_is_a_file_too_and_a_finder_may_return_a_result(restore, segmenter, tmp_path):
    image = noise(70, 90, 3)
    mask = boxes_mask([(10, 20, 40, 30)], 70, 90)
    files.write(tmp_path / "mask.png", files.Picture(np.uint8(255 * mask)[..., None]))
    expected = restore(image, mask)
    for roi in (tmp_path / "mask.png", str(tmp_path / "mask.png"), lambda colour: mask):
        np.testing.assert_array_equal(restore(image, roi).image, expected.image)
    found = restore(image, segmenter)
    np.testing.assert_array_equal(found.mask, segmenter(image).mask)
