"""The project's own codec, to be measured as the others are."""

from jaxsr import codec
from jaxsr.codec.model import Model
from jaxsr.evaluation.codecs.protocol import Codec


def learned(name: str, model: Model, mode: str = "full") -> Codec:
    """Return a loaded model as a codec called ``name``, of qualities 1 to 100.

    Args:
      mode: "full", "half" or "auto"; see :func:`jaxsr.codec.encode`.
    """
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
