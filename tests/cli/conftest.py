"""A learner's home that is the test's own."""

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Each test's history is its own, by the variable that a user would set."""
    monkeypatch.setenv("REGDEMO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"
