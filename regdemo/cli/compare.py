"""`regdemo compare`: paired training runs behind a progress bar."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from regdemo.cli.training import Techniques, Watch, in_runs, network, on_task, trains, tuned
from regdemo.lab import compare as comparisons
from regdemo.lab import store
from regdemo.lab.choices import NONE


@trains(on_task, network, tuned, in_runs)
def compare(
    techniques: Techniques,
    against: Annotated[
        str, typer.Option(metavar="ARM", help="What to compare with; none is a network without any technique.")
    ] = NONE,
    *,
    watch: Watch,
    **options: Any,
) -> None:
    """Train with and without techniques, over paired seeds, and see what you can conclude from the differences.

    Several techniques, and several values of an option as in --p 0.1 0.2, are as many arms; so are words such as
    `compare none dropout:p=0.1 dropout:p=0.2+weight-decay:strength=0.1`. On a table each seed draws its own training
    and test rows. Ctrl-C ends it early and shows what is finished.
    """
    watch(
        partial(comparisons.compare, techniques, against=against, clock=store.clock_on(options["device"]), **options),
        f"Training {options['seeds']} networks per arm",
    )
