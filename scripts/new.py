"""Write the skeletons of a technique or a pitfall. Each fails its test until it is filled in; what exists is kept.

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

PLACES = {
    "inputs": "examples",
    "activations": "hidden layers",
    "attention": "attention weights",
    "paths": "residual branches",
    "weights": "noise, penalties and bounds on them",
    "targets": "labels and loss",
    "gradients": "clipping and noise",
    "optimizers": "the step",
    "averaging": "several models",
    "schedules": "rates over time or depth",
    "models": "whole networks and how they are judged",
}
LAYERS = ("inputs", "activations", "attention", "paths")  # there a skeleton is a layer's, elsewhere a loss's

FUNCTION = '''def {stem}({signature}) -> Tensor:
    """{Title}: TODO the formula, shapes and units, what is raised (see checks.py), the source with a link.

    >>> TODO an example that runs
    """
    raise NotImplementedError("write regularizers.{stem}")
'''

OWN_FILE = '''"""{Title}: TODO what it does in a few words."""

from __future__ import annotations

from torch import Tensor


'''

DEMO = '''"""{Title}: TODO what it does in at most 45 characters.

TODO: what is drawn, what is measured, against which formula.
"""

from __future__ import annotations

from math import nan
from typing import Annotated

from regdemo import regularizers
from regdemo.bounds import rounding
from regdemo.measure import Wrong, {helpers}
from regdemo.parameters import SEED, {range}
from regdemo.report import Claim, HeatMap, Measurement

ACTS_ON = "{acts_on}"
SAY = "TODO: the 30-second answer."
WRONG_ANSWER = "TODO: what people usually say, and why it is wrong."
CARDS = ("{first}",)


'''

LAYER = {
    "signature": "x: Tensor, p: float = 0.1, training: bool = True, *, generator: torch.Generator | None = None",
    "helpers": "identity_in_eval, normal, seeded",
    "range": "rate",
    "strength": "p",
    "values": "0.0, 0.1, 0.5, 0.99",
}
LAYER_DEMO = '''def {stem}(
    *,
    p: Annotated[float, rate("TODO: probability of what.")] = 0.1,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure {title} at rate p."""
    generator = seeded(seed)
    x = normal(generator, 8, 16)
    y = regularizers.{stem}(x, p, generator=generator)
    return Measurement(
        f"{Title} at p = {{p}}",
        [
            Claim("TODO: what holds", nan, "TODO: its formula", y.mean().item(), *rounding(1)),
            identity_in_eval(regularizers.{stem}(x, p, training=False), x),
        ],
        [],
        [HeatMap("TODO: what is shown", y.tolist(), -3, 3)],
    )


WRONG: list[Wrong] = [
    Wrong("drops in eval", "{stem}", lambda right, x, p, training=True, **kw: right(x, p, **kw)),
    # TODO: at least two more, each of which fails a claim
]
'''

LOSS = {
    "signature": "{x}: Tensor, strength: float",
    "helpers": "normal, seeded",
    "range": "Parameter",
    "strength": "strength",
    "values": "0.01, 0.1, 1.0, 10.0",
}
LOSS_DEMO = '''def {stem}(
    *,
    strength: Annotated[float, Parameter("TODO: strength of what.", 0.01, 10)] = 0.1,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure {title} at this strength."""
    {x} = normal(seeded(seed), 8, 16)
    loss = regularizers.{stem}({x}, strength)
    return Measurement(
        f"{Title} at strength {{strength:g}}",
        [Claim("TODO: what holds", nan, "TODO: its formula", loss.item(), *rounding(strength))],
        [],
        [HeatMap("TODO: what is shown", {x}.tolist(), -3, 3)],
    )


WRONG: list[Wrong] = [
    Wrong("the other sign", "{stem}", lambda right, x, strength: -right(x, strength)),
    Wrong("summed over the batch", "{stem}", lambda right, x, strength: len(x) * right(x, strength)),
    # TODO: at least one more, each of which fails a claim
]
'''

DECK = """# {Title}

## {first}: TODO What does {title} do, and when would you use it?

### Answer
TODO: the 30-second answer first, then the depth.

### Key points
- TODO
- TODO
- TODO

### Hints
- TODO: what leads to the answer without saying it?

### Follow-ups
- TODO: the id of a card

### See it
`regdemo {name}`

### Sources
- TODO: what it supports, and its address

### Tags
screen, regular
"""

TEST_REGULARIZER = '''"""{Title}, against an oracle of its own."""

import torch

from regdemo import regularizers


def test_it_agrees_with_a_loop_written_from_the_formula():
    found = regularizers.{stem}(torch.ones(4, 3), 0.5)
    raise NotImplementedError(f"compare {{found}} with a loop over plain numbers")
'''

TEST_LAYER = """

def test_in_eval_nothing_changes():
    x = torch.randn(4, 3)
    assert torch.equal(regularizers.{stem}(x, 0.5, training=False), x)
"""

TEST_DEMO = '''"""The {title} demo: its claims hold at every {strength}, and its picture shows what it says."""

import pytest

from helpers import broken
from regdemo.demos.{stem} import {stem}


@pytest.mark.parametrize("{strength}", [{values}])
def test_every_claim_holds_at_any_{strength}({strength}):
    assert broken({stem}({strength}={strength}, seed=1)) == []


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


def write(path: Path, text: str) -> None:
    """Write a file unless it exists, and say so."""
    if (ROOT / path).exists():
        print(f"{path} exists already: kept as it is")
    else:
        storage.atomic_write(ROOT / path, text, replace=False)
        print(path)


def write_function(words: dict[str, str]) -> None:
    """Add the function to the file of its place; write one of its own where the place has none."""
    path = Path("regdemo/regularizers", words["acts_on"].replace("averaging", "averages") + ".py")
    text = FUNCTION.format(**words)
    old = (ROOT / path).read_text("utf-8") if (ROOT / path).exists() else ""
    if not old:
        write(path.with_stem(words["stem"]), OWN_FILE.format(**words) + text)
    elif f"\ndef {words['stem']}(" in old:
        print(f"{path} has {words['stem']} already: kept as it is")
    else:
        storage.atomic_write(ROOT / path, f"{old}\n\n{text}")
        print(f"{path}, at its end")


def technique(stem: str, acts_on: str) -> None:
    """The skeletons of a technique."""
    numbers = [int(card.id[4:]) for card in load(bundled()).cards if re.fullmatch(r"Q18\.\d+", card.id)]
    form, demo, test = (LAYER, LAYER_DEMO, TEST_LAYER) if acts_on in LAYERS else (LOSS, LOSS_DEMO, "")
    words = {
        "stem": stem,
        "name": stem.replace("_", "-"),
        "title": stem.replace("_", " "),
        "Title": stem.replace("_", " ").capitalize(),
        "acts_on": acts_on,
        "first": f"Q18.{max(numbers, default=0) + 1}",
        "x": {"targets": "logits", "weights": "weight"}.get(acts_on, "x"),
    }
    words |= {name: text.format(**words) for name, text in form.items()}
    exported = hasattr(regularizers, stem)
    if not exported:
        write_function(words)
        write(Path(f"tests/regularizers/test_{stem}.py"), (TEST_REGULARIZER + test).format(**words))
    deck = DECKS / f"{stem}.md"
    write(Path(f"regdemo/demos/{stem}.py"), (DEMO + demo).format(**words))
    write(deck, DECK.format(**words))
    write(Path(f"tests/demos/test_{stem}.py"), TEST_DEMO.format(**words))
    if exported:
        print(f"regularizers.{stem} exists already.")
    else:
        print(f"Export {stem} in regdemo/regularizers/__init__.py: import, `__all__` and the docstring's table.")
    print(f"Fill in each TODO, and add three more cards with `regdemo bank new {deck} --kind choice`.")
    print(f"Give the deck a row in the map of {DECKS}/README.md.")


def pitfall(stem: str, breaks: str) -> None:
    """The skeleton of a pitfall."""
    title = stem.replace("_", " ").capitalize()
    write(Path(f"regdemo/pitfalls/{stem}.py"), PITFALL.format(Title=title, breaks=breaks))
    print("Fill it in, and write a card that asks about it.")


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("technique", help="regularizer, demo, deck and their tests")
    one.add_argument("stem")
    where = "; ".join(f"{place}: {words}" for place, words in PLACES.items())
    one.add_argument("--acts-on", choices=catalog.PLACES, required=True, metavar="PLACE", help=where)
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
