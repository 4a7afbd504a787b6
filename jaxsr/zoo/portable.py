"""A network and its parameters as a function of an image alone, for programs without jaxsr."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array, Float

from jaxsr.errors import UserError
from jaxsr.networks.layers import apply
from jaxsr.networks.upscaler import Upscaler
from jaxsr.zoo.building import build, folded
from jaxsr.zoo.kinds import Size, check_of_images
from jaxsr.zoo.weights import Weights

SIDE = 128  # pixels, at least, of the images that networks of one size take unless others are given
COLOURS = {1: "gray", 3: "RGB", 4: "RGBA"}


@dataclasses.dataclass(frozen=True, eq=False)
class Portable:
    """A network and its parameters; called, it maps an image as the network does.

    Attributes:
      read: the weights.
      network: built of them, in the form to run.
      params: of the network.
      size: height and width of the images; None: any whose sides are multiples of ``multiple``.
      multiple: 1 where sizes are given: such images are extended inside.
    """

    read: Weights
    network: Upscaler
    params: Any
    size: Size | None
    multiple: int

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b sh sw c"]:
        """Map images in [0, 1]; results are not clipped."""
        return apply(self.network, self.params, x)

    def of_one_size(self) -> "Portable":
        """Return the same for squares of ``SIDE`` pixels, or of the next multiple, alone."""
        side = -(-SIDE // self.multiple) * self.multiple
        return dataclasses.replace(self, size=(side, side), multiple=1)

    def sides(self) -> tuple[Any, Any]:
        """Return height and width to trace with, symbols where any are taken."""
        return self.size or symbols(self.multiple)

    def trials(self) -> list[Size]:
        """Return sizes of images to try the program with."""
        if self.size is not None:
            return [self.size]
        return [
            (-(-16 // self.multiple + 1 - i) * self.multiple, 24 * self.multiple) for i in (0, 1)
        ]

    def sizes(self) -> str:
        """Say what sizes of images are taken."""
        if self.size is not None:
            return f"{self.size[1]}x{self.size[0]} pixels only"
        return "any" if self.multiple == 1 else f"multiples of {self.multiple} pixels"

    def facts(self) -> dict[str, str]:
        """Return what a user of the program must know, to be kept with it."""
        return {
            "network": self.read.network,
            "scale": str(self.network.scale),
            "colours": COLOURS[self.network.channels],
            "values": "0 to 1; results may lie outside",
            "sizes": self.sizes(),
        } | self.read.notes


def symbols(multiple: int) -> tuple[Any, Any]:
    """Return a height and a width that may be any multiple."""
    factor = "" if multiple == 1 else f"{multiple}*"
    height, width = export.symbolic_shape(f"{factor}height, {factor}width")
    return height, width


def portable(read: Weights, size: Size | None = None) -> Portable:
    """Build the network of weights for images of one size, or of any where it takes these.

    Args:
      size: height and width of images; None: any, or, where the network's program depends on the
        size, squares of ``SIDE`` pixels or the next multiple that it takes.

    Raises:
      UserError: the weights are no upscaler's, or do not fit their network.
    """
    check_of_images(read.network, "are not exported", "are")
    read = folded(read)
    network = build(read)
    params = jax.tree.map(jnp.asarray, read.params)
    if size is not None:
        return Portable(read, network, params, size, 1)
    program = Portable(read, network, params, None, network.multiple)
    return program if takes_any_size(program) else program.of_one_size()


def takes_any_size(program: Portable) -> bool:
    """Return True if a program is the same for images of all sizes."""
    image = jax.ShapeDtypeStruct((1, *program.sides(), program.network.channels), jnp.float32)
    try:
        jax.eval_shape(program, image)
    except (jax.errors.InconclusiveDimensionOperation, UserError):
        return False
    return True
