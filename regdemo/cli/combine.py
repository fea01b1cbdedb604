"""`regdemo combine`: a full factorial of techniques behind a progress bar."""

from __future__ import annotations

from functools import partial
from typing import Any

from regdemo.cli.training import Techniques, Watch, in_runs, network, on_task, trains, tuned
from regdemo.lab import combine as combinations
from regdemo.lab import store


@trains(on_task, network, tuned, in_runs)
def combine(techniques: Techniques, *, watch: Watch, **options: Any) -> None:
    """Train with every combination of techniques, and see which help each other or do the same work twice.

    Two to five techniques are 4 to 32 arms. Ctrl-C ends it early and shows what is finished.
    """
    watch(
        partial(combinations.combine, techniques, clock=store.clock_on(options["device"]), **options),
        f"Training {2 ** len(techniques)} x {options['seeds']} networks",
    )
