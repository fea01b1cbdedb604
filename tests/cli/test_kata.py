"""Katas as their learner meets them: an empty folder, a starter, a judge, a history. One judge serves all."""

import json
import os
import re
import sqlite3
from contextlib import closing

import pytest

from regdemo.cli import app
from regdemo.cli import kata as command
from regdemo.kata import client
from regdemo.kata.verdict import Verdict
from regdemo.quiz.history import read

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
    monkeypatch.setattr(client, "Judge", lambda hidden: _Shared(judge))

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

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def test_the_list_tells_level_state_and_when_each_is_due(kata):
    assert kata() == (
        0,
        "2 katas, 0 passed name level state due task double screen new Double x. halve new Halve it. "
        "Begin with `regdemo kata double --bank deck.md`.",
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
    assert "Wrote katas/double.py. Edit it, save it, then: regdemo kata check double" in said
    assert (kata.folder / "double.py").read_text() == "def double(x):\n    raise NotImplementedError\n"


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
    said = "regdemo: mine/double.py is not there: `regdemo kata double --dir mine` writes its starter"
    assert kata("check", "double", "--dir", "mine") == (3, said)


def test_a_name_that_is_unknown_gets_the_nearest(kata):
    assert kata("dubble") == (2, "regdemo: there is no kata 'dubble': the nearest are double, halve")


def test_your_work_is_never_overwritten_and_reset_keeps_a_copy(kata):
    kata("double")
    for text in ("mine", "mine too"):
        (kata.folder / "double.py").write_text(text)
        assert "is there already and was left as it is" in kata("double")[1]
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
    assert "✗ double.py fails test 1 of 2 It doubles every element. double.py:2, in double: raise NotImpl" in said
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
        "regdemo: katas/double.py is not there: `regdemo kata double` writes its starter",
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
    (kata.folder / "double.py").write_text(RIGHT)
    assert "Saved as Hard" in kata("check")[1]
    assert re.search(r"- return x \* 2 \+ return 2 \* x", kata("diff")[1])


def test_watch_judges_again_on_every_save(kata, monkeypatch):
    kata("double")
    times = []

    def save_or_leave(seconds):
        times.append(seconds)
        if len(times) == 4:
            raise KeyboardInterrupt
        file = kata.folder / "double.py"
        file.write_bytes([WRONG.encode(), b"\xff", RIGHT.encode()][len(times) - 1])
        os.utime(file, (len(times), len(times)))

    monkeypatch.setattr(command.time, "sleep", save_or_leave)
    code, said = kata("check", "double", "--watch")
    assert code == 0
    assert re.findall("double.py (?:passes|fails test .)", said) == [
        "double.py fails test 1",
        "double.py fails test 2",
        "double.py passes",
    ]
    assert "katas/double.py is not UTF-8, at byte 0: save it as UTF-8 Judged at" in said


def test_ctrl_c_while_a_save_is_judged_ends_with_the_verdict_before(kata, monkeypatch):
    def judged(*args, **options):
        monkeypatch.setattr(_Shared, "check", interrupted, raising=False)
        return Verdict("failed", 2, 0, "test_it_doubles", "It doubles.")

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    kata("double")
    monkeypatch.setattr(_Shared, "check", judged, raising=False)
    monkeypatch.setattr(_Shared, "__init__", lambda self, judge: None)
    monkeypatch.setattr(command, "_saves", lambda file: [None])
    assert kata("check", "--watch")[0] == 1


def test_a_judge_without_a_verdict_leaves_the_history_alone(kata, monkeypatch):
    kata("double")
    monkeypatch.setattr(_Shared, "check", lambda *args, **options: Verdict("lost"), raising=False)
    monkeypatch.setattr(_Shared, "__init__", lambda self, judge: None)
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


def test_doctor_names_every_wall(kata, capsys):
    app.run(["kata", "doctor"])
    said = capsys.readouterr().out
    assert "a forged result: the judge is another process" in said
    assert said.count("✓") + said.count("✗") == 9


def test_the_list_tells_what_is_to_be_written_before_how_it_is_called(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert app.run(["kata", "--home", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^  dropout +screen +new +inverted dropout$", out, re.MULTILINE)
    assert re.search(r"^  fix_sam +onsite +new +a SAM that climbs", out, re.MULTILINE)
