"""span_compact, the network of the released weights: ×2, ×3 or ×4 on a CPU in about an hour each.

python train.py --config=configs/sr/span_compact.py:4 --workdir=runs/span_compact_x4 \
    --config.data.source=folder:DIR[,DIR]

The number after the colon is the scale. The result to expect is in ``jaxsr/zoo/span-compact.md``.
"""

from jaxsr.training.config import default_config


def get_config(scale: str = "4"):
    config = default_config()
    config.scale = int(scale)
    config.model.name = "span_compact"
    config.model.options = {"features": 32, "blocks": 6}
    config.data.low_crop = 32
    config.batch_size = 8
    config.steps = 30_000
    config.log_every = 500
    config.optimizer.update(
        learning_rate=1e-3, schedule="cosine", warmup_steps=100, final_fraction=0.01, clip_norm=1.0
    )
    return config
