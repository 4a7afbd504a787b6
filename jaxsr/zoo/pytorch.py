"""Read PyTorch checkpoints without PyTorch, and without running anything that is in them.

A ``.pth`` file is a pickle beside raw arrays. Unpickling runs code of the file's choosing, so the
pickle is never unpickled: ``pickletools`` splits it into opcodes, and :func:`interpret` follows the
few that build containers, numbers, strings and references to arrays. Whatever else a training left
in the file (an optimiser, options, a logger) becomes an :class:`Opaque` that does nothing.
"""

import contextlib
import dataclasses
import io
import math
import os
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from jaxsr.errors import UserError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # first value of the format before PyTorch 1.6
LEGACY_PROTOCOL = 1001
# Dictionaries that programs wrap around a state dict; those of averaged parameters come first.
WRAPPERS = (
    *("params_ema", "ema", "model_ema", "ema_model", "state_dict_ema", "ema_state_dict"),
    *("generator_ema", "netG_ema", "net_g_ema", "g_ema"),
    *("params", "state_dict", "model_state_dict", "model", "net", "generator", "netG", "net_g"),
    *("network", "weights"),
)
# A file that asks for one of these modules means harm: it is refused, although it could do none.
HARMFUL = frozenset(
    (
        *("os", "posix", "nt", "sys", "subprocess", "pty", "shutil", "socket", "multiprocessing"),
        *("builtins", "__builtin__", "runpy", "importlib", "ctypes", "code", "codeop", "commands"),
        *("webbrowser", "signal", "pickle", "dill", "cloudpickle", "io", "_io", "tempfile"),
    )
)
# … but of these, which make containers and numbers.
HARMLESS = frozenset(
    f"{module}.{name}"
    for module in ("builtins", "__builtin__")
    for name in ("set", "frozenset", "list", "dict", "tuple", "int", "float", "bool", "complex")
)
STORAGES = {
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.BFloat16Storage": np.dtype(jnp.bfloat16),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
DAMAGE = (  # what reading the bytes of a damaged file may raise
    *(zipfile.BadZipFile, safetensors.SafetensorError, struct.error),
    *(LookupError, TypeError, AttributeError, ArithmeticError, MemoryError),
    *(EOFError, RuntimeError),  # a truncated and an encrypted zip entry
)


@dataclasses.dataclass(frozen=True)
class Storage:
    """A run of ``count`` numbers kept elsewhere in the file under ``key``."""

    key: str
    dtype: np.dtype
    count: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A strided view of a storage: what the pickle holds in place of an array."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Global:
    """The name of something importable. It is never imported."""

    name: str


class Opaque:
    """What is not needed to hold weights, in place of an object: takes everything, does nothing."""

    def extend(self, items: Any) -> None:
        """Ignore what would be appended."""

    append = extend

    def update(self, *items: Any) -> None:
        """Ignore what would be stored."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore what would be stored."""

    def __iter__(self) -> Iterator[Any]:
        """Return no items."""
        return iter(())


def read_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read the state dict of a ``.pth``/``.pt`` file (zip or legacy) or a ``.safetensors`` file.

    Wrappers such as ``{"params_ema": …}`` are opened; prefixes such as ``module.`` stay, see
    :func:`jaxsr.zoo.dialects.recognise`.

    Returns:
      Parameter names → arrays as stored, bfloat16 widened to float32.

    Raises:
      UserError: no such file; it is none of these formats, damaged, or its pickle asks for anything
        a function that could do harm (the message names it).
    """
    path = Path(path)
    try:
        return parse_checkpoint(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse_checkpoint(content: bytes) -> dict[str, np.ndarray]:
    """Read the state dict that the bytes of a file hold; see :func:`read_checkpoint`."""
    with _refusing(*DAMAGE):
        if content.startswith(b"PK\x03\x04"):
            tree, load = _open_zip(content)
        elif content.startswith(b"\x80"):
            tree, load = _open_legacy(content)
        elif content[8:9] == b"{":
            return safetensors.numpy.load(content)
        else:
            raise UserError("not a PyTorch checkpoint (zip, legacy pickle or safetensors)")
        return {name: _array(tensor, load) for name, tensor in named_tensors(tree).items()}


@contextlib.contextmanager
def _refusing(*damage: type[Exception]) -> Iterator[None]:
    """Say that the checkpoint is damaged where an exception of these kinds is raised inside.

    ``ValueError`` is given around single calls only: a fault of ours may be one, and so is every
    error that says more.
    """
    try:
        yield
    except damage as error:
        raise UserError(f"damaged checkpoint ({type(error).__name__}: {error})") from None


def named_tensors(tree: Any) -> dict[str, Tensor]:
    """Open the wrappers around a state dict; drop what is no array.

    Raises:
      UserError: no named arrays inside.
    """
    for _ in WRAPPERS:  # no honest file nests deeper, and a dictionary could contain itself
        wrapped = isinstance(tree, dict) and [w for w in WRAPPERS if _holds_some(tree.get(w))]
        if not wrapped:
            break
        tree = tree[wrapped[0]]
    if not isinstance(tree, dict):
        raise UserError(f"holds {type(tree).__name__}, not a dictionary of arrays")
    tensors = {k: v for k, v in tree.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if not tensors:
        raise UserError("holds no named arrays")
    return tensors


def _holds_some(tree: Any) -> bool:
    """Return True for a dictionary with anything in it."""
    return isinstance(tree, dict) and bool(tree)


# Containers: where the pickle and the storages lie ----------------------------------------------

Load = Callable[[Storage], bytes]


def _open_zip(content: bytes) -> tuple[Any, Load]:
    """Open a file of PyTorch ≥ 1.6.

    It is an uncompressed zip of ``NAME/data.pkl`` and an entry ``NAME/data/KEY`` for each storage.
    """
    with _refusing(ValueError):  # an entry's name that is no text
        archive = zipfile.ZipFile(io.BytesIO(content))
    if sum(entry.file_size for entry in archive.infolist()) > len(content):
        raise UserError("damaged checkpoint (its entries claim more bytes than the file has)")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
        raise UserError("a zip file, but not a PyTorch checkpoint (they are not compressed)")
    pickles = [n for n in archive.namelist() if n == "data.pkl" or n.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UserError("a zip file, but not a PyTorch checkpoint (it has no single data.pkl)")
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist():
        _require_little_endian(_entry(archive, f"{folder}byteorder") == b"little")
    tree, _ = interpret(io.BytesIO(_entry(archive, pickles[0])))
    return tree, lambda storage: _entry(archive, f"{folder}data/{storage.key}")


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    with _refusing(ValueError):  # an entry that lies before the file's beginning
        return archive.read(name)


def _open_legacy(content: bytes) -> tuple[Any, Load]:
    """Open a file of PyTorch < 1.6.

    It is five pickles (magic number, protocol, system, tree, keys); then each storage's count and
    data.
    """
    stream = io.BytesIO(content)
    if interpret(stream)[0] != LEGACY_MAGIC or interpret(stream)[0] != LEGACY_PROTOCOL:
        raise UserError("a pickle, but not a PyTorch checkpoint (no magic number)")
    _require_little_endian(interpret(stream)[0]["little_endian"])
    tree, storages = interpret(stream)
    found = {}
    for key in interpret(stream)[0]:
        (count,) = struct.unpack("<q", stream.read(8))
        if count != storages[key].count:
            raise UserError(f"damaged checkpoint (storage {key} has {count} numbers)")
        found[key] = stream.read(count * storages[key].dtype.itemsize)
    return tree, lambda storage: found[storage.key]


def _require_little_endian(is_little: bool) -> None:
    if not is_little:
        raise UserError("a big-endian checkpoint; save it again on a little-endian machine")


def _array(tensor: Tensor, load: Load) -> np.ndarray:
    """Cut a tensor out of its storage, trusting none of its numbers."""
    storage, size, stride = tensor.storage, tensor.size, tensor.stride
    data = load(storage)
    numbers = (storage.count, tensor.offset, *size, *stride)
    if not all(isinstance(n, int) and n >= 0 for n in numbers) or len(size) != len(stride):
        raise UserError(f"damaged checkpoint (shape {size}, strides {stride})")
    if len(data) != storage.count * storage.dtype.itemsize:
        raise UserError(
            f"damaged checkpoint (storage {storage.key} has {len(data)} bytes "
            f"for {storage.count} numbers of {storage.dtype})"
        )
    last = tensor.offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    # The product bounds the copy below: strides of 0 could blow a few bytes up to any size.
    if math.prod(size) > storage.count or (math.prod(size) and last >= storage.count):
        raise UserError(f"damaged checkpoint (shape {size} exceeds storage {storage.key})")
    flat = np.frombuffer(data, storage.dtype)
    if storage.dtype == STORAGES["torch.BFloat16Storage"]:
        flat = flat.astype(np.float32)
    strides = [step * flat.itemsize for step in stride]
    with _refusing(ValueError):  # more axes than NumPy has
        view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], size, strides)
    return np.array(view, order="C")


# The pickle -------------------------------------------------------------------------------------


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage):
        raise UserError("damaged checkpoint (a tensor without a storage)")
    return Tensor(storage, offset, tuple(size), tuple(stride))


def _dictionary(pairs: Any = ()) -> dict:
    with _refusing(ValueError):  # items that are no pairs
        return dict(pairs)


# What a pickle may call: our own stand-ins, none of which does more than make a container.
BUILDERS: dict[str, Callable] = {
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda *_: {},
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
    "torch._tensor._rebuild_from_type_v2": lambda build, kind, args, state: _built(build, args),
}


def _global(name: str) -> Global:
    if name.partition(".")[0] in HARMFUL and name not in HARMLESS:
        raise UserError(
            f"its pickle asks for {name!r}, which is not needed to hold weights and is not run; "
            "save the plain state dict (torch.save(model.state_dict(), …))"
        )
    return Global(name)


def _built(function: Any, arguments: Any) -> Any:
    """Call one of our stand-ins; anything else that should be called is left alone."""
    builder = BUILDERS.get(function.name) if isinstance(function, Global) else None
    return builder(*arguments) if builder else Opaque()


def _storage(reference: Any, storages: dict[str, Storage]) -> Storage:
    """Look up a persistent id ``("storage", type, key, location, count)``; old ones add a view."""
    match reference:
        case ("storage", Global(name), key, _, count, *view) if view in ([], [None]):
            if name in STORAGES:
                return storages.setdefault(key, Storage(key, STORAGES[name], count))
    raise UserError("its pickle has an external reference of an unknown kind")


def _opcodes(stream: io.BytesIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
    with _refusing(ValueError):  # reaches pickletools alone, not what is done with an opcode
        for opcode, argument, _ in pickletools.genops(stream):
            yield opcode, argument


def interpret(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """Follow one pickle's opcodes up to its STOP, leaving ``stream`` right after it.

    Returns:
      The value, with :class:`Tensor` for arrays; and all storages it mentions, by key.

    Raises:
      UserError: an opcode or a global that no state dict needs; or a damaged pickle
        (also IndexError, KeyError, TypeError, AttributeError).
    """
    stack: list = []
    marks: list[list] = []  # the stacks put aside by MARK
    memo: dict[int, Any] = {}
    storages: dict[str, Storage] = {}
    for opcode, argument in _opcodes(stream):
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode.name])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "LONG4" | "BINFLOAT":
                stack.append(argument)
            case (
                "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8" | "BINSTRING" | "SHORT_BINSTRING"
            ):
                stack.append(argument)
            case "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8" | "BYTEARRAY8":
                stack.append(argument)
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_SET":
                stack.append(Opaque())
            case "ADDITEMS":
                stack = marks.pop()
            case "FROZENSET":
                stack = marks.pop()
                stack.append(Opaque())
            case "POP":
                stack.pop()
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                n = int(opcode.name[-1])
                stack[-n:] = [tuple(stack[-n:])]
            case "MARK":
                marks.append(stack)
                stack = []
            case "TUPLE":
                items, stack = stack, marks.pop()
                stack.append(tuple(items))
            case "APPENDS":
                items, stack = stack, marks.pop()
                stack[-1].extend(items)
            case "SETITEMS":
                items, stack = stack, marks.pop()
                if len(items) % 2:
                    raise UserError("damaged checkpoint (a key without a value)")
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                stack[-1][key] = value
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_global(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(_global(f"{module}.{name}"))
            case "BINPERSID":
                stack.append(_storage(stack.pop(), storages))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_built(function, arguments))
            case "NEWOBJ":
                stack[-2:] = [Opaque()]
            case "NEWOBJ_EX":
                stack[-3:] = [Opaque()]
            case "BUILD":  # attributes of an object, as the module versions of an OrderedDict
                stack.pop()
            case "STOP":
                return stack.pop(), storages
            case other:
                raise UserError(f"its pickle uses {other}, which no state dict needs")
    raise UserError("damaged checkpoint (the pickle has no end)")
