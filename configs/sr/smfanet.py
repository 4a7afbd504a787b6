"""SMFANet: features modulated by what is far (Zheng et al. 2024).

python train.py --config=configs/sr/smfanet.py:4 --workdir=runs/smfanet_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the paper's, for GPUs; we have run it only
shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "smfanet"
    config.data.low_crop = 64
    config.batch_size = 64
    config.steps = 1_000_000
    config.optimizer.update(learning_rate=1e-3, b2=0.99, schedule="cosine", final_fraction=0.01)
    return config
