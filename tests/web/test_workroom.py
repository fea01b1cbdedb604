"""The process that knows torch: what replaces what, and what happens when it takes too long or dies."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from regdemo.web import worker

workroom = pytest.importorskip("regdemo.web.workroom", reason="the extra web is missing")
SLOW = ("demo", "dropout", {"p": 0.1, "size": 1_000_000, "seed": 0})
QUICK = ("demo", "dropout", {"p": 0.1, "size": 1_000, "seed": 0})


@pytest.fixture(scope="module")
def run():
    """Runs a scenario with a bench; it is one for all, since its process takes seconds to load torch."""
    with asyncio.Runner() as runner:
        bench = workroom.Bench()
        yield lambda scenario: runner.run(scenario(bench))
        runner.run(bench.close())


def test_a_job_returns_its_report_and_what_it_took(run):
    report, seconds = run(lambda bench: bench.run("a", *QUICK))
    assert report.holds
    assert seconds > 0


def test_a_newer_job_of_the_same_asker_replaces_those_before_it(run):
    async def scenario(bench):
        await bench.warm_up()
        older = [asyncio.create_task(bench.run("a", *SLOW)) for _ in range(3)]
        await asyncio.sleep(0)
        newest = asyncio.create_task(bench.run("a", *QUICK))
        return await asyncio.gather(*older, newest, return_exceptions=True)

    *older, newest = run(scenario)
    assert all(isinstance(one, workroom.Superseded) for one in older)
    assert newest[0].parameters["size"] == QUICK[2]["size"]


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no SIGUSR1 here: a job that is stopped costs its process")
@pytest.mark.parametrize("own", [True, False])
def test_a_stop_that_overtakes_its_job_stops_it_and_one_for_the_job_before_does_not(own, run):
    async def scenario(bench):
        await bench.warm_up()
        bench._stopped_job = bench._job + own
        os.kill(bench._process.pid, signal.SIGUSR1)
        return await bench.run("a", *QUICK)

    if own:
        with pytest.raises(workroom.Superseded):
            run(scenario)
    else:
        assert run(scenario)[0].holds


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no SIGUSR1 here: a job that is stopped costs its process")
def test_a_stop_within_an_import_comes_after_it_and_the_next_job_finds_the_module_whole(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole/__init__.py").write_text("import whole.core, signal\nsignal.raise_signal(signal.SIGUSR1)\n")
    (tmp_path / "whole/core.py").write_text("name = 'core'\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from regdemo.web import worker\n"
        "worker.JOBS['import'] = lambda progress: __import__('whole').core.name\n"
        "worker.main()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as process:
        worker.read(process.stdout)
        said = []
        for _ in range(2):
            worker.write(process.stdin, ("import", ()))
            said.append(worker.read(process.stdout)[:2])
        process.stdin.close()
    assert said == [("stopped",), ("done", "core")]


def test_a_stop_while_torch_is_being_loaded_stops_the_job_and_not_the_loading():
    async def scenario():
        bench = workroom.Bench()
        try:
            job = asyncio.create_task(bench.run("a", *QUICK))
            while bench._process is None:
                await asyncio.sleep(0)
            bench.stop("a")
            with pytest.raises(workroom.Superseded):
                await job
            begun = bench._process
            return (await bench.run("a", *QUICK))[0].holds and bench._process is begun
        finally:
            await bench.close()

    assert asyncio.run(scenario())


def test_a_job_of_another_asker_is_done_as_well(run):
    async def scenario(bench):
        return await asyncio.gather(bench.run("a", *QUICK), bench.run("b", *QUICK))

    assert [report.holds for report, _ in run(scenario)] == [True, True]


def test_a_refusal_comes_back_as_a_sentence(run):
    with pytest.raises(workroom.WorkError, match=r"p = 2 is not allowed"):
        run(lambda bench: bench.run("a", "demo", "dropout", {"p": 2}))


def test_a_job_that_takes_too_long_is_ended_and_the_next_one_is_done(run):
    async def scenario(bench):
        await bench.warm_up()
        bench._seconds = 0.001
        with pytest.raises(workroom.WorkError, match="longer than"):
            await bench.run("a", *SLOW)
        bench._seconds = 60
        return await bench.run("a", *QUICK)

    assert run(scenario)[0].holds


def test_a_process_that_died_is_replaced(run):
    async def scenario(bench):
        await bench.warm_up()
        os.kill(bench._process.pid, signal.SIGKILL)
        with pytest.raises(workroom.WorkError, match="process ended"):
            await bench.run("a", *QUICK)
        return await bench.run("a", *QUICK)

    assert run(scenario)[0].holds


def test_what_needs_too_much_memory_is_refused(monkeypatch):
    async def scenario():
        bench = workroom.Bench()
        try:
            await bench.run("a", "demo", "dropout", {"p": 0.1, "size": 1_000_000, "seed": 0})
        finally:
            await bench.close()

    monkeypatch.setenv("REGDEMO_ROOM", "1000000")
    with pytest.raises(workroom.WorkError, match="memory"):
        asyncio.run(scenario())
