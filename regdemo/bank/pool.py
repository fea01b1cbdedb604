"""Tasks shared out among child processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from typing import TypeVar

Worker = TypeVar("Worker")
Task = TypeVar("Task")
Result = TypeVar("Result")


def run_all(
    tasks: Sequence[Task],
    workers: Sequence[Worker],
    run: Callable[[Worker, Task], Result],
    close: Callable[[Worker], None],
    progress: Callable[[int, int], None],
) -> list[Result]:
    """Run each task by an idle worker, and return the results in the order in which they come.

    close ends a worker and its task; an error or an interrupt closes all. progress is called with how many tasks are
    done, and of how many.
    """
    idle: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def run_by_idle(task: Task) -> Result:
        worker = idle.get()
        try:
            return run(worker, task)
        finally:
            idle.put(worker)

    results = []
    with ThreadPoolExecutor(len(workers) or 1) as pool:
        futures = [pool.submit(run_by_idle, task) for task in tasks]
        try:
            for number, future in enumerate(as_completed(futures), 1):
                results.append(future.result())
                progress(number, len(tasks))
        finally:
            for future in futures:
                future.cancel()
            for worker in workers:
                close(worker)
    return results
