"""Kill commands at random moments and damage histories at random places: nothing that was confirmed may be lost.

    python scripts/soak.py [--kills 200] [--damages 1000] [--seed 0] [quiz mock import kata sweep damage ...]

Kills: quiz and mock are processes that take their answers from a pipe: they answer, take answers back and flag cards as
fast as they can, until SIGKILL meets them at some character that they print, or some microseconds after. import, kata
and sweep are started as a user starts them and killed at a random moment, until soon after their end. After each kill
the whole history is checked, and what was confirmed is held against what was kept.

Damages: a sound history gets random bytes at random places, or loses its end. Then each command that opens a history
runs on it: it ends with exit code 0 or 3, a refusal is one line, and what was set aside is as it was, byte by byte.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from regdemo.cli import app
from regdemo.quiz import checkup
from regdemo.quiz.exchange import lines
from regdemo.quiz.history import History, Review, read_rows
from regdemo.quiz.schedule import DEFAULT_SETTINGS, replay
from regdemo.quiz.states import card_states

REVIEW = Review("Q18.1", 1_700_000_000_000_000, "choice", 3, 1.0, "b", "{}", "0123456789abcdef", 0, 2500, "s")
ROWS = 3_000  # of the import that is killed
DECK = "".join(f"## Q{n}: What is 1 + {n}?\n\n### Answer\n= {n + 1}\n\n" for n in range(12))
DROPOUT = """import torch


def dropout(x, p, training, generator):
    if not training or p == 0:
        return x
    return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)
"""


LATEST = 1.4  # of the time that a command takes: some kills come when it has ended
TAKEN_BACK_OR_FLAGGED = {"undo": r"^Took back your answer .*$", "flag": r"^Q\d+ is .*flagged.*$"}


class Lost(Exception):
    """Something that was confirmed is gone, or what is left is not whole."""


def start(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    """One command, as a user starts it, with its answers in a file."""
    with (folder / "answers").open() as answers:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "regdemo", *arguments],
            cwd=folder,
            stdin=answers,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def kill(process: subprocess.Popen[str], seconds: float) -> str:
    """What the command printed until it was killed, or ended."""
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        said, _ = process.communicate()
    return said[: said.rfind("\n") + 1]


def sound(home: Path) -> int:
    """How many answers a history has, once it was found whole."""
    faults = checkup.check(home, datetime.now(UTC)).faults
    if faults:
        raise Lost(f"the history is not whole: {faults}")
    return len(read_rows(home)[0])


def sessions(command: str, confirmations: dict[str, str]) -> Callable[[Path, Random, int], str]:
    """A quiz or a mock, again and again on one history. confirmations: of each step, what says that it was taken."""

    def run(folder: Path, random: Random, kills: int) -> str:
        home, deck = folder / "home", folder / "deck.md"
        deck.write_text(DECK, "utf-8")
        ids = ["--ids", ",".join(f"Q{n}" for n in range(12))] if command == "quiz" else []
        confirmed, interrupted = Counter[str](), 0
        for number in range(1, kills + 1):
            said = _killed([command, "--bank", str(deck), "--home", str(home), *ids], random)
            # A step is confirmed when the line that says so was printed to its end.
            whole = said[: said.rfind("\n") + 1]
            confirmed.update({step: len(re.findall(line, whole, re.M)) for step, line in confirmations.items()})
            interrupted += (home / "history.db-journal").exists()
            found = checkup.check(home, datetime.now(UTC))
            reviews, marks = read_rows(home) if home.exists() else ([], [])
            kept = Counter(answer=len(reviews))
            kept.update("undo" if mark.what == "undo" else "flag" for mark in marks)
            # At most the one step that each killed session was taking is kept without having been confirmed.
            invented = kept.total() - confirmed.total() > number
            if found.faults or (lost := confirmed - kept) or invented:
                raise Lost(f"kill {number}: faults {found.faults}, lost {lost}, kept {kept}, confirmed {confirmed}")
        with History(home) as history:
            if card_states(history, DEFAULT_SETTINGS, home / "cache") != replay(history.reviews()):
                raise Lost("what was kept of the replay is not what a replay says")
        steps = ", ".join(f"{count:,} {step}s" for step, count in sorted(confirmed.items()))
        return f"{interrupted:,} within a commit; confirmed and kept: {steps}"

    return run


def _killed(command: list[str], random: Random) -> str:
    """Begin a session, kill it, and return all that it said."""
    lines = "".join(f"{line}\n" for line in random.choices(("7", "1", "u", "f"), (6, 3, 3, 2), k=400))
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.dup2(writer, 1)
        sys.stdout, sys.stdin = io.TextIOWrapper(os.fdopen(1, "wb"), "utf-8"), io.StringIO(lines)
        os._exit(app.run(command))
    os.close(writer)
    seen, wanted = b"", random.randint(0, 6)
    while len(re.findall(rb"Saved as |Question ", seen)) < wanted and (piece := os.read(reader, 4096)):
        seen += piece
    for _ in range(random.randrange(200)):
        seen += os.read(reader, 1)
    time.sleep(
        random.random() ** 2 * 0.04
    )  # about what a commit takes, mostly less: within one as often as between two
    os.kill(child, signal.SIGKILL)
    while piece := os.read(reader, 4096):
        seen += piece
    os.close(reader)
    os.waitpid(child, 0)
    return seen.decode(errors="replace")


def history_import(folder: Path, random: Random, kills: int) -> str:
    """An import adds all of its rows or none."""
    (folder / "answers").touch()
    rows = [REVIEW._replace(id=f"r{number}", at=REVIEW.at + number) for number in range(ROWS)]
    (folder / "rows.jsonl").write_text("\n".join(lines(rows, [])), "utf-8")
    command = ["history", "import", "rows.jsonl", "--home", str(folder / "home")]
    whole, added = _seconds(command, folder), 0
    for _ in range(kills):
        shutil.rmtree(folder / "home", ignore_errors=True)
        kill(start(command, folder), LATEST * random.random() * whole)
        kept = sound(folder / "home") if (folder / "home").exists() else 0
        if kept not in (0, ROWS):
            raise Lost(f"{kept:,} of {ROWS:,} rows were added")
        added += kept == ROWS
    return f"all {ROWS:,} rows {added:,} times, none {kills - added:,} times"


def kata(folder: Path, random: Random, kills: int) -> str:
    """A judged file is never changed, and each verdict that was said to be saved is in the history."""
    (folder / "answers").touch()
    (folder / "katas").mkdir()
    file = folder / "katas" / "dropout.py"
    file.write_text(DROPOUT, "utf-8")
    command = ["kata", "check", "dropout", "--home", str(folder / "home")]
    whole, confirmed, saved = _seconds(command, folder), 0, 0
    for _ in range(kills):
        shutil.rmtree(folder / "home", ignore_errors=True)  # a kata that was solved isn't saved again on the same day
        said = "Saved as" in kill(start(command, folder), LATEST * random.random() * whole)
        if file.read_text("utf-8") != DROPOUT:
            raise Lost("the learner's file was changed")
        kept = sound(folder / "home") if (folder / "home").exists() else 0
        if kept < said:
            raise Lost("a verdict that was said to be saved is gone")
        confirmed, saved = confirmed + said, saved + kept
    return f"{confirmed:,} verdicts confirmed, {saved:,} kept, the file as it was"


def sweep(folder: Path, random: Random, kills: int) -> str:
    """A sweep that is killed goes on where it ended: no line of its file is lost, no network trained twice."""
    (folder / "answers").touch()
    command = ["sweep", "dropout", "--p", "0.1", "0.3", "--task", "digits", "--seeds", "8", "--epochs", "1"]
    whole = _seconds(command, folder)
    file = folder / "sweep.jsonl"
    file.unlink()
    before: list[str] = []
    for _ in range(kills):
        kill(start(command, folder), LATEST * random.random() * whole)
        now = file.read_text("utf-8").splitlines() if file.exists() else []
        if now[: len(before)] != before and before[:-1] != now[: len(before) - 1]:
            raise Lost("a finished line of the results is gone")
        before = now
        if len(now) >= 3 and random.random() < 0.2:  # begin again, so that there is something left to kill
            file.unlink()
            before = []
    done = start(command, folder)
    done.communicate()
    if done.returncode:
        raise Lost(f"the sweep could not go on: exit code {done.returncode}")
    for line in file.read_text("utf-8").splitlines():
        with contextlib.suppress(ValueError):
            json.loads(line)
    return "went on to its end"


def _seconds(command: list[str], folder: Path) -> float:
    """How long the command takes when nobody kills it."""
    begun = time.monotonic()
    start(command, folder).communicate()
    return time.monotonic() - begun


def damage(folder: Path, random: Random, damages: int) -> str:
    """Random damage ends every command with 0 or 3, and no damaged file is changed."""
    home = folder / "home"
    with History(home) as kept:
        kept.add_all(REVIEW._replace(id=f"r{n}", at=REVIEW.at + n, card=f"Q18.{n % 30}") for n in range(300))
        kept.flag("Q18.1", 5)
    data = (home / "history.db").read_bytes()
    (folder / "deck.md").write_text(DECK, "utf-8")
    bank = ["--bank", str(folder / "deck.md")]
    codes: dict[str, int] = {}
    for _ in range(damages):
        broken = bytearray(data)
        for _ in range(random.choice([1, 1, 3, 10, 100])):
            broken[random.randrange(len(broken))] = random.randrange(256)
        if random.random() < 0.1:
            del broken[random.randrange(len(broken)) :]
        for command in ["stats", "history check", "history export", "history recover", "quiz", "mock"]:
            shutil.rmtree(home)
            home.mkdir()
            (home / "history.db").write_bytes(broken)
            deck = bank if command in ("stats", "quiz", "mock") else []
            code, error = _quietly([*command.split(), *deck, "--home", str(home)])
            where = f"{command} after damage {bytes(broken)[:40]!r}"
            if code not in (0, 3):
                raise Lost(f"{where}: exit code {code}, {error}")
            if code and error.count("\n") != 1:
                raise Lost(f"{where}: {error}")
            aside = [*home.glob("history.db.damaged-*Z")]
            if aside and aside[0].read_bytes() != broken:
                raise Lost(f"{where}: the file that was set aside is not as it was")
            key = f"{command} {'refused' if code else 'set it aside' if aside else 'went on'}"
            codes[key] = codes.get(key, 0) + 1
    return "; ".join(f"{key} {count:,} times" for key, count in sorted(codes.items()))


def _quietly(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command in this process, and what it said on standard error."""
    error, before = io.StringIO(), sys.stdin
    sys.stdin = io.StringIO("")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(error):
            return app.run(arguments), error.getvalue()
    finally:
        sys.stdin = before


TRIALS: dict[str, Callable[[Path, Random, int], str]] = {
    "quiz": sessions("quiz", {"answer": r"^Saved as .*$", **TAKEN_BACK_OR_FLAGGED}),
    # In a mock the next question says that an answer was taken.
    "mock": sessions("mock", {"answer": r"^── Question (?!1 ).*\n\n", **TAKEN_BACK_OR_FLAGGED}),
    "import": history_import,
    "kata": kata,
    "sweep": sweep,
    "damage": damage,
}


def main() -> int:
    """Run the trials that are named, or all; 1 if one of them finds a loss."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trials", nargs="*", choices=[*TRIALS, []], metavar="TRIAL", help=", ".join(TRIALS))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.trials or TRIALS:
        count = options.damages if name == "damage" else options.kills
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = TRIALS[name](Path(folder), Random(f"{options.seed} {name}"), count)
            except Lost as lost:
                print(f"{name}: LOST: {lost}")
                return 1
        print(f"{name}: {count:,} {'damages' if name == 'damage' else 'kills'}: {found}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
