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
