"""A fit is adopted when it predicts later answers better, and says what it found."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from regdemo.errors import ArgumentError, FileError
from regdemo.quiz import fitting
from regdemo.quiz.fitting import FsrsFit, adopt, fit, follow, forget, parameters
from regdemo.quiz.history import Review
from regdemo.quiz.schedule import DEFAULT_SETTINGS, SchedulerSettings, microseconds, replay

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def review(card, day, rating, **changes):
    return Review(card, microseconds(START + day * DAY), "recall", rating, 1.0, "", "{}", "", 0, 0, "s", **changes)


def forgetful(cards=20, days=20):
    """One who forgets by far more than FSRS's defaults expect."""
    rng = random.Random(1)
    return [review(f"Q{n}", day + n / 1000, 3 if day == 0 or rng.random() < 0.35 else 1)
            for day in range(0, days, 4) for n in range(cards)]  # fmt: skip


def test_of_each_answer_on_a_later_day_its_recall_is_predicted():
    answers = [review("a", 0, 3), review("a", 0.01, 3), review("a", 3, 1), review("b", 3, 3), review("a", 9, 3)]
    predictions, memories = follow(answers)
    assert memories == replay(answers)
    assert [(each.card, each.recalled) for each in predictions] == [("a", False), ("a", True)]
    assert predictions[0].recall == replay(answers[:2])["a"].recall(START + 3 * DAY)


def test_a_cram_is_not_predicted():
    assert follow([review("a", 0, 3), review("a", 5, 3, mode="cram")])[0] == []


def test_with_few_answers_a_fit_is_refused_where_fsrs_would_return_its_defaults():
    with pytest.raises(ArgumentError, match=r"\A80 of your answers .* needs about 640"):
        fit(forgetful())


def test_a_fit_to_one_who_forgets_more_predicts_later_answers_better(monkeypatch):
    for name in ("pandas", "tqdm"):
        pytest.importorskip(name, reason=f"the extra fit is missing: {name}")
    import fsrs.optimizer

    monkeypatch.setattr(fsrs.optimizer, "mini_batch_size", 32)
    monkeypatch.setattr(fitting, "NEEDED", 32)
    random.seed(5)
    before = random.getstate()
    fitted = fit(forgetful())
    assert random.getstate() == before
    assert fitted.better
    assert fitted.after < fitted.before
    assert fitted.gain[0] == pytest.approx(fitted.before - fitted.after)
    assert fitted.gain[1] < fitted.gain[0] < fitted.gain[2]
    assert SchedulerSettings(parameters=fitted.parameters)


def test_a_fit_that_changes_nothing_is_no_better(monkeypatch):
    monkeypatch.setattr(fitting, "_optimal", lambda reviews: DEFAULT_SETTINGS.parameters)
    monkeypatch.setattr(fitting, "NEEDED", 32)
    fitted = fit(forgetful())
    assert fitted.gain == (0, 0, 0)
    assert not fitted.better


def test_the_trial_has_not_seen_what_it_is_scored_on(monkeypatch):
    seen = []
    monkeypatch.setattr(fitting, "_optimal", lambda reviews: seen.append(list(reviews)) or DEFAULT_SETTINGS.parameters)
    monkeypatch.setattr(fitting, "NEEDED", 32)
    answers = forgetful()
    fitted = fit(answers)
    assert seen == [answers[:80], answers]
    assert fitted.scored == 20


FITTED = FsrsFit((0.3, *DEFAULT_SETTINGS.parameters[1:]), 9, 0.5, 0.4, (0.1, 0.05, 0.2))


def test_adopted_parameters_hold_until_they_are_forgotten(tmp_path):
    assert parameters(tmp_path) == DEFAULT_SETTINGS.parameters
    adopt(tmp_path, FITTED)
    assert parameters(tmp_path) == FITTED.parameters
    assert [path.name for path in tmp_path.iterdir()] == ["fsrs.json"]
    assert forget(tmp_path)
    assert not forget(tmp_path)
    assert parameters(tmp_path) == DEFAULT_SETTINGS.parameters


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"parameters": [1, 2]}', json.dumps({"parameters": [1e9] * 21})])
def test_a_file_that_holds_no_parameters_is_named_with_the_remedy(text, tmp_path):
    (tmp_path / "fsrs.json").write_text(text)
    with pytest.raises(FileError, match=r"\A[^\n]*fsrs.json holds no parameters[^\n]*delete it[^\n]*\Z"):
        parameters(tmp_path)


def test_a_folder_that_takes_no_parameters_is_said(tmp_path):
    with pytest.raises(FileError, match="cannot be written"):
        adopt(tmp_path / "none", FITTED)
