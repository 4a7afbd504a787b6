"""span_compact, the network of the released weights, on a CPU.

python train.py --config=configs/sr/span_compact.py:4 --workdir=runs/span_compact_x4 \\
    --config.data.source=folder:DIR[,DIR]

The number after the colon is the scale. ×2 and ×3 start from the ×4 run and are done sooner:

python train.py --config=configs/sr/span_compact.py:2 --workdir=runs/span_compact_x2 \\
    --config.data.source=folder:DIR[,DIR] --config.init_from=runs/span_compact_x4 \\
    --config.steps=12000 --config.optimizer.learning_rate=5e-4

Run on 2 cores of an AMD EPYC beside other work: 55 minutes for ×4, 25 each for ×2 and ×3. To expect
on Set5 ×4: 31.49 dB; ``jaxsr/zoo/span-compact.md`` has the rest.
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
