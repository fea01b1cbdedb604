"""Draw the study guide's pictures: one named block of a demo each, as the demo shows it.

    python scripts/pictures.py

Writes `interview_questions/15_regularization/pictures/STEM.svg`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from regdemo import catalog
from regdemo.errors import ArgumentError
from regdemo.quiz.decks import bundled
from regdemo.render import files

FOLDER = bundled() / "15_regularization" / "pictures"
# Of each demo, how the title of the block begins that the guide shows.
BLOCKS = {
    "dropout": "One mask on 8 examples",
    "spatial_dropout": "Spatial dropout",
    "drop_block": "DropBlock",
    "attention_dropout": "After one mask",
    "drop_path": "Who keeps the branch, per sample",
    "drop_connect": "Weights in use under DropConnect",
    "layerwise_dropout": "The rate of each layer",
    "annealed_dropout": "The drop rate",
    "early_stopping": "Loss by epoch",
}


def draw(stem: str, folder: Path) -> Path:
    """Save the demo's block of that title, without its claims and words.

    Raises ArgumentError when not exactly one block of the demo has a title that begins so.
    """
    report = catalog.demo(stem).run()
    blocks = [
        block for block in [*report.picture, *report.blocks] if getattr(block, "title", "").startswith(BLOCKS[stem])
    ]
    if len(blocks) != 1:
        raise ArgumentError(f"{len(blocks)} blocks of {stem} have a title that begins with {BLOCKS[stem]!r}, name one")
    path = folder / f"{stem}.svg"
    files.save(replace(report, claims=[], blocks=blocks, picture=[], say="", wrong_answer="", cards=[]), path)
    return path


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stem in BLOCKS:
        print(draw(stem, FOLDER))
