"""What holds for every pitfall, those to come included."""

import inspect
import json
import re
from functools import cache
from math import isfinite

import pytest
import torch
from torch import nn

from helpers import bundled_bank
from regdemo import catalog
from regdemo.report import Code

BANK = bundled_bank()

each = pytest.mark.parametrize("pitfall", catalog.pitfalls(), ids=lambda pitfall: pitfall.name)


def module_of(pitfall):
    return pitfall.module


@cache
def report_of(pitfall):
    return pitfall.run()


def code_of(pitfall):
    return [block for block in report_of(pitfall).blocks + report_of(pitfall).picture if isinstance(block, Code)]


@each
@pytest.mark.parametrize("seed", [1, 2**32 - 1])
def test_every_claim_holds(pitfall, seed):
    # Each statistical claim is missed by chance once in 10^9.
    for report in (report_of(pitfall), pitfall.run(seed=seed)):
        assert len(report.claims) >= 2
        assert [claim for claim in report.claims if not claim.holds] == []


@each
def test_both_the_snippet_and_its_fix_are_measured(pitfall):
    assert {claim.code for claim in report_of(pitfall).claims} == {"broken", "fixed"}


@each
@pytest.mark.filterwarnings("ignore")  # some snippets are warned of
@pytest.mark.parametrize(("one", "other"), [("broken", "fixed"), ("fixed", "broken")])
def test_with_either_in_the_place_of_the_other_its_claims_do_not_hold(pitfall, one, other, monkeypatch):
    module = module_of(pitfall)
    monkeypatch.setattr(module, one, getattr(module, other))
    try:
        report = pitfall.run()
    except (TypeError, ValueError, AttributeError):  # the two take different arguments
        return
    assert not report.holds


WRONG = [
    pytest.param(pitfall, wrong, id=f"{pitfall.name}: {wrong.name}")
    for pitfall in catalog.pitfalls()
    for wrong in pitfall.wrong
]


@pytest.mark.filterwarnings("ignore")  # some snippets are warned of
@pytest.mark.parametrize(("pitfall", "wrong"), WRONG)
def test_a_fix_that_does_not_help_runs_and_fails_a_claim_about_the_fixed_code(pitfall, wrong):
    with wrong.in_place():
        report = pitfall.run(seed=3)
    assert not all(claim.holds for claim in report.claims if claim.code == "fixed")


@each
def test_three_fixes_that_do_not_help_are_listed_each_by_a_name_of_its_own(pitfall):
    assert len({wrong.name for wrong in pitfall.wrong}) == len(pitfall.wrong) >= 3


@each
def test_the_code_shown_is_the_source_of_the_code_that_ran(pitfall):
    module, (snippet, difference) = module_of(pitfall), code_of(pitfall)
    assert snippet.source == inspect.getsource(module.broken).rstrip()
    lines = difference.source.splitlines()
    for sign, function in (("-", module.broken), ("+", module.fixed)):
        assert [line[1:] for line in lines if line[:1] in (sign, " ")] == inspect.getsource(function).splitlines()


IDS, INPUTS = torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 5, 4)
ENCODER = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("no-causal-mask", (ENCODER, INPUTS)),
        ("second-draw", (IDS, 0, 10, 0.5)),
        ("smoothed-targets", (IDS[0], 5, 0.1)),
        ("subgradient", (INPUTS[0], INPUTS[0, :, 0], 0.1, 0.1, 2)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_its_code_makes_lies_where_its_input_does(name, arguments):
    moved = [value.to("meta") if isinstance(value, (torch.Tensor, nn.Module)) else value for value in arguments]
    module = module_of(catalog.pitfall(name))
    for snippet in (module.broken, module.fixed):
        found = snippet(*moved)
        assert {part.device.type for part in (found if isinstance(found, tuple) else [found])} == {"meta"}


@each
def test_its_fix_is_short(pitfall):
    added = [line for line in code_of(pitfall)[1].source.splitlines() if line.startswith("+")]
    assert 0 < len(added) <= 15


@each
def test_its_code_fits_80_columns_set_in_by_two(pitfall):
    assert max(len(line) for block in code_of(pitfall) for line in block.source.splitlines()) <= 80 - 2


@each
def test_its_line_of_the_gallery_fits_80_columns(pitfall):
    longest = max(len(other.name) for other in catalog.pitfalls())
    assert 0 < len(pitfall.what) <= 80 - len("  ") - longest - len("  ")


@each
def test_its_title_is_its_name_and_then_what_goes_wrong(pitfall):
    name = re.sub(r"\W+", "-", pitfall.title.partition(": ")[0].lower())
    assert pitfall.name == name


@each
def test_it_breaks_a_technique_of_the_map(pitfall):
    assert pitfall.technique in catalog.demos()


@each
def test_it_ends_with_what_to_say_and_the_wrong_answer(pitfall):
    assert report_of(pitfall).say.strip()
    assert report_of(pitfall).wrong_answer.strip()


@each
def test_a_card_opens_it_and_it_leads_to_that_card_and_to_others_there_are(pitfall):
    cards = set(report_of(pitfall).cards)
    opened_by = {card.id for card in BANK.cards if pitfall.command in card.see_it}
    assert cards & opened_by
    assert cards <= {card.id for card in BANK.cards}


@each
def test_its_claims_are_whole_and_its_numbers_finite(pitfall):
    for claim in report_of(pitfall).claims:
        assert all([claim.statement, claim.formula, claim.reason])
        assert all(map(isfinite, [claim.expected, claim.measured, claim.tolerance]))


@each
def test_its_report_holds_plain_values(pitfall):
    json.dumps(report_of(pitfall).as_dict(), allow_nan=False)
    assert {type(claim.measured) for claim in report_of(pitfall).claims} <= {int, float}


def test_a_pitfall_is_known_for_each_place_where_regularization_acts():
    assert {pitfall.technique.acts_on for pitfall in catalog.pitfalls()} == set(catalog.PLACES)
