"""Q18 in five pictures: what dropout does, its rates, attention, depth, and training with it against without.

    poetry run python interview_questions/15_regularization/regularization_demo.py [--out FOLDER]

Prints what each part shows, in a few lines, and saves its report as a picture: five SVG files in a folder of their own,
`regularization_pictures` unless another one is named. Exits with 1 if a claim does not hold.
"""

import argparse
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

try:
    import torch

    from regdemo import catalog
    from regdemo.bounds import mean_of_bounded
    from regdemo.errors import RegdemoError
    from regdemo.lab.compare import compare
    from regdemo.regularizers import dropout
    from regdemo.render import files
    from regdemo.render.prose import plain_prose
    from regdemo.report import Claim, Curves, Report, Series, Text
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} isn't installed in this environment: run `poetry install` first, or `pip install .`")

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
                f"The variance at p = {p} is $p/(1-p)$",
                expected,
                "$p/(1-p)$",
                measured,
                *mean_of_bounded(p * (1 - p) * (1 - expected**2) ** 2, max(1, expected**2), DRAWS),
            )
            for p, expected, measured in zip(RATES, formula, variance, strict=True)
            if p in (0.1, 0.5, 0.8)
        ],
        blocks=[
            Text("The mean of a unit activation stays 1; its variance is $p/(1-p)$, which is not linear in p."),
            Curves(
                "Variance of dropout(1) over p",
                "p",
                "variance",
                [Series("$p/(1-p)$", RATES, formula), Series("measured", RATES, variance)],
            ),
        ],
        say=(
            "The rate sets how much noise is added: $p/(1-p)$ times the squared activation. From 0.1 to 0.5 that grows "
            "ninefold, so 0.5 is far stronger than five times 0.1."
        ),
        wrong_answer="'The noise grows in proportion to p.' It grows as $p/(1-p)$, without bound as p nears 1.",
        cards=["Q18.2", "Q18.3"],
    )


def reports() -> Iterator[tuple[str, Report]]:
    """The five parts, each with the name of its picture."""
    yield "1_dropout", catalog.demo("dropout").run(p=0.1)
    yield "2_rates", rates()
    yield "3_attention_dropout", catalog.demo("attention_dropout").run(p=0.1)
    yield "4_layerwise_dropout", catalog.demo("layerwise_dropout").run()
    yield "5_training", compare("dropout", task="digits", epochs=3)


def summary(report: Report) -> str:
    """A report in a few lines: what to say, and whether it was measured. A claim that failed is shown in full."""
    held = sum(claim.holds for claim in report.claims)
    failed = [
        f"FAILED: {claim.statement}: measured {claim.measured}, expected {claim.expected}"
        for claim in report.claims
        if not claim.holds
    ]
    counted = f"{held} of {len(report.claims)} claims hold." if report.claims else ""
    return "\n".join(
        textwrap.fill(plain_prose(line), 80) for line in [report.title, report.say, counted, *failed] if line
    )


def main() -> int:
    """Show and save the five parts; 1 if a claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=Path("regularization_pictures"), help="folder of the pictures; it is created"
    )
    folder: Path = parser.parse_args().out
    holds = True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, report in reports():
            path = folder / f"{name}.svg"
            files.save(report, path)
            print(f"{summary(report)}\nPicture: {path}\n", flush=True)
            holds &= report.holds
    except (RegdemoError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")
    print(f"Five pictures are in {folder}{'' if holds else '; a claim failed'}.")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
