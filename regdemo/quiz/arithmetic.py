"""Arithmetic typed by a stranger, evaluated without Python's eval: numbers, names and the usual functions."""

from __future__ import annotations

import ast
import math
import operator
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from simpleeval import FunctionNotDefined, NameNotDefined, SimpleEval

from regdemo.errors import RegdemoError
from regdemo.text import quoted

LONGEST_EXPRESSION = 300  # characters: the tree of so short a text is too shallow to exhaust the stack

_CONSTANTS = {"pi": math.pi, "e": math.e}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "ln": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "tanh": math.tanh,
    "floor": math.floor,
    "ceil": math.ceil,
    "abs": abs,
    "min": min,
    "max": max,
}
_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_NODES = (ast.Expr, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name)
_ALLOWED = "numbers, + - * / ** ( ), names such as pi, functions such as sqrt"

_SUPERSCRIPT = re.compile("[⁰¹²³⁴-⁹⁻]+")
_SPELLINGS = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "π": "pi", "^": "**"})
_NUMBER = r"(?:[0-9][0-9_]*+(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?(?![A-Za-z0-9_.])"
_PERCENT = re.compile(rf"(?<![A-Za-z0-9_.])({_NUMBER})\s*+%")
_TOKENS = re.compile(rf"(?:(?:{_NUMBER}|[A-Za-z_][A-Za-z0-9_]*+|[-+*/(),]) *+)++")


class ArithmeticFault(RegdemoError, ValueError):
    """A text that is not arithmetic, or that has no finite real value."""


def evaluate(expression: str, names: Mapping[str, float | str] | None = None) -> float:
    """The value of a text in real arithmetic. Everything is a float, so that nothing grows without bound.

    `^` is a power, `11%` is 11/100, and × · ÷ − π ² are what they look like. names: the values of parameters.
    Raises ArithmeticFault: more than arithmetic, an unknown name, over 300 characters, or no finite real value.

    >>> evaluate("1/(1-p)", {"p": 0.5})
    2.0
    """
    known = _CONSTANTS | {name: float(value) for name, value in (names or {}).items() if not isinstance(value, str)}
    try:
        evaluator = _evaluator()
        evaluator.names = known
        return _finite(evaluator.eval(expression, previously_parsed=_parse(expression)))
    except ArithmeticFault:
        raise
    except NameNotDefined as error:
        reason = f"names {error.name}, which has no value: allowed are {', '.join(known)}"
    except FunctionNotDefined as error:
        reason = f"calls {error.func_name}: allowed are {', '.join(_FUNCTIONS)}"
    except ZeroDivisionError:
        reason = "divides by zero: it must have a finite value"
    except OverflowError:
        reason = "is too large: it must have a finite value"
    except ValueError:
        reason = "has no real value: it must have one"
    except Exception:  # simpleeval refuses by many kinds, and a wrong number of arguments is a TypeError
        reason = f"is not arithmetic: allowed are {_ALLOWED}"
    raise ArithmeticFault(f"{quoted(expression)} {reason}")


@lru_cache(maxsize=4096)
def _parse(expression: str) -> ast.AST:
    """The syntax tree, with each number a float. Nothing but the tokens of arithmetic reaches Python's parser."""
    if (length := len(expression)) > LONGEST_EXPRESSION:
        raise ArithmeticFault(
            f"{quoted(expression)} has {length:,} characters: arithmetic has at most {LONGEST_EXPRESSION}"
        )
    text = _SUPERSCRIPT.sub(lambda power: f"**({unicodedata.normalize('NFKC', power[0])})", expression)
    text = _PERCENT.sub(r"(\1/100)", text.translate(_SPELLINGS)).strip()
    if not _TOKENS.fullmatch(text):
        raise SyntaxError
    tree: ast.AST = SimpleEval.parse(text)
    return tree


@cache
def _evaluator() -> SimpleEval:
    """One evaluator for all: only the nodes of arithmetic, every intermediate value finite, every number a float."""
    evaluator = SimpleEval(
        operators={node: _checked(operation) for node, operation in _OPERATORS.items()},
        functions={name: _checked(function) for name, function in _FUNCTIONS.items()},
    )
    evaluator.nodes = {node: evaluator.nodes[node] for node in _NODES}
    evaluator.nodes[ast.Constant] = lambda node: _finite(node.value)
    return evaluator


def _checked(operation: Callable[..., float]) -> Callable[..., float]:
    """The operation, refusing a value that is not finite: an infinity could hide in 1/inf."""
    return lambda *operands: _finite(operation(*operands))


def _finite(value: object) -> float:
    """The value as a float. Raises OverflowError or ValueError if it is not a finite real number."""
    if isinstance(value, complex):
        raise ValueError
    if type(value) not in (float, int):
        raise TypeError
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise OverflowError
    return number
