"""CompressAI's side of entropy_coder.py: its rANS through its Python interface, and constriction's.

Needs torch and compressai, which jaxsr does not; constriction is timed where it is installed.
"""

import argparse
import sys
import types

from side import serve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, required=True)
    serve(parser.parse_args().threads, {"prepare": prepare})


def prepare(case: str):
    """Return calls by name, and bytes by coder. Symbols are checked."""
    # torchvision's compiled operators do not load beside a CPU-only torch
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision")
    import numpy as np
    import torch
    from compressai.ans import RansDecoder, RansEncoder
    from compressai.entropy_models import GaussianConditional

    arrays = np.load(case)
    gaussian = GaussianConditional(arrays["scales"].tolist())
    gaussian.update()
    tables = (
        gaussian._quantized_cdf.tolist(),
        gaussian._cdf_length.reshape(-1).int().tolist(),
        gaussian._offset.reshape(-1).int().tolist(),
    )
    symbols, indexes = (torch.from_numpy(arrays[name]) for name in ("symbols", "indexes"))
    listed = symbols.tolist(), indexes.tolist()
    encoder, decoder = RansEncoder(), RansDecoder()
    data = encoder.encode_with_indexes(*listed, *tables)
    if decoder.decode_with_indexes(data, listed[1], *tables) != listed[0]:
        raise SystemExit("CompressAI's symbols came back wrong")
    runs = {
        "encode compressai": lambda: encoder.encode_with_indexes(*listed, *tables),
        "decode compressai": lambda: decoder.decode_with_indexes(data, listed[1], *tables),
        "encode +tensors": lambda: encoder.encode_with_indexes(
            symbols.tolist(), indexes.tolist(), *tables
        ),
        "decode +tensors": lambda: torch.tensor(
            decoder.decode_with_indexes(data, indexes.tolist(), *tables)
        ),
    }
    sizes = {"compressai": len(data), "+tensors": len(data)}
    try:
        import constriction
    except ImportError:
        return runs, {"bytes": sizes}
    return constricted(constriction, arrays, runs, sizes)


def constricted(constriction, case, runs, sizes):
    """Return the runs and sizes with those of constriction's ANS coder."""
    import numpy as np

    model = constriction.stream.model.QuantizedGaussian(-5000, 5000)
    scales = case["scales"][case["indexes"]]
    means = np.zeros_like(scales)
    coder = constriction.stream.stack.AnsCoder

    def encode():
        stack = coder()
        stack.encode_reverse(case["symbols"], model, means, scales)
        return stack.get_compressed()

    data = encode()
    decode = lambda: coder(data).decode(model, means, scales)  # noqa: E731
    if (decode() != case["symbols"]).any():
        raise SystemExit("constriction's symbols came back wrong")
    runs = runs | {"encode constriction": encode, "decode constriction": decode}
    return runs, {"bytes": sizes | {"constriction": data.nbytes}}


if __name__ == "__main__":
    main()
