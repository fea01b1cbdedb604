"""Whatever has a list completes from it, in each shell, without importing torch."""

import os
import subprocess
import sys

import pytest

from helpers import TRAP

SHELLS = ["bash", "zsh", "fish"]


def completed(words, shell, home):
    """What a shell is offered for the last of the words."""
    line = " ".join(words)
    environment = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    done = subprocess.run(
        [sys.executable, "-c", TRAP.replace("main()", "sys.argv[0] = 'regdemo'; main()")],
        capture_output=True,
        text=True,
        env={**os.environ, "REGDEMO_HOME": str(home), "_REGDEMO_COMPLETE": f"complete_{shell}", **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_offered_the_names_of_katas(shell, tmp_path):
    assert "drop_path" in completed(["regdemo", "kata", "check", "drop_p"], shell, tmp_path)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["regdemo", "quiz", "--topic", "atten"], "attention"),
        (["regdemo", "quiz", "--tag", "com"], "common"),
        (["regdemo", "quiz", "--kind", "nu"], "numeric"),
        (["regdemo", "quiz", "--ids", "Q18.1"], "Q18.180"),
        (["regdemo", "mock", "--topic", "lab"], "label_smoothing"),
        (["regdemo", "kata", "drop_p"], "drop_path"),
        (["regdemo", "kata", "ch"], "check"),
        (["regdemo", "list", "wei"], "weights"),
        (["regdemo", "pitfalls", "one"], "one-gradient"),
        (["regdemo", "compare", "drop"], "dropout"),
        (["regdemo", "combine", "lab"], "label-smoothing"),
        (["regdemo", "finetune", "mix"], "mixout"),
        (["regdemo", "sweep", "r-"], "r-drop"),
        (["regdemo", "compare", "dropout", "--task", "dig"], "digits"),
        (["regdemo", "bank", "show", "Q18.1"], "Q18.180"),
        (["regdemo", "bank", "new", "--kind", "cl"], "cloze"),
        (["regdemo", "search", "--kind", "pit"], "pitfall"),
        (["regdemo", "dropo"], "dropout"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_has_a_list_completes_from_it(words, offered, tmp_path):
    assert offered in completed(words, "bash", tmp_path).split()
