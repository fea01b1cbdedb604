"""Carried elsewhere and back, a history is the same; united, it is a union; damaged, what can be read is saved."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regdemo.errors import FileError
from regdemo.quiz.exchange import fault_of, lines, parse, salvage, unite
from regdemo.quiz.history import History, Mark, Review, read
from regdemo.quiz.schedule import DEFAULT_SETTINGS, replay
from regdemo.quiz.states import card_states

REVIEW = Review("Q1", 1_700_000_000_123_456, "numeric", 3, 1.0, '10/9 ± ☃\n"', '{"a": 1}', "0f", 1, 2500, "s", id="r0")
MARKS = [Mark("undo", "r0", 5, "m0"), Mark("flag", "Q1", 6, "m1")]


def there_and_back(reviews, marks):
    return parse(lines(reviews, marks), "f")


def test_what_was_exported_is_imported_as_it_was():
    reviews = [REVIEW, REVIEW._replace(id="r1", sure=0.5, mode="mock", share=0.25)]
    assert there_and_back(reviews, MARKS) == (reviews, MARKS)


def test_each_row_is_one_line():
    assert [text.count("\n") for text in lines([REVIEW._replace(response="a\nb\u2028c")], MARKS)] == [0, 0, 0]


def test_lines_come_in_any_order_with_empty_ones_between():
    text = [*lines([REVIEW], MARKS)]
    assert parse([*reversed(text), "", " "], "f") == ([REVIEW], MARKS[::-1])


def test_a_line_without_what_later_versions_added_is_taken():
    row = {name: value for name, value in REVIEW._asdict().items() if name not in ("mode", "sure")}
    assert parse([json.dumps(row)], "f") == ([REVIEW], [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rating": 5}, "'rating' is 5, where only 1, 2, 3 or 4"),
        ({"rating": True}, "'rating' is true"),
        ({"rating": 3.0}, "'rating' is 3.0"),
        ({"share": float("nan")}, "'share' is NaN"),
        ({"share": 1.01}, "'share' is 1.01"),
        ({"at": -1}, "'at' is -1"),
        ({"at": 10**18}, "'at' is"),
        ({"at": "today"}, "'at' is \"today\""),
        ({"took": 2**63}, "'took' is"),
        ({"hints": -1}, "'hints' is -1"),
        ({"card": ""}, "'card' is \"\""),
        ({"id": None}, "'id' is null"),
        ({"response": "\ud800"}, "'response' is"),
        ({"mode": "exam"}, "only one of quiz, mock, cram, kata"),
        ({"sure": 2}, "'sure' is 2"),
        ({"colour": 1}, "'colour' isn't a field"),
        ({"what": "erase"}, "'card' isn't a field|'about' is missing"),
    ],
)
def test_a_row_that_means_nothing_is_named_by_file_and_line(changes, said):
    bad = json.dumps({**REVIEW._asdict(), **changes})
    with pytest.raises(FileError, match=f"\\Af.jsonl:2: [^\n]*({said})[^\n]*nothing was imported\\Z") as error:
        parse([*lines([REVIEW], []), bad], "f.jsonl")
    assert error.value.exit_code == 3


@pytest.mark.parametrize("text", ["{", "[1]", "null", '"x"', "[" * 100_000, "1" * 5000, "nan", "\x00"])
def test_a_line_that_is_no_row_is_named_by_file_and_line(text):
    with pytest.raises(FileError, match=r"\Af:1: [^\n]*\Z"):
        parse([text], "f")


def test_a_missing_field_is_named():
    row = {name: value for name, value in REVIEW._asdict().items() if name != "rating"}
    assert fault_of(row) == "'rating' is missing"


@pytest.mark.parametrize("value", [None, [], {}, b"\xff", float("inf"), float("nan"), "\ud800", -1, 10**30])
@pytest.mark.parametrize("row", [REVIEW, MARKS[0]])
def test_no_value_of_a_field_is_too_odd_to_be_said(row, value):
    """A damaged file has bytes where a text was."""
    for field in row._fields:
        assert isinstance(fault_of({**row._asdict(), field: value}), str)
    assert (
        fault_of({**row._asdict(), "id": b"\xff"})
        == """'id' is "b'\\\\xff'", where only a text that is not empty is allowed"""
    )


@pytest.fixture
def history(tmp_path):
    with History(tmp_path) as kept:
        yield kept


def test_to_import_twice_changes_nothing_more(history):
    assert unite(history, [REVIEW], MARKS, "f") == (3, 0)
    assert unite(history, [REVIEW, REVIEW], MARKS, "f") == (0, 4)
    assert history.rows() == ([REVIEW], MARKS)


def test_a_row_that_contradicts_the_history_is_refused_with_all_others(history):
    history.add(REVIEW)
    with pytest.raises(FileError, match="something else than the history's"):
        unite(history, [REVIEW._replace(id="new"), REVIEW._replace(rating=1)], [], "f")
    assert history.rows() == ([REVIEW], [])


def test_an_undo_of_an_answer_that_is_nowhere_is_refused_with_all_others(history):
    with pytest.raises(FileError, match="neither here nor in the history"):
        unite(history, [REVIEW], [Mark("undo", "lost", 1)], "f")
    assert history.rows() == ([], [])


# Properties


def pool():
    """Rows of a few ids, so that two draws often share some; equal ids are equal rows."""
    reviews = [
        Review(
            f"Q{n % 3}",
            10**15 + (n // 2) * 10**11,
            "recall",
            1 + n % 4,
            1.0,
            "",
            "{}",
            "",
            0,
            0,
            "s",
            id=f"r{n * 7 % 10}",
        )
        for n in range(10)
    ]
    marks = [Mark("undo", f"r{n}", n // 2, f"m{n}") for n in range(0, 10, 3)]
    marks += [Mark(("flag", "unflag")[n % 2], f"Q{n % 3}", n // 2, f"n{n}") for n in range(6)]
    return reviews, marks


REVIEWS, MANY_MARKS = pool()


@st.composite
def exports(draw):
    """What a history might hold: some of the pool, each undo with the answer that it undoes."""
    marks = draw(st.lists(st.sampled_from(MANY_MARKS), unique=True))
    undone = {mark.about for mark in marks}
    reviews = draw(st.lists(st.sampled_from(REVIEWS), unique=True))
    reviews += [review for review in REVIEWS if review.id in undone and review not in reviews]
    return reviews, marks


def united(*files):
    with TemporaryDirectory() as folder, History(Path(folder)) as kept:
        for reviews, marks in files:
            # What was kept of a replay must follow each step.
            unite(kept, reviews, marks, "f")
            assert card_states(kept, DEFAULT_SETTINGS, Path(folder)) == replay(kept.reviews())
        return kept.rows(), kept.reviews(), kept.flagged()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(exports(), exports())
def test_a_union_is_the_same_in_either_order_and_however_often(one, other):
    forth = united(one, other)
    assert forth == united(other, one, one, other)
    rows, reviews, _ = forth
    assert {row.id for row in rows[0]} == {row.id for row in one[0] + other[0]}
    assert there_and_back(*rows) == rows
    undone = {mark.about for mark in one[1] + other[1] if mark.what == "undo"}
    assert [row for row in rows[0] if row.id not in undone] == reviews


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*REVIEW._fields, "what", "about", "x"]), JSON, max_size=3), st.booleans())
def test_whatever_a_line_holds_it_is_a_row_or_a_fault(changes, whole):
    row = {**REVIEW._asdict(), **changes} if whole else changes
    try:
        reviews, marks = parse([json.dumps(row)], "f")
    except FileError:
        pass
    else:
        assert fault_of((reviews + marks)[0]._asdict()) == ""


# Damaged files


@pytest.fixture(autouse=True)
def short_search(monkeypatch):
    monkeypatch.setattr("regdemo.quiz.exchange._GAP", 1000)


def test_of_a_whole_file_everything_is_saved(tmp_path):
    with History(tmp_path) as kept:
        kept.add_all(REVIEWS, MANY_MARKS)
    before = (tmp_path / "history.db").read_bytes()
    reviews, marks = salvage(tmp_path / "history.db")
    assert (set(reviews), set(marks)) == (set(REVIEWS), set(MANY_MARKS))
    assert (tmp_path / "history.db").read_bytes() == before


@pytest.mark.parametrize("page", [2, 8, 11])
def test_a_damaged_page_costs_its_own_rows_only(page, tmp_path):
    path = tmp_path / "history.db"
    many = [REVIEW._replace(id=f"r{n}", response="x" * 400) for n in range(200)]
    with History(tmp_path) as kept:
        kept.add_all(many, [Mark("undo", f"r{n}", n) for n in range(200)])
    damaged = bytearray(path.read_bytes())
    damaged[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(damaged)
    with pytest.raises(FileError):
        read(tmp_path)
    reviews, marks = salvage(path)
    assert set(reviews) <= set(many)
    assert len(reviews) > 180
    assert {mark.about for mark in marks} <= {review.id for review in reviews}
    with History(tmp_path / "new") as new:
        assert unite(new, reviews, marks, "f")[0] == len(reviews) + len(marks)


def test_of_what_was_no_history_nothing_is_saved(tmp_path):
    (tmp_path / "diary").write_bytes(b"my diary\n" * 500)
    (tmp_path / "empty").touch()
    assert salvage(tmp_path / "diary") == salvage(tmp_path / "empty") == ([], [])
    with pytest.raises(FileError, match="is no file"):
        salvage(tmp_path / "none")


def test_an_import_reads_the_history_and_adds_to_it_in_one_transaction(tmp_path, monkeypatch):
    """Else two imports of the same rows at once would both find them lacking."""
    rows, states = History.rows, []

    def watched(self):
        states.append(self._db.in_transaction)
        return rows(self)

    monkeypatch.setattr(History, "rows", watched)
    with History(tmp_path) as kept:
        unite(kept, [REVIEW], [], "f")
    assert states == [True]


def test_the_same_import_twice_at_once_adds_each_row_once(tmp_path):
    reviews = [REVIEW._replace(id=f"r{number}") for number in range(500)]
    ready = threading.Barrier(2)

    def take(_):
        with History(tmp_path) as kept:
            ready.wait()
            return unite(kept, reviews, [], "f")

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, range(2))) == [(0, 500), (500, 0)]
