"""Imports cost time: what must not load torch, found out in a child process in which loading it ends the process."""

import os
import subprocess
import sys

import pytest

from helpers import TRAP
from regdemo import catalog


def trapped(*arguments: str, home: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TRAP, *arguments],
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


def test_no_commands_help_imports_anything_heavy(tmp_path):
    names = [
        "bank",
        "bank list",
        "bank verify",
        "quiz",
        "mock",
        "stats",
        "compare",
        "combine",
        "finetune",
        "sweep",
        "list",
        "pitfalls",
        *(demo.name for demo in catalog.demos()),
    ]
    found = {name: trapped(*name.split(), "--help", home=tmp_path) for name in names}
    assert {name: (done.returncode, done.stderr) for name, done in found.items()} == dict.fromkeys(names, (0, ""))


@pytest.mark.parametrize("arguments", ["dropout", "pitfalls token-noise"])
def test_the_trap_catches_what_runs(arguments, tmp_path):
    assert "trapped torch" in trapped(*arguments.split(), home=tmp_path).stderr
