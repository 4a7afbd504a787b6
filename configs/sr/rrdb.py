"""RRDB, ESRGAN's network, trained for PSNR: 23 blocks of dense blocks (Wang et al. 2018).

python train.py --config=configs/sr/rrdb.py:4 --workdir=runs/rrdb_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale; at ×2 and ×1 squares of pixels go in as channels, as in
Real-ESRGAN. Weights of others are a start: ``--config.init_from=any.pth``. The recipe
is the paper's, for GPUs; we have run it only shrunk, in the tests. Published, trained on DF2K:
Set5 ×4 32.73 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "rrdb"
    config.model.options = {"unshuffle": {1: 4, 2: 2}.get(config.scale, 1)}
    config.data.low_crop = 32
    config.batch_size = 16
    config.steps = 1_000_000
    config.optimizer.update(
        learning_rate=0.0002, b2=0.99, schedule="multistep", milestones=(0.2, 0.4, 0.6, 0.8)
    )
    return config
