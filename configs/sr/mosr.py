"""MoSR: gated convolutions with a 7×7 depthwise kernel.

python train.py --config=configs/sr/mosr.py:4 --workdir=runs/mosr_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is ours, for GPUs; we have run it only shrunk,
in the tests.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "mosr"
    config.data.low_crop = 64
    config.batch_size = 16
    config.steps = 500_000
    config.optimizer.update(learning_rate=5e-4, b2=0.99, schedule="cosine", final_fraction=0.01)
    return config
