"""RLFN: residual local features and enhanced spatial attention (Kong et al. 2022).

python train.py --config=configs/sr/rlfn.py:4 --workdir=runs/rlfn_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the first stage of the paper's, for GPUs; we
have run it only shrunk, in the tests. Published, trained on DIV2K or DF2K: Set5 ×4 / ×2 32.24 dB
/ 38.07 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "rlfn"
    config.data.low_crop = 64
    config.batch_size = 64
    config.steps = 500_000
    config.optimizer.update(
        learning_rate=0.0005, b2=0.999, schedule="multistep", milestones=(0.2, 0.4, 0.6, 0.8)
    )
    return config
