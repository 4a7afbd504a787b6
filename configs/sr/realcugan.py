"""Real-CUGAN: two small U-Nets in a row, for drawings.

python train.py --config=configs/sr/realcugan.py:2 --workdir=runs/realcugan_x2 \\
    --config.data.source=folder:DRAWINGS

The number after the colon is the scale. Real-CUGAN's own recipe is not published; this one is ours,
for GPUs. We have run it only shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "realcugan"
    config.data.low_crop = 64
    config.data.degradation = "real"
    config.batch_size = 32
    config.steps = 500_000
    config.optimizer.update(learning_rate=2e-4, b2=0.99, schedule="cosine", final_fraction=0.01)
    return config
