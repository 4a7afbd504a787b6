"""SeemoRe: experts of low rank, one chosen for an image (Zamfir et al. 2024).

python train.py --config=configs/sr/seemore.py:4 --workdir=runs/seemore_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the authors', for GPUs, but for their second
loss, on Fourier coefficients; we have run it only shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "seemore"
    config.data.low_crop = 64
    config.batch_size = 32
    config.steps = 500_000
    config.optimizer.update(
        learning_rate=1e-3, b2=0.99, schedule="multistep", milestones=(0.5, 0.8, 0.9, 0.95)
    )
    return config
