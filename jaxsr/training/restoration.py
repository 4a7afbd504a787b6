"""The restoration task: regions freed of blur, noise, JPEG, our codec's artefacts and upscaling's residue."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Float, PRNGKeyArray

from jaxsr import codec, networks, zoo
from jaxsr.codec.model import Model
from jaxsr.data import pipeline
from jaxsr.errors import UserError
from jaxsr.evaluation.regions import restorers
from jaxsr.networks.window_restorer import PATCH, features_at
from jaxsr.training.losses import weighted
from jaxsr.training.rectangles import rectangles
from jaxsr.training.task import Task, evaluation

Image = Float[Array, "h w 3"]
SCALES = (1, 2, 3, 4)  # 1: degraded at its own size; the others are upscaled by released weights


def restoration(config: ml_collections.ConfigDict) -> Task:
    """Builds the task from a run's config (``jaxsr.training.config``).

    Every example is a crop for each of ``SCALES`` and one that passes the codec of ``config.codec``. A crop
    whose region comes out worse than it was counts ``config.harm`` times more by what it lost.

    Raises:
      UserError: there is no such network, upscaler, codec or source of images.
    """
    options = config.model.options.to_dict()
    network = networks.create_restorer(config.model.name, **options, dtype=jnp.dtype(config.dtype))
    if config.data.crop % network.multiple:
        raise UserError(
            f"config.data.crop is {config.data.crop}; make it a multiple of {network.multiple}"
        )
    each = jax.vmap(weighted_of_one(config.loss.to_dict()))
    upscalers = {scale: frozen_upscaler(config.upscaler, scale) for scale in SCALES[1:]}
    coder = codec.load(config.codec)
    dataset = pipeline.restoration(
        config.data,
        scales=SCALES,
        batch_size=config.batch_size // jax.process_count(),
        seed=config.seed,
        shard_index=jax.process_index(),
        shard_count=jax.process_count(),
    )
    grid = config.data.crop // PATCH

    def init(key):
        x = jnp.zeros((1, network.multiple, network.multiple, 3))
        _, f = upscalers[PATCH](x[:, ::PATCH, ::PATCH])
        return network.init(key, x, x[..., :1], f)["params"]

    def inputs(batch, key):
        """Images to restore and the features they were fused from, zeros where they were not."""
        low = {scale: batch[f"low_{scale}"].astype(jnp.float32) / 255 for scale in SCALES}
        images, features = [low[1]], []
        for scale, upscale in upscalers.items():
            y, f = upscale(low[scale])
            images.append(jnp.clip(y, 0, 1))
            features.append(features_at(f, scale, grid, grid))
        images.append(coded(coder, batch["high"][:, -1].astype(jnp.float32) / 255, key))
        none = jnp.zeros_like(features[0])
        return jnp.stack(images, 1), jnp.stack([none, *features, none], 1)

    def loss(params, batch):
        coding, masking = jax.random.split(jax.random.key(batch["seed"][0]))
        images, features = (
            jax.lax.stop_gradient(x.reshape(-1, *x.shape[2:])) for x in inputs(batch, coding)
        )
        high = batch["high"].reshape(images.shape).astype(jnp.float32) / 255
        mask = draw_masks(masking, *images.shape[:3])
        restored = network.apply({"params": params}, images, mask, features)
        errors = each(images + mask * (restored - images), high)
        harm = jnp.maximum(errors - each(images, high), 0)
        return jnp.mean(errors + config.harm * harm)

    names = dataset.names
    return Task(
        init,
        loss,
        dataset,
        names=lambda indices: [names[i] for i in indices],
        evaluate=evaluation(config, restorers.evaluator, upscaler=config.upscaler),
    )


def weighted_of_one(weights: Mapping[str, float]) -> Callable[[Image, Image], Float[Array, ""]]:
    """:func:`jaxsr.training.losses.weighted` for one image and its target, without a batch axis."""
    loss = weighted(weights)
    return lambda output, target: loss(output[None], target[None])


def frozen_upscaler(name: str, scale: int):
    """Low-resolution images → their high-resolution images and enhanced features, by released weights."""
    weights = zoo.read_upscaler(name, scale)
    network = networks.create(weights.network, **weights.options)
    params = {"params": weights.params}
    return lambda x: network.apply(params, x, method="with_features")


def coded(
    coder: Model, images: Float[Array, "b h w 3"], key: PRNGKeyArray
) -> Float[Array, "b h w 3"]:
    """What the codec makes of images, at qualities drawn from 1 to 70."""
    drawing, noise = jax.random.split(key)
    quality = jax.random.uniform(drawing, images.shape[:1], minval=1.0, maxval=70.0)
    output, _ = codec.rate_distortion(images, quality, key=noise, model=coder)
    return jnp.clip(output, 0, 1)


def draw_masks(key: PRNGKeyArray, count: int, height: int, width: int) -> Float[Array, "b h w 1"]:
    """Of every second image all is the region, of the others a rectangle."""
    mask = rectangles(key, count, height, width) | (jnp.arange(count) % 2 == 0)[:, None, None]
    return mask[..., None].astype(jnp.float32)
