"""What every process of the tests begins with, and what happens where an extra is missing."""

import gc
import os
import re
import signal
import tempfile
from importlib.util import find_spec

import pytest
from _pytest.doctest import DoctestModule

# The tests run on two cores at once, and torch's threads would fight over them.
os.environ["OMP_NUM_THREADS"] = "1"
# Where a shell starts the tests in the background Ctrl-C is ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Whose history the computer holds is no business of a test, nor are its answers one of the learner's.
HOME = tempfile.TemporaryDirectory(prefix="regdemo-home-")
os.environ["REGDEMO_HOME"] = HOME.name

# What is imported while the tests are collected stays to the end: the collector need not look through it every time.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 50, 100)


MISSING = re.compile(r"No module named '(\w+)|needs the package (\w+)")


def missing(text):
    """The package of an extra that a text says is missing, if it is; with every extra none is."""
    names = (name for found in MISSING.findall(text) for name in found if name)
    return next((name for name in names if find_spec(name) is None), None)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Skip a test that ends for want of an extra."""
    try:
        return (yield)
    except (Exception, SystemExit) as error:
        if name := missing(str(error)):
            pytest.skip(f"{name} is missing")
        raise


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Look for doctests in the package alone: their collector would pass over a file that cannot be imported."""
    found = yield
    return [one for one in found if not isinstance(one, DoctestModule)]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Skip a file that cannot be imported for want of an extra. One that cannot for another reason is an error."""
    report = yield
    if report.failed and (name := missing(str(report.longrepr))):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 1, f"Skipped: {name} is missing")
    return report
