"""RealPLKSR, on photographs as the world makes them: blur, noise, JPEG.

python train.py --config=configs/sr/realplksr.py:4 --workdir=runs/realplksr_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is ours, for GPUs; we have run it only shrunk,
in the tests. Start from a model of others with ``--config.init_from=FILE``: its options must then
be given as well, such as ``--config.model.options.head=dysample``.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "realplksr"
    config.data.low_crop = 64
    config.data.degradation = "real"
    config.batch_size = 16
    config.steps = 400_000
    config.optimizer.update(
        learning_rate=1e-4, b2=0.99, schedule="multistep", milestones=(0.5, 0.8, 0.9, 0.95)
    )
    return config
