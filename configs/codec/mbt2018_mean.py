"""The mean–scale hyperprior of Minnen et al. (2018).

    python train.py --config=configs/codec/mbt2018_mean.py \\
        --workdir=runs/mbt2018_mean --config.data.source=folder:DIR[,DIR]

One model for all rates. For a single rate without regions, as published, give λ after a colon
(mbt2018_mean.py:0.013); the published are .0018 .0035 .0067 .013 .025 .0483 .0932 .18,
the last four with --config.model.options.features=192 and --config.model.options.latents=320.
The recipe is the usual one, for GPUs: Adam at 1e-4, crops of 256², batches of 16. We have run it
only shrunk, in the tests. Published, fully trained: BD-rate to VTM on Kodak +21 %.
"""

from jaxsr.training.recipes import published_codec


def get_config(weight: str = ""):
    return published_codec("mbt2018_mean", weight, features=128, latents=192)
