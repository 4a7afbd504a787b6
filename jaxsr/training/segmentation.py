"""The segmentation task: which places of an image belong to its region of interest, or to which class."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from jaxtyping import Array, Float, Int, UInt8

from jaxsr import networks
from jaxsr.data import masked, pipeline
from jaxsr.errors import UserError
from jaxsr.evaluation.regions import saliency
from jaxsr.evaluation.regions.classes import confusion, mean_iou
from jaxsr.image.values import from_float, to_float
from jaxsr.regions import segment
from jaxsr.training.task import Task


def segmentation(config: ml_collections.ConfigDict) -> Task:
    """Builds the task from a run's config (``jaxsr.training.config``).

    Raises:
      UserError: there is no such network or source of images with masks, the network has not as many
        classes as the masks, or an option cannot be.
    """
    options = config.model.options.to_dict()
    network = networks.create_segmenter(config.model.name, **options, dtype=jnp.dtype(config.dtype))
    if config.data.crop % network.multiple:
        raise UserError(
            f"config.data.crop is {config.data.crop}; make it a multiple of {network.multiple}"
        )
    legend = masked.legend_of(config.data.mask_classes, config.data.mask_ignored)
    if network.classes not in ((1, 2) if legend.count == 2 else (legend.count,)):
        raise UserError(
            f"config.model.options.classes is {network.classes}, config.data.mask_classes "
            f"has {legend.count}; make them the same"
        )
    dataset = pipeline.segmentation(
        config.data,
        batch_size=config.batch_size // jax.process_count(),
        seed=config.seed,
        shard_index=jax.process_index(),
        shard_count=jax.process_count(),
    )

    def init(key):
        return network.init(key, jnp.zeros((1, network.multiple, network.multiple, 3)))["params"]

    def loss(params, batch):
        logits = network.apply({"params": params}, batch["image"].astype(jnp.float32) / 255)
        return segmentation_loss(logits, batch["mask"].astype(jnp.int32))

    names = dataset.names
    return Task(
        init,
        loss,
        dataset,
        names=lambda indices: [names[i] for i in indices],
        evaluate=_evaluation(config, legend) if config.eval_data else None,
    )


def _evaluation(config: ml_collections.ConfigDict, legend):
    """Figures of ``config.eval_data``'s images at their own sizes, by masks such as training's."""
    spec = config.eval_data
    spec = spec if spec.startswith(("folder:", "tfds:")) else f"folder:{spec}"
    source = masked.open_masked(spec, legend, config.data.cache, config.data.data_dir)
    # measured in float32; jitted here, so that evaluations compile once
    network = networks.create_segmenter(config.model.name, **config.model.options.to_dict())
    probabilities = jax.jit(functools.partial(segment.probabilities, network))

    def find(params, image):
        squares = segment.squares([to_float(image)], network.side)
        return segment.fitted(np.asarray(probabilities(params, squares))[0], *image.shape[:2])

    def report(params):
        measured, pictures = [], {}
        with jax.default_matmul_precision("highest"):
            for index, name in enumerate(source.names):
                image, mask = source.pair(index)
                labels = legend.labels(mask)
                if np.all(labels == masked.IGNORED):
                    continue
                p = find(params, image)
                measured.append(measure(name, p, labels))
                if len(pictures) < config.eval_pictures:
                    pictures[name] = side_by_side(image, labels, p)
        return summary(measured), pictures

    return report


def measure(
    name: str, p: Float[np.ndarray, "h w classes"], labels: UInt8[np.ndarray, "h w"]
) -> saliency.Score | Int[np.ndarray, "classes classes"]:
    """One image's score where there is one class, else its confusion matrix; of its known pixels."""
    known = labels != masked.IGNORED
    p, labels = p[known], labels[known]
    if p.shape[-1] > 1:
        return confusion(p.argmax(-1), labels, p.shape[-1])
    one_row = np.clip(p.T, 0, 1)  # resizing rounds
    return saliency.score(name, one_row, labels[None] == 1)


def summary(measured: list) -> dict[str, float]:
    """MAE, max-Fβ and IoU of scores; mean IoU of confusion matrices."""
    if isinstance(measured[0], np.ndarray):
        return {"mean_iou": mean_iou(sum(measured))}
    result = saliency.Result("", tuple(measured))
    return {"mae": result.mae, "max_f": result.max_f, "iou": result.iou}


def side_by_side(
    image: UInt8[np.ndarray, "h w 3"],
    labels: UInt8[np.ndarray, "h w"],
    p: Float[np.ndarray, "h w classes"],
) -> UInt8[np.ndarray, "h w3 3"]:
    """Image, truth and what was found, classes as levels of gray; what is ignored is half gray."""
    last = max(1, p.shape[-1] - 1)
    truth = np.where(labels == masked.IGNORED, 0.5, labels / last)
    guess = p[..., 0] if p.shape[-1] == 1 else p.argmax(-1) / last
    grays = (np.repeat(from_float(x)[..., None], 3, axis=-1) for x in (truth, guess))
    return np.concatenate([image, *grays], axis=1)


def segmentation_loss(
    logits: Float[Array, "b h w classes"], labels: Int[Array, "b h w"]
) -> Float[Array, ""]:
    """Cross-entropy + soft IoU loss + boundary loss, each a mean over images and classes.

    One logit is one of "belongs to class 1"; several are of a softmax, where the IoU and the boundary
    are of each class but the background, 0. Pixels labelled ``masked.IGNORED`` count for nothing.
    """
    known = labels != masked.IGNORED
    labels = jnp.where(known, labels, 0)
    if logits.shape[-1] == 1:
        truth = (labels[..., None] == 1).astype(jnp.float32)
        entropy = optax.sigmoid_binary_cross_entropy(logits, truth)[..., 0]
        p = jax.nn.sigmoid(logits)
    else:
        entropy = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        p = jax.nn.softmax(logits)[..., 1:]
        truth = jax.nn.one_hot(labels, logits.shape[-1])[..., 1:]
    entropy = jnp.sum(entropy * known) / jnp.maximum(jnp.sum(known), 1)
    known = known[..., None].astype(jnp.float32)
    return entropy + iou_loss(p, truth, known) + boundary_loss(p, truth, known)


def iou_loss(
    p: Float[Array, "b h w c"],
    truth: Float[Array, "b h w c"],
    known: Float[Array, "b h w 1"] | float = 1.0,
) -> Float[Array, ""]:
    """One minus the intersection over the union, of probabilities; of the pixels where ``known`` is 1.

    Source: Máttyus et al., "DeepRoadMapper" (2017), eq. 3; as in BASNet (Qin et al., 2019).
    """
    both = jnp.sum(known * p * truth, axis=(1, 2))
    either = jnp.sum(known * (p + truth), axis=(1, 2)) - both
    return 1 - jnp.mean((both + 1) / (either + 1))


def boundary_loss(
    p: Float[Array, "b h w c"],
    truth: Float[Array, "b h w c"],
    known: Float[Array, "b h w 1"] | float = 1.0,
    width: int = 5,
) -> Float[Array, ""]:
    """One minus Dice's coefficient of the outlines of two regions.

    An outline is what a maximum filter of ``width`` pixels adds to the outside (Bokhovkin and Burnaev,
    "Boundary Loss for Remote Sensing Imagery Semantic Segmentation", 2019, eq. 3; theirs also is the F1
    of eq. 6). Where ``known`` is 0 there is neither outline nor outside.
    """

    def outline(x):
        outside = known * (1 - x)
        grown = nn.max_pool(outside, (width, width), (1, 1), "SAME")
        return known * (grown - outside)

    a, b = outline(p), outline(truth)
    both, sizes = (jnp.sum(x, axis=(1, 2)) for x in (a * b, a + b))
    return 1 - jnp.mean((2 * both + 1) / (sizes + 1))
