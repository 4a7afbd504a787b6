"""The compression task: one codec trained for all rates at once, or for one; and for regions."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxsr import networks
from jaxsr.data import pipeline
from jaxsr.entropy.tables import STEP
from jaxsr.errors import UserError
from jaxsr.evaluation.codecs import task as codecs
from jaxsr.networks import layers
from jaxsr.networks.compressor import DOWN, HYPER_DOWN, Coded, lambda_of
from jaxsr.training.rectangles import draw_rectangle
from jaxsr.training.task import Task, evaluation, share_of_host

CROP_STEP = DOWN * HYPER_DOWN  # whole hyper-latents
BALANCES = {  # of an image's cost and its λ
    "root": lambda cost, scale: cost / jnp.sqrt(scale),
    "logarithm": lambda cost, scale: jnp.log(cost),
}
REGION_STEPS = 16  # σ index steps such a region is at most apart: 17 dB


def compression(config: ml_collections.ConfigDict) -> Task:
    """Build the task from a run's config (``jaxsr.training.config``).

    Raises:
      UserError: there is no such codec, rate or source of images, or an option cannot be.
    """
    if config.rate > 1:
        raise UserError(
            f"config.rate is {config.rate}; give one of 0..1, or a negative one for all"
        )
    if config.rate_power <= 0:
        raise UserError(f"config.rate_power is {config.rate_power}; give a positive one")
    if not 0 <= config.region_chance <= 1:
        raise UserError(f"config.region_chance is {config.region_chance}; give a chance of 0..1")
    if config.balance not in BALANCES:
        raise UserError(f"config.balance is {config.balance!r}; there are: {', '.join(BALANCES)}")
    if config.data.crop % CROP_STEP:
        raise UserError(
            f"config.data.crop is {config.data.crop}; make it a multiple of {CROP_STEP}"
        )
    options = config.model.options.to_dict()
    network = networks.create_compressor(
        config.model.name, **options, dtype=jnp.dtype(config.dtype)
    )
    dataset = pipeline.compression(config.data, **share_of_host(config))

    def init(key):
        x, rate = jnp.zeros((1, 128, 128, 3)), jnp.zeros(1)
        return network.init(key, x, rate, jnp.zeros((1, 8, 8)), key)["params"]

    def loss(params, batch, frozen):
        image = batch["image"].astype(jnp.float32) / 255
        draw = functools.partial(
            draw_coding,
            count=config.batch_size,
            size=image.shape[1:3],
            fixed=config.rate,
            power=config.rate_power,
            region_chance=config.region_chance,
        )
        rate, region, noise = jax.vmap(draw)(
            jax.vmap(jax.random.key)(batch["seed"]), batch["place"]
        )
        coded = layers.apply(network, params, image, rate, region, noise)
        return rate_distortion_loss(image, coded, rate, region, config.balance)

    evaluate = evaluation(config, codecs.evaluator, qualities=config.eval_qualities)
    return Task(init, loss, dataset, evaluate=evaluate)


def draw_coding(
    key: PRNGKeyArray,
    place: Int[Array, ""],
    *,
    count: int,
    size: tuple[int, int],
    fixed: float = -1.0,
    power: float = 1.0,
    region_chance: float = 0.25,
) -> tuple[Float[Array, ""], Float[Array, "h16 w16"], PRNGKeyArray]:
    """Draw how one image is coded: at which rate, with which region, with which noise.

    Args:
      key: the image's own.
      place: its position in a batch of ``count``, whose rates are spread evenly: every step sees
        all.
      size: height and width in pixels.
      fixed: the rate of every image; negative: any.
      power: of a uniform draw; above 1, low rates are drawn more often.
      region_chance: how likely a rectangle of the image is coded finer or coarser than the rest.

    Returns:
      The rate, 0..1; the σ index steps at every latent position; the key of the noise.
    """
    key, within, corners, step, chance = jax.random.split(key, 5)
    spread = (place + jax.random.uniform(within)) / count
    rate = spread**power if fixed < 0 else jnp.float32(fixed)
    inside = draw_rectangle(corners, *(n // DOWN for n in size))
    steps = jnp.round(jax.random.uniform(step, minval=-1.0) * REGION_STEPS)
    return rate, inside * steps * (jax.random.uniform(chance) < region_chance), key


def rate_distortion_loss(
    image: Float[Array, "b h w 3"],
    coded: Coded,
    rate: Float[Array, "b"],
    region: Float[Array, "b h16 w16"],
    balance: str = "root",
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Weigh distortion and rate: the cost is ``λ · 255² · mean squared error + bits per pixel``.

    A step of the σ index is a quantiser finer by ``exp(−STEP)``, which is best where λ is larger by
    ``exp(2 STEP)``.

    Args:
      image, coded, rate, region: of the batch.
      balance: "root" divides an image's cost by √λ, so that all rates weigh about the same;
        "logarithm" takes the cost's logarithm, so that all images do, as they do in a BD-rate.

    Returns:
      The mean over images; and the means of the bits per pixel of z and of the residuals, and of
      the squared error in steps of 255.
    """
    batch, height, width, _ = image.shape
    scale = lambda_of(rate)
    error = ((coded.output - image) ** 2).mean(-1)
    blocks = error.reshape(batch, height // DOWN, DOWN, width // DOWN, DOWN).mean((2, 4))
    distortion = (blocks * jnp.exp(2 * STEP * region)).mean((1, 2)) * 255**2
    of_residuals, of_z = (x / (height * width) for x in (coded.latent_bits, coded.hyper_bits))
    loss = jnp.mean(BALANCES[balance](scale * distortion + of_residuals + of_z, scale))
    parts = {"bpp_z": of_z, "bpp_residuals": of_residuals, "mse": 255**2 * error.mean((1, 2))}
    return loss, {name: x.mean() for name, x in parts.items()}
