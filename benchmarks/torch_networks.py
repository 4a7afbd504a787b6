"""Networks that spandrel lacks, in PyTorch: as their papers and the names in checkpoints say.

parity_torch.py compares ours with them; they need torch and spandrel, nothing of jaxsr.
"""

import torch
import torch.nn.functional as F
from spandrel.architectures.SwinIR.__arch.SwinIR import Upsample
from torch import nn


class EDSR(nn.Module):
    """Lim et al. 2017, by the authors' names; 0..255 inside, centred by a fixed convolution."""

    def __init__(self, scale: int, features: int, blocks: int):
        super().__init__()
        self.sub_mean, self.add_mean = shift(-1), shift(1)
        self.head = nn.Sequential(conv3(3, features))
        body = [Residual(features) for _ in range(blocks)]
        self.body = nn.Sequential(*body, conv3(features, features))
        self.tail = nn.Sequential(Upsample(scale, features), conv3(features, 3))

    def forward(self, x):
        f = self.head(self.sub_mean(255 * x))
        return self.add_mean(self.tail(f + self.body(f))) / 255


class Residual(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.body = nn.Sequential(conv3(features, features), nn.ReLU(), conv3(features, features))

    def forward(self, x):
        return x + self.body(x)


def shift(sign: int) -> nn.Conv2d:
    layer = nn.Conv2d(3, 3, 1)
    layer.weight.data = torch.eye(3).view(3, 3, 1, 1)
    layer.bias.data = sign * 255 * torch.tensor([0.4488, 0.4371, 0.4040])
    return layer


class PAN(nn.Module):
    """Zhao et al. 2020, ×4."""

    def __init__(self, features: int, head: int, blocks: int):
        super().__init__()
        self.conv_first = conv3(3, features)
        self.SCPA_trunk = nn.Sequential(*[SCPA(features) for _ in range(blocks)])
        self.trunk_conv = conv3(features, features)
        self.upconv1, self.att1, self.HRconv1 = conv3(features, head), PA(head), conv3(head, head)
        self.upconv2, self.att2, self.HRconv2 = conv3(head, head), PA(head), conv3(head, head)
        self.conv_last = conv3(head, 3)

    def forward(self, x):
        f = self.conv_first(x)
        f = f + self.trunk_conv(self.SCPA_trunk(f))
        for enlarge, attention, conv in (
            (self.upconv1, self.att1, self.HRconv1),
            (self.upconv2, self.att2, self.HRconv2),
        ):
            f = enlarge(F.interpolate(f, scale_factor=2, mode="nearest"))
            f = F.leaky_relu(conv(F.leaky_relu(attention(f), 0.2)), 0.2)
        skip = F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)
        return self.conv_last(f) + skip


class PA(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.conv = nn.Conv2d(features, features, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(x))


class SCPA(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        half = features // 2
        self.conv1_a = nn.Conv2d(features, half, 1, bias=False)
        self.conv1_b = nn.Conv2d(features, half, 1, bias=False)
        self.k1 = nn.Sequential(nn.Conv2d(half, half, 3, padding=1, bias=False))
        self.PAConv = nn.Module()
        self.PAConv.k2 = nn.Conv2d(half, half, 1)
        self.PAConv.k3 = nn.Conv2d(half, half, 3, padding=1, bias=False)
        self.PAConv.k4 = nn.Conv2d(half, half, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(features, features, 1, bias=False)

    def forward(self, x):
        plain = F.leaky_relu(self.k1(F.leaky_relu(self.conv1_a(x), 0.2)), 0.2)
        gated = F.leaky_relu(self.conv1_b(x), 0.2)
        gated = self.PAConv.k3(gated) * torch.sigmoid(self.PAConv.k2(gated))
        gated = F.leaky_relu(self.PAConv.k4(gated), 0.2)
        return x + self.conv3(torch.cat([plain, gated], dim=1))


class RLFN(nn.Module):
    """Kong et al. 2022; values 0..255 inside."""

    def __init__(self, scale: int, features: int, attention: int, blocks: int = 6):
        super().__init__()
        self.blocks = blocks
        self.conv_1 = conv3(3, features)
        for i in range(1, blocks + 1):
            setattr(self, f"block_{i}", RLFB(features, attention))
        self.conv_2 = conv3(features, features)
        self.upsampler = nn.Sequential(conv3(features, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x):
        first = f = self.conv_1(255 * x)
        for i in range(1, self.blocks + 1):
            f = getattr(self, f"block_{i}")(f)
        return self.upsampler(first + self.conv_2(f)) / 255


class RLFB(nn.Module):
    def __init__(self, features: int, attention: int):
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = (conv3(features, features) for _ in range(3))
        self.c5 = nn.Conv2d(features, features, 1)
        self.esa = ESA(features, attention)

    def forward(self, x):
        f = x
        for conv in (self.c1_r, self.c2_r, self.c3_r):
            f = F.leaky_relu(conv(f), 0.05)
        return self.esa(self.c5(x + f))


class ESA(nn.Module):
    """Liu et al. 2020, as RLFN uses it."""

    def __init__(self, features: int, inner: int):
        super().__init__()
        self.conv1 = nn.Conv2d(features, inner, 1)
        self.conv_f = nn.Conv2d(inner, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=2)
        self.conv3 = conv3(inner, inner)
        self.conv4 = nn.Conv2d(inner, features, 1)

    def forward(self, x):
        reduced = self.conv1(x)
        far = self.conv3(F.max_pool2d(self.conv2(reduced), kernel_size=7, stride=3))
        far = F.interpolate(far, x.shape[2:], mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.conv4(far + self.conv_f(reduced)))


def conv3(inputs: int, outputs: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


class SMFANet(nn.Module):
    """Zheng et al. 2024; channels by their length, maxima of an eighth of the sides."""

    def __init__(self, scale: int, features: int, blocks: int):
        super().__init__()
        self.to_feat = conv3(3, features)
        self.feats = nn.Sequential(*[FMB(features) for _ in range(blocks)])
        self.to_img = nn.Sequential(conv3(features, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x):
        f = self.to_feat(x)
        return self.to_img(f + self.feats(f))


class FMB(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.smfa, self.pcfn = SMFA(features), PCFN(features, 2 * features, features // 2)

    def forward(self, x):
        x = x + self.smfa(F.normalize(x, dim=1))
        return x + self.pcfn(F.normalize(x, dim=1))


class SMFA(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.linear_0 = nn.Conv2d(features, 2 * features, 1)
        self.linear_1 = nn.Conv2d(features, features, 1)
        self.linear_2 = nn.Conv2d(features, features, 1)
        self.dw_conv = nn.Conv2d(features, features, 3, padding=1, groups=features)
        self.alpha = nn.Parameter(torch.ones(1, features, 1, 1))
        self.belt = nn.Parameter(torch.zeros(1, features, 1, 1))
        wide = nn.Conv2d(features, 2 * features, 3, padding=1, groups=features)
        self.lde = nn.Module()
        self.lde.conv_0 = nn.Sequential(wide, nn.Conv2d(2 * features, 2 * features, 1))
        self.lde.conv_1 = nn.Conv2d(2 * features, features, 1)

    def forward(self, x):
        near, far = torch.tensor_split(self.linear_0(x), 2, dim=1)
        size = far.shape[2:]
        small = self.dw_conv(F.adaptive_max_pool2d(far, [n // 8 for n in size]))
        spread = far.flatten(2).var(dim=2)[..., None, None]
        weight = F.gelu(self.linear_1(self.alpha * small + self.belt * spread))
        far = far * F.interpolate(weight, size, mode="nearest")
        return self.linear_2(far + self.lde.conv_1(F.gelu(self.lde.conv_0(near))))


class PCFN(nn.Module):
    def __init__(self, features: int, hidden: int, part: int):
        super().__init__()
        self.part = part
        self.conv_0 = nn.Conv2d(features, hidden, 1)
        self.conv_1 = conv3(part, part)
        self.conv_2 = nn.Conv2d(hidden, features, 1)

    def forward(self, x):
        f = F.gelu(self.conv_0(x))
        seen = F.gelu(self.conv_1(f[:, : self.part]))
        return self.conv_2(torch.cat([seen, f[:, self.part :]], dim=1))


class IMDN(nn.Module):
    """Hui et al. 2019."""

    def __init__(self, scale: int, features: int, blocks: int, reduction: int):
        super().__init__()
        self.blocks = [f"IMDB{i + 1}" for i in range(blocks)]
        self.fea_conv = conv3(3, features)
        for name in self.blocks:
            setattr(self, name, IMDB(features, reduction))
        self.c = nn.Sequential(nn.Conv2d(blocks * features, features, 1), nn.LeakyReLU(0.05))
        self.LR_conv = conv3(features, features)
        self.upsampler = nn.Sequential(conv3(features, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x):
        found = [self.fea_conv(x)]
        for name in self.blocks:
            found.append(getattr(self, name)(found[-1]))
        return self.upsampler(found[0] + self.LR_conv(self.c(torch.cat(found[1:], dim=1))))


class IMDB(nn.Module):
    def __init__(self, features: int, reduction: int):
        super().__init__()
        self.kept = features // 4
        rest = features - self.kept
        self.c1 = conv3(features, features)
        self.c2, self.c3 = conv3(rest, features), conv3(rest, features)
        self.c4 = conv3(rest, self.kept)
        self.c5 = nn.Conv2d(features, features, 1)
        self.cca = nn.Module()
        down = nn.Conv2d(features, features // reduction, 1)
        up = nn.Conv2d(features // reduction, features, 1)
        self.cca.conv_du = nn.Sequential(down, nn.ReLU(), up, nn.Sigmoid())

    def forward(self, x):
        kept, rest = [], x
        for conv in (self.c1, self.c2, self.c3):
            f = F.leaky_relu(conv(rest), 0.05)
            kept.append(f[:, : self.kept])
            rest = f[:, self.kept :]
        f = torch.cat([*kept, self.c4(rest)], dim=1)
        contrast = f.std(dim=(2, 3), keepdim=True, unbiased=False)
        weight = self.cca.conv_du(contrast + f.mean(dim=(2, 3), keepdim=True))
        return x + self.c5(f * weight)


class Restormer(nn.Module):
    """Zamir et al. 2022; images are mirrored to multiples of 8, as those who call it do."""

    def __init__(
        self, features, blocks, latent, refinement, heads, ratio=2.66, channels=3, centred=True
    ):
        super().__init__()

        def stage(count: int, level: int, wide: int = 1) -> nn.Sequential:
            n, h = wide * features * 2**level, heads * 2**level
            return nn.Sequential(*[TransformerBlock(n, h, ratio, centred) for _ in range(count)])

        self.patch_embed = nn.Module()
        self.patch_embed.proj = conv3(channels, features, bias=False)
        for level, count in enumerate(blocks):
            n = features * 2**level
            down = nn.Sequential(conv3(n, n // 2, bias=False), nn.PixelUnshuffle(2))
            up = nn.Sequential(conv3(2 * n, 4 * n, bias=False), nn.PixelShuffle(2))
            setattr(self, f"encoder_level{level + 1}", stage(count, level))
            setattr(self, f"down{level + 1}_{level + 2}", nn.ModuleDict({"body": down}))
            setattr(self, f"up{level + 2}_{level + 1}", nn.ModuleDict({"body": up}))
            setattr(self, f"decoder_level{level + 1}", stage(count, level, 1 if level else 2))
        self.latent = stage(latent, 3)
        self.reduce_chan_level3 = nn.Conv2d(8 * features, 4 * features, 1, bias=False)
        self.reduce_chan_level2 = nn.Conv2d(4 * features, 2 * features, 1, bias=False)
        self.refinement = stage(refinement, 0, 2)
        self.output = conv3(2 * features, channels, bias=False)

    def forward(self, image):
        height, width = image.shape[2:]
        x = F.pad(image, (0, -width % 8, 0, -height % 8), mode="reflect")
        first = self.encoder_level1(self.patch_embed.proj(x))
        second = self.encoder_level2(self.down1_2["body"](first))
        third = self.encoder_level3(self.down2_3["body"](second))
        f = self.up4_3["body"](self.latent(self.down3_4["body"](third)))
        f = self.decoder_level3(self.reduce_chan_level3(torch.cat([f, third], dim=1)))
        f = self.up3_2["body"](f)
        f = self.decoder_level2(self.reduce_chan_level2(torch.cat([f, second], dim=1)))
        f = torch.cat([self.up2_1["body"](f), first], dim=1)
        y = x + self.output(self.refinement(self.decoder_level1(f)))
        return y[..., :height, :width]


class TransformerBlock(nn.Module):
    def __init__(self, features: int, heads: int, ratio: float, centred: bool):
        super().__init__()
        hidden = int(ratio * features)
        self.norm1, self.norm2 = (ChannelNorm(features, centred) for _ in range(2))
        self.heads, self.attn, self.ffn = heads, nn.Module(), nn.Module()
        self.attn.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.attn.qkv = nn.Conv2d(features, 3 * features, 1, bias=False)
        self.attn.qkv_dwconv = depthwise3(3 * features)
        self.attn.project_out = nn.Conv2d(features, features, 1, bias=False)
        self.ffn.project_in = nn.Conv2d(features, 2 * hidden, 1, bias=False)
        self.ffn.dwconv = depthwise3(2 * hidden)
        self.ffn.project_out = nn.Conv2d(hidden, features, 1, bias=False)

    def forward(self, x):
        qkv = self.attn.qkv_dwconv(self.attn.qkv(self.norm1(x)))
        q, k, v = qkv.unflatten(1, (3, self.heads, -1)).flatten(4).unbind(1)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-1, -2)
        y = (scores * self.attn.temperature).softmax(-1) @ v
        x = x + self.attn.project_out(y.reshape(x.shape))
        gates, values = self.ffn.dwconv(self.ffn.project_in(self.norm2(x))).tensor_split(2, dim=1)
        return x + self.ffn.project_out(F.gelu(gates) * values)


class ChannelNorm(nn.Module):
    """Over the channels of a pixel; if not centred, nothing is taken off or added."""

    def __init__(self, features: int, centred: bool):
        super().__init__()
        self.body = nn.Module()
        self.body.weight = nn.Parameter(torch.ones(features))
        if centred:
            self.body.bias = nn.Parameter(torch.zeros(features))
        self.centred = centred

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=1, keepdim=True, unbiased=False)
        x = (x - mean if self.centred else x) / (variance + 1e-5).sqrt()
        x = x * self.body.weight[:, None, None]
        return x + self.body.bias[:, None, None] if self.centred else x


def depthwise3(features: int) -> nn.Conv2d:
    return nn.Conv2d(features, features, 3, padding=1, groups=features, bias=False)


class SRFormer(nn.Module):
    """Zhou et al. 2023; images are mirrored to whole windows.

    How the channels of 2×2 pixels become one key's is in no paper; it is the published layout:
    of a pixel first its part of the key, then of the value; pixels row by row.
    """

    def __init__(self, scale, features, depths, heads, window, head=None, ratio=2, kernel=5):
        super().__init__()
        self.window, self.head = window, head
        self.conv_first = conv3(3, features)
        self.patch_embed = nn.Module()
        self.patch_embed.norm = nn.LayerNorm(features)
        self.layers = nn.ModuleList()
        for depth in depths:
            group, shifts = nn.Module(), [window // 2 * (i % 2) for i in range(depth)]
            blocks = [PSABlock(features, heads, window, s, ratio, kernel) for s in shifts]
            group.residual_group = nn.Module()
            group.residual_group.blocks = nn.ModuleList(blocks)
            group.conv = conv3(features, features)
            self.layers.append(group)
        self.norm = nn.LayerNorm(features)
        self.conv_after_body = conv3(features, features)
        if head is None:
            self.upsample = nn.Sequential(conv3(features, 3 * scale**2), nn.PixelShuffle(scale))
        else:
            self.conv_before_upsample = nn.Sequential(conv3(features, head), nn.LeakyReLU())
            self.upsample = Upsample(scale, head)
            self.conv_last = conv3(head, 3)
        self.scale = scale

    def forward(self, x):
        height, width = x.shape[2:]
        pads = (0, -width % self.window, 0, -height % self.window)
        mean = torch.tensor([0.4488, 0.4371, 0.4040])[:, None, None]
        first = self.conv_first(F.pad(x, pads, mode="reflect") - mean)
        f = self.patch_embed.norm(first.movedim(1, -1))
        for group in self.layers:
            inner = f
            for block in group.residual_group.blocks:
                inner = block(inner)
            f = f + group.conv(inner.movedim(-1, 1)).movedim(1, -1)
        f = first + self.conv_after_body(self.norm(f).movedim(-1, 1))
        if self.head is not None:
            f = self.conv_before_upsample(f)
        y = self.upsample(f)
        y = (self.conv_last(y) if self.head is not None else y) + mean
        return y[..., : height * self.scale, : width * self.scale]


class PSABlock(nn.Module):
    """Features are b h w c; each query is compared with each key, one window after another."""

    def __init__(self, features, heads, window, shift, ratio, kernel):
        super().__init__()
        hidden = features * ratio
        self.heads, self.window, self.shift = heads, window, shift
        self.norm1, self.norm2 = nn.LayerNorm(features), nn.LayerNorm(features)
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.relative_position_bias_table = nn.Parameter(torch.zeros((window - 1) ** 2, heads))
        self.attn.q, self.attn.kv = (
            nn.Linear(features, features),
            nn.Linear(features, features // 2),
        )
        self.attn.proj = nn.Linear(features, features)
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(features, hidden), nn.Linear(hidden, features)
        local = nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden)
        self.mlp.dwconv = nn.Module()
        self.mlp.dwconv.depthwise_conv = nn.Sequential(local, nn.GELU())

    def forward(self, x):
        x = x + self.attn.proj(self.attended(self.norm1(x)))
        f = F.gelu(self.mlp.fc1(self.norm2(x)))
        local = self.mlp.dwconv.depthwise_conv(f.movedim(-1, 1)).movedim(1, -1)
        return x + self.mlp.fc2(f + local)

    def attended(self, x):
        shift, side, (_, height, width, _) = self.shift, self.window, x.shape
        x = x.roll((-shift, -shift), (1, 2))
        q, kv = self.attn.q(x), self.attn.kv(x)
        rows, columns = (torch.arange(n) >= n - shift for n in (height, width))
        wrapped = 2 * rows[:, None].int() + columns[None, :].int()
        y = torch.empty_like(q)
        for i in range(0, height, side):
            for j in range(0, width, side):
                here = slice(i, i + side), slice(j, j + side)
                seen = wrapped[here]
                y[0, *here] = self.window_attended(q[0, *here], kv[0, *here], seen)
        return y.roll((shift, shift), (1, 2))

    def window_attended(self, q, kv, wrapped):
        side, half, heads = self.window, self.window // 2, self.heads
        squares = [kv[y::2, x::2] for y in (0, 1) for x in (0, 1)]
        parts = [square.tensor_split(2, dim=-1) for square in squares]
        k, v = (torch.cat([part[which] for part in parts], dim=-1) for which in (0, 1))
        q, k, v = (a.unflatten(-1, (heads, -1)).flatten(0, 1).movedim(1, 0) for a in (q, k, v))
        place = torch.arange(side) // 2
        down = place[:, None, None, None] - torch.arange(half)[:, None] + half - 1
        across = place[:, None, None] - torch.arange(half) + half - 1
        offsets = (down * (side - 1) + across).reshape(side**2, half**2)
        bias = self.attn.relative_position_bias_table[offsets].movedim(-1, 0)
        scores = q @ k.transpose(1, 2) * q.shape[-1] ** -0.5 + bias
        apart = wrapped.reshape(-1, 1) != wrapped[::2, ::2].reshape(1, -1)
        y = scores.masked_fill(apart, -100.0).softmax(-1) @ v
        return y.movedim(0, 1).reshape(side, side, -1)
