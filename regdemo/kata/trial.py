"""Runs a kata's tests against functions that run in another process. The learner's code is not loaded here."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from typing import Any

import torch

from regdemo.kata import assertions
from regdemo.kata.remote import CodeError, SandboxedProcess
from regdemo.kata.verdict import State, Verdict
from regdemo.kata.wire import Connection, Gone, WireFault

_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
_REFUSED = "; the sandbox allows no other file, process, thread or connection"


def judge_file(request: dict[str, Any], connection: Connection, tell: Callable[[dict[str, Any]], None]) -> Verdict:
    """Judge one file. tell is called as each test begins: if it does not end, the supervisor knows which one it was.

    request: the card's `judge` and `starter`, the learner's `source`, the kata's `name`, a `seed`.
    """
    name, seed = request["name"], request["seed"]
    judge = ast.parse(request["judge"])
    functions = [node for node in judge.body if isinstance(node, ast.FunctionDef)]
    tests = [node for node in functions if node.name.startswith("test_")]
    probes = [node for node in functions if _is_probe(node)]
    process = SandboxedProcess(connection, name)
    wanted = [node.name for node in ast.parse(request["starter"]).body if isinstance(node, _DEFINITIONS)]
    try:
        sources = "\n\n".join(filter(None, (ast.get_source_segment(request["judge"], node) for node in probes)))
        found = process.load(request["source"], sources, _forbidden(judge), seed)
    except (CodeError, WireFault, Gone) as error:
        state, detail, line = _ending(error)
        state = State.UNLOADABLE if state is State.FAILED else state
        return Verdict(state, len(tests), message=f"{name}.py could not be loaded.", detail=detail, line=line)
    if lacking := [word for word in wanted if word not in found and not word.startswith("_")]:
        said = f"{name}.py has no `{'`, no `'.join(lacking)}`: keep the names of the starter"
        return Verdict(State.UNLOADABLE, len(tests), message=said)

    torch.manual_seed(seed + 1)
    space: dict[str, Any] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "math": math}
    space |= {key: getattr(assertions, key) for key in assertions.__all__}
    space |= {word: process.function(word) for word in wanted}
    space["probe"] = lambda function: process.function(function.__name__)
    assertions.BUDGET.clear()
    exec(compile(judge, f"the judge of {name}", "exec", dont_inherit=True), space)
    for done, node in enumerate(tests):
        message = " ".join((ast.get_docstring(node) or node.name).split())
        tell({"test": node.name, "message": message, "done": done, "tests": len(tests)})
        try:
            space[node.name]()
        except Exception as error:
            state, detail, line = _ending(error)
            return Verdict(state, len(tests), done, node.name, message, detail, line)
    return Verdict(State.PASSED, len(tests), len(tests))


def _ending(error: Exception) -> tuple[State, str, int]:
    """How a test ends by an exception, what to say about it, and the learner's line."""
    if isinstance(error, AssertionError):
        return State.FAILED, f"{error}", 0
    if isinstance(error, Gone):
        return State.CRASHED, "", 0
    if isinstance(error, WireFault):
        return State.FAILED, f"It returned {error}.", 0
    if isinstance(error, CodeError):
        refused = re.search(r"PermissionError|start new thread", f"{error.kinds} {error}")
        state = State.OUT_OF_MEMORY if error.out_of_memory else State.FAILED
        return state, f"{error}{_REFUSED if refused else ''}", error.line
    return State.FAILED, f"The judge can't use what it returned: {type(error).__name__}, {error}", 0


def _is_probe(node: ast.FunctionDef) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id == "probe" for mark in node.decorator_list)


def _forbidden(judge: ast.Module) -> list[str]:
    """The functions of torch that the learner is to do without: the judge's FORBIDDEN, a list of names."""
    for node in judge.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["FORBIDDEN"]:
            return [str(item) for item in ast.literal_eval(node.value)]
    return []
