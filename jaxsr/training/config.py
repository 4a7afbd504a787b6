"""The options of a training run; the files in ``configs/`` change some of them."""

import importlib.util
import os
from pathlib import Path

import ml_collections

from jaxsr.data import options
from jaxsr.training import optimizer


def default_config(task: str = "super_resolution") -> ml_collections.ConfigDict:
    """Return every option that a task has, with its default. Steps are optimiser steps.

    An option of another task is none of this one's, and an error on the command line.

    Args:
      task: "super_resolution", "compression", "segmentation" or "restoration".
    """
    shared = {
        "task": task,
        # jaxsr.networks.create(name, scale, **options); create_compressor(name, **options) …
        "model": {"name": "", "options": {}},
        "init_from": "",  # weights file, released name or working directory to start from
        "data": options.default_config(task),
        "optimizer": optimizer.default_config(),
        "batch_size": 16,  # of all devices of all hosts together
        "steps_per_call": 0,  # of one program, images on the devices; 0: 1 on CPUs, 20 elsewhere
        "accumulate": 1,  # pieces a device takes its part of the batch in
        "steps": 100_000,
        # > 0: as many steps as fit into so many minutes, by the speed of the first hundred, and no
        # more than "steps"; the schedule is theirs
        "minutes": 0.0,
        "ema_decay": 0.999,
        "dtype": "float32",  # or "bfloat16": of what need not be exact; docs/training.md
        "seed": 0,
        "mapper": "shard_map",  # or "pmap"
        "shard_params": False,  # each device keeps a part of the parameters, not all of them
        "log_every": 100,
        "checkpoint_every": 1000,
        "keep_checkpoints": 3,
        "eval_every": 1000,
        "eval_data": "",  # folder of originals, or of images/ and masks/; "" = no evaluation
        "eval_pictures": 2,  # of them shown in TensorBoard
        "profile": "",  # "FIRST:LAST" step to trace into WORKDIR/profile
    }
    return ml_collections.ConfigDict(shared | OPTIONS[task])


def config_of(path: str | os.PathLike, *argument: str) -> ml_collections.ConfigDict:
    """Run a config file, such as those of ``configs/``, and return what its ``get_config`` does.

    Args:
      path: of the file.
      argument: for ``get_config``, if it takes one (on the command line, what follows the colon).
    """
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(*argument)


RECONSTRUCTION = {"l1": 1.0, "charbonnier": 0.0, "fft": 0.0}  # weights of losses between images

OPTIONS = {
    "super_resolution": {"scale": 4, "loss": RECONSTRUCTION},
    "compression": {
        "rate": -1.0,  # 0..1 trains for this trade-off alone; negative: for all
        "rate_power": 1.0,  # of a uniform draw of 0..1; above 1, low rates are drawn more often
        "balance": "root",  # of low rates and high ones in the loss; or "logarithm"
        "region_chance": 0.25,  # of a crop to have a part coded finer or coarser
        "eval_qualities": (20, 50, 80),
    },
    "segmentation": {},
    "restoration": {
        "upscaler": "span-photo",  # released weights that make what is restored
        "codec": "patch-hyperprior",  # whose artefacts are restored
        "harm": 2.0,  # additional weight of what a crop loses by being restored
        "estimate": 0.05,  # weight of the error of estimated strengths, where the network is told
        "loss": RECONSTRUCTION,
    },
}
