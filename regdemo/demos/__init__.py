"""One file for each technique: state claims, measure them, show it.

A module here can be called, and then runs its demo: in a notebook, `regdemo.demos.dropout(p=0.1)` shows the report.
`regdemo.catalog` says what such a file holds.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class DemoModule(ModuleType):
    """A demo's module, which runs the demo when it is called."""

    def __call__(self, **parameters: Any) -> Any:
        """The demo's Report. Raises ArgumentError for a value outside its range."""
        # By name: the catalog lies above the demos, and only a call needs it.
        return import_module("regdemo.catalog").demo(self.__name__.rpartition(".")[2]).run(**parameters)


class _Package(ModuleType):
    """This package: it imports a demo when its name is looked up, and lets its module be called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return import_module(f"{self.__name__}.{name}")
        except ModuleNotFoundError:
            raise AttributeError(f"there is no demo {name!r}: `regdemo list` names them all") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) is ModuleType:
            value.__class__ = DemoModule
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
