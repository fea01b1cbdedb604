"""Progress survives an edit: a question whose text has changed a little keeps its id."""

import json
import threading

import pytest

from regdemo.quiz import decks, identity
from regdemo.quiz.identity import INDEX_FILE, keep_ids

QUESTIONS = ["What is dropuot?", "Why scale by 1/(1-p)?", "Who drew the mask first?", "What is L1?"]


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def deck(folder, *questions):
    file = folder / "d.md"
    file.write_text("# Questions\n\n" + "".join(f"## {question}\n\nIt is so.\n\n" for question in questions))
    return file


def load(file, home, write=True):
    bank, edits = keep_ids(decks.load(file), home, write=write)
    return {card.question: card.id for card in bank.cards}, edits


def test_a_corrected_question_keeps_its_id_and_is_said_once(tmp_path, home):
    before, edits = load(deck(tmp_path, *QUESTIONS), home)
    assert edits == []
    file = deck(tmp_path, "What is dropout?", *QUESTIONS[1:])
    after, edits = load(file, home)
    assert after["What is dropout?"] == before["What is dropuot?"]
    assert [str(edit) for edit in edits] == [
        f"{before['What is dropuot?']} was edited and keeps its history: 'What is dropuot?' is now 'What is dropout?'"
    ]
    assert load(file, home) == (after, [])


def test_it_is_recognized_through_several_edits_and_back(tmp_path, home):
    before, _ = load(deck(tmp_path, *QUESTIONS), home)
    for text in ("What is dropout?", "What is dropout good for?", "What is a dropout good for?", QUESTIONS[0]):
        after, _ = load(deck(tmp_path, text, *QUESTIONS[1:]), home)
        assert after[text] == before[QUESTIONS[0]]


def test_a_question_that_moved_in_its_file_is_recognized_if_its_text_is_nearly_the_same(tmp_path, home):
    before, _ = load(deck(tmp_path, *QUESTIONS), home)
    after, _ = load(deck(tmp_path, *QUESTIONS[1:], "New: when is it so?", "What is dropout?"), home)
    assert after["What is dropout?"] == before[QUESTIONS[0]]


def test_a_question_that_moved_and_changed_is_another(tmp_path, home):
    before, _ = load(deck(tmp_path, *QUESTIONS), home)
    after, _ = load(deck(tmp_path, QUESTIONS[0], *QUESTIONS[2:], "New?", "Why do we scale by 1/(1-p)?"), home)
    assert after["Why do we scale by 1/(1-p)?"] != before[QUESTIONS[1]]


@pytest.mark.parametrize("other", ["What is L2?", "How many layers are there?", "What is dropout with p = 0.5?"])
def test_another_question_at_the_same_place_is_another(tmp_path, home, other):
    before, _ = load(deck(tmp_path, "What is L1?"), home)
    after, edits = load(deck(tmp_path, other), home)
    assert (after[other] in before.values(), edits) == (False, [])


def test_an_id_of_its_own_is_left_alone(tmp_path, home):
    load(deck(tmp_path, "Q1: What is dropuot?"), home)
    after, edits = load(deck(tmp_path, "Q1: What is dropout?"), home)
    assert (after, edits) == ({"What is dropout?": "Q1"}, [])
    assert not home.exists()


def test_looking_at_a_deck_writes_nothing_and_still_knows_its_ids(tmp_path, home):
    load(deck(tmp_path, *QUESTIONS), home, write=False)
    assert not home.exists()
    before, _ = load(deck(tmp_path, *QUESTIONS), home)
    written = (home / INDEX_FILE).read_bytes()
    after, _ = load(deck(tmp_path, "What is dropout?", *QUESTIONS[1:]), home, write=False)
    assert after["What is dropout?"] == before[QUESTIONS[0]]
    assert (home / INDEX_FILE).read_bytes() == written


def test_a_deck_that_moved_keeps_what_was_recognized(tmp_path, home):
    before, _ = load(deck(tmp_path, *QUESTIONS), home)
    file = deck(tmp_path, "What is dropout?", *QUESTIONS[1:])
    load(file, home)
    (tmp_path / "elsewhere").mkdir()
    after, _ = load(file.rename(tmp_path / "elsewhere" / "d.md"), home)
    assert after["What is dropout?"] == before[QUESTIONS[0]]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"files": 1}', b'{"files": {"a": [[1]]}}', b"\xff"])
def test_a_damaged_index_is_set_aside(tmp_path, home, damage):
    home.mkdir()
    (home / INDEX_FILE).write_bytes(damage)
    load(deck(tmp_path, *QUESTIONS), home)
    assert (home / f"{INDEX_FILE}.damaged").read_bytes() == damage
    assert json.loads((home / INDEX_FILE).read_bytes())["version"] == 1


def test_two_sessions_at_once_lose_nothing_of_each_other(tmp_path, home):
    files = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        files.append(deck(tmp_path / str(number), f"What is it, number {number}?"))
    barrier = threading.Barrier(4)

    def one(file):
        bank = decks.load(file)
        barrier.wait()
        keep_ids(bank, home, write=True)

    threads = [threading.Thread(target=one, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(json.loads((home / INDEX_FILE).read_bytes())["files"]) == sorted(
        str(file.resolve()) for file in files
    )


def test_thousands_of_edits_at_once_are_compared_in_bounded_time(tmp_path, home, monkeypatch):
    load(deck(tmp_path, *(f"Why is it so in the case of {'x' * n}?" for n in range(1, 300))), home)
    compared = []
    similarity = identity._similarity
    monkeypatch.setattr(identity, "_similarity", lambda *texts: compared.append(1) or similarity(*texts))
    load(deck(tmp_path, *(f"How was it once in other cases, {'y' * n}?" for n in range(1, 300))), home)
    assert len(compared) < 10_000
