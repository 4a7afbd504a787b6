"""The super-resolution task: which network, loss, data and evaluation the loop runs."""

import jax.numpy as jnp
import ml_collections

from jaxsr import networks
from jaxsr.data import pipeline
from jaxsr.evaluation.upscalers import task as upscalers
from jaxsr.networks import layers
from jaxsr.training.losses import weighted
from jaxsr.training.task import Task, evaluation, share_of_host


def super_resolution(config: ml_collections.ConfigDict) -> Task:
    """Build the task from a run's config (``jaxsr.training.config``).

    Raises:
      UserError: there is no such network, loss, degradation or source of images.
    """
    options = config.model.options.to_dict() | {"scale": config.scale}
    network = networks.create(config.model.name, **options, dtype=jnp.dtype(config.dtype))
    reconstruction = weighted(config.loss.to_dict())
    dataset = pipeline.super_resolution(config.data, scale=config.scale, **share_of_host(config))

    def init(key):
        return network.init(key, jnp.zeros((1, 16, 16, 3)))["params"]

    def loss(params, batch, frozen):
        low, high = (batch[name].astype(jnp.float32) / 255 for name in ("low", "high"))
        return reconstruction(layers.apply(network, params, low), high)

    evaluate = evaluation(config, upscalers.evaluator, scale=config.scale)
    return Task(init, loss, dataset, evaluate=evaluate)
