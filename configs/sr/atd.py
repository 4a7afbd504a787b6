"""ATD: attention to windows, to a dictionary and within categories (Zhang et al. 2024).

python train.py --config=configs/sr/atd.py:4 --workdir=runs/atd_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The smaller one is ``--config.model.name=atd_light``. The
recipe is the paper's, for GPUs; we have run it only shrunk, in the tests. Published, trained on
DIV2K and Flickr2K: Set5 ×4 / ×2 33.14 dB / 38.61 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "atd"
    config.data.low_crop = 64
    config.batch_size = 32
    config.steps = 500_000
    config.optimizer.update(
        learning_rate=0.0002, b2=0.99, schedule="multistep", milestones=(0.5, 0.8, 0.9, 0.95)
    )
    return config
