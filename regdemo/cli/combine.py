"""`regdemo combine`: a full factorial of techniques behind a progress bar."""

from __future__ import annotations

import time

from regdemo.cli.compare import (
    Data,
    Epochs,
    LabelNoise,
    Seed,
    Seeds,
    Target,
    TaskName,
    Techniques,
    TrainSize,
    watched,
    with_values,
)
from regdemo.cli.options import AsJson, Save


@with_values
def combine(
    techniques: Techniques,
    task: TaskName = "mnist1d",
    data: Data = None,
    target: Target = None,
    label_noise: LabelNoise = 0.0,
    train_size: TrainSize = None,
    seeds: Seeds = 16,
    epochs: Epochs = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    save: Save = None,
    *,
    values: dict[str, list[float]],
) -> None:
    """Train with every combination of techniques, and see which help each other or do the same work twice.

    Two to five techniques are 4 to 32 arms. Ctrl-C ends it early and shows what is finished.
    """
    from regdemo.lab.combine import combine as run

    watched(
        lambda progress: run(
            techniques,
            task=task,
            data=data,
            target=target,
            label_noise=label_noise,
            train_size=train_size,
            seeds=seeds,
            epochs=epochs,
            seed=seed,
            clock=time.thread_time,
            progress=progress,
            **values,
        ),
        f"Training {2 ** len(techniques)} x {seeds} networks",
        as_json=as_json,
        save=save,
    )
