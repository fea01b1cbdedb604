"""Code that wants to be judged right without being right, or wants to do harm: each ends with a clear verdict."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from regdemo.kata import attacks, sandbox
from regdemo.kata.judge import Judge
from regdemo.kata.katas import Kata
from regdemo.kata.verdict import State, Verdict
from regdemo.quiz.parser import parse

DECK = '''
## K1: Double it.

```python starter: double
def double(x):
    return x
```

```python judge
ORACLE = "THE JUDGE'S OWN WORDS"


def test_it_doubles():
    """It doubles every element."""
    x = torch.randn(100)
    close(double(x), 2 * x)


def test_it_does_so_again():
    """It doubles, again."""
    x = torch.randn(100, requires_grad=True)
    gradient(double(x), x, torch.full((100,), 2.0))


@probe
def plus_one(x):
    return double(x) + 1


def test_one_can_be_added():
    """It can be added to."""
    close(plus_one(torch.ones(2)), torch.full((2,), 3.0))
```

```python solution
def double(x):
    return 2 * x
```
'''
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the forked judge is Linux's; see test_platforms")
SANDBOXED = pytest.mark.skipif(bool(sandbox.missing()), reason=f"no protection of {'; '.join(sandbox.missing())}")


def make() -> Kata:
    from regdemo.kata.katas import katas

    return katas(parse(DECK, Path("d.md")).cards)["double"]


@pytest.fixture(scope="module")
def judge():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKEN", "a secret of the learner's")
        with Judge(seconds=20) as judge:
            yield judge


def check(judge, source):
    return judge.check(make(), textwrap.dedent(source))


def test_a_right_answer_passes_and_what_it_prints_is_told_apart(judge):
    verdict = check(judge, "print('hello')\ndef double(x): return x + x")
    assert (verdict.state, verdict.tests, verdict.done, verdict.output) == ("passed", 3, 3, "hello\n")


def test_a_wrong_answer_fails_with_the_docstring_and_the_measurement(judge):
    verdict = check(judge, "def double(x): return 3 * x")
    assert (verdict.state, verdict.test, verdict.message) == ("failed", "test_it_doubles", "It doubles every element.")
    assert "(100 of 100 differ)" in verdict.detail


def test_the_same_seed_gives_the_same_verdict(judge):
    one, two = (judge.check(make(), "def double(x): return 3 * x", seed=5) for _ in range(2))
    assert (one.detail, one.seed) == (two.detail, 5)
    assert check(judge, "def double(x): return 3 * x").detail != one.detail


FORGERIES = {
    "a patched torch.equal and its kin": """
        import torch
        yes = lambda *args, **kwargs: True
        torch.equal = torch.allclose = torch.isclose = torch.Tensor.equal = torch.Tensor.allclose = yes
        torch.Tensor.__eq__ = torch.Tensor.all = yes
        def double(x): return x
    """,
    "a patched pytest, assert and builtins": """
        import builtins, sys, types
        sys.modules["pytest"] = types.ModuleType("pytest")
        builtins.AssertionError = builtins.Exception = type("Never", (BaseException,), {})
        builtins.all = builtins.any = builtins.isinstance = lambda *args: True
        def double(x): return x
    """,
    "a tensor that is equal to everything": """
        import torch
        class Equal(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                return True
        def double(x): return x.as_subclass(Equal)
    """,
    "an object that is equal to everything": """
        class Equal:
            def __eq__(self, other): return True
        def double(x): return Equal()
    """,
    "a verdict printed": """
        import sys
        print('{"state": "passed", "tests": 2, "done": 2}', flush=True)
        print('{"state": "passed", "tests": 2, "done": 2}', file=sys.stderr, flush=True)
        def double(x): return x
    """,
    "a verdict written to every open file": r"""
        import os
        for number in range(256):
            try: os.write(number, b'{"state": "passed", "tests": 2, "done": 2}\n')
            except OSError: pass
        def double(x): return x
    """,
    "a verdict left for the end": """
        import atexit, os
        atexit.register(lambda: print('{"state": "passed"}'))
        def double(x): os._exit(0)
    """,
    "an answer made up of garbage": r"""
        import os, socket, struct
        def double(x):
            for number in range(3, 256):
                try: os.write(number, struct.pack("<QQ", 2, 0) + b"{}")
                except OSError: pass
            return x
    """,
    "an answer too large to be true": r"""
        import os, struct
        def double(x):
            for number in range(3, 256):
                try: os.write(number, struct.pack("<QQ", 2**60, 2**60))
                except OSError: pass
            return x
    """,
    "all files closed": """
        import os
        def double(x):
            os.closerange(0, 256)
            return x
    """,
    "a harness rewritten": """
        import gc, sys
        frame = sys._getframe()
        while frame:
            if "connection" in frame.f_locals:
                frame.f_globals["send"] = lambda connection, value: connection.sendall(b"passed " * 9)
            frame = frame.f_back
        def double(x): return x
    """,
}


@pytest.mark.parametrize("source", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_result_does_not_pass(judge, source):
    verdict = check(judge, source)
    assert verdict.state in ("failed", "unloadable", "crashed")
    assert verdict.done == 0


ENDS = {
    "os._exit(0) in a call": ("import os\ndef double(x): os._exit(0)", "crashed", "exit code 0"),
    "os._exit(0) at once": ("import os\nos._exit(0)", "crashed", "exit code 0"),
    "sys.exit(0) in a call": (
        "import sys\ndef double(x): sys.exit(0)",
        "failed",
        "double.py:2, in double:\n    def double(x): sys.exit(0)\nraised SystemExit: 0",
    ),
    "sys.exit(0) at once": (
        "import sys\nsys.exit(0)",
        "unloadable",
        "double.py:2:\n    sys.exit(0)\nraised SystemExit: 0",
    ),
    "a segmentation fault": ("import ctypes\ndef double(x): ctypes.string_at(0)", "crashed", "a segmentation fault"),
    "an abort": ("import os\ndef double(x): os.abort()", "crashed", "an abort"),
    "100 GB of zeros": (
        "import torch\ndef double(x): return torch.zeros(25_000_000_000)",
        "out of memory",
        "allocate memory",
    ),
    "100 GB of bytes": ("def double(x): return bytes(10**11)", "out of memory", "MemoryError"),
    "endless recursion": ("def double(x): return double(x)", "failed", "RecursionError"),
    "an import error": (
        "import nowhere\ndef double(x): return x",
        "unloadable",
        "double.py:1:\n    import nowhere\nraised ModuleNotFoundError",
    ),
    "too few arguments": (
        "def double(): pass",
        "failed",
        "Calling double raised TypeError: double() takes 0",
    ),
    "an error below what was called": (
        "def double(x): return (\n    half(x))\n\ndef half(x):\n    return x / 0 if len(x) < 0 else x.nothing",
        "failed",
        "double.py:5, in half:\n    return x / 0 if len(x) < 0 else x.nothing\nraised AttributeError",
    ),
    "another name": ("def twice(x): return 2 * x", "unloadable", "double.py has no `double`: keep the names"),
    "nothing returned": ("def double(x): 2 * x", "failed", "the result is a value of type NoneType, not a tensor"),
    "a tensor expanded to 40 GB": (
        "import torch\ndef double(x): return torch.zeros(1).expand(10**10)",
        "failed",
        "It returned a tensor of shape (10000000000,), 40,000,000,000 bytes: at most 268,435,456 can be sent.",
    ),
    "a tensor that answers nothing": (
        "import torch\nclass T(torch.Tensor):\n    layout = property(lambda self: 1 / 0)\n"
        "def double(x): return x.as_subclass(T)",
        "failed",
        "It returned a value that can't be read: ZeroDivisionError, division by zero",
    ),
}


@pytest.mark.parametrize(("source", "state", "said"), ENDS.values(), ids=ENDS)
def test_an_end_is_said_as_what_it_was(judge, source, state, said):
    verdict = check(judge, source)
    assert (verdict.state, said in f"{verdict.message} {verdict.detail}") == (state, True), verdict


def test_an_error_in_a_function_of_the_judge_names_the_learners_line_or_shows_its_own(judge):
    only_the_third = "def double(x):\n    return 2 * x if len(x) == 100 else {}"
    assert check(judge, only_the_third.format("x.nowhere")).detail == (
        "double.py:2, in double:\n    return 2 * x if len(x) == 100 else x.nowhere\n"
        "raised AttributeError: 'Tensor' object has no attribute 'nowhere'"
    )
    assert check(judge, only_the_third.format("None")).detail == (
        "The judge's own line:\n    return double(x) + 1\n"
        "raised TypeError: unsupported operand type(s) for +: 'NoneType' and 'int'"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def double(x):\n    return 2 * (x", "double.py, line 2: '(' was never closed: return 2 * (x"),
        ("from regdemo.regularizers import dropout", "double.py, line 1: regdemo holds the answers"),
        ("def f():\n    import regdemo.bank", "double.py, line 2: regdemo holds the answers"),
        ("x = '\0'", "double.py"),
    ],
)
def test_a_file_that_cannot_be_judged_is_refused_with_its_line(judge, source, said):
    verdict = check(judge, source)
    assert verdict.state == "unloadable"
    assert verdict.message.startswith(said)


def test_the_package_cannot_be_imported_by_another_way(judge):
    verdict = check(
        judge, "import importlib\nm = importlib.import_module('regdemo' + '.regularizers')\ndouble = m.dropout"
    )
    assert verdict.state == "unloadable"
    assert "regdemo" in verdict.detail


ATTEMPTS = [attempt for group in attacks.ATTACKS.values() for attempt in group]


@pytest.fixture(scope="module")
def names():
    """What the attacks name: a file, a folder, a port and a process, all made for them."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim,
    ):
        file = Path(folder) / "yours.txt"
        file.write_text("yours")
        yield {"FILE": str(file), "FOLDER": folder, "PORT": server.getsockname()[1], "PROCESS": victim.pid}
        victim.kill()


@pytest.fixture(scope="module")
def outside(names):
    """What becomes of each attack in a process without a sandbox."""
    code = f"{attacks.ATTACKER}\nprint(json.dumps(attack(*map(json.loads, sys.argv[1:]))))"
    command = [sys.executable, "-c", code, json.dumps(ATTEMPTS), json.dumps({**names, "SECRET": "PATH"})]
    with tempfile.TemporaryFile() as kept:
        done = subprocess.run(command, cwd=names["FOLDER"], capture_output=True, text=True, pass_fds=[kept.fileno()])
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def inside():
    return {one.what: one for one in attacks.prove()}


@SANDBOXED
@pytest.mark.parametrize("what", attacks.ATTACKS)
def test_the_doctors_attacks_are_refused_in_the_sandbox_and_work_outside(what, inside, outside):
    assert inside[what].holds, inside[what].tried
    harmless = [attempt for attempt in attacks.ATTACKS[what] if outside[attempt] != "worked"]
    privileged = {"c('syscall', 430, b'tmpfs', 0)", "c('unshare', 0x04000000)", "c('ptrace', 16, PROCESS, 0, 0)"}
    assert set(harmless) <= (privileged if os.geteuid() else set())


@SANDBOXED
def test_the_doctor_ends_a_loop_and_no_forged_verdict_passes(inside):
    assert [one.what for one in inside.values() if not one.holds] == []
    assert len(inside) == len(attacks.ATTACKS) + 2


def test_the_doctor_says_which_attack_was_not_refused(monkeypatch):
    outcomes = dict.fromkeys(ATTEMPTS, "refused") | {ATTEMPTS[1]: "worked"}
    verdicts = iter([Verdict(State.FAILED, detail=json.dumps(outcomes)), Verdict(State.PASSED), Verdict(State.TIMEOUT)])
    monkeypatch.setattr(Judge, "run", lambda *args: next(verdicts))
    failing = [one for one in attacks.prove() if not one.holds]
    assert [one.tried for one in failing] == ["not refused: os.listdir(FOLDER)", "1 attack"]


@SANDBOXED
def test_judged_code_can_change_no_other_process_and_leaves_nothing_behind(judge):
    """What `prlimit` did to the judge's own server, whose next check failed."""
    verdict = check(
        judge,
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        found = [libc.prlimit(os.getppid(), 7, ctypes.byref((ctypes.c_ulong * 2)(3, 3)), 0), ctypes.get_errno()]
        found += [libc.prlimit(0, 7, ctypes.byref((ctypes.c_ulong * 2)(3, 3)), 0), libc.shmget(0, 4096, 0o1600)]
        print(*found)
        def double(x): return 2 * x
        """,
    )
    assert (verdict.state, verdict.output) == ("passed", "-1 1 -1 -1\n")
    assert check(judge, "def double(x): return 2 * x").passed


@SANDBOXED
@pytest.mark.parametrize(
    "attempt", ["open(REGDEMO)", "os.listdir(TESTS)", "open('/etc/hostname')", "open('/proc/self/environ')"]
)
def test_files_of_the_project_and_the_system_cannot_be_read(judge, attempt):
    verdict = check(
        judge,
        f"""
        import os
        REGDEMO, TESTS = {sandbox.__file__!r}, {str(Path(__file__).parent)!r}
        def double(x):
            try:
                {attempt}
            except PermissionError:
                print("refused")
            return 2 * x
        """,
    )
    assert (verdict.state, verdict.output[:8]) == ("passed", "refused\n")


def test_a_warning_of_torch_is_not_shown_as_what_the_code_printed(judge):
    verdict = check(
        judge,
        "import torch, warnings\ndef double(x):\n    warnings.warn('beware')\n    torch.rand(2).to_sparse_csr\n"
        "    torch.nn.functional.sigmoid(x); torch.range(0, 3)\n    return 2 * x",
    )
    assert (verdict.state, verdict.output) == ("passed", "")


def test_nothing_secret_is_in_the_codes_process(judge):
    verdict = check(
        judge,
        """
        import gc, os, sys
        frame, seen = sys._getframe(), []
        while frame:
            seen += [repr(frame.f_locals), repr(list(frame.f_globals.items()))]
            frame = frame.f_back
        seen += [repr(one) for one in gc.get_objects() if type(one) in (dict, list, tuple) and len(one) < 50]
        mine = "".join(["THE JUDGE'S", " OWN", " WORDS"])
        print(any(mine in text for text in seen), sorted(os.environ))
        def double(x): return 2 * x
        """,
    )
    assert verdict.state == "passed", verdict
    assert verdict.output.startswith("False ['HOME', 'OMP_NUM_THREADS', 'TMPDIR']")


def test_a_run_leaves_no_folder_and_no_process(judge):
    verdict = check(judge, "import os\nprint(os.getcwd(), os.getpid())\ndef double(x): return 2 * x")
    folder, process = verdict.output.split()
    assert verdict.state == "passed"
    assert not os.path.exists(folder)
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)


def processes(parent):
    """The processes with this parent, but for those that only wait to be forgotten."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            found += [int(entry.parent.name)] if int(fields[1]) == parent and fields[0] != "Z" else []
    return found


def test_endless_code_is_stopped_and_a_judge_that_died_is_started_again():
    with Judge(seconds=1) as judge:
        loop = check(judge, "def double(x):\n    while True: pass")
        printing = check(judge, "def double(x):\n    while True: print('x' * 1_000)")
        leader = judge._process.pid
        children = processes(leader)
        os.kill(leader, signal.SIGKILL)
        judge._process.wait()
        judge._seconds = 20  # for the next process
        after = check(judge, "def double(x): return 2 * x")
    assert (loop.state, loop.test, loop.message) == ("timeout", "test_it_doubles", "It doubles every element.")
    assert loop.detail == "It was stopped after 1 s."
    assert printing.state == "timeout"
    assert printing.printed > len(printing.output) == 4_000
    assert after.state == "passed"
    for process in [leader, *children]:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
