"""span_compact for photographs as they are: blurred, noisy, saved as JPEG, without invented detail.

python train.py --config=configs/sr/span_photo.py:4 --workdir=runs/span_photo_x4 \\
    --config.data.source=folder:DIR[,DIR] --config.init_from=span-compact

The number after the colon is the scale. Photographs are reduced first, then degraded at that size,
most in one or two of three ways; one in twelve is only reduced. Enlarged by the weights for
clean images, such photographs get no better than by bicubic interpolation
(``eval.py --config.inputs=noise,jpeg,blur,mix`` measures that). There are no figures to expect yet.
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
        blur=0.5,
        blur_sigma=(0.3 * config.scale, 1.5 * config.scale),  # before it is reduced
        anisotropic=0.2,
        noise=0.6,
        noise_sigma=(1.0, 15.0),
        photons=(200.0, 30_000.0),
        gray=0.2,
        jpeg=0.6,
        quality=(35, 95),
    )
    config.batch_size = 8
    config.steps = 30_000
    config.log_every = 500
    config.optimizer.update(
        name="muon",
        learning_rate=1e-3,
        adam_fraction=0.5,
        schedule="cosine",
        warmup_steps=200,
        final_fraction=0.01,
        weight_decay=0.02,
        clip_norm=1.0,
    )
    return config
