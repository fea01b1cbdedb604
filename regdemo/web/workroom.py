"""Runs what needs torch in another process, with limits on time and memory, so that no page waits for it.

A newer job of the same asker takes the place of the older one: one that waits is dropped, one that runs is stopped.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from regdemo.errors import RegdemoError

JOB_TIMEOUT = 60.0  # for a job
START_TIMEOUT = 120.0  # for torch to be loaded
STOP_TIMEOUT = 1.0  # seconds that a job has to end after it was asked to stop; its process is ended otherwise
MOST_WAITING = 20


class Superseded(Exception):
    """The same asker has asked for something newer."""


class WorkError(RegdemoError):
    """A job that did not come to its end. The message says why."""


class Bench:
    """One worker process, started when it is first needed, and again after it died. One job at a time.

    seconds: how long a job may take.  grace: how long a job may go on after it was asked to stop.
    """

    def __init__(self, seconds: float = JOB_TIMEOUT, grace: float = STOP_TIMEOUT) -> None:
        self._seconds = seconds
        self._grace = grace
        self._process: asyncio.subprocess.Process | None = None
        self._ready: asyncio.Task[None] | None = None
        self._loading: asyncio.Future[None] | None = None  # what the job that runs waited, or waits, for
        self._turn = asyncio.Lock()
        self._newest: dict[str, int] = {}
        self._number = 0
        self._running = ""  # whose job it is
        self._job = 0  # its number
        self._stopped_job = 0  # the number of the last job that was asked to stop
        self._waiting = 0

    @property
    def warm(self) -> bool:
        """Whether torch is loaded."""
        return bool(self._ready and self._ready.done() and not self._ready.exception() and self._alive)

    @property
    def _alive(self) -> bool:
        return bool(self._process and self._process.returncode is None)

    def warm_up(self) -> asyncio.Task[None]:
        """Begin to load torch, if that has not happened; the task ends when it is loaded."""
        if self._ready is None or (self._ready.done() and not self._alive):
            self._ready = asyncio.create_task(self._start())
        return self._ready

    async def run(
        self, asker: str, job: str, *arguments: Any, progress: Callable[[int, int], None] | None = None
    ) -> tuple[Any, float]:
        """What a job returns and the seconds that it computed.

        Raises Superseded if the asker asked for something newer since, WorkError if the job cannot be done, takes too
        long, or ends its process.
        """
        self._number += 1
        number = self._newest[asker] = self._number
        if self._running == asker:
            self.stop(asker)
        if self._waiting >= MOST_WAITING:
            raise WorkError(f"{MOST_WAITING} others are waiting: try again in a moment")
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            if self._newest.get(asker) != number:
                raise Superseded
            self._running = asker
            self._job += 1
            found = await self._work(job, arguments, progress)
            if self._newest.get(asker) != number:
                raise Superseded
            return found
        finally:
            self._running = ""
            self._turn.release()
            if self._newest.get(asker) == number:
                del self._newest[asker]

    def stop(self, asker: str) -> None:
        """Stop the asker's job, if it runs, or waits for torch, which goes on being loaded."""
        if self._running != asker:
            return
        self._stopped_job = self._job
        if self._loading and not self._loading.done():
            self._loading.cancel()
            return
        process = self._process
        if process is None or not self._alive:
            return
        if not hasattr(signal, "SIGUSR1"):
            process.kill()
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGUSR1)
        asyncio.get_running_loop().call_later(self._grace, self._end_if_stuck, process, self._job)

    def _end_if_stuck(self, process: asyncio.subprocess.Process, job: int) -> None:
        """End the process if that job still runs: the signal came in a call that does not return."""
        if self._running and self._job == job and process.returncode is None:
            process.kill()

    async def _work(
        self, job: str, arguments: tuple[Any, ...], progress: Callable[[int, int], None] | None
    ) -> tuple[Any, float]:
        self._loading = asyncio.shield(self.warm_up())
        try:
            await self._loading
        except asyncio.CancelledError:
            if self._stopped_job == self._job:
                raise Superseded from None
            raise
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise WorkError("torch could not be loaded: run `regdemo dropout` in a terminal to see why") from error
        assert self._process
        try:
            async with asyncio.timeout(self._seconds):
                kind, *rest = await self._answer(self._process, (job, arguments), progress)
                while kind == "stopped" and self._stopped_job != self._job:  # the signal was meant for the job before
                    kind, *rest = await self._answer(self._process, (job, arguments), progress)
        except TimeoutError:
            await self._end()
            raise WorkError(f"it took longer than {self._seconds:g} seconds: choose smaller sizes") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._end()
            if self._stopped_job == self._job:
                raise Superseded from None
            raise WorkError("its process ended: choose smaller sizes") from None
        except asyncio.CancelledError:
            await self._end()
            raise
        if kind == "stopped":
            raise Superseded
        if kind == "refused":
            raise WorkError(*rest)
        if kind == "failed":
            raise WorkError(f"an error inside regdemo ({rest[0]})")
        value, seconds = rest
        return value, seconds

    async def _answer(
        self, process: asyncio.subprocess.Process, message: object, progress: Callable[[int, int], None] | None
    ) -> Any:
        """Hand a job to the process; its last message."""
        assert process.stdin
        data = pickle.dumps(message)
        process.stdin.write(struct.pack("<I", len(data)) + data)
        await process.stdin.drain()
        while (answer := await _message(process))[0] == "progress":
            if progress:
                progress(*answer[1:])
        return answer

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-c",
            "from regdemo import lazy; lazy.call('regdemo.web.worker', 'main')",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        async with asyncio.timeout(START_TIMEOUT):
            await _message(self._process)

    async def _end(self) -> None:
        if self._process and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def close(self) -> None:
        """End the process."""
        if self._ready:
            self._ready.cancel()
            await asyncio.gather(self._ready, return_exceptions=True)
        await self._end()


async def _message(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout
    (size,) = struct.unpack("<I", await process.stdout.readexactly(4))
    return pickle.loads(await process.stdout.readexactly(size))
