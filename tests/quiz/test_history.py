"""The history keeps every answer, and never overwrites what it does not understand."""

import re
import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from random import Random

import pytest

from regdemo import storage
from regdemo.errors import FileError
from regdemo.quiz import checkup, database, history, schema
from regdemo.quiz.history import History, Review, read, reading

REVIEW = Review(
    card="Q1",
    at=1_700_000_000_123_456,
    kind="numeric",
    rating=3,
    share=1.0,
    response="10/9 ± ☃",
    asked='{"values": {"p": 0.1}}',
    answer="0123456789abcdef",
    hints=1,
    took=2500,
    session="s",
    id="review-0",
)


def review(number, **changes):
    return REVIEW._replace(id=f"id {number}", **changes)


def raw(home):
    return sqlite3.connect(home / "history.db", isolation_level=None)


def insert(db, reviews):
    db.executemany(f"INSERT INTO reviews ({history.COLUMNS}) VALUES ({history.PLACEHOLDERS})", reviews)


def filled(home, count=3):
    with History(home) as kept:
        kept._db.execute("BEGIN")  # one transaction for all, since each costs the disk a few milliseconds
        insert(kept._db, [review(number, at=number) for number in range(count)])
        kept._db.execute("COMMIT")


def refusal(home):
    """The line with which a session refuses this folder; `stats` must refuse it with the same."""
    with pytest.raises(FileError) as session:
        History(home)
    with pytest.raises(FileError) as stats:
        read(home)
    assert str(session.value) == str(stats.value)
    assert "\n" not in str(session.value)
    assert session.value.exit_code == 3
    return str(session.value)


def test_a_review_is_read_back_as_it_was_added(tmp_path):
    with History(tmp_path) as kept:
        kept.add(REVIEW)
        assert kept.reviews() == [REVIEW]
    assert read(tmp_path) == [REVIEW]


def test_reviews_come_in_the_order_of_time_whenever_they_arrived(tmp_path):
    with History(tmp_path) as kept:
        for number, at in [(3, 20), (2, 10), (1, 20), (0, 10)]:
            kept.add(review(number, at=at))
    assert [r.id for r in read(tmp_path)] == ["id 0", "id 2", "id 1", "id 3"]


def test_the_reviews_of_one_card_can_be_asked_for(tmp_path):
    with History(tmp_path) as kept:
        for number, card in enumerate("aba"):
            kept.add(review(number, card=card, at=number))
        assert [r.id for r in kept.reviews("a")] == ["id 0", "id 2"]
        assert kept.reviews("c") == []


def test_each_row_without_an_id_gets_one_of_its_own(tmp_path):
    with History(tmp_path) as kept:
        kept.add_all([REVIEW._replace(id=""), REVIEW._replace(id="", at=REVIEW.at + 1), REVIEW._replace(id="mine")])
        assert len({r.id for r in kept.reviews()} - {"", "mine"}) == 2
        kept.flag("Q1", 1)
        kept.flag("Q1", 2, flagged=False)
        assert len({mark.id for mark in kept.rows()[1]} - {""}) == 2


def test_the_folder_is_made_with_its_parents(tmp_path):
    History(tmp_path / "a/b c#?%/d").close()
    assert (tmp_path / "a/b c#?%/d/history.db").is_file()


def test_reading_what_is_not_there_finds_nothing_and_makes_nothing(tmp_path):
    assert read(tmp_path / "no") == []
    assert read(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_an_empty_history(tmp_path):
    (tmp_path / "history.db").touch()
    assert read(tmp_path) == []
    filled(tmp_path)
    assert len(read(tmp_path)) == 3


def test_nothing_stands_beside_the_file_when_no_write_is_under_way(tmp_path):
    with History(tmp_path) as kept:
        kept.add(REVIEW)
        assert [path.name for path in tmp_path.iterdir()] == ["history.db"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reviews SET rating = 4",
        "DELETE FROM reviews",
        "REPLACE INTO reviews SELECT * FROM reviews",
        f"REPLACE INTO reviews (number, {history.COLUMNS}) SELECT 9 + number, {history.COLUMNS} FROM reviews",
        "UPDATE marks SET what = 'unflag'",
        "DELETE FROM marks",
        "REPLACE INTO marks SELECT * FROM marks",
        "REPLACE INTO marks (what, about, at, id) SELECT 'unflag', about, at, id FROM marks",
    ],
)
def test_a_row_can_be_neither_changed_nor_deleted_nor_replaced(statement, tmp_path):
    filled(tmp_path)
    with History(tmp_path) as kept:
        kept.flag("Q1", 5)
    db = raw(tmp_path)
    with pytest.raises(sqlite3.IntegrityError, match=r"a (review|mark) is never"):
        db.execute(statement)
    db.close()
    assert [r.rating for r in read(tmp_path)] == [3, 3, 3]
    with reading(tmp_path) as kept:
        assert kept.flagged() == {"Q1"}


@pytest.mark.parametrize(
    "changes",
    [{"rating": 0}, {"rating": 5}, {"share": 1.1}, {"hints": -1}, {"card": None}, {"sure": 1.1}, {"mode": None}],
)
def test_a_review_that_means_nothing_is_not_kept(changes, tmp_path):
    with History(tmp_path) as kept:
        with pytest.raises(sqlite3.IntegrityError):
            kept.add(review(0, **changes))
        kept.add(review(1))
    assert [r.id for r in read(tmp_path)] == ["id 1"]


def test_the_same_review_is_not_kept_twice(tmp_path):
    with History(tmp_path) as kept:
        kept.add(REVIEW)
        with pytest.raises(sqlite3.IntegrityError):
            kept.add(REVIEW)


# What was said later: undone and flagged


def test_an_undone_review_counts_no_more_and_its_row_stays(tmp_path):
    filled(tmp_path)
    with History(tmp_path) as kept:
        kept.undo(review(1, at=1), 9)
        assert [r.id for r in kept.reviews()] == [r.id for r in kept.reviews("Q1")] == ["id 0", "id 2"]
    assert [r.id for r in read(tmp_path)] == ["id 0", "id 2"]
    db = raw(tmp_path)
    assert db.execute("SELECT id FROM reviews").fetchall() == [("id 0",), ("id 1",), ("id 2",)]
    db.close()


def test_to_undo_twice_is_to_undo_once(tmp_path):
    filled(tmp_path)
    with History(tmp_path) as kept:
        for _ in range(2):
            kept.undo(review(1), 9)
        assert [r.id for r in kept.reviews()] == ["id 0", "id 2"]


def test_a_review_that_is_not_there_cannot_be_undone(tmp_path):
    with History(tmp_path) as kept, pytest.raises(sqlite3.IntegrityError, match="names a review"):
        kept.undo(REVIEW, 9)


@pytest.mark.parametrize("times", [(1, 2, 3), (5, 5, 5), (9, 4, 1)])
def test_the_last_flag_holds_even_when_the_clock_stands_still_or_goes_back(times, tmp_path):
    with History(tmp_path) as kept:
        for at, now in zip(times, [True, False, True], strict=True):
            kept.flag("Q1", at, flagged=now)
            assert kept.flagged() == ({"Q1"} if now else set())
        kept.flag("Q2", 0)
        assert kept.flagged() == {"Q1", "Q2"}


def test_a_review_is_found_by_its_id_and_whether_it_counts(tmp_path):
    filled(tmp_path)
    with History(tmp_path) as kept:
        assert kept.find("none") is None
        first = kept.reviews()[0]
        assert kept.find(first.id) == (first, True)
        kept.undo(first, 1)
        assert kept.find(first.id) == (first, False)


def test_the_newest_reviews_come_first_and_undone_ones_do_not(tmp_path):
    filled(tmp_path)
    with History(tmp_path) as kept:
        everything = kept.reviews()
        kept.undo(everything[-1], 1)
        assert list(kept.newest_first()) == everything[-2::-1]
        assert list(kept.times()) == [review.at for review in everything[-2::-1]]


def test_reading_a_history_makes_no_file_and_refuses_to_write(tmp_path):
    with history.reading(tmp_path / "none") as kept:
        assert kept.reviews() == []
    assert not (tmp_path / "none").exists()
    filled(tmp_path)
    with history.reading(tmp_path) as kept:
        assert kept.reviews() == read(tmp_path)
        with pytest.raises(FileError):
            kept.flag("Q1", 1)


# An older version


@pytest.fixture(params=range(1, schema.VERSION))
def older(tmp_path, request):
    """A history as an older version wrote it, with one review."""
    db = raw(tmp_path)
    for statement in (*chain(*schema.STEPS[: request.param]), f"PRAGMA user_version = {request.param}"):
        db.execute(statement)
    there = {name for _, name, *_ in db.execute("PRAGMA table_info(reviews)")}
    columns = ", ".join(name for name in history.COLUMNS.split(", ") if name in there)
    values = [getattr(REVIEW, name) for name in columns.split(", ")]
    db.execute(f"INSERT INTO reviews ({columns}) VALUES ({', '.join('?' * len(values))})", values)
    db.close()
    return tmp_path / "history.db"


def dump(path):
    """All that is in a history, as statements; its version too."""
    with closing(sqlite3.connect(path)) as db:
        return [*db.execute("PRAGMA user_version"), *db.iterdump()]


def test_an_older_version_is_brought_up_with_a_copy_first(older):
    before = dump(older)
    with History(older.parent) as kept:
        assert kept.reviews() == [REVIEW]
        kept.flag("Q1", 1)
        kept.undo(REVIEW, 2)
        assert kept.reviews() == []
    (copy,) = older.parent.glob("history.db.v?-*")
    assert str(copy) in kept.notice
    assert re.match(r"history\.db\.v\d-20", copy.name)
    assert dump(copy) == before
    assert sorted(older.parent.iterdir()) == [older, copy]


def test_a_history_of_this_version_is_not_copied(tmp_path):
    filled(tmp_path)
    with History(tmp_path) as kept:
        assert kept.notice == ""


def test_an_older_version_is_read_as_it_is(older):
    before = older.read_bytes()
    with reading(older.parent) as kept:
        assert (read(older.parent), kept.flagged()) == ([REVIEW], set())
    assert older.read_bytes() == before
    assert list(older.parent.iterdir()) == [older]


def test_a_history_that_was_brought_up_is_as_one_that_was_begun_now(older, tmp_path):
    History(tmp_path).close()
    History(tmp_path / "new").close()

    old, new = dump(older), dump(tmp_path / "new/history.db")
    assert [line for line in old if REVIEW.id not in line] == new


def test_an_older_version_that_cannot_be_copied_is_left_as_it_is(older, monkeypatch):
    before = older.read_bytes()
    monkeypatch.setattr(schema, "free_name", lambda path, why: path.parent / "no such folder" / path.name)
    with pytest.raises(FileError, match="opened for writing"):
        History(older.parent)
    assert older.read_bytes() == before
    assert list(older.parent.iterdir()) == [older]


def test_two_sessions_can_bring_a_history_up_at_once(older):
    at_once(lambda _: History(older.parent).close())
    assert len(list(older.parent.iterdir())) == 2
    assert read(older.parent) == [REVIEW]


def test_a_name_that_is_taken_is_not_taken_again(tmp_path, monkeypatch):
    names = set()
    for _ in range(3):
        name = schema.free_name(tmp_path / "history.db", "v1")
        name.touch()
        names.add(name)
    assert len(names) == 3


# More than one session


def at_once(work):
    """Run work("a") and work("b") in two threads that begin together; raise what they raise."""
    ready = threading.Barrier(2)

    def begin(name):
        ready.wait()
        work(name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(begin, "ab"))


def test_two_sessions_at_once_keep_every_answer_of_both(tmp_path):
    def practise(name):
        with History(tmp_path) as kept:
            for number in range(25):
                kept.add(review(f"{name} {number}"))

    at_once(practise)
    assert {r.id for r in read(tmp_path)} == {f"id {name} {number}" for name in "ab" for number in range(25)}


@pytest.mark.parametrize("turn", range(10))
def test_two_sessions_can_make_the_history_at_once(turn, tmp_path):
    def begin(name):
        with History(tmp_path) as kept:
            kept.add(review(name))

    at_once(begin)
    assert {r.id for r in read(tmp_path)} == {"id a", "id b"}


def test_an_open_session_does_not_keep_another_from_reading(tmp_path):
    with History(tmp_path) as kept:
        kept.add(REVIEW)
        assert read(tmp_path) == [REVIEW]


def test_a_history_held_by_another_program_is_said(tmp_path, monkeypatch):
    filled(tmp_path)
    holder = raw(tmp_path)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(database, "WRITE_TIMEOUT", 0.0)
    assert "held by another program" in refusal(tmp_path)
    holder.close()


def aside(home):
    """What a session makes of a damaged file: the damage as it was, under its new name."""
    path = home / "history.db"
    damaged = path.read_bytes()
    with pytest.raises(FileError, match=r"is damaged \(.*left untouched") as stats:
        read(home)
    assert (stats.value.exit_code, path.read_bytes()) == (3, damaged)
    with History(home) as kept:
        assert kept.reviews() == []
        kept.add(REVIEW)
    (moved,) = home.glob("history.db.damaged-*Z")
    assert moved.read_bytes() == damaged
    assert read(home) == [REVIEW]
    assert str(path) in kept.notice
    assert moved.name in kept.notice
    assert "\n" not in kept.notice
    return moved


def test_a_file_that_is_no_database_is_set_aside_as_it_is(tmp_path):
    (tmp_path / "history.db").write_bytes(b"my diary\n" * 500)
    assert aside(tmp_path).read_bytes() == b"my diary\n" * 500


@pytest.mark.parametrize("page", range(1, 10))
def test_a_page_of_noise_is_found_before_the_first_question(page, tmp_path):
    filled(tmp_path, 150)
    path = tmp_path / "history.db"
    damaged = bytearray(path.read_bytes())
    assert len(damaged) > 10 * 4096
    damaged[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(damaged)
    aside(tmp_path)


def test_a_file_cut_short_is_set_aside(tmp_path):
    filled(tmp_path, 150)
    path = tmp_path / "history.db"
    path.write_bytes(path.read_bytes()[: 3 * 4096])
    aside(tmp_path)


def test_a_history_without_its_table_is_set_aside(tmp_path):
    filled(tmp_path)
    db = raw(tmp_path)
    db.execute("DROP TABLE reviews")
    db.close()
    aside(tmp_path)


def test_what_a_killed_session_left_beside_a_damaged_file_goes_with_it(tmp_path):
    path = tmp_path / "history.db"
    path.write_bytes(b"damaged")
    (tmp_path / "history.db-journal").write_bytes(b"of a session that was killed")
    database.set_aside(path, database.Damaged("it is damaged"))
    (journal,) = tmp_path.glob("history.db.damaged-*-journal")
    assert journal.read_bytes() == b"of a session that was killed"
    assert journal.with_name(journal.name.removesuffix("-journal")).read_bytes() == b"damaged"
    assert len(list(tmp_path.iterdir())) == 2


def test_each_damaged_file_keeps_a_name_of_its_own(tmp_path):
    for number in range(3):
        (tmp_path / "history.db").write_bytes(b"%d" % number * 5000)
        History(tmp_path).close()
    assert {path.read_bytes()[:1] for path in tmp_path.glob("history.db.damaged*")} == {b"0", b"1", b"2"}


@pytest.mark.parametrize("moment", ["before the lock", "in the middle of setting it aside"])
def test_two_sessions_that_both_find_a_file_damaged_set_it_aside_once(moment, tmp_path, monkeypatch):
    """Each interleaving is forced: the second session looks at the file while the first one is at that moment."""
    (tmp_path / "history.db").write_bytes(b"my diary\n" * 500)
    begun, found = threading.Event(), threading.Event()
    file_lock, set_aside = storage.file_lock, database.set_aside

    def lock_and_meet(path):
        if threading.current_thread().name == "second":
            found.set()
        elif moment == "before the lock":
            begun.set()
            assert found.wait(10)
        return file_lock(path)

    def set_aside_and_meet(path, fault):
        if not begun.is_set():
            begun.set()
            assert found.wait(10)
        return set_aside(path, fault)

    monkeypatch.setattr(storage, "file_lock", lock_and_meet)
    monkeypatch.setattr(database, "set_aside", set_aside_and_meet)
    faults = []

    def begin(name):
        try:
            with History(tmp_path) as kept:
                kept.add(review(name))
        except BaseException as error:
            faults.append(error)

    first, second = (threading.Thread(target=begin, args=(name,), name=name) for name in ("first", "second"))
    first.start()
    assert begun.wait(10)
    second.start()
    first.join()
    second.join()
    assert faults == []
    assert len(list(tmp_path.glob("history.db.damaged*"))) == 1
    assert {r.id for r in read(tmp_path)} == {"id first", "id second"}


def test_damage_that_cannot_be_set_aside_is_said_and_left_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "history.db").write_bytes(b"my diary\n" * 500)
    monkeypatch.setattr(database, "free_name", lambda path, why: path.parent / "no such folder" / path.name)
    with pytest.raises(FileError, match=r"could not be set aside \(No such file or directory\)"):
        History(tmp_path)
    assert (tmp_path / "history.db").read_bytes() == b"my diary\n" * 500


def test_a_large_file_is_looked_through_again_only_after_another_program_changed_it(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "LARGE", 4096)
    filled(tmp_path, 150)
    path = tmp_path / "history.db"
    looks = []
    check = database.refuse_unsound

    def watched(db, path):
        db.set_trace_callback(lambda statement: looks.append(1) if "integrity_check" in statement else None)
        check(db, path)
        db.set_trace_callback(None)

    monkeypatch.setattr(database, "refuse_unsound", watched)
    filled(tmp_path, 0)
    assert read(tmp_path) != []
    assert looks == []
    damaged = bytearray(path.read_bytes())
    damaged[3 * 4096 : 4 * 4096] = b"\xa5" * 4096
    path.write_bytes(damaged)
    aside(tmp_path)
    assert looks


def test_a_newer_version_asks_for_an_upgrade_and_is_left_as_it_is(tmp_path):
    filled(tmp_path)
    db = raw(tmp_path)
    db.execute("PRAGMA user_version = 7")
    db.close()
    before = (tmp_path / "history.db").read_bytes()
    message = refusal(tmp_path)
    assert "version 7" in message
    assert "upgrade" in message
    assert (tmp_path / "history.db").read_bytes() == before


def test_another_programs_database_is_left_as_it_is(tmp_path):
    db = raw(tmp_path)
    db.execute("CREATE TABLE recipes (name)")
    db.close()
    before = (tmp_path / "history.db").read_bytes()
    assert "another program" in refusal(tmp_path)
    assert (tmp_path / "history.db").read_bytes() == before


def test_a_home_that_is_a_file_is_said(tmp_path):
    (tmp_path / "home").write_text("not a folder")
    assert "--home" in refusal(tmp_path / "home")


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path):
    (tmp_path / "history.db").mkdir()
    assert "--home" in refusal(tmp_path)


def test_a_full_disk_loses_only_the_answer_it_names(tmp_path, monkeypatch):
    with History(tmp_path) as kept:
        kept.add(review(0))
        # SQLite reports a file at its largest size as it reports a full disk: SQLITE_FULL.
        (pages,) = kept._db.execute("PRAGMA page_count").fetchone()
        kept._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(FileError, match="disk is full"):
            kept.add(review(1, response="x" * 10_000))
        kept._db.execute(f"PRAGMA max_page_count = {pages + 100}")
        kept.add(review(2))
    assert [r.id for r in read(tmp_path)] == ["id 0", "id 2"]


def test_opening_a_history_changes_nothing_in_it(tmp_path):
    filled(tmp_path)
    before = (tmp_path / "history.db").read_bytes()
    History(tmp_path).close()
    assert (tmp_path / "history.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["history.db"]


def test_a_commit_returns_when_the_disk_has_the_row_and_the_journal_is_gone_for_good(tmp_path):
    with History(tmp_path) as kept:
        assert kept._db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert kept._db.execute("PRAGMA synchronous").fetchone() == (3,)  # EXTRA


def test_an_answer_cut_short_in_its_commit_is_rolled_back_by_the_next_session(tmp_path):
    # The state a kill in the middle of a commit leaves: pages half written, and the journal that undoes them.
    with History(tmp_path / "live") as kept:
        kept.add(review(0))
        kept._db.execute("PRAGMA cache_size = 1")
        kept._db.execute("PRAGMA cache_spill = 1")
        kept._db.execute("BEGIN IMMEDIATE")
        insert(kept._db, [review(f"lost {number}") for number in range(200)])
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
        kept._db.execute("ROLLBACK")
    assert (tmp_path / "killed/history.db-journal").stat().st_size > 0
    assert [r.id for r in read(tmp_path / "killed")] == ["id 0"]
    filled(tmp_path / "killed", 0)
    assert [r.id for r in read(tmp_path / "killed")] == ["id 0"]


def test_a_text_that_is_not_utf8_is_damage_and_set_aside(tmp_path):
    filled(tmp_path)
    path = tmp_path / "history.db"
    data = path.read_bytes()
    at = data.index(b"id 1")
    path.write_bytes(data[:at] + b"\xff" + data[at + 1 :])
    aside(tmp_path)


@pytest.mark.parametrize("name", [b"reviews_of_a_card", b"a_review_is_never_changed", b"TABLE reviews", b"share"])
def test_a_schema_whose_text_is_not_utf8_is_damage_and_set_aside(name, tmp_path):
    filled(tmp_path)
    path = tmp_path / "history.db"
    data = path.read_bytes()
    at = data.index(name)
    path.write_bytes(data[:at] + b"\xff" + data[at + 1 :])
    aside(tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_judged_the_same_by_a_check_and_by_the_next_quiz(seed, tmp_path):
    filled(tmp_path, 40)
    path = tmp_path / "history.db"
    data, random = bytearray(path.read_bytes()), Random(seed)
    for _ in range(random.choice([1, 5, 30])):
        data[random.randrange(100, len(data))] = random.randrange(256)
    path.write_bytes(data)
    try:
        checkup.check(tmp_path, datetime.now(UTC))
        judged = ""
    except FileError as error:
        judged = str(error)
    try:
        with History(tmp_path) as kept:
            assert ("set aside" in kept.notice) == ("sets it aside" in judged)
    except FileError:
        assert judged
