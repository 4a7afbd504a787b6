"""The segmentation task: its losses by hand, its config, and that it learns and measures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.special

from jaxsr.data.masks import IGNORED
from jaxsr.evaluation.regions import classes, saliency, segmenters
from jaxsr.networks import create_segmenter
from jaxsr.training import segmentation
from jaxsr.training.loop import TASKS
from jaxsr.training.optimizer import make_optimizer
from jaxsr.training.parallel import make_mesh, map_step, replicate, shard_batch
from jaxsr.training.state import new_state
from jaxsr.training.step import make_step

SMALL = {"features": (8, 8), "layers": 0, "side": 32}
COLOURS = np.array([[40, 40, 40], [220, 40, 40], [40, 60, 220]], np.uint8)  # of the classes


def scene(seed, height=40, width=48):
    """Labels of a few rectangles, 255 along the lowest row, and an image that shows them."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint8)
    for label in (1, 2):
        y, x = rng.integers(0, height // 2), rng.integers(0, width // 2)
        labels[y : y + height // 2, x : x + width // 2] = label
    image = COLOURS[labels] + rng.integers(0, 30, (height, width, 3), np.uint8)
    labels[-1] = 255
    return image, labels


@pytest.fixture(scope="module")
def folder(folder_of):
    scenes = {f"{i}.png": scene(i) for i in range(4)}
    parts = ({name: one[part] for name, one in scenes.items()} for part in (0, 1))
    return folder_of(*parts)


@pytest.fixture(params=["binary", "three classes"])
def config(request, folder, module_at):
    config = module_at("configs/roi/segment.py").get_config()
    config.data.update(source=f"folder:{folder}", cache=str(folder / "cache"), crop=32)
    classes = (0, (1, 2)) if request.param == "binary" else (0, 1, 2)
    config.data.update(mask_classes=classes, mask_ignored=(255,), augment=False)
    config.model.options = SMALL | {"classes": 1 if request.param == "binary" else 3}
    config.batch_size = 4
    config.eval_data = str(folder)
    config.optimizer.update(warmup_steps=0, learning_rate=5e-3)
    return config


@pytest.mark.slow
def test_the_task_learns_and_its_figures_say_so(config, folder, random_params):
    task = TASKS[config.task](config)
    assert task.dataset.names[2] == str(folder / "images/2.png")
    optimizer, _ = make_optimizer(config.optimizer, 30)
    mesh = make_mesh(jax.devices()[:1])
    step = map_step(make_step(task.loss, optimizer), mesh)
    network = create_segmenter(config.model.name, **config.model.options)
    params = random_params(network, jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32))
    fresh = jax.eval_shape(task.init, jax.random.key(0))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(lambda a: a.shape, fresh)
    state = replicate(new_state(params, optimizer), mesh)
    before, _ = task.evaluate(params)
    losses = []
    for batch, _ in zip(task.dataset, range(30), strict=False):
        batch = {k: v for k, v in batch.items() if k != "index"}
        state, metrics = step(state, shard_batch(batch, mesh), {})
        losses.append(float(metrics["loss"]))
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    after, pictures = task.evaluate(jax.device_get(state.params))
    if config.model.options.classes == 1:
        assert before.keys() == after.keys() == {"mae", "max_f", "iou"}
        assert after["mae"] < before["mae"] / 2 and after["max_f"] > 0.9 and after["iou"] > 0.8
    else:
        assert before.keys() == after.keys() == {"mean_iou"}
        assert after["mean_iou"] > max(0.7, before["mean_iou"])
    assert len(pictures) == config.eval_pictures
    assert all(x.shape == (40, 3 * 48, 3) and x.dtype == np.uint8 for x in pictures.values())


@pytest.mark.parametrize("config", ["binary"], indirect=True)
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("crop", 36, "crop is 36; make it a multiple of 8"),
        ("mask_classes", (0, 1, 2), r"options\.classes is 1, config\.data\.mask_classes has 3"),
        ("mask_classes", (0,), "give the values of 2 to 255 classes"),
        ("source", "folder:nowhere", "no such folder"),
    ],
)
def test_options_that_do_not_go_together_are_refused(option, value, message, config):
    config.data[option] = value
    with pytest.raises(ValueError, match=message):
        TASKS[config.task](config)


@pytest.mark.parametrize("config", ["binary"], indirect=True)
@pytest.mark.parametrize("outputs", [1, 2])
def test_masks_without_classes_are_for_one_logit_or_two(outputs, config):
    config.data.update(mask_classes=(), mask_ignored=())
    config.model.options.classes = outputs
    assert len(TASKS[config.task](config).dataset.names) == 4


# Losses


def random_case(shape=(2, 12, 10), count=1):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (*shape, count)).astype(np.float32)
    labels = rng.integers(0, max(count, 2), shape).astype(np.int32)
    return jnp.asarray(logits), jnp.asarray(labels)


def soft_iou(p, truth):
    """Of one image and class, in NumPy."""
    both = (p * truth).sum()
    return (both + 1) / (p.sum() + truth.sum() - both + 1)


def dice_of_outlines(p, truth):
    """Of one image and class, in SciPy: −∞ lies beyond the border."""

    def outline(x):
        return scipy.ndimage.grey_dilation(1 - x, (5, 5), mode="constant", cval=0.0) - (1 - x)

    a, b = outline(p), outline(truth)
    return (2 * (a * b).sum() + 1) / (a.sum() + b.sum() + 1)


def test_the_binary_loss_is_what_numpy_and_scipy_make_of_it():
    logits, labels = random_case()
    x, truth = np.asarray(logits[..., 0], float), np.asarray(labels, float)
    p = scipy.special.expit(x)
    entropy = -(scipy.special.xlogy(truth, p) + scipy.special.xlog1py(1 - truth, -p)).mean()
    iou = np.mean([soft_iou(*pair) for pair in zip(p, truth, strict=True)])
    dice = np.mean([dice_of_outlines(*pair) for pair in zip(p, truth, strict=True)])
    loss, parts = jax.jit(segmentation.segmentation_loss)(logits, labels)
    found = [parts[name] for name in ("cross_entropy", "iou_loss", "boundary_loss")]
    np.testing.assert_allclose(found, [entropy, 1 - iou, 1 - dice], rtol=1e-5)
    np.testing.assert_allclose(loss, entropy + 1 - iou + 1 - dice, rtol=1e-5)


def test_the_loss_of_classes_is_what_numpy_and_scipy_make_of_it():
    logits, labels = random_case(count=4)
    x, truth = np.asarray(logits, float), np.eye(4)[np.asarray(labels)]
    entropy = -(scipy.special.log_softmax(x, -1) * truth).sum(-1).mean()
    p = scipy.special.softmax(x, -1)
    planes = [(p[b, ..., c], truth[b, ..., c]) for b in range(2) for c in (1, 2, 3)]
    iou, dice = (np.mean([f(*pair) for pair in planes]) for f in (soft_iou, dice_of_outlines))
    loss, parts = jax.jit(segmentation.segmentation_loss)(logits, labels)
    found = [parts[name] for name in ("cross_entropy", "iou_loss", "boundary_loss")]
    np.testing.assert_allclose(found, [entropy, 1 - iou, 1 - dice], rtol=1e-5)
    np.testing.assert_allclose(loss, entropy + 1 - iou + 1 - dice, rtol=1e-5)


def plane(rows):
    return jnp.asarray(rows, jnp.float32)[None, ..., None]


def test_iou_by_hand():
    p, truth = plane([[1, 1, 0, 0.5]]), plane([[1, 0, 0, 1]])
    # intersection 1.5; union 2.5 + 2 − 1.5 = 3; one is added to both
    np.testing.assert_allclose(segmentation.iou_loss(p, truth), 1 - 2.5 / 4, rtol=1e-6)
    known = plane([[1, 0, 1, 1]])  # union 2
    np.testing.assert_allclose(segmentation.iou_loss(p, truth, known), 1 - 2.5 / 3, rtol=1e-6)
    assert segmentation.iou_loss(truth, truth) == 0


def test_boundaries_by_hand():
    truth = plane(
        [[0, 0, 1, 1, 1, 1]]
    )  # its outline is columns 2 and 3, 5 pixels wide being 2 beside
    p = plane([[0, 0, 0, 1, 1, 1]])  # 3 and 4
    np.testing.assert_allclose(segmentation.boundary_loss(p, truth), 1 - 3 / 5, rtol=1e-6)
    assert segmentation.boundary_loss(truth, truth) == 0
    known = plane(
        [[1, 1, 0, 1, 1, 1]]
    )  # outlines now are column 3, and 4 as far as column 2 is outside
    np.testing.assert_allclose(segmentation.boundary_loss(p, truth, known), 0, atol=1e-6)
    nothing = jnp.zeros_like(p)
    np.testing.assert_allclose(segmentation.boundary_loss(nothing, truth), 1 - 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("count", [1, 3])
def test_ignored_pixels_count_for_nothing(count):
    logits, labels = random_case(count=count)
    labels = labels.at[:, 3:6, 2:7].set(IGNORED)
    loss_and_slope = jax.value_and_grad(segmentation.segmentation_loss, has_aux=True)
    loss_and_slope = jax.jit(loss_and_slope)
    (loss, _), slope = loss_and_slope(logits, labels)
    ignored = np.asarray(labels) == IGNORED
    assert np.isfinite(loss) and not np.any(slope[ignored])
    assert np.all(np.any(slope[~ignored], axis=-1))
    other = jnp.where(ignored[..., None], 7.0, logits)
    np.testing.assert_array_equal(loss_and_slope(other, labels)[0][0], loss)


def test_a_batch_of_nothing_but_ignored_pixels_has_a_loss():
    logits, labels = random_case()
    assert segmentation.segmentation_loss(logits, jnp.full_like(labels, IGNORED))[0] == 0


# Figures


def test_mean_iou_by_hand():
    found, truth = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    matrix = classes.confusion(found, truth, 4)
    assert matrix.tolist() == [[1, 0, 1, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(classes.ious(matrix), [1 / 3, 2 / 3, 0, np.nan])
    np.testing.assert_allclose(classes.mean_iou(matrix), 1 / 3)


def test_an_images_figures_are_of_its_known_pixels():
    rng = np.random.default_rng(0)
    p, labels = rng.random((6, 8, 1)), rng.integers(0, 2, (6, 8)).astype(np.uint8)
    p[:, 0, 0], p[:, 1, 0] = 0, 1  # extremes among what is known: figures stretch to them
    labels[:, 5:] = IGNORED
    score = segmenters.measure_one("x", p[..., 0], labels, 0)
    cut = saliency.score("x", p[:, :5, 0], labels[:, :5] == 1)
    assert (score.mae, score.max_f, score.iou) == (cut.mae, cut.max_f, cut.iou)
    matrix = segmenters.measure_one("x", (p[..., 0] > 0.5).astype(np.uint8), labels, 2)
    assert matrix.sum() == 30
