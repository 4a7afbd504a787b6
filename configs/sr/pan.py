"""PAN: pixel attention, 272K parameters (Zhao et al. 2020).

python train.py --config=configs/sr/pan.py:4 --workdir=runs/pan_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the paper's, for GPUs; we have run it only
shrunk, in the tests. Published, trained on DIV2K or DF2K: Set5 ×4 / ×2 32.13 dB / 38.00 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "pan"
    config.data.low_crop = 64
    config.batch_size = 32
    config.steps = 1_000_000
    config.optimizer.update(learning_rate=0.001, b2=0.99, schedule="cosine", final_fraction=0.0001)
    return config
