"""Write the skeletons of a technique or a pitfall. Each fails its test until it is filled in; nothing is overwritten.

python scripts/new.py technique zoneout --acts-on activations
python scripts/new.py pitfall late_mask --breaks dropout
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from regdemo import catalog, regularizers, storage
from regdemo.quiz.decks import bundled, load

ROOT = Path(__file__).parent.parent
DECKS = Path("interview_questions/15_regularization")

REGULARIZER = '''"""{Title}: TODO what it does in a few words."""

from __future__ import annotations

from torch import Generator, Tensor


def {stem}(x: Tensor, p: float = 0.1, *, training: bool = True, generator: Generator | None = None) -> Tensor:
    """TODO: the formula, shapes and units, what is raised, the source with a link, an example that runs."""
    raise NotImplementedError("write regularizers.{stem}")
'''

DEMO = '''"""{Title}: TODO what it does in at most 45 characters.

TODO: what is drawn, what is measured, against which formula.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.measure import Wrong, identity_in_eval, seeded
from regdemo.parameters import SEED, rate
from regdemo.report import Measurement

ACTS_ON = "{acts_on}"
SAY = "TODO: the 30-second answer."
WRONG_ANSWER = "TODO: what people usually say, and why it is wrong."
CARDS = ("{first}",)


def {stem}(
    *,
    p: Annotated[float, rate("TODO: probability of what.")] = 0.1,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure {stem} at rate p."""
    generator = seeded(seed)
    x = torch.randn(8, 16, generator=generator)
    y = regularizers.{stem}(x, p, generator=generator)
    raise NotImplementedError(f"measure {{y.shape}}: claims, blocks and the picture")


WRONG: list[Wrong] = [
    Wrong("drops in eval", "{stem}", lambda right, x, p, training=True, **kw: right(x, p, **kw)),
    # TODO: at least two more, each of which fails a claim
]
'''

DECK = """# {Title}

## {first}: TODO What does {title} do, and when would you use it?

### Answer
TODO: the 30-second answer first, then the depth.

### Key points
- TODO
- TODO

### See it
`regdemo {name}`

### Sources
- TODO: what it supports, and its address

### Tags
screen, regular
"""

TEST_REGULARIZER = '''"""{Title}, against an oracle of its own."""

import torch

from regdemo.regularizers import {stem}


def test_it_agrees_with_a_loop_written_from_the_formula():
    x = torch.ones(4, 3)
    assert torch.equal({stem}(x, 0.0), x)
    raise NotImplementedError("write the oracle")


def test_in_eval_nothing_changes():
    x = torch.randn(4, 3)
    assert torch.equal({stem}(x, 0.5, training=False), x)
'''

TEST_DEMO = '''"""The {title} demo: its claims hold at every rate, and its picture shows what it says."""

import pytest

from helpers import broken
from regdemo.demos.{stem} import {stem}


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.99])
def test_every_claim_holds_at_any_rate(p):
    assert broken({stem}(p=p, seed=1)) == []


def test_the_picture_shows_the_technique():
    (picture,) = {stem}(seed=2).picture
    raise NotImplementedError(f"say what must be seen in {{picture}}")
'''

PITFALL = '''"""{Title}: TODO what goes wrong.

TODO: what the snippet does, and what it should do.
"""

import torch

from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "{breaks}"
CARDS = ("TODO",)
SAY = "TODO: what to say in the interview."
WRONG_ANSWER = "TODO: what people usually say."


def broken(x):
    raise NotImplementedError("the snippet as it circulates")


def fixed(x):
    raise NotImplementedError("the smallest change that makes it right")


def measure() -> tuple[list[Claim], list[Block]]:
    raise NotImplementedError("claims that the broken one fails and the fixed one passes")
'''


def write(files: dict[Path, str]) -> None:
    """Write all of the files, or none where one of them exists."""
    if taken := [path for path in files if (ROOT / path).exists()]:
        sys.exit(f"{taken[0]} exists already: take another name, or remove the file")
    for path, text in files.items():
        storage.atomic_write(ROOT / path, text, replace=False)
        print(path)


def technique(stem: str, acts_on: str) -> None:
    """The skeletons of a technique."""
    numbers = [int(card.id[4:]) for card in load(bundled()).cards if re.fullmatch(r"Q18\.\d+", card.id)]
    words = {
        "stem": stem,
        "name": stem.replace("_", "-"),
        "title": stem.replace("_", " "),
        "Title": stem.replace("_", " ").capitalize(),
        "acts_on": acts_on,
        "first": f"Q18.{max(numbers, default=0) + 1}",
    }
    skeletons = {
        Path(f"regdemo/demos/{stem}.py"): DEMO,
        DECKS / f"{stem}.md": DECK,
        Path(f"tests/demos/test_{stem}.py"): TEST_DEMO,
    }
    known = hasattr(regularizers, stem)
    if not known:
        skeletons[Path(f"regdemo/regularizers/{stem}.py")] = REGULARIZER
        skeletons[Path(f"tests/regularizers/test_{stem}.py")] = TEST_REGULARIZER
    write({path: text.format(**words) for path, text in skeletons.items()})
    if known:
        print(f"regularizers.{stem} exists already: fill in each file above.")
    else:
        print(f"Export {stem} in regdemo/regularizers/__init__.py, then fill in each file above.")
    print("Give it a row in the map of interview_questions/15_regularization/README.md.")


def pitfall(stem: str, breaks: str) -> None:
    """The skeleton of a pitfall."""
    title = stem.replace("_", " ").capitalize()
    write({Path(f"regdemo/pitfalls/{stem}.py"): PITFALL.format(Title=title, breaks=breaks)})
    print("Fill it in, and write a card that asks about it.")


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("technique", help="regularizer, demo, deck and their tests")
    one.add_argument("stem")
    one.add_argument("--acts-on", choices=catalog.PLACES, required=True)
    other = kinds.add_parser("pitfall", help="a snippet that is copied everywhere and wrong, with its fix")
    other.add_argument("stem")
    other.add_argument("--breaks", choices=[demo.stem for demo in catalog.demos()], required=True, metavar="TECHNIQUE")
    options = parser.parse_args()
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", options.stem):
        sys.exit(
            f"{options.stem!r} isn't a stem: use lower-case words with _ between them, such as zoneout or drop_path"
        )
    if options.kind == "technique":
        technique(options.stem, options.acts_on)
    else:
        pitfall(options.stem, options.breaks)


if __name__ == "__main__":
    main()
