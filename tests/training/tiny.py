"""A run of seconds: the config of the loop's tests, in this process and in others."""

from jaxsr.training.config import default_config


def get_config():
    config = default_config()
    config.scale = 2
    config.model.update(name="span_compact", options={"features": 8, "blocks": 1})
    config.data.low_crop = 8
    config.update(
        batch_size=4, steps=160, log_every=10, checkpoint_every=30, eval_every=60, eval_pictures=1
    )
    return config
