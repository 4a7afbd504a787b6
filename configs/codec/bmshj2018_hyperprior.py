"""The scale hyperprior of Ballé et al. (2018).

python train.py --config=configs/codec/bmshj2018_hyperprior.py --workdir=runs/bmshj2018_hyperprior \\
    --config.data.source=folder:DIR[,DIR]

One model of all rates. For a single one without regions, as published, give λ after a colon
(bmshj2018_hyperprior.py:0.013); the published are .0018 .0035 .0067 .013 .025 .0483 .0932 .18,
the last three with --config.model.options.features=192 and --config.model.options.latents=320.
The recipe is the usual one, for GPUs: Adam at 1e-4, crops of 256², batches of 16. We have run it only
shrunk, in the tests. Published, fully trained: BD-rate to VTM on Kodak +30.5 %.
"""

from jaxsr.networks.compressor import rate_of
from jaxsr.training.config import default_config


def get_config(weight: str = ""):
    config = default_config()
    config.task = "compression"
    config.model.update(name="bmshj2018_hyperprior", options={"features": 128, "latents": 192})
    config.data.crop = 256
    config.batch_size = 16
    config.steps = 2_000_000
    config.optimizer.update(
        learning_rate=1e-4,
        b2=0.999,
        schedule="multistep",
        milestones=(0.8, 0.9, 0.95),
        factor=0.3,
        clip_norm=1.0,
    )
    if weight:
        config.update(rate=rate_of(float(weight)), region_chance=0.0)
        config.model.options.anchors = 1
    return config
