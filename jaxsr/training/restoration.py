"""The restoration task: regions freed of blur, noise, and what JPEG, a codec or upscaling left."""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray, UInt32

from jaxsr import codec, networks, zoo
from jaxsr.data import pipeline
from jaxsr.errors import UserError
from jaxsr.evaluation.regions import restorers
from jaxsr.networks import Compressor, degradation, layers
from jaxsr.networks.density import split_keys
from jaxsr.networks.window_restorer import PATCH, features_at
from jaxsr.training.losses import weighted
from jaxsr.training.rectangles import draw_rectangle
from jaxsr.training.task import Task, evaluation, share_of_host

Image = Float[Array, "h w 3"]
SCALES = (1, 2, 3, 4)  # 1: degraded at its own size; the others are upscaled by released weights


def restoration(config: ml_collections.ConfigDict) -> Task:
    """Build the task from a run's config (``jaxsr.training.config``).

    Every example is a crop for each of ``SCALES``, and one that passes the codec ``config.codec``.
    What a crop loses by being restored counts ``config.harm`` times in addition. A network that is
    told how strongly crops are degraded is told the truth of one half of them, what its estimator
    says of the other; the estimator's squared error counts ``config.estimate`` times.

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
    upscalers, frozen = frozen_upscalers(config.upscaler)
    coder = codec.load(config.codec)
    frozen["codec"] = coder.trainable
    dataset = pipeline.restoration(config.data, scales=SCALES, **share_of_host(config))
    grid = config.data.crop // PATCH

    def init(key):
        x = jnp.zeros((1, network.multiple, network.multiple, 3))
        low = x[:, ::PATCH, ::PATCH]
        _, f = jax.eval_shape(upscalers[PATCH], {"params": frozen[f"x{PATCH}"]}, low)
        return network.init(key, x, x[..., :1], jnp.zeros(f.shape))["params"]

    def inputs(batch, frozen, keys):
        """Return images to restore; features they were fused from, or zeros; stored images."""
        low = {scale: batch[f"low_{scale}"].astype(jnp.float32) / 255 for scale in SCALES}
        images, features = [low[1]], []
        for scale, upscale in upscalers.items():
            y, f = upscale({"params": frozen[f"x{scale}"]}, low[scale])
            images.append(jnp.clip(y, 0, 1))
            features.append(features_at(f, scale, grid, grid))
        last = batch["high"][:, -1].astype(jnp.float32) / 255
        last, lost = coded(coder.network, frozen["codec"], last, keys)
        images.append(last)
        none = jnp.zeros_like(features[0])
        images, features = jnp.stack(images, 1), jnp.stack([none, *features, none], 1)
        stored = [*low.values(), last]
        return *(x.reshape(-1, *x.shape[2:]) for x in (images, features)), stored, lost

    def told(params, batch, stored, lost):
        """Return the strengths that the network is told, and the estimates' squared error."""
        if not network.told:
            return None, {}
        true = jnp.stack([*(strengths_of(batch, s) for s in SCALES), of_codec(lost)], 1)
        found = jnp.stack([degradation.estimate(params["estimate"], x) for x in stored], 1)
        error = ((found - true) / degradation.UNITS) ** 2
        bits = batch["seed"][:, None] >> jnp.arange(len(stored), dtype=jnp.uint32) & 1
        strengths = jnp.where(
            bits[..., None] == 0, true, jax.lax.stop_gradient(jnp.maximum(found, 0))
        )
        return strengths.reshape(-1, true.shape[-1]), {"estimate": error.mean()}

    def loss(params, batch, frozen):
        coding, masking = draw_keys(batch["seed"])
        images, features, stored, lost = inputs(batch, frozen, coding)
        strengths, estimated = told(params, batch, stored, lost)
        high = batch["high"].reshape(images.shape).astype(jnp.float32) / 255
        draw = functools.partial(draw_masks, count=len(SCALES) + 1, size=images.shape[1:3])
        mask = jax.vmap(draw)(masking, batch["place"]).reshape(*images.shape[:3], 1)
        restored = layers.apply(network, params, images, mask, features, strengths)
        errors, parts = each(images + mask * (restored - images), high)
        unrestored, _ = each(images, high)
        harm = jnp.maximum(errors - unrestored, 0)
        parts |= {"unrestored": unrestored, "harm": harm}
        total = jnp.mean(errors + config.harm * harm)
        total += config.estimate * estimated.get("estimate", 0.0)
        return total, jax.tree.map(jnp.mean, parts) | estimated

    evaluate = evaluation(config, restorers.evaluator, upscaler=config.upscaler)
    return Task(init, loss, dataset, frozen, evaluate)


def weighted_of_one(weights: Mapping[str, float]) -> Callable[[Image, Image], tuple[Array, dict]]:
    """Do as :func:`jaxsr.training.losses.weighted`, for one image, without the batch axis."""
    loss = weighted(weights)
    return lambda output, target: loss(output[None], target[None])


def frozen_upscalers(name: str) -> tuple[dict[int, Callable], dict[str, dict]]:
    """Load released upscalers.

    Returns:
      For each scale a function ``(variables, images) → (upscaled images, their enhanced
        features)``;
      and the parameters, "x2" of ×2.
    """
    functions, params = {}, {}
    for scale in SCALES[1:]:
        weights = zoo.read_upscaler(name, scale)
        network = networks.create(weights.network, **weights.options)
        functions[scale] = functools.partial(network.apply, method="with_features")
        params[f"x{scale}"] = weights.params
    return functions, params


def strengths_of(batch: dict[str, Array], scale: int) -> Float[Array, "b 4"]:
    """Return the strengths of a scale's crops, which no codec has coded."""
    return jnp.pad(batch[f"strengths_{scale}"], [(0, 0), (0, 1)])


def of_codec(lost: Float[Array, "b"]) -> Float[Array, "b 4"]:
    """Return the strengths of crops of which nothing else is wrong than what the codec left."""
    return jnp.pad(lost[:, None], [(0, 0), (3, 0)])


def coded(
    network: Compressor, params: dict, images: Float[Array, "b h w 3"], keys: Key[Array, "b"]
) -> tuple[Float[Array, "b h w 3"], Float[Array, "b"]]:
    """Code and decode images, each at a quality drawn from 1 to 50 by its own key.

    Returns:
      The images, of 8 bits as a file gives them; and what the qualities lack to 100.
    """
    drawing, noise = split_keys(keys)
    quality = jax.vmap(functools.partial(jax.random.uniform, minval=1.0, maxval=50.0))(drawing)
    output, _ = codec.coded(network, params, images, codec.rate_of(quality), noise)
    return jnp.round(jnp.clip(output, 0, 1) * 255) / 255, 100 - quality


def draw_keys(seeds: UInt32[Array, "b"]) -> tuple[Key[Array, "b"], Key[Array, "b"]]:
    """Make two keys of every example's seed: for its coding and for its masks."""
    coding, masking = split_keys(jax.vmap(jax.random.key)(seeds))
    return coding, masking


def draw_masks(
    key: PRNGKeyArray, place: Int[Array, ""], *, count: int, size: tuple[int, ...]
) -> Float[Array, "n h w"]:
    """Draw the masks of an example's ``count`` crops of ``size`` pixels, 1 inside the region.

    The region of every second crop is all of it, of the others a rectangle; which ones come first
    alternates with the example's ``place`` in the batch.
    """
    boxes = jax.vmap(lambda key: draw_rectangle(key, *size))(jax.random.split(key, count))
    whole = (place + jnp.arange(count)) % 2 == 0
    return (boxes | whole[:, None, None]).astype(jnp.float32)
