"""The compression task: one codec trained for all rates at once, or for one; and for regions."""

import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Float, PRNGKeyArray

from jaxsr import networks
from jaxsr.data import pipeline
from jaxsr.entropy.tables import STEP
from jaxsr.errors import UserError
from jaxsr.evaluation.codecs import task as codecs
from jaxsr.networks.compressor import DOWN, HYPER_DOWN, lambda_of
from jaxsr.training.rectangles import rectangles
from jaxsr.training.task import Task, evaluation

CROP_STEP = DOWN * HYPER_DOWN  # whole hyper-latents
REGION_STEPS = 16  # σ index steps such a region is at most apart: 17 dB


def compression(config: ml_collections.ConfigDict) -> Task:
    """Builds the task from a run's config (``jaxsr.training.config``).

    Raises:
      UserError: there is no such codec, rate or source of images, or an option cannot be.
    """
    if config.rate > 1:
        raise UserError(f"config.rate is {config.rate}; 0..1 is a rate, negative means all of them")
    if not 0 <= config.region_chance <= 1:
        raise UserError(f"config.region_chance is {config.region_chance}; it lies in 0..1")
    if config.data.crop % CROP_STEP:
        raise UserError(
            f"config.data.crop is {config.data.crop}; make it a multiple of {CROP_STEP}"
        )
    if config.dtype != "float32":
        raise UserError(f"config.dtype is {config.dtype!r}; compression trains in float32 only")
    network = networks.create_compressor(config.model.name, **config.model.options.to_dict())
    dataset = pipeline.compression(
        config.data,
        batch_size=config.batch_size // jax.process_count(),
        seed=config.seed,
        shard_index=jax.process_index(),
        shard_count=jax.process_count(),
    )

    def init(key):
        x, rate = jnp.zeros((1, 128, 128, 3)), jnp.zeros(1)
        return network.init(key, x, rate, jnp.zeros((1, 8, 8)), key)["params"]

    def loss(params, batch):
        image = batch["image"].astype(jnp.float32) / 255
        drawing, noise = jax.random.split(jax.random.key(batch["seed"][0]))
        rate, region = draw_rates(drawing, *image.shape[:3], config.rate, config.region_chance)
        coded = network.apply({"params": params}, image, rate, region, noise)
        return rate_distortion_loss(image, coded, rate, region)

    names = dataset.names
    return Task(
        init,
        loss,
        dataset,
        names=lambda indices: [names[i] for i in indices],
        evaluate=evaluation(config, codecs.evaluator, qualities=config.eval_qualities),
    )


def draw_rates(
    key: PRNGKeyArray,
    count: int,
    height: int,
    width: int,
    fixed: float = -1.0,
    region_chance: float = 0.25,
) -> tuple[Float[Array, "b"], Float[Array, "b h16 w16"]]:
    """A rate of 0..1 for each image, and now and then a rectangle coded finer or coarser.

    The rates of a batch are spread evenly, so that every step sees all of them, or all are ``fixed``
    where that is not negative. ``height`` and ``width`` are in pixels.
    """
    keys = jax.random.split(key, 4)
    rate = (jnp.arange(count) + jax.random.uniform(keys[0], (count,))) / count
    if fixed >= 0:
        rate = jnp.full(count, fixed, jnp.float32)
    inside = rectangles(keys[1], count, height // DOWN, width // DOWN)
    steps = jnp.round(jax.random.uniform(keys[2], (count,), minval=-1.0) * REGION_STEPS)
    chosen = jax.random.uniform(keys[3], (count,)) < region_chance
    return rate, inside * (steps * chosen)[:, None, None]


def rate_distortion_loss(image, coded, rate, region) -> Float[Array, ""]:
    """``(λ · 255² · mean squared error + bits per pixel) / √λ``, the mean over images.

    A step of the σ index is a quantiser finer by ``exp(−STEP)``, which is best where λ is larger by
    ``exp(2 STEP)``. The root makes all rates weigh about the same.
    """
    batch, height, width, _ = image.shape
    scale = lambda_of(rate)
    error = ((coded.output - image) ** 2).mean(-1)
    blocks = error.reshape(batch, height // DOWN, DOWN, width // DOWN, DOWN).mean((2, 4))
    distortion = (blocks * jnp.exp(2 * STEP * region)).mean((1, 2)) * 255**2
    bits = (coded.latent_bits + coded.hyper_bits) / (height * width)
    return jnp.mean((scale * distortion + bits) / jnp.sqrt(scale))
