"""Our networks against what PyTorch's answered, written down by benchmarks/parity.py."""

from pathlib import Path

import jax
import numpy as np
import pytest

from jaxsr import networks
from jaxsr.zoo.convert import convert
from jaxsr.zoo.dialects import DIALECTS

GOLDEN = sorted(Path(__file__).with_name("golden").glob("*.npz"))


def test_there_is_a_golden_file_for_every_family():
    assert {path.stem.rpartition("_x")[0] for path in GOLDEN} == {
        *("edsr", "hat", "pan", "rcan", "rlfn", "span", "span_plain"),
        *("dat", "dat_light", "drct", "rgt", "rgt_shifted"),
        *("atd", "atd_light"),
        *("swinir", "swinir_light", "swinir_eight", "swinir_nearest", "swinir_gray", "swinir_jpeg"),
        *("plksr", "plksr_light", "realplksr", "realplksr_dysample"),
        *("rrdb", "rrdb_alpha", "rrdb_basicsr", "rrdb_bsrgan", "rrdb_plus"),
        *("srvgg_compact", "srvgg_compact_gray", "srvgg_compact_relu"),
        *("omnisr", "scunet", "nafnet", "drunet", "drunet_gray", "fbcnn", "fbcnn_gray"),
        *("dncnn", "dncnn_gray", "dncnn_told", "mosr", "mosr_ensemble", "mosr_dysample", "safmn"),
        *("smfanet", "imdn", "realcugan", "realcugan_pro", "realcugan_fast"),
        *("restormer", "restormer_plain_gray", "srformer", "srformer_light"),
        "seemore",
    }


def state_of(golden):
    return {
        name.removeprefix("state/"): golden[name].astype(np.float32)
        for name in golden.files
        if name.startswith("state/")
    }


def test_every_state_is_in_exactly_one_dialect():
    for path in GOLDEN:
        state = state_of(np.load(path))
        assert len([d.name for d in DIALECTS if d.recognises(state)]) == 1, path.stem


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_converted_weights_answer_as_they_did_in_pytorch(path):
    golden = np.load(path)
    state = state_of(golden)
    weights = convert(state, scale=int(path.stem.rpartition("_x")[2]))
    network = networks.create(weights.network, **weights.options)
    image = golden["input"][None] / np.float32(255)
    with jax.default_matmul_precision("highest"):
        output = jax.jit(network.apply)({"params": weights.params}, image)[0]
    tolerance = 1e-4 * max(1, np.abs(golden["output"]).max())
    np.testing.assert_allclose(output, golden["output"], rtol=0, atol=tolerance)
