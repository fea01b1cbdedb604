"""The one lazy mechanism: as a command, a module is loaded when it is first used, not when it is imported.

Imports stand at the top of every module. `install()`, which only the console script calls, hands the import system
importlib's LazyLoader for our own modules and for a few libraries that take long to load. Then

    import torch                          # loaded at the first `torch.something`
    from regdemo.quiz import grading      # loaded at the first `grading.something`
    from regdemo.quiz.cards import Card   # loaded now, since a name is taken out of it

so `regdemo --help` reads no tensor library, and `import regdemo` in somebody's own program changes nothing.
https://docs.python.org/3/library/importlib.html#importlib.util.LazyLoader
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

# Libraries that are slow to load and that some commands can do without. Their submodules load as usual.
HEAVY = frozenset({"fsrs", "hashlib", "markdown_it", "numpy", "pandas", "plotext", "rich", "scipy", "sklearn", "torch"})


class LazyFinder:
    """Finds what `PathFinder` finds, with a loader that waits for the first attribute."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of one of our modules or of a heavy library; None leaves the others to the usual finders."""
        if not name.startswith("regdemo.") and name not in HEAVY:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def install() -> None:
    """Make imports lazy in this process from now on. Calling it twice is the same as once."""
    if not any(isinstance(finder, LazyFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, LazyFinder())
