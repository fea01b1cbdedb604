"""Q18 in five pictures: what dropout does, its rates, attention, depth, and training with it against without.

    poetry run python interview_questions/15_regularization/regularization_demo.py

Prints each report and saves its picture, five SVG files, in the folder where it is run.
Exits with 1 if a claim does not hold.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console

from regdemo import catalog
from regdemo.bounds import mean_of_bounded
from regdemo.lab.compare import compare
from regdemo.regularizers import dropout
from regdemo.render import files, terminal
from regdemo.report import Claim, Curves, Report, Series, Text

RATES = [step / 20 for step in range(17)]
DRAWS = 20_000


def rates() -> Report:
    """The noise that dropout adds at each rate, against its formula."""
    generator = torch.Generator().manual_seed(0)
    ones = torch.ones(DRAWS, dtype=torch.float64)
    variance = [(dropout(ones, p, generator=generator) - 1).square().mean().item() for p in RATES]
    formula = [p / (1 - p) for p in RATES]
    return Report(
        title="Dropout's noise at 17 rates",
        parameters={"draws": DRAWS},
        claims=[
            # (y - 1)^2 is 1 with probability p and (p / (1 - p))^2 otherwise.
            Claim(
                f"The variance at p = {p} is p/(1-p)",
                expected,
                "p/(1-p)",
                measured,
                *mean_of_bounded(p * (1 - p) * (1 - expected**2) ** 2, max(1, expected**2), DRAWS),
            )
            for p, expected, measured in zip(RATES, formula, variance, strict=True)
            if p in (0.1, 0.5, 0.8)
        ],
        blocks=[
            Text("The mean never moves; the variance of a unit activation is p/(1-p), and it is not linear in p."),
            Curves(
                "Variance of dropout(1) over p",
                "p",
                "variance",
                [Series("p/(1-p)", RATES, formula), Series("measured", RATES, variance)],
            ),
        ],
        say=(
            "The rate sets how much noise is added: p/(1-p) times the squared activation. From 0.1 to 0.5 that grows "
            "ninefold, so 0.5 is far stronger than five times 0.1."
        ),
        wrong_answer="'The noise grows in proportion to p.' It grows as p/(1-p), without bound as p nears 1.",
        cards=["Q18.2", "Q18.3"],
    )


def reports() -> Iterator[tuple[str, Report]]:
    """The five parts, each with the name of its picture."""
    yield "1_dropout", catalog.demo("dropout").run(p=0.1)
    yield "2_rates", rates()
    yield "3_attention_dropout", catalog.demo("attention_dropout").run(p=0.1)
    yield "4_layerwise_dropout", catalog.demo("layerwise_dropout").run()
    yield "5_training", compare("dropout", task="digits", epochs=3)


def main() -> int:
    """Show and save the five parts; 1 if a claim does not hold."""
    console = Console(highlight=False)
    holds = True
    for name, report in reports():
        terminal.show(report, console)
        path = Path(f"{name}.svg")
        files.save(report, path)
        console.print(f"\nSaved {path}\n", markup=False)
        holds &= report.holds
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
