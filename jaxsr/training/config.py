"""The options of a training run; the files in ``configs/`` change some of them."""

import ml_collections

from jaxsr.data import pipeline
from jaxsr.training import optimizer


def default_config() -> ml_collections.ConfigDict:
    """Every option with its default. Steps are optimiser steps; sizes are in pixels."""
    return ml_collections.ConfigDict(
        {
            "task": "super_resolution",  # or "compression", "segmentation", "restoration"
            "scale": 4,  # super-resolution only
            "rate": -1.0,  # compression: 0..1 trains for this trade-off alone; negative: for all
            "region_chance": 0.25,  # compression: of a crop to have a part coded finer or coarser
            "model": {
                "name": "span",
                "options": {},
            },  # jaxsr.networks.create(name, scale, **options); create_compressor(name, **options)
            "upscaler": "span-compact",  # restoration: released weights that make what is restored
            "harm": 2.0,  # restoration: additional weight of what a crop loses by being restored
            "codec": "patch-hyperprior",  # restoration: a codec whose artefacts are restored
            "init_from": "",  # weights file, released name or working directory to start from
            "data": pipeline.default_config(),
            "loss": {"l1": 1.0, "charbonnier": 0.0, "fft": 0.0},  # weights
            "optimizer": optimizer.default_config(),
            "batch_size": 16,  # of all devices of all hosts together
            "accumulate": 1,  # pieces a device takes its part of the batch in
            "steps": 100_000,
            "ema_decay": 0.999,
            "dtype": "float32",  # compute: or "bfloat16"; parameters stay float32
            "seed": 0,
            "mapper": "shard_map",  # or "pmap"
            "log_every": 100,
            "checkpoint_every": 1000,
            "keep_checkpoints": 3,
            "eval_every": 1000,
            "eval_data": "",  # folder of originals, or of images/ and masks/; "" = no evaluation
            "eval_qualities": (20, 50, 80),  # compression
            "eval_pictures": 2,  # of them shown in TensorBoard
            "profile": "",  # "FIRST:LAST" step to trace into WORKDIR/profile
        }
    )
