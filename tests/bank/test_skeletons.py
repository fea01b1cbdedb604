"""A new card: what its skeleton is, which id it gets, and how it gets into a deck."""

import os
import stat

import pytest

from regdemo.bank.lint import lint
from regdemo.bank.skeletons import append, next_id, skeleton
from regdemo.errors import ArgumentError, FileError
from regdemo.quiz.decks import load
from regdemo.quiz.kinds import kind_names

CARD = "## Q7: Why?\n\nSo.\n"


@pytest.mark.parametrize("kind", kind_names())
def test_a_skeleton_is_a_sound_card_of_its_kind(tmp_path, kind):
    deck = tmp_path / "d.md"
    assert append(deck, skeleton(kind, "Q1")) == 3
    ((card),) = load(deck).cards
    assert (card.id, card.kind, card.line) == ("Q1", kind, 3)
    assert lint(deck) == []


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ArgumentError, match="'essay' isn't a kind of card: choose one of choice, cloze, code"):
        skeleton("essay", "Q1")


@pytest.mark.parametrize("id", ["", "7", "Q", "Q 7", "Q7:", "é7"])
def test_a_bad_id_is_refused(id):
    with pytest.raises(ArgumentError, match="isn't an id"):
        skeleton("recall", id)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [(["Q1", "Q2"], "Q3"), (["Q18.2"], "Q18.4"), (["K7b"], "K8b"), ([], "Q1")],
)
def test_the_next_id_follows_the_last_of_the_deck_and_is_free_in_its_folder(tmp_path, ids, expected):
    (tmp_path / "other.md").write_text("## Q18.3: Why?\n\nSo.\n")
    (tmp_path / "d.md").write_text("".join(f"## {id}: Why?\n\nSo.\n\n" for id in ids))
    assert next_id(tmp_path / "d.md") == expected


def test_a_card_is_added_at_the_end_and_the_rest_stays(tmp_path):
    deck = tmp_path / "d.md"
    deck.write_text("# Title\n\n## Q1: Who?\n\nI.\n\n\n")
    deck.chmod(0o640)
    assert append(deck, CARD) == 7
    assert deck.read_text() == f"# Title\n\n## Q1: Who?\n\nI.\n\n{CARD}"
    assert stat.S_IMODE(deck.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["d.md"]


def test_a_link_to_a_deck_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "d.md").write_text("")
    (tmp_path / "link.md").symlink_to("real/d.md")
    append(tmp_path / "link.md", CARD)
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real" / "d.md").read_text() == CARD.join(["", ""]) or CARD in (
        tmp_path / "real/d.md"
    ).read_text()


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("## Q7: Why?\n- [ ] a\n- [ ] b\n", "d.md:2: Q7 has an option list without a tick"),
        ("Nothing.", "there are 0 cards in it: write one"),
        (CARD + CARD.replace("Q7", "Q8"), "there are 2 cards in it"),
        (CARD.replace("Q7", "Q1"), "Q1 is the id of the card at .*d.md:1: take another"),
    ],
)
def test_what_is_not_one_sound_card_is_refused(tmp_path, card, said):
    deck = tmp_path / "d.md"
    deck.write_text("## Q1: Who?\n\nI.\n")
    with pytest.raises(FileError, match=said):
        append(deck, card)
    assert deck.read_text() == "## Q1: Who?\n\nI.\n"


def test_a_deck_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(FileError, match=r"d\.md cannot be written \(No such file or directory\): the card is"):
        append(tmp_path / "gone" / "d.md", CARD)
