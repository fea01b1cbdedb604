"""`regdemo sweep` at the terminal: real worker processes, bad input, Ctrl-C and a parent that is killed."""

import inspect
import json
import os
import pty
import re
import signal
import subprocess
import sys
from dataclasses import fields

import pytest

from helpers import take_terminal
from regdemo.cli import app
from regdemo.cli.sweep import _one_each, sweep
from regdemo.lab import sweep as lab
from regdemo.lab.source import Source

QUICK = ["sweep", "dropout", "--p", "0.1", "0.5", "--train-size", "40", "60", "--epochs", "1", "--seeds", "8"]


def test_a_grid_in_worker_processes_is_reported_and_a_rerun_prints_the_same_but_trains_nothing(capsys, tmp_path):
    line = [*QUICK, "--workers", "1", "--out", str(tmp_path / "s.jsonl"), "--json"]
    assert app.run(line) == 0
    first, err = capsys.readouterr()
    assert err == f"{tmp_path / 's.jsonl'}: 48 networks trained now, 0 there before\n"
    report = json.loads(first)
    assert report["title"] == "A grid of 3 arms and 2 sizes on MNIST-1D, 8 paired seeds"
    assert report["parameters"]["train_size"] == "40, 60"
    assert app.run(line) == 0
    again, err = capsys.readouterr()
    assert again == first
    assert err.endswith("0 networks trained now, 48 there before\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["cutout"], 2),
        (["dropout", "--p", "0.1", "0.1"], 2),
        (["dropout", "--train-size", "40", "x"], 2),
        (["dropout", "--train-size", "40", "40"], 2),
        (["dropout", "--workers", "0"], 2),
        (["dropout", "--workers", "2", "--dask", "tcp://127.0.0.1:1"], 2),
        (["dropout", "--save", "report.docx"], 2),
        (["dropout", "--device", "gpu"], 2),
        (["dropout", "--device", "cuda:99"], 2),
        (["dropout", "--precision", "fp8"], 2),
        (["dropout", "--out", "."], 3),
        (["dropout", "--out", "nowhere/s.jsonl"], 3),
        (["dropout", "--out", "other.jsonl"], 3),
        ([], 2),
    ],
)
def test_bad_input_is_one_line(arguments, code, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.jsonl").write_text('{"loss": 1}\n')
    assert app.run(["sweep", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1


def test_workers_are_one_a_core_or_one_a_gpu(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert [_one_each(device) for device in ("cpu", "cuda", "cuda:2")] == [12, 3, 1]


def begun(path, command):
    """The command at a terminal of its own, once it has kept a job and goes on."""
    main, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "regdemo", *command, "--out", str(path)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=take_terminal,
        env={**os.environ, "COLUMNS": "100"},
    )
    os.close(terminal)
    seen = ""
    while not any(int(percent) > 0 for percent in re.findall(r"(\d+)%", seen)):
        seen += os.read(main, 4096).decode()
    return main, child, seen


def rest(main):
    """What is still written, until every process has left the terminal (Linux answers with EIO)."""
    seen = ""
    while True:
        try:
            seen += os.read(main, 4096).decode(errors="replace")
        except OSError:
            return seen


LONG = ["sweep", "dropout", "--p", "0.1", "0.2", "0.3", "--epochs", "1", "--seeds", "800", "--workers", "1"]


def test_ctrl_c_typed_at_a_terminal_keeps_what_is_finished_and_ends_every_process(tmp_path):
    main, child, seen = begun(tmp_path / "s.jsonl", LONG)
    os.write(main, b"\x03")
    seen += rest(main)
    assert child.wait() == 130
    lines = (tmp_path / "s.jsonl").read_text().splitlines()
    assert lines
    assert f"{len(lines):,} of the grid's 3,200 networks" in " ".join(seen.split())
    assert "(stopped)" in seen
    assert "Traceback" not in seen


def test_when_it_is_killed_its_workers_end_too(tmp_path):
    main, child, _ = begun(tmp_path / "s.jsonl", LONG)
    child.send_signal(signal.SIGKILL)
    rest(main)  # which returns when no process has the terminal any more
    assert child.wait() == -signal.SIGKILL


def test_the_defaults_are_those_of_the_library():
    library = inspect.signature(lab.sweep).parameters
    source = {field.name: field.default for field in fields(Source)} | {"task": "mnist1d", "drop": None}
    for name, parameter in inspect.signature(sweep).parameters.items():
        if name in library and parameter.default is not inspect.Parameter.empty and name not in ("workers", "out"):
            assert parameter.default == library[name].default, name
        elif name in source:
            assert parameter.default == source[name], name
