"""The PyTorch side of parity.py: small networks with random weights, and what they answer.

Run by the Python of an environment with torch and spandrel, with the folder to write to and, behind
it, the cases that are wanted (``hat_x3,swinir_x4``; none: all); needs nothing of jaxsr. Networks
are spandrel's copies of the official code; those it lacks are in torch_networks.py.

For every network it writes ``NAME.pth``, the state dict, and ``NAME.npz`` with ``input`` (h w c, in
[0, 1], whole multiples of 1/255) and ``output`` (sh sw c). With ``--written`` behind the cases it
reads ``NAME.safetensors``, written by parity.py, instead, and writes ``NAME.answer``.
"""

# ruff: noqa: E402
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path

# torchvision's compiled operators do not load beside a CPU torch; spandrel does not need them
sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from spandrel import ModelLoader, UnsupportedModelError
from spandrel.architectures.__arch_helpers.block import ResidualDenseBlock_5C
from spandrel.architectures.ATD import ATD
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DAT import DAT
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.DRCT import DRCT
from spandrel.architectures.DRUNet import DRUNet
from spandrel.architectures.ESRGAN import ESRGAN, _to_old_arch
from spandrel.architectures.FBCNN import FBCNN
from spandrel.architectures.HAT import HAT
from spandrel.architectures.MoSR import MoSR
from spandrel.architectures.NAFNet import NAFNet
from spandrel.architectures.OmniSR import OmniSR
from spandrel.architectures.PLKSR import PLKSR
from spandrel.architectures.PLKSR.__arch.RealPLKSR import RealPLKSR
from spandrel.architectures.RCAN import RCAN
from spandrel.architectures.RealCUGAN import UpCunet2x, UpCunet2x_fast, UpCunet3x, UpCunet4x
from spandrel.architectures.RGT import RGT
from spandrel.architectures.SAFMN import SAFMN
from spandrel.architectures.SCUNet.__arch import SCUNet as scunet_code
from spandrel.architectures.SeemoRe import SeemoRe
from spandrel.architectures.SPAN import SPAN
from spandrel.architectures.SwinIR import SwinIR
from spandrel.architectures.SwinIR.__arch.SwinIR import Upsample
from torch import nn
from torch_networks import EDSR, IMDN, PAN, RLFN, Restormer, SMFANet, SRFormer, conv3

# ATD sorts pixels by category; the order of equal ones, which its groups depend on, would be left
# to the machine. Here, as in ours, they stay in theirs.
sort = torch.sort
torch.sort = lambda x, **options: sort(x, **(options | {"stable": True}))


def windowed(network: Callable[..., nn.Module], scale: int, window: int, **options) -> nn.Module:
    """Build SwinIR or HAT with 2 groups of 2 layers; ``img_size`` keeps windows from shrinking."""
    common = {"depths": (2, 2), "num_heads": (2, 2), "mlp_ratio": 2, "img_size": 2 * window}
    return network(upscale=scale, window_size=window, **common, **options)


def narrowed(network: nn.Module, scale: int, features: int = 8) -> nn.Module:
    """Replace a head whose 64 channels are fixed in its code: they'd make golden files large."""
    width = network.conv_before_upsample[0].in_channels
    network.conv_before_upsample[0] = conv3(width, features)
    if hasattr(network, "upsample"):
        network.upsample = Upsample(scale, features)
    for name in ("conv_up1", "conv_up2", "conv_up3", "conv_hr"):
        if hasattr(network, name):
            setattr(network, name, conv3(features, features))
    network.conv_last = conv3(features, network.conv_last.out_channels)
    return network


def swinir(scale: int, upsampler: str = "pixelshuffle", **options) -> nn.Module:
    network = windowed(SwinIR, scale, 4, embed_dim=12, upsampler=upsampler, **options)
    return narrowed(network, scale)


def told(network: nn.Module, multiple: int, noise: float) -> nn.Module:
    """Mirror a network's inputs as its users must; tell it the noise, in steps of 1/255."""
    size = []

    def prepare(_, inputs):
        (x,) = inputs
        size[:] = x.shape[2:]
        height, width = (-size % multiple for size in x.shape[2:])
        x = F.pad(x, (0, width, 0, height), mode="reflect")
        return torch.cat([x, torch.full_like(x[:, :1], noise / 255)], 1)

    network.register_forward_pre_hook(prepare)
    network.register_forward_hook(lambda _, inputs, y: y[..., : size[0], : size[1]])
    return network


def scunet() -> nn.Module:
    """Build SCUNet with heads of 2 channels; 32 are fixed in its code."""
    block = scunet_code.ConvTransBlock

    def narrow(conv, trans, head, *others):
        return block(conv, trans, 2, *others)

    scunet_code.ConvTransBlock = narrow
    return scunet_code.SCUNet(dim=4, config=[2, 1, 1, 1, 1, 1, 1])


def fbcnn(channels: int) -> nn.Module:
    """Build FBCNN, narrow also where 512 channels are fixed in its code."""
    network = FBCNN(in_nc=channels, out_nc=channels, nc=[2, 4, 8, 16], nb=2)
    for layers in (network.qf_pred, network.qf_embed, *network.children()):
        for i, layer in enumerate(layers.children() if isinstance(layers, nn.Sequential) else ()):
            if isinstance(layer, nn.Linear):
                wide = layer.in_features, layer.out_features
                inputs, outputs = (12 if n == 512 else n for n in wide)
                layers[i] = nn.Linear(
                    16 if layers is network.qf_pred and i == 4 else inputs, outputs
                )
    network.register_forward_hook(lambda _, inputs, output: output[0])  # not the quality
    return network


def partial_kernel(network: Callable[..., nn.Module], scale: int, **options) -> nn.Module:
    """Build PLKSR or RealPLKSR, small."""
    return network(dim=8, n_blocks=2, upscaling_factor=scale, kernel_size=7, **options)


def rrdb(**options) -> nn.Module:
    """Build RRDB with dense blocks of 4 channels more each; 32 are fixed in its code."""
    network = ESRGAN(num_filters=8, num_blocks=2, **options)
    blocks = [module for module in network.modules() if isinstance(module, ResidualDenseBlock_5C)]
    for block in blocks:
        block.__init__(nf=8, gc=4, plus=options.get("plus", False))
    return network


def rrdb_names(dense: str, conv: str, stage: str, last_but_one: str) -> dict[str, str]:
    """Return patterns of ESRGAN's first names → those of later code, for ×4 and 2 blocks."""
    return {
        r"model\.0": "conv_first",
        r"model\.1\.sub\.(\d)\.RDB(\d)\.(conv\d)\.0": dense,
        r"model\.1\.sub\.2": conv,
        r"model\.3": f"{stage}1",
        r"model\.6": f"{stage}2",
        r"model\.8": last_but_one,
        r"model\.10": "conv_last",
    }


# a word in a case's name → what it says: channels, and how the layers are named instead
CHANNELS = {"gray": 1, "alpha": 4}
NAMES = {
    "basicsr": rrdb_names(r"body.\1.rdb\2.\3", "conv_body", "conv_up", "conv_hr"),
    "bsrgan": rrdb_names(r"RRDB_trunk.\1.RDB\2.\3", "trunk_conv", "upconv", "HRconv"),
}


def dual(network: Callable[..., nn.Module], scale: int, **options) -> nn.Module:
    """Build DAT or RGT with 2 groups of a layer; the second one's windows are shifted."""
    common = {"depth": (1, 1), "num_heads": (4, 4), "split_size": (2, 4), "img_size": 8}
    return network(upscale=scale, **{"embed_dim": 32, **common, **options})


def atd(scale: int, **options) -> nn.Module:
    common = {"embed_dim": 12, "depths": (2,), "num_heads": (2,), "window_size": 4}
    common |= {"num_tokens": 6, "reducted_dim": 4, "img_size": 8}
    return ATD(upscale=scale, **common, **options)


def drct() -> nn.Module:
    network = DRCT(
        upscale=2,
        embed_dim=12,
        depths=(6,),
        num_heads=(4,),
        window_size=4,
        mlp_ratio=2,
        gc=2,
        img_size=8,
        upsampler="pixelshuffle",
    )
    return padded(narrowed(network, 2, 4), 4)


def padded(network: nn.Module, multiple: int) -> nn.Module:
    """Mirror the image to whole windows and cut the output, as who calls this network must."""
    plain = network.forward

    def forward(x):
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="reflect")
        y = plain(x)
        scale = y.shape[2] // x.shape[2]
        return y[:, :, : height * scale, : width * scale]

    network.forward = forward
    return network


NARROW = {8: 1, 16: 2, 32: 2, 64: 4, 128: 8, 256: 16}  # channels of Real-CUGAN → as few for a test


def realcugan(network: nn.Module) -> nn.Module:
    """Replace Real-CUGAN's layers by narrow ones; their widths are fixed in its code."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                few = [NARROW.get(n, n) for n in (layer.in_channels, layer.out_channels)]
                shape = (*few, layer.kernel_size, layer.stride, layer.padding)
                setattr(parent, name, type(layer)(*shape, bias=layer.bias is not None))
    return network


# name → (network, height and width of its image: odd, so that padding is compared as well)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "swinir_light_x2": (
        lambda: windowed(SwinIR, 2, 8, embed_dim=12, upsampler="pixelshuffledirect"),
        (13, 21),
    ),
    "swinir_x4": (lambda: swinir(4), (9, 14)),
    "hat_x3": (
        lambda: windowed(HAT, 3, 4, embed_dim=12, num_feat=8, squeeze_factor=4),
        (11, 13),
    ),
    "span_x4": (lambda: SPAN(num_in_ch=3, num_out_ch=3, feature_channels=4, upscale=4), (9, 11)),
    "rcan_x3": (
        lambda: RCAN(scale=3, n_resgroups=2, n_resblocks=2, n_feats=8, reduction=4),
        (9, 11),
    ),
    "edsr_x4": (lambda: EDSR(4, features=8, blocks=2), (9, 11)),
    "pan_x4": (lambda: PAN(features=8, head=6, blocks=2), (9, 11)),
    "rlfn_x2": (lambda: RLFN(2, features=8, attention=4), (21, 25)),
    "swinir_eight_x8": (lambda: swinir(8), (5, 7)),
    "swinir_nearest_x4": (lambda: swinir(4, "nearest+conv", resi_connection="3conv"), (9, 14)),
    "swinir_gray_x1": (
        lambda: windowed(SwinIR, 1, 8, embed_dim=12, upsampler="", in_chans=1),
        (13, 21),
    ),
    "swinir_jpeg_x1": (
        lambda: windowed(SwinIR, 1, 7, embed_dim=12, upsampler="", img_range=255.0),
        (11, 16),
    ),
    "plksr_x3": (lambda: partial_kernel(PLKSR, 3, ccm_type="DCCM"), (13, 21)),
    "plksr_light_x2": (
        lambda: partial_kernel(PLKSR, 2, ccm_type="CCM", use_ea=False),
        (13, 21),
    ),
    "realplksr_x4": (lambda: partial_kernel(RealPLKSR, 4), (13, 21)),
    "realplksr_dysample_x2": (
        lambda: partial_kernel(RealPLKSR, 2, dysample=True, layer_norm=True),
        (13, 21),
    ),
    "realplksr_dysample_x3": (lambda: partial_kernel(RealPLKSR, 3, dysample=True), (9, 14)),
    "realplksr_x1": (lambda: partial_kernel(RealPLKSR, 1, layer_norm=True), (9, 14)),
    "mosr_x2": (lambda: MoSR(upscale=2, n_block=2, dim=8, conv_ratio=0.5), (11, 14)),
    "mosr_ensemble_x3": (
        lambda: MoSR(upscale=3, n_block=1, dim=4, upsampler="gps", kernel_size=5),
        (11, 14),
    ),
    "mosr_dysample_x2": (lambda: MoSR(upscale=2, n_block=1, dim=8, upsampler="dys"), (11, 14)),
    "safmn_x2": (
        lambda: padded(SAFMN(dim=12, n_blocks=2, ffn_scale=1.5, upscaling_factor=2), 8),
        (13, 22),
    ),
    "scunet_x1": (scunet, (41, 38)),
    "nafnet_x1": (
        lambda: NAFNet(width=4, middle_blk_num=2, enc_blk_nums=[1, 2], dec_blk_nums=[2, 1]),
        (13, 22),
    ),
    "drunet_x1": (
        lambda: told(DRUNet(in_nc=4, out_nc=3, nc=[2, 4, 8, 16], nb=2), 8, 15),
        (13, 22),
    ),
    "drunet_gray_x1": (
        lambda: told(DRUNet(in_nc=2, out_nc=1, nc=[2, 4, 8, 16], nb=2), 8, 15),
        (13, 22),
    ),
    "dncnn_x1": (lambda: DnCNN(in_nc=3, out_nc=3, nc=8, nb=7, act_mode="R"), (9, 14)),
    "dncnn_gray_x1": (lambda: DnCNN(in_nc=1, out_nc=1, nc=8, nb=7, act_mode="BR"), (9, 14)),
    "dncnn_told_x1": (
        lambda: told(DnCNN(in_nc=4, out_nc=3, nc=8, nb=7, act_mode="R", mode="FDnCNN"), 1, 15),
        (9, 14),
    ),
    "fbcnn_x1": (lambda: fbcnn(3), (13, 22)),
    "fbcnn_gray_x1": (lambda: fbcnn(1), (13, 22)),
    "omnisr_x2": (
        lambda: OmniSR(num_feat=12, block_num=1, res_num=2, up_scale=2, window_size=4),
        (17, 22),
    ),
    "rrdb_x4": (lambda: rrdb(scale=4), (7, 9)),
    "rrdb_x8": (lambda: rrdb(scale=8), (5, 6)),
    "rrdb_gray_x2": (lambda: rrdb(scale=2, in_nc=1, out_nc=1), (7, 9)),
    "rrdb_alpha_x1": (lambda: rrdb(scale=1, in_nc=4, out_nc=4), (7, 9)),
    "rrdb_plus_x4": (lambda: rrdb(scale=4, plus=True), (7, 9)),
    "rrdb_bsrgan_x4": (lambda: rrdb(scale=4), (7, 9)),
    "rrdb_basicsr_x4": (lambda: rrdb(scale=4), (7, 9)),
    "rrdb_basicsr_x2": (lambda: rrdb(scale=4, in_nc=12, shuffle_factor=2), (7, 9)),
    "rrdb_basicsr_x1": (lambda: rrdb(scale=4, in_nc=48, shuffle_factor=4), (7, 9)),
    "srvgg_compact_x4": (lambda: Compact(num_feat=8, num_conv=3, upscale=4), (7, 9)),
    "srvgg_compact_gray_x1": (
        lambda: Compact(num_in_ch=1, num_out_ch=1, num_feat=8, num_conv=2, upscale=1),
        (7, 9),
    ),
    "srvgg_compact_relu_x2": (
        lambda: Compact(num_feat=8, num_conv=2, upscale=2, act_type="relu"),
        (7, 9),
    ),
    "span_plain_x2": (
        lambda: SPAN(num_in_ch=3, num_out_ch=3, feature_channels=4, upscale=2, norm=False),
        (9, 11),
    ),
    "span_gray_x3": (
        lambda: SPAN(num_in_ch=1, num_out_ch=1, feature_channels=4, upscale=3, norm=False),
        (9, 11),
    ),
    "dat_x3": (
        lambda: narrowed(dual(DAT, 3, depth=(2,), num_heads=(2,), expansion_factor=2), 3, 4),
        (5, 9),
    ),
    "dat_light_x2": (
        lambda: dual(
            DAT,
            2,
            expansion_factor=2,
            upsampler="pixelshuffledirect",
            resi_connection="3conv",
        ),
        (8, 8),
    ),
    "atd_x4": (lambda: narrowed(atd(4, upsampler="nearest+conv"), 4), (18, 21)),
    "atd_light_x2": (
        lambda: atd(2, upsampler="pixelshuffledirect", norm=False, mlp_ratio=1),
        (18, 21),
    ),
    "drct_x2": (drct, (9, 14)),
    "rgt_x2": (
        lambda: narrowed(
            dual(RGT, 2, depth=(2,), num_heads=(2,), mlp_ratio=2, resi_connection="3conv"), 2, 4
        ),
        (19, 35),
    ),
    "rgt_shifted_x3": (
        lambda: narrowed(dual(RGT, 3, mlp_ratio=2, resi_connection="3conv"), 3, 4),
        (5, 9),
    ),
    "smfanet_x2": (lambda: SMFANet(2, features=8, blocks=2), (19, 37)),
    "imdn_x2": (lambda: IMDN(2, features=8, blocks=2, reduction=2), (9, 14)),
    "realcugan_x2": (lambda: realcugan(UpCunet2x()), (21, 26)),
    "realcugan_x3": (lambda: realcugan(UpCunet3x()), (18, 23)),
    "realcugan_x4": (lambda: realcugan(UpCunet4x()), (21, 22)),
    "realcugan_pro_x2": (lambda: realcugan(UpCunet2x(pro=True)), (21, 26)),
    "realcugan_fast_x2": (lambda: realcugan(UpCunet2x_fast()), (40, 44)),
    "restormer_x1": (lambda: Restormer(4, (1, 2, 1), 1, 1, 2, ratio=0.8), (13, 22)),
    "restormer_plain_gray_x1": (
        lambda: Restormer(4, (1, 1, 1), 1, 1, 1, ratio=1.5, channels=1, centred=False),
        (13, 22),
    ),
    "srformer_x3": (lambda: SRFormer(3, 16, depths=(2,), heads=2, window=8, head=8), (13, 19)),
    "srformer_light_x2": (lambda: SRFormer(2, 12, depths=(2, 2), heads=2, window=4), (9, 14)),
    "seemore_x2": (
        lambda: SeemoRe(
            scale=2, num_experts=3, num_layers=2, embedding_dim=8, global_kernel_size=5
        ),
        (21, 35),
    ),
}


# those that are written in a plainer form that computes the same
PLAINER = {
    "mosr_ensemble_x3": lambda: MoSR(upscale=3, n_block=1, dim=4, upsampler="ps", kernel_size=5),
    "dncnn_gray_x1": lambda: DnCNN(in_nc=1, out_nc=1, nc=8, nb=7, act_mode="R"),
}


def renamed(state: dict[str, torch.Tensor], words: dict[str, str]) -> dict[str, torch.Tensor]:
    """Rename layers: patterns of whole names → what stands instead."""
    found = {}
    for key, value in state.items():
        name, _, leaf = key.rpartition(".")
        (new,) = {re.sub(old, new, name) for old, new in words.items() if re.fullmatch(old, name)}
        found[f"{new}.{leaf}"] = value
    return found


def randomise(network: nn.Module) -> None:
    """Return half-precision weights, to be stored in 16 bits, under which each parameter shows."""
    for name, parameter in network.named_parameters():
        if name.startswith(("sub_mean", "add_mean")):
            continue
        noise = torch.randn_like(parameter)
        if "norm" in name and name.endswith("weight"):
            value = 1 + 0.2 * noise
        elif "position_bias" in name:
            value = noise
        elif parameter.ndim == 1:
            value = 0.1 * noise
        else:
            value = noise / parameter[0].numel() ** 0.5
        parameter.data = value.half().float()
    for name, statistic in network.named_buffers():  # of batch norms
        if name.endswith("running_mean"):
            statistic.data = (0.1 * torch.randn_like(statistic)).half().float()
        elif name.endswith("running_var"):
            statistic.data = torch.rand_like(statistic).add(0.5).half().float()


def answer_written(folder: Path, only: list[str]) -> None:
    """Load what was written for PyTorch, and answer the same images with it.

    Each state is loaded by spandrel's own loader, which recognises it; where the loader takes for
    given what is narrower here, that is noted, and the module loads it, strictly all the same.
    """
    for name, (make, _) in NETWORKS.items():
        if only and name not in only:
            continue
        state = load_file(folder / f"{name}.safetensors")
        network = PLAINER.get(name, make)().eval()
        try:
            loader = type(ModelLoader().load_from_state_dict(dict(state)).architecture).__name__
        except (UnsupportedModelError, RuntimeError):
            loader = "the module"
        if name.startswith("rrdb"):
            state = _to_old_arch(state)  # its loader renames them
        own = network.state_dict()
        if name.startswith("srformer"):
            state = {key: state[key] for key in own}  # our module of the paper keeps no constants
        for key in [key for key in state if "attn_mask" in key]:
            state[key] = own[key]  # of an image of another size
        network.load_state_dict(state)
        image = torch.from_numpy(np.load(folder / f"{name}.npz")["input"])
        with torch.no_grad():
            output = network(image.permute(2, 0, 1)[None].clone())[0].permute(1, 2, 0)
        with (folder / f"{name}.answer").open("wb") as file:
            np.savez(file, output=output.numpy(), loader=loader)


def main(folder: Path, only: list[str]) -> None:
    for seed, (name, (make, size)) in enumerate(NETWORKS.items()):
        if only and name not in only:
            continue
        torch.manual_seed(seed)
        network = make().eval()
        randomise(network)
        channels = next((count for word, count in CHANNELS.items() if word in name), 3)
        image = torch.randint(0, 256, (1, channels, *size)) / 255
        with torch.no_grad():
            output = network(image.clone())  # RCAN's works in place
        state = network.state_dict()
        if words := next((words for word, words in NAMES.items() if word in name), None):
            state = renamed(state, words)
        torch.save(state, folder / f"{name}.pth")
        arrays = {"input": image, "output": output}
        np.savez(
            folder / f"{name}.npz",
            **{key: value[0].permute(1, 2, 0).numpy() for key, value in arrays.items()},
        )


if __name__ == "__main__":
    cases = [name for name in "".join(sys.argv[2:3]).split(",") if name]
    run = answer_written if sys.argv[3:] == ["--written"] else main
    run(Path(sys.argv[1]), cases)
