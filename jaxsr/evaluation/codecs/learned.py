"""The project's own codec, to be measured like any other."""

from jaxsr import codec
from jaxsr.codec.model import Model
from jaxsr.evaluation.codecs.protocol import Codec


def learned(name: str, model: Model, mode: str = "full") -> Codec:
    """A loaded model as a codec of qualities 1 to 100, under ``name``; see :func:`codec.encode`."""
    notes = [f"{key}: {value}" for key, value in model.notes.items()]
    return Codec(
        name,
        encode=lambda pixels, quality: codec.encode(pixels, quality, mode=mode, model=model),
        decode=lambda data: codec.decode(data, model=model),
        about=", ".join(
            [f"{model.name} {model.options}", f"model {model.hash.hex()}", f"mode {mode}", *notes]
        ),
        compiles=True,
    )
