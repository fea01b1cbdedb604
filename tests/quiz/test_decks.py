"""Decks on disk, whole ones and broken ones."""

import os
import sys

import pytest

from regdemo.errors import ArgumentError, FileError
from regdemo.quiz import decks
from regdemo.quiz.cards import Reason
from regdemo.quiz.decks import DeckError, load

CARD = "## {}: What is it?\n\nThis.\n"


def deck(folder, name="d.md", text="## Q1: What is it?\n\nThis.\n"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def refused(path):
    """The faults of a path, each as (file, line, message)."""
    with pytest.raises(DeckError) as caught:
        load(path)
    assert str(caught.value).split("\n") == [str(fault) for fault in caught.value.faults]
    return [(fault.file, fault.line, fault.message) for fault in caught.value.faults]


def test_a_file_is_a_bank(tmp_path):
    bank = load(deck(tmp_path))
    assert [(card.id, card.tags) for card in bank.cards] == [("Q1", ("d",))]


def test_a_folder_is_a_bank_of_every_markdown_file_below_it(tmp_path):
    for number, name in enumerate(["b.md", "a/z.markdown", "a/README.MD", "a/b/c.md"]):
        deck(tmp_path, name, CARD.format(f"X{number}"))
    deck(tmp_path, "a/notes.txt", CARD.format("X9"))
    assert [(card.topic, card.tags) for card in load(tmp_path).cards] == [
        *(("b", ("b",)), ("z", ("a", "z")), ("a", ("a",)), ("c", ("a", "b", "c"))),
    ]


def test_a_readme_is_named_by_its_folder(tmp_path):
    assert load(deck(tmp_path / "topic", "README.md")).cards[0].topic == "topic"


def test_hidden_folders_and_installed_packages_are_not_entered(tmp_path):
    deck(tmp_path)
    deck(tmp_path, ".git/a.md", b"\0")
    deck(tmp_path, "node_modules/a.md", b"\0")
    deck(tmp_path, ".a.md", b"\0")
    assert len(load(tmp_path).cards) == 1


def test_a_card_is_found_by_its_id(tmp_path):
    bank = load(deck(tmp_path, text=CARD.format("Q18") + CARD.format("Q19")))
    assert bank.find("Q19") is bank.find("q19") is bank.cards[1]
    assert bank.known(["Q19", "Q20"]) == [bank.cards[1]]


def test_an_unknown_id_names_the_nearest(tmp_path):
    bank = load(deck(tmp_path, text="".join(CARD.format(id) for id in ("Q18", "Q19", "Q18.2", "K7"))))
    with pytest.raises(ArgumentError, match=r"there is no card 'Q18\.3': the nearest are Q18\.2, Q18, Q19$"):
        bank.find("Q18.3")


# Bad files


def test_a_missing_path_is_named(tmp_path):
    path = tmp_path / "a.md"
    said = "cannot be read (No such file or directory): check its name and permissions"
    assert refused(path) == [(path, 1, said)]


def test_the_fault_ends_a_command_with_the_code_of_a_bad_file():
    assert issubclass(DeckError, FileError)
    assert DeckError.exit_code == 3


@pytest.mark.parametrize("text", ["", " \n\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path, text):
    path = deck(tmp_path, text=text)
    ((file, line, message),) = refused(path)
    assert (file, line) == (path, 1)
    assert message.startswith("the file is empty: a card begins at a heading with an id and a colon")


def test_a_byte_that_is_not_utf8_is_named_with_its_line(tmp_path):
    path = deck(tmp_path, text=b"## Q1: a?\n\ncaf\xe9\n")
    assert refused(path) == [(path, 3, "is not UTF-8, 0xe9 at byte 14: save it as UTF-8")]


def test_utf16_is_not_taken_for_a_binary_file(tmp_path):
    path = deck(tmp_path, text=CARD.encode("utf-16"))
    assert "is not UTF-8" in refused(path)[0][2]


def test_a_byte_order_mark_is_skipped(tmp_path):
    assert load(deck(tmp_path, text=b"\xef\xbb\xbf" + CARD.format("Q1").encode())).cards[0].id == "Q1"


def test_a_binary_file_is_refused(tmp_path):
    path = deck(tmp_path, text=b"\x7fELF\n\0\xff")
    assert refused(path) == [(path, 2, "is a binary file, NUL at byte 5: a deck is UTF-8 text")]


def test_a_huge_file_is_refused(tmp_path):
    path = deck(tmp_path)
    with path.open("r+b") as stream:
        stream.truncate(100_000_000)  # a hole: nothing is written
    assert refused(path) == [(path, 1, "has 100,000,000 bytes: at most 10,000,000 are allowed, shorten or split it")]


def test_a_file_of_a_million_lines_is_refused(tmp_path):
    path = deck(tmp_path, text="x\n" * 1_000_000)
    assert refused(path) == [(path, 1, "has 1,000,000 lines: a deck has at most 100,000, split it")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.md")
    assert "isn't a regular file" in refused(tmp_path)[0][2]


def test_a_folder_without_a_card_says_so(tmp_path):
    deck(tmp_path, "a.md", "# Notes\n\nNone.\n")
    deck(tmp_path, "b.md", "")
    ((path, _, message),) = refused(tmp_path)
    assert path == tmp_path
    assert message.startswith("there is no card below this folder: a card begins at")


def test_an_empty_file_in_a_folder_is_skipped(tmp_path):
    deck(tmp_path)
    empty = deck(tmp_path, "e.md", "\n")
    assert [(one.file, one.reason) for one in load(tmp_path).skipped] == [(empty, Reason.EMPTY)]


OWN = CARD + "\n### Hints\n- Look.\n"


def test_an_id_used_twice_in_decks_of_this_format_names_both_places(tmp_path):
    path = deck(tmp_path, text=OWN.format("Q1") + OWN.format("Q1"))
    assert refused(path) == [(path, 7, f"Q1 is the id of the card at {path}:1 too: give each its own")]


def test_an_id_used_in_two_files_of_this_format_names_both_places(tmp_path):
    first, second = deck(tmp_path, "a.md", OWN.format("Q1")), deck(tmp_path, "b.md", OWN.format("Q1"))
    assert refused(tmp_path) == [(second, 1, f"Q1 is the id of the card at {first}:1 too: give each its own")]


def test_an_id_used_twice_in_a_file_of_somebody_elses_is_asked_twice_and_said(tmp_path):
    path = deck(tmp_path, text=CARD.format("Q2") + CARD.format("Q2") + CARD.format("Q2-2") + CARD.format("Q2"))
    bank = load(path)
    assert [card.id for card in bank.cards] == ["Q2", "Q2-2", "Q2-2-2", "Q2-3"]
    said = f"Q2 is the id of the card at {path}:1 too: this one is asked as Q2-2, give it its own"
    assert bank.remarks[0] == (path, 4, said, 1)
    assert len(bank.remarks) == 3


def test_an_id_used_twice_is_named_though_its_cards_are_broken(tmp_path):
    path = deck(tmp_path, text="## Q1: a?\n- [ ] b\n- [ ] c\n\n## Q1: a?\nx\n### Hints\n- h\n\n## Q1:\ny\n")
    assert [(line, message.partition(" ")[2][:20]) for _, line, message in refused(path)] == [
        *(
            (2, "has an option list w"),
            (5, "is the id of the car"),
            (10, "has no question: wri"),
            (10, "is the id of the car"),
        ),
    ]


def test_every_fault_of_every_file_is_listed(tmp_path):
    deck(tmp_path, "a.md", "## Q1: a?\n- [ ] b\n- [ ] c\n\n## Q2: a?\n### Answer\n= x\n")
    deck(tmp_path, "b.md", b"\0")
    deck(tmp_path, "c.md", OWN.format("Q3") + OWN.format("Q3"))
    assert [(file.name, line) for file, line, _ in refused(tmp_path)] == [
        *(("a.md", 2), ("a.md", 7), ("b.md", 1), ("c.md", 7)),
    ]


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = deck(tmp_path)
    path.chmod(0)
    assert "Permission denied" in refused(tmp_path)[0][2]


# Links


def test_a_symbolic_link_below_the_folder_is_not_followed(tmp_path):
    bank, outside = tmp_path / "bank", tmp_path / "outside"
    deck(bank)
    secret = deck(outside, "s.md", CARD.format("Q9"))
    (bank / "l.md").symlink_to(secret)
    (bank / "gone.md").symlink_to(tmp_path / "nowhere.md")
    (bank / "folder").symlink_to(outside, target_is_directory=True)
    loaded = load(bank)
    assert [card.id for card in loaded.cards] == ["Q1"]
    assert [one.reason for one in loaded.skipped] == [Reason.LINK] * 2


def test_a_link_that_the_user_names_is_followed(tmp_path):
    (tmp_path / "l.md").symlink_to(deck(tmp_path))
    assert len(load(tmp_path / "l.md").cards) == 1


# Other people's folders


def test_a_translation_is_told_from_its_original(tmp_path):
    deck(tmp_path, "README.md")
    translated = deck(tmp_path, "fr/README-fr.md", CARD.format("Q1"))
    loaded = load(tmp_path)
    assert [card.file.name for card in loaded.cards] == ["README.md"]
    assert list(loaded.skipped) == [(translated, 1, Reason.TRANSLATION, "of README.md")]


def test_files_that_only_number_their_questions_do_not_collide(tmp_path):
    numbered = "".join(CARD.format(f"Q{number}") for number in (1, 2, 3))
    deck(tmp_path, "Deep Learning.md", numbered)
    deck(tmp_path, "sql.md", numbered)
    assert [card.id for card in load(tmp_path).cards] == [
        *("deep-learning.Q1", "deep-learning.Q2", "deep-learning.Q3", "sql.Q1", "sql.Q2", "sql.Q3"),
    ]


def test_a_made_id_follows_from_the_files_name_and_the_question(tmp_path):
    text = "### 1. What is it?\n\n{}\n\n### 2. What is that?\n\nThat.\n"
    before = load(deck(tmp_path, "a/x.md", text.format("This.")))
    after = load(deck(tmp_path, "b/x.md", "# Questions\n\n" + text.format("This, rather.")))
    assert [card.id for card in before.cards] == [card.id for card in after.cards]
    assert all(card.id.startswith("x-") for card in before.cards)


def test_the_same_question_twice_has_two_ids(tmp_path):
    text = "### What is it?\n\nThis.\n\n### What is it?\n\nThat.\n"
    deck(tmp_path, "a/x.md", text)
    deck(tmp_path, "b/x.md", text)
    ids = [card.id for card in load(tmp_path).cards]
    assert len(set(ids)) == 4


def test_ten_thousand_times_the_same_question_is_as_many_cards(tmp_path):
    ids = [card.id for card in load(deck(tmp_path, text="## 1. What?\nb\n" * 10_000)).cards]
    assert len(set(ids)) == 10_000


# The bundled bank


def test_the_bundled_bank_loads():
    assert "Q18" in [card.id for card in load(decks.bundled()).cards]


def test_an_installed_package_holds_its_own_bank(tmp_path, monkeypatch):
    monkeypatch.setattr(decks, "__file__", str(tmp_path / "regdemo" / "quiz" / "decks.py"))
    assert decks.bundled() == tmp_path / "interview_questions"
    (tmp_path / "regdemo" / "interview_questions").mkdir(parents=True)
    assert decks.bundled() == tmp_path / "regdemo" / "interview_questions"


def test_decks_come_in_the_order_of_their_first_ids_and_foreign_ones_last(tmp_path):
    for name, id in [("a", "Q10"), ("b", "Q2.10"), ("c", "Q2.9")]:
        (tmp_path / f"{name}.md").write_text(f"## {id}: Why?\n\n### Answer\nBecause.\n")
    (tmp_path / "aa.md").write_text("## What is it?\n\nA thing.\n")
    ids = [card.id for card in decks.load(tmp_path).cards]
    assert ids[:3] == ["Q2.9", "Q2.10", "Q10"]
    assert len(ids) == 4
