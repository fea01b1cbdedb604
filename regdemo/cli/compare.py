"""`regdemo compare`: paired training runs behind a progress bar."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from regdemo.cli.training import Techniques, Watch, in_runs, on_task, trains
from regdemo.lab.choices import NONE


@trains(on_task, in_runs)
def compare(
    techniques: Techniques,
    against: Annotated[
        str, typer.Option(metavar="TECHNIQUE", help="What to compare with; none is a network without any.")
    ] = NONE,
    *,
    watch: Watch,
    **options: Any,
) -> None:
    """Train with and without techniques, over paired seeds, and see what the differences allow to say.

    Several techniques, and several values of an option as in --p 0.1 0.2, are as many arms.
    Ctrl-C ends it early and shows what is finished.
    """
    from regdemo.lab.compare import clock_on
    from regdemo.lab.compare import compare as run

    watch(
        partial(run, techniques, against=against, clock=clock_on(options["device"]), **options),
        f"Training {options['seeds']} networks an arm",
    )
