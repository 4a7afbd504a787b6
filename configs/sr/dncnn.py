"""DnCNN for colours: plain convolutions that find the noise (Zhang et al. 2017).

python train.py --config=configs/sr/dncnn.py --workdir=runs/dncnn \\
    --config.data.source=folder:DF2K_HR

The sizes are the paper's, for GPUs; the degradations are ours (``jaxsr.data.degradations``). We
have run it only shrunk, in the tests.
"""

from jaxsr.training.config import default_config


def get_config():
    config = default_config()
    config.scale = 1
    config.model.name = "dncnn"
    config.model.options = {"depth": 20, "channels": 3}
    config.data.low_crop = 50
    config.data.degradation = "real"
    config.batch_size = 128
    config.steps = 150_000
    config.optimizer.update(learning_rate=1e-3, b2=0.999, schedule="cosine", final_fraction=0.01)
    return config
