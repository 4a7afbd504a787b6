"""RGT: attention in rectangles and to the image made small, in turn (Chen et al. 2024).

python train.py --config=configs/sr/rgt.py:4 --workdir=runs/rgt_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The smaller one is ``--config.model.name=rgt_s``. The
recipe is the authors', for GPUs, who start ×3 and ×4 from ×2 (``--config.init_from=RUN_X2``); we
have run it only shrunk, in the tests. Published, trained on
DIV2K and Flickr2K: Set5 ×4 / ×2 33.12 dB / 38.59 dB.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "rgt"
    config.data.low_crop = 64
    config.batch_size = 32
    config.steps = 500_000
    config.optimizer.update(
        learning_rate=0.0002, b2=0.99, schedule="multistep", milestones=(0.5, 0.8, 0.9, 0.95)
    )
    return config
