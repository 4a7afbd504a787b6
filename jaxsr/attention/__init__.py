"""Attention: every operator is a pure function on arrays and a linen module with its parameters.

============================  ======================================  ==========================
function                      module                                  of
============================  ======================================  ==========================
channel_attention             ChannelAttention                        SE, RCAN, HAT; IMDN
simplified_channel_attention  SimplifiedChannelAttention              NAFNet
spatial_attention             SpatialAttention                        CBAM
enhanced_spatial_attention    EnhancedSpatialAttention                RFANet, RLFN
pixel_attention               PixelAttention                          PAN
parameter_free_attention      ParameterFreeAttention                  SPAN
large_kernel_attention        LargeKernelAttention                    VAN
transposed_attention          TransposedAttention                     Restormer
shifted_window_attention      WindowAttention                         Swin, SwinIR
overlapping_cross_attention   OverlappingCrossAttention               HAT
rectangle_attention           RectangleAttention                      CAT, DAT, RGT
permuted_attention            PermutedAttention                       SRFormer
recursive_reduction           RecursiveAttention                      RGT
adaptive_interaction          AdaptiveInteraction                     DAT
self_modulation               SelfModulation                          SMFANet
attention_gate                AttentionGate                           Attention U-Net
dynamic_upsample              DynamicUpsample                         DySample
depthwise_conv                DepthwiseConv                           what some of them are made of
============================  ======================================  ==========================

Some are in no network of this package; they are here to build others with.
"""

from jaxsr.attention.affine import Affine
from jaxsr.attention.channel import (
    ChannelAttention,
    SimplifiedChannelAttention,
    channel_attention,
    contrast_descriptor,
    mean_descriptor,
    simplified_channel_attention,
)
from jaxsr.attention.depthwise import DepthwiseConv, depthwise_conv
from jaxsr.attention.dictionary import (
    category_attention,
    dictionary_attention,
    refined_dictionary,
)
from jaxsr.attention.gate import AttentionGate, attention_gate, gate
from jaxsr.attention.interaction import AdaptiveInteraction, adaptive_interaction
from jaxsr.attention.large_kernel import LargeKernelAttention, large_kernel_attention
from jaxsr.attention.modulation import SelfModulation, self_modulation
from jaxsr.attention.parameter_free import (
    ParameterFreeAttention,
    parameter_free_attention,
    residual_parameter_free_attention,
)
from jaxsr.attention.permuted import PermutedAttention, permuted_attention
from jaxsr.attention.pixel import PixelAttention, pixel_attention
from jaxsr.attention.rectangle import RectangleAttention, rectangle_attention
from jaxsr.attention.recursive import (
    RecursiveAttention,
    global_attention,
    recursive_reduction,
)
from jaxsr.attention.sampling import DynamicUpsample, dynamic_upsample
from jaxsr.attention.spatial import (
    EnhancedSpatialAttention,
    SpatialAttention,
    enhanced_spatial_attention,
    spatial_attention,
)
from jaxsr.attention.transposed import TransposedAttention, transposed_attention
from jaxsr.attention.window import (
    OverlappingCrossAttention,
    WindowAttention,
    overlapping_cross_attention,
    overlapping_windows,
    relative_position_bias,
    shifted_window_attention,
    shifted_window_mask,
    window_attention,
    window_merge,
    window_partition,
)

__all__ = [
    "AdaptiveInteraction",
    "Affine",
    "AttentionGate",
    "ChannelAttention",
    "DepthwiseConv",
    "DynamicUpsample",
    "EnhancedSpatialAttention",
    "LargeKernelAttention",
    "OverlappingCrossAttention",
    "ParameterFreeAttention",
    "PermutedAttention",
    "PixelAttention",
    "RectangleAttention",
    "RecursiveAttention",
    "SelfModulation",
    "SimplifiedChannelAttention",
    "SpatialAttention",
    "TransposedAttention",
    "WindowAttention",
    "adaptive_interaction",
    "attention_gate",
    "category_attention",
    "channel_attention",
    "contrast_descriptor",
    "depthwise_conv",
    "dictionary_attention",
    "dynamic_upsample",
    "enhanced_spatial_attention",
    "gate",
    "global_attention",
    "large_kernel_attention",
    "mean_descriptor",
    "overlapping_cross_attention",
    "overlapping_windows",
    "parameter_free_attention",
    "permuted_attention",
    "pixel_attention",
    "rectangle_attention",
    "recursive_reduction",
    "refined_dictionary",
    "relative_position_bias",
    "residual_parameter_free_attention",
    "self_modulation",
    "shifted_window_attention",
    "shifted_window_mask",
    "simplified_channel_attention",
    "spatial_attention",
    "transposed_attention",
    "window_attention",
    "window_merge",
    "window_partition",
]
