"""OmniSR: attention over places and channels, in windows and on grids (Wang et al. 2023).

python train.py --config=configs/sr/omnisr.py:4 --workdir=runs/omnisr_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the authors', for GPUs, with 500,000 steps
for their 1000 epochs; we have run it only shrunk, in the tests. Published, trained on DF2K: Set5
×4 / ×2 32.57 dB / 38.29 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "omnisr"
    config.data.low_crop = 64
    config.batch_size = 64
    config.steps = 500_000
    config.optimizer.update(
        name="adamw",
        learning_rate=5e-4,
        b2=0.999,
        weight_decay=1e-4,
        schedule="multistep",
        milestones=(0.25, 0.5, 0.75),
    )
    return config
