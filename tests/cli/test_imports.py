"""Imports cost time: what must not load torch, found out in a child process in which loading it ends the process."""

import subprocess
import sys

import pytest

from helpers import trapped
from regdemo import catalog

LIGHT = [
    "",
    "--help",
    "--version",
    "list",
    "list --json",
    "pitfalls",
    "diagnose",
    "pitfalls --json",
    "quiz",
    "stats",
    "quiz --new 1",
    "mock",
    "bank list",
    "bank show Q18",
    "bank new",
    "search dropout",
]
PRACTICE = ["bank", "bank list", "bank verify", "quiz", "mock", "stats"]
LISTS_AND_LAB = ["list", "pitfalls", "compare", "combine", "finetune", "sweep"]
DEMOS = [demo.name for demo in catalog.demos()]
HELPS = [f"{command} --help" for command in [*PRACTICE, *LISTS_AND_LAB, *DEMOS]]


@pytest.mark.parametrize("commands", [LIGHT, HELPS], ids=["commands", "helps"])
def test_what_needs_nothing_heavy_imports_nothing_heavy(commands, tmp_path):
    done, faults = trapped([(command.split(), {}) for command in commands], tmp_path)
    assert faults == ""
    # The first that is missing is the one that was trapped.
    assert [command for command, _ in zip(commands, done, strict=False)] == commands
    assert [code for code, _ in done] == [0] * len(commands)


@pytest.mark.parametrize("arguments", ["dropout", "pitfalls token-noise"])
def test_the_trap_catches_what_runs(arguments, tmp_path):
    assert "trapped torch" in trapped([(arguments.split(), {})], tmp_path)[1]


WITHOUT_EXTRAS = """
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import regdemo
for module in pkgutil.walk_packages(regdemo.__path__, "regdemo."):
    if not module.name.startswith(("regdemo.web", "regdemo.mcp", "regdemo.__main__")):
        importlib.import_module(module.name)
"""


def test_every_module_outside_the_faces_can_be_imported_without_any_extra():
    """As in a notebook or in a script, where imports are not lazy."""
    extras = "pandas pyarrow tqdm transformers llm mcp opacus starlette uvicorn jinja2 genanki zstandard distributed"
    program = f"EXTRAS = set({extras.split()!r})\n{WITHOUT_EXTRAS}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
