"""Our weights → the names of PyTorch programs: the inverse of reading these, for every family.

That PyTorch's modules load what is written, strictly, and compute the same from it is checked by
benchmarks/parity.py.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import safetensors

from jaxsr.errors import UserError
from jaxsr.zoo import building, weights
from jaxsr.zoo.convert import convert
from jaxsr.zoo.dialects import recognise
from jaxsr.zoo.published import publish, write_published
from jaxsr.zoo.weights import Weights

GOLDEN = sorted((Path(__file__).parents[1] / "networks/golden").glob("*.npz"))
# what is read but not written so: other names of a family, or layers that are written merged
MERGED = ("dat_", "dncnn_gray", "mosr_ensemble")
RENAMED = ("rrdb_alpha", "rrdb_bsrgan", "rrdb_x", "srvgg_resized")
CONSTANTS = (".attn.aligned_relative_position_index", ".attn_mask")  # our SRFormer keeps none


def read(path):
    """The authors' state and our weights of a golden file of the networks."""
    with np.load(path) as golden:
        state = {
            name.removeprefix("state/"): golden[name].astype(np.float32)
            for name in golden.files
            if name.startswith("state/")
        }
    return state, convert(state, hint=int(path.stem.rpartition("_x")[2]))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_what_was_read_is_written_with_the_same_names_and_numbers(path):
    theirs, ours = read(path)
    dialect, written = publish(ours)
    assert recognise(written)[0] is dialect
    if not path.stem.startswith(MERGED + RENAMED):
        constants = {name for name in written if name.endswith(CONSTANTS)}
        assert written.keys() - constants == theirs.keys() - constants
        for name in theirs:
            value = written[name]
            stale = "eval_conv" in name  # folded copies that nobody has brought up to date
            expected = value if stale else theirs[name]
            np.testing.assert_array_equal(value, expected, err_msg=name)
            assert value.shape == theirs[name].shape


def compact():
    return read(GOLDEN[0].with_name("srvgg_compact_x4.npz"))[1]


def test_a_file_is_written_that_says_it_is_pytorchs_and_reads_as_the_same_network(tmp_path):
    path = tmp_path / "theirs.safetensors"
    dialect = write_published(path, dataclasses.replace(compact(), notes={"by": "me"}))
    assert dialect.name == "SRVGGNetCompact"
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata() == {"format": "pt", "by": "me"}
        assert "body.0.weight" in file.keys()  # noqa: SIM118


def test_folded_weights_of_span_get_branches_that_multiply_out_to_them():
    _, trained = read(GOLDEN[0].with_name("span_x4.npz"))
    folded = building.folded(trained)
    _, state = publish(folded)
    assert {"conv_1.sk.weight", "conv_1.eval_conv.weight"} <= state.keys()
    kernel = weights.flatten(folded.params)["extract/conv/kernel"]
    np.testing.assert_allclose(state["conv_1.eval_conv.weight"], kernel.transpose(3, 2, 0, 1))


@pytest.mark.parametrize(
    ("network", "options", "reason"),
    [
        ("span_compact", {}, "span_compact cannot be written .*: it is known here only"),
        ("attention_unet", {}, "attention_unet: segmenter weights have no names"),
        ("patch_hyperprior", {}, "patch_hyperprior: codec weights have no names"),
    ],
)
def test_networks_that_pytorch_programs_lack_are_refused(network, options, reason):
    params = {"enhance": {"unknown": {"kernel": np.zeros((1, 1))}}}
    with pytest.raises(UserError, match=reason):
        publish(Weights(network, options, params))


def test_what_names_and_shapes_do_not_tell_is_refused():
    _, span = read(GOLDEN[0].with_name("span_plain_x2.npz"))
    other = dataclasses.replace(span, options={**span.options, "value_range": 2.0})
    with pytest.raises(UserError, match=r"SPAN: its names and shapes do not tell .*value_range=2"):
        publish(other)
