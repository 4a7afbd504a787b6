"""The segmentation task: which places of an image belong to its region of interest, or to which class."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import optax
from jaxtyping import Array, Float, Int

from jaxsr import networks
from jaxsr.data import pipeline
from jaxsr.training.task import Task


def segmentation(config: ml_collections.ConfigDict) -> Task:
    """Builds the task from a run's config (``jaxsr.training.config``)."""
    options = config.model.options.to_dict()
    network = networks.create_segmenter(config.model.name, **options, dtype=jnp.dtype(config.dtype))
    if config.data.crop % network.multiple:
        raise ValueError(
            f"config.data.crop is {config.data.crop}; make it a multiple of {network.multiple}"
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
    return Task(init, loss, dataset, names=lambda indices: [names[i] for i in indices])


def segmentation_loss(
    logits: Float[Array, "b h w classes"], labels: Int[Array, "b h w"]
) -> Float[Array, ""]:
    """Cross-entropy + soft IoU loss + boundary loss, each a mean over images and classes.

    One logit is one of "belongs to class 1"; several are of a softmax, where the IoU and the boundary
    are of each class but the background, 0.
    """
    if logits.shape[-1] == 1:
        truth = (labels[..., None] == 1).astype(jnp.float32)
        entropy = optax.sigmoid_binary_cross_entropy(logits, truth)
        p = jax.nn.sigmoid(logits)
    else:
        entropy = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        p = jax.nn.softmax(logits)[..., 1:]
        truth = jax.nn.one_hot(labels, logits.shape[-1])[..., 1:]
    return jnp.mean(entropy) + iou_loss(p, truth) + boundary_loss(p, truth)


def iou_loss(p: Float[Array, "b h w c"], truth: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """One minus the intersection over the union, of probabilities.

    Source: Máttyus et al., "DeepRoadMapper" (2017), eq. 3; as in BASNet (Qin et al., 2019).
    """
    both = jnp.sum(p * truth, axis=(1, 2))
    either = jnp.sum(p + truth, axis=(1, 2)) - both
    return 1 - jnp.mean((both + 1) / (either + 1))


def boundary_loss(
    p: Float[Array, "b h w c"], truth: Float[Array, "b h w c"], width: int = 5
) -> Float[Array, ""]:
    """One minus Dice's coefficient of the two outlines, ``width`` pixels thick.

    An outline is what a maximum filter adds to the background (Bokhovkin and Burnaev, "Boundary Loss for
    Remote Sensing Imagery Semantic Segmentation", 2019, eq. 3; theirs also is the F1 of eq. 6).
    """

    def outline(x):
        outside = 1 - x
        grown = nn.max_pool(outside, (width, width), (1, 1), "SAME")
        return grown - outside

    a, b = outline(p), outline(truth)
    both, sizes = (jnp.sum(x, axis=(1, 2)) for x in (a * b, a + b))
    return 1 - jnp.mean((2 * both + 1) / (sizes + 1))
