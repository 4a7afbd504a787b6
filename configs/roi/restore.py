"""window_restorer, the restorer of the released weights, on a CPU.

    python train.py --config=configs/roi/restore.py --workdir=runs/restore \\
        --config.data.source=folder:DIR[,DIR]

The released weights were trained in several parts, from a restorer that was told nothing. This is
the last two of them, but longer: they had 25,000 steps, an hour on 2 cores of an AMD EPYC.
``jaxsr/zoo/window-restorer.md`` has the parts and says what to expect.
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config("restoration")
    config.model.name = "window_restorer"
    config.model.options = {"told": True}
    config.data.crop = 96
    config.data.clean = 0.2
    config.harm = 2.0  # clean images are found by the numbers that it is told, and not restored
    kinds = dict(noise_sigma=(1.0, 25.0), photons=(100.0, 30_000.0), gray=0.3)
    kinds |= dict(quality=(15, 90), resize=0.0)
    config.data.real.first.update(blur=0.4, blur_sigma=(0.7, 2.0), noise=0.4, jpeg=0.5, **kinds)
    # no blur before upscaling: what looks like it mostly is none, and clean images would suffer
    config.data.real_before_upscaling.first.update(blur=0.0, noise=0.5, jpeg=0.6, **kinds)
    config.batch_size = 2  # of five crops each
    config.steps = 90_000
    config.log_every = 200
    config.optimizer.update(name="muon", learning_rate=8e-4, adam_fraction=0.6, clip_norm=0.2)
    config.optimizer.update(warmup_steps=100, schedule="stable", final_fraction=0.0)
    config.optimizer.decay_steps = 60_000
    return config
