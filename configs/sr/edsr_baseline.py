"""EDSR-baseline: 16 residual blocks without attention, to measure attention by (Lim et al. 2017).

python train.py --config=configs/sr/edsr_baseline.py:4 --workdir=runs/edsr_baseline_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the paper's, for GPUs; we have run it only
shrunk, in the tests. Published, trained on DIV2K or DF2K: Set5 ×4 / ×2 32.09 dB / 37.99 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "edsr_baseline"
    config.data.low_crop = 48
    config.batch_size = 16
    config.steps = 300_000
    config.optimizer.update(
        learning_rate=0.0001, b2=0.999, schedule="multistep", milestones=(0.6667,)
    )
    return config
