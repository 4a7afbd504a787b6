"""SPAN: parameter-free attention, trained in a wider form that folds (Wan et al. 2023).

python train.py --config=configs/sr/span.py:4 --workdir=runs/span_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the paper's, for GPUs; we have run it only
shrunk, in the tests. Published, trained on DIV2K or DF2K: Set5 ×4 / ×2 32.20 dB / 38.08 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "span"
    config.data.low_crop = 64
    config.batch_size = 64
    config.steps = 1_000_000
    config.optimizer.update(
        learning_rate=0.0005, b2=0.99, schedule="multistep", milestones=(0.2, 0.4, 0.6, 0.8)
    )
    return config
