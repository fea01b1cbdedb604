"""Draw the study guide's pictures: the picture of each main demo, as the demo shows it.

    python scripts/pictures.py

Writes `interview_questions/15_regularization/pictures/STEM.svg`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from regdemo import catalog
from regdemo.quiz.decks import bundled
from regdemo.render import files

FOLDER = bundled() / "15_regularization" / "pictures"
STEMS = (
    "dropout",
    "spatial_dropout",
    "drop_block",
    "attention_dropout",
    "drop_path",
    "drop_connect",
    "layerwise_dropout",
    "annealed_dropout",
    "early_stopping",
)


def draw(stem: str, folder: Path) -> Path:
    """Save the demo's picture, without its claims and words."""
    report = catalog.demo(stem).run()
    path = folder / f"{stem}.svg"
    files.save(replace(report, claims=[], blocks=report.picture, picture=[], say="", wrong_answer="", cards=[]), path)
    return path


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stem in STEMS:
        print(draw(stem, FOLDER))
