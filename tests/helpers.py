"""What tests in several folders need: seeded numbers, what a report says, a terminal."""

import json
import os
import subprocess
import sys
from functools import cache

import torch

from regdemo import catalog
from regdemo.quiz import decks
from regdemo.report import Table, Text


@cache
def bundled_bank():
    """The bundled cards, which nothing changes: parsing them takes a second, so it is done once for all tests."""
    return decks.load(decks.bundled())


# A demo's report, which nothing changes: tests of what is done with it do not need a run of their own.
run_once = cache(catalog.Demo.run)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def broken(report):
    """The claims that do not hold."""
    return [claim.statement for claim in report.claims if not claim.holds]


def blocks_of(measured):
    """The blocks of a report or a measurement, those of its picture first."""
    return [*measured.picture, *measured.blocks]


def tables(report):
    return [block for block in blocks_of(report) if isinstance(block, Table)]


def texts(report):
    return " ".join(block.text for block in report.blocks if isinstance(block, Text))


def take_terminal():
    """Make standard input the controlling terminal, so that what is typed at it arrives as signals."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


# A program that runs command lines, one after the other, where importing something heavy ends it. In: a list of
# arguments and environments as JSON. Out, a line each: the exit code, and what was printed.
TRAP = """
import io, json, os, sys
from contextlib import redirect_stdout
from importlib.machinery import SourceFileLoader

load = SourceFileLoader.exec_module

def exec_module(loader, module):
    name = loader.name.partition(".")[0]
    if name in {"torch", "numpy", "scipy", "sklearn", "plotext"}:
        print(f"trapped {name}", file=sys.stderr, flush=True)
        os._exit(9)
    load(loader, module)

SourceFileLoader.exec_module = exec_module
from regdemo import lazy
lazy.install()
from regdemo.cli import app
outer = dict(os.environ)
sys.argv[0] = "regdemo"
for arguments, environment in json.loads(sys.argv[1]):
    os.environ.clear()
    os.environ.update(outer | environment)
    sys.argv[1:] = arguments
    with redirect_stdout(io.StringIO()) as out:
        code = app.run(arguments)
    print(json.dumps([code, out.getvalue()]), flush=True)
"""


def trapped(runs, home):
    """What each of these command lines ends with and prints, as far as none imports something heavy; and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", TRAP, json.dumps(runs)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "REGDEMO_HOME": str(home)},
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()], done.stderr
