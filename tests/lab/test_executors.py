"""Who is lost when a worker dies: only the item that killed it. And a real Dask cluster, one of its workers killed."""

import os
import signal
import socket
import sys
from collections import Counter
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import connection
from threading import Thread

import pytest

from regdemo.errors import ArgumentError, RegdemoError
from regdemo.lab import executors
from regdemo.lab.executors import JOBS_AHEAD, Processes, cluster, run_all
from regdemo.lab.store import Store
from regdemo.lab.sweep import sweep

DIE = "__import__('os')._exit(1)"


def test_a_worker_that_dies_costs_its_item_only_and_what_raises_is_not_tried_again(tmp_path):
    tried = tmp_path / "tried"
    raises = f"open({str(tried)!r}, 'a').write('x') / 0"
    items = ["1 + 1", DIE, "2 + 2", raises, "3 + 3", "4 + 4", "5 + 5"]
    found = {item: (result, type(error)) for item, result, error in run_all(eval, items, Processes, 2)}
    lost = {DIE, raises}
    assert {item: result for item, (result, _) in found.items() if item not in lost} == {
        item: eval(item) for item in items if item not in lost
    }
    assert found[DIE] == (None, executors.BrokenExecutor)
    assert found[raises] == (None, ZeroDivisionError)
    assert tried.read_text() == "x" or tried.read_text() == "xx"  # twice where it was in flight when the other died


class Brittle(Executor):
    """An executor whose one worker dies of the item `die`, before or after it took it."""

    made = 0

    def __init__(self, at_submit):
        Brittle.made += 1
        self.at_submit, self.broken = at_submit, False

    def submit(self, call, item):
        if self.broken or (item == "die" and self.at_submit):
            self.broken = True
            raise BrokenProcessPool("broken")
        future = Future()
        if item == "die":
            self.broken = True
            future.set_exception(BrokenProcessPool("broken"))
        else:
            future.set_result(call(item))
        return future


@pytest.mark.parametrize("at_submit", [False, True])
def test_every_item_is_yielded_once_whenever_an_executor_breaks(at_submit):
    items = ["die", "b", "c", "die", "d", "e", "f"]
    found = Counter(
        (item, result, type(error).__name__)
        for item, result, error in run_all(str.upper, items, lambda _: Brittle(at_submit), 1)
    )
    done = Counter((item, item.upper(), "NoneType") for item in items if item != "die")
    assert found == done + Counter({("die", None, "BrokenExecutor"): 2})


def test_no_more_is_handed_out_than_a_little_ahead_of_the_workers():
    class Counting(ThreadPoolExecutor):
        flying = most = 0

        def submit(self, call, item):
            Counting.flying += 1
            Counting.most = max(Counting.most, Counting.flying)
            return super().submit(call, item)

    for _ in run_all(abs, range(20), Counting, 2):
        Counting.flying -= 1
    assert Counting.most == 2 * JOBS_AHEAD


def test_processes_share_out_the_gpus_that_their_parent_sees(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    os.mkfifo(tmp_path / "fifo")  # which neither end opens before the other does, so the two are in two processes
    items = [f"(open({str(tmp_path / 'fifo')!r}, {way!r}), __import__('os').environ)" for way in "rw"]
    found = run_all(eval, [f"{item}[1]['CUDA_VISIBLE_DEVICES']" for item in items], partial(Processes, gpus=2), 2)
    assert {result for _, result, _ in found} == {"3", "7"}


def test_shut_down_without_waiting_processes_end_at_once():
    executor = Processes(1)
    future = executor.submit(eval, "__import__('threading').Event().wait()")
    (process,) = executor._processes.values()
    executor.shutdown(wait=False)
    # Not its exit code: the executor's own thread may have reaped it, and be about to note that.
    assert connection.wait([process.sentinel], timeout=0) == [process.sentinel]
    assert not future.done() or future.exception() is not None


def test_without_the_package_the_line_says_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ArgumentError, match=r"pip install 'regdemo\[dask\]'"), cluster("tcp://127.0.0.1:1"):
        pass


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("words", [b"", b"HTTP/1.0 400 Bad request\r\n\r\n"])
def test_what_listens_and_is_no_scheduler_is_no_answer(words, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "TIMEOUT", 0.5)
    held = []

    def answer(server):
        held.append(server.accept()[0])
        held[0].sendall(words)

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer, args=(server,), daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(RegdemoError, match=f"^no Dask scheduler answered at {address}"), executors.cluster(address):
            pass
    held[0].close()


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer_is_one_line_with_the_address_and_what_to_start(monkeypatch):
    monkeypatch.setattr(executors, "TIMEOUT", 0.2)
    with pytest.raises(RegdemoError, match=r"tcp://127.0.0.1:1 within 0.2 s: start one with") as caught:  # noqa: SIM117
        with cluster("tcp://127.0.0.1:1"):
            pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "host", "http://host:8786", "tcp://host", "tcp://:8786", "tcp://a b:1"])
def test_what_is_no_address_is_refused_before_it_is_tried(address):
    with pytest.raises(ArgumentError, match="the address of a scheduler"), cluster(address):
        pass


def test_where_nothing_will_end_any_more_the_check_says_so(monkeypatch):
    class Dead(Executor):
        def submit(self, call, item):
            return Future()

    def check():
        raise RegdemoError("gone")

    monkeypatch.setattr(executors, "PULSE", 0)
    with pytest.raises(RegdemoError, match="gone"):
        list(run_all(abs, [1, 2], lambda workers: Dead(), 1, check))


@pytest.mark.filterwarnings("ignore")
def test_on_a_dask_cluster_a_worker_killed_in_the_run_costs_nothing(tmp_path):
    from distributed import LocalCluster

    killed = []
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=60
        ) as dask,
        dask.get_client() as client,
    ):
        pids = client.run(os.getpid)

        def kill(done, total):
            if done and not killed:
                # A busy one, unless this was asked between two of its tasks.
                ordered = sorted(client.processing().items(), key=lambda item: -len(item[1]))
                killed.append(ordered[0][0])
                os.kill(pids[killed[0]], signal.SIGKILL)

        with cluster(dask.scheduler_address) as (executor, workers, check):
            assert workers == 2
            report = sweep(
                "dropout",
                tmp_path / "s.jsonl",
                p=[0.1, 0.5],
                train_sizes=[40, 60],
                seeds=16,
                epochs=1,
                workers=workers,
                executor=executor,
                check=check,
                progress=kill,
            )
    assert len(killed) == 1
    assert report.holds
    lines = (tmp_path / "s.jsonl").read_text().splitlines()
    assert len(lines) == 3 * 2 * 16  # arms, sizes, seeds
    with Store(tmp_path / "s.jsonl") as results:  # which refuses a member twice
        assert [sorted(members) for members in results.done.values()] == [list(range(16))] * 6
