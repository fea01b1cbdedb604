"""`regdemo compare` at the terminal: its output, its bad input, and Ctrl-C."""

import inspect
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from helpers import take_terminal
from regdemo.cli import app
from regdemo.cli.compare import compare
from regdemo.errors import ArgumentError
from regdemo.lab import combine, data, finetune, sweep
from regdemo.lab import compare as lab
from regdemo.lab.source import Source

QUICK = ["compare", "dropout", "--task", "digits", "--epochs", "1"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A small network and 60 examples, but for the child processes."""
    few = replace(data.load("digits").first(60), hidden=(16, 8), batch_size=20)
    monkeypatch.setitem(data.TASKS, "digits", lambda: few)


def test_a_comparison_prints_verdict_table_curves_costs_and_claims(capsys):
    assert app.run(QUICK) == 0
    out, err = capsys.readouterr()
    assert re.search(r"test accuracy by|No difference shown", out)
    for part in ("balanced accuracy", "test loss", "p-value", "epoch by epoch", "What each cost", "3 of 3 claims"):
        assert part in out
    assert err == ""


def test_as_json_it_is_a_report_with_the_intervals_as_numbers(capsys):
    assert app.run([*QUICK, "--p", "0.5", "--seeds", "9", "--seed", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["parameters"] == {
        "technique": "dropout",
        "p": 0.5,
        "task": "digits",
        "seeds": 9,
        "epochs": 1,
        "seed": 3,
    }
    table = next(block for block in report["blocks"] if block["kind"] == "table")
    assert set(table["rows"][0][3]) == {"value", "low", "high"}
    assert err == ""


def test_a_comparison_in_bfloat16_says_so(capsys):
    assert app.run([*QUICK, "--seeds", "8", "--precision", "bfloat16"]) == 0
    assert "precision bfloat16" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "module"),
    [("compare", lab), ("combine", combine), ("finetune", finetune), ("sweep", sweep)],
)
def test_what_is_typed_reaches_the_lab_as_what_it_takes(command, module, monkeypatch, capsys):
    taken = {}

    def take(*args, **options):
        inspect.signature(original).bind(*args, **options)
        taken.update(options)
        raise ArgumentError("that will do")

    original = getattr(module, command)
    monkeypatch.setattr(module, command, take)
    options = ["--device", "cuda:1", "--precision", "bfloat16", "--seeds", "9", "--seed", "3", "--p", "0.1"]
    assert app.run([command, "dropout", *options]) == 2
    assert "that will do" in capsys.readouterr().err
    expected = {"device": "cuda:1", "precision": "bfloat16", "seeds": 9, "seed": 3, "p": [0.1], "epochs": None}
    assert {name: taken[name] for name in expected} == expected
    assert ("task" in taken) == (command != "finetune")


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (["dropout", "--p", "0.1", "0.5"], "Dropout 0.1 and dropout 0.5 against none"),
        (["--p", "0.1", "0.5", "--seeds", "8", "dropout"], "Dropout 0.1 and dropout 0.5 against none"),
        (["dropout", "--p", "0.1", "--p=0.5"], "Dropout 0.1 and dropout 0.5 against none"),
        (["dropout", "--p=0.1", "0.5"], "Dropout 0.1 and dropout 0.5 against none"),
        (["dropout", "--seeds", "8", "--p", "0.1"], "Dropout 0.1 against none"),
        (["sam", "--rho", "0.2", "dropout"], "Sam 0.2 and dropout 0.2 against none"),
        (["mc-dropout", "--against", "dropout"], "Mc-dropout 0.2 against dropout 0.2"),
        (["weight-decay", "--weight-decay", "0.1", "1e1"], "Weight-decay 0.1 and weight-decay 10 against none"),
    ],
)
def test_the_arms_are_those_typed(arguments, title, capsys):
    assert app.run(["compare", *arguments, "--task", "digits", "--epochs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["title"].startswith(title + " on")


@pytest.mark.parametrize(
    "arguments",
    [
        ["cutout"],
        ["sam", "--p", "0.1"],
        ["dropout", "--p", "0.1", "0.1"],
        ["dropout", "--p", "0.1", "x"],
        ["dropout", "--against", "nothing"],
        ["dropout", "--label-noise", "1"],
        ["dropout", "--train-size", "0"],
        ["dropout", "--task", "cifar"],
        ["dropout", "--p", "1.0"],
        ["dropout", "--p", "nan"],
        ["dropout", "--p", "abc"],
        ["dropout", "--seeds", "3"],
        ["dropout", "--epochs", "0"],
        ["dropout", "--epochs", "1000000000"],
        ["dropout", "--save", "report.docx"],
        ["dropout", "--device", "gpu"],
        ["dropout", "--device", "cuda:99"],
        ["dropout", "--precision", "fp8"],
        ["l1-penalty", "--task", "diabetes", "--precision", "bfloat16"],
        [],
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments, capsys):
    assert app.run(["compare", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1


def test_combine_prints_effects_and_every_combination(capsys):
    arguments = ["combine", "dropout", "sam", "--rho", "0.1", "--task", "digits", "--epochs", "1", "--seeds", "8"]
    assert app.run(arguments) == 0
    out, err = capsys.readouterr()
    for part in ("Dropout 0.2 and sam 0.1 together", "Every combination of 2", "p-value", "3 of 3 claims"):
        assert part in out
    assert err == ""
    assert app.run(["combine", "dropout"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def stop_at(monkeypatch, share):
    """Press Ctrl-C when more than this share of all steps is done."""
    run = lab.compare

    def stopped(*args, progress, **options):
        def press(done, total):
            progress(done, total)
            if done > share * total:
                raise KeyboardInterrupt

        return run(*args, progress=press, **options)

    monkeypatch.setattr(lab, "compare", stopped)


def test_ctrl_c_shows_what_is_finished_and_exits_130(monkeypatch, capsys):
    stop_at(monkeypatch, 0.25)
    assert app.run(["compare", "dropout", "--task", "digits", "--epochs", "9", "--seeds", "8"]) == 130
    out, err = capsys.readouterr()
    assert "(stopped at epoch 2 of 9)" in " ".join(out.split())
    assert "test accuracy" in out
    assert err == ""


def test_ctrl_c_saves_what_is_finished(monkeypatch, capsys, tmp_path):
    stop_at(monkeypatch, 0.25)
    path = tmp_path / "report.json"
    assert (
        app.run(
            ["compare", "dropout", "--task", "digits", "--epochs", "9", "--seeds", "8", "--json", "--save", str(path)]
        )
        == 130
    )
    assert json.loads(path.read_text()) == json.loads(capsys.readouterr().out)


def test_ctrl_c_before_the_first_evaluation_is_one_line_and_exit_130(monkeypatch, capsys):
    stop_at(monkeypatch, 0)
    assert app.run(QUICK) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "regdemo: stopped before there was anything to show\n"


def test_ctrl_c_typed_at_a_terminal_ends_the_bar_and_shows_the_report():
    main, terminal = pty.openpty()
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "regdemo",
            "compare",
            "dropout",
            "--task",
            "digits",
            "--epochs",
            "20",
            "--train-size",
            "300",
        ],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=take_terminal,
        env={**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "2"},
    )
    os.close(terminal)
    seen = ""
    # An epoch of 20 is 5% of the bar: at 15% and more, three epochs are evaluated.
    while not any(int(percent) >= 15 for percent in re.findall(r"(\d+)%", seen)):
        seen += os.read(main, 4096).decode()
    os.write(main, b"\x03")
    rest = ""
    while chunk := read(main):
        rest += chunk
    assert child.wait() == 130
    assert re.search(r"stopped at epoch \d+ of 20", rest)
    assert "Traceback" not in seen + rest


def read(main):
    """What the child wrote; nothing once it has gone (Linux answers with EIO)."""
    try:
        return os.read(main, 4096).decode(errors="replace")
    except OSError:
        return ""


def test_the_help_imports_nothing_heavy():
    trap = (
        "import sys\n"
        "from regdemo import lazy\n"
        "lazy.install()\n"
        "from regdemo.cli import app\n"
        "code = app.run(['compare', '--help'])\n"
        "found = [sys.modules.get(name) for name in ('torch', 'numpy', 'scipy', 'sklearn', 'pandas')]\n"
        "assert all(module is None or type(module) is lazy.LazyModule for module in found)\n"
        "sys.exit(code)\n"
    )
    subprocess.run([sys.executable, "-c", trap], check=True, capture_output=True)


def test_the_defaults_are_those_of_the_library():
    library = inspect.signature(lab.compare).parameters
    source = {field.name: field.default for field in fields(Source)} | {"task": "mnist1d", "drop": None}
    for name, parameter in inspect.signature(compare).parameters.items():
        if name in library and parameter.default is not inspect.Parameter.empty and name not in ("workers", "out"):
            assert parameter.default == library[name].default, name
        elif name in source:
            assert parameter.default == source[name], name


def test_the_help_shows_the_options_of_the_techniques_that_are_named(capsys):
    app.run(["compare", "dropout:p=0.1+mixup", "sam", "--help"])
    out = capsys.readouterr().out
    assert all(f"  --{name} " in out for name in ("p", "alpha", "rho"))
    assert "  --strength " not in out
    assert "batch-mixing 0.7" not in out


def test_the_help_without_a_technique_says_how_to_see_its_options(capsys):
    app.run(["compare", "--help"])
    out = capsys.readouterr().out
    assert "  --rho " not in out
    assert "`regdemo compare dropout --help`" in " ".join(out.split())
