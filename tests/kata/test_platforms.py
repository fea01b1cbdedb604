"""Each way to judge, with the parts of the platform hidden that another platform does not have."""

import os
import re
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from regdemo.kata import judge as judging
from regdemo.kata import sandbox
from regdemo.kata.judge import Judge, WeakSandboxError
from regdemo.kata.verdict import State

JUDGE = '''
def test_it_doubles():
    """It doubles every element."""
    x = torch.randn(10, requires_grad=True)
    gradient(double(x), x, torch.full((10,), 2.0))
'''
STARTER = "def double(x): pass"


@pytest.fixture(scope="module")
def portable():
    with Judge(seconds=10, weaker=True, forked=False) as judge:
        yield judge


def test_without_fork_code_is_judged_in_processes_of_its_own(portable):
    verdict = portable.run("double", JUDGE, STARTER, "print('hello')\ndef double(x): return 2 * x", seed=5)
    assert (verdict.state, verdict.tests, verdict.done) == (State.PASSED, 1, 1)
    assert (verdict.output.strip(), verdict.seed) == ("hello", 5)


def test_without_fork_an_end_is_said_as_what_it_was_and_the_next_process_is_ready(portable):
    portable.warm()
    verdict = portable.run("double", JUDGE, STARTER, "import os\ndef double(x): os._exit(3)")
    assert (verdict.state, verdict.test) == (State.CRASHED, "test_it_doubles")
    assert verdict.detail == "It ended its own process, with exit code 3."
    assert portable._process.poll() is None


def test_without_fork_an_endless_loop_is_stopped():
    with Judge(seconds=1, weaker=True, forked=False) as judge:
        verdict = judge.run("double", JUDGE, STARTER, "def double(x):\n    while True: pass")
    assert (verdict.state, verdict.detail) == (State.TIMEOUT, "It was stopped after 1 s.")


@pytest.mark.parametrize(
    ("landlock", "seccomp", "system", "missing"),
    [
        (7, True, "linux", []),
        (0, True, "linux", ["your files, which judged code could read"]),
        (7, False, "linux", ["the network and other processes"]),
        (
            0,
            False,
            "darwin",
            [
                "your files, which judged code could read and change",
                "the network and other processes",
                "your computer's memory",
            ],
        ),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_judged_without_consent(monkeypatch, landlock, seccomp, system, missing):
    monkeypatch.setattr(sandbox, "_landlock_version", lambda: landlock)
    monkeypatch.setattr(sandbox, "_can_filter", lambda: seccomp)
    monkeypatch.setattr(sandbox.sys, "platform", system)
    assert sandbox.missing() == missing
    if missing:
        with pytest.raises(WeakSandboxError, match="here the sandbox does not protect") as caught:
            Judge()
        assert list(caught.value.missing) == missing
    Judge(weaker=True).close()


@pytest.mark.skipif(sys.platform != "linux", reason="hides parts of Linux")
@pytest.mark.parametrize(
    ("hidden", "refused", "allowed"),
    [
        ("sandbox._landlock_version = lambda: 0", "open('new', 'w')", "os.listdir('/')"),
        ("sandbox._can_filter = lambda: False", "os.listdir('/')", "os.getpriority(0, 0)"),
        ("sandbox.platform.machine = lambda: 'riscv64'", "os.listdir('/')", "os.getpriority(0, 0)"),
        (
            "sandbox._landlock_version = lambda: 0; sandbox._can_filter = lambda: False",
            "open('new', 'w').write('x' * 10_000)",
            "os.listdir('/')",
        ),
    ],
)
def test_the_parts_of_the_sandbox_that_exist_are_used(tmp_path, hidden, refused, allowed):
    program = f"""
        import os
        from regdemo.kata import sandbox
        {hidden}
        sandbox.Sandbox().enter(5)
        try:
            {refused}
        except OSError:
            print("refused")
        {allowed}
        print("allowed")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("refused\nallowed\n", "")


HEADERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h")


@pytest.mark.parametrize(("column", "header"), list(enumerate(HEADERS)), ids=["x86-64", "arm64"])
def test_the_numbers_of_the_system_calls_are_those_of_the_kernels_headers(column, header):
    """arm64 has the generic numbers. https://docs.kernel.org/process/adding-syscalls.html"""
    if not Path(header).exists():
        pytest.skip(f"needs {header}")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    right = {name: int(number) for name, number in lines}
    names = {"newfstatat": "fstatat"} if column else {}  # called so where the architecture has 64 bits alone
    ours = {name: numbers[column] for name, numbers in sandbox._CALLS.items() if numbers[column] is not None}
    assert {name: right.get(names.get(name, name)) for name in ours} == ours


WINDOWS = """
import asyncio, importlib, ctypes, multiprocessing, os, random, signal, socket, subprocess, sys, tempfile, types
import concurrent.futures, sqlite3, threading, zipfile
import torch, platformdirs, plotext, rich.console, typer  # each has wheels of its own for Windows

for name in ("fork", "killpg", "setsid", "waitpid", "sched_getaffinity", "getuid", "geteuid", "mkfifo", "O_NONBLOCK"):
    delattr(os, name)
for name in ("SIGKILL", "SIGXCPU", "SIGBUS", "SIGHUP", "SIGALRM"):
    delattr(signal, name)
for name in ("fcntl", "resource", "termios", "tty", "pwd", "grp"):
    sys.modules[name] = None
sys.modules["msvcrt"] = types.SimpleNamespace(locking=lambda *args: None, LK_NBLCK=2)
sys.platform = "win32"

import regdemo.bank.verify, regdemo.bank.worker, regdemo.cli.kata, regdemo.kata.server, regdemo.kata.runner
from regdemo.kata.judge import Judge, WeakSandboxError
from regdemo.kata import sandbox
print(len(sandbox.missing()))
try:
    Judge()
except WeakSandboxError as error:
    print(error)
sandbox.Sandbox().enter(1)
"""


def test_every_module_of_the_judge_can_be_imported_where_unix_is_not():
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.stderr == ""
    assert done.stdout == (
        "3\nhere the sandbox does not protect your files, which judged code could read and change; "
        "the network and other processes; your computer's memory\n"
    )


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("def double(x):\n    return 2 * (x", 2, "double.py, line 2: '(' was never closed: return 2 * (x"),
        (
            "def double(x):\n    return two * x",
            2,
            "double.py, line 2: the name 'two' is defined nowhere: return two * x",
        ),
        ("from regdemo.demos import x\n", 1, "double.py, line 1: regdemo holds the answers: write it yourself"),
    ],
)
def test_a_fault_in_the_source_is_found_without_a_process(monkeypatch, source, line, message):
    monkeypatch.setattr(judging.subprocess, "Popen", lambda *args, **options: pytest.fail("a process was started"))
    with closing(Judge(weaker=True)) as judge:
        verdict = judge.run("double", JUDGE, STARTER, source)
    assert (verdict.state, verdict.line) == (State.UNLOADABLE, line)
    assert verdict.message.startswith(message)


@pytest.mark.parametrize(
    "source",
    [
        "from torch import *\ndef f(x): return relu(x)",
        "def f(x: Tensor) -> Module: return x",
        "def f(x):\n    global y\n    y = x\n    return g(y)\ng = abs",
        "def f(x):\n    try:\n        return unknown\n    except NameError:\n        return x",
        "class A:\n    def f(self): return __class__",
        "def f(x):\n    del x\n    return [y for y in __name__]",
        "(" * 150 + ")" * 150,
    ],
)
def test_no_fault_is_found_where_none_is_certain(source):
    assert judging.fault_in(source, "f.py") is None
