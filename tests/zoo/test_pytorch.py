"""PyTorch checkpoints made by hand: what they hold is read, what they ask for is not run."""

import collections
import datetime
import io
import os
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from jaxsr.errors import UserError
from jaxsr.zoo import pytorch
from jaxsr.zoo.pytorch import LEGACY_MAGIC, parse_checkpoint, read_checkpoint

KINDS = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


class Raw:
    """A storage as the pickle refers to it."""

    def __init__(self, key, data, count=None):
        self.key, self.data = key, data
        self.count = data.size if count is None else count


class View:
    """A tensor as the pickle describes it: a call of torch's rebuild function."""

    def __init__(self, raw, size, stride, offset=0):
        self.arguments = (raw, offset, size, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class TorchPickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Raw):
            kind = getattr(sys.modules["torch"], KINDS[value.data.dtype.name])
            self.storages[value.key] = value
            return ("storage", kind, value.key, "cpu", value.count)


@pytest.fixture(autouse=True)
def torch_names(monkeypatch):
    """Just enough of a ``torch`` for pickle to write the names that the real one writes."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in KINDS.values():
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*_):
        raise AssertionError("the name is written, never called")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def dense(array, key="0"):
    strides = tuple(s // array.itemsize for s in array.strides)
    return View(Raw(key, array.reshape(-1)), array.shape, strides)


def pickled(tree, protocol=2):
    file = io.BytesIO()
    pickler = TorchPickler(file, protocol)
    pickler.storages = {}
    pickler.dump(tree)
    return file.getvalue(), pickler.storages


def zipped(tree, protocol=2, compression=zipfile.ZIP_STORED, **extra):
    data, storages = pickled(tree, protocol)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key}", raw.data.tobytes())
        for name, value in extra.items():
            archive.writestr(f"archive/{name}", value)
    return file.getvalue()


def legacy(tree, protocol=2):
    data, storages = pickled(tree, protocol)
    head = (LEGACY_MAGIC, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})
    parts = [pickle.dumps(value, 2) for value in head] + [data, pickle.dumps(list(storages), 2)]
    for raw in storages.values():
        parts += [struct.pack("<q", raw.data.size), raw.data.tobytes()]
    return b"".join(parts)


FORMATS = pytest.mark.parametrize("write", [zipped, legacy])
WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_names_and_arrays_come_back(write, protocol):
    tree = collections.OrderedDict(
        {"a.weight": dense(WEIGHT, "0"), "a.bias": dense(np.array([7, -1]), "1")}
    )
    tree._metadata = {"": {"version": 1}}
    state = parse_checkpoint(write(tree, protocol))
    assert list(state) == ["a.weight", "a.bias"]
    np.testing.assert_array_equal(state["a.weight"], WEIGHT)
    np.testing.assert_array_equal(state["a.bias"], [7, -1])


@FORMATS
@pytest.mark.parametrize("dtype", list(KINDS))
def test_every_dtype_is_read_as_stored_and_bfloat16_widened(write, dtype):
    array = np.array([0, 1, 3, 100]).astype(getattr(np, dtype, ml_dtypes.bfloat16))
    read = parse_checkpoint(write({"x": dense(array)}))["x"]
    assert read.dtype == ("float32" if dtype == "bfloat16" else dtype)
    np.testing.assert_array_equal(read, array.astype(read.dtype))


@FORMATS
def test_tensors_may_share_a_storage_and_be_transposed(write):
    raw = Raw("0", WEIGHT.reshape(-1))
    state = parse_checkpoint(
        write({"t": View(raw, (3, 2), (1, 3)), "row": View(raw, (3,), (1,), 3)})
    )
    np.testing.assert_array_equal(state["t"], WEIGHT.T)
    np.testing.assert_array_equal(state["row"], WEIGHT[1])


@pytest.mark.parametrize("averaged", ["params_ema", "ema", "model_ema", "generator_ema"])
@pytest.mark.parametrize("plain", ["params", "state_dict", "model", "generator", "netG"])
def test_wrappers_are_opened_and_the_averaged_weights_preferred(averaged, plain):
    tree = {
        "epoch": 3,
        plain: {"w": dense(0 * WEIGHT, "0")},
        averaged: {"w": dense(WEIGHT, "1"), "note": "not an array"},
    }
    state = parse_checkpoint(zipped({"state_dict": tree}))
    assert list(state) == ["w"]
    np.testing.assert_array_equal(state["w"], WEIGHT)


class Left:
    """What a training may leave in its checkpoint: an object of the trainer's own."""

    def __init__(self):
        self.rate, self.names = 0.1, {"a", "b"}


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_objects_that_a_training_left_in_the_file_are_passed_over(write, protocol):
    left = {"options": Left(), "kind": Left, "sets": [{1, 2}, frozenset("ab")], "raw": b"raw"}
    left |= {"day": datetime.date(2026, 1, 1), "path": Path("a/b"), Left(): 1 << 70}
    state = parse_checkpoint(write({**left, "params": {"w": dense(WEIGHT)}}, protocol))
    np.testing.assert_array_equal(state["w"], WEIGHT)


def test_safetensors_are_read_too(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors.numpy.save({"w": WEIGHT}))
    np.testing.assert_array_equal(read_checkpoint(path)["w"], WEIGHT)


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("function", "name"), [(os.system, "system"), (exec, "exec"), (open, "open")]
)
def test_what_a_pickle_wants_to_call_is_named_and_not_run(
    tmp_path, write, protocol, function, name
):
    target = tmp_path / "ran"
    argument = {
        os.system: f"touch {target}",
        exec: f"open({str(target)!r}, 'w')",
        open: str(target),
    }
    arguments = (argument[function], "w") if function is open else (argument[function],)
    path = tmp_path / "evil.pth"
    path.write_bytes(write({"w": dense(WEIGHT), "x": Evil(function, *arguments)}, protocol))
    with pytest.raises(ValueError, match=rf"evil.pth: its pickle asks for '\w+\.{name}'"):
        read_checkpoint(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (
            View(Raw("0", WEIGHT.reshape(-1), 2**40), (2**40,), (1,)),
            "has 24 bytes for 1099511627776",
        ),
        (View(Raw("0", WEIGHT.reshape(-1)), (10**9, 10**9), (0, 0)), "exceeds storage"),
        (View(Raw("0", WEIGHT.reshape(-1)), (2, 3), (4, 1)), "exceeds storage"),
        (View(Raw("0", WEIGHT.reshape(-1)), (6,), (1,), 1), "exceeds storage"),
        (View(Raw("0", WEIGHT.reshape(-1)), (6,), (-1,), 5), "strides"),
        (View(Raw("0", WEIGHT.reshape(-1)), (6,), (1,), -1), "damaged"),
        (View(Raw("0", WEIGHT.reshape(-1)), (2.5,), (1,)), "damaged"),
        (View("no storage", (6,), (1,)), "without a storage"),
    ],
)
def test_sizes_that_lie_are_refused(view, reason):
    with pytest.raises(ValueError, match=reason):
        parse_checkpoint(zipped({"w": view}))


def test_a_storage_outside_the_archive_does_not_exist():
    data, _ = pickled({"w": View(Raw("../../../../etc/hostname", WEIGHT.reshape(-1)), (6,), (1,))})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    with pytest.raises(ValueError, match="no item named"):
        parse_checkpoint(file.getvalue())


def test_an_archive_that_would_inflate_beyond_its_file_is_refused():
    bomb = zipped({"w": dense(np.zeros(10**6, np.float32))}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="claim more bytes"):
        parse_checkpoint(bomb)
    small = zipped(
        {"w": dense(WEIGHT)}, compression=zipfile.ZIP_DEFLATED, padding=bytes(range(256))
    )
    with pytest.raises(ValueError, match=r"not compressed|claim more bytes"):
        parse_checkpoint(small)


def test_big_endian_checkpoints_are_refused():
    with pytest.raises(ValueError, match="big-endian"):
        parse_checkpoint(zipped({"w": dense(WEIGHT)}, byteorder=b"big"))


@FORMATS
def test_files_cut_short_anywhere_are_refused(write):
    content = write({"w": dense(WEIGHT)})
    for length in range(0, len(content), 7):
        with pytest.raises(UserError):
            parse_checkpoint(content[:length])


@FORMATS
def test_flipped_bytes_give_an_error_or_arrays_and_nothing_else(write):
    content = write({"w": dense(WEIGHT), "meta": {"lr": 0.1, "steps": [1, (2, None, True)]}})
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        for position in rng.integers(0, len(content), 3):
            damaged[position] = rng.integers(256)
        try:
            state = parse_checkpoint(bytes(damaged))
        except UserError:
            continue
        assert all(isinstance(array, np.ndarray) for array in state.values())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a PyTorch checkpoint"),
        (b"\x89PNG\r\n\x1a\n", "not a PyTorch checkpoint"),
        (pickle.dumps({"w": 1}, 2), "no magic number"),
        (zipped({"epoch": 1}), "no named arrays"),
        (zipped([1, 2]), "holds list"),
        (safetensors.numpy.save({"w": WEIGHT})[:40], "damaged"),
    ],
)
def test_other_files_are_told_apart(content, reason):
    with pytest.raises(ValueError, match=reason):
        parse_checkpoint(content)


def test_a_dictionary_that_contains_itself_ends():
    tree = {}
    tree["state_dict"] = tree
    with pytest.raises(ValueError, match="no named arrays"):
        parse_checkpoint(zipped(tree))


@pytest.mark.parametrize(
    ("opcodes", "reason"),
    [
        (b"}(K\1u", "a key without a value"),
        (b"K\1Q", "external reference of an unknown kind"),
        (b"ccollections\nOrderedDict\n(](](K\1K\2K\3eetR", "damaged .*has length 3"),
    ],
)
def test_pickles_that_make_no_sense_are_refused(opcodes, reason):
    with pytest.raises(UserError, match=reason):
        pytorch.interpret(io.BytesIO(b"\x80\2" + opcodes + b"."))


def test_more_axes_than_numpy_has_are_refused():
    view = View(Raw("0", WEIGHT.reshape(-1)), (1,) * 70, (1,) * 70)
    with pytest.raises(UserError, match="damaged"):
        parse_checkpoint(zipped({"w": view}))


def test_a_fault_of_ours_is_not_taken_for_a_damaged_file(tmp_path, monkeypatch):
    def faulty(tree):
        raise ValueError("a fault")

    path = tmp_path / "sound.pth"
    path.write_bytes(zipped({"w": dense(WEIGHT)}))
    monkeypatch.setattr(pytorch, "named_tensors", faulty)
    with pytest.raises(ValueError, match=r"^a fault$") as error:
        read_checkpoint(path)
    assert not isinstance(error.value, UserError)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.pth: cannot be read"):
        read_checkpoint(tmp_path / "nowhere.pth")
