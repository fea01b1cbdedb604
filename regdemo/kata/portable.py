"""Where processes cannot be forked: this process is the judge, and it starts one other that runs the learner's code.

It serves one request, in the format of `server`, and ends. `Judge` starts the next one ahead of time, since both
processes load torch.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from typing import Any

import torch

from regdemo.kata import trial
from regdemo.kata.verdict import State, Verdict
from regdemo.kata.wire import Pipes, receive

OUTPUT = 4_000  # bytes of what the code prints that are kept

_SIGNALS = {
    "SIGSEGV": "a segmentation fault",
    "SIGABRT": "an abort",
    "SIGBUS": "a bus error",
    "SIGFPE": "an arithmetic fault",
    "SIGILL": "an illegal instruction",
}


def main() -> None:
    """Judge one file. Arguments: the seconds it may take, and paths to hide from it."""
    seconds, *hidden = sys.argv[1:]
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the other process and the folder do not stay
    with tempfile.TemporaryDirectory(prefix="kata-", ignore_cleanup_errors=True) as folder:
        code = subprocess.Popen(
            [sys.executable, "-P", "-m", "regdemo.kata.runner", seconds, *hidden],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
        )
        try:
            assert code.stdin
            assert code.stdout
            connection = Pipes(code.stdout.fileno(), code.stdin.fileno())
            receive(connection)  # it has loaded torch: that is not in its time
            if request := read_request():
                os.write(1, json.dumps(_judge(code, connection, request, int(seconds))).encode() + b"\n")
        finally:
            code.kill()
            code.wait()


def _judge(code: subprocess.Popen[bytes], connection: Pipes, request: dict[str, Any], seconds: int) -> dict[str, Any]:
    assert code.stderr
    errors, printed, late = code.stderr.fileno(), bytearray(), threading.Event()
    reply: dict[str, Any] = {"seed": request["seed"]}
    began, count = time.monotonic(), 0

    def keep() -> None:
        nonlocal count
        while data := os.read(errors, 65_536):
            count += len(data)
            printed.extend(data[: OUTPUT - len(printed)])

    def stop() -> None:
        late.set()
        code.kill()

    keeper, timer = threading.Thread(target=keep, daemon=True), threading.Timer(seconds, stop)
    keeper.start()
    timer.start()
    verdict = trial.judge_file(request, connection, reply.update)
    timer.cancel()
    reply |= verdict_fields(verdict, time.monotonic() - began)
    if late.is_set():
        reply |= {"state": State.TIMEOUT, "detail": f"It was stopped after {seconds} s."}
    elif verdict.state is State.CRASHED:
        reply |= ending(_wait(code))
    code.kill()
    keeper.join(1)
    return reply | {"output": printed.decode("utf-8", "replace"), "printed": count}


def _wait(code: subprocess.Popen[bytes]) -> int | None:
    try:
        return code.wait(1)
    except subprocess.TimeoutExpired:
        return None


def verdict_fields(verdict: Verdict, seconds: float) -> dict[str, Any]:
    """A verdict as JSON holds it, without what only the supervisor knows."""
    reply = {**asdict(verdict), "seconds": seconds}
    return {key: value for key, value in reply.items() if key not in ("seed", "output", "printed")}


def ending(code: int | None) -> dict[str, Any]:
    """What to say of a process that ended before it answered. code: its exit code, below 0 for a signal."""
    if code is None:
        return {"detail": "It closed its connection to the judge."}
    number = -code
    if number == getattr(signal, "SIGXCPU", 0):
        return {"state": State.TIMEOUT, "detail": "It used up its processor time."}
    if number == getattr(signal, "SIGKILL", 0):
        return {"state": State.OUT_OF_MEMORY, "detail": "The system killed it: most likely it ran out of memory."}
    if number <= 0:
        return {"detail": f"It ended its own process, with exit code {code}."}
    name = signal.Signals(number).name
    return {"detail": f"It crashed by {_SIGNALS.get(name, name)}."}


def read_request() -> dict[str, Any] | None:
    """The next request on the input, or None at its end."""
    head = _exactly(8)
    if len(head) < 8:
        return None
    return json.loads(_exactly(struct.unpack("<Q", head)[0]))  # type: ignore[no-any-return]


def _exactly(size: int) -> bytes:
    data = b""
    while len(data) < size and (more := os.read(0, size - len(data))):
        data += more
    return data


if __name__ == "__main__":
    main()
