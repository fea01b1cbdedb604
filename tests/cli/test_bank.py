"""`regdemo bank` as its author meets it."""

import csv
import io
import json
import os
import pty
import subprocess
import sys

import pytest

from regdemo.cli import app, learner

DECK = """\
# Title

## Q1: Who?

I.

## Q2: Which\x1b[31m [red]one[/red]?
- [ ] a
- [x] b

## Q10: What is {p}?
```toml vary
p = [2]
```
### Answer
= p
### See it
`regdemo dropout --p {p}`
```python check
assert answer == 3
```
"""


@pytest.fixture
def bank(tmp_path):
    (tmp_path / "bank" / "deep").mkdir(parents=True)
    (tmp_path / "bank" / "deep" / "d.md").write_text(DECK)
    (tmp_path / "bank" / "e.md").write_text("# Questions\n\n### Why is it so?\n\nSo.\n")
    return tmp_path / "bank"


def run(capsys, *arguments):
    code = app.run(["bank", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_list_is_one_line_a_card_then_the_counts(bank, capsys, monkeypatch):
    monkeypatch.chdir(bank)
    code, out, _ = run(capsys, "list", "--bank", ".")
    lines = out.splitlines()
    assert code == 0
    assert lines[:3] == [
        "Q1          recall   Who?",
        "Q2          choice   Which�[31m [red]one[/red]?",
        "Q10         numeric  What is 2?",
    ]
    assert lines[3].split()[1:] == ["recall", "Why", "is", "it", "so?"]
    assert lines[4:] == ["", "4 cards: 2 recall, 1 choice, 1 numeric."]


FOREIGN = """\
# Questions

## Q1. What is a mask?

Zeros and ones.

## Q2. What is p?

Answer:

## Q3. Which?

- [x] a
- [ ] b

Answer: B

## Thanks

To all.
"""


def test_list_ends_with_a_line_for_each_kind_of_what_was_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.md").write_text(FOREIGN)
    (tmp_path / "notes.md").write_text("# Notes\n\nNone.\n")
    _, out, _ = run(capsys, "list", "--bank", ".")
    assert out.splitlines()[2:] == [
        "1 card: 1 recall.",
        "Left out: 1 question without an answer.",
        "Left out: 1 question whose marks disagree.",
        "Left out: 1 heading without a question.",
        "Left out: 1 file without a card.",
        "`regdemo bank list --bank . --skipped` lists them.",
    ]
    _, out, _ = run(capsys, "list", "--bank", ".", "--skipped")
    assert out.splitlines()[:4] == [
        "d.md:7: question without an answer: What is p?",
        "d.md:11: question whose marks disagree: Which? (marks disagree: A and B)",
        "d.md:18: heading without a question: Thanks",
        "notes.md:1: file without a card: Notes",
    ]
    _, out, _ = run(capsys, "list", "--bank", ".", "--json")
    rows = json.loads(out)["skipped"]
    assert rows[0] == {"file": "d.md", "line": 7, "reason": "question without an answer", "text": "What is p?"}
    assert len(rows) == 4


def test_a_quiz_says_which_question_was_edited(tmp_path, capsys):
    file, home = tmp_path / "d.md", tmp_path / "home"
    file.write_text("# Questions\n\n## What is dropuot?\n\nNoise.\n")
    before = learner.load_bank(file, home, asking=True).cards[0].id
    file.write_text("# Questions\n\n## What is dropout?\n\nNoise.\n")
    assert learner.load_bank(file, home).cards[0].id == before
    assert capsys.readouterr().err == ""
    assert learner.load_bank(file, home, asking=True).cards[0].id == before
    said = f"{before} was edited and keeps its history: 'What is dropuot?' is now 'What is dropout?'"
    assert capsys.readouterr().err == f"regdemo: {said}\n"


def test_of_the_bundled_bank_nothing_is_left_out(capsys):
    _, out, _ = run(capsys, "list")
    assert "Left out" not in out


def test_where_nothing_is_found_the_styles_and_the_headings_are_named(tmp_path, capsys):
    (tmp_path / "notes.md").write_text("# Notes\n\n## On masks\n\nNone.\n")
    code, _, err = run(capsys, "list", "--bank", tmp_path)
    assert code == 3
    assert "`## Q1: What is dropout?`" in err
    assert "tables, headings, folds, Q and A" in err
    assert err.endswith("Headings seen: 'Notes'; 'On masks'\n")


def test_a_duplicated_id_of_somebody_elses_is_said_below_the_counts(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.md").write_text("## Q2: What is p?\n\nA rate.\n\n## Q2: What is q?\n\n1 - p.\n")
    _, out, _ = run(capsys, "list", "--bank", ".")
    assert out.splitlines()[-1] == (
        "d.md:5: Q2 is the id of the card at d.md:1 too: this one is asked as Q2-2, give it its own"
    )


def test_without_a_command_its_help_is_printed_whole(capsys):
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    assert "  verify  Run what the cards claim.\n" in out
    assert "..." not in out.partition("Commands:")[2]


def test_list_as_json_has_these_names_and_no_more(bank, capsys):
    _, out, _ = run(capsys, "list", "--bank", bank, "--json")
    report = json.loads(out)
    assert list(report) == ["cards", "skipped"]
    first, *rest = report["cards"]
    assert first == {
        "id": "Q1",
        "kind": "recall",
        "question": "Who?",
        "answer": "I.",
        "options": [],
        "blanks": [],
        "tags": ["deep", "d"],
        "file": str(bank / "deep" / "d.md"),
        "line": 3,
    }
    assert [one["kind"] for one in rest] == ["choice", "numeric", "recall"]
    assert rest[0]["options"] == [{"text": "a", "correct": False}, {"text": "b", "correct": True}]


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["--kind", "choice,numeric"], ["Q2", "Q10"]),
        (["--tag", "deep"], ["Q1", "Q2", "Q10"]),
        (["--topic", "d"], ["Q1", "Q2", "Q10"]),
    ],
)
def test_list_is_narrowed(bank, capsys, arguments, ids):
    _, out, _ = run(capsys, "list", "--bank", bank, *arguments)
    assert [line.split()[0] for line in out.split("\n\n")[0].splitlines()] == ids


def test_show_is_the_whole_card_its_place_and_its_history(bank, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(bank)
    _, out, _ = run(capsys, "show", "Q10", "--bank", bank, "--home", tmp_path / "home")
    assert "── Q10 · numeric · d ──" in out
    assert "What is 2?" in out
    assert "The answer\n2\n" in out
    assert "- `regdemo dropout --p 2`" in out
    assert out.endswith("\ndeep/d.md:11\nNever answered.\n")


def test_show_has_the_code_that_a_bug_hunt_speaks_of(capsys, tmp_path):
    _, out, _ = run(capsys, "show", "K56", "--home", tmp_path)
    task, _, _ = out.partition("The answer")
    assert "With this code" in task
    assert "outputs = torch.stack([model(x) for _ in range(passes)])" in task


def test_show_names_the_nearest_of_an_unknown_id(bank, capsys):
    code, _, err = run(capsys, "show", "Q3", "--bank", bank)
    assert (code, err[:44]) == (2, "regdemo: there is no card 'Q3': the nearest ")


def test_lint_says_where_and_exits_by_what_it_found(bank, capsys, monkeypatch):
    monkeypatch.chdir(bank)
    code, out, _ = run(capsys, "lint", ".")
    assert code == 0
    assert "deep/d.md:18:2: warning: Q10 shows itself by 'regdemo dropout --p 2', which would not run: " in out
    assert out.splitlines()[-1].startswith("0 errors, ")
    assert run(capsys, "lint", ".", "--strict")[0] == 1
    (bank / "f.md").write_text("## Q11: Which?\n- [ ] a\n- [ ] b\n")
    code, out, _ = run(capsys, "lint", bank / "f.md", "--json")
    assert code == 1
    assert [(one["line"], one["column"], one["level"]) for one in json.loads(out)] == [(2, 1, "error")]


def test_lint_annotates_for_github_with_its_escapes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b:c.md").write_text("## Q1: What?\n### Answer\n= 1 ± x%\n")
    _, out, _ = run(capsys, "lint", "a,b:c.md", "--format", "github")
    first = out.splitlines()[0]
    assert first == "::error file=a%2Cb%3Ac.md,line=3,col=1::Q1 has the tolerance 'x%25': write ± 0.01 or ± 1%25"


def test_verify_fails_where_a_check_does(bank, capsys, monkeypatch):
    monkeypatch.chdir(bank)
    code, out, _ = run(capsys, "verify", ".", "--jobs", "1")
    first, last = out.splitlines()
    assert (code, first) == (1, "deep/d.md:20: Q10's check fails at p = 2: `assert answer == 3`, 2.0 against 3")
    assert last.startswith("1 check and 0 programs of 4 cards, 1 run in ")


def test_new_prints_a_skeleton_where_there_is_no_editor(bank, capsys):
    code, out, _ = run(capsys, "new", bank / "deep" / "d.md", "--kind", "cloze")
    assert (code, out.splitlines()[0]) == (0, "## Q11: The missing word is {{word|term}}.")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal")
@pytest.mark.parametrize("name", ["editor", "nano"])
def test_new_opens_the_editor_and_appends_what_was_written(bank, name):
    """The learner's own, or else one that is installed."""
    editor = bank.parent / name
    editor.write_text("#!/bin/sh\nsed -i 's/What is asked/Why so/' \"$1\"\n")
    editor.chmod(0o755)
    deck = bank / "deep" / "d.md"
    main, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "regdemo", "bank", "new", str(deck)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={
            **os.environ,
            "EDITOR": str(editor) if name == "editor" else "",
            "VISUAL": "",
            "PATH": f"{editor.parent}{os.pathsep}{os.environ['PATH']}",
        },
    )
    os.close(terminal)
    assert (done.returncode, os.read(main, 1000).decode().strip()[:10]) == (0, "Added as /")
    assert "\n## Q11: Why so?\n" in deck.read_text()
    os.close(main)


def test_export_writes_tables_that_no_spreadsheet_calculates(bank, capsys):
    code, out, _ = run(capsys, "export", "--bank", bank, "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["id"] for row in rows[:3]] == ["Q1", "Q2", "Q10"]
    assert rows[1]["options"] == "[ ] a\n[x] b"
    assert rows[2]["answer"] == "'= p"


def test_export_as_json_holds_everything(bank, capsys, tmp_path):
    code, out, _ = run(capsys, "export", "--bank", bank, "--json", tmp_path / "x.json", "--kind", "choice")
    (card,) = json.loads((tmp_path / "x.json").read_text())
    assert (code, out) == (0, f"1 card in {tmp_path / 'x.json'}.\n")
    assert card["options"][1] == {"text": "b", "correct": True, "feedback": ""}


def test_export_without_a_target_or_into_nowhere_is_refused(bank, capsys):
    assert run(capsys, "export", "--bank", bank)[0] == 2
    code, _, err = run(capsys, "export", "--bank", bank, "--csv", bank / "gone" / "x.csv")
    assert code == 3
    assert "cannot be written (No such file or directory): name another file\n" in err


def test_a_package_goes_to_anki_and_back(bank, capsys, tmp_path):
    pytest.importorskip("genanki")
    file, out = tmp_path / "x.apkg", tmp_path / "back.md"
    assert run(capsys, "export", "--bank", bank, "--anki", file)[:2] == (0, f"4 cards in {file}.\n")
    assert run(capsys, "import", file, "--out", out)[:2] == (0, "4 cards in 1 deck.\n")
    code, _, err = run(capsys, "import", file, "--out", out)
    assert (code, err) == (3, f"regdemo: {out} exists already: name another file with --out\n")
    assert len(json.loads(run(capsys, "list", "--bank", out, "--json")[1])["cards"]) == 4


def test_what_is_no_package_is_said_in_one_line(bank, capsys):
    (bank / "e.apkg").write_text("no package")
    code, _, err = run(capsys, "import", bank / "e.apkg")
    assert (code, err.count("\n")) == (3, 1)
