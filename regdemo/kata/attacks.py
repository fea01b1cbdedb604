"""Proves each protection of the sandbox by trying what it should refuse, in the place where judged code runs.

Where a protection does not hold, its attack succeeds: so every attack here is one that does no harm then.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from regdemo.kata.judge import Judge
from regdemo.kata.sandbox import MEMORY
from regdemo.kata.verdict import State

ATTACK_TIMEOUT = 3  # that the judge gives the attacks

# By what judged code is kept from: the expressions that try it. FILE, FOLDER, PORT and PROCESS are the doctor's own.
ATTACKS: dict[str, tuple[str, ...]] = {
    "your files: reading them": ("open(FILE)", "os.listdir(FOLDER)", "open(f'/proc/{PROCESS}/environ')"),
    "any file: writing, changing or removing it": (
        "open(f'{FOLDER}/new', 'w')",
        "open('new', 'w').write('x' * 100)",
        "open(FILE, 'a')",
        "os.truncate(FILE, 0)",
        "os.chmod(FILE, 0o777)",
        "os.utime(FILE, (0, 0))",
        "os.mkdir(f'{FOLDER}/d')",
        "os.symlink(FILE, f'{FOLDER}/link')",
        "os.rename(FILE, FILE)",
        "os.remove(FILE)",
    ),
    "the network": (
        "socket.create_connection(('127.0.0.1', PORT))",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    ),
    "starting processes and threads": (
        "os.fork() or os._exit(0)",
        "subprocess.run([sys.executable, '-c', ''], check=True)",
        "threading.Thread(target=int).start()",
    ),
    "other processes: signals, memory, limits, priority": (
        "os.kill(PROCESS, 0)",
        "c('process_vm_readv', PROCESS, 0, 0, 0, 0, 0)",
        "c('ptrace', 16, PROCESS, 0, 0)",
        "c('prlimit', PROCESS, 7, ctypes.byref((ctypes.c_ulong * 2)(9, 9)), 0)",
        "os.setpriority(os.PRIO_PROCESS, PROCESS, 1)",
        "os.sched_setaffinity(PROCESS, os.sched_getaffinity(0))",
        "os.sched_setscheduler(PROCESS, os.SCHED_BATCH, os.sched_param(0))",
        "fcntl.fcntl(0, fcntl.F_SETOWN, PROCESS)",
    ),
    "memory that outlives the run": ("c('shmctl', c('shmget', 0, 4096, 0o1600), 0, 0)", "os.memfd_create('m')"),
    "mounts, namespaces and the like": (
        "c('syscall', 430, b'tmpfs', 0)",  # fsopen
        "c('unshare', 0x04000000)",
        "c('syscall', 425, 1, (ctypes.c_char * 120)())",  # io_uring_setup
    ),
    f"more than {MEMORY // 2**30} GB of memory": (f"mmap.mmap(-1, {MEMORY + 2**30})",),
    "your environment and open files": (
        "os.environ[SECRET]",
        "opened()",
    ),
}
ATTACKER = """
import ctypes, json, mmap, os, socket, stat, subprocess, sys, threading
try:
    import fcntl
except ImportError:
    pass


def c(name, *args):
    if sys.platform != "linux":  # the numbers are Linux's
        raise NameError(name)
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if (result := function(*args)) == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def opened():
    for number in range(3, 256):
        try:
            if stat.S_ISREG(os.fstat(number).st_mode):
                return
        except OSError:
            pass
    raise PermissionError("no regular file is open")


def attack(attempts, names):
    found = {}
    for attempt in attempts:
        try:
            eval(attempt, {**globals(), **names})
            found[attempt] = "worked"
        except (AttributeError, NameError, FileNotFoundError):
            found[attempt] = "does not exist here"
        except Exception:
            found[attempt] = "refused"
    return found
"""
_JUDGE = '''
def test_what_works():
    """Report it."""
    import json
    fail(json.dumps(attack(json.loads(%r), json.loads(%r))))
'''
_FORGER = """
import builtins, os, torch
torch.equal = torch.allclose = builtins.isinstance = lambda *args, **kwargs: True


def attack(attempts, names):
    for number in range(256):
        try:
            os.write(number, b'{"state": "passed", "tests": 1, "done": 1}\\n')
        except OSError:
            pass
"""
_LOOP = "def attack(attempts, names):\n    while True: pass\n"


class Protection(NamedTuple):
    """What judged code is kept from, whether that holds here, and how it was tried."""

    what: str
    holds: bool
    tried: str


def prove() -> list[Protection]:
    """Run every attack in a judge of its own, and say which were refused. It takes about ten seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim,
        Judge([], seconds=ATTACK_TIMEOUT, weaker=True) as judge,
    ):
        file = Path(folder) / "yours.txt"
        file.write_text("yours")
        names = {"FILE": str(file), "FOLDER": folder, "PORT": server.getsockname()[1], "PROCESS": victim.pid}
        attempts = [attempt for group in ATTACKS.values() for attempt in group]
        tests = _JUDGE % (json.dumps(attempts), json.dumps({**names, "SECRET": "REGDEMO_DOCTOR"}))
        os.environ["REGDEMO_DOCTOR"] = "secret"
        try:
            verdict = judge.run("attack", tests, _LOOP, ATTACKER)
        finally:
            del os.environ["REGDEMO_DOCTOR"]
        forged = judge.run("attack", tests, _LOOP, _FORGER)
        looped = judge.run("attack", tests, _LOOP, _LOOP)
        victim.kill()  # an attack may have stopped it
    try:
        found = json.loads(verdict.detail)
    except ValueError:  # the attacks ended the process, or never ran: nothing is proved
        found = {}
    return [
        *(
            _protection(what, [found.get(attempt, "not tried") for attempt in group], group)
            for what, group in ATTACKS.items()
        ),
        Protection(
            f"a run of more than {ATTACK_TIMEOUT} s, the time that the doctor gives",
            looped.state is State.TIMEOUT,
            "1 attack",
        ),
        Protection("a passing verdict that the code writes itself", not forged.passed, "1 attack"),
    ]


def _protection(what: str, outcomes: list[str], group: tuple[str, ...]) -> Protection:
    worked = [attempt for attempt, outcome in zip(group, outcomes, strict=True) if outcome in ("worked", "not tried")]
    refused = outcomes.count("refused")
    if worked:
        return Protection(what, False, f"not refused: {', '.join(worked)}")
    absent = outcomes.count("does not exist here")
    return Protection(
        what, True, f"{refused} of {refused} refused" + (f", {absent} do not exist here" if absent else "")
    )


def system() -> str:
    """The system that the proof holds for."""
    return f"{platform.system()} {platform.release()}, {platform.machine()}"
