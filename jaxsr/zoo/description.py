"""What weights are, in words: kind, architecture, size, what images they take and how."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax

from jaxsr.networks.upscaler import Upscaler
from jaxsr.tiling.upscaling import FARTHEST
from jaxsr.zoo.building import precisions
from jaxsr.zoo.kinds import kind_of
from jaxsr.zoo.weights import Weights


@dataclasses.dataclass(frozen=True)
class Description:
    """What is known of weights.

    Attributes:
      kind: "upscaler", "restorer" (also an upscaler ×1), "segmenter" or "codec".
      architecture: the network's name in :mod:`jaxsr.networks`.
      options: of its factory.
      scale: by how much results are larger; 1 where they are not.
      channels: of images as the network takes them: 3 for RGB, 1 for gray, 4 with alpha. Images of
        other channels are brought to these.
      parameters: how many numbers were trained.
      sizes: what sizes of images it takes.
      tiles: how images that are cut differ from whole ones.
      precisions: types it may compute in.
      licence: of the weights; None where it is not known.
      notes: free text kept with the weights.
    """

    kind: str
    architecture: str
    options: dict[str, Any]
    scale: int
    channels: int
    parameters: int
    sizes: str
    tiles: str
    precisions: tuple[str, ...]
    licence: str | None
    notes: dict[str, str]

    def lines(self) -> list[tuple[str, str]]:
        """Return name and value of everything, to be printed."""
        options = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return [
            ("kind", self.kind + (f" ×{self.scale}" if self.kind == "upscaler" else "")),
            ("network", self.architecture),
            ("options", options or "as they are by default"),
            ("parameters", f"{self.parameters:,}"),
            ("channels", {1: "gray", 3: "RGB", 4: "RGB and alpha"}[self.channels]),
            ("sizes", self.sizes),
            ("tiles", self.tiles),
            ("precisions", ", ".join(self.precisions)),
            ("licence", self.licence or "not known; ask who made them"),
            *self.notes.items(),
        ]


def describe(read: Weights, network: nn.Module) -> Description:
    """Describe weights and the network built for them."""
    kind = kind_of(read.network)
    notes = dict(read.notes)
    common = {
        "architecture": read.network,
        "options": dict(read.options),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(read.params)),
        "precisions": precisions(read.network),
        "licence": notes.pop("licence", None),
        "notes": notes,
    }
    if isinstance(network, Upscaler):
        name = "upscaler" if network.scale > 1 else "restorer"
        return Description(
            kind=name, scale=network.scale, channels=network.channels, **_of(network), **common
        )
    known: Any = network  # of a segmenter or a restorer with a mask
    ways = (
        {"sizes": f"any, seen at {known.side}×{known.side}", "tiles": "images are not cut"}
        if hasattr(known, "side")
        else {"sizes": "any", "tiles": f"those of the region, {known.margin} pixels around"}
    )
    return Description(kind=kind.name if kind else "", scale=1, channels=3, **ways, **common)


def _of(network: Upscaler) -> dict[str, str]:
    """Say what sizes an upscaler takes, and how it is run in tiles."""
    multiple, field = network.multiple, network.receptive_field
    mirrored = "" if multiple == 1 else f", mirrored to multiples of {multiple} inside"
    tiles = "blended: close to the whole image, not equal"
    if field is not None:
        like = "equal" if field <= FARTHEST else f"cut {FARTHEST} pixels away: nearly equal"
        tiles = f"{like} to the whole image; an output pixel sees {field} pixels around"
    return {"sizes": f"any{mirrored}", "tiles": tiles}
