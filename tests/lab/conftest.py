"""A task for tests that care for what is done with networks, not for what they learn."""

from dataclasses import replace

import pytest

from regdemo.lab import data


@pytest.fixture
def small(monkeypatch):
    """The digits, but 60 training and 40 test examples of them, and a small network."""
    whole = data.load("digits")
    few = replace(whole.first(60), test_x=whole.test_x[:40], test_y=whole.test_y[:40], hidden=(16, 8), batch_size=20)
    monkeypatch.setitem(data.TASKS, "digits", lambda: few)
