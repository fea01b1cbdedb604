"""`regdemo combine`: a full factorial of techniques behind a progress bar."""

from __future__ import annotations

from functools import partial
from typing import Any

from regdemo.cli.training import Techniques, Watch, in_runs, on_task, trains


@trains(on_task, in_runs)
def combine(techniques: Techniques, *, watch: Watch, **options: Any) -> None:
    """Train with every combination of techniques, and see which help each other or do the same work twice.

    Two to five techniques are 4 to 32 arms. Ctrl-C ends it early and shows what is finished.
    """
    from regdemo.lab.combine import combine as run
    from regdemo.lab.compare import clock_on

    watch(
        partial(run, techniques, clock=clock_on(options["device"]), **options),
        f"Training {2 ** len(techniques)} x {options['seeds']} networks",
    )
