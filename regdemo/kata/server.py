"""One warm process with torch loaded, which forks two for each run: the learner's and the judge's, each in its box.

The client writes a request to its input (eight bytes of length, then JSON) and reads one line of JSON, the verdict.
This process itself reads neither the code nor the judge: what a fork inherits from it holds nothing to be copied.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from regdemo.kata import judge, learner
from regdemo.kata.box import Walls

OUTPUT = 4_000  # bytes of what the code prints that are kept
GRACE = 1.0  # seconds that a process has to be gone after its connection closed

_SIGNALS = {
    signal.SIGSEGV: "a segmentation fault",
    signal.SIGABRT: "an abort",
    signal.SIGBUS: "a bus error",
    signal.SIGFPE: "an arithmetic fault",
    signal.SIGILL: "an illegal instruction",
    signal.SIGXFSZ: "the limit on the size of a file",
}


def main() -> None:
    """Serve one request after the other, until the input ends. Arguments: seconds for a run, paths to hide."""
    seconds, *hidden = sys.argv[1:]
    torch.set_num_threads(1)
    verdict: bytes | None = b""
    while verdict is not None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was begun is tidied up
        walls = Walls([Path(__file__).parents[1], *map(Path, hidden)])
        with tempfile.TemporaryDirectory(prefix="kata-", ignore_cleanup_errors=True) as folder:
            verdict = _Run(walls, Path(folder), int(seconds)).verdict()
        if verdict is not None:
            os.write(1, verdict + b"\n")
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # an import would swallow it, and nothing is begun
            importlib.import_module("torch._dynamo")  # optimizers and vmap import it late: the next run finds it loaded


class _Run:
    """Two processes and the pipes between: code <-> judge -> here, and what the code prints -> here."""

    def __init__(self, walls: Walls, folder: Path, seconds: int) -> None:
        self._seconds = seconds
        ours, theirs = socket.socketpair()
        self._printed, prints = os.pipe()
        self._told, tells = os.pipe()
        # The code's process comes first: it must not inherit the judge's request.
        self._code = _fork(lambda: _run_code(walls, folder, seconds, theirs, prints))
        self._judge = _fork(lambda: _run_judge(walls, seconds, ours, tells))
        for end in (ours, theirs):
            end.close()
        walls.close()
        os.close(prints)
        os.close(tells)

    def verdict(self) -> bytes | None:
        """Wait for the judge, or for the end of its time; the verdict as JSON, or None if there was no request."""
        try:
            lines, output, printed, late = self._watch()
        except BaseException:
            self._end(wait=False)
            raise
        status = self._end(wait=bool(lines) and lines[-1].get("state") == "died")
        if not lines:
            return None
        told: dict[str, Any] = {}
        for line in lines:
            told |= line
        if "state" not in told:
            told["state"] = "late" if late else "lost"
        if told["state"] == "died":
            told |= _death(status)
        told |= {"output": output.decode("utf-8", "replace"), "printed": printed}
        if told["state"] == "late":
            told["detail"] = f"It was stopped after {self._seconds} s."
        told.pop("started", None)
        return json.dumps(told).encode()

    def _watch(self) -> tuple[list[dict[str, Any]], bytes, int, bool]:
        """What the judge told, what the code printed at first, how many bytes in all, and whether time ran out."""
        told, output, printed = b"", b"", 0
        deadline = None
        sources = [self._told, self._printed]
        while self._told in sources:
            if deadline is None and told:
                deadline = time.monotonic() + self._seconds
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            ready, _, _ = select.select(sources, [], [], left)
            for source in ready:
                data = os.read(source, 65_536)
                if not data:
                    sources.remove(source)
                elif source == self._told:
                    told += data
                else:
                    printed += len(data)
                    output += data[: OUTPUT - len(output)]
        late = self._told in sources
        if self._printed in sources:
            os.set_blocking(self._printed, False)
            with contextlib.suppress(BlockingIOError):
                data = os.read(self._printed, 65_536)
                printed += len(data)
                output += data[: OUTPUT - len(output)]
        *lines, _ = told.split(b"\n")
        return [json.loads(line) for line in lines], output, printed, late

    def _end(self, *, wait: bool) -> int | None:
        """End both processes and all they started; the status with which the code's ended by itself, if it did."""
        status = None
        until = time.monotonic() + (GRACE if wait else 0)
        while status is None and time.monotonic() <= until:
            done, found = os.waitpid(self._code, os.WNOHANG)
            status = found if done else None
            if status is None and wait:
                time.sleep(0.005)
        for process in (self._code, self._judge):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, 0)
        for end in (self._told, self._printed):
            os.close(end)
        return status


def _death(status: int | None) -> dict[str, Any]:
    """What to say of a process that ended before it answered."""
    if status is None:
        return {"detail": "It closed its connection to the judge."}
    if not os.WIFSIGNALED(status):
        return {"detail": f"It ended its own process, with exit code {os.waitstatus_to_exitcode(status)}."}
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        return {"state": "late", "detail": "It used up its processor time."}
    if number == signal.SIGKILL:
        return {"state": "hungry", "detail": "The system killed it: most likely it ran out of memory."}
    return {"detail": f"It crashed by {_SIGNALS.get(number, signal.strsignal(number))}."}  # type: ignore[call-overload]


def _fork(child: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        child()
    except BaseException:
        traceback.print_exc()  # of the judge: the code's own errors are answers
    finally:
        os._exit(0)


def _run_code(walls: Walls, folder: Path, seconds: int, connection: socket.socket, prints: int) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for old, new in ((nothing, 0), (prints, 1), (prints, 2)):
        os.dup2(old, new)
    _close_all_but(connection.fileno(), *walls.files())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(HOME=str(folder), TMPDIR=str(folder), OMP_NUM_THREADS="1")
    walls.close_in(seconds + 1, folder)
    learner.serve(connection)


def _run_judge(walls: Walls, seconds: int, connection: socket.socket, tells: int) -> None:
    os.setsid()
    # The request is read in full before the walls close, but only here.
    request = _request()
    if request is None:
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for new in (0, 1):
        os.dup2(nothing, new)
    _close_all_but(connection.fileno(), tells, *walls.files())

    def tell(fields: dict[str, Any]) -> None:
        os.write(tells, json.dumps(fields).encode() + b"\n")

    began = time.monotonic()
    tell({"seed": request["seed"]})
    walls.close_in(seconds + 1)
    verdict = judge.run(request, connection, tell)
    told = asdict(replace(verdict, seconds=time.monotonic() - began))
    tell({key: value for key, value in told.items() if key not in ("seed", "output", "printed")})


def _request() -> dict[str, Any] | None:
    """The next request on the input, or None at its end."""
    head = _exactly(8)
    if len(head) < 8:
        return None
    data = _exactly(struct.unpack("<Q", head)[0])
    return json.loads(data)  # type: ignore[no-any-return]


def _exactly(size: int) -> bytes:
    data = b""
    while len(data) < size and (more := os.read(0, size - len(data))):
        data += more
    return data


def _close_all_but(*kept: int) -> None:
    low = 3
    for number in [*sorted(kept), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(low, number)
        low = number + 1


if __name__ == "__main__":
    main()
