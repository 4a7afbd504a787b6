"""The attention codec of Cheng et al. (2020), its serial context a checkerboard.

    python train.py --config=configs/codec/cheng2020_attention.py \\
        --workdir=runs/cheng2020_attention --config.data.source=folder:DIR[,DIR]

One model for all rates. For a single rate without regions, as published, give λ after a colon
(cheng2020_attention.py:0.013); the published are .0018 .0035 .0067 .013 .025 .0483, the first three
with --config.model.options.features=128.
The recipe is the usual one, for GPUs: Adam at 1e-4, crops of 256², batches of 16. We have run it
only shrunk, in the tests. Published, fully trained, with the serial context: BD-rate to VTM on
Kodak +5.5 %.
"""

from jaxsr.training.recipes import published_codec


def get_config(weight: str = ""):
    return published_codec("cheng2020_attention", weight, features=192)
