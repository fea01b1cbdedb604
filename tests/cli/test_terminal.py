"""Practice at a terminal, key by key: every flow drives the real command on a pseudo-terminal of its own."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from io import StringIO

import pytest

from helpers import take_terminal
from regdemo.cli import keyboard
from regdemo.cli.keyboard import _Line, _position
from regdemo.quiz.history import read, read_rows

pytestmark = pytest.mark.usefixtures("home")

DECK = """
## Q1: Which?

- [ ] wrong
  The first is a trap.
- [x] right
  It is so.
- [ ] neither
  That is another.

### Answer
All of it.

### Hints
- one

### Follow-ups
- Q4

### See it
`regdemo list --json`

### Sources
- A book, page 3, https://example.org/a/very/long/address/that/is/longer/than/a/line/of/eighty/columns.html

## Q2: Why?

### Answer
Because of that.

### Key points
- the cause
- the effect

## Q3: What is 1 + 1?

### Answer
= 2

## Q4: The letter of keys is {{k}}, of queries {{q}}.
"""
PATIENCE = 20  # seconds until a test that waits for output that does not come fails


class Terminal:
    """A process on a terminal. expect() waits for what it shows, send() types."""

    def __init__(self, arguments, columns=80, rows=24, **environment):
        self.outer, self.inner = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.inner)
        variables = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        variables |= {"TERM": "xterm-256color", **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "regdemo", *arguments],
            stdin=self.inner,
            stdout=self.inner,
            stderr=self.inner,
            env=variables,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        self.seen = ""
        self.place = 0

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.outer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, keys):
        os.write(self.outer, keys.encode())

    def expect(self, text):
        """What was shown since the last time, up to a text that is now there."""
        end = time.monotonic() + PATIENCE
        while (found := self.plain().find(text, self.place)) < 0:
            assert time.monotonic() < end, f"{text!r} did not come; there is {self.plain()[self.place :]!r}"
            if select.select([self.outer], [], [], 1)[0]:
                self.seen += os.read(self.outer, 65536).decode(errors="replace")
        shown = self.plain()[self.place : found]
        self.place = found + len(text)
        return shown

    def talk(self, *turns):
        """A prompt to wait for, the keys to send then, the next prompt, and so on."""
        for prompt, keys in zip(turns[::2], turns[1::2], strict=True):
            self.expect(prompt)
            self.send(keys)

    def plain(self):
        return re.sub("\x1b\\[[0-9;?]*[a-zA-Z]|\r", "", self.seen)

    def drain(self):
        while select.select([self.outer], [], [], 0)[0]:
            self.seen += os.read(self.outer, 65536).decode(errors="replace")

    def ends(self):
        """The exit code; the terminal is then as it was, and no longer in paste mode."""
        code = self.process.wait(PATIENCE)
        self.drain()
        self.is_as_before()
        return code

    def is_as_before(self):
        assert termios.tcgetattr(self.inner) == self.before
        assert self.seen.count(keyboard.PASTE_ON) == self.seen.count(keyboard.PASTE_OFF)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.outer)
        os.close(self.inner)


@pytest.fixture
def watch(tmp_path):
    """`kata watch`, which reads single keys, after the first one."""
    terminal = Terminal(["kata", "watch", "dropout", "--dir", str(tmp_path), "--weaker"])
    terminal.talk("q quit", "h", "q quit", "")
    yield terminal
    terminal.close()


@pytest.fixture
def start(tmp_path):
    (tmp_path / "deck.md").write_text(DECK, encoding="utf-8")
    running = []

    def start(ids, *options, command="quiz", **how):
        chosen = ["--ids", ids] if ids else []
        deck = ["--bank", str(tmp_path / "deck.md"), "--seed", "0"]
        terminal = Terminal([command, *deck, *chosen, *options], **how)
        running.append(terminal)
        return terminal

    yield start
    for terminal in running:
        terminal.close()


def letter(shown, text):
    return re.search(rf"^([a-c])\) +{text}", shown, re.MULTILINE)[1]


# Keys


def test_an_option_is_chosen_by_one_key_and_its_reasons_are_shown(start, home):
    quiz = start("Q1")
    wrong = letter(quiz.expect("letter > "), "wrong")
    quiz.send(wrong)
    shown = quiz.expect("? more > ")
    assert "The first is a trap." in shown
    assert "It is so." in shown
    assert "That is another." not in shown
    quiz.send("a")
    assert "That is another." in quiz.expect("? more > ")
    quiz.send("o")
    assert "A book, page 3" in quiz.expect("? more > ")
    assert re.search(r"\x1b\]8;[^;]*;(https://example\.org/\S+\.html)\x1b\\(\x1b\[[0-9;]*m)?  \1", quiz.seen)
    quiz.send("q")
    assert quiz.ends() == 0
    assert [review.rating for review in read(home)] == [1]


def test_a_follow_up_is_asked_in_the_same_session(start):
    quiz = start("Q1")
    quiz.send(letter(quiz.expect("letter > "), "right"))
    quiz.talk("? more > ", "n")
    shown = quiz.expect("missing text > ")
    assert "A follow-up to the question before." in shown
    assert "2 gaps: type what is missing in each, in order, with ; between them." in shown
    quiz.send("\x04")
    assert quiz.ends() == 0


def test_a_command_is_run_and_the_card_comes_back(start):
    quiz = start("Q1")
    quiz.send(letter(quiz.expect("letter > "), "right"))
    quiz.talk("? more > ", "!")
    assert '"command": "regdemo dropout"' in quiz.expect("? more > ")
    quiz.send("q")
    assert quiz.ends() == 0


def test_the_text_of_an_option_is_typed_behind_a_space_or_pasted(start, home):
    quiz = start("Q1")
    quiz.talk("letter > ", "?")
    assert "To type an option's text, begin with a space." in " ".join(quiz.expect("letter > ").split())
    for key in " right":
        quiz.send(key)
        quiz.expect(key)
    quiz.talk("", "\n", "✓ Right", "", "? more > ", "u", "letter > ", "right\n", "✓ Right", "", "? more > ", "q")
    assert quiz.ends() == 0
    assert [review.response for review in read(home)] == ["right"]


def test_which_keys_need_enter_is_true_of_every_question(start):
    quiz = start("Q2,Q1")
    assert "? help  (with Enter in a text)" in quiz.expect("your answer > ")
    quiz.talk("", "s\n", "? more > ", "\n", "letter > ", "s", "? more > ", "q")
    assert quiz.ends() == 0


def test_a_hint_that_is_not_there_says_so_and_one_that_is_says_what_it_costs(start):
    quiz = start("Q3,Q1")
    quiz.talk("number > ", "h\n")
    assert "This card has no hints." in quiz.expect("number > ")
    quiz.send("s\n")
    quiz.talk("? more > ", "\n", "letter > ", "h")
    assert "The best grade is now Hard; no hint left." in quiz.expect("letter > ")
    quiz.send("q")
    assert quiz.ends() == 0


def test_a_right_answer_that_was_luck_is_graded_down(start, home):
    quiz = start("Q3")
    quiz.talk("number > ", "2\n", "1 it was luck", "1")
    quiz.expect("Saved as Again instead.")
    quiz.talk("? more > ", "q")
    assert quiz.ends() == 0
    assert [review.rating for review in read(home)] == [1]


def test_a_recall_card_has_no_default_grade_and_keeps_the_own_words_next_to_the_key_points(start, home):
    quiz = start("Q2")
    quiz.talk("your answer > ", "my words\n")
    shown = quiz.expect("grade > ")
    assert re.search(r"You said\n *my words *\n\n *Key points", shown)
    assert re.search(r"1 Again 10m · 2 Hard \d+m · 3 Good \d+d · 4 Easy \d+d", shown)
    quiz.send("\n")
    quiz.expect("There is no default grade.")
    quiz.expect("grade > ")
    assert read(home) == []
    quiz.send("3")
    quiz.expect("Saved as Good.")
    quiz.talk("? more > ", "q")
    assert quiz.ends() == 0
    assert [(review.rating, review.response) for review in read(home)] == [(3, "my words")]


def test_the_first_key_of_a_new_session_takes_back_the_last_answer_of_the_one_before(start, home):
    before = start("Q3")
    before.talk("number > ", "2\n", "? more > ", "q")
    before.ends()
    quiz = start("Q1")
    quiz.talk("letter > ", "u")
    assert "Took back your answer of last time to Q3" in quiz.expect("number > ")
    assert read(home) == []
    quiz.send("q\n")
    assert quiz.ends() == 0


# Pastes, several lines, what comes too early


def test_a_paste_of_several_lines_is_one_answer_and_grades_nothing(start, home):
    quiz = start("Q2,Q3")
    quiz.talk("your answer > ", "\x1b[200~first line\r\n\r\n3\r\nlast line\x1b[201~")
    quiz.expect("last line")
    assert read(home) == []
    quiz.send("\n")
    quiz.talk("grade > ", "2", "? more > ", "q")
    assert quiz.ends() == 0
    assert [(review.response, review.rating) for review in read(home)] == [("first line\n\n3\nlast line", 2)]


def test_a_paste_at_a_terminal_without_brackets_is_one_answer_too(start, home):
    quiz = start("Q2")
    quiz.talk("your answer > ", "first line\n\nlast line\n", "last line", "\n", "grade > ", "q")
    assert quiz.ends() == 0


def test_a_paste_into_a_mock_fills_one_question(start, home):
    mock = start("", "--kind", "recall", command="mock")
    mock.talk("your answer > ", "\x1b[200~one\n\n50\ntwo\x1b[201~\n", "how sure, 0 to 100% > ", "50\n", "grade > ", "q")
    assert mock.ends() == 0
    assert [(review.response, review.sure) for review in read_rows(home)[0]] == [("one\n\n50\ntwo", 0.5)]


def test_what_was_typed_before_a_prompt_was_shown_answers_nothing(start, home):
    quiz = start("Q1,Q3")
    quiz.send("abc\n3\nabc")
    quiz.talk("letter > ", "\x04")
    assert quiz.ends() == 0
    assert read(home) == []


def test_an_answer_can_be_written_in_an_editor(start, home, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'two\\nlines\\n' > \"$1\"\n")
    editor.chmod(0o755)
    quiz = start("Q2", VISUAL=str(editor))
    quiz.talk("your answer > ", "e\n", "grade > ", "3", "? more > ", "q")
    assert quiz.ends() == 0
    assert [review.response for review in read(home)] == ["two\nlines"]


def test_an_editor_that_fails_leaves_the_question(start):
    quiz = start("Q2", VISUAL="false")
    quiz.talk("your answer > ", "e\n")
    assert "the editor 'false' ended with exit code 1" in quiz.expect("your answer > ")
    quiz.send("q\n")
    assert quiz.ends() == 0


# Ends, stops, sizes


def to_the_end(start, how, code):
    """Leave at each prompt of a quiz in this way; what was confirmed is kept."""
    steps = [("Q1", "letter > ", ""), ("Q3", "number > ", ""), ("Q2", "your answer > ", ""), ("Q2", "grade > ", "\n")]
    for ids, prompt, before in steps:
        quiz = start(ids)
        if before:
            quiz.talk("your answer > ", before)
        quiz.talk(prompt, how)
        assert quiz.ends() == code
        assert "0 answers saved" in quiz.plain()
        assert "Traceback" not in quiz.plain()


def test_ctrl_c_at_each_prompt_leaves_the_terminal_as_it_was(start, home):
    to_the_end(start, "\x03", 130)
    assert read(home) == []


def test_the_end_of_input_at_each_prompt_leaves_the_terminal_as_it_was(start, home):
    to_the_end(start, "\x04", 0)
    assert read(home) == []


@pytest.mark.parametrize(("how", "code"), [("\x03", 130), ("\x04", 0)])
def test_after_an_answer_leaving_keeps_it(how, code, start, home):
    quiz = start("Q3")
    quiz.talk("number > ", "2\n", "? more > ", how)
    assert quiz.ends() == code
    assert len(read(home)) == 1


@pytest.mark.parametrize(("how", "code"), [("\x03", 130), ("\x04", 0)])
def test_an_interview_left_at_the_certainty_keeps_its_answer(how, code, start, home):
    mock = start("", "--kind", "numeric", command="mock")
    mock.talk("number > ", "2\n", "how sure, 0 to 100% > ", how)
    mock.expect("1 of 1 right")
    assert mock.ends() == code
    assert [(review.rating, review.sure) for review in read(home)] == [(3, None)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_leaves_the_terminal_as_it_was(number, start):
    quiz = start("Q1")
    quiz.expect("letter > ")
    quiz.process.send_signal(number)
    assert quiz.ends() == -number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_a_watch_leaves_the_terminal_as_it_was(number, watch):
    watch.process.send_signal(number)
    assert watch.ends() == -number


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
def test_a_watch_that_is_stopped_takes_keys_again_when_it_goes_on(stop, watch):
    watch.process.send_signal(stop)
    _, status = os.waitpid(watch.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    if stop == signal.SIGTSTP:
        watch.is_as_before()
    termios.tcsetattr(watch.inner, termios.TCSANOW, watch.before)  # as a shell does
    watch.process.send_signal(signal.SIGCONT)
    end = time.monotonic() + PATIENCE
    while termios.tcgetattr(watch.inner)[3] & termios.ICANON:
        assert time.monotonic() < end
    watch.send("h")
    watch.talk("Hint 2 of", "", "q quit", "q")
    assert watch.ends() == 0


def test_a_quiz_that_is_suspended_gives_the_terminal_back_and_goes_on(start, home):
    quiz = start("Q3")
    quiz.talk("number > ", "1 + ", "1 + ", "\x1a")
    _, status = os.waitpid(quiz.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    quiz.drain()
    quiz.is_as_before()
    quiz.process.send_signal(signal.SIGCONT)
    quiz.talk("number > 1 + ", "1\n")
    quiz.expect("✓ Right")
    quiz.talk("? more > ", "\x04")
    assert quiz.ends() == 0
    assert [review.response for review in read(home)] == ["1 + 1"]


def test_a_suspension_in_the_middle_of_a_write_is_no_error(monkeypatch):
    """A buffered stream refuses a write from a handler that interrupted a write."""
    master, slave = pty.openpty()

    class Busy:
        def fileno(self):
            return slave

        def write(self, text):
            raise RuntimeError("reentrant call")

    stopped = []
    monkeypatch.setattr("sys.stdin", os.fdopen(slave, closefd=False))
    monkeypatch.setattr(keyboard.os, "kill", lambda pid, number: stopped.append(number))
    screen = Busy()
    with keyboard.character_mode(screen, lambda: screen.write("again")):
        signal.raise_signal(signal.SIGTSTP)
        signal.raise_signal(signal.SIGCONT)
    os.close(master)
    os.close(slave)
    assert stopped == [signal.SIGSTOP]


def test_a_prompt_that_a_stop_left_undrawn_is_drawn_at_the_next_look_for_a_key():
    """A stop in the middle of a write cannot draw; the write that goes on does not count as drawn after it."""

    class Screen:
        text, writing, stops = "", False, 1

        def write(self, text):
            if self.writing:
                raise RuntimeError("reentrant call")
            self.writing, self.text = True, self.text + text
            while self.stops:
                self.stops -= 1
                with suppress(RuntimeError):
                    line._again()
                self.text = ""  # what was there is gone
            self.writing = False

        def flush(self):
            pass

    screen = Screen()
    line = _Line(screen, "number", lambda text: False, None)
    line._draw()
    assert "number" not in screen.text
    line._tick()
    assert "number" in screen.text
    screen.text = ""
    line._tick()
    assert screen.text == ""


def test_twenty_columns_and_a_resize_are_enough(start, home):
    quiz = start("Q2,Q1", columns=20)
    quiz.talk("your answer > ", "a long answer that wraps over the edge of the terminal")
    quiz.expect("terminal")
    quiz.resize(60)
    quiz.send(" twice\x7f\x7f\x7f\x7f\x7f\x7f\n")
    quiz.talk("grade > ", "3")
    quiz.expect("? more > ")
    quiz.resize(20)
    quiz.send("\n")
    quiz.talk("letter > ", "\x03")
    assert quiz.ends() == 130
    assert [review.response for review in read(home)] == ["a long answer that wraps over the edge of the terminal"]


@pytest.mark.parametrize(("before", "after"), [(40, 80), (80, 40)])
def test_what_is_shown_after_a_resize_has_the_new_width(before, after, start):
    quiz = start("Q2,Q3", columns=before)
    quiz.expect("your answer > ")
    quiz.resize(after)
    quiz.talk("", "s\n", "? more > ", "\n", "number > ", "\x03")
    assert quiz.ends() == 130
    first, second = (re.search(rf"── {number} of 2 · .*─", quiz.plain())[0] for number in (1, 2))
    assert (len(first), len(second)) == (before, after)


def test_keys_and_sequences_without_a_meaning_change_nothing(start, home):
    quiz = start("Q3")
    quiz.talk("number > ", "\x1b[15~\x1bOP\x1b\x00\x1b[200~\x1b[201~2\x1b[1;5D\n")
    quiz.expect("✓ Right")
    quiz.talk("? more > ", "q")
    assert quiz.ends() == 0
    assert [review.response for review in read(home)] == ["2"]


def test_the_clock_of_an_interview_moves_on_while_nothing_is_typed(start):
    mock = start("", "--kind", "numeric", "--minutes", "1", command="mock")
    first = mock.expect(" left · number > ")
    assert mock.expect(" left · number > ") != first[-4:]  # drawn again because the clock has moved on
    mock.send("\x03")
    assert mock.ends() == 130


def test_the_transcript_of_a_terminal_goes_to_standard_output_alone(start, tmp_path, home):
    quiz = start("Q3", "--json")
    quiz.talk("number > ", "2\n", "? more > ", "q")
    assert quiz.ends() == 0
    told = quiz.plain()
    assert json.loads(told[told.index("[\n") :])[0]["response"] == "2"


# One line


def edited(keys, counts=lambda text: False):
    """What a line holds after some input, and whether that ended it."""
    line = _Line(StringIO(), "answer", counts, None)
    ended = line._take(keys)
    return line._text, ended


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("abc\x7f", "ab"),
        ("abc\x1b[D\x1b[Dx", "axbc"),
        ("abc\x1b[Hx\x1b[Fy", "xabcy"),
        ("abc\x01x\x05y", "xabcy"),
        ("abc\x1b[D\x1b[3~", "ab"),
        ("one two\x17", "one "),
        ("one two\x1b[D\x15", "o"),
        ("\x7f\x1b[Da", "a"),
        ("\x1b[200~a\tb\x1b[31m\x1b[201~", "a    b\N{REPLACEMENT CHARACTER}[31m"),
        ("größe 漢", "größe 漢"),
    ],
)
def test_a_line_is_edited_as_at_a_shell(keys, text):
    assert edited(keys) == (text, False)


def test_a_text_counts_without_enter_where_it_is_asked_for():
    assert edited("a", lambda text: len(text) == 1) == ("a", True)
    assert edited("a\n", lambda text: len(text) == 1) == ("a", True)
    assert edited("bagging lowers", lambda text: len(text) == 1) == ("bagging lowers", False)
    assert edited("ab\n") == ("ab", True)


def test_a_paste_that_comes_in_pieces_is_one():
    line = _Line(StringIO(), "answer", lambda text: False, None)
    assert not line._take("\x1b[200~one\n")
    assert not line._take("two\x1b[201~")
    assert line._text == "one\ntwo"


@pytest.mark.parametrize(
    ("text", "place"), [("", (0, 0)), ("abc", (0, 3)), ("abcde", (1, 0)), ("abcd漢", (1, 2)), ("a\nb", (1, 1))]
)
def test_the_cursor_is_where_a_terminal_of_five_columns_puts_it(text, place):
    assert _position(text, 5) == place


# A new card


@pytest.mark.parametrize(("keys", "code"), [("q\n", 1), ("\x04", 1), ("\x03", 130)])
def test_a_faulty_draft_is_printed_however_it_is_left(tmp_path, keys, code):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf '## Why so?\\n\\nA draft of mine.\\n' > \"$1\"\n")
    editor.chmod(0o755)
    terminal = Terminal(["bank", "new", str(tmp_path / "d.md")], VISUAL=str(editor))
    terminal.talk("q leaves it > ", keys)
    assert terminal.ends() == code
    terminal.expect("A draft of mine.")
    terminal.close()
