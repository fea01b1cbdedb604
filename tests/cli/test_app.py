"""How a command line ends: what it prints, where, and with which exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import pytest

from helpers import run_once
from regdemo import catalog
from regdemo.cli import app, commands
from regdemo.parameters import SEED
from regdemo.report import Claim, Measurement, Report

DEMOS = [demo.name for demo in catalog.demos()]
BY_HAND = [*commands.COMMANDS]


def failing(*, seed: Annotated[int, SEED] = 0) -> Measurement:
    return Measurement("A claim that fails", [Claim("1 is 2", 2, "1 + 1", 1, 0, "exact")], [])


def interrupted(*, seed: Annotated[int, SEED] = 0) -> Measurement:
    raise KeyboardInterrupt


def put_in_place_of_dropout(monkeypatch, function):
    monkeypatch.setattr(import_module("regdemo.demos.dropout"), "dropout", function)


def one_line(text):
    return text.count("\n") == 1 and text.startswith("regdemo: ")


@pytest.mark.parametrize("value", ["1.0", "-0.1", "nan", "inf", "abc", ""])
def test_a_rate_that_is_none_is_one_line_and_exit_2(value, capsys):
    assert app.run(["dropout", "--p", value]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert one_line(err)
    assert value in err
    assert "--p" in err or "p = " in err


@pytest.mark.parametrize("name", DEMOS)
@pytest.mark.parametrize("size", ["0", "1000000000000"])
def test_a_size_of_nothing_or_of_everything_is_refused(name, size, capsys):
    for parameter in [range_ for range_ in catalog.demo(name).ranges if range_.kind == "integer"]:
        assert app.run([name, f"--{parameter.name.replace('_', '-')}", size]) == 2
        assert one_line(capsys.readouterr().err)


@pytest.mark.parametrize("words", ["list", "pitfalls", "diagnose", "search overfitting"])
def test_no_line_of_a_list_ends_in_spaces_in_a_pipe(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    assert app.run(words.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith(" ")] == []


def test_an_unknown_command_is_told_the_nearest_names(capsys):
    assert app.run(["dropotu"]) == 2
    assert "'dropout'" in capsys.readouterr().err


def test_an_unknown_option_is_told_where_the_right_ones_stand(capsys):
    assert app.run(["dropout", "--rate", "0.1"]) == 2
    err = capsys.readouterr().err
    assert one_line(err)
    assert "regdemo dropout --help" in err


def test_a_claim_that_fails_exits_1(monkeypatch, capsys):
    put_in_place_of_dropout(monkeypatch, failing)
    assert app.run(["dropout"]) == 1
    assert "✗" in capsys.readouterr().out


def test_a_claim_that_fails_exits_1_in_json_too(monkeypatch, capsys):
    put_in_place_of_dropout(monkeypatch, failing)
    assert app.run(["dropout", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["claims"][0]["holds"] is False


def test_an_error_of_ours_is_one_line_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr(Report, "holds", property(lambda report: 1 / 0))
    assert app.run(["dropout"]) == 70
    assert one_line(capsys.readouterr().err)


def test_debug_shows_the_traceback_wherever_it_stands(monkeypatch):
    monkeypatch.setattr(Report, "holds", property(lambda report: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        app.run(["dropout", "--debug"])


def test_the_version_is_printed(capsys):
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"regdemo {app.__version__}\n"


def test_no_command_is_a_request_for_help(capsys):
    assert app.run([]) == 0
    assert "regdemo" in capsys.readouterr().out


@pytest.mark.parametrize("name", [*DEMOS, *BY_HAND])
def test_every_help_has_an_example_and_fits_80_columns(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert app.run([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: regdemo {name}" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", DEMOS)
def test_every_example_in_a_help_runs(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    app.run([name, "--help"])
    (example,) = [
        line.partition("Example: regdemo ")[2] for line in capsys.readouterr().out.splitlines() if "Example:" in line
    ]
    assert app.run(example.split()) == 0


def test_the_help_names_every_command(capsys):
    app.run(["--help"])
    out = capsys.readouterr().out
    assert set(re.findall(r"[a-z0-9-]+", out)) >= {*DEMOS, *BY_HAND}


def test_the_help_fits_in_60_lines_of_80_columns_and_begins_with_practice(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    app.run(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    assert next(line for line in lines if line.endswith(":") and line != "Options:") == "Practise:"


def test_every_command_of_the_help_can_be_imported():
    assert [name for name in BY_HAND if not commands.COMMANDS[name].line or commands._made(name) is None] == []


@pytest.mark.parametrize("name", [*DEMOS, *BY_HAND])
def test_no_help_speaks_of_types(name, capsys):
    app.run([name, "--help"])
    assert not re.search(r"<(int|float|str)|\d,\d{3}\.0", capsys.readouterr().out)


def test_no_demo_has_the_name_of_a_command_written_by_hand():
    assert set(DEMOS).isdisjoint(BY_HAND)


def test_list_as_json_is_one_object_a_demo(capsys):
    assert app.run(["list", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in entries] == [demo.stem for demo in catalog.demos()]
    assert {tuple(entry) for entry in entries} == {("name", "acts_on", "title", "command")}


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_as_json_has_the_public_shape(name, capsys, monkeypatch):
    monkeypatch.setattr(catalog.Demo, "run", run_once)
    assert app.run([name, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"title", "parameters", "claims", "blocks"} <= set(report)
    for claim in report["claims"]:
        assert {"statement", "expected", "measured", "tolerance", "holds"} <= set(claim)


@pytest.mark.parametrize("name", DEMOS)
@pytest.mark.parametrize("width", [60, 80])
def test_a_demo_keeps_to_the_width_in_a_pipe_without_colour(name, width, capsys, monkeypatch):
    monkeypatch.setattr(catalog.Demo, "run", run_once)
    monkeypatch.setenv("COLUMNS", str(width))
    assert app.run([name]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= width


@pytest.mark.parametrize("ending", ["html", "svg", "json", "txt"])
def test_save_writes_the_form_its_ending_names(ending, tmp_path, capsys):
    path = tmp_path / f"report.{ending}"
    assert app.run(["dropout", "--save", str(path)]) == 0
    assert path.stat().st_size > 500
    assert list(tmp_path.iterdir()) == [path]


def test_an_ending_that_is_not_known_exits_2_before_any_work(tmp_path, capsys):
    assert app.run(["dropout", "--save", str(tmp_path / "report.pdf")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert ".pdf" in err
    assert ".svg" in err


def test_a_folder_that_is_not_there_exits_3_before_any_work(tmp_path, capsys):
    assert app.run(["dropout", "--save", str(tmp_path / "no/report.svg")]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert one_line(err)


def test_ctrl_c_exits_130_without_a_traceback(monkeypatch, capsys):
    put_in_place_of_dropout(monkeypatch, interrupted)
    assert app.run(["dropout"]) == 130
    assert capsys.readouterr().err == ""


def child(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True)


def test_ctrl_c_while_the_command_line_is_imported_is_no_traceback():
    done = child(
        "import sys\n"
        "class Press:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Press())\n"
        "from regdemo.__main__ import main\n"
        "main()"
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_waits_until_torch_is_imported(tmp_path):
    (tmp_path / "torch.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nTensor = print('whole', flush=True)"
    )
    done = child(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from regdemo.__main__ import main\n"
        "sys.argv[1:] = ['dropout']\n"
        "main()"
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"whole\n", b"")


def test_ctrl_c_once_more_while_python_ends_is_no_traceback():
    done = child(
        "import atexit, os, signal\n"
        "from regdemo.cli import app\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "app.run = lambda arguments: 130\n"
        "app.main()"
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_a_reader_that_leaves_is_neither_a_fault_nor_a_failed_claim():
    reader, writer = os.pipe()
    os.close(reader)  # before anything is written, so that it never depends on who is faster
    done = subprocess.run([sys.executable, "-m", "regdemo", "dropout"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def shell(command, **environment):
    """A command line run by a shell, where `regdemo` is this one."""
    words = f'regdemo() {{ {sys.executable} -m regdemo "$@"; }}; {command}'
    return subprocess.run(
        ["bash", "-c", words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this platform")
@pytest.mark.parametrize("command", ["list", "--help", "dropout", "pitfalls", "stats", "quiz </dev/null"])
def test_an_output_that_takes_nothing_more_is_said_in_one_line(command, tmp_path):
    done = shell(f"regdemo {command} >/dev/full", REGDEMO_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (
        3,
        "regdemo: standard output could not be written (No space left on device): "
        "free some space, or send it elsewhere\n",
    )


@pytest.mark.parametrize("command", ["list", "--help", "--version"])
def test_a_closed_output_is_said_in_one_line(command):
    done = shell(f"regdemo {command} >&-")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "standard output is closed" in done.stderr


@pytest.mark.parametrize(("closed", "code"), [("<&-", 0), ("2>&-", 0)])
def test_a_closed_input_or_error_output_changes_nothing(closed, code):
    assert shell(f"regdemo list {closed}").stdout == shell("regdemo list").stdout


def test_a_fault_is_not_printed_as_output_where_standard_error_is_closed():
    done = shell("regdemo nothing 2>&-")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_completion_is_shown_and_installed_with_exit_code_0(option, tmp_path):
    done = shell(f"regdemo {option} bash", HOME=str(tmp_path), _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert done.returncode == 0, done.stderr


def test_an_output_that_cannot_show_a_character_is_no_error():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "regdemo", "dropout"], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


def test_python_m_regdemo_is_the_command_line():
    done = subprocess.run([sys.executable, "-m", "regdemo", "--version"], capture_output=True, text=True)
    assert done.stdout == f"regdemo {app.__version__}\n"


def test_completion_offers_the_demos():
    environment = {**os.environ, "_REGDEMO_COMPLETE": "complete_bash", "COMP_WORDS": "regdemo drop", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "regdemo"], capture_output=True, text=True, env=environment)
    assert set(done.stdout.split()) == {name for name in DEMOS if name.startswith("drop")}


def test_the_type_of_a_parameter_is_known_from_either_way_in_which_typer_keeps_it():
    old = SimpleNamespace(type=SimpleNamespace(name="integer range"))
    new = SimpleNamespace(type_descriptor=SimpleNamespace(is_path=False, annotation=int))
    path = SimpleNamespace(type_descriptor=SimpleNamespace(is_path=True, annotation=Path))
    assert [commands.type_name(option) for option in (old, new, path)] == ["int", "int", "path"]
