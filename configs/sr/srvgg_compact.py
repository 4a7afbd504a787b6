"""SRVGGNetCompact, Real-ESRGAN's small network, on photographs as degraded as its authors' are.

python train.py --config=configs/sr/srvgg_compact.py:4 --workdir=runs/srvgg_compact_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. Weights of others are a start:
``--config.init_from=any.pth``. Batch, crop and rate are the authors', for GPUs, without
their adversarial second part; we have run it only shrunk, in the tests. There are no published
figures to expect.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "srvgg_compact"
    config.data.low_crop = 64
    config.data.degradation = "real"
    config.batch_size = 48
    config.steps = 1_000_000
    config.optimizer.update(learning_rate=0.0002, b2=0.99)
    return config
