"""NAFNet: products instead of activations (Chen et al. 2022).

python train.py --config=configs/sr/nafnet.py --workdir=runs/nafnet \\
    --config.data.source=folder:DF2K_HR

The sizes are the authors' for noise (SIDD), for GPUs; pairs of your own are read by
``--config.data.degradation=given``. We have run it only shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config()
    config.scale = 1
    config.model.name = "nafnet"
    config.data.low_crop = 256
    config.data.degradation = "real"
    config.batch_size = 64
    config.steps = 400_000
    config.optimizer.update(learning_rate=1e-3, b2=0.9, schedule="cosine", final_fraction=1e-4)
    return config
