"""The judge as a face calls it: a warm process, asked for one verdict after another."""

from __future__ import annotations

import json
import os
import secrets
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from regdemo.errors import RegdemoError
from regdemo.kata import katas, sandbox
from regdemo.kata.katas import Kata
from regdemo.kata.source import fault_in  # loaded now: a module is not loaded lazily in two threads at once
from regdemo.kata.verdict import State, Verdict
from regdemo.quiz import decks

RUN_TIMEOUT = 10  # for one run
START_TIMEOUT = 60  # seconds within which torch must be loaded


class WeakSandboxError(RegdemoError):
    """A part of the sandbox does not exist on this platform. missing: what is not protected."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(f"here the sandbox does not protect {'; '.join(missing)}")


class Judge:
    """A process that judges. A context manager: at its end, the processes that it started are ended.

    hidden: folders that the judged code must not read, in addition to this package: the decks that hold the solutions.
    weaker: run code also where a part of the sandbox does not exist; else WeakSandboxError is raised there.
    forked: whether one process with torch in it is forked for each run (Linux), or a new one is started (elsewhere).
    """

    def __init__(
        self,
        hidden: Sequence[Path] = (),
        *,
        seconds: int = RUN_TIMEOUT,
        weaker: bool = False,
        forked: bool | None = None,
    ) -> None:
        if not weaker and (missing := sandbox.missing()):
            raise WeakSandboxError(missing)
        self._seconds = seconds
        self._hidden = hidden
        self._module = "server" if (sys.platform == "linux" if forked is None else forked) else "portable"
        self._process: subprocess.Popen[bytes] | None = None
        self._stays_warm = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the last process

    def __enter__(self) -> Judge:
        """Nothing is started before the first file, or before `warm` is called."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process, and with it those that it started."""
        self.close()

    def close(self) -> None:
        """The same, for a caller that has no `with` block."""
        self._stop()
        self._errors.close()

    def warm(self) -> None:
        """Have a process with torch loaded from now on, so that no verdict waits for that."""
        self._stays_warm = True
        if self._process is None:
            self._start()

    def check(self, kata: Kata, text: str, *, seed: int | None = None) -> Verdict:
        """Judge the text of a file, even if it crashes or hangs; what it prints is in the verdict."""
        return self.run(kata.name, kata.judge, kata.starter, text, seed=seed)

    def run(self, name: str, tests: str, starter: str, text: str, *, seed: int | None = None) -> Verdict:
        """The same for tests that belong to no card."""
        if fault := fault_in(text, f"{name}.py"):
            return Verdict(State.UNLOADABLE, message=fault.message, line=fault.line)
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        request = {
            "name": name,
            "judge": tests,
            "starter": starter,
            "source": text,
            "seed": secrets.randbelow(2**31) if seed is None else seed,
        }
        data = json.dumps(request).encode("utf-8", "surrogatepass")
        line = self._ask(struct.pack("<Q", len(data)) + data)
        if not line.endswith(b"\n"):
            self._stop()
            self._errors.seek(0)
            last = self._errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            return Verdict(
                State.INTERNAL_ERROR, message="The judge's process ended before it had a verdict.", detail=last
            )
        if self._module == "portable":  # each of its processes judges once
            self._stop()
            if self._stays_warm:
                self._start()
        fields = json.loads(line)
        return Verdict(**{**fields, "state": State(fields["state"])})

    def _ask(self, data: bytes) -> bytes:
        process = self._process
        assert process
        assert process.stdin
        assert process.stdout
        timer = threading.Timer(START_TIMEOUT + self._seconds, process.kill)
        timer.start()
        try:
            process.stdin.write(data)
            process.stdin.flush()
            return process.stdout.readline()
        except OSError:  # the process has ended
            return b""
        finally:
            timer.cancel()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"regdemo.kata.{self._module}", str(self._seconds), *map(str, self._hidden)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=tempfile.gettempdir(),
            env=_environment(),
            start_new_session=True,
        )

    def _stop(self) -> None:
        if process := self._process:
            self._process = None
            with suppress(OSError):
                process.terminate()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def check_source(
    name: str, text: str, *, bank: Path | None = None, seed: int | None = None, weaker: bool = False
) -> Verdict:
    """Judge the text of a kata's file, in a sandbox. Takes about three seconds, most of which torch takes to load.

    name: the kata's name or id.  bank: a deck or a folder of decks; without it, the bundled ones.  seed: of the judge's
    random numbers; a verdict comes again with its own.  weaker: see `Judge`.  Nothing is printed or recorded.
    The verdict names the first test that failed (`test`), says what it asks for (`message`), what was measured or how
    the code failed (`detail`), and the line of the file (`line`, 0 if no single line is to blame).

    Raises ArgumentError for a name that does not exist, DeckError for a bank that cannot be read, WeakSandboxError
    where a part of the sandbox does not exist.

    >>> verdict = check_source("dropout", "def dropout(x, p, training, generator):\\n    return y")
    >>> verdict.state, verdict.line, verdict.message
    (<State.UNLOADABLE: 'unloadable'>, 2, "dropout.py, line 2: the name 'y' is defined nowhere: return y")
    """
    path = bank or decks.bundled()
    kata = katas.find(katas.katas(decks.load(path).cards), name)
    with Judge([path], weaker=weaker) as judge:
        return judge.check(kata, text, seed=seed)


def _environment() -> dict[str, str]:
    """What the judge's process gets of this one's environment: where modules are, one thread, nothing else."""
    kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "TEMP", "SYSTEMROOT")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    package = Path(__file__).parents[2]
    found = {name: os.environ[name] for name in kept if name in os.environ}
    path = os.pathsep.join(filter(None, [str(package), found.get("PYTHONPATH", "")]))
    quiet = {"PYTHONDONTWRITEBYTECODE": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    return {**found, **threads, **quiet, "PYTHONPATH": path}
