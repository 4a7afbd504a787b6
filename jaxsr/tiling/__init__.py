"""Tiles: parts of images that fit into memory and are of few shapes, and what runs on them.

- :mod:`~jaxsr.tiling.geometry`: where the tiles of a whole image lie, and putting them together.
- :mod:`~jaxsr.tiling.cover`: the few tiles that cover a region, chosen on the host by their cost.
- :mod:`~jaxsr.tiling.budget`: as many tiles of a region as a budget allows, chosen inside jit.
- :mod:`~jaxsr.tiling.runner`: the one executor: devices, batches, compiled programs, memory.
- :mod:`~jaxsr.tiling.upscaling`: an upscaler over images of any size, by geometry and runner.

The first three differ for a reason: tiles of a whole image are spread evenly and partition it;
those of a region lie on the restorer's grid wherever the region is; inside jit their number must
not depend on what the image shows.
"""
