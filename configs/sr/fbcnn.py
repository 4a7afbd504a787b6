"""FBCNN: finds the quality of a JPEG and undoes that much (Jiang et al. 2021).

python train.py --config=configs/sr/fbcnn.py --workdir=runs/fbcnn \\
    --config.data.source=folder:DF2K_HR

The sizes are the paper's, for GPUs; the degradations are ours (``jaxsr.data.degradations``), and
the quality is found without being told in training. We have run it only shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config()
    config.scale = 1
    config.model.name = "fbcnn"
    config.data.low_crop = 128
    config.data.degradation = "real"
    config.batch_size = 32
    config.steps = 600_000
    config.optimizer.update(learning_rate=1e-4, b2=0.999, schedule="cosine", final_fraction=0.01)
    return config
