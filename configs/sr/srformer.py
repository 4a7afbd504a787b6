"""SRFormer: attention in large windows, whose keys are squares of pixels (Zhou et al. 2023).

python train.py --config=configs/sr/srformer.py:4 --workdir=runs/srformer_x4 \\
    --config.data.source=folder:DF2K_HR

The number after the colon is the scale. The recipe is the paper's, for GPUs; we have run it only
shrunk, in the tests. ``--config.model.name=srformer_light`` trains the light network.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "srformer"
    config.data.low_crop = 48
    config.batch_size = 32
    config.steps = 500_000
    config.optimizer.update(
        learning_rate=2e-4, b2=0.99, schedule="multistep", milestones=(0.5, 0.8, 0.9, 0.95)
    )
    return config
