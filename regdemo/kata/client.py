"""The judge as the command line calls it: a warm process, asked for one verdict after the other."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from regdemo.errors import RegdemoError
from regdemo.kata.katas import Kata
from regdemo.kata.verdict import Verdict

SECONDS = 10  # for one run
START = 60  # seconds in which torch must be loaded


class JudgeError(RegdemoError):
    """There is no judge on this platform, or it did not start."""


class Judge:
    """A process that judges. A context manager: when it is left, nothing that it started goes on.

    hidden: folders that the code must not read, besides this package: the decks that hold the solutions.
    """

    def __init__(self, hidden: Sequence[Path] = (), *, seconds: int = SECONDS) -> None:
        if not hasattr(os, "fork"):
            raise JudgeError(f"katas are judged in a forked process, which {sys.platform} has not: use Linux or macOS")
        self._seconds = seconds
        self._hidden = hidden
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the last process

    def __enter__(self) -> Judge:
        """Begin to load torch."""
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        """End the process, and with it what it forked."""
        self.close()

    def close(self) -> None:
        """The same, for who does not use it in a `with`."""
        self._stop()
        self._said.close()

    def check(self, kata: Kata, source: str, *, seed: int | None = None) -> Verdict:
        """Judge a file. Whatever the code does, this returns; what the code prints is never printed."""
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        request = {
            "name": kata.name,
            "judge": kata.judge,
            "starter": kata.starter,
            "source": source,
            "seed": secrets.randbelow(2**31) if seed is None else seed,
        }
        data = json.dumps(request).encode("utf-8", "surrogatepass")
        try:
            line = self._ask(struct.pack("<Q", len(data)) + data)
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            self._stop()
            self._said.seek(0)
            last = self._said.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            return Verdict("lost", message="The judge's process ended before it had a verdict.", detail=last)
        return Verdict(**json.loads(line))

    def _ask(self, data: bytes) -> bytes:
        process = self._process
        assert process
        assert process.stdin
        assert process.stdout
        process.stdin.write(data)
        process.stdin.flush()
        line, until = b"", time.monotonic() + START + self._seconds
        while not line.endswith(b"\n") and (left := until - time.monotonic()) > 0:
            if select.select([process.stdout], [], [], left)[0]:
                more = os.read(process.stdout.fileno(), 65_536)
                if not more:
                    break
                line += more
        return line

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "regdemo.kata.server", str(self._seconds), *map(str, self._hidden)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=tempfile.gettempdir(),
            env=_environment(),
            start_new_session=True,
        )

    def _stop(self) -> None:
        if process := self._process:
            self._process = None
            with suppress(OSError):
                process.send_signal(signal.SIGTERM)
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment() -> dict[str, str]:
    """What the judge's process is told of this one's environment: where modules are, one thread, nothing else."""
    kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "SYSTEMROOT")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    package = Path(__file__).parents[2]
    found = {name: os.environ[name] for name in kept if name in os.environ}
    path = os.pathsep.join(filter(None, [str(package), found.get("PYTHONPATH", "")]))
    return {**found, **threads, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
