"""The attention codec of Cheng et al. (2020), its serial context a checkerboard.

python train.py --config=configs/codec/cheng2020_attention.py --workdir=runs/cheng2020_attention \\
    --config.data.source=folder:DIR[,DIR]

One model of all rates. For one at a single rate and without regions, as published, give the rate after
a colon, cheng2020_attention.py:0.47 (λ = 0.8e-3 · 375^rate: the usual λ of .0018 .0035 .0067 .013 .025 .0483 .0932
.18 are .137 .249 .359 .470 .581 .692 .803 .914). The recipe is the
usual one, for GPUs (Adam at 1e-4, crops of 256², batches of 16); we have run it only shrunk, in the
tests. Published, fully trained: BD-rate to VTM on Kodak +5.5 % with the serial context.
"""

from jaxsr.training.config import default_config


def get_config(rate: str = ""):
    config = default_config()
    config.task = "compression"
    config.model.name = "cheng2020_attention"
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
    if rate:
        config.update(rate=float(rate), region_chance=0.0)
        config.model.options.anchors = 1
    return config
