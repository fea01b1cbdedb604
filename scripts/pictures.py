"""Draw the study guide's pictures: the first charts of each main demo, as the demo shows it.

    python scripts/pictures.py

Writes `interview_questions/15_regularization/pictures/STEM.svg`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from regdemo import catalog
from regdemo.quiz.decks import bundled
from regdemo.render import files
from regdemo.report import Curves, HeatMap

FOLDER = bundled() / "15_regularization" / "pictures"
CHARTS = {  # how many of each demo's charts, the first ones, make its picture
    "dropout": 1,
    "spatial_dropout": 1,
    "drop_block": 1,
    "attention_dropout": 2,
    "drop_path": 1,
    "drop_connect": 1,
    "layerwise_dropout": 1,
    "annealed_dropout": 1,
    "early_stopping": 1,
}


def draw(stem: str, folder: Path) -> Path:
    """Save the demo's first charts, without its claims and words."""
    report = catalog.load(stem).run()
    charts = [block for block in report.blocks if isinstance(block, HeatMap | Curves)][: CHARTS[stem]]
    path = folder / f"{stem}.svg"
    files.save(replace(report, claims=[], blocks=charts, say="", wrong_answer="", cards=[]), path)
    return path


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stem in CHARTS:
        print(draw(stem, FOLDER))
