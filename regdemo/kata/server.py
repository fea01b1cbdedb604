"""One warm process with torch loaded, which forks two for each run: the code's and the judge's, each in a sandbox.

`Judge` writes a request to its input (eight bytes of length, then JSON) and reads one line of JSON, the verdict. This
process itself reads neither the code nor the judge's tests, so a fork inherits nothing that could be copied from.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from regdemo.kata import runner, trial
from regdemo.kata.portable import OUTPUT, ending, read_request, verdict_fields
from regdemo.kata.sandbox import Sandbox
from regdemo.kata.verdict import State

EXIT_TIMEOUT = 1.0  # seconds that a process has to end after it closed its connection


def main() -> None:
    """Serve one request after the other, until the input ends. Arguments: seconds for a run, paths to hide."""
    seconds, *hidden = sys.argv[1:]
    torch.set_num_threads(1)
    verdict: bytes | None = b""
    while verdict is not None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the temporary folder is removed
        sandbox = Sandbox([Path(__file__).parents[1], *map(Path, hidden)])
        with tempfile.TemporaryDirectory(prefix="kata-", ignore_cleanup_errors=True) as folder:
            verdict = _Run(sandbox, Path(folder), int(seconds)).verdict()
        if verdict is not None:
            os.write(1, verdict + b"\n")
            # There is nothing to remove now, and an import might catch SystemExit.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            importlib.import_module("torch._dynamo")  # optimizers and vmap import it late: the next run finds it loaded


class _Run:
    """Two processes and the pipes between: code <-> judge -> here, and what the code prints -> here."""

    def __init__(self, sandbox: Sandbox, folder: Path, seconds: int) -> None:
        self._seconds = seconds
        ours, theirs = socket.socketpair()
        self._printed, prints = os.pipe()
        self._verdict_pipe, verdict_end = os.pipe()
        # The code's process comes first: it must not inherit the judge's request.
        self._code = _fork(lambda: _run_code(sandbox, folder, seconds, theirs, prints))
        self._judge = _fork(lambda: _run_judge(sandbox, seconds, ours, verdict_end))
        for end in (ours, theirs):
            end.close()
        sandbox.close()
        os.close(prints)
        os.close(verdict_end)

    def verdict(self) -> bytes | None:
        """Wait for the judge, or until its time is over. The verdict as JSON; None if there was no request."""
        try:
            lines, output, printed, late = self._watch()
        except BaseException:
            self._end(wait=False)
            raise
        status = self._end(wait=bool(lines) and lines[-1].get("state") == State.CRASHED)
        if not lines:
            return None
        reply: dict[str, Any] = {}
        for line in lines:
            reply |= line
        if "state" not in reply:
            reply["state"] = State.TIMEOUT if late else State.INTERNAL_ERROR
        if reply["state"] == State.CRASHED:
            reply |= ending(None if status is None else os.waitstatus_to_exitcode(status))
        elif late and reply["state"] == State.TIMEOUT:
            reply["detail"] = f"It was stopped after {self._seconds} s."
        return json.dumps(reply | {"output": output.decode("utf-8", "replace"), "printed": printed}).encode()

    def _watch(self) -> tuple[list[dict[str, Any]], bytes, int, bool]:
        """The judge's lines, the beginning of what the code printed, its bytes in all, and whether time ran out."""
        sent, output, printed = b"", b"", 0
        deadline = None
        sources = [self._verdict_pipe, self._printed]
        while self._verdict_pipe in sources:
            if deadline is None and sent:
                deadline = time.monotonic() + self._seconds
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            ready, _, _ = select.select(sources, [], [], left)
            for source in ready:
                data = os.read(source, 65_536)
                if not data:
                    sources.remove(source)
                elif source == self._verdict_pipe:
                    sent += data
                else:
                    printed += len(data)
                    output += data[: OUTPUT - len(output)]
        late = self._verdict_pipe in sources
        if self._printed in sources:
            os.set_blocking(self._printed, False)
            with contextlib.suppress(BlockingIOError):
                data = os.read(self._printed, 65_536)
                printed += len(data)
                output += data[: OUTPUT - len(output)]
        *lines, _ = sent.split(b"\n")
        return [json.loads(line) for line in lines], output, printed, late

    def _end(self, *, wait: bool) -> int | None:
        """End both processes and all they started. The status of the code's process, if it had ended by itself."""
        status = None
        until = time.monotonic() + (EXIT_TIMEOUT if wait else 0)
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
        for end in (self._verdict_pipe, self._printed):
            os.close(end)
        return status


def _fork(child: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        child()
    except BaseException:
        traceback.print_exc()  # an error of the judge: those of the code are answers
    finally:
        os._exit(0)


def _run_code(sandbox: Sandbox, folder: Path, seconds: int, connection: socket.socket, prints: int) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for old, new in ((nothing, 0), (prints, 1), (prints, 2)):
        os.dup2(old, new)
    _close_all_but(connection.fileno(), *sandbox.descriptors())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(HOME=str(folder), TMPDIR=str(folder), OMP_NUM_THREADS="1")
    sandbox.enter(seconds + 1)
    runner.serve(connection)


def _run_judge(sandbox: Sandbox, seconds: int, connection: socket.socket, verdict_end: int) -> None:
    os.setsid()
    request = read_request()  # here and nowhere else: the code's process was forked before
    if request is None:
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for new in (0, 1):
        os.dup2(nothing, new)
    _close_all_but(connection.fileno(), verdict_end, *sandbox.descriptors())

    def tell(fields: dict[str, Any]) -> None:
        os.write(verdict_end, json.dumps(fields).encode() + b"\n")

    began = time.monotonic()
    tell({"seed": request["seed"]})
    sandbox.enter(seconds + 1)
    verdict = trial.judge_file(request, connection, tell)
    tell(verdict_fields(verdict, time.monotonic() - began))


def _close_all_but(*kept: int) -> None:
    low = 3
    for number in [*sorted(kept), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(low, number)
        low = number + 1


if __name__ == "__main__":
    main()
