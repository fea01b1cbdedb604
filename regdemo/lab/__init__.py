"""Training: data, models, batched ensembles, recipes, comparison statistics.

what is learned   task, source, splits, preparation; data, table, text (characters), rewriting (back-translation)
by which network  ensemble (perceptrons), gpts, modules (your own), hugging_face; transformer is one GPT, for demos
with what         recipe, techniques/, choices (what can be asked for)
trained           training, fused (the fast path), streams (random numbers), memory
run               experiment, by executors into a store, with results
judged            metrics, statistics, coefficients, privacy
reported          findings; compare, combine, sweep and finetune are views of results

From Python: `Experiment`, `Metric`, `Results`, `Task`, `arms` and `from_arrays` can be imported from here. A command's
function is in the module of its name: `from regdemo.lab.compare import compare`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regdemo.lab.data import from_arrays
    from regdemo.lab.experiment import Experiment
    from regdemo.lab.results import Results
    from regdemo.lab.task import Metric, Task

__all__ = ["Experiment", "Metric", "Results", "Task", "arms", "from_arrays"]

_PLACES = {"Experiment": "experiment", "Metric": "task", "Results": "results", "Task": "task", "from_arrays": "data"}


def arms(*words: str, task: Task | None = None) -> list[Any]:
    """The recipes of arms in words, the first of which the others are compared with; see `choices.recipes`.

    task: refuse techniques that do not fit it. Raises ArgumentError on words that can't be understood.

    >>> [recipe.name for recipe in arms("none", "dropout:p=0.1", "dropout:p=0.2+weight-decay:strength=0.1")]
    ['none', 'dropout 0.1', 'dropout 0.2 + weight-decay 0.1']
    """
    from regdemo.lab import choices  # here, since `regdemo.lab` itself loads no torch
    from regdemo.lab.techniques import TECHNIQUES

    first, *rest = words
    offers = frozenset().union(*(t.requires for t in TECHNIQUES.values())) if task is None else task.offers
    title = "" if task is None else task.title
    return choices.arms(rest, {}, against=first, offers=offers, task=title)


def __getattr__(name: str) -> Any:
    """What is imported from here, loaded when it is first asked for, so that this package's parts load alone."""
    if name not in _PLACES:
        raise AttributeError(f"module 'regdemo.lab' has no attribute {name!r}")
    return getattr(import_module(f"regdemo.lab.{_PLACES[name]}"), name)
