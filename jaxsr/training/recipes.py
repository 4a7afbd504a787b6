"""What several configs of ``configs/`` share."""

import ml_collections

from jaxsr.networks.compressor import rate_of
from jaxsr.training.config import default_config


def published_codec(name: str, weight: str = "", **options: int) -> ml_collections.ConfigDict:
    """Return the usual recipe of published codecs: Adam at 1e-4, batches of 16 crops of 256².

    Args:
      name: the network's.
      weight: λ of the only rate it is trained for, without regions, as published; "": all rates.
      options: of the network.
    """
    config = default_config("compression")
    config.model.update(name=name, options=options)
    config.data.crop = 256
    config.batch_size = 16
    config.steps = 2_000_000
    config.optimizer.update(
        learning_rate=1e-4,
        b2=0.999,
        schedule="multistep",
        milestones=(0.8, 0.9, 0.95),
        factor=0.3,
        clip_norm=1.0,
    )
    if weight:
        config.update(rate=rate_of(float(weight)), region_chance=0.0)
        config.model.options.anchors = 1
    return config
