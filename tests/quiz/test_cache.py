"""Decks read before: the same cards, sooner, and never stale."""

import json
import os

import pytest

from regdemo.quiz import cache, decks, parser
from regdemo.quiz.decks import DeckError, load

KINDS = """\
## Q1: Why {p}?
```toml vary
p = [0.1, "a"]
```
### Answer
= 1 ± 1%
### Wrong answers
- = 2: no
```python check
assert answer
```
## C1: Which?
- [x] a
  - yes
- [ ] b
### See it
`regdemo list`
## Z1: The {{mean|average}}.
## P1: What?
```python show
print(1)
```
```text output
1
```
# Notes
"""


@pytest.fixture
def bank(tmp_path):
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "a.md").write_text(KINDS)
    (tmp_path / "bank" / "b.md").write_text("### 1. What is it?\n\nThis.\n")
    return tmp_path / "bank"


@pytest.fixture
def parsed(monkeypatch):
    """The names of the files that are parsed, as they are. However new a file is, its change leaves a trace."""
    monkeypatch.setattr(cache, "RECENT", 0)
    names = []
    parse = parser.parse
    monkeypatch.setattr(parser, "parse", lambda text, file, tags: names.append(file.name) or parse(text, file, tags))
    return names


def test_a_deck_read_before_is_the_same(bank, tmp_path, parsed):
    fresh = load(bank)
    assert load(bank, tmp_path / "c") == fresh
    assert load(bank, tmp_path / "c") == fresh


def test_every_field_of_the_bundled_bank_survives(tmp_path, parsed):
    load(decks.bundled(), tmp_path)
    parsed.clear()
    again = load(decks.bundled(), tmp_path)
    assert parsed == []
    assert again == load(decks.bundled())


def test_an_unchanged_file_is_not_parsed_again(bank, tmp_path, parsed):
    load(bank, tmp_path / "c")
    load(bank, tmp_path / "c")
    assert parsed == ["a.md", "b.md"]


def test_a_changed_file_is_though_its_size_and_time_are_the_same(bank, tmp_path, parsed):
    file = bank / "b.md"
    load(bank, tmp_path / "c")
    before = file.stat()
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # the system's clock for files has its own steps
        file.write_text(file.read_text().replace("This", "That"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load(bank, tmp_path / "c").cards[-1].answer == "That."
    assert parsed == ["a.md", "b.md", "b.md"]


def test_a_file_that_was_changed_just_now_is_read_again(bank, tmp_path):
    load(bank, tmp_path / "c")  # its next change may be in the same step of the clock
    stored = json.loads(next((tmp_path / "c").iterdir()).read_text()) if (tmp_path / "c").exists() else {"decks": {}}
    assert stored["decks"] == {}


def test_a_file_that_moved_is_read_anew(bank, tmp_path, parsed):
    load(bank, tmp_path / "c")
    (bank / "b.md").rename(bank / "x.md")
    assert load(bank, tmp_path / "c") == load(bank)


def test_another_program_reads_anew(bank, tmp_path, parsed, monkeypatch):
    load(bank, tmp_path / "c")
    monkeypatch.setattr(cache, "_version", lambda: "next")
    load(bank, tmp_path / "c")
    assert parsed == ["a.md", "b.md"] * 2


def test_a_module_that_python_compiles_is_no_other_program(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    (tmp_path / "cache.py").touch()
    before = cache._version()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "cache.cpython-311.pyc").touch()
    assert cache._version() == before
    (tmp_path / "styles.toml").touch()
    assert cache._version() != before


def test_a_fault_is_found_again(bank, tmp_path):
    (bank / "b.md").write_text("## Q9:\nx\n")
    for _ in range(2):
        with pytest.raises(DeckError, match="Q9 has no question"):
            load(bank, tmp_path / "c")


def test_two_banks_do_not_disturb_each_other(bank, tmp_path, parsed):
    for path in (bank, bank / "a.md", bank, bank / "a.md"):
        load(path, tmp_path / "c")
    assert parsed == ["a.md", "b.md", "a.md"]


@pytest.mark.parametrize("change", [lambda text: "", lambda text: text[:-9], lambda text: "[]", lambda text: "{}"])
def test_a_broken_cache_is_passed_over(bank, tmp_path, parsed, change):
    load(bank, tmp_path / "c")
    (file,) = (tmp_path / "c").iterdir()
    file.write_text(change(file.read_text()))
    assert load(bank, tmp_path / "c") == load(bank)


@pytest.mark.parametrize(
    "deck",
    [None, 1, [], [[], [], False], [[[1]], [], False, False, True, []], [[{"id": "Q1"}], [], False, False, True, []]],
)
def test_a_broken_deck_in_the_cache_is_read_anew(bank, tmp_path, parsed, deck):
    load(bank, tmp_path / "c")
    (file,) = (tmp_path / "c").iterdir()
    stored = json.loads(file.read_text())
    decks = {name: {**kept, "deck": deck} for name, kept in stored["decks"].items()}
    file.write_text(json.dumps({"version": stored["version"], "decks": decks}))
    assert load(bank, tmp_path / "c") == load(bank)


def test_a_cache_that_cannot_be_written_is_done_without(bank, tmp_path):
    (tmp_path / "file").write_text("")
    assert load(bank, tmp_path / "file" / "c") == load(bank)


def test_nothing_is_left_beside_the_cache(bank, tmp_path, parsed):
    load(bank, tmp_path / "c")
    assert [file.suffix for file in (tmp_path / "c").iterdir()] == [".json"]
