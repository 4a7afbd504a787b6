"""The super-resolution task: which network, loss, data and evaluation the loop runs."""

import jax
import jax.numpy as jnp
import ml_collections

from jaxsr import networks
from jaxsr.data import pipeline
from jaxsr.evaluation.upscalers import task as upscalers
from jaxsr.training.losses import weighted
from jaxsr.training.task import Task, evaluation


def super_resolution(config: ml_collections.ConfigDict) -> Task:
    """Builds the task from a run's config (``jaxsr.training.config``)."""
    options = config.model.options.to_dict() | {"scale": config.scale}
    network = networks.create(config.model.name, **options, dtype=jnp.dtype(config.dtype))
    reconstruction = weighted(config.loss.to_dict())
    dataset = pipeline.super_resolution(
        config.data,
        scale=config.scale,
        batch_size=config.batch_size // jax.process_count(),
        seed=config.seed,
        shard_index=jax.process_index(),
        shard_count=jax.process_count(),
    )

    def init(key):
        return network.init(key, jnp.zeros((1, 16, 16, 3)))["params"]

    def loss(params, batch):
        low, high = (batch[name].astype(jnp.float32) / 255 for name in ("low", "high"))
        return reconstruction(network.apply({"params": params}, low), high)

    names = dataset.names
    return Task(
        init,
        loss,
        dataset,
        names=lambda indices: [names[i] for i in indices],
        evaluate=evaluation(config, upscalers.evaluator, scale=config.scale),
    )
