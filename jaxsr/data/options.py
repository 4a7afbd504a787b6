"""The options of training data, by task."""

import ml_collections

from jaxsr.data import stages


def default_config(task: str) -> ml_collections.ConfigDict:
    """Return the data's options of a task, each with its default.

    Args:
      task: "super_resolution", "compression", "segmentation" or "restoration".
    """
    return ml_collections.ConfigDict(_common() | OPTIONS[task]())


def _common() -> dict:
    return {
        "source": "",  # folder:PATH[,PATH…] or tfds:NAME[:SPLIT]
        "data_dir": "",  # of prepared tfds datasets; "": ~/tensorflow_datasets
        "augment": True,  # each crop in one of its eight flips and rotations
        # where images are: with the "host", sets of any size; on each "device", all of them, from
        # which the program draws its batches; "auto": on devices that are no CPUs, if they fit
        "placement": "auto",
        "memory_share": 0.4,  # of the device's free memory, that images may take
        "workers": 0,  # processes that make batches; 0: a thread of this process
        "cache": "",  # folder of decoded images; "": ~/.cache/jaxsr/images
    }


def _super_resolution() -> dict:
    return {
        "low_crop": 48,  # side of the low-resolution crops in pixels
        "weight_by_area": True,  # an image is met as often as it has crops; or all equally often
        # What makes the low-resolution image: MATLAB's "bicubic"; "real": blur, resize, noise, JPEG
        # as below; "given": nothing, it comes with the image (feature lr of a tfds dataset)
        "degradation": "bicubic",
        "real": stages.default_config(),
    }


def _compression() -> dict:
    return {
        "crop": 256,  # side in pixels
        "weight_by_area": True,  # an image is met as often as it has crops; or all equally often
    }


def _segmentation() -> dict:
    return {
        "crop": 256,  # side of the squares that images are stretched to, in pixels
        # the value in masks of each class, the background's first, or several values: ((0, 3), 1);
        # (): what is above half of white is class 1
        "mask_classes": (),
        "mask_ignored": (),  # values in masks whose pixels carry no loss
    }


def _restoration() -> dict:
    return _compression() | {
        "real": stages.default_config(),  # of images at their own size
        "real_before_upscaling": stages.default_config(),  # of images that are enlarged next
        "clean": 0.3,  # the chance that an image is only reduced and not degraded
    }


OPTIONS = {
    "super_resolution": _super_resolution,
    "compression": _compression,
    "segmentation": _segmentation,
    "restoration": _restoration,
}
