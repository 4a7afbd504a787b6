"""What CompressAI's codec parts answer, for tests/networks/test_codec_parity.py.

They are small and have random weights.

    peers/bin/python benchmarks/parity_codecs.py tests/networks/golden/codecs

Run by the Python of an environment with torch and compressai, with the folder to write to; needs
nothing of jaxsr. For every part it writes ``NAME.npz``: ``state/…``, the parameters as
half-precision values; ``input`` and what else goes in; ``output``. Arrays are (h, w, channels).
"""

# ruff: noqa: E402
import sys
import types
from collections.abc import Callable
from pathlib import Path

# torchvision's compiled operators do not load beside a CPU torch; they are not needed here
sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from compressai.layers import GDN, CheckerboardMaskedConv2d
from compressai.models import (
    Cheng2020Attention,
    FactorizedPrior,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from torch import Tensor, nn

N, M = 4, 6  # channels

# name → (module, what it is given)
PARTS: dict[str, tuple[Callable[[], nn.Module], dict[str, tuple[int, ...]]]] = {
    "gdn": (lambda: GDN(N), {"input": (N, 5, 7)}),
    "gdn_inverse": (lambda: GDN(N, inverse=True), {"input": (N, 5, 7)}),
    "bmshj2018_analysis": (lambda: FactorizedPrior(N, M).g_a, {"input": (3, 32, 48)}),
    "bmshj2018_synthesis": (lambda: FactorizedPrior(N, M).g_s, {"input": (M, 2, 3)}),
    "bmshj2018_hyper_analysis": (lambda: ScaleHyperprior(N, M).h_a, {"input": (M, 8, 12)}),
    "mbt2018_hyper_analysis": (lambda: MeanScaleHyperprior(N, M).h_a, {"input": (M, 8, 12)}),
    "mbt2018_hyper_synthesis": (lambda: MeanScaleHyperprior(N, M).h_s, {"input": (N, 2, 3)}),
    "cheng2020_analysis": (lambda: Cheng2020Attention(M).g_a, {"input": (3, 32, 48)}),
    "cheng2020_synthesis": (lambda: Cheng2020Attention(M).g_s, {"input": (M, 2, 3)}),
    "cheng2020_hyper_analysis": (lambda: Cheng2020Attention(M).h_a, {"input": (M, 8, 12)}),
    "cheng2020_hyper_synthesis": (lambda: Cheng2020Attention(M).h_s, {"input": (M, 2, 3)}),
    "checkerboard": (
        lambda: CheckerboardMaskedConv2d(M, 2 * M, 5, padding=2, bias=False),
        {"input": (M, 6, 8)},
    ),
    "factorized_density": (lambda: Likelihood(EntropyBottleneck(N)), {"input": (N, 6, 8)}),
    "gaussian": (
        lambda: Likelihood(GaussianConditional(None)),
        {"input": (1, 8, 8), "scale": (1, 8, 8)},
    ),
}


class Likelihood(nn.Module):
    """An entropy model's likelihood of values as they are, without noise or rounding."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, *scale: Tensor) -> Tensor:
        if scale:
            return self.model._likelihood(x, *scale)
        channels = x.shape[1]  # of one image, they come first
        return self.model._likelihood(x.reshape(channels, 1, -1))[0].reshape(x.shape)


def randomise(module: nn.Module) -> None:
    """Return weights under which every parameter shows, as half-precision values."""
    for name, parameter in module.named_parameters():
        noise = torch.randn_like(parameter)
        if name.endswith(("gamma", "beta")):  # square roots, some below their bounds
            value = 0.2 * noise + (0.8 if name.endswith("beta") else 0)
        elif parameter.ndim == 1 or ".biases." in name or ".factors." in name:
            value = 0.3 * noise
        elif ".matrices." in name:
            value = parameter + 0.8 + 0.3 * noise
        else:
            value = 0.7 * noise / parameter[0].numel() ** 0.5
        parameter.data = value.half().float()


def given(name: str, shape: tuple[int, ...]) -> Tensor:
    if name == "scale":
        return torch.rand(1, *shape) * 3 + 0.05  # some below the bound of 0.11
    return torch.rand(1, *shape) if shape[0] == 3 else 3 * torch.randn(1, *shape)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (make, shapes)) in enumerate(PARTS.items()):
        torch.manual_seed(seed)
        module = make().eval()
        randomise(module)
        inputs = {key: given(key, shape) for key, shape in shapes.items()}
        # the hyper-analysis of scales is given magnitudes by its caller
        first = inputs["input"].abs() if name == "bmshj2018_hyper_analysis" else inputs["input"]
        with torch.no_grad():
            output = module(first, *list(inputs.values())[1:])
        state = {
            f"state/{key}": value.detach().numpy().astype(np.float16)
            for key, value in module.named_parameters()
            if not key.endswith("quantiles")
        }
        arrays = {
            key: value[0].permute(1, 2, 0).numpy()
            for key, value in (inputs | {"output": output}).items()
        }
        np.savez_compressed(folder / f"{name}.npz", **arrays, **state)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
