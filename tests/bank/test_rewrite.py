"""Somebody else's cards in this project's format: they read back the same, with ids that stay."""

import pytest

from regdemo.bank.rewrite import rewrite
from regdemo.cli import app, learner
from regdemo.quiz import decks

TEXT = """\
# Questions

## 1. What is a mask?

### Definition

Zeros and ones.

#### Sources

- [x] read
- [ ] L2: written

```python judge
assert {{1}}
```

## 2. Which is kept?

- A) the sum
- B) the mean

Answer: B. Since A shrinks.

## 3. Which template is `{{ x }}` and {{y}}?

= 1

## 4. Which loop?

- [ ] A

```python
drop()
```

- [x] B

```python
keep()
```
"""


@pytest.fixture
def cards(tmp_path):
    (tmp_path / "d.md").write_text(TEXT)
    return decks.load(tmp_path / "d.md").cards


def test_every_card_reads_back_with_its_id_its_kind_and_its_right_answer(tmp_path, cards):
    made = rewrite(cards, "Masks")
    assert made.left_out == []
    (tmp_path / "new.md").write_text(made.text)
    again = decks.load(tmp_path / "new.md")
    assert again.made_ids == frozenset()
    assert [(card.id, card.kind) for card in again.cards] == [(card.id, card.kind) for card in cards]
    assert [option.correct for option in again.cards[1].options] == [False, True]
    assert [option.correct for option in again.cards[3].options] == [False, True]
    assert "keep()" in again.cards[3].question


def test_what_means_something_to_the_format_is_made_to_mean_nothing(cards):
    text = rewrite(cards, "Masks").text
    assert "**Definition**" in text
    assert "**Sources**" in text
    assert "- ☑ read\n- ☐ L2: written" in text
    assert "```python\nassert {{1}}" in text
    assert "\\= 1" in text


def test_options_keep_their_letters_where_the_explanation_speaks_of_them(cards):
    assert "- [x] (B) the mean" in rewrite(cards, "Masks").text


def test_a_clozes_blanks_stay(tmp_path):
    (tmp_path / "d.md").write_text("#flashcards\n\nThe ==keep rate== is ==1-p==.\n")
    text = rewrite(decks.load(tmp_path / "d.md").cards, "d").text
    assert "The {{keep rate}} is {{1-p}}." in text


def test_a_folder_is_imported_file_by_file_with_a_report(tmp_path, capsys):
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / "a.md").write_text(TEXT)
    (tmp_path / "notes" / "deep" / "b.qmd").write_text("Q: What is p?\nA: A rate.\n\nQ: What is q?\nA: TODO\n")
    out = tmp_path / "decks"
    assert app.run(["bank", "import", str(tmp_path / "notes"), "-o", str(out)]) == 0
    said, left = capsys.readouterr()
    assert said == "5 cards in 2 decks; 1 line above on what was not taken.\n"
    assert left == f"{tmp_path}/notes/deep/b.qmd:4: question without an answer: What is q?\n"
    assert {card.id for card in decks.load(out).cards} == {card.id for card in decks.load(tmp_path / "notes").cards}
    assert app.run(["bank", "import", str(tmp_path / "notes"), "-o", str(out)]) == 3
    assert "exists already" in capsys.readouterr().err
    assert app.run(["bank", "import", str(tmp_path / "notes"), "-o", str(tmp_path / "notes" / "a.md")]) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_file_whose_name_is_an_escape_sequence_is_named_without_it(tmp_path, capsys):
    (tmp_path / "ev\x1b[31mil.md").write_text("Q: What is p?\nA: A rate.\n\nQ: What is q?\nA: TODO\n")
    assert app.run(["bank", "import", str(tmp_path), "-o", str(tmp_path / "out")]) == 0
    assert "\x1b" not in capsys.readouterr().err


def test_an_edited_question_is_imported_under_the_id_that_the_history_knows(tmp_path, capsys):
    notes, home = tmp_path / "notes.md", tmp_path / "home"
    notes.write_text("## What is the rate that a mask is drawn with?\n\nOne minus p.\n")
    home.mkdir()
    (asked,) = learner.load_bank(notes, home, asking=True).cards
    notes.write_text("## What is the rate that the mask is drawn with?\n\nOne minus p.\n")
    out = tmp_path / "deck.md"
    assert app.run(["bank", "import", str(notes), "-o", str(out), "--home", str(home)]) == 0
    assert [card.id for card in decks.load(out).cards] == [asked.id]
    assert [card.id for card in decks.load(notes).cards] != [asked.id]


def test_several_files_need_a_folder_to_be_written_to(tmp_path, capsys):
    for name in "ab":
        (tmp_path / f"{name}.md").write_text("## What is p?\n\nA rate.\n")
    assert app.run(["bank", "import", str(tmp_path)]) == 2
    assert "name a folder for them with -o" in capsys.readouterr().err
