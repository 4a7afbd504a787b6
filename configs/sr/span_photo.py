"""span_compact for photographs as they are: blurred, noisy, saved as JPEG, without invented detail.

python train.py --config=configs/sr/span_photo.py:4 --workdir=runs/span_photo_x4 \\
    --config.data.source=folder:DIR[,DIR] --config.init_from=span-compact

The number after the colon is the scale. Photographs are reduced and then degraded at that size,
most of them in one or two of three ways; one in six is only reduced. ``eval.py --config=
configs/eval/sr.py --config.inputs=clean,noise,jpeg,blur,mix`` measures on such images.

1,500 steps, 8 minutes on 2 cores beside other work, with blur in half of the images and one in
twelve clean, gave on the first 25 images of B100 ×4, in dB against bicubic interpolation and
against span-compact: noise +0.80 and +0.72, JPEG +0.35 and +0.39, blur +1.22 and +1.17, the mix
+0.64 and +0.60, clean +0.66 and −0.80. For the last there are more clean images here now.
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
        blur=0.35,
        blur_sigma=(0.3 * config.scale, 1.5 * config.scale),  # before it is reduced
        anisotropic=0.2,
        noise=0.45,
        noise_sigma=(1.0, 15.0),
        photons=(200.0, 30_000.0),
        gray=0.2,
        jpeg=0.55,
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
