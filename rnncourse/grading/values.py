"""Values between the student's process and the tests': plain data and arrays by copy, everything else by reference.

No pickle: reading a value never runs code. Two processes each have a `Codec`; what one cannot send by copy it keeps
and sends as a reference, by which the other end may ask it to do something (see `peers`).
"""

import collections
import math
import struct
from collections.abc import Callable

import msgpack
import numpy as np

TUPLE, NAMED, SET, FROZEN, COMPLEX, INTEGER, ARRAY, SCALAR, TENSOR, SLICE, RANGE, ELLIPSIS, TYPE, DTYPE = range(1, 15)
GENERATOR, VIEW, OWN, YOURS, SAME = range(15, 20)

ARRAY_KINDS = "biufcUSmM"  # no objects: they would need pickle
GENERATORS = {name: getattr(np.random, name) for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")}
TYPES = {kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)}
SCALARS = {kind.__name__: kind for kind in vars(np).values() if isinstance(kind, type) and issubclass(kind, np.generic)}


class Codec:
    """Packs and unpacks values. One end of a conversation: it remembers what it sent by reference."""

    def __init__(self, stand_in: Callable, number_of: Callable):
        self.stand_in = stand_in  # (number, what it is, name) -> the stand-in for an object of the other end
        self.number_of = number_of  # the number of the object that a value stands in for; None for other values
        self.kept = {}  # number: object of ours that the other end may name
        self._arrays = []  # packed or unpacked since the last `noting`
        self._views_of = []

    # --- ours to bytes

    def pack(self, value, views_of: list[np.ndarray] = ()) -> bytes:
        """The value as bytes; an array that is a view of one in `views_of` (arrays that came in) is sent as such."""
        outer, self._views_of = self._views_of, views_of
        try:
            return self._pack(value)
        finally:
            self._views_of = outer

    def noting(self, convert: Callable, *arguments):
        """What ``convert(*arguments)`` (`pack` or `unpack`) gives, and the arrays in it, in order."""
        outer, self._arrays = self._arrays, []
        try:
            return convert(*arguments), self._arrays
        finally:
            self._arrays = outer

    def _pack(self, value) -> bytes:
        return msgpack.packb(value, default=self._extend, strict_types=True, unicode_errors="surrogatepass")

    def _extend(self, value):
        kind = type(value)
        for test, convert in _BY_COPY:
            if test(value, kind):
                code, content = convert(self, value)
                return msgpack.ExtType(code, content if isinstance(content, bytes) else self._pack(content))
        return self._by_reference(value)

    def _by_reference(self, value):
        theirs = self.number_of(value)
        if theirs is not None:  # it is a stand-in for an object of the other end: send it home
            return msgpack.ExtType(YOURS, struct.pack("!Q", theirs))
        number = id(value)
        self.kept[number] = value  # which also keeps the id from being given to another object
        what = "function" if callable(value) else "object"
        name = getattr(value, "__name__", None)
        name = name if isinstance(name, str) else type(value).__name__
        return msgpack.ExtType(OWN, self._pack([number, what, name[:100]]))

    def _array(self, value: np.ndarray):
        array = np.ndarray.view(value, np.ndarray) if type(value) is not np.ndarray else value
        view = self._as_view(array)
        if view is not None:
            return VIEW, view
        self._arrays.append(array)
        return ARRAY, [array.dtype.str, list(array.shape), array.tobytes()]

    def _as_view(self, array: np.ndarray):
        """How the array lies in one that came in, if it does."""
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        for number, received in enumerate(self._views_of):
            if owner is received:
                offset = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
                return [number, array.dtype.str, list(array.shape), list(array.strides), offset]
        return None

    # --- bytes to ours

    def unpack(self, data: bytes, views_of: list[np.ndarray] = ()):
        """The value; `views_of` are the arrays of ours that a view in it may be a view of."""
        outer, self._views_of = self._views_of, views_of
        try:
            return self._unpack(data)
        finally:
            self._views_of = outer

    def _unpack(self, data: bytes):
        return msgpack.unpackb(data, ext_hook=self._restore, strict_map_key=False, unicode_errors="surrogatepass")

    def _restore(self, code: int, data: bytes):
        if code == OWN:
            return self.stand_in(*self._unpack(data))
        if code == YOURS:
            return self.kept[struct.unpack("!Q", data)[0]]
        if code == COMPLEX:
            return complex(*struct.unpack("!dd", data))
        if code == INTEGER:
            return int.from_bytes(data, "big", signed=True)
        content = self._unpack(data)
        if code == ARRAY:
            array = _read_array(*content)
            self._arrays.append(array)
            return array
        if code == VIEW:
            return self._read_view(*content)
        return _READ[code](content)

    def _read_view(self, number, dtype, shape, strides, offset):
        base = self._views_of[number]
        base = base if base.flags.c_contiguous else base.copy()
        return np.ndarray(shape, _dtype(dtype), base, offset, strides)  # NumPy refuses what lies outside


def _dtype(name: str) -> np.dtype:
    dtype = np.dtype(name)
    if dtype.kind not in ARRAY_KINDS:
        raise ValueError(f"no array of dtype {dtype} is accepted")
    return dtype


def _read_array(dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    return np.frombuffer(data, _dtype(dtype), math.prod(shape)).reshape(shape).copy()


def _read_tensor(array: np.ndarray, requires_grad: bool):
    import torch  # only where a tensor was sent

    return torch.from_numpy(array).requires_grad_(requires_grad)


def _read_generator(content) -> np.random.Generator:
    name, state = content
    bits = GENERATORS[name]()
    bits.state = state
    return np.random.Generator(bits)


def _is_tensor(value, kind) -> bool:
    plain = kind.__module__.partition(".")[0] == "torch" and kind.__name__ in ("Tensor", "Parameter")
    return plain and str(value.dtype) != "torch.bfloat16"


def _named(codec, value):
    return NAMED, [type(value).__name__, list(type(value)._fields), list(value)]


_PLAIN = {  # how to get what an object of a subclass holds, without asking the subclass
    int: lambda v: int.__add__(v, 0),
    float: lambda v: float.__add__(v, 0.0),
    str: lambda v: str.__getitem__(v, slice(None)),
    bytes: lambda v: bytes.__getitem__(v, slice(None)),
    list: lambda v: list.__getitem__(v, slice(None)),
    tuple: lambda v: tuple.__getitem__(v, slice(None)),
    dict: lambda v: dict(dict.items(v)),
}


def _as_plain(codec, value):
    """What an object of a subclass holds. What the subclass makes of equality, say, is left behind."""
    kind = next(base for base in type(value).__mro__ if base in _PLAIN)
    return SAME, [_PLAIN[kind](value)]


_BY_COPY = (  # (whether it applies, what to send), in this order
    (lambda v, k: k is tuple, lambda c, v: (TUPLE, list(v))),
    (lambda v, k: isinstance(v, np.ndarray) and v.dtype.kind in ARRAY_KINDS, lambda c, v: c._array(v)),
    (
        lambda v, k: isinstance(v, np.generic) and v.dtype.kind in ARRAY_KINDS,
        lambda c, v: (SCALAR, [v.dtype.str, [], v.tobytes()]),
    ),
    (lambda v, k: k is set, lambda c, v: (SET, list(v))),
    (lambda v, k: k is frozenset, lambda c, v: (FROZEN, list(v))),
    (lambda v, k: k is complex, lambda c, v: (COMPLEX, struct.pack("!dd", v.real, v.imag))),
    (
        lambda v, k: k is int,
        lambda c, v: (INTEGER, v.to_bytes(v.bit_length() // 8 + 1, "big", signed=True)),
    ),
    (lambda v, k: issubclass(k, tuple) and hasattr(k, "_fields"), _named),
    (lambda v, k: issubclass(k, tuple(_PLAIN)), _as_plain),
    (_is_tensor, lambda c, v: (TENSOR, [v.detach().cpu().numpy(), v.requires_grad])),
    (lambda v, k: k is slice, lambda c, v: (SLICE, [v.start, v.stop, v.step])),
    (lambda v, k: k is range, lambda c, v: (RANGE, [v.start, v.stop, v.step])),
    (lambda v, k: v is ..., lambda c, v: (ELLIPSIS, b"\xc0")),
    (lambda v, k: k is type and TYPES.get(v.__name__) is v, lambda c, v: (TYPE, v.__name__)),
    (lambda v, k: k is type and SCALARS.get(v.__name__) is v, lambda c, v: (TYPE, v.__name__)),
    (lambda v, k: isinstance(v, np.dtype) and v.kind in ARRAY_KINDS, lambda c, v: (DTYPE, v.str)),
    (
        lambda v, k: k is np.random.Generator and type(v.bit_generator).__name__ in GENERATORS,
        lambda c, v: (GENERATOR, [type(v.bit_generator).__name__, v.bit_generator.state]),
    ),
)
_READ = {
    TUPLE: tuple,
    SAME: lambda content: content[0],
    NAMED: lambda content: collections.namedtuple(content[0], content[1], rename=True)(*content[2]),
    SET: set,
    FROZEN: frozenset,
    SCALAR: lambda content: _read_array(*content)[()],
    TENSOR: lambda content: _read_tensor(*content),
    SLICE: lambda content: slice(*content),
    RANGE: lambda content: range(*content),
    ELLIPSIS: lambda content: ...,
    TYPE: lambda name: TYPES.get(name) or SCALARS[name],
    DTYPE: _dtype,
    GENERATOR: _read_generator,
}


def write_back(old, new) -> None:
    """Make the argument `old` what the function that was called with a copy of it made of that copy."""
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        if old.shape == new.shape and old.dtype == new.dtype:
            old[...] = new
    elif isinstance(old, np.random.Generator) and isinstance(new, np.random.Generator):
        old.bit_generator.state = new.bit_generator.state
    elif type(old) is not type(new):
        return
    elif isinstance(old, list | tuple) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            if isinstance(before, np.ndarray | np.random.Generator | list | tuple | dict):
                write_back(before, after)
            elif isinstance(old, list):
                old[index] = after
    elif isinstance(old, list):
        old[:] = new
    elif isinstance(old, dict):
        old.clear()
        old.update(new)
    elif _is_tensor(old, type(old)) and old.shape == new.shape and old.dtype == new.dtype:
        old.detach().copy_(new.detach())
