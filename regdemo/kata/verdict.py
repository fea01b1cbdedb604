"""What a judge says of a learner's code. Plain values: the command line knows them without torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from regdemo.words import pluralize


class State(StrEnum):
    """How a run of a judge ended."""

    PASSED = "passed"
    FAILED = "failed"  # a test did not hold
    UNLOADABLE = "unloadable"  # the code could not be loaded, so no test ran
    CRASHED = "crashed"  # the code ended its own process
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out of memory"
    INTERNAL_ERROR = "internal error"  # the judge itself has no verdict


@dataclass(frozen=True)
class Verdict:
    """How a run of a judge ended, and at which test.

    done: how many of the tests had passed.  test: the name of the one it ended at, if it came to the tests.
    message: that test's sentence, or what happened.  detail: what was measured, or how the code failed.
    line: of the learner's file, if one is to blame, else 0.  output: the first characters that the code printed,
    and printed: the number of bytes in all.
    """

    state: State
    tests: int = 0
    done: int = 0
    test: str = ""
    message: str = ""
    detail: str = ""
    line: int = 0
    output: str = ""
    printed: int = 0
    seconds: float = 0.0
    seed: int = 0

    @property
    def passed(self) -> bool:
        """Whether every test held."""
        return self.state is State.PASSED

    @property
    def words(self) -> str:
        """How it ended, to follow the name of the file."""
        return {
            State.PASSED: f"passes all {pluralize(self.tests, 'test')}, in {self.seconds:.1f} s",
            State.FAILED: "fails",
            State.UNLOADABLE: "cannot be judged",
            State.CRASHED: "ended before it answered",
            State.TIMEOUT: "ran out of time",
            State.OUT_OF_MEMORY: "ran out of memory",
            State.INTERNAL_ERROR: "could not be judged",
        }[self.state] + ("" if self.passed or not self.test else f"{self._place} test {self.done + 1} of {self.tests}")

    @property
    def _place(self) -> str:
        return "" if self.state is State.FAILED else " in"
