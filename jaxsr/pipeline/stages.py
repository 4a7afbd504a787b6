"""The whole chain as one pure function: extract → enhance → fuse → segment → restore."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr import networks, zoo
from jaxsr.errors import UserError
from jaxsr.networks.degradation import estimate
from jaxsr.networks.window_restorer import features_at
from jaxsr.pipeline.restoring import read_restoring
from jaxsr.pipeline.result import Result
from jaxsr.regions import masks
from jaxsr.regions.degradation import trusted
from jaxsr.regions.restore import Restorer, grid, is_told, restore
from jaxsr.regions.segment import saliency
from jaxsr.zoo.weights import Weights

Params = dict[str, Any]
Name = str | os.PathLike
Stage = Callable[..., Array]
UPSCALING = {"extract": "extracted", "enhance": "enhanced", "fuse": "fused"}  # → Upscaler's methods


@dataclasses.dataclass(frozen=True)
class Stages:
    """The chain as pure functions, one a stage; ``dataclasses.replace`` exchanges any of them.

    The parameters of each are under its name in the chain's: ``{"extract": …, "enhance": …, …}``.

    Attributes:
      extract: ``(params, x) → f0``: x of (b, h, w, 3) in [0, 1], features of (b, h', w', c), where
        h' and w' are h and w or, for networks that want whole multiples, a little more.
      enhance: ``(params, f0) → f`` of the same height and width.
      fuse: ``(params, x, f) → y`` of (b, sh, sw, 3); it is clipped to [0, 1] then.
      segment: ``(params, y) → mask``, (b, sh, sw) in [0, 1]. None where masks are always given.
      restore: ``(params, y, mask, features) → restored``: of tiles, or of whole frames, of
        (b, H, W, 3), masks of (b, H, W, 1) and ``f`` on a grid of (b, H/4, W/4, c) positions, or
        None. A plain function is taken to look no farther than 64 pixels (:class:`Local`); networks
        say it themselves.
      scale: s. 1: the image is not upscaled, and the first three stages are None.
      features: True where the restorer is given ``f``: it was trained with this upscaler's.
    """

    extract: Stage | None
    enhance: Stage | None
    fuse: Stage | None
    segment: Stage | None
    restore: Stage | Restorer
    scale: int
    features: bool = True


@dataclasses.dataclass(frozen=True)
class Local:
    """A plain function as a restorer, with how far it looks.

    Attributes:
      run: see :class:`Stages`.
      margin, multiple: see :class:`jaxsr.regions.restore.Restorer`.
    """

    run: Stage
    margin: int = 64
    multiple: int = 32

    def apply(self, variables: Params, x: Array, mask: Array, features: Array | None) -> Array:
        """Run the function, as a linen module is applied."""
        return self.run(variables["params"], x, mask, features)


def run_chain(
    stages: Stages,
    params: Params,
    x: Float[Array | np.ndarray, "b h w 3"],
    mask: Float[Array | np.ndarray, "b h w"] | None = None,
    strengths: Float[Array | np.ndarray, "b 4"] | None = None,
    *,
    core: int = 256,
    budget: int = 4,
) -> Result:
    """Upscale images, find their regions and restore them: a pure function.

    It jits, vmaps, grads and shards. Its cost does not depend on what the images show, and it
    compiles once for a shape: as ``jax.jit(run_chain, static_argnums=0)``, for example, or with
    ``functools.partial(run_chain, stages)``.

    Args:
      params: of each stage, by its name.
      x: RGB in [0, 1].
      mask: of ``x``, in [0, 1]; None: what the stage ``segment`` finds.
      strengths: of what degraded ``x`` (:mod:`jaxsr.networks.degradation`), for a restorer that is
        told them; None: they are estimated.
      core, budget: the side in pixels, and the number, of the tiles restored in each image; see
        :func:`jaxsr.regions.restore.restore`, also for what it raises.

    Returns:
      ``image``: upscaled, the region restored, bit for bit ``fused`` outside of it; its ``mask``;
      ``fused``; and ``left_over``. ``tiles`` is None: it would be no constant.

    Raises:
      UserError: there is neither a mask nor a stage that finds one.
    """
    if mask is None and stages.segment is None:
        raise UserError("no stage finds the region; give a mask, or stages with segment")
    restorer = stages.restore if isinstance(stages.restore, Restorer) else Local(stages.restore)
    fused, f = upscaled(stages, params, jnp.asarray(x))
    if mask is None:
        if stages.segment is None:
            raise UserError("the chain has no segmenter: give a mask, or load it with one")
        mask = stages.segment(params["segment"], fused)
    elif stages.scale > 1:
        mask = masks.enlarge(jnp.asarray(mask), stages.scale)
    if f is not None:
        f = features_at(f, stages.scale, *grid(restorer, fused.shape[1], fused.shape[2]))
    if is_told(restorer) and strengths is None:
        strengths = trusted(estimate(params["restore"]["estimate"], jnp.asarray(x)))
    image, left_over = restore(
        restorer, params["restore"], fused, mask, f, strengths, core=core, budget=budget
    )
    return Result(image, jnp.asarray(mask), fused=fused, left_over=left_over)


def upscaled(
    stages: Stages, params: Params, x: Float[Array, "b h w 3"]
) -> tuple[Float[Array, "b H W 3"], Float[Array, "b h w c"] | None]:
    """Run the first three stages: the fused image, and the features if the restorer wants them."""
    if stages.scale == 1:
        return x, None
    assert stages.extract and stages.enhance and stages.fuse  # None at scale 1 alone
    f = stages.enhance(params["enhance"], stages.extract(params["extract"], x))
    y = jnp.clip(stages.fuse(params["fuse"], x, f), 0, 1)
    return y, f[:, : x.shape[1], : x.shape[2]] if stages.features else None


def load_stages(
    scale: int = 4,
    *,
    upscaler: Name = zoo.DEFAULT_UPSCALER,
    extract: Name | Stage | None = None,
    enhance: Name | Stage | None = None,
    fuse: Name | Stage | None = None,
    segment: Name | Stage | None = zoo.DEFAULT_SEGMENTER,
    restore: Name | Stage | Restorer = zoo.DEFAULT_RESTORER,
) -> tuple[Stages, Params]:
    """Return the stages and their parameters; each is given by a name, a file, or as a callable.

    The parameters are on the default device. A callable's are ``{}`` until you put in others.

    Args:
      scale: of the upscaler, or 1 for images that are not upscaled.
      upscaler: whose stages the first three are, each unless it is given itself.
      segment: None where masks are always given.

    Raises:
      UserError: the scale is none of these; there are no such weights, or they don't fit the
        network they name.
    """
    if scale not in networks.SCALES:
        scales = ", ".join(map(str, networks.SCALES))
        raise UserError(f"the chain's scale is one of {scales} (1: no upscaling), got {scale}")
    stages: dict[str, Any] = dict.fromkeys(UPSCALING)
    params: Params = {stage: {} for stage in (*UPSCALING, "segment", "restore")}
    if scale > 1:
        released = functools.cache(functools.partial(_upscaling, scale=scale))
        for stage, given in (("extract", extract), ("enhance", enhance), ("fuse", fuse)):
            stages[stage], params[stage] = (
                (given, {}) if callable(given) else released(given or upscaler)[stage]
            )
    stages["segment"], params["segment"] = (
        (segment, {}) if segment is None or callable(segment) else _segmenting(segment)
    )
    features, restorer = True, restore
    if isinstance(restore, str | os.PathLike):
        restorer, weights = read_restoring(restore)
        params["restore"] = weights.params
        source = enhance or upscaler
        features = (
            scale > 1
            and not callable(source)
            and conditions(weights, zoo.read_upscaler(source, scale))
        )
    chain = Stages(
        **stages, restore=cast(Stage | Restorer, restorer), scale=scale, features=features
    )
    return chain, jax.device_put(params)


def _upscaling(name: Name, scale: int) -> dict[str, tuple[Stage, Params]]:
    """Read the first three stages of an upscaler, and their parameters."""
    weights = zoo.read_upscaler(name, scale)
    network = zoo.build(weights, name)

    def run(params, *inputs, stage):
        return network.apply({"params": {stage: params}}, *inputs, method=UPSCALING[stage])

    return {
        stage: (functools.partial(run, stage=stage), weights.params.get(stage, {}))
        for stage in UPSCALING
    }


def _segmenting(name: Name) -> tuple[Stage, Params]:
    """Read the stage of a segmenter, and its parameters."""
    weights = zoo.read_segmenter(name)
    return functools.partial(saliency, zoo.build(weights, name)), weights.params


def conditions(restorer: Weights, upscaler: Weights) -> bool:
    """Return True if a restorer was trained with the features of an upscaler such as this.

    That network is the note ``features_of`` of its weights, else the one of the released upscalers.
    """
    known = restorer.notes.get("features_of", "span_compact")
    return "fused" in restorer.params and upscaler.network == known
