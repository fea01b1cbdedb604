"""Code exercises: the learner's code runs in a sandboxed process, and the tests that judge it run in another one.

`check_source` judges one text. A face that judges often keeps a `Judge`, whose process has torch loaded, and hands
`Judge.check` a `Kata`. Both return a `Verdict` and print nothing.
"""

from regdemo.kata.judge import Judge, WeakSandboxError, check_source
from regdemo.kata.katas import Kata
from regdemo.kata.verdict import State, Verdict

__all__ = ["Judge", "Kata", "State", "Verdict", "WeakSandboxError", "check_source"]
