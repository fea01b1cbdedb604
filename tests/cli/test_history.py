"""`regdemo history` as its learner meets it."""

import io
import json
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from regdemo.cli import app
from regdemo.quiz.history import History, Review, read_rows

REVIEW = Review("Q1", 1_700_000_000_123_456, "numeric", 3, 1.0, "10/9 ☃", "{}", "0f", 1, 2500, "s", id="r0")


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = app.run(["history", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("REGDEMO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def kept(home):
    """A history of three answers, one undone, and a flag."""
    with History(home) as history:
        history.add_all([REVIEW._replace(id=f"r{n}", at=REVIEW.at + n) for n in range(3)])
        history.undo(REVIEW._replace(id="r1"), 1)
        history.flag("Q1", 1)
    return home


def test_what_was_exported_is_imported_elsewhere_whole_and_only_once(run, kept, tmp_path):
    file = tmp_path / "answers.jsonl"
    assert run("export", file) == (0, "", "3 answers and 2 marks written.\n")
    other = ("--home", tmp_path / "other")
    assert run("import", file, *other) == (0, "5 rows added, 0 known already.\n", "")
    assert run("import", file, *other) == (0, "0 rows added, 5 known already.\n", "")
    assert read_rows(tmp_path / "other") == read_rows(kept)


def test_lines_go_to_standard_output_and_come_from_standard_input(run, kept, tmp_path, monkeypatch):
    _, out, _ = run("export")
    assert [set(json.loads(line)) >= {"id", "at"} for line in out.splitlines()] == [True] * 5
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(out.encode())))
    assert run("import", "-", "--home", tmp_path / "other")[0] == 0
    assert read_rows(tmp_path / "other") == read_rows(kept)


def test_an_export_to_a_hyphen_goes_to_standard_output(run, kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("export", "-")[1] == run("export")[1] != ""
    assert list(tmp_path.glob("-*")) == []


def test_no_history_exports_nothing_and_makes_none(run, home):
    assert run("export") == (0, "", "0 answers and 0 marks written.\n")
    assert not home.exists()


def test_a_file_that_is_there_is_not_overwritten(run, kept, tmp_path):
    (tmp_path / "mine").write_text("mine")
    code, _, err = run("export", tmp_path / "mine")
    assert (code, (tmp_path / "mine").read_text()) == (3, "mine")
    assert re.fullmatch(r"regdemo: .*mine exists already.*\n", err)


def test_an_export_that_the_disk_cuts_short_leaves_no_half_of_it(kept, tmp_path):
    with History(kept) as history:
        history.add(REVIEW._replace(id="long", response="x" * 50_000))
    arguments = [sys.executable, "-m", "regdemo", "history", "export", tmp_path / "out", "--home", kept]

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(arguments, capture_output=True, text=True, preexec_fn=small)
    assert done.returncode == 3
    assert re.fullmatch(r"regdemo: .*out cannot be written \(.*\): name another file\n", done.stderr)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"{}\n", "f:1: 'card' is missing"), (b"\n\nx", "f:3: this isn't a line"), (b"\n\xff", "f:2: this isn't a text")],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_made(data, said, run, home, tmp_path):
    (tmp_path / "f").write_bytes(data)
    code, out, err = run("import", tmp_path / "f")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert said in err
    assert not home.exists()


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    code, _, err = run("import", tmp_path / "none")
    assert (code, err.count("\n")) == (3, 1)
    assert "none cannot be read" in err


def test_a_whole_history_is_counted(run, kept):
    code, out, _ = run("check")
    assert code == 0
    assert "3 answers to 1 card, 1 undone; 1 card flagged." in out
    assert "No damage found." in out
    code, out, _ = run("check", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["answers"], found["undone"], found["faults"]) == (0, True, 3, 1, [])


def test_without_a_history_there_is_nothing_to_check(run, home):
    assert run("check")[:2] == (0, f"No answer yet in {home}.\n")
    assert not home.exists()


def test_answers_dated_ahead_are_noted_and_no_fault(run, home):
    with History(home) as history:
        history.add(REVIEW._replace(at=REVIEW.at * 9))
    code, out, _ = run("check")
    assert code == 0
    assert "1 of the answers are dated ahead" in out


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        (["DROP TRIGGER a_review_is_never_changed", "UPDATE reviews SET kind = '' WHERE id = 'r2'"], "'kind' is"),
        (["DROP TRIGGER a_mark_is_never_deleted"], "a_mark_is_never_deleted is missing"),
        (["DROP INDEX reviews_in_time", "CREATE INDEX reviews_in_time ON reviews (card)"], "was changed"),
        (
            ["DROP TRIGGER a_review_is_never_deleted", "DELETE FROM reviews WHERE id = 'r1'"],
            "which isn't an answer",
        ),
    ],
)
def test_what_was_forged_is_found(forged, said, run, kept):
    with closing(sqlite3.connect(kept / "history.db", isolation_level=None)) as db:
        for statement in forged:
            db.execute(statement)
    code, out, err = run("check")
    assert (code, err.count("\n")) == (3, 1)
    assert said in out
    assert "is damaged" in err


def test_what_a_damaged_history_still_holds_can_be_imported(run, kept, tmp_path, monkeypatch):
    monkeypatch.setattr("regdemo.quiz.exchange._GAP", 1000)
    path = kept / "history.db"
    path.write_bytes(path.read_bytes()[:-4096])
    code, _, err = run("check")
    assert (code, err.count("\n")) == (3, 1)
    (tmp_path / "empty").touch()
    code, out, _ = run("import", tmp_path / "empty")
    (aside,) = kept.glob("history.db.damaged-*")
    assert aside.name in out
    code, _, err = run("recover", aside.name, tmp_path / "saved")
    assert (code, err) == (0, f"3 answers and 2 marks could be read of {aside}.\n")
    assert run("import", tmp_path / "saved")[1] == "5 rows added, 0 known already.\n"
    assert run("check")[0] == 0


def test_without_a_command_history_prints_its_help_with_no_line_cut_short(capsys):
    assert app.run(["history"]) == 0
    out = capsys.readouterr().out
    assert "recover  Write what can still be read of a damaged history." in out
    assert "..." not in out.partition("Commands:")[2]
