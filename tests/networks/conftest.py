"""Fixtures of the tests of networks."""

import pytest

# two of what a network repeats show what all would
SHALLOW = {"encoder": (1, 1), "middle": 2, "decoder": (1, 1)}
FEWER = {
    "atd": {"groups": 1, "depth": 2},
    "atd_light": {"groups": 1, "depth": 2},
    "dat": {"groups": 1, "depth": 2},
    "dat_2": {"groups": 1, "depth": 2},
    "dat_light": {"groups": 1, "depth": 2},
    "dat_s": {"groups": 1, "depth": 2},
    "drunet": {"blocks": 1},
    "fbcnn": {"blocks": 1},
    "imdn": {"blocks": 2},
    "mosr": {"blocks": 2},
    "nafnet": SHALLOW,
    "safmn": {"blocks": 2},
    "seemore": {"blocks": 2},
    "smfanet": {"blocks": 2},
    "scunet": SHALLOW,
    "rcan": {"groups": 2, "blocks": 2},
    "drct": {"groups": 1},
    "drct_l": {"groups": 1},
    "restormer": SHALLOW | {"refinement": 1},
    "rgt": {"groups": 1, "depth": 2},
    "rgt_s": {"groups": 1, "depth": 2},
    "edsr": {"blocks": 2},
    "edsr_baseline": {"blocks": 2},
    "hat": {"groups": 1, "depth": 2},
    "hat_l": {"groups": 1, "depth": 2},
    "hat_s": {"groups": 1, "depth": 2},
    "omnisr": {"groups": 2},
    "plksr": {"blocks": 2},
    "realplksr": {"blocks": 2},
    "rrdb": {"blocks": 1},
    "srformer": {"groups": 1, "depth": 2},
    "srformer_light": {"groups": 1, "depth": 2},
    "srvgg_compact": {"convolutions": 2},
    "swinir": {"groups": 1, "depth": 2},
    "swinir_light": {"groups": 1, "depth": 2},
}


@pytest.fixture(scope="session")
def fewer():
    """``fewer(name)``: options that make a network of few, but all, of its parts."""
    return lambda name: FEWER.get(name, {})
