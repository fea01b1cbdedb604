"""How long each command takes, as a ratio to the imports it cannot do without, the two timed in turn in one run.

python benchmarks/commands.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from regdemo import catalog

LIGHT = "import typer, rich.console, sqlite3, fsrs, markdown_it"
HEAVY = "import torch"
SCRIPT = Path(__file__).parent.parent / "interview_questions/15_regularization/regularization_demo.py"


# The baselines' libraries were compiled when they were installed; so is regdemo, where it is not told to write nothing.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(arguments: list[str], folder: str) -> float:
    """Wall seconds of one run of the interpreter, its output thrown away and its input empty."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        sys.exit(f"{arguments} ended with exit code {done.returncode}: {done.stderr.decode()}")
    return time.perf_counter() - start


def ratio(command: list[str], baseline: str, rounds: int) -> list[float]:
    """The command's time over the baseline's, pair by pair, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        home = ["--home", folder] if command[:1] == ["quiz"] else []
        ours = ["-m", "regdemo", *command, *home] if command[0] != str(SCRIPT) else command
        seconds(ours, folder)
        return sorted(seconds(ours, folder) / seconds(["-c", baseline], folder) for _ in range(rounds))


def main() -> None:
    """Print one row a command."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    demos = sys.argv[2:] or [demo.name for demo in catalog.demos()]
    print(f"Median of {rounds} paired runs [least, most], and what the ratio may not exceed.")
    rows = [
        (["--help"], LIGHT, 1.5),
        (["list"], LIGHT, 1.5),
        (["quiz"], LIGHT, 1.5),
        *(([name], HEAVY, 1.3 if name == "dropout" else 3.0) for name in demos),
    ]
    width = max(len(" ".join(command)) for command, *_ in rows)
    for command, baseline, budget in rows:
        found = ratio(command, baseline, rounds)
        name = "light imports" if baseline is LIGHT else "import torch"
        print(
            f"{' '.join(command):{width}}  {statistics.median(found):.2f} [{found[0]:.2f}, {found[-1]:.2f}]"
            f" x {name}, at most {budget}"
        )
    with tempfile.TemporaryDirectory() as folder:
        spent = sorted(seconds([str(SCRIPT)], folder) for _ in range(min(rounds, 3)))
    print(f"{SCRIPT.name}: {statistics.median(spent):.1f} s [{spent[0]:.1f}, {spent[-1]:.1f}], at most 8.5 s")


if __name__ == "__main__":
    main()
