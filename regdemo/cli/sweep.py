"""`regdemo sweep`: a grid on processes or a Dask cluster, behind a progress bar."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from regdemo.cli.training import ManyValues, Techniques, Watch, in_runs, network, on_task, trains
from regdemo.errors import ArgumentError
from regdemo.lab import compare as comparisons
from regdemo.lab import executors
from regdemo.lab import sweep as sweeps
from regdemo.lab.choices import TRAIN_SIZE, WORKERS


class ManyValuesAndSizes(ManyValues):
    """As `compare` takes several values, and several sizes too."""

    many = (*ManyValues.many, "train_size")


@trains(on_task, network, in_runs)
def sweep(
    techniques: Techniques,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Where each finished network is kept, a line of JSON; only appended to."),
    ] = Path("sweep.jsonl"),
    *,
    train_size: Annotated[
        list[int] | None, typer.Option(metavar="N...", help=f"{TRAIN_SIZE.help} Several are as many sizes.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help=f"{WORKERS.help} {WORKERS.allowed.capitalize()}.", show_default="one a core, or one a GPU"),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Train on a Dask cluster, such as tcp://host:8786.")
    ] = None,
    watch: Watch,
    **options: Any,
) -> None:
    """Run a grid: techniques, at several values, at several sizes of training data, over paired seeds.

    A job is up to 8 seeds of one arm at one size, fewer where a network takes long, on a GPU up to 256. Each network
    is kept in a file, a line of its own, when its job ends. The same command again trains only what is missing, after
    Ctrl-C, a power cut or a worker that died, which costs its own job only. More seeds, values or sizes are added to
    the same file; what another kind of device trained, or another precision, is kept separately.

    On a cluster: `pip install 'regdemo[dask]'` on every machine, the same version. On one of them run `dask scheduler`,
    on each of the others `dask worker tcp://HOST:8786`, and then `regdemo sweep ... --dask tcp://HOST:8786` from
    anywhere that reaches it. The results file stays where you run it; a file given by --data must be at the same path
    on every worker. With --device cuda give each GPU a worker, `CUDA_VISIBLE_DEVICES=0 dask worker --nthreads 1
    tcp://HOST:8786`; where you run the sweep none is needed.
    """
    if dask is not None and workers is not None:
        raise ArgumentError(f"workers = {workers} is for processes of this machine: a Dask cluster has its own")
    counts: list[int] = []

    def ran(progress: Any) -> comparisons.ExperimentReport:
        def tell(done: int, total: int) -> None:
            counts[:] = [*counts[:1], done, total] if counts else [done, done, total]
            progress(done, total)

        if dask is None:
            place: Any = nullcontext((None, _one_each(options["device"]) if workers is None else workers, lambda: None))
        else:
            place = executors.cluster(dask)
        with place as (executor, many, check):
            return sweeps.sweep(
                techniques,
                out,
                train_sizes=train_size or (),
                workers=many,
                executor=executor,
                check=check,
                progress=tell,
                **options,
            )

    try:
        watch(ran, "Training")
    finally:
        if counts:
            before, done, total = counts
            rest = f", {total - done} missing" if done < total else ""
            print(f"{out}: {done - before} networks trained now, {before} there before{rest}", file=sys.stderr)


def _one_each(device: str) -> int:
    """One worker a core, or one a GPU."""
    if device != "cuda":
        return 1 if device.startswith("cuda") else os.cpu_count() or 1
    return max(1, torch.cuda.device_count())
