"""Imports cost time: what must not load torch, found out in a child process in which loading it ends the process."""

import os
import subprocess
import sys

import pytest

from helpers import TRAP
from regdemo import catalog


def trapped(*arguments: str, home: object, program: str = TRAP) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "REGDEMO_HOME": str(home)},
    )


@pytest.mark.parametrize(
    "arguments",
    [
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
    ],
)
def test_a_light_command_imports_nothing_heavy(arguments, tmp_path):
    done = trapped(*arguments.split(), home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


HELPS = """
for command in COMMANDS:
    sys.argv[1:] = [*command.split(), "--help"]
    print(command, file=sys.stderr, flush=True)  # the last one named is the one that was trapped, or failed
    try:
        main()
    except SystemExit as ended:
        assert not ended.code
"""


def test_no_commands_help_imports_anything_heavy(tmp_path):
    commands = ["bank", "bank list", "bank verify", "quiz", "mock", "stats", "compare", "combine", "finetune", "sweep"]
    commands += ["list", "pitfalls", *(demo.name for demo in catalog.demos())]
    program = TRAP.replace("\nmain()\n", HELPS.replace("COMMANDS", repr(commands)))
    done = trapped(home=tmp_path, program=program)
    assert (done.returncode, done.stderr.splitlines()) == (0, commands)


@pytest.mark.parametrize("arguments", ["dropout", "pitfalls token-noise"])
def test_the_trap_catches_what_runs(arguments, tmp_path):
    assert "trapped torch" in trapped(*arguments.split(), home=tmp_path).stderr


WITHOUT_EXTRAS = """
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import regdemo
for module in pkgutil.walk_packages(regdemo.__path__, "regdemo."):
    if not module.name.startswith(("regdemo.web", "regdemo.mcp", "regdemo.cli.mcp", "regdemo.__main__")):
        importlib.import_module(module.name)
"""


def test_every_module_outside_the_faces_can_be_imported_without_any_extra():
    """As in a notebook or in a script, where imports are not lazy."""
    extras = "pandas pyarrow tqdm transformers llm mcp opacus starlette uvicorn jinja2 genanki zstandard distributed"
    program = f"EXTRAS = set({extras.split()!r})\n{WITHOUT_EXTRAS}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
