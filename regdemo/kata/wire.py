"""Values between the judge and the code it judges: JSON for their structure, raw bytes for the numbers in tensors.

Nothing that arrives is unpickled or run, so that a message from untrusted code can only be a wrong value. A value is
None, a bool, int, float, str, a list, tuple or dict of values, a dtype, a dense CPU tensor or a CPU generator. A tensor
is sent with its .grad, a generator with its state.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import struct
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch

LARGEST_MESSAGE = 256 * 2**20  # bytes in one message
_HEAD = struct.Struct("<QQ")  # bytes of the JSON, bytes of the numbers


class Connection(Protocol):
    """What a socket has: a stream of bytes in each direction."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Receive some bytes, and return how many; 0 at the end."""


class Pipes:
    """The same over two pipes, by their file descriptors."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader = reader
        self._writer = writer

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._writer, view) :]

    def recv_into(self, buffer: memoryview) -> int:
        """Receive some bytes, and return how many; 0 at the end."""
        data = os.read(self._reader, min(len(buffer), 2**20))
        buffer[: len(data)] = data
        return len(data)


class WireFault(Exception):
    """A value that cannot be sent, or bytes that aren't a message. The text is for the learner."""


class Gone(Exception):
    """The other side has closed the connection."""


def send(connection: Connection, value: object) -> None:
    """Send one value. Raises WireFault, Gone."""
    blobs: list[bytes] = []
    try:
        text = json.dumps(_plain(value, blobs)).encode()
    except WireFault:
        raise
    except RecursionError:
        raise WireFault("a value nested too deep to be sent") from None
    except Exception as error:  # such as a subclass of Tensor that answers nothing
        raise WireFault(f"a value that can't be read: {type(error).__name__}, {str(error)[:200]}") from None
    numbers = b"".join(blobs)
    if len(text) + len(numbers) > LARGEST_MESSAGE:
        raise WireFault(f"a value of {len(text) + len(numbers):,} bytes: at most {LARGEST_MESSAGE:,} can be sent")
    try:
        connection.sendall(_HEAD.pack(len(text), len(numbers)) + text + numbers)
    except OSError as error:
        raise Gone from error


def receive(connection: Connection) -> Any:
    """The next value. Raises WireFault, Gone."""
    length, size = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if length + size > LARGEST_MESSAGE:
        raise WireFault(f"a message of {length + size:,} bytes: at most {LARGEST_MESSAGE:,} are taken")
    text, numbers = _exactly(connection, length), memoryview(_exactly(connection, size))
    try:
        return _value(json.loads(bytes(text)), numbers)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, OverflowError) as error:
        raise WireFault(f"bytes that aren't a message ({type(error).__name__})") from None
    except RecursionError:
        raise WireFault("a message nested too deep") from None


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    """The tensors in a value, in the order in which both sides count them."""
    return _find(value, lambda item: isinstance(item, torch.Tensor))


def generators_in(value: object) -> Iterator[torch.Generator]:
    """The generators in a value, in the same order."""
    return _find(value, lambda item: isinstance(item, torch.Generator))


def _find(value: object, wanted: Callable[[object], bool]) -> Iterator[Any]:
    if wanted(value):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _find(item, wanted)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _find(item, wanted)


def _exactly(connection: Connection, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        try:
            count = connection.recv_into(view)
        except OSError as error:
            raise Gone from error
        if not count:
            raise Gone
        view = view[count:]
    return data


def _plain(value: object, blobs: list[bytes]) -> object:
    """The value as JSON; its numbers are appended to blobs."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if value.bit_length() > 13_000:
            raise WireFault("an integer of more than 4,000 digits")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, list):
        return [_plain(item, blobs) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(item, blobs) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_plain(key, blobs), _plain(item, blobs)] for key, item in value.items()]}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, torch.Generator):
        return {"generator": _plain(value.get_state(), blobs)}
    if isinstance(value, torch.Tensor):
        return {"tensor": _tensor(value, blobs)}
    raise WireFault(f"a value of type {type(value).__name__}, not a tensor, number, text, list, tuple or dict")


def _tensor(value: torch.Tensor, blobs: list[bytes]) -> list[object]:
    if value.layout != torch.strided or value.device.type != "cpu":
        raise WireFault(f"a tensor that is {value.layout} on {value.device}, not a dense tensor on the CPU")
    if (size := value.numel() * value.itemsize) > LARGEST_MESSAGE:  # asked before an expanded tensor is written out
        raise WireFault(
            f"a tensor of shape {tuple(value.shape)}, {size:,} bytes: at most {LARGEST_MESSAGE:,} can be sent"
        )
    grad = value.grad if value.is_leaf else None
    data = value.detach().resolve_conj().resolve_neg().contiguous()
    blobs.append(ctypes.string_at(data.data_ptr(), data.nbytes) if data.nbytes else b"")
    dtype = str(value.dtype).removeprefix("torch.")
    place = sum(map(len, blobs[:-1]))
    return [dtype, list(value.shape), place, value.requires_grad, _plain(grad, blobs)]


def _value(plain: Any, numbers: memoryview) -> Any:
    if isinstance(plain, list):
        return [_value(item, numbers) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == "tuple":
        return tuple(_value(item, numbers) for item in content)
    if kind == "dict":
        return {_value(key, numbers): _value(item, numbers) for key, item in content}
    if kind == "dtype":
        return _dtype(content)
    if kind == "generator":
        generator = torch.Generator()
        generator.set_state(_value(content, numbers))
        return generator
    if kind == "tensor":
        name, shape, place, requires_grad, grad = content
        dtype = _dtype(name)
        size = math.prod(shape) * dtype.itemsize
        if any(side < 0 for side in shape) or not 0 <= place <= place + size <= len(numbers):
            raise ValueError(shape)
        data = bytearray(numbers[place : place + size])
        tensor = torch.frombuffer(data, dtype=dtype).reshape(shape) if size else torch.empty(shape, dtype=dtype)
        tensor.requires_grad_(bool(requires_grad))
        tensor.grad = None if grad is None else _value(grad, numbers)
        return tensor
    raise ValueError(kind)


def _dtype(name: object) -> torch.dtype:
    dtype = getattr(torch, str(name))
    if not isinstance(dtype, torch.dtype):
        raise TypeError(name)
    return dtype
