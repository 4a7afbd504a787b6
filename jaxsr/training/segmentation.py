"""The segmentation task: which pixels belong to the region of interest, or to which class."""

import functools
import operator

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import optax
from jaxtyping import Array, Float, Int

from jaxsr import networks
from jaxsr.data import masks, pipeline
from jaxsr.errors import UserError
from jaxsr.evaluation.regions import segmenters
from jaxsr.networks import layers
from jaxsr.training.task import Task, evaluation, share_of_host


def segmentation(config: ml_collections.ConfigDict) -> Task:
    """Build the task from a run's config (``jaxsr.training.config``).

    Raises:
      UserError: there is no such network or source of images with masks, the network has another
        number of classes than the masks, or an option cannot be.
    """
    options = config.model.options.to_dict()
    network = networks.create_segmenter(config.model.name, **options, dtype=jnp.dtype(config.dtype))
    if config.data.crop % network.multiple:
        raise UserError(
            f"config.data.crop is {config.data.crop}; make it a multiple of {network.multiple}"
        )
    legend = masks.legend_of(config.data.mask_classes, config.data.mask_ignored)
    if network.classes not in ((1, 2) if legend.count == 2 else (legend.count,)):
        raise UserError(
            f"config.model.options.classes is {network.classes}, config.data.mask_classes "
            f"has {legend.count}; make them the same"
        )
    dataset = pipeline.segmentation(config.data, **share_of_host(config))

    def init(key):
        return network.init(key, jnp.zeros((1, network.multiple, network.multiple, 3)))["params"]

    def loss(params, batch, frozen):
        logits = layers.apply(network, params, batch["image"].astype(jnp.float32) / 255)
        return segmentation_loss(logits, batch["mask"].astype(jnp.int32))

    evaluate = evaluation(
        config,
        segmenters.evaluator,
        legend=legend,
        cache=config.data.cache,
        data_dir=config.data.data_dir,
    )
    return Task(init, loss, dataset, evaluate=evaluate)


def segmentation_loss(
    logits: Float[Array, "b h w classes"], labels: Int[Array, "b h w"]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Sum cross-entropy, soft IoU loss and boundary loss, each a mean over images and classes.

    A single logit is that of class 1; several are those of a softmax, and the IoU and the boundary
    are of every class but the background, 0. Pixels labelled ``masks.IGNORED`` count for nothing.

    Returns:
      The sum, and its parts by their names.
    """
    known = labels != masks.IGNORED
    labels = jnp.where(known, labels, 0)
    if logits.shape[-1] == 1:
        truth = (labels[..., None] == 1).astype(jnp.float32)
        entropy = optax.sigmoid_binary_cross_entropy(logits, truth)[..., 0]
        p = jax.nn.sigmoid(logits)
    else:
        entropy = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        p = jax.nn.softmax(logits)[..., 1:]
        truth = jax.nn.one_hot(labels, logits.shape[-1])[..., 1:]
    # the mean of each image's mean, not of all pixels: it must not matter which images a device has
    entropy = jnp.sum(entropy * known, (1, 2)) / jnp.maximum(jnp.sum(known, (1, 2)), 1)
    known = known[..., None].astype(jnp.float32)
    parts = {
        "cross_entropy": jnp.mean(entropy),
        "iou_loss": iou_loss(p, truth, known),
        "boundary_loss": boundary_loss(p, truth, known),
    }
    return functools.reduce(operator.add, parts.values()), parts


def iou_loss(
    p: Float[Array, "b h w c"],
    truth: Float[Array, "b h w c"],
    known: Float[Array, "b h w 1"] | float = 1.0,
) -> Float[Array, ""]:
    """Return one minus the intersection over the union of probabilities, where ``known`` is 1.

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
    """Return one minus Dice's coefficient of the outlines of two regions.

    An outline is what a maximum filter of ``width`` pixels adds to the outside. Where ``known`` is
    0 there is neither outline nor outside. Source: Bokhovkin and Burnaev, "Boundary Loss for
    Remote Sensing Imagery Semantic Segmentation" (2019), eqs. 3 and 6.
    """

    def outline(x):
        outside = known * (1 - x)
        grown = nn.max_pool(outside, (width, width), (1, 1), "SAME")
        return known * (grown - outside)

    a, b = outline(p), outline(truth)
    both, sizes = (jnp.sum(x, axis=(1, 2)) for x in (a * b, a + b))
    return 1 - jnp.mean((2 * both + 1) / (sizes + 1))
