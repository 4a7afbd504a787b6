"""Measuring upscalers, codecs, segmenters and restorers by the protocols of the literature."""
