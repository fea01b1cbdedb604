"""Where jobs are done: processes of this machine, or a Dask cluster; and what becomes of one whose worker dies."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing import connection, resource_tracker
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from regdemo import lazy
from regdemo.errors import ArgumentError, RegdemoError

if TYPE_CHECKING:
    from concurrent.futures import Future

JOBS_AHEAD = 2  # jobs handed out for each worker, so that none waits for its next
TIMEOUT = 10  # seconds for a Dask scheduler to answer, and for it to have a worker
SEEN = "CUDA_VISIBLE_DEVICES"  # which GPUs a process sees, by number or name
PULSE = 1.0  # seconds between two looks at whether what does the jobs is there

T = TypeVar("T")
Make = Callable[[int], Executor]  # an executor with so many workers


class Processes(ProcessPoolExecutor):
    """Processes that are started afresh, not forked. They leave Ctrl-C to their parent, and end when it is gone.

    gpus: how many GPUs of this machine are divided among them, each process seeing one; if 0, all see what there is.
    """

    def __init__(self, workers: int, gpus: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        begun = (context.Value("i", 0), gpus) if gpus else ()
        super().__init__(workers, context, initializer=lazy.call, initargs=(__name__, "_begin", *begun))
        resource_tracker.ensure_running()  # it unblocks SIGINT as it starts, so before `submit` blocks it

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand out a call. A process that this starts inherits that SIGINT is blocked, from its first instruction."""
        if not hasattr(signal, "pthread_sigmask"):
            return super().submit(*args, **kwargs)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(*args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the processes, or end them, as a Dask executor cancels what it has."""
        processes = [] if wait else list((self._processes or {}).values())
        super().shutdown(wait, cancel_futures=cancel_futures or not wait)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _begin(begun: Any = None, gpus: int = 0) -> None:
    """In a new process: end when the parent does, be it killed, take no Ctrl-C, and see the next GPU only.

    begun: how many processes have begun before, shared by all.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if gpus:
        seen = (os.environ.get(SEEN) or ",".join(map(str, range(gpus)))).split(",")
        with begun.get_lock():
            os.environ[SEEN] = seen[begun.value % gpus]  # read when CUDA starts, in a job
            begun.value += 1
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def run_all(
    call: Callable[[T], Any], items: Sequence[T], make: Make, workers: int, check: Callable[[], None] = lambda: None
) -> Iterator[tuple[T, Any, BaseException | None]]:
    """Call it on every item, each in a worker; yield the item with its result or what it raised, as they end.

    At most JOBS_AHEAD items a worker are handed out at a time. If a worker dies, the executor is broken: the items
    that were not handed out are done first, in new executors, then each of the others in an executor of its own. So
    an item is lost, with BrokenExecutor as its error, if it kills a worker that has nothing else to do. A call that
    raises is not tried again.
    check: called while nothing ends; it raises where nothing will any more.
    """
    to_retry: list[T] = []
    waiting = deque(items)
    while waiting:
        yield from _until_broken(call, waiting, to_retry, make, workers, JOBS_AHEAD * workers, check)
    for item in to_retry:
        broken: list[T] = []
        yield from _until_broken(call, deque([item]), broken, make, 1, 1, check)
        if broken:
            yield item, None, BrokenExecutor("its worker died")


def _until_broken(
    call: Callable[[T], Any],
    waiting: deque[T],
    to_retry: list[T],
    make: Make,
    workers: int,
    most: int,
    check: Callable[[], None],
) -> Iterator[tuple[T, Any, BaseException | None]]:
    """Do what is waiting with one executor. If it breaks, `to_retry` gets what was handed out."""
    in_flight: dict[Future[Any], T] = {}
    with make(workers) as executor:
        try:
            broken = False
            while in_flight or (waiting and not broken):
                while waiting and len(in_flight) < most and not broken:
                    try:
                        in_flight[executor.submit(call, waiting[0])] = waiting[0]
                        waiting.popleft()
                    except BrokenExecutor:
                        broken = True
                        if not in_flight:  # it broke before anything was handed out: this item may be the cause
                            to_retry.append(waiting.popleft())
                ended, _ = wait(in_flight, PULSE, FIRST_COMPLETED)
                if not ended:
                    check()
                for future in [future for future in in_flight if future in ended]:  # in the order of the items
                    item, error = in_flight.pop(future), _error(future)
                    if isinstance(error, BrokenExecutor):
                        broken = True
                        to_retry.append(item)
                    else:
                        yield item, None if error else future.result(), error
        except BaseException:
            with suppress(Exception):  # it may be what has failed
                executor.shutdown(wait=False)
            raise


def _error(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _answers(address: str) -> bool:
    """Whether a scheduler shakes hands at an address within TIMEOUT.

    Of something else that listens there, such as a dashboard, distributed waits for more or takes the words for
    lengths, and its client could not be closed. So a thread asks that may be left behind.
    """
    from distributed.comm import connect  # of the extra `dask`

    found: list[bool] = []

    async def shake_hands() -> None:
        comm: Any = await connect(address, timeout=TIMEOUT)
        found.append(True)
        await comm.close()

    def ask() -> None:
        with suppress(Exception):
            asyncio.run(shake_hands())

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return bool(found)


@contextmanager
def cluster(address: str) -> Iterator[tuple[Make, int, Callable[[], None]]]:
    """A Dask cluster: what makes an executor on it, how many jobs it does at a time, and a check that it is there.

    The scheduler reruns what a worker that died had, and gives up what has killed several (`KilledWorker`).
    Raises ArgumentError without the package or if the address isn't one, RegdemoError if no scheduler with a worker
    answers within TIMEOUT seconds.
    """
    try:
        import distributed
    except ImportError as error:
        raise ArgumentError("a Dask cluster needs the package distributed: pip install 'regdemo[dask]'") from error
    if not re.fullmatch(r"(tcp|tls|ws|wss)://[^\s/:]+:\d+|(tcp|tls|ws|wss)://\[[^\s\]]+\]:\d+", address):
        raise ArgumentError(f"dask = {address!r} isn't the address of a scheduler: it looks like tcp://host:8786")
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it would say, an error says in a line
    no_answer = RegdemoError(
        f"no Dask scheduler answered at {address} within {TIMEOUT} s: start one with `dask scheduler`, and "
        f"workers with `dask worker {address}`"
    )
    if not _answers(address):
        raise no_answer
    try:
        client: Any = distributed.Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise no_answer from error
    with client:
        try:
            client.wait_for_workers(1, timeout=TIMEOUT)
        except TimeoutError as error:
            raise RegdemoError(
                f"the Dask scheduler at {address} had no worker within {TIMEOUT} s: start some with "
                f"`dask worker {address}`"
            ) from error

        def check() -> None:
            # Its futures never end when the client has given up on the scheduler.
            if client.status == "closed":
                raise RegdemoError(
                    f"the Dask scheduler at {address} has gone: what was finished is kept, and the "
                    "same command goes on from there"
                )

        yield lambda _: client.get_executor(pure=False), sum(client.nthreads().values()), check
