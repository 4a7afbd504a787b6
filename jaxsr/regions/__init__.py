"""Regions of interest: what masks mean, how regions are found and restored, on arrays alone.

A mask is ``(h, w)`` float32 in [0, 1]; its region is where it is above ``masks.REGION``. Functions that
say ``Array | np.ndarray`` stay with what they are given: NumPy arrays are computed on the host, where no
size of image has to be compiled for; JAX's jit and vmap.
"""
