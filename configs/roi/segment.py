"""attention_unet, the segmenter of the released weights, on a CPU.

    JAX_NUM_CPU_DEVICES=2 python train.py --config=configs/roi/segment.py --workdir=runs/segment \\
        --config.data.source=folder:DIR[,DIR]

where each DIR has the images in images/ and their masks, by the same names, in masks/.
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config()
    config.task = "segmentation"
    config.model.name = "attention_unet"
    config.data.crop = 160
    config.batch_size = 16
    config.steps = 6_000
    config.log_every = 100
    config.optimizer.update(
        name="adamw",
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=200,
        final_fraction=0.01,
        clip_norm=1.0,
        weight_decay=0.05,
    )
    return config
