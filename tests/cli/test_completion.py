"""Whatever has a list completes from it, in each shell, without importing torch."""

import pytest

from helpers import trapped

OFFERED = {
    "regdemo quiz --topic atten": "attention",
    "regdemo quiz --tag com": "common",
    "regdemo quiz --kind nu": "numeric",
    "regdemo quiz --ids Q18.1": "Q18.180",
    "regdemo mock --topic lab": "label_smoothing",
    "regdemo kata drop_p": "drop_path",
    "regdemo kata ch": "check",
    "regdemo kata check drop_p": "drop_path",
    "regdemo list wei": "weights",
    "regdemo pitfalls one": "one-gradient",
    "regdemo compare drop": "dropout",
    "regdemo combine lab": "label-smoothing",
    "regdemo finetune mix": "mixout",
    "regdemo sweep r-": "r-drop",
    "regdemo compare dropout --task dig": "digits",
    "regdemo bank show Q18.1": "Q18.180",
    "regdemo bank new --kind cl": "cloze",
    "regdemo search --kind pit": "pitfall",
    "regdemo dropo": "dropout",
}
ASKED = [*((line, "bash") for line in OFFERED), *(("regdemo kata check drop_p", shell) for shell in ("zsh", "fish"))]


def completing(line, shell):
    """The environment in which a shell asks for the last word of a line."""
    words = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    return {"_REGDEMO_COMPLETE": f"complete_{shell}", **words}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What each shell is offered for each line."""
    done, faults = trapped([([], completing(*one)) for one in ASKED], tmp_path_factory.mktemp("home"))
    assert (len(done), faults) == (len(ASKED), "")
    return dict(zip(ASKED, done, strict=True))


@pytest.mark.parametrize(("line", "shell"), ASKED)
def test_what_has_a_list_completes_from_it(line, shell, answers):
    code, out = answers[line, shell]
    assert code == 0
    assert OFFERED[line] in (out.split() if shell == "bash" else out)
