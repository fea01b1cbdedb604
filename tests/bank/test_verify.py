"""What `verify` runs, and that it finds each thing that can be wrong. One run of one deck serves most of it."""

import os

import pytest

from regdemo.bank.verify import verify
from regdemo.quiz import decks

DECK = """\
## V1: What is {p} doubled, plus {n}?
```toml vary
p = [1, 2]
n = [0, 1]
```
### Answer
= 3*p - p + n
```python check
doubled = 2 * p

assert doubled + n == answer
```

## V2: What is {p} doubled?
```toml vary
p = [0, 1, 2]
```
### Answer
= 3*p
```python check
doubled = 2 * p

assert doubled == answer
```

## V3: What is printed?
```python show
print(1 +
      1)
```
```text output
2
```

## V4: What is printed?
```python show
print(1 + 1)
```
```text output
3
```

## V5: What is raised?
```python show
print("a")
[][0]
```
```text output
a
IndexError: list index out of range
```

## V6: Which range?
### Answer
= [1, 3]
```python check
import torch as t
assert (low, answer, high) == (1, 2, 3)
assert t.rand(1) == pytest.approx(0.4963, abs=1e-4), "the seed is fixed"
```

## V7: Which?
- [ ] a
- [x] b
```python check
assert answer == "b"
math.nothing
```

## V8: Why?
Ends.
```python check
import os
os._exit(3)
```

## V10: Why?
Prints.
```python check
print("[]")
import os
os.write(1, b"[]\\n")
```

## V11: Why?
Not Python.
```python check
def f(:
```

## V12: What is printed?
```js show
console.log(1)
```
```text output
1
```
"""


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    file = tmp_path_factory.mktemp("bank") / "d.md"
    file.write_text(DECK)
    return file


@pytest.fixture(scope="module")
def verified(deck):
    return verify(decks.load(deck).cards, jobs=1)


def line(text, nth=1):
    """The number of the nth line of the deck that is this text."""
    return [number for number, line in enumerate(DECK.split("\n"), 1) if line == text][nth - 1]


def said(verified, id):
    """The faults of one card, each as (line, message)."""
    begins = f"{id}'s "
    return [(one.line, one.message.removeprefix(begins)) for one in verified.faults if one.message.startswith(begins)]


@pytest.mark.parametrize("id", ["V1", "V3", "V5", "V6", "V10"])
def test_what_holds_is_not_mentioned(verified, id):
    assert said(verified, id) == []


def test_a_check_runs_for_every_draw_and_names_its_line_and_both_sides(verified):
    assert said(verified, "V2") == [
        (line("assert doubled == answer"), "check fails at p = 1: `assert doubled == answer`, 2 against 3.0"),
        (line("assert doubled == answer"), "check fails at p = 2: `assert doubled == answer`, 4 against 6.0"),
    ]


def test_a_program_that_prints_something_else_is_found_at_the_output(verified):
    assert said(verified, "V4") == [(line("```text output", 2), "program prints '2', and the card says '3'")]


def test_an_error_in_a_check_is_named(verified):
    ((number, message),) = said(verified, "V7")
    assert (number, message[:53]) == (line("math.nothing"), "check fails: `math.nothing` raises AttributeError, mo")


def test_a_check_that_ends_its_process_is_a_fault(verified):
    assert said(verified, "V8") == [(line("os._exit(3)") - 2, "check ends its process with exit code 3")]


def test_a_check_that_hangs_is_ended(tmp_path):
    file = tmp_path / "d.md"
    file.write_text("## V1: Why?\nHangs.\n```python check\nwhile True:\n    pass\n```\n")
    (fault,) = verify(decks.load(file).cards, time_limit=0.2).faults
    assert (fault.line, fault.message) == (3, "V1's check runs longer than 0.2 s")


def test_a_check_that_is_not_python_is_a_fault(verified):
    ((number, message),) = said(verified, "V11")
    assert (number, message[:32]) == (line("def f(:"), "check is not Python, invalid syn")


def test_a_program_in_another_language_is_passed_over_and_said(verified):
    (passed,) = verified.passed_over
    assert (passed.line, passed.message) == (line("```js show"), "V12 shows a program in js: only Python is run")


def test_what_was_run_is_counted(verified):
    assert (verified.checks, verified.programs, verified.runs) == (7, 3, 15)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_an_interrupt_ends_the_children(tmp_path):
    file, pipe = tmp_path / "d.md", tmp_path / "pipe"
    os.mkfifo(pipe)
    lasting = f"import time\nstream = open({str(pipe)!r}, 'w')\ntime.sleep(600)"
    file.write_text(f"## V1: Why?\nSo.\n```python check\n1\n```\n## V2: Why?\nSo.\n```python check\n{lasting}\n```\n")
    streams = []

    def interrupt(done, total):
        streams.append(pipe.open())  # returns once the child has opened it too
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(decks.load(file).cards, jobs=1, progress=interrupt)
    with streams[0] as stream:
        assert stream.read() == ""  # ends when no process has it open to write
