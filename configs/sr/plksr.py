"""PLKSR: a 17×17 kernel on a quarter of the channels (Lee et al. 2024).

python train.py --config=configs/sr/plksr.py:4 --workdir=runs/plksr_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the paper's, for GPUs; we have run it only
shrunk, in the tests. Published, trained on DF2K: Set5 ×4 32.58 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "plksr"
    config.data.low_crop = 96
    config.batch_size = 64
    config.steps = 450_000
    config.optimizer.update(
        learning_rate=2e-4, b2=0.99, schedule="multistep", milestones=(0.22, 0.44, 0.67, 0.89)
    )
    return config
