"""Restormer: channels attend to channels, in a U-Net (Zamir et al. 2022).

python train.py --config=configs/sr/restormer.py --workdir=runs/restormer \\
    --config.data.source=folder:DF2K_HR

The sizes are those the paper begins with, for GPUs; it goes on to larger crops in smaller batches.
Pairs of your own are read by ``--config.data.degradation=given``. We have run it only shrunk, in
the tests.
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config()
    config.scale = 1
    config.model.name = "restormer"
    config.data.low_crop = 128
    config.data.degradation = "real"
    config.batch_size = 64
    config.steps = 300_000
    config.optimizer.update(learning_rate=3e-4, b2=0.999, schedule="cosine", final_fraction=0.0033)
    return config
