"""What is kept of a replay never says anything else than the replay itself."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from regdemo.quiz import states as module
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import DEFAULT_SETTINGS, SchedulerSettings, microseconds, replay, replay_without_deadline
from regdemo.quiz.states import card_states

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def review(card, hours, rating=3, **changes):
    return Review(card, microseconds(START + hours * HOUR), "recall", rating, 1.0, "", "{}", "", 0, 0, "s", **changes)


@pytest.fixture
def history(tmp_path):
    with History(tmp_path) as kept:
        kept.add_all([review(card, 60 * day, 1 + (day + n) % 4) for day in range(4) for n, card in enumerate("abcd")])
        yield kept


@pytest.fixture
def replays(monkeypatch):
    """How many reviews each call replayed."""
    counts = []

    def counted(reviews, settings):
        reviews = list(reviews)
        counts.append(len(reviews))
        return replay_without_deadline(reviews, settings)

    monkeypatch.setattr(module, "replay_without_deadline", counted)
    return counts


def test_it_is_what_a_replay_says(history, tmp_path):
    for _ in range(2):
        assert card_states(history, DEFAULT_SETTINGS, tmp_path) == replay(history.reviews())


def test_what_was_replayed_before_is_not_replayed_again(history, tmp_path, replays):
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    assert replays == [16]


@pytest.mark.parametrize(
    ("change", "replayed"),
    [
        (lambda history: history.add(review("a", 999)), [5]),
        (lambda history: history.add(review("a", 61)), [5]),  # answered in between, on another machine
        (lambda history: history.add(review("new", 0)), [1]),
        (lambda history: history.undo(history.reviews("b")[1], 0), [3]),
        (lambda history: history.flag("c", 0), []),
        (lambda history: history.add_all([review("a", 999, mode="cram")]), [5]),
    ],
)
def test_only_the_cards_that_later_rows_speak_of_are_replayed(change, replayed, history, tmp_path, replays):
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    change(history)
    assert card_states(history, DEFAULT_SETTINGS, tmp_path) == replay(history.reviews())
    assert replays[1:] == replayed


def test_a_card_whose_every_answer_was_undone_is_new_again(history, tmp_path):
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    for each in history.reviews("a"):
        history.undo(each, 0)
    assert card_states(history, DEFAULT_SETTINGS, tmp_path).keys() == set("bcd")


def test_after_many_changes_it_is_kept_anew(history, tmp_path, monkeypatch, replays):
    monkeypatch.setattr(module, "MANY", 2)
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    history.add_all([review(card, 999) for card in "abc"])
    for _ in range(2):
        assert card_states(history, DEFAULT_SETTINGS, tmp_path) == replay(history.reviews())
    assert replays == [16, 19]


@pytest.mark.parametrize(
    "settings",
    [SchedulerSettings(retention=0.8), SchedulerSettings(parameters=(0.3, *DEFAULT_SETTINGS.parameters[1:]))],
    ids=["retention", "parameters"],
)
def test_what_other_settings_kept_is_not_used(settings, history, tmp_path):
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    assert card_states(history, settings, tmp_path) == replay(history.reviews(), settings) != replay(history.reviews())


def test_an_interview_only_caps_what_was_kept(history, tmp_path, replays):
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    soon = SchedulerSettings(interview=START + 250 * HOUR)
    assert card_states(history, soon, tmp_path) == replay(history.reviews(), soon) != replay(history.reviews())
    assert card_states(history, DEFAULT_SETTINGS, tmp_path) == replay(history.reviews())
    assert replays == [16]


def test_what_another_history_left_is_not_used(history, tmp_path):
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    with History(tmp_path / "other") as other:
        other.add_all([each._replace(rating=1) for each in reversed(history.reviews())])
        assert card_states(other, DEFAULT_SETTINGS, tmp_path) == replay(other.reviews()) != replay(history.reviews())


def test_a_file_of_a_longer_history_is_not_used(history, tmp_path):
    with History(tmp_path / "other") as other:
        card_states(history, DEFAULT_SETTINGS, tmp_path)
        assert card_states(other, DEFAULT_SETTINGS, tmp_path) == {}


def nonsense(text):
    kept = json.loads(text.partition("\n")[2])
    kept["columns"][2][0] = 99.0  # a stability that no review gave
    return text.partition("\n")[0] + "\n" + json.dumps(kept)


@pytest.mark.parametrize(
    "damage", [lambda text: "", lambda text: text[:-9], lambda text: "[]", lambda text: "{" * 9999, nonsense]
)
def test_a_file_that_was_damaged_is_made_anew(damage, history, tmp_path):
    card_states(history, DEFAULT_SETTINGS, tmp_path)
    (file,) = tmp_path.glob("states-*.json")
    whole = file.read_text()
    file.write_text(damage(whole))
    assert card_states(history, DEFAULT_SETTINGS, tmp_path) == replay(history.reviews())
    assert file.read_text() == whole


def test_a_folder_that_takes_no_file_costs_nothing_but_time(history, tmp_path):
    (tmp_path / "file").touch()
    assert card_states(history, DEFAULT_SETTINGS, tmp_path / "file") == replay(history.reviews())
