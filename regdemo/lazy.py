"""The one lazy mechanism: as a command, a module is loaded when it is first used, not when it is imported.

Imports are at the top of every module. `install()`, which only the console script and the processes that it starts
call, hands the import system a lazy loader for our own modules and for a few libraries that take long to load. Then

    import torch                          # loaded at the first `torch.something`
    from regdemo.quiz import outcome      # loaded at the first `outcome.something`
    from regdemo.quiz.cards import Card   # loaded now, since a name is taken out of it

so `regdemo --help` reads no tensor library, and `import regdemo` in somebody's own program changes nothing.
It is importlib's LazyLoader, whose modules a second `import torch` would load: the import system looks at their spec.
https://docs.python.org/3/library/importlib.html#importlib.util.LazyLoader
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock, current_thread, main_thread
from types import FrameType, ModuleType
from typing import Any

# Libraries that are slow to load and that some commands can do without. Their submodules load as usual.
HEAVY = frozenset(
    "fsrs hashlib markdown_it numpy pandas plotext rich rich.console scipy sklearn torch".split()  # noqa: SIM905
)


# What can be asked of a module without loading it. A second `import torch` asks for the spec, `isinstance` for the
# class, and `inspect.getmodule`, which torch calls as it loads, for the file and name of every module there is. A path
# is not among them: a submodule must not be loaded before its parent.
METADATA = frozenset({"__class__", "__file__", "__loader__", "__name__", "__package__", "__spec__"})

_LOADING = RLock()
PATIENCE = 0.02  # seconds until a signal that came within an import is looked at again


class LazyModule(ModuleType):
    """A module that waits for its first attribute; its metadata do not count."""

    def __getattribute__(self, name: str) -> Any:
        """Load the module, then look the attribute up."""
        if name in METADATA:
            return super().__getattribute__(name)
        with _LOADING:
            if object.__getattribute__(self, "__class__") is LazyModule:
                spec = super().__getattribute__("__spec__")
                self.__class__ = ModuleType  # type: ignore[assignment]
                try:
                    spec.loader.exec_module(self)
                except BaseException:
                    self.__class__ = LazyModule
                    raise
        return getattr(self, name)


_LOAD = LazyModule.__getattribute__.__code__


class LazyLoader:
    """Makes a module that another loader fills when it is used.

    It is an importlib.abc.Loader in all but name: to import that module takes longer than all that is saved here.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """What the other loader makes."""
        made: ModuleType | None = self.loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Let the module wait."""
        if module.__spec__:
            module.__spec__.loader = module.__loader__ = self.loader
        module.__class__ = LazyModule


class KeptLoader:
    """Gives the module that is there already: to look for it, its parent was loaded, which has brought it along."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module, with the spec that it has."""
        module = sys.modules[spec.name]
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is to be done but to give it its spec back."""
        module.__spec__ = self.spec


class LazyFinder:
    """Finds what `PathFinder` finds, with a loader that waits for the first attribute."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of one of our modules or of a heavy library; None leaves the others to the usual finders.

        The import system looks for `torch.optim` after it has asked torch for its path, which loads torch and with it
        torch.optim: a second one must not be made. A target is given where a module is loaded again on purpose.
        """
        if target is None and name in sys.modules:
            return ModuleSpec(name, KeptLoader())  # type: ignore[arg-type]
        if not name.startswith("regdemo.") and name not in HEAVY:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = LazyLoader(spec.loader)  # type: ignore[assignment]
        return spec


def install() -> None:
    """Make imports lazy in this process from now on. Calling it twice is the same as once."""
    if not any(isinstance(finder, LazyFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, LazyFinder())


def call(module: str, function: str, *arguments: Any) -> Any:
    """What a process of ours begins with: `install()`, then this function of this module."""
    install()
    return getattr(import_module(module), function)(*arguments)


@contextmanager
def interruptible(number: int = signal.SIGINT) -> Iterator[None]:
    """Let a signal raise KeyboardInterrupt, but never within an import: it then waits until the import is done.

    Of a package that was half imported, parts stay loaded, and each later import of it fails. Once it was raised, the
    handler that was there before is back: a second signal does not cut the clean-up short.
    """
    if current_thread() is not main_thread() or not callable(before := signal.getsignal(number)):
        yield
        return
    timer = hasattr(signal, "setitimer")  # elsewhere a signal that comes within an import is lost

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not _importing(frame):
            restore()
            raise KeyboardInterrupt
        if timer:
            signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def restore() -> bool:
        """Put the handlers back; whether a signal waits."""
        signal.signal(number, before)
        waits = timer and signal.setitimer(signal.ITIMER_REAL, 0)[0] > 0
        if timer:
            signal.signal(signal.SIGALRM, again)
        return waits

    again = signal.signal(signal.SIGALRM, interrupt) if timer else None
    signal.signal(number, interrupt)
    waits = False
    try:
        yield
    finally:
        waits = restore()
    if waits:
        raise KeyboardInterrupt


def _importing(frame: FrameType | None) -> bool:
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib") or frame.f_code is _LOAD:
            return True
        frame = frame.f_back
    return False
