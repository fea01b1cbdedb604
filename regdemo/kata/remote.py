"""The learner's functions as the judge calls them: they run in another process, and gradients flow through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from regdemo.kata.wire import Connection, WireFault, generators_in, receive, send, tensors_in


class CodeError(Exception):
    """The learner's code raised. kinds: the names of the error's classes, its own first.

    place: of the line it came from, and code: that line; line: its number in the learner's file, or 0.
    """

    def __init__(self, place: str, code: str, kinds: list[str], text: str, line: int) -> None:
        self.kinds = kinds
        self.line = line
        shown = f"{place}:\n    {code}\n" if code else f"{place} "
        super().__init__(f"{shown}raised {kinds[0]}{': ' if text else ''}{text}")
        self.out_of_memory = "MemoryError" in kinds or "allocate memory" in text


@dataclass(frozen=True)
class Call:
    """One call of the learner's code. changed: which of its tensors, in order, it changed; drew: global randomness."""

    value: Any
    changed: tuple[int, ...]
    drew: bool


class Remote:
    """A function that runs in the other process. `wire` says what can be passed to it and returned from it.

    The judge's own tensors stay as they are, whatever the function does to its copies; generators move on.
    """

    def __init__(self, name: str, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.__name__ = name
        self._ask = ask

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What it returns, connected to its arguments, so that gradients flow."""
        return self.watch(*args, **kwargs).value

    def watch(self, *args: Any, **kwargs: Any) -> Call:
        """Call it, and report its side effects with what it returned."""
        answer = self._call(args, kwargs)
        value = answer["value"]
        if answer["handle"] >= 0:
            inputs = [tensor for tensor in tensors_in([args, kwargs]) if tensor.requires_grad]
            value = self._connect(value, answer, inputs)
        return Call(value, tuple({**answer["changed"], **answer["grads"]}), bool(answer["drew"]))

    def changing(self, *args: Any, **kwargs: Any) -> Any:
        """Call a function that is to change its arguments: its changes of tensors and their .grad are made here too."""
        answer = self._call(args, kwargs)
        tensors = list(tensors_in([args, kwargs]))
        for index, data in answer["changed"].items():
            tensors[index].data = data
        for index, grad in answer["grads"].items():
            tensors[index].grad = grad
        return answer["value"]

    def _call(self, args: Any, kwargs: Any) -> dict[str, Any]:
        answer = self._ask({"do": "call", "name": self.__name__, "args": args, "kwargs": kwargs})
        for generator, state in zip(generators_in([args, kwargs]), answer["generators"], strict=True):
            generator.set_state(state)
        return answer

    def _connect(self, value: Any, answer: dict[str, Any], inputs: list[torch.Tensor]) -> Any:
        """The value with its differentiable tensors connected to the inputs, so that backward() asks the other side."""
        outputs = list(tensors_in(value))
        wanted = [outputs[index].detach() for index in answer["differentiable"]]

        def backward(*grads: torch.Tensor) -> list[torch.Tensor | None]:
            return self._ask({"do": "backward", "handle": answer["handle"], "grads": list(grads)})["grads"]  # type: ignore[no-any-return]

        apply: Any = _Bridge.apply  # typed in some versions of torch, untyped in others
        connected = iter(apply(backward, wanted, *inputs) if inputs else wanted)
        fresh = {id(outputs[index]): next(connected) for index in answer["differentiable"]}
        return _replace(value, fresh)


class _Bridge(torch.autograd.Function):
    """Values computed in the other process, and their gradient from there."""

    @staticmethod
    def forward(ctx: Any, backward: Any, outputs: list[torch.Tensor], *inputs: torch.Tensor) -> Any:
        ctx.ask = backward
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        return (None, None, *ctx.ask(*grads))


def _replace(value: Any, fresh: dict[int, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return fresh.get(id(value), value)
    if isinstance(value, list | tuple):
        return type(value)(_replace(item, fresh) for item in value)
    if isinstance(value, dict):
        return {key: _replace(item, fresh) for key, item in value.items()}
    return value


class SandboxedProcess:
    """The process that runs the learner's code, seen from the judge. name: the kata's, and the file's without .py."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._loaded = False

    def load(self, source: str, probes: str, forbidden: list[str], seed: int) -> list[str]:
        """Load the learner's file; the functions and classes it has. Raises CodeError, Gone, WireFault."""
        request = {"name": self._name, "source": source, "probes": probes, "forbidden": forbidden, "seed": seed}
        names = self.ask({"do": "load", **request}, self._name)["names"]
        self._loaded = True
        return [str(name) for name in names]

    def function(self, name: str) -> Remote:
        """One of its functions, or a probe."""
        return Remote(name, lambda request: self.ask(request, name))

    def ask(self, request: dict[str, Any], name: str) -> dict[str, Any]:
        """Send a request and read the answer. Raises CodeError, Gone, WireFault."""
        send(self._connection, request)
        answer = receive(self._connection)
        if not isinstance(answer, dict):
            raise WireFault("a message that isn't an answer")
        if fault := answer.get("error"):
            kinds = [str(kind) for kind in fault["kinds"]]
            if kinds == ["WireFault"]:
                raise WireFault(str(fault["text"]))
            line, function, code = int(fault["line"]), str(fault["function"]), str(fault["code"])
            file = f"{self._name}.py"
            place = "The judge's own line" if code else f"Calling {name}" if self._loaded else file
            if line:
                place = f"{file}:{line}{f', in {function}' if function.isidentifier() else ''}"
            raise CodeError(place, code, kinds, str(fault["text"]), line)
        return answer
