"""`regdemo bank lint` as its author meets it."""

import pytest

from regdemo.cli import app
from regdemo.cli.see import why_not

CARD = """\
## Q1: Which?

- [x] a
  - Yes.
- [ ] b
  - No.

### See it
`regdemo dropout {option}`
"""


@pytest.mark.parametrize("option", ["--help", "--p 0.1 --help"])
def test_a_command_that_only_shows_its_help_is_remarked_on_and_the_lint_goes_on(tmp_path, capsys, option):
    (tmp_path / "d.md").write_text(CARD.format(option=option) + "\n## Q2: Why?\n\n### Answer\nSo.\n")
    assert app.run(["bank", "lint", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "Usage" not in out
    assert "which would not run: it shows no result" in out
    assert "Q2 has no key points" in out


def test_a_sound_command_is_not_remarked_on():
    assert why_not("regdemo dropout --p 0.1") == ""


def test_the_bank_may_be_named_as_elsewhere(tmp_path, capsys):
    (tmp_path / "d.md").write_text(CARD.format(option="--p 0.1"))
    assert app.run(["bank", "lint", "--bank", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings.\n"


def test_a_duplicated_number_of_somebody_elses_is_an_error_and_nothing_else_is_asked_of_the_file(tmp_path, capsys):
    (tmp_path / "d.md").write_text("## Q2: What is p?\n\nA rate.\n\n## Q2: What is q?\n\n1 - p.\n")
    (tmp_path / "e.md").write_text("## What is r?\n\nA rate.\n")
    assert app.run(["bank", "lint", "--bank", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "d.md:5:1: error: Q2 is the id of the card at" in out
    assert "e.md" not in out


def test_what_is_left_out_is_a_warning_at_its_place(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.md").write_text("## Q2: no answer?\n\n## Q7: What is a mask?\n\nZeros.\n")
    (tmp_path / "e.md").write_text(
        "## What is p?\n\nA rate.\n\n## Which?\n\n- [x] a\n- [ ] b\n\nAnswer: B\n\n## So\n\nIt is.\n"
    )
    (tmp_path / "empty.md").touch()
    (tmp_path / "notes.md").write_text("# Notes\n\nNone.\n")
    (tmp_path / "d.fr.md").write_text((tmp_path / "d.md").read_text())
    assert app.run(["bank", "lint", "."]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "left out" in line]
    assert lines == [
        "d.md:1:1: warning: 'Q2: no answer?' is left out (question without an answer): write its answer below it",
        "e.md:5:1: warning: 'Which? (marks disagree: A and B)' is left out (question whose marks disagree): "
        "let its marks agree",
        "e.md:12:1: warning: 'So' is left out (heading without a question): end it with a question mark if it asks",
        "empty.md:1:1: warning: this file is left out (empty file): write a card in it, or remove it",
        "notes.md:1:1: warning: 'Notes' is left out (file without a card): write a card in it, or move it elsewhere",
    ]
    assert app.run(["bank", "lint", "--strict", "d.md"]) == 1
    assert app.run(["bank", "lint", "empty.md"]) == 1
    assert capsys.readouterr().out.count("empty.md") == 1  # as an error


@pytest.mark.parametrize(
    ("program", "called"),
    [
        ("import torch\nprint(torch.nn.functional.dropout(torch.ones(2), 0.0))", ""),
        ("from torch.nn import functional as F\nprint(F.relu(1))", ""),
        ("def f(x):\n    return x\nprint(f(len([1])))", ""),
        ("print([g(1) for g in (abs, max)])", ""),
        ("print(drop_path(1))", "drop_path"),
        ("print(model.eval())", "model"),
        ("x.backward()", "x"),
        ("from regdemo.regularizers import drop_path\nprint(drop_path(1))", "drop_path"),
    ],
)
def test_a_program_that_calls_what_nobody_can_know_is_warned_of(tmp_path, capsys, program, called):
    text = f"## Q1: What is printed?\n\n```python show\n{program}\n```\n\n### Answer\n```text output\n1\n```\n"
    (tmp_path / "d.md").write_text(text)
    assert app.run(["bank", "lint", str(tmp_path)]) == 0
    calls = [line for line in capsys.readouterr().out.splitlines() if "Q1 calls" in line]
    assert len(calls) == bool(called)
    assert not called or f"Q1 calls {called}, which it neither defines nor imports from torch" in calls[0]


def test_a_call_that_the_question_explains_is_not_warned_of(tmp_path, capsys):
    program = "from regdemo.regularizers import double\nprint(double(1))"
    text = f"## Q1: `double(x)` is 2x. What is printed?\n\n```python show\n{program}\n```\n```text output\n2\n```\n"
    (tmp_path / "d.md").write_text(text)
    assert app.run(["bank", "lint", str(tmp_path)]) == 0
    assert "calls" not in capsys.readouterr().out
