"""The segmentation task: which places of an image belong to its region of interest, or to which class."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import optax
from jaxtyping import Array, Float, Int

from jaxsr import networks
from jaxsr.data import masked, pipeline
from jaxsr.errors import UserError
from jaxsr.evaluation.regions import segmenters
from jaxsr.training.task import Task, evaluation


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
        evaluate=evaluation(
            config,
            segmenters.evaluator,
            legend=legend,
            cache=config.data.cache,
            data_dir=config.data.data_dir,
        ),
    )


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
