"""CompressAI's side of codec.py: bmshj2018-hyperprior of qualities 1 to 5, with random weights.

Needs torch and compressai, which jaxsr does not.
"""

import argparse
import sys
import types

from side import serve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, required=True)
    threads = parser.parse_args().threads
    serve(threads, {"prepare": lambda pixels: prepare(pixels, threads)})


def prepare(path: str, threads: int):
    """Return calls by name, and the strings' bytes."""
    # torchvision's compiled operators do not load beside a CPU-only torch
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision")
    import numpy as np
    import torch
    from compressai.zoo import bmshj2018_hyperprior

    torch.set_grad_enabled(False)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = bmshj2018_hyperprior(quality=3, pretrained=False).eval()
    model.update()
    pixels = np.load(path)
    bottleneck, conditional = model.entropy_bottleneck, model.gaussian_conditional

    def tensor():
        return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255

    def picture(x):
        return (x[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()

    x = tensor()
    y = model.g_a(x)
    hyper = model.h_a(torch.abs(y))
    z_strings = bottleneck.compress(hyper)
    z = bottleneck.decompress(z_strings, hyper.shape[-2:])
    indexes = conditional.build_indexes(model.h_s(z))
    y_strings = conditional.compress(y, indexes)
    whole = model.compress(x)
    decoded = conditional.decompress(y_strings, indexes, z.dtype)
    runs = {
        "encode": lambda: model.compress(tensor()),
        "decode": lambda: picture(model.decompress(**whole)["x_hat"]),
        "analysis": lambda: model.g_a(tensor()),
        "hyper, encoding": lambda: (model.h_a(torch.abs(y)), model.h_s(z)),
        "write": lambda: (
            bottleneck.decompress(bottleneck.compress(hyper), hyper.shape[-2:]),
            conditional.compress(y, indexes),
        ),
        "hyper, decoding": lambda: model.h_s(z),
        "read": lambda: (
            bottleneck.decompress(z_strings, z.shape[-2:]),
            conditional.decompress(y_strings, indexes, z.dtype),
        ),
        "synthesis": lambda: picture(model.g_s(decoded).clamp_(0, 1)),
    }
    return runs, {"bytes": sum(len(strings[0]) for strings in whole["strings"])}


if __name__ == "__main__":
    main()
