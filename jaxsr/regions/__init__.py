"""Regions of interest: masks, finding and segmenting them, restoring them. Arrays only.

A mask is ``(h, w)`` float32 in [0, 1]; its region is where it is above ``masks.REGION``.
:mod:`~jaxsr.regions.segment` and :mod:`~jaxsr.regions.restore` are pure functions, for JAX;
:mod:`~jaxsr.regions.segmenting` and :mod:`~jaxsr.regions.restoring` run networks over images of any
size on the host. Functions that say ``Array | np.ndarray`` stay with what they are given: NumPy
arrays are computed on the host, where no size of image has to be compiled for.
"""
