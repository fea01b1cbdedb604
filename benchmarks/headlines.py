"""The effects that a small run shows, and those that it does not: each from one `regdemo compare` command.

python benchmarks/headlines.py [SEEDS]

The settings were chosen on seed 0, so this runs on another: what it prints is no look at what was picked.
"""

from __future__ import annotations

import shlex
import sys

from regdemo.lab.compare import compare
from regdemo.report import Interval, Table

ACCURACY, LOSS, CALIBRATION = "test accuracy, %", "test loss, nats", "calibration error, %"

SEED = 1

# The command, and the metrics that its line in the literature is about.
HEADLINES = (
    ("dropout", (ACCURACY, LOSS, CALIBRATION)),
    ("dropout --train-size 100", (LOSS,)),
    ("dropout --train-size 300", (LOSS,)),
    ("dropout --train-size 1000", (LOSS,)),
    ("label-smoothing", (ACCURACY, CALIBRATION)),
    ("mixup", (ACCURACY, CALIBRATION)),
    ("r-drop --against dropout", (ACCURACY, LOSS, CALIBRATION)),
    ("mc-dropout --against dropout --samples 50", (ACCURACY, LOSS, CALIBRATION)),
    ("sam", (ACCURACY,)),
    ("fgsm", (ACCURACY, "accuracy under FGSM 0.1, %")),
    ("weight-decay --weight-decay 0.1", (LOSS,)),
    ("weight-decay --weight-decay 1", (ACCURACY, LOSS)),
    ("early-stopping --label-noise 0.4", (ACCURACY, LOSS)),
    ("early-dropout", (ACCURACY,)),
    ("late-dropout", (ACCURACY,)),
    ("dropout --task text --epochs 60 --p 0.1", (LOSS,)),
    ("dropout --task text --epochs 60 --p 0.2", (LOSS,)),
    ("dropout --task text --epochs 60 --p 0.4", (LOSS,)),
)


def differences(command: str, seeds: int) -> dict[str, Interval]:
    """Run one comparison; return each metric's paired difference with its interval."""
    technique, *options = shlex.split(command)
    pairs = zip(options[::2], options[1::2], strict=True)
    given = {name.removeprefix("--").replace("-", "_"): value for name, value in pairs}
    texts = {name: given.pop(name) for name in ("against", "task") if name in given}
    sizes = {name: int(given.pop(name)) for name in ("train_size", "epochs") if name in given}
    values = {name: float(value) for name, value in given.items()}
    report = compare(technique, seeds=seeds, seed=SEED, **texts, **sizes, **values)
    if not report.holds:
        sys.exit(f"regdemo compare {command}: a claim does not hold")
    table = next(block for block in report.blocks if isinstance(block, Table))
    return {str(row[0]): row[3] for row in table.rows if isinstance(row[3], Interval)}


def main() -> None:
    """Print the difference in each metric, and whether its interval leaves out 0."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    print(f"Differences over {seeds} paired seeds, with 95% intervals; each command with --seed {SEED}.")
    for command, metrics in HEADLINES:
        print(f"regdemo compare {command}")
        found = differences(command, seeds)
        for metric in metrics:
            change = found[metric]
            shown = "" if change.low > 0 or change.high < 0 else "  no difference shown"
            print(
                f"  {metric:27} {change.value:+8.3g}  {f'[{change.low:.3g}, {change.high:.3g}]':>18}{shown}", flush=True
            )


if __name__ == "__main__":
    main()
