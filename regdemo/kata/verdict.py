"""What a judge says of a learner's code. Plain values: the command line knows them without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["passed", "failed", "broken", "died", "late", "hungry", "lost"]


@dataclass(frozen=True)
class Verdict:
    """How a run of a judge ended, and on which test.

    state: passed; failed, a test did not hold; broken, the code could not be loaded; died, its process ended or
    crashed; late, out of time; hungry, out of memory; lost, the judge itself could not say.
    done: how many of the tests had passed.  message: of the test it ended on, or what happened.  detail: what was
    measured, or how the code failed.  output: the first characters that it printed.
    """

    state: State
    tests: int = 0
    done: int = 0
    test: str = ""
    message: str = ""
    detail: str = ""
    output: str = ""
    printed: int = 0  # bytes in all
    seconds: float = 0.0
    seed: int = 0

    @property
    def passed(self) -> bool:
        """Whether every test held."""
        return self.state == "passed"
