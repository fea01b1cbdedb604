"""What every process of the tests begins with, and what happens where an extra is missing."""

import gc
import os
import re
import signal
from importlib.util import find_spec

import pytest

# The tests run on two cores at once, and torch's threads would fight over them.
os.environ["OMP_NUM_THREADS"] = "1"
# Where a shell starts the tests in the background Ctrl-C is ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What is imported while the tests are collected stays to the end: the collector need not look through it every time.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 50, 100)


MISSING = re.compile(r"No module named '(\w+)|needs the package (\w+)")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Skip a test that ends by saying that a package of an extra is missing, if it is; with every extra none does."""
    try:
        return (yield)
    except (Exception, SystemExit) as error:
        for name in {name for found in MISSING.findall(str(error)) for name in found if name}:
            if find_spec(name) is None:
                pytest.skip(f"{name} is missing")
        raise
