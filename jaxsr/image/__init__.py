"""Pixels, nothing learned: files, colour, exact resizing, tiles, metrics.

``io`` is the boundary where uint8 and uint16 become float32 in [0, 1] and back.
"""
