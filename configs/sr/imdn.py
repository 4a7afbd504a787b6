"""IMDN: a quarter of the channels is kept at each convolution (Hui et al. 2019).

python train.py --config=configs/sr/imdn.py:4 --workdir=runs/imdn_x4 \\
    --config.data.source=folder:DIV2K_train_HR

The number after the colon is the scale. The recipe is the paper's, for GPUs; we have run it only
shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "imdn"
    config.data.low_crop = 48
    config.batch_size = 16
    config.steps = 1_000_000
    config.optimizer.update(
        learning_rate=2e-4, b2=0.999, schedule="multistep", milestones=(0.2, 0.4, 0.6, 0.8)
    )
    return config
