"""The quiz as its learner meets it: in a pipe, on a terminal, interrupted, killed, and on a disk that fails."""

import ctypes
import io
import json
import os
import pty
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from regdemo.cli import app
from regdemo.quiz.history import History, read

pytestmark = pytest.mark.usefixtures("home")

SCRIPTS = Path(__file__).parents[2] / "scripts"
DECK = """
## Q1: Which *one* is [red]right[/red]?

- [ ] not <b>this</b>
  Too <b>bold</b>.
- [x] this `one`
- [ ] nor that

### Answer
It stands in the middle of the file.

### Hints
- Look at the middle.

### Follow-ups
- Q2
- Q9

### See it
`regdemo dropout --p 0.1`

### Sources
- A book, page 3

## Q2: What is {n} + 1?

```toml vary
n = [1, 2, 3, 4, 5, 6, 7, 8, 9]
```

### Answer
= n + 1 ± 0

### Wrong answers
- = n: that is n itself.

## Q3: Why?

### Answer
Because of **that**.

### Key points
- the first
- the second
- the third &#x202e;
"""


@pytest.fixture
def deck(tmp_path):
    path = tmp_path / "deck.md"
    path.write_text(DECK, encoding="utf-8")
    return path


@pytest.fixture
def run(deck, capsys, monkeypatch):
    """Take the quiz in this process, answers piped in; the exit code, standard output and standard error."""

    def run(answers="", *options, name="quiz"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        code = app.run([name, "--bank", str(deck), *options])
        return code, *capsys.readouterr()

    return run


def say(run, answers, *options):
    """The output of a quiz that ends well."""
    code, out, err = run(answers, *options)
    assert (code, err) == (0, "")
    return out


def after_days(monkeypatch, days):
    later = datetime.now(UTC) + timedelta(days=days)
    monkeypatch.setattr("regdemo.cli.learner.clock", lambda: later)


def sequence(out):
    """The ids of the cards in the order in which they were asked."""
    return re.findall(r"^── \d+ of \d+ · (\S+) ─", out, re.MULTILINE)


# In a pipe


def test_answers_can_be_piped_in_and_are_saved(run, home):
    out = say(run, "b\n-1\n\n3\n", "--ids", "Q1,Q2,Q3", "--seed", "0")
    assert [(r.card, r.kind) for r in read(home)] == [("Q1", "choice"), ("Q2", "numeric"), ("Q3", "recall")]
    assert sequence(out) == ["Q1", "Q2", "Q3", "Q2"]


def test_the_right_option_is_told_from_the_wrong_ones_by_mark_and_word(run):
    out = say(run, "this one\nnor that\nnor that\n", "--ids", "Q1")
    assert "✓ Right" in out
    assert "✗ Wrong" in say(run, "nor that\n", "--ids", "Q1")


def test_after_the_answer_come_feedback_explanation_sources_and_the_command_that_shows_it(run):
    out = say(run, "not <b>this</b>\n", "--ids", "Q1")
    feedback, explanation, see, source, follow_up, saved = (
        out.index(text)
        for text in (
            "Too <b>bold</b>.",
            "It stands in the middle",
            "See it  `regdemo dropout --p 0.1`",
            "Source  A book, page 3",
            "--ids Q2`",
            "Saved as Again. It comes again at the end.",
        )
    )
    assert feedback < explanation < see < source < follow_up < saved
    assert "Q9" not in out


def test_a_known_wrong_value_is_explained(run):
    out = say(run, "1\n2\n3\n", "--ids", "Q2", "--seed", "0")
    shown = re.search(r"What is (\d) \+ 1", out)[1]
    assert "that is n itself" in say(run, f"{shown}\n", "--ids", "Q2", "--seed", "0")


def test_a_recall_card_shows_its_answer_only_after_enter(run):
    assert "Because" not in say(run, "", "--ids", "Q3")
    out = say(run, "I think so\n", "--ids", "Q3")
    assert "Because of **that**." in out
    assert "b the second" in out


@pytest.mark.parametrize(
    ("lines", "rating"),
    [
        ("\n1\n", 1),
        ("\n2\n", 2),
        ("\n4\n", 4),
        ("\nabc\n\n", 3),
        ("\na, c\n\n", 2),
        ("\nb\n\n", 1),
        ("\nb\n4\n", 4),
        ("\nz\n5\n2\n", 2),
        ("\n\n4\n", 4),
    ],
)
def test_a_recall_card_is_graded_by_a_number_or_by_the_points_made(lines, rating, run, home):
    say(run, lines, "--ids", "Q3")
    assert [review.rating for review in read(home)] == [rating]


def test_a_recall_card_without_key_points_is_graded_by_a_number_only(run, deck, home):
    deck.write_text("## Q1: Why?\n\n### Answer\nSo.\n")
    out = say(run, "\n,\na\n2\n")
    assert out.count("isn't a grade") == 2
    assert [review.rating for review in read(home)] == [2]


def test_what_was_said_to_a_recall_card_is_kept(run, home):
    say(run, "my own words\nac\n4\n", "--ids", "Q3")
    (review,) = read(home)
    assert (review.response, review.rating, round(review.share, 2)) == ("my own words", 4, 0.67)


def test_an_answer_that_cannot_be_read_is_asked_again_and_not_counted(run, home):
    out = say(run, "what\nz\n\nb\n", "--ids", "Q1")
    assert out.count("a to c") == 3
    assert len(read(home)) == 1


def test_a_question_mark_tells_what_is_allowed_and_the_keys(run, home):
    out = say(run, "?\n\n?\n", "--ids", "Q2")
    assert "3/8" in out
    assert out.count("h hint · s skip · f flag · u undo · q quit · ? help") == 3
    assert read(home) == []


def test_h_shows_a_hint_and_makes_a_right_answer_hard(run, home):
    out = say(run, "h\nh\nthis one\n", "--ids", "Q1")
    assert out.index("Look at the middle.") < out.index("No more hints.") < out.index("Saved as Hard")
    assert read(home)[0].hints == 1


def test_s_skips_a_card_without_saving_it(run, home):
    out = say(run, "s\n1\nq\n", "--ids", "Q1,Q2")
    assert sequence(out)[:2] == ["Q1", "Q2"]
    assert {review.card for review in read(home)} == {"Q2"}


def test_q_ends_the_quiz_and_says_what_was_saved(run, home):
    out = say(run, "b\nq\nb\n", "--ids", "Q1,Q2,Q3")
    assert "1 answer saved" in out
    assert len(read(home)) == 1


def test_the_end_of_input_ends_the_quiz_and_says_what_was_saved(run, home):
    out = say(run, "b\n3", "--ids", "Q1,Q2,Q3", "--seed", "0")
    assert "2 answers saved" in out
    assert len(read(home)) == 2


def test_keys_that_are_letters_of_options_are_answers(run, deck, home):
    options = "".join(f"- [{'x' if n == 7 else ' '}] {n}\n" for n in range(8))
    deck.write_text(f"## Q1: Which?\n\n{options}\n### Hints\n- never shown\n")
    out = say(run, "h\n", "--ids", "Q1")
    assert "never shown" not in out
    assert len(read(home)) == 1


def test_in_a_pipe_nothing_is_coloured_or_prompted_and_no_line_ends_in_space(run):
    out = say(run, "b\nx\n3\n\n\n", "--ids", "Q1,Q2,Q3")
    assert "\x1b" not in out
    assert " > " not in out
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


def test_a_deck_and_an_answer_are_shown_not_obeyed(run):
    out = say(run, "[bold]\x1b[31m\x07\u202ered\nb\n", "--ids", "Q1")
    assert "Which *one* is [red]right[/red]?" in out
    no = "\N{REPLACEMENT CHARACTER}"
    assert f"> [bold]{no}[31m{no}{no}red" in out
    assert "\x1b" not in out


def test_the_same_seed_asks_the_same(run, home, tmp_path):
    def asked(seed, name):
        return say(run, "", "--seed", seed, "--ids", "Q2", "--home", str(tmp_path / name))

    assert asked("3", "a") == asked("3", "b")
    assert len({asked(str(seed), "c") for seed in range(20)}) > 1


# Which cards


def test_new_cards_are_taken_in_in_the_order_of_the_bank_and_no_more_than_new(run):
    assert sequence(say(run, "s\n" * 9, "--new", "2")) == ["Q1", "Q2"]


def test_due_cards_come_first(run, monkeypatch):
    say(run, "\n3\n", "--ids", "Q3")
    after_days(monkeypatch, 5)
    assert sequence(say(run, "s\n" * 9)) == ["Q3", "Q1", "Q2"]


def test_limit_bounds_the_cards(run):
    assert sequence(say(run, "s\n" * 9, "--limit", "1")) == ["Q1"]
    assert sequence(say(run, "s\n" * 9, "--limit", "2", "--ids", "Q3,Q1,Q2")) == ["Q3", "Q1"]


def test_ids_are_asked_in_their_order_due_or_not_each_once(run):
    say(run, "\n4\n", "--ids", "Q3")
    assert sequence(say(run, "s\n" * 9, "--ids", "Q3, Q1,Q3")) == ["Q3", "Q1"]


def test_tonight_asks_what_is_tagged_so_due_or_not_and_names_the_katas(run, deck):
    text = re.sub(r"^## Q3:.*$", r"\g<0>\n\n### Tags\ntonight\n", deck.read_text(), count=1, flags=re.MULTILINE)
    code = "```python starter\nx = 0\n```\n```python judge\nassert x\n```\n```python solution\nx = 1\n```\n"
    deck.write_text(f"{text}\n## K1: Set x.\n\n### Tags\ntonight\n\n{code}", encoding="utf-8")
    out = say(run, "s\n" * 9, "--tonight")
    assert sequence(out) == ["Q3"]
    assert "regdemo kata start K1" in out
    say(run, "\n4\n", "--ids", "Q3")
    assert sequence(say(run, "s\n" * 9, "--tonight")) == ["Q3"]


def test_an_id_that_is_not_there_exits_2_and_names_what_is(run, home):
    code, out, err = run("", "--ids", "Q1,Q9")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"regdemo: .*'Q9'.*Q3.*\n", err)
    assert not home.exists()


def test_when_nothing_is_due_the_next_card_is_told(run):
    say(run, "\n3\n", "--ids", "Q3")
    out = say(run, "", "--new", "0")
    assert out == (
        "Nothing to ask now. Q3 is the next due, in 2 days. 2 cards not begun.\n"
        "1 new card begun today: `--new 11` asks new ones.\n"
    )


def test_a_cram_of_new_cards_begins_none_of_them(run, capsys):
    assert "2 answers saved, 1 right. 2 cards not begun." in say(run, "\n1\nthis one\n", "--cram", "--ids", "Q3,Q1")
    assert re.search(r"not begun +3 ", run(name="stats")[1])
    assert app.run([]) == 0
    assert "nothing due, 10 new." in capsys.readouterr().out


def test_when_all_was_answered_and_nothing_is_due_cram_is_offered(run, deck):
    deck.write_text("## Q3: Why?\n\n### Answer\nBecause.\n")
    say(run, "\n3\n")
    assert say(run, "").endswith("\n`--cram` asks cards before they are due.\n")


def test_code_cards_that_were_chosen_are_left_to_kata_and_those_of_a_whole_bank_are_not_spoken_of(run, deck):
    code = "```python starter\n...\n```\n\n```python judge\n...\n```\n\n```python solution\n...\n```\n"
    deck.write_text(f"{DECK}\n\n## Q4: Write it\n\n{code}", encoding="utf-8")
    out = say(run, "s\n" * 9)
    assert "of code" not in out
    assert sequence(out) == ["Q1", "Q2", "Q3"]
    assert "of code" not in say(run, "", "--ids", "Q1")
    assert say(run, "", "--ids", "Q1,Q4").startswith("1 card of code is left to `regdemo kata --bank ")
    assert "is left to `regdemo kata" in say(run, "", "--kind", "code")


def test_the_bundled_bank_is_the_default(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert app.run(["quiz"]) == 0
    assert "1 of 10 · " in capsys.readouterr().out


# Statistics


def test_stats_before_the_first_answer_says_what_to_do_and_makes_no_file(run, deck, home):
    code, out, _ = run(name="stats")
    assert (code, out) == (0, f"3 cards, none answered yet in {home}: begin with `regdemo quiz --bank {deck}`.\n")
    assert not home.exists()


def test_stats_count_what_is_due_learned_and_weak(run, monkeypatch):
    say(run, "\n4\n", "--ids", "Q3")
    say(run, "nor that\ns\n", "--ids", "Q1")
    code, out, _ = run("", "--json", name="stats")
    shown = json.loads(out)
    assert (code, shown["cards"], shown["new"], shown["answers"], shown["learned"]) == (0, 3, 1, 2, 0)
    assert shown["due"] == {"now": 0, "within_a_day": 1, "within_a_week": 0, "later": 1}
    assert [(card["id"], card["failed"], card["answers"]) for card in shown["weak"]] == [("Q1", 1, 1)]
    assert 0 < shown["weak"][0]["recall_tomorrow"] < 0.9
    after_days(monkeypatch, 9)
    say(run, "\n4\n", "--ids", "Q3")
    shown = json.loads(run("", "--json", name="stats")[1])
    assert shown["due"]["now"] == 1
    assert shown["learned"] == 1


def test_stats_as_json_has_the_same_shape_before_the_first_answer(run):
    shown = json.loads(run("", "--json", name="stats")[1])
    assert (shown["cards"], shown["new"], shown["answers"], shown["weak"]) == (3, 3, 0, [])


@pytest.mark.parametrize("width", [60, 80])
def test_stats_keep_to_the_width_and_name_the_weak_cards(width, run, monkeypatch):
    say(run, "nor that\ns\n", "--ids", "Q1")
    monkeypatch.setenv("COLUMNS", str(width))
    out = run(name="stats")[1]
    assert max(map(len, out.splitlines())) <= width
    assert re.search(r"Q1 +\d+% +1 of 1 +in 10 minutes +Which \*one\*", out)


def test_stats_without_a_weak_card_name_none(run):
    say(run, "\n4\n", "--ids", "Q3")
    assert "Weakest, and" not in run(name="stats")[1]


def test_stats_count_the_cards_of_the_bank_only(run, home):
    say(run, "\n4\n", "--ids", "Q3")
    with History(home) as kept:
        kept.add(type(kept.reviews()[0])("gone", 0, "recall", 1, 0.0, "", "{}", "", 0, 0, "s"))
    assert json.loads(run("", "--json", name="stats")[1])["answers"] == 1


# In a process of its own


@pytest.fixture
def child():
    """Start the real command line; its standard streams are pipes. None outlives the test."""
    with ExitStack() as running:

        def start(deck, *options, name="quiz", **how):
            arguments = [sys.executable, "-m", "regdemo", name, "--bank", str(deck), *options]
            streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
            process = running.enter_context(subprocess.Popen(arguments, **{**streams, **how}))
            running.callback(process.kill)
            return process

        yield start


def read_until(stream, text):
    """Read until a text has come."""
    seen = b""
    while text not in seen:
        seen += read_some(stream, 65536)
    return seen


def read_some(stream, size):
    """Up to so many bytes, as soon as there are any; fail at the end of the stream."""
    piece = os.read(stream.fileno(), size)
    assert piece, "the stream has ended"
    return piece


def test_ctrl_c_exits_130_and_says_what_was_saved(child, deck, home):
    quiz = child(deck, "--ids", "Q3,Q1")
    quiz.stdin.write(b"\n3\n")
    quiz.stdin.flush()
    read_until(quiz.stdout, "2 of 2 · Q1".encode())
    quiz.send_signal(signal.SIGINT)
    out, err = quiz.communicate()
    assert (quiz.returncode, err) == (130, b"")
    assert b"1 answer saved" in out
    assert len(read(home)) == 1


def test_a_second_session_keeps_its_answers_too(child, deck, run, home):
    quiz = child(deck, "--ids", "Q3,Q1,Q2")
    quiz.stdin.write(b"\n3\n")
    quiz.stdin.flush()
    read_until(quiz.stdout, "2 of 3 · Q1".encode())
    say(run, "b\nq\n", "--ids", "Q1,Q3")
    out, err = quiz.communicate(b"b\nq\n")
    assert (quiz.returncode, err) == (0, b"")
    assert b"2 answers saved" in out
    assert [review.card for review in read(home)] == ["Q3", "Q1", "Q1"]


def test_bytes_that_are_no_text_are_an_answer_like_any_other(child, deck, home):
    _, err = child(deck, "--ids", "Q3").communicate(b"\xff\xfe\x00\n3\n")
    assert err == b""
    assert read(home)[0].response == "\N{REPLACEMENT CHARACTER}" * 2 + "\0"


def test_a_closed_input_is_its_end(child, deck):
    quiz = child(deck, "--ids", "Q3", stdin=None, preexec_fn=lambda: os.close(0))
    out, err = quiz.communicate()
    assert (quiz.returncode, err) == (0, b"")
    assert b"0 answers saved" in out


def on_terminal(child, deck, **environment):
    """All that a terminal is sent while Q3 is graded by its key points and Q1 left by Ctrl-D."""
    outer, inner = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    variables |= {"TERM": "xterm-256color", **environment}
    quiz = child(deck, "--ids", "Q3,Q1", stdin=inner, stdout=inner, stderr=inner, env=variables)
    os.close(inner)
    with open(outer, "rb", buffering=0) as terminal:
        seen = b""
        for prompt, answer in [
            (b"your answer > ", b"\n"),
            (b"grade > ", b"ab\n"),
            (b"Enter keeps Hard > ", b"\n"),
            (b"? more > ", b"\n"),
            (b"letter > ", b"\x04"),
            (b"1 answer saved", b""),
        ]:
            seen += read_until(terminal, prompt)
            os.write(outer, answer)
        assert quiz.wait() == 0
    return seen.decode().replace("\r", "")


def without_styles(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


@pytest.mark.parametrize("width", [60, 80])
def test_on_a_terminal_markdown_is_rendered_within_the_width(width, child, deck):
    seen = on_terminal(child, deck, COLUMNS=str(width))
    text = without_styles(seen)
    assert "\x1b[1mthat\x1b[0m" in seen
    assert "Because of that." in text
    assert "Which one is [red]right[/red]?" in text
    assert "this one" in text
    assert "<b>this</b>" in text
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) <= width


def test_on_a_terminal_each_question_begins_on_an_empty_screen_and_what_was_there_can_be_scrolled_to(child, deck):
    seen = on_terminal(child, deck)
    screens = seen.split("\x1b[H")
    assert [re.findall("of 2 · (Q.)", screen) for screen in screens] == [[], ["Q3"], ["Q1"]]
    assert all(screen.endswith("\n" * 20) for screen in screens[:-1])
    assert "\x1b[2J" not in seen


def test_a_pipe_is_not_read_past_its_last_card(child, deck):
    quiz = child(deck, "--ids", "Q1")
    quiz.stdin.write(b"this one\n")
    quiz.stdin.flush()
    assert b"1 answer saved" in quiz.stdout.read()  # which ends, though no more was written and nothing closed


def test_on_a_dumb_terminal_nothing_is_cleared(child, deck):
    assert "\x1b[H" not in on_terminal(child, deck, TERM="dumb")


def test_on_a_terminal_without_colour_code_keeps_its_backticks(child, deck):
    seen = on_terminal(child, deck, NO_COLOR="1")
    assert "this `one`" in without_styles(seen)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", seen)


@pytest.mark.parametrize("command", ["quiz", "mock"])
def test_nothing_that_was_confirmed_is_lost_to_kill_9_and_the_history_stays_whole(command):
    soak = [sys.executable, SCRIPTS / "soak.py", command, "--kills", "20"]
    done = subprocess.run(soak, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"{command}: 20 kills: \d+ within a commit; confirmed and kept: [1-9]\d* answers, ", done.stdout)


# Disks and files that fail


def as_anyone():
    """In the child: take from root the right to write where permissions forbid it."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def refused(child, deck):
    """The one line with which the quiz refuses before the first question."""

    def refused(**how):
        quiz = child(deck, "--ids", "Q3", **how)
        out, err = quiz.communicate(b"")
        assert (quiz.returncode, out) == (3, b"")
        assert re.fullmatch(rb"regdemo: [^\n]+\n", err), err
        return err.decode()

    return refused


def begun(home):
    History(home).close()
    return home / "history.db"


def test_a_history_that_is_no_database_is_set_aside_in_one_line_and_practice_goes_on(run, home):
    home.mkdir()
    (home / "history.db").write_bytes(b"my diary " * 999)
    out = say(run, "\n3\n", "--ids", "Q3")
    (aside,) = home.glob("history.db.damaged-*")
    assert aside.read_bytes() == b"my diary " * 999
    assert re.search(rf"^{home}/history.db is damaged .* set aside as {aside.name}, untouched", out, re.MULTILINE)
    assert [review.card for review in read(home)] == ["Q3"]


def test_a_history_of_a_newer_version_is_refused(refused, home):
    db = sqlite3.connect(begun(home))
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert "newer regdemo" in refused()


def test_a_read_only_history_is_refused_before_the_first_question(refused, home):
    begun(home).chmod(0o444)
    line = refused(preexec_fn=as_anyone)
    assert "permissions" in line


def test_a_read_only_folder_is_refused_before_the_first_question(refused, home):
    begun(home)
    home.chmod(0o555)
    line = refused(preexec_fn=as_anyone)
    home.chmod(0o755)
    assert "permissions" in line


def test_a_folder_that_cannot_be_made_is_refused(refused, home, tmp_path):
    tmp_path.chmod(0o555)
    line = refused(preexec_fn=as_anyone)
    tmp_path.chmod(0o755)
    assert "Permission denied" in line
    assert "--home" in line


def test_stats_read_a_history_that_is_read_only(child, deck, run, home):
    say(run, "\n3\n", "--ids", "Q3")
    (home / "history.db").chmod(0o444)
    home.chmod(0o555)
    stats = child(deck, "--json", name="stats", preexec_fn=as_anyone)
    out, err = stats.communicate()
    home.chmod(0o755)
    assert (stats.returncode, err) == (0, b"")
    assert json.loads(out)["answers"] == 1


def test_a_home_that_is_a_file_is_refused(refused, home):
    home.write_text("not a folder")
    assert "--home" in refused()
    assert home.read_text() == "not a folder"


def test_a_disk_that_takes_no_more_is_said_and_so_is_what_was_saved(child, deck, home):
    size = begun(home).stat().st_size
    deck.write_text("## A1: Why?\n\nSo.\n\n## A2: Why not?\n\nSo.\n")
    quiz = child(deck, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, size + 8192)))
    out, err = quiz.communicate(b"short\n3\n" + b"long" * 10_000 + b"\n3\n")
    assert quiz.returncode == 3
    assert re.fullmatch(rb"regdemo: [^\n]*disk[^\n]*\n", err)
    assert b"1 answer saved" in out
    assert [review.card for review in read(home)] == ["A1"]
