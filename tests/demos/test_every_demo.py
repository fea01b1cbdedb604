"""What holds for every demo, those to come included."""

import json
import pkgutil
import random
import re
from functools import cache
from inspect import Parameter as Argument
from io import StringIO
from math import isfinite, nan
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.cells import cell_len
from rich.console import Console

from regdemo import catalog, regularizers
from regdemo.errors import ArgumentError
from regdemo.parameters import SEED, Parameter, Words
from regdemo.render import terminal
from regdemo.report import HeatMap, Text

ROOT = Path(__file__).parents[2]
DECKS = ROOT / "interview_questions" / "15_regularization"

DEMOS = catalog.demos()
PROVIDED = [demo for demo in DEMOS if demo.provided_by]
TECHNIQUES = [
    demo
    for demo in DEMOS
    if demo not in PROVIDED and (ROOT / "regdemo" / "regularizers" / f"{demo.acts_on}.py").exists()
]
WITHOUT_A_DEMO = ("AlphaDropout",)
MODULES = [name for name in regularizers.__all__ if isinstance(getattr(regularizers, name), type)]


def each(demos):
    return pytest.mark.parametrize("demo", demos, ids=lambda demo: demo.stem)


@cache
def run_of(demo, **seed):
    """What it reports, and the global random states before and after it."""
    before = random_states()
    return demo.run(**seed), before, random_states()


def report_of(demo, **seed):
    return run_of(demo, **seed)[0]


def ranges(demo):
    """Each parameter's name, its range and its default."""
    return [(name, allowed, default) for name, (_, allowed, default) in demo.parameters.items()]


def as_bytes(report):
    return json.dumps(report.as_dict(), allow_nan=False).encode()


def leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


def random_states():
    _, *numpy_state = np.random.get_state()
    return torch.get_rng_state().tolist(), random.getstate(), [np.asarray(part).tolist() for part in numpy_state]


@each(DEMOS)
@pytest.mark.parametrize("seed", [1, 2**32 - 1])
def test_every_claim_holds(demo, seed):
    # Each statistical claim is missed by chance once in 10^9.
    for report in (report_of(demo), report_of(demo, seed=seed)):
        assert report.claims
        assert [claim for claim in report.claims if not claim.holds] == []


WRONG = [pytest.param(demo, wrong, id=f"{demo.stem}: {wrong.name}") for demo in DEMOS for wrong in demo.wrong]


@pytest.mark.parametrize(("demo", "wrong"), WRONG)
def test_a_wrong_implementation_fails_a_claim(demo, wrong):
    # At the defaults; scripts/claims.py does it for 20 seeds, and runs the right one for 1,000.
    with wrong.in_place():
        assert not demo.run(seed=3).holds


@each(DEMOS)
def test_three_wrong_implementations_are_listed_each_by_a_name_of_its_own(demo):
    assert len({wrong.name for wrong in demo.wrong}) >= 3


@each(DEMOS)
def test_the_same_seed_gives_the_same_bytes(demo):
    assert as_bytes(demo.run()) == as_bytes(report_of(demo))


@each(DEMOS)
def test_another_seed_measures_something_else(demo):
    measured = [claim.measured for claim in report_of(demo, seed=1).claims]
    assert measured != [claim.measured for claim in report_of(demo).claims]


@each(DEMOS)
def test_the_global_random_states_are_left_as_found(demo):
    _, before, after = run_of(demo)
    assert before == after


@each(DEMOS)
def test_a_demo_acts_on_a_known_place(demo):
    assert demo.acts_on in catalog.PLACES


@each(TECHNIQUES)
def test_a_technique_is_a_function_or_else_a_class_of_the_regularizers(demo):
    classes = [name for name in MODULES if name.lower() == demo.stem.replace("_", "")]
    technique = getattr(regularizers, classes[0] if classes else demo.stem)
    assert technique.__module__.startswith("regdemo.regularizers.")


@each(PROVIDED)
def test_a_technique_that_is_provided_elsewhere_names_something_importable_and_has_no_double_here(demo):
    assert callable(pkgutil.resolve_name(demo.provided_by))
    assert not hasattr(regularizers, demo.stem)


@each([demo for demo in TECHNIQUES if demo.acts_on in ("activations", "attention", "paths")])
def test_a_technique_inside_the_forward_pass_has_a_module_twin_beside_its_function(demo):
    twin = getattr(regularizers, demo.stem.title().replace("_", ""))
    assert issubclass(twin, torch.nn.Module)
    assert twin.__module__ == getattr(regularizers, demo.stem).__module__


@pytest.mark.parametrize("name", [name for name in MODULES if name not in WITHOUT_A_DEMO])
def test_a_module_twin_has_a_demo(name):
    assert name.lower() in [stem.replace("_", "") for stem in [demo.stem for demo in DEMOS]]


@each(DEMOS)
def test_a_demo_has_a_deck_or_else_a_card_that_sends_to_it(demo):
    text = "\n".join(deck.read_text(encoding="utf-8") for deck in DECKS.glob("*.md"))
    assert (DECKS / f"{demo.stem}.md").is_file() or f"\n`{demo.command}`\n" in text


@each(DEMOS)
def test_a_demo_ends_with_what_to_say_the_wrong_answer_and_cards(demo):
    report = report_of(demo)
    assert report.say.strip()
    assert report.wrong_answer.strip()
    assert report.cards


@each(DEMOS)
def test_nothing_in_the_demo_or_its_deck_is_left_to_fill_in(demo):
    files = [ROOT / "regdemo" / "demos" / f"{demo.stem}.py", DECKS / f"{demo.stem}.md"]
    lines = [line for file in files if file.exists() for line in file.read_text("utf-8").splitlines()]
    assert [line for line in lines if "TODO" in line] == []


@each(DEMOS)
def test_the_cards_it_names_stand_in_the_decks(demo):
    text = "\n".join(deck.read_text(encoding="utf-8") for deck in DECKS.glob("*.md"))
    ids = set(re.findall(r"^#+ (Q\d+(?:\.\d+)*):", text, flags=re.MULTILINE))
    assert set(report_of(demo).cards) <= ids


@each(DEMOS)
def test_a_title_names_the_technique_and_then_fits_a_line_of_the_list(demo):
    name, _, what = demo.title.partition(": ")
    command = max(len(other.command) for other in DEMOS)
    assert name.lower() in report_of(demo).title.lower()
    assert 0 < len(what) <= 80 - len("  ") - command - 2 * len("  ")


@each(DEMOS)
def test_the_docstring_goes_on_after_its_title(demo):
    title, blank, *rest = demo.module.__doc__.strip().splitlines()
    assert title.endswith(".")
    assert blank == ""
    assert rest


@each(DEMOS)
def test_every_parameter_is_a_keyword_with_help_and_a_default_in_its_range(demo):
    for name, parameter, default in ranges(demo):
        assert demo.signature.parameters[name].kind is Argument.KEYWORD_ONLY
        assert isinstance(parameter, Parameter | Words)
        assert parameter.help.endswith(".")
        parameter.check(name, default)


@each(DEMOS)
def test_the_last_parameter_is_the_seed(demo):
    assert ranges(demo)[-1] == ("seed", SEED, 0)


@each(DEMOS)
def test_a_value_outside_its_range_is_refused_by_name(demo):
    for name, parameter in [(name, p) for name, p, _ in ranges(demo) if isinstance(p, Parameter)]:
        above = parameter.high if parameter.below else parameter.high + 1
        for value in (parameter.low - 1, above, nan):
            with pytest.raises(ArgumentError, match=f"^{name} = "):
                demo.run(**{name: value})


@each(DEMOS)
def test_a_text_of_too_few_or_too_many_words_is_refused_by_name(demo):
    for name, parameter in [(name, p) for name, p, _ in ranges(demo) if isinstance(p, Words)]:
        for words in {parameter.low - 1, parameter.high + 1} - {-1}:
            with pytest.raises(ArgumentError, match=f"^{name} has {words:,} words: it must have from"):
                demo.run(**{name: "word " * words})


@each(DEMOS)
def test_a_size_of_zero_or_a_trillion_is_refused_by_name(demo):
    for name in (name for name, _, default in ranges(demo)[:-1] if type(default) is int):
        for value in (0, 10**12):
            with pytest.raises(ArgumentError, match=f"^{name} = "):
                demo.run(**{name: value})


@each(DEMOS)
def test_a_report_says_what_it_ran_with(demo):
    assert report_of(demo).parameters == {name: default for name, _, default in ranges(demo)}


@each(DEMOS)
def test_a_report_holds_plain_values_and_no_number_that_is_not_finite(demo):
    assert {type(leaf) for leaf in leaves(report_of(demo).as_dict())} <= {str, int, float, bool}


@each(DEMOS)
def test_a_claim_has_a_statement_a_formula_a_reason_and_finite_numbers(demo):
    for claim in report_of(demo).claims:
        assert all([claim.statement, claim.formula, claim.reason])
        assert all(map(isfinite, [claim.expected, claim.measured, claim.tolerance]))


@each(DEMOS)
def test_a_demo_shows_its_technique_in_a_picture(demo):
    assert any(not isinstance(block, Text) for block in report_of(demo).picture)


@each(DEMOS)
def test_a_short_report_fits_a_screen(demo):
    file = StringIO()
    terminal.show(report_of(demo), Console(file=file, width=80, color_system=None), short=True)
    lines = file.getvalue().splitlines()
    assert len(lines) <= 40
    assert max(map(cell_len, lines)) <= 80


@each(DEMOS)
def test_a_heat_map_fits_80_columns(demo):
    # A cell is two columns wide, and without colour a bar stands at either end.
    maps = [block for block in report_of(demo).picture + report_of(demo).blocks if isinstance(block, HeatMap)]
    assert max((2 * len(row) + 2 for block in maps for row in block.values), default=0) <= 80


@each(DEMOS)
def test_at_the_smallest_values_the_claims_hold_and_no_text_counts_one_thing_as_many(demo):
    small = {name: allowed.low for name, allowed, default in ranges(demo)[:-1] if type(default) in (int, float)}
    report = demo.run(**small)
    texts = [leaf for leaf in leaves(report.as_dict()) if isinstance(leaf, str)]
    assert [claim for claim in report.claims if not claim.holds] == []
    many = re.compile(r"(?<![\w.,^/-])1 (?!(is|was|has|less|times|mixes|holds)\b)[a-z]+s\b")
    assert [text for text in texts if many.search(text)] == []
