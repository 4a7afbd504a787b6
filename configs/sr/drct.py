"""DRCT: Swin layers joined densely (Hsu et al. 2024).

python train.py --config=configs/sr/drct.py:4 --workdir=runs/drct_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The larger one is ``--config.model.name=drct_l``. The
recipe is the paper's, for GPUs; we have run it only shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "drct"
    config.data.low_crop = 64
    config.batch_size = 32
    config.steps = 500_000
    config.optimizer.update(
        learning_rate=0.0002, b2=0.99, schedule="multistep", milestones=(0.5, 0.8, 0.9, 0.95)
    )
    return config
