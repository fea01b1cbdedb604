"""Kill sessions at random moments: no confirmed step is lost, and the history stays whole.

python scripts/kill_sessions.py [KILLS [SEED]]

Each session is a process of its own that takes a quiz from a pipe: it answers, takes answers back and flags cards as
fast as it can, until kill -9 meets it at some character that it prints, or some microseconds after. What it had said by
then is held against what the history has.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from regdemo.cli import app
from regdemo.quiz import checkup
from regdemo.quiz.history import History, read_rows
from regdemo.quiz.schedule import PLAN, replay
from regdemo.quiz.states import card_states

CARDS = 12
STEPS = {"answer": r"^Saved as .*$", "undo": r"^Took back your answer .*$", "flag": r"^Q\d+ is .*flagged.*$"}


def session(deck: Path, home: Path, rng: Random) -> str:
    """Begin a session, kill it, and return all that it said."""
    lines = "".join(f"{line}\n" for line in rng.choices(("7", "1", "u", "f"), (6, 3, 3, 2), k=400))
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.dup2(writer, 1)
        sys.stdout, sys.stdin = io.TextIOWrapper(os.fdopen(1, "wb"), "utf-8"), io.StringIO(lines)
        ids = ",".join(f"Q{n}" for n in range(CARDS))
        os._exit(app.run(["quiz", "--bank", str(deck), "--home", str(home), "--ids", ids]))
    os.close(writer)
    seen, wanted = b"", rng.randint(0, 6)
    while seen.count(b"Saved as ") < wanted and (piece := os.read(reader, 4096)):
        seen += piece
    for _ in range(rng.randrange(200)):
        seen += os.read(reader, 1)
    time.sleep(rng.random() ** 2 * 0.04)  # about what a commit takes, mostly less: within one as often as between two
    os.kill(child, signal.SIGKILL)
    while piece := os.read(reader, 4096):
        seen += piece
    os.close(reader)
    os.waitpid(child, 0)
    return seen.decode(errors="replace")


def main() -> int:
    """Kill so many sessions on one history; 1 if anything that was confirmed is lost, or the history is not whole."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    confirmed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        home, deck = Path(folder) / "home", Path(folder) / "deck.md"
        deck.write_text(
            "".join(f"## Q{n}: What is 1 + {n}?\n\n### Answer\n= {n + 1}\n\n" for n in range(CARDS)), "utf-8"
        )
        interrupted = 0
        for kill in range(1, kills + 1):
            said = session(deck, home, rng)
            # A step is confirmed when the line that says so was printed to its end.
            whole = said[: said.rfind("\n") + 1]
            confirmed.update({step: len(re.findall(line, whole, re.MULTILINE)) for step, line in STEPS.items()})
            interrupted += (home / "history.db-journal").exists()
            found = checkup.check(home, datetime.now(UTC))
            reviews, marks = read_rows(home)
            kept = Counter(answer=len(reviews))
            kept.update("undo" if mark.what == "undo" else "flag" for mark in marks)
            lost = confirmed - kept
            # At most the one step that each killed session was taking is kept without having been confirmed.
            invented = kept.total() - confirmed.total() > kill
            if found.faults or lost or invented:
                print(f"kill {kill}: faults {found.faults}, lost {dict(lost)}, kept {kept}, confirmed {confirmed}")
                return 1
        with History(home) as history:
            if card_states(history, PLAN, home / "cache") != replay(history.reviews()):
                print("what was kept of the replay is not what a replay says")
                return 1
    told = ", ".join(f"{count:,} {step}s" for step, count in sorted(confirmed.items()))
    print(f"{kills:,} sessions killed, {interrupted:,} within a commit; confirmed and kept: {told}. Whole after each.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
