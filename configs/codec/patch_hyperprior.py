"""patch_hyperprior, the codec of the released weights, on a CPU.

    python train.py --config=configs/codec/patch_hyperprior.py --workdir=runs/patch_hyperprior \\
        --config.data.source=folder:DIR[,DIR] [--config.eval_data=DIR]

One model for all rates. On 2 cores of an AMD EPYC about 26 crops a second, 1 hour for 11,000 steps.
``jaxsr/zoo/patch-hyperprior.md`` says what to expect of it.
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config("compression")
    config.model.name = "patch_hyperprior"
    config.data.crop = 256
    config.batch_size = 8
    config.steps = 11_000
    config.log_every = 200
    config.optimizer.update(
        learning_rate=1e-3, schedule="cosine", warmup_steps=200, final_fraction=0.01, clip_norm=1.0
    )
    return config
