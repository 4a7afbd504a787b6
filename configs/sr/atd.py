"""ATD: attention to windows, to a dictionary and within categories (Zhang et al. 2024).

python train.py --config=configs/sr/atd.py:4 --workdir=runs/atd_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The smaller one is ``--config.model.name=atd_light``. The
recipe is the authors', for GPUs: ×2 at random, then as all other scales, which start from it
(``--config.init_from=RUN_X2``), on larger crops. We have run it only shrunk, in the tests.
Published, trained on DIV2K and Flickr2K: Set5 ×4 / ×2 33.14 dB / 38.61 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "atd"
    first = config.scale == 2
    config.data.low_crop = 64 if first else 96
    config.batch_size = 32
    config.steps = 300_000 if first else 250_000
    config.optimizer.update(
        learning_rate=0.0002,
        b2=0.9,
        schedule="multistep",
        warmup_steps=10_000,
        milestones=(0.83,) if first else (0.6, 0.8, 0.9, 0.96),
    )
    return config
