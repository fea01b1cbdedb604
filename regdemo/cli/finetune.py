"""`regdemo finetune`: a pretrained network fine-tuned in paired runs, behind a progress bar."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from regdemo.cli.compare import Epochs, Seed, Seeds, check_values, watched, with_values
from regdemo.cli.options import AsJson, Save
from regdemo.lab.finetune import ARMS
from regdemo.lab.techniques import TECHNIQUES

Techniques = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TECHNIQUE]...",
        autocompletion=lambda: list(TECHNIQUES),
        help=f"What to fine-tune with; if none is named, {', '.join(ARMS)}.",
        show_default=False,
    ),
]
Data = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Fine-tune on your own text, not on a part of Python's help texts.")
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A Hugging Face causal language model on this machine, by name or folder, instead of a small GPT.",
    ),
]


@with_values
def finetune(
    techniques: Techniques = None,
    data: Data = None,
    model: Model = None,
    seeds: Seeds = 8,
    epochs: Epochs = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    save: Save = None,
    *,
    values: dict[str, list[float]],
) -> None:
    """Fine-tune a small pretrained GPT with several techniques, and see which of them help.

    All runs start from the same weights, pretrained on one part of Python's help texts, and learn from a few thousand
    characters of another. Ctrl-C ends it early and shows what is finished.
    """
    from regdemo.lab.finetune import finetune as run

    check_values(values)
    watched(
        lambda progress: run(
            techniques or (),
            data=data,
            model=model,
            seeds=seeds,
            epochs=epochs,
            seed=seed,
            clock=time.thread_time,
            progress=progress,
            **values,
        ),
        f"Fine-tuning {seeds} networks an arm",
        as_json=as_json,
        save=save,
    )
