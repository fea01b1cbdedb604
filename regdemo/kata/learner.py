"""The process that runs the learner's code. Nothing here decides anything: it calls what it is asked to, and answers.

Before the code is loaded, what it could copy from is out of reach: this package cannot be imported, its files and the
decks cannot be read (`box`), and the judge was never in this process.
"""

from __future__ import annotations

import gc
import linecache
import math
import random
import socket
import sys
import traceback
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

from regdemo.kata.wire import Gone, WireFault, generators_in, receive, send, tensors_in

_PROBES = "a probe of the judge"  # the file that tracebacks name
_SAID = 600  # characters of an error's text that are handed over


def serve(connection: socket.socket) -> None:
    """Answer requests until the other side is gone: first `load`, then `call` and `backward` in any order."""
    with suppress(Gone):
        request = receive(connection)
        learner = _Learner(request["name"])
        handlers: dict[str, Callable[..., dict[str, Any]]] = {
            "load": learner.load,
            "call": learner.call,
            "backward": learner.backward,
        }
        while True:
            try:
                answer = handlers[request.pop("do")](**request)
            except BaseException as error:  # SystemExit too: whatever is raised is the learner's to hear of
                answer = {"error": learner.fault(error)}
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):  # what was printed is to be seen, whatever stands in the stream's place
                    stream.flush()
            try:
                send(connection, answer)
            except WireFault as fault:
                told = {"kinds": ["WireFault"], "text": f"{fault}", "line": 0, "function": "", "code": ""}
                send(connection, {"error": told})
            request = receive(connection)


class _Learner:
    def __init__(self, name: str) -> None:
        self._file = f"{name}.py"
        self._names: dict[str, Any] = {}
        self._kept: list[tuple[list[torch.Tensor], list[torch.Tensor]]] = []

    def load(self, name: str, source: str, probes: str, forbidden: list[str], seed: int) -> dict[str, Any]:
        """Run the learner's file as a module, then the probes, which see its names. The answer lists those."""
        for key in [key for key in sys.modules if key.partition(".")[0] == "regdemo"]:
            del sys.modules[key]
        sys.modules["regdemo"] = None  # type: ignore[assignment]  # importing it raises ImportError
        for path in forbidden:
            _forbid(path)
        random.seed(seed)
        torch.manual_seed(seed)
        linecache.cache[self._file] = (len(source), None, source.splitlines(keepends=True), self._file)
        module = types.ModuleType(name)
        sys.modules[name] = module
        exec(compile(source, self._file, "exec", dont_inherit=True), vars(module))
        public = {key: value for key, value in vars(module).items() if not key.startswith("_")}
        self._names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "math": math, **public}
        linecache.cache[_PROBES] = (len(probes), None, probes.splitlines(keepends=True), _PROBES)
        exec(compile(probes, _PROBES, "exec", dont_inherit=True), self._names)
        return {"names": [key for key, value in public.items() if callable(value)]}

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Call a function. The answer tells what it returned, and what it changed of its arguments and of the world."""
        tensors = list(tensors_in([args, kwargs]))
        before = [_bytes(tensor) for tensor in tensors]
        grads = [tensor.grad if tensor.grad is None else _bytes(tensor.grad) for tensor in tensors]
        world = _world()
        value = self._names[name](*args, **kwargs)
        drew = _world() != world
        changed = [index for index, tensor in enumerate(tensors) if _bytes(tensor) != before[index]]
        regraded = [
            index
            for index, tensor in enumerate(tensors)
            if (tensor.grad if tensor.grad is None else _bytes(tensor.grad)) != grads[index]
        ]
        outputs = list(tensors_in(value))
        differentiable = [index for index, output in enumerate(outputs) if output.requires_grad]
        handle = -1
        if differentiable:
            handle = len(self._kept)
            wanted = [tensor for tensor in tensors if tensor.requires_grad]
            self._kept.append(([outputs[index] for index in differentiable], wanted))
        return {
            "value": value,
            "changed": {index: tensors[index].detach() for index in changed},
            "grads": {index: tensors[index].grad for index in regraded},
            "generators": [generator.get_state() for generator in generators_in([args, kwargs])],
            "drew": drew,
            "handle": handle,
            "differentiable": differentiable,
        }

    def backward(self, handle: int, grads: list[torch.Tensor]) -> dict[str, Any]:
        """The gradients of what an earlier call returned, in the tensors it was given."""
        outputs, inputs = self._kept[handle]
        found = torch.autograd.grad(outputs, inputs, grads, retain_graph=True, allow_unused=True)
        return {"grads": list(found)}

    def fault(self, error: BaseException) -> dict[str, Any]:
        """An error in plain words: its kinds, its text, and the last line of the learner's file it came through.

        Where it came through none, line is 0, and code is the probe's.
        """
        frames = traceback.extract_tb(error.__traceback__)
        mine = [frame for frame in frames if frame.filename == self._file]
        probes = [frame for frame in frames if frame.filename == _PROBES]
        line = mine[-1].lineno or 0 if mine else 0
        function, code = next(((frame.name, frame.line or "") for frame in [*mine[-1:], *probes[-1:]]), ("", ""))
        if isinstance(error, SyntaxError) and error.filename == self._file:
            line, code = error.lineno or 0, (error.text or "").strip()
        text = error.msg if isinstance(error, SyntaxError) else f"{error}"
        if isinstance(error, MemoryError):
            self._kept.clear()
            gc.collect()
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return {"kinds": kinds, "text": text[:_SAID], "line": line, "function": function, "code": code[:_SAID]}


def _forbid(path: str) -> None:
    """Make calls of torch's own version of what is to be written raise, by whatever name it is reached."""
    home, _, name = path.rpartition(".")
    original = getattr(sys.modules[home], name)

    def forbidden(*args: object, **kwargs: object) -> None:
        raise RuntimeError(f"{path} is what this kata asks you to write: do it without")

    for module in [module for key, module in sys.modules.items() if key.partition(".")[0] == "torch"]:
        for key, value in list(getattr(module, "__dict__", {}).items()):
            if value is original:
                setattr(module, key, forbidden)


def _bytes(tensor: torch.Tensor) -> bytes:
    data = tensor.detach().contiguous()
    return data.reshape(-1).view(torch.uint8).numpy().tobytes() if data.nbytes else b""


def _world() -> tuple[object, ...]:
    """The state of every global source of randomness."""
    numpy = sys.modules.get("numpy")
    state = numpy.random.get_state(legacy=True) if numpy else ()
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), repr(state)
