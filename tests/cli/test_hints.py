"""The commands that messages name: typed as they are printed, they do what the message says."""

import ast
import io
import re
import shlex
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from regdemo.cli import app, hints
from regdemo.quiz.history import History

DECK = """\
# Questions

## What is overfitting?

Noise is learned.

## What is p?

Answer:
"""
CODE = """
## K1: Return one.
```python starter: one
def one():
    return 0
```
```python judge
def test_one():
    assert one() == 1, "it is not 1"
```
```python solution: plain
def one():
    return 1
```
### Hints
- One.
"""
FOLDERS = Path(hints.__file__).parent
PRACTICE = re.compile(r"\bregdemo (?:quiz|mock|kata|plan|stats|search|bank|history|mcp)\b")


@pytest.fixture
def learner(tmp_path, monkeypatch):
    """A folder with a bank whose name has a space, and with a home that isn't this machine's."""
    monkeypatch.setenv("REGDEMO_HOME", str(tmp_path / "usual"))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my bank").mkdir()
    (tmp_path / "my bank" / "d.md").write_text(DECK)
    (tmp_path / "my bank" / "k.md").write_text(CODE)
    return tmp_path


@pytest.fixture
def say(capsys, monkeypatch):
    """What a command line prints, on either stream, with these answers."""

    def say(line, answers=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        app.run(shlex.split(line)[1:])
        return "".join(capsys.readouterr())

    return say


SOON = date.today() + timedelta(days=14)
HERE = "--bank 'my bank' --home mine"
QUIZ = "regdemo quiz --bank 'my bank' --home mine"
# A command, and the command that it prints.
PRINTED = [
    ("regdemo search overfitting --bank 'my bank'", "regdemo quiz --bank 'my bank' --ids d-"),
    ("regdemo search overfitting --bank 'my bank'", "`regdemo bank show ID --bank 'my bank'`"),
    ("regdemo search overfitting --json --bank 'my bank'", "regdemo quiz --bank 'my bank' --ids d-"),
    ("regdemo search one --home=mine --bank 'my bank'", "regdemo kata one --home mine --bank 'my bank'"),
    ("regdemo search bernoulli --home mine", "regdemo quiz --home mine --ids Q"),
    ("regdemo bank list --bank 'my bank'", "`regdemo bank list --bank 'my bank' --skipped`"),
    (f"regdemo stats {HERE}", f"`{QUIZ}`"),
    (f"regdemo plan {HERE}", f"`regdemo plan {HERE} --interview YYYY-MM-DD"),
    (f"regdemo plan {HERE} --interview {SOON}", f"`regdemo mock {HERE}` and `regdemo kata {HERE}` belong to it."),
    (f"regdemo quiz {HERE} --kind code", f"`regdemo kata {HERE}`"),
    (f"regdemo mock {HERE} --kind code", f"`regdemo kata {HERE}`"),
    (f"regdemo kata {HERE}", f"`regdemo kata next {HERE}`"),
    (f"regdemo kata {HERE} --dir there one", f"regdemo kata check one {HERE} --dir there"),
    (f"regdemo kata check one {HERE} --dir there", f"`regdemo kata one {HERE} --dir there` writes its starter"),
    (f"regdemo kata check {HERE}", f"`regdemo kata {HERE}` lists them, `regdemo kata NAME {HERE}` begins one"),
    (f"regdemo kata hint one {HERE}", f"`regdemo kata solution one {HERE} --give-up`"),
    ("regdemo search zzz --home mine", "or `regdemo list`."),  # which takes neither
    ("regdemo stats", "begin with `regdemo quiz`."),  # REGDEMO_HOME holds for the next command, too
    ("regdemo stats --bank 'my bank'", "begin with `regdemo quiz --bank 'my bank'`."),
]


@pytest.mark.parametrize(("line", "printed"), PRINTED)
def test_a_hint_repeats_the_bank_and_the_folders_that_were_typed(learner, say, line, printed):
    assert printed in say(line)


def test_what_was_typed_once_is_not_in_the_hints_of_the_next_command(learner, say):
    say(f"regdemo stats {HERE}")
    assert "begin with `regdemo quiz`." in say("regdemo stats")


def test_a_hint_does_what_it_says(learner, say):
    (asks,) = re.findall("regdemo quiz .*", say("regdemo search overfitting --bank 'my bank'"))
    assert "1 of 1" in say(asks)
    (lists,) = re.findall("`(.*--skipped)`", say("regdemo bank list --bank 'my bank'"))
    assert "question without an answer: What is p?" in say(lists)
    flagged = say(QUIZ, "f\nq\n")
    (flagged,) = re.findall("flagged: `(.*)` asks it", flagged)
    assert flagged == f"{QUIZ} --flagged"
    assert "── 1 of 1 ·" in say(flagged)
    assert f"Flagged: `{flagged}`" not in say("regdemo stats")


def test_a_plan_and_a_score_card_name_what_was_typed(learner, say):
    say(f"{QUIZ} --seed 1", "x\n1\nq\n")
    said = say(f"regdemo plan {HERE} --interview {SOON}")
    assert f"`{QUIZ} --topic d --cram`" in said
    assert f"`{QUIZ} --ids d-" in say(f"regdemo mock {HERE} --limit 1", "x\n50\n1\n")
    assert f"`regdemo plan {HERE}` shows the way there" in say(f"regdemo stats {HERE} --interview {SOON}")


def test_a_damaged_history_is_recovered_with_the_home_that_was_typed(learner, say):
    History(learner / "mine").close()
    (learner / "mine" / "history.db").write_bytes(b"nothing" * 1000)
    assert "`regdemo history recover --home mine`" in say("regdemo stats --home mine")
    assert re.search("`regdemo history recover history.db.damaged-[^` ]* --home mine`", say("regdemo quiz --home mine"))


def test_every_hint_is_typed():
    """A text in the code that names a command of practice is given to `typed`, or raised, as app.run does it then."""
    faults = []
    for file in sorted(FOLDERS.glob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        right = set()
        for node in ast.walk(tree):
            is_typed = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "typed"
            is_help = isinstance(node, ast.keyword) and node.arg in ("help", "epilog", "short_help")
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if is_typed or is_help or is_docstring or isinstance(node, ast.Raise):
                right |= {id(child) for child in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in right:
                faults += [f"{file.name}:{node.lineno}: {said}" for said in PRACTICE.findall(node.value)]
    # The start page has no options.
    assert [fault for fault in faults if not fault.startswith("start.py")] == []
