"""span_compact for photographs as they are: blurred, noisy, saved as JPEG, without invented detail.

python train.py --config=configs/sr/span_photo.py:4 --workdir=runs/span_photo_x4 \\
    --config.data.source=folder:DIR[,DIR] --config.init_from=span-compact

The number after the colon is the scale. ×2 and ×3 start from the ×4 run and are done sooner:

python train.py --config=configs/sr/span_photo.py:2 --workdir=runs/span_photo_x2 \\
    --config.data.source=folder:DIR[,DIR] --config.init_from=runs/span_photo_x4 \\
    --config.steps=10000 --config.optimizer.decay_steps=6500

Photographs are reduced and then degraded at that size, most of them in one or two of three ways;
one in five is only reduced. ``eval.py --config=configs/eval/sr.py --config.inputs=clean,noise,
jpeg,blur,mix`` measures on such images; ``jaxsr/zoo/span-photo.md`` says what to expect.

Run on 2 cores of an AMD EPYC beside other work: 56 minutes for ×4, 24 for ×2, and
17 for ×3, which had 6,500 steps.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "span_compact"
    config.model.options = {"features": 32, "blocks": 6}
    config.data.low_crop = 48
    config.data.degradation = "real"
    config.data.real.first.update(
        kernels=("bicubic",),
        resize=1.0,
        resize_factor=(1 / config.scale, 1 / config.scale),
        blur=0.3,
        blur_sigma=(0.3 * config.scale, 1.5 * config.scale),  # before it is reduced
        anisotropic=0.2,
        noise=0.4,
        noise_sigma=(1.0, 15.0),
        photons=(200.0, 30_000.0),
        gray=0.2,
        jpeg=0.55,
        quality=(35, 95),
    )
    config.batch_size = 8
    config.steps = 24_000
    config.log_every = 500
    config.optimizer.update(
        name="muon",
        learning_rate=1e-3,
        adam_fraction=0.5,
        schedule="stable",
        warmup_steps=200,
        decay_steps=10_000,
        final_fraction=0.01,
        weight_decay=0.02,
        clip_norm=1.0,
    )
    return config
