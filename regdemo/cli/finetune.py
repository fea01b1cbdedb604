"""`regdemo finetune`: a pretrained network fine-tuned in paired runs, behind a progress bar."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from regdemo.cli.training import Seeds, Watch, in_runs, trains, tuned
from regdemo.lab import finetune as finetuning
from regdemo.lab import store
from regdemo.lab.choices import FINETUNING
from regdemo.lab.techniques import TECHNIQUES

Techniques = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ARM]...",
        autocompletion=lambda: list(TECHNIQUES),
        help=f"What to fine-tune with; if none is named, {', '.join(FINETUNING)}.",
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


@trains(tuned, in_runs)
def finetune(
    techniques: Techniques = None,
    data: Data = None,
    model: Model = None,
    *,
    seeds: Seeds = 8,
    watch: Watch,
    **options: Any,
) -> None:
    """Fine-tune a small pretrained GPT with several techniques, and see which of them help.

    All runs start from the same weights, pretrained on one part of Python's help texts, and learn from a few thousand
    characters of another. Ctrl-C ends it early and shows what is finished.
    """
    watch(
        partial(
            finetuning.finetune,
            techniques or (),
            data=data,
            model=model,
            seeds=seeds,
            clock=store.clock_on(options["device"]),
            **options,
        ),
        f"Fine-tuning {seeds} networks per arm",
    )
