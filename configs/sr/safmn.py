"""SAFMN: channels seen at four sizes modulate the features (Sun et al. 2023).

python train.py --config=configs/sr/safmn.py:4 --workdir=runs/safmn_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the authors', for GPUs, without the part of
their loss that compares spectra; we have run it only shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "safmn"
    config.data.low_crop = 64
    config.batch_size = 64
    config.steps = 500_000
    config.optimizer.update(learning_rate=1e-3, b2=0.99, schedule="cosine", final_fraction=0.01)
    return config
