"""attention_unet, the segmenter of the released weights, on a CPU.

    python train.py --config=configs/roi/segment.py --workdir=runs/segment \\
        --config.data.source=folder:DIR[,DIR]

Each DIR has images in images/ and masks, by the same names, in masks/: gray, white inside the
region and black outside. `--config.eval_data=DIR` measures MAE, max-Fβ and IoU on another such
folder every `config.eval_every` steps.

Run on 2 cores of an AMD EPYC, on 700 images of DUTS: 50 images a second, 24 minutes where nothing
else runs. To expect on 60 images of ECSSD: max-Fβ .82; ``jaxsr/zoo/attention-unet.md`` has the
rest.

Where a mask's values are numbers, gray levels or places in a palette, `mask_classes` says which
value stands for which class, the background's first, and `mask_ignored` which pixels carry no
loss. The masks of oxford_iiit_pet are 1 on the animal, 2 behind it and 3 along its outline; it
trains by

    --config.data.source=tfds:oxford_iiit_pet:train --config.eval_data=tfds:oxford_iiit_pet:test \\
        --config.data.mask_classes='(2, 1)' --config.data.mask_ignored='(3,)'

or with the outline as part of the animal, `'(2, (1, 3))'`. It is read without TensorFlow. To
prepare it once, `pip install tensorflow importlib_resources` and run

    tfds.builder("oxford_iiit_pet").download_and_prepare(file_format="array_record")

Any tfds set with a feature `image` and one other image feature, the mask, will do. More than two
classes take as many outputs, and are measured by their mean IoU. The 21 of PASCAL VOC, with its own
palette images in masks/, train by

    --config.model.options.classes=21 --config.data.mask_ignored='(255,)' \\
        --config.data.mask_classes="($(seq -s, 0 20))"
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config("segmentation")
    config.model.name = "attention_unet"
    config.model.options.classes = 1  # or as many as mask_classes
    config.data.crop = 160
    config.batch_size = 16
    config.steps = 4_500
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
