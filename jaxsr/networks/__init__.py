"""Whole networks, one file each, and a dictionary from name to factory for each kind of them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import flax.linen as nn

from jaxsr.errors import UserError
from jaxsr.networks import (
    atd,
    attention_unet,
    bmshj2018,
    cheng2020,
    dat,
    dncnn,
    drct,
    drunet,
    edsr,
    fbcnn,
    hat,
    imdn,
    mbt2018,
    mosr,
    nafnet,
    omnisr,
    pan,
    patch_hyperprior,
    plksr,
    rcan,
    realcugan,
    restormer,
    rgt,
    rlfn,
    rrdb,
    safmn,
    scunet,
    seemore,
    smfanet,
    span,
    srformer,
    srvgg,
    swinir,
    window_restorer,
)
from jaxsr.networks.attention_unet import AttentionUNet
from jaxsr.networks.compressor import Compressor, FactorizedCompressor
from jaxsr.networks.upscaler import Upscaler
from jaxsr.networks.window_restorer import WindowRestorer

Network = TypeVar("Network", bound=nn.Module)

# A network is added with one file, one line in one of these, one config and one test.
UPSCALERS: dict[str, Callable[..., Upscaler]] = {
    "atd": atd.atd,
    "atd_light": atd.atd_light,
    "dat": dat.dat,
    "dat_2": dat.dat_2,
    "dat_light": dat.dat_light,
    "dat_s": dat.dat_s,
    "drct": drct.drct,
    "drct_l": drct.drct_l,
    "dncnn": dncnn.dncnn,
    "drunet": drunet.drunet,
    "edsr": edsr.edsr,
    "edsr_baseline": edsr.edsr_baseline,
    "fbcnn": fbcnn.fbcnn,
    "hat": hat.hat,
    "hat_l": hat.hat_l,
    "hat_s": hat.hat_s,
    "imdn": imdn.imdn,
    "mosr": mosr.mosr,
    "nafnet": nafnet.nafnet,
    "omnisr": omnisr.omnisr,
    "pan": pan.pan,
    "plksr": plksr.plksr,
    "rcan": rcan.rcan,
    "realcugan": realcugan.realcugan,
    "realplksr": plksr.realplksr,
    "restormer": restormer.restormer,
    "rgt": rgt.rgt,
    "rgt_s": rgt.rgt_s,
    "rlfn": rlfn.rlfn,
    "rrdb": rrdb.rrdb,
    "safmn": safmn.safmn,
    "scunet": scunet.scunet,
    "seemore": seemore.seemore,
    "smfanet": smfanet.smfanet,
    "span": span.span,
    "span_compact": span.span_compact,
    "srformer": srformer.srformer,
    "srformer_light": srformer.srformer_light,
    "srvgg_compact": srvgg.srvgg_compact,
    "swinir": swinir.swinir,
    "swinir_light": swinir.swinir_light,
}

COMPRESSORS: dict[str, Callable[..., Compressor | FactorizedCompressor]] = {
    "bmshj2018_factorized": bmshj2018.bmshj2018_factorized,
    "bmshj2018_hyperprior": bmshj2018.bmshj2018_hyperprior,
    "cheng2020_attention": cheng2020.cheng2020_attention,
    "mbt2018_mean": mbt2018.mbt2018_mean,
    "patch_hyperprior": patch_hyperprior.patch_hyperprior,
}

SEGMENTERS: dict[str, Callable[..., AttentionUNet]] = {
    "attention_unet": attention_unet.attention_unet,
}

RESTORERS: dict[str, Callable[..., WindowRestorer]] = {
    "window_restorer": window_restorer.window_restorer,
}

SCALES = (1, 2, 3, 4, 8)  # 1: what restores at the image's own size


def create(name: str, **options: Any) -> Upscaler:
    """Build the upscaler ``name`` with its factory's options (``scale=4, dtype=…``).

    Raises:
      UserError: there is no such upscaler, not at that scale, or its factory has no such option.
    """
    if options.get("scale", 4) not in SCALES:
        scales = ", ".join(map(str, SCALES))
        raise UserError(f"unsupported scale {options['scale']}; networks are built for {scales}")
    return _build(UPSCALERS, name, options)


def restores(name: str) -> bool:
    """Return True if the upscaler ``name`` is one that keeps an image's size, by its factory."""
    return inspect.signature(UPSCALERS[name]).parameters["scale"].default == 1


def create_compressor(name: str, **options: Any) -> Compressor | FactorizedCompressor:
    """Build the compressor ``name`` with its factory's options (``latents=320, …``).

    Raises:
      UserError: there is no such compressor, or its factory has no such option.
    """
    return _build(COMPRESSORS, name, options)


def create_segmenter(name: str, **options: Any) -> AttentionUNet:
    """Build the segmenter ``name`` with its factory's options (``classes=1, …``).

    Raises:
      UserError: there is no such segmenter, or its factory has no such option.
    """
    return _build(SEGMENTERS, name, options)


def create_restorer(name: str, **options: Any) -> WindowRestorer:
    """Build the restorer ``name`` with its factory's options (``features=96, …``).

    Raises:
      UserError: there is no such restorer, or its factory has no such option.
    """
    return _build(RESTORERS, name, options)


def _build(
    factories: Mapping[str, Callable[..., Network]], name: str, options: dict[str, Any]
) -> Network:
    if name not in factories:
        raise UserError(f"unknown network {name!r}; there are: {', '.join(sorted(factories))}")
    known = inspect.signature(factories[name]).parameters
    if unknown := [option for option in options if option not in known]:
        raise UserError(f"network {name!r}: no option {unknown[0]!r}; it has: {', '.join(known)}")
    return factories[name](**options)
