"""Katas as their learner meets them: an empty folder, a starter, a judge, a history. One judge serves all."""

import errno
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from regdemo.cli import app
from regdemo.cli import kata as command
from regdemo.kata import judge as client
from regdemo.kata.attacks import Protection
from regdemo.kata.verdict import State, Verdict
from regdemo.quiz.history import read

termios = pytest.importorskip("termios") if os.name == "posix" else None

DECK = '''
## K1: Double `x`.

Every element of it.

### Answer
Twice is twice.

### Hints
- Add.
- Or multiply.

### Tags
screen

```python starter: double
def double(x):
    raise NotImplementedError
```

```python judge
def test_it_doubles():
    """It doubles every element."""
    close(double(torch.ones(3)), torch.full((3,), 2.0))


def test_it_takes_integers():
    """Integers are doubled as well."""
    same(double(torch.tensor([3])), torch.tensor([6]))
```

```python solution: a product
def double(x):
    return 2 * x
```

```python solution: a sum
def double(x):
    return x + x
```

## K2: Halve it.

```python starter: halve
def halve(x):
    return x
```

```python judge
def test_it_halves():
    """It halves."""
    close(halve(4.0), 2.0)
```

```python solution
def halve(x):
    return x / 2
```
'''
RIGHT, WRONG = "def double(x):\n    return x * 2\n", "def double(x):\n    return x * 2.0\n"


@pytest.fixture(scope="module")
def judge():
    with client.Judge(seconds=30) as judge:
        yield judge


@pytest.fixture
def kata(tmp_path, monkeypatch, capsys, judge):
    """Runs `regdemo kata ...` in an empty folder; returns its exit code and what it said, on one line."""
    (tmp_path / "deck.md").write_text(DECK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGDEMO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(client, "Judge", lambda hidden, weaker: _Shared(judge))

    def run(*words):
        code = app.run(["kata", *words, "--bank", "deck.md"])
        captured = capsys.readouterr()
        return code, " ".join((captured.out + captured.err).split())

    run.folder, run.home = tmp_path / "katas", tmp_path / "home"
    return run


class _Shared:
    """A judge that goes on when it is left."""

    def __init__(self, judge):
        self.check = judge.check
        self.warm = lambda: None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def test_the_list_tells_level_state_and_when_each_is_due(kata):
    assert kata() == (
        0,
        "2 katas, 0 passed name level state due task double screen new Double x. halve new Halve it. "
        "Next: double. Begin it with `regdemo kata next --bank deck.md`.",
    )
    kata("halve")
    kata("double")
    (kata.folder / "double.py").write_text(RIGHT)
    kata("check", "double")
    _, said = kata()
    assert "2 katas, 1 passed" in said
    assert "double screen passed in 2 days Double x. halve begun Halve it." in said


def test_a_name_begins_a_kata_and_shows_its_task(kata):
    code, said = kata("double")
    assert code == 0
    assert "K1 · double · screen" in said
    assert "Double `x`. Every element of it." in said
    assert "Wrote katas/double.py. Edit it, save it, then: regdemo kata check double --bank deck.md" in said
    text = (kata.folder / "double.py").read_text()
    assert text.startswith('"""K1: Double `x`.\n\nEvery element of it.\n\nTo judge it: regdemo kata check double\n"""')
    assert text.endswith('"""\n\ndef double(x):\n    raise NotImplementedError\n')


def test_where_the_task_speaks_of_code_the_file_is_said_to_hold_it(kata):
    deck = Path("deck.md")
    deck.write_text(DECK.replace("    raise NotImplementedError", "    return x", 1))
    assert "Wrote katas/double.py with this code. Edit it, save it, then" in kata("double")[1]


def test_a_bank_without_katas_says_so(kata, capsys):
    (kata.folder.parent / "other.md").write_text("## Q1: What is p?\n\nA rate.\n")
    assert app.run(["kata", "--bank", "other.md"]) == 0
    assert capsys.readouterr().out == "There is no kata in this bank.\n"


@pytest.mark.parametrize("name", ["double", "K1", "k1", "DOUBLE", "double.py"])
def test_a_kata_is_found_by_its_name_and_its_id(kata, name):
    assert kata(name)[0] == 0
    assert (kata.folder / "double.py").exists()


def test_an_option_before_the_name_counts_as_one_after_it(kata, capsys):
    assert app.run(["kata", "--dir", "mine", "--bank", "deck.md", "double"]) == 0
    assert "Wrote mine/double.py." in capsys.readouterr().out
    assert app.run(["kata", "--dir", "yours", "--bank", "deck.md", "start", "halve", "--dir", "mine"]) == 0
    assert [file.name for file in sorted((kata.folder.parent / "mine").iterdir())] == ["double.py", "halve.py"]
    assert not kata.folder.exists()


def test_a_file_that_is_not_there_is_written_in_the_folder_that_was_named(kata):
    said = "regdemo: mine/double.py does not exist: `regdemo kata double --dir mine --bank deck.md` writes its starter"
    assert kata("check", "double", "--dir", "mine") == (3, said)


def test_a_name_that_is_unknown_gets_the_nearest(kata):
    assert kata("dubble") == (2, "regdemo: there is no kata 'dubble': the nearest are double, halve")


def test_your_work_is_never_overwritten_and_reset_keeps_a_copy(kata):
    kata("double")
    for text in ("mine", "mine too"):
        (kata.folder / "double.py").write_text(text)
        assert "exists and was left as it is" in kata("double")[1]
        assert (kata.folder / "double.py").read_text() == text
        kata("double", "--reset")
    assert (kata.folder / "double.1.py").read_text() == "mine"
    assert (kata.folder / "double.2.py").read_text() == "mine too"
    assert "NotImplementedError" in (kata.folder / "double.py").read_text()


def test_check_judges_the_kata_saved_last_and_exits_with_the_verdict(kata):
    kata("halve")
    kata("double")
    code, said = kata("check")
    assert code == 1
    assert "✗ double.py fails test 1 of 2 It doubles every element. double.py:9, in double: raise NotImpl" in said
    (kata.folder / "double.py").write_text(WRONG)
    code, said = kata("check")
    assert (code, "test 2 of 2 Integers are doubled as well. the result is float32" in said) == (1, True)
    (kata.folder / "double.py").write_text(RIGHT)
    code, said = kata("check")
    assert (code, "✓ double.py passes all 2 tests" in said) == (0, True)


def test_without_a_file_check_says_how_to_begin(kata):
    assert kata("check")[0] == 2
    assert kata("check", "double") == (
        3,
        "regdemo: katas/double.py does not exist: `regdemo kata double --bank deck.md` writes its starter",
    )


def test_a_first_pass_is_good_and_a_pass_after_fails_is_hard(kata):
    kata("double")
    for text in (WRONG, "def double(x): return 3 * x", RIGHT):
        (kata.folder / "double.py").write_text(text)
        kata("check")
    kept = [(review.kind, review.rating, review.share, review.response) for review in read(kata.home)]
    assert kept == [("code", 1, 0.5, WRONG), ("code", 2, 1.0, RIGHT)]
    kata("halve")
    (kata.folder / "halve.py").write_text("def halve(x): return x / 2")
    assert "Saved as Good" in kata("check", "halve")[1]


def test_the_starter_as_it_was_is_judged_and_not_kept(kata):
    kata("double")
    assert "Nothing is saved: this is still the starter." in kata("check")[1]
    assert read(kata.home) == []
    (kata.folder / "double.py").write_text(RIGHT)
    assert "Saved as Good" in kata("check")[1]


def test_a_file_that_cannot_be_loaded_is_no_try(kata):
    kata("double")
    for text in ("def double(x:", "def double(x): return nothing", "def other(x): return x"):
        (kata.folder / "double.py").write_text(text)
        assert kata("check")[0] == 1
    assert read(kata.home) == []


def test_a_pass_that_is_not_due_is_not_kept_again(kata):
    kata("double")
    (kata.folder / "double.py").write_text(RIGHT)
    kata("check")
    (kata.folder / "double.py").write_text("def double(x): return x + x")
    assert "Saved" not in kata("check")[1]
    assert len(read(kata.home)) == 1


def test_the_code_that_passed_last_time_shows_nothing_new_when_it_is_due(kata, monkeypatch):
    kata("double")
    (kata.folder / "double.py").write_text(RIGHT)
    kata("check")
    now = command.clock()
    monkeypatch.setattr(command, "clock", lambda: now.replace(year=now.year + 1))
    assert "Saved" not in kata("check")[1]
    (kata.folder / "double.py").write_text("def double(x): return x + x")
    assert "Saved as Good" in kata("check")[1]


def test_after_a_hint_a_pass_is_hard(kata):
    kata("double")
    assert "Hint 1 of 2 on double Add." in kata("hint")[1]
    assert "Hint 2 of 2 on double Or multiply. That is the last one." in kata("hint")[1]
    (kata.folder / "double.py").write_text(RIGHT)
    assert "Saved as Hard" in kata("check")[1]
    assert "Hint 1 of 2" in kata("hint")[1]
    assert [review.hints for review in read(kata.home)] == [2]


def test_the_solution_is_shown_to_who_passed_or_gives_up_once(kata):
    kata("double")
    for shown in ("solution", "diff"):
        assert kata(shown) == (2, "regdemo: double has not passed yet: pass it first, or add --give-up")
    assert "a product ```python def double(x): return 2 * x ``` a sum" in kata("solution", "--give-up")[1]
    assert "Twice is twice." in kata("solution")[1]
    assert [(review.rating, json.loads(review.asked)) for review in read(kata.home)] == [(1, {"gave_up": True})]
    assert read(kata.home)[0].mode == "kata"
    (kata.folder / "double.py").write_text(RIGHT)
    assert "Saved as Hard" in kata("check")[1]
    assert re.search(r"- return x \* 2 \+ return 2 \* x", kata("diff")[1])


class Scripted:
    """Keys that do something at each look: a text is a key, bytes are saved in the file, an error is raised."""

    def __init__(self, file, steps):
        self.file, self.steps, self.saves = file, list(steps), 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def read(self, seconds):
        step = self.steps.pop(0)
        if isinstance(step, str):
            return step
        if isinstance(step, BaseException):
            raise step
        self.saves += 1
        self.file.write_bytes(step)
        os.utime(self.file, (self.saves, self.saves))
        return ""


def watching(kata, monkeypatch, *steps, name="double"):
    monkeypatch.setattr(command, "KeyReader", lambda: Scripted(kata.folder / "double.py", steps))
    return kata("watch", name)


def test_watch_judges_on_every_save_and_goes_on_with_the_next_kata_after_a_pass(kata, monkeypatch):
    steps = [WRONG.encode(), b"\xff", RIGHT.encode(), "", KeyboardInterrupt()]
    code, said = watching(kata, monkeypatch, *steps)
    assert code == 0
    assert re.findall("double.py (?:passes|fails test .)", said) == ["double.py fails test 2", "double.py passes"]
    assert "katas/double.py is not UTF-8, at byte 0: save it as UTF-8" in said
    assert said.index("double.py passes") < said.index("K2 · halve") < said.index("save katas/halve.py")
    assert "░ 1 of 2 passed" in said
    assert (kata.folder / "halve.py").exists()


def test_watch_judges_at_once_what_is_no_starter_any_more(kata, monkeypatch):
    kata("double")
    (kata.folder / "double.py").write_text(WRONG)
    assert "double.py fails test 2" in watching(kata, monkeypatch, "", KeyboardInterrupt())[1]


def test_the_keys_of_watch_show_a_hint_the_task_and_the_next_kata_and_end_it(kata, monkeypatch):
    code, said = watching(kata, monkeypatch, "h", "t", "n", "q")
    assert code == 0
    assert "Hint 1 of 2 on double Add." in said
    assert said.count("Double `x`. Every element of it.") == 2
    assert "K2 · halve" in said
    assert read(kata.home) == []


def test_watch_begins_with_what_is_next_and_ends_when_nothing_is_left(kata, monkeypatch):
    (kata.folder / "halve.py").parent.mkdir()
    (kata.folder / "halve.py").write_text("def halve(x): return x / 2")
    monkeypatch.setattr(command, "KeyReader", lambda: Scripted(kata.folder / "double.py", ["", RIGHT.encode()]))
    code, said = kata("watch")
    assert code == 0
    assert said.index("halve.py passes") < said.index("double.py passes") < said.index("Every kata has passed")


def test_ctrl_c_while_a_save_is_judged_ends_the_watch(kata, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(_Shared, "check", interrupted, raising=False)
    monkeypatch.setattr(_Shared, "__init__", lambda self, judge: setattr(self, "warm", lambda: None))
    assert watching(kata, monkeypatch, RIGHT.encode())[0] == 0


def test_next_begins_what_was_begun_before_what_is_new(kata):
    assert "K1 · double" in kata("next")[1]
    kata("halve")
    (kata.folder / "double.py").write_text(RIGHT)
    kata("check", "double")
    assert "K2 · halve" in kata("next")[1]
    (kata.folder / "halve.py").write_text("def halve(x): return x / 2")
    kata("check", "halve")
    assert kata("next") == (
        0,
        "Every kata has passed, and none is due. `regdemo kata --bank deck.md` says when each comes again.",
    )


def test_without_a_part_of_the_sandbox_the_learner_is_asked_once(kata, monkeypatch):
    monkeypatch.setattr(command.sandbox, "missing", lambda: ["your files"])
    kata("double")
    refused = "On this system the sandbox does not protect your files. Add --weaker to run your code without that"
    assert refused in kata("check")[1]
    assert "raise NotImplementedError" in kata("check", "--weaker")[1]
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(command.typer, "confirm", lambda text, default: False)
    assert kata("check")[0] == 2
    monkeypatch.setattr(command.typer, "confirm", lambda text, default: True)
    assert kata("check")[0] == 1
    monkeypatch.setattr(command.typer, "confirm", lambda text, default: pytest.fail("asked again"))
    assert kata("check")[0] == 1


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_watch_on_a_terminal_takes_keys_and_leaves_the_terminal_as_it_was(tmp_path):
    (tmp_path / "deck.md").write_text(DECK, encoding="utf-8")
    leader, follower = os.openpty()
    before = termios.tcgetattr(follower)
    command = [sys.executable, "-m", "regdemo", "kata", "watch", "--bank", "deck.md", "--weaker"]
    environment = {**os.environ, "REGDEMO_HOME": str(tmp_path / "home"), "TERM": "xterm", "COLUMNS": "80"}
    package = {"PYTHONPATH": str(Path(app.__file__).parents[2])}
    with subprocess.Popen(
        command, cwd=tmp_path, env={**environment, **package}, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        said = ""

        def until(text):
            nonlocal said
            while text not in said:
                said += os.read(leader, 65_536).decode("utf-8", "replace")
            said = said.partition(text)[2]

        until("Waiting for you to save katas/double.py")
        until("q quit")
        os.write(leader, b"h")
        until("Hint 1 of 2")
        until("q quit")
        (tmp_path / "katas" / "double.py").write_text("def double(x): return 2 * y")
        until("the name 'y' is defined nowhere")
        until("q quit")
        os.write(leader, b"n")
        until("Waiting for you to save katas/halve.py")
        os.write(leader, b"q")
        assert process.wait() == 0
    assert termios.tcgetattr(follower) == before
    os.close(leader)
    os.close(follower)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_a_device_in_place_of_the_file_is_refused(kata):
    kata.folder.mkdir()
    os.mkfifo(kata.folder / "double.py")
    assert kata("check", "double") == (3, "regdemo: katas/double.py isn't a regular file: name one that is")
    (kata.folder / "halve.py").symlink_to("/dev/zero")
    assert kata("check", "halve") == (3, "regdemo: katas/halve.py isn't a regular file: name one that is")


def test_a_starter_is_written_whole_or_not_at_all(kata, monkeypatch):
    def full(handle, *args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, said = kata("double")
    assert code == 3
    assert "katas/double.py cannot be written (No space left on device): choose another folder with --dir" in said
    assert list(kata.folder.iterdir()) == []


def test_a_deleted_folder_is_said_in_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.rmdir({str(gone)!r}); from regdemo.__main__ import main; main()"
    environment = {**os.environ, "REGDEMO_HOME": str(tmp_path)}
    command = [sys.executable, "-c", script, "kata", "check", "dropout"]
    done = subprocess.run(command, cwd=gone, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        3,
        "regdemo: the current folder was deleted: change to another one, for example with `cd`\n",
    )


def test_a_judge_without_a_verdict_leaves_the_history_alone(kata, monkeypatch):
    kata("double")
    monkeypatch.setattr(_Shared, "check", lambda *args, **options: Verdict(State.INTERNAL_ERROR), raising=False)
    monkeypatch.setattr(_Shared, "__init__", lambda self, judge: setattr(self, "warm", lambda: None))
    assert "could not be judged" in kata("check")[1]
    assert read(kata.home) == []


def test_a_history_that_takes_nothing_is_heard_of_before_the_judging(kata):
    kata("double")
    kata.home.mkdir()
    with closing(sqlite3.connect(kata.home / "history.db")) as others:
        others.execute("CREATE TABLE of_another_program (x)")
    code, said = kata("check")
    assert code == 3, said
    assert "double.py" not in said


def test_doctor_lists_what_was_tried_and_fails_if_something_does_not_hold(kata, monkeypatch, capsys):
    tried = [
        Protection("the network", True, "2 of 2 refused"),
        Protection("your files", False, "not refused: open(FILE)"),
    ]
    monkeypatch.setattr(command.attacks, "prove", lambda: tried)
    assert app.run(["kata", "doctor"]) == 1
    said = capsys.readouterr().out
    assert "✓ the network (2 of 2 refused)" in said
    assert "✗ your files (not refused: open(FILE))" in said
    assert "1 protection missing here: judge only code that you would run yourself." in said


def test_the_list_tells_what_is_to_be_written_before_how_it_is_called(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert app.run(["kata", "--home", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^  dropout +screen +new +inverted dropout$", out, re.MULTILINE)
    assert re.search(r"^  fix_sam +onsite +new +SAM moves a converged model", out, re.MULTILINE)
