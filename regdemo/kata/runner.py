"""The process that runs the learner's code. It decides nothing: it calls what the judge asks it to call, and answers.

Before the code is loaded, what it could copy from is out of reach: this package cannot be imported, its files and the
decks cannot be read (`sandbox`), and the judge's tests were not in this process. What the process says about itself
(an argument was changed, the global generator was used) catches mistakes. It doesn't hold against code that rewrites
this module at run time.
"""

from __future__ import annotations

import gc
import importlib
import linecache
import math
import os
import random
import sys
import threading
import time
import traceback
import types
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from regdemo.kata.sandbox import Sandbox
from regdemo.kata.wire import Connection, Gone, Pipes, WireFault, generators_in, receive, send, tensors_in

_PROBES = "a probe of the judge"  # the file name in tracebacks
_grad = torch.autograd.grad  # a kata may forbid it to the learner
_LONGEST_TEXT = 600  # characters of an error's text that are sent


def serve(connection: Connection, began: Callable[[], None] = lambda: None) -> None:
    """Answer requests until the other side is gone: first `load`, then `call` and `backward` in any order."""
    with suppress(Gone):
        request = receive(connection)
        began()
        code = _Code(request["name"])
        handlers: dict[str, Callable[..., dict[str, Any]]] = {
            "load": code.load,
            "call": code.call,
            "backward": code.backward,
        }
        while True:
            try:
                answer = handlers[request.pop("do")](**request)
            except BaseException as error:  # SystemExit too: the learner should read about whatever was raised
                answer = {"error": code.fault(error)}
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):  # the code may have replaced the stream by something else
                    stream.flush()
            try:
                send(connection, answer)
            except WireFault as fault:
                send(connection, {"error": {"kinds": ["WireFault"], "text": f"{fault}"}})
            request = receive(connection)


class _Code:
    def __init__(self, name: str) -> None:
        self._file = f"{name}.py"
        self._names: dict[str, Any] = {}
        self._kept: list[tuple[list[torch.Tensor], list[torch.Tensor]]] = []
        self._libraries: list[Any] = []

    def load(self, name: str, source: str, probes: str, forbidden: list[str], seed: int) -> dict[str, Any]:
        """Run the learner's file as a module, then the probes, which see its names. The answer lists those names."""
        for key in [key for key in sys.modules if key.partition(".")[0] == "regdemo"]:
            del sys.modules[key]
        sys.modules["regdemo"] = None  # type: ignore[assignment]  # importing it raises ImportError
        warnings.simplefilter("ignore")  # torch's warnings are not the learner's output
        for path in forbidden:
            self._forbid(path)
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
        """Call a function. The answer holds what it returned and what it changed: arguments, global random state."""
        tensors = list(tensors_in([args, kwargs]))
        before = [_bytes(tensor) for tensor in tensors]
        grads = [tensor.grad if tensor.grad is None else _bytes(tensor.grad) for tensor in tensors]
        random_state = _random_state()
        value = self._names[name](*args, **kwargs)
        drew = _random_state() != random_state
        changed = [index for index, tensor in enumerate(tensors) if _bytes(tensor) != before[index]]
        new_grads = [
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
            "grads": {index: tensors[index].grad for index in new_grads},
            "generators": [generator.get_state() for generator in generators_in([args, kwargs])],
            "drew": drew,
            "handle": handle,
            "differentiable": differentiable,
        }

    def backward(self, handle: int, grads: list[torch.Tensor]) -> dict[str, Any]:
        """The gradients of what an earlier call returned, with respect to the tensors it was given."""
        outputs, inputs = self._kept[handle]
        found = _grad(outputs, inputs, grads, retain_graph=True, allow_unused=True)
        return {"grads": list(found)}

    def fault(self, error: BaseException) -> dict[str, Any]:
        """An error as plain values: its kinds, its text, and the last line of the learner's file that it went through.

        If it went through none, line is 0, and code is the probe's line.
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
        return {
            "kinds": kinds,
            "text": text[:_LONGEST_TEXT],
            "line": line,
            "function": function,
            "code": code[:_LONGEST_TEXT],
        }

    def _forbid(self, path: str) -> None:
        """Make what the learner is to write raise: an operation in torch's dispatcher, another function by its names.

        An operation is refused whichever way it is called, `torch.ops.aten` included. "name(argument)" refuses only
        calls in which that argument differs from its default. Code that works around this knows that it does.
        """
        path, _, argument = path.removesuffix(")").partition("(")
        home, _, name = path.rpartition(".")

        def refuse(*args: object, **kwargs: object) -> None:
            given = f" with {argument}" if argument else ""
            raise RuntimeError(f"{path}{given} is what this kata asks you to write: do it without")

        # An operation has the function's name, or that with `_loss`: torch.nn.functional.cross_entropy.
        operations = [one for one in (name, f"{name}_loss") if torch._C._dispatch_has_kernel(f"aten::{one}")]
        if operations:
            library: Any = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
            self._libraries.append(library)  # which takes its kernels back when it is collected
            operation = getattr(torch.ops.aten, operations[0]).default

            def checked(*args: Any, **kwargs: Any) -> Any:
                given = dict(zip([one.name for one in operation._schema.arguments], args, strict=False)) | kwargs
                defaults = {one.name: one.default_value for one in operation._schema.arguments}
                return (
                    refuse()
                    if given.get(argument, defaults[argument]) != defaults[argument]
                    else plain(*args, **kwargs)
                )

            plain = operation.decompose
            for key in ("CPU", "AutogradCPU", "FuncTorchDynamicLayerFrontMode"):  # the last for vmap
                library.impl(operations[0], checked if argument else refuse, key, allow_override=True)
            return
        original = getattr(sys.modules[home], name)
        for module in [module for key, module in sys.modules.items() if key.partition(".")[0] == "torch"]:
            for key, value in list(getattr(module, "__dict__", {}).items()):
                if value is original:
                    setattr(module, key, refuse)


def _bytes(tensor: torch.Tensor) -> bytes:
    data = tensor.detach().contiguous()
    return data.reshape(-1).view(torch.uint8).numpy().tobytes() if data.nbytes else b""


def _random_state() -> tuple[object, ...]:
    """The state of every global source of randomness."""
    numpy = sys.modules.get("numpy")
    state = numpy.random.get_state(legacy=True) if numpy else ()
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), repr(state)


def main() -> None:
    """Serve over standard input and output, in a process started for one run. Arguments: seconds, paths to hide."""
    seconds, *hidden = sys.argv[1:]
    torch.set_num_threads(1)
    if sys.platform != "linux":  # where this is the usual way: optimizers and vmap import it late, for seconds
        importlib.import_module("torch._dynamo")
    connection = Pipes(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what the code prints goes where its errors go
    sandbox = Sandbox([Path(__file__).parents[1], *map(Path, hidden)])
    environment = {"HOME": os.getcwd(), "TMPDIR": os.getcwd(), "OMP_NUM_THREADS": "1"}
    environment |= {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # libraries of Windows
    os.environ.clear()
    os.environ.update(environment)
    began = threading.Event()
    if sys.platform != "linux":  # there the system ends this process when its parent is killed
        threading.Thread(target=_end_in_time, args=(began, int(seconds) + 2), daemon=True).start()
    sandbox.enter(int(seconds) + 1)
    send(connection, "ready")
    serve(connection, began.set)


def _end_in_time(began: threading.Event, seconds: int) -> None:
    began.wait()
    time.sleep(seconds)
    os._exit(1)


if __name__ == "__main__":
    main()
