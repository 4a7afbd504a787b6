"""patch_hyperprior, the codec of the released weights, on a CPU.

    python train.py --config=configs/codec/patch_hyperprior.py --workdir=runs/patch_hyperprior \\
        --config.data.source=folder:DIR[,DIR] [--config.eval_data=DIR]

One model for all rates. On 2 cores of an AMD EPYC about 15 crops a second, 1.5 hours for 10,000
steps. ``jaxsr/zoo/patch-hyperprior.md`` says what to expect of it.
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config("compression")
    config.model.name = "patch_hyperprior"
    config.data.crop = 256
    config.rate_power = 1.3  # most files have a low rate
    config.batch_size = 8
    config.steps = 10_000
    config.log_every = 200
    config.optimizer.update(name="muon", learning_rate=2e-3, warmup_steps=100, clip_norm=1.0)
    # the averaged parameters are good all along; the rate falls as soon as it is warm
    config.optimizer.update(schedule="stable", decay_steps=config.steps, final_fraction=0.0)
    return config
