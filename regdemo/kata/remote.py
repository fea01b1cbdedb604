"""The learner's functions as the judge calls them: they run in the learner's process, and gradients flow through."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from regdemo.kata.wire import WireFault, generators_in, receive, send, tensors_in


class LearnerError(Exception):
    """The learner's code raised. kinds: the names of the error's classes, its own first.

    place: of the line it came from; code: that line.
    """

    def __init__(self, place: str, code: str, kinds: list[str], text: str) -> None:
        self.kinds = kinds
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
    """A function that runs in the learner's process. What goes in and out is what `wire` takes.

    The judge's own tensors stay as they are, whatever the function does to its copies; generators move on.
    """

    def __init__(self, name: str, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.__name__ = name
        self._ask = ask

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What it returns, joined to its arguments, so that gradients flow."""
        return self.watch(*args, **kwargs).value

    def watch(self, *args: Any, **kwargs: Any) -> Call:
        """Call it, and tell what it did besides returning."""
        answer = self._call(args, kwargs)
        value = answer["value"]
        if answer["handle"] >= 0:
            inputs = [tensor for tensor in tensors_in([args, kwargs]) if tensor.requires_grad]
            value = self._connect(value, answer, inputs)
        return Call(value, tuple({**answer["changed"], **answer["grads"]}), bool(answer["drew"]))

    def changing(self, *args: Any, **kwargs: Any) -> Any:
        """Call it where it is to change its arguments: what it does to tensors and their .grad is done here too."""
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
        """The value with its differentiable tensors joined to the inputs, so that backward() asks the other side."""
        outputs = list(tensors_in(value))
        wanted = [outputs[index].detach() for index in answer["differentiable"]]

        def backward(*grads: torch.Tensor) -> list[torch.Tensor | None]:
            return self._ask({"do": "backward", "handle": answer["handle"], "grads": list(grads)})["grads"]  # type: ignore[no-any-return]

        apply: Any = _Bridge.apply  # typed in some versions of torch, untyped in others
        joined = iter(apply(backward, wanted, *inputs) if inputs else wanted)
        fresh = {id(outputs[index]): next(joined) for index in answer["differentiable"]}
        return _replace(value, fresh)


class _Bridge(torch.autograd.Function):
    """Values computed elsewhere, and their gradient from there."""

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


class Learner:
    """The connection to the learner's process, where the file is called so."""

    def __init__(self, connection: socket.socket, file: str) -> None:
        self._connection = connection
        self._file = file
        self._loaded = False

    def load(self, name: str, source: str, probes: str, forbidden: list[str], seed: int) -> list[str]:
        """Load the learner's file; the functions and classes it has. Raises LearnerError, Gone, WireFault."""
        request = {"name": name, "source": source, "probes": probes, "forbidden": forbidden, "seed": seed}
        names = self.ask({"do": "load", **request}, name)["names"]
        self._loaded = True
        return [str(name) for name in names]

    def function(self, name: str) -> Remote:
        """One of its functions, or a probe."""
        return Remote(name, lambda request: self.ask(request, name))

    def ask(self, request: dict[str, Any], name: str) -> dict[str, Any]:
        """Send a request, and take the answer apart. Raises LearnerError, Gone, WireFault."""
        send(self._connection, request)
        answer = receive(self._connection)
        if not isinstance(answer, dict):
            raise WireFault("a message that is no answer")
        if fault := answer.get("error"):
            kinds = [str(kind) for kind in fault["kinds"]]
            line, function, code = int(fault["line"]), str(fault["function"]), str(fault["code"])
            place = "The judge's own line" if code else f"Calling {name}" if self._loaded else self._file
            if line:
                place = f"{self._file}:{line}{f', in {function}' if function.isidentifier() else ''}"
            raise LearnerError(place, code, kinds, str(fault["text"]))
        return answer
