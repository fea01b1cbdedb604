"""The bundled questions: what `bank lint` asks of any deck, and what this bank asks of itself.

That its answers are right is for `bank verify` to say, which runs them.
"""

import re
from collections import Counter
from dataclasses import replace
from itertools import combinations
from random import Random
from statistics import mean

import pytest

from helpers import bundled_bank
from regdemo import catalog
from regdemo.bank.lint import lint
from regdemo.cli import app
from regdemo.cli.see import why_not
from regdemo.quiz import decks
from regdemo.quiz.arithmetic import evaluate
from regdemo.quiz.cards import draws
from regdemo.quiz.kinds import grade
from regdemo.render.mathematics import plain

FOLDER = decks.bundled()
BANK = bundled_bank()
FORMAT = FOLDER / "README.md"
LEVELS = {"screen", "onsite", "deep dive", "staff"}
FREQUENCIES = {"common", "regular", "rare"}
THEMES = {  # what an interview on regularization is about, and the decks that ask it
    "dropout": "15_regularization dropout gaussian_dropout spatial_dropout drop_block",
    "dropout in transformers": "attention_dropout dropout_sites gpt2 word_dropout",
    "paths and layers": "drop_path layer_drop layerwise_dropout",
    "weights": "drop_connect weight_noise mixout",
    "penalties and weight decay": "l1_penalty l2_penalty weight_decay max_norm",
    "targets and losses": "label_smoothing r_drop",
    "inputs": "augmentation input_noise embedding_noise token_masking mixup fgsm adversarial_training activation_noise",
    "gradients": "gradient_clipping dp_sgd",
    "optimizers and averaging": "sam lookahead ema swa",
    "schedules and early stopping": "annealed_dropout early_stopping",
    "fine-tuning": "fine_tuning",
    "theory": "theory derivations mc_dropout",
    "large models": "large_models",
    "debugging": "debugging dropout_batch_norm batch_mixing compare",
    "systems": "systems",
    "overfitting and diagnosis": "overfitting diagnosis",
    "validation and leakage": "validation",
    "normalization": "normalization",
    "ensembles and trees": "ensembles",
    "penalties and priors": "penalties",
}


def cards(*kinds):
    return [card for card in BANK.cards if not kinds or card.kind in kinds]


def but(chosen, holds):
    """The cards of which it does not hold."""
    return [card.id for card in chosen if not holds(card)]


each_number = pytest.mark.parametrize("card", cards("numeric"), ids=lambda card: card.id)


def test_the_linter_has_nothing_to_say():
    assert [f"{remark.file.name}:{remark.line}: {remark.message}" for remark in lint(FOLDER, why_not)] == []


def test_a_card_leads_on_and_is_shown_or_checked_or_sourced():
    assert but(cards(), lambda card: card.follow_ups) == []
    assert but(cards(), lambda card: card.see_it or card.code or card.sources) == []


def test_three_cards_in_four_are_shown_by_a_command():
    """The others have no command that shows what they ask: better none than one that only shares a word with them."""
    asked = [card for card in BANK.cards if card.kind != "code"]
    assert sum(bool(card.see_it) for card in asked) >= 0.75 * len(asked)


@each_number
def test_a_demo_under_a_number_takes_the_cards_values_or_prints_the_number(card, capsys):
    demos = {demo.command for demo in catalog.demos()}
    fixed = [command for command in card.see_it if "{" not in command and " ".join(command.split()[:2]) in demos]
    if not fixed or fixed != list(card.see_it):
        return
    numbers = [mean(card.numeric.bounds(values)) for values in draws(card.vary, most=10_000)]
    for command in fixed:
        app.run(command.split()[1:])
    printed = [float(text.replace(",", "")) for text in re.findall(r"\d[\d,]*(?:\.\d+)?", capsys.readouterr().out)]
    near = [
        abs(scale * one - number) <= 0.006 * abs(number) for one in printed for number in numbers for scale in (1, 0.01)
    ]
    assert any(near), fixed


def test_a_numeric_answer_has_a_check_and_known_wrong_answers():
    assert but(cards("numeric"), lambda card: [block.role for block in card.code] == ["check"]) == []
    assert but(cards("numeric"), lambda card: card.wrong_answers) == []


@each_number
def test_a_right_answer_rounded_to_three_digits_is_accepted(card):
    """Where the tolerance is 0 the answer is a count, which is asked exactly."""
    if card.numeric.expression and not card.numeric.tolerance:
        return
    for values in draws(card.vary, most=10_000):
        asked = replace(card, vary={name: (value,) for name, value in values.items()}).ask(Random(0))
        assert grade(asked, f"{mean(card.numeric.bounds(values)):.2e}").correct, values


@each_number
def test_no_two_wrong_answers_agree(card):
    """Two wrong answers that differ by no more than the tolerance would share their feedback."""
    for values in draws(card.vary, most=10_000):
        low, high = card.numeric.bounds(values)
        wrong = [evaluate(wrong.answer, values) for wrong in card.wrong_answers]
        for one, other in combinations(wrong, 2):
            size = max(abs(one), abs(other)) * card.numeric.tolerance if card.numeric.relative else (high - low) / 2
            assert abs(one - other) > size, (values, one, other)


def test_the_bank_holds_every_kind_in_number():
    kinds = Counter(card.kind for card in BANK.cards)
    assert len(BANK.cards) - kinds["code"] >= 380
    assert kinds["numeric"] <= (len(BANK.cards) - kinds["code"]) / 3
    assert sum(bool(card.vary) for card in BANK.cards if card.kind == "numeric") >= 60
    assert kinds["choice"] + kinds["multi"] >= 50
    assert kinds["predict"] >= 25
    assert kinds["cloze"] >= 15


@pytest.mark.parametrize("tags", [LEVELS, FREQUENCIES])
def test_a_card_says_at_which_level_and_how_often_it_is_asked(tags):
    assert but(cards(), lambda card: len(tags & set(card.tags)) == 1) == []


def test_the_terminal_has_characters_for_every_formula():
    texts = [re.sub(r"(?s)```.*?```|`[^`]*`", "", f"{card.question}\n{card.answer}") for card in BANK.cards]
    read = [plain(formula) for text in texts for formula in re.findall(r"\$([^$]+)\$", text)]
    assert len(read) >= 500
    assert [formula for formula in read if "\\" in formula] == []


def test_ten_cards_and_three_katas_are_for_the_evening_before():
    kinds = [card.kind for card in BANK.cards if "tonight" in card.tags]
    assert (len(kinds) - kinds.count("code"), kinds.count("code")) == (10, 3)


def test_every_deck_belongs_to_one_theme():
    decks_of_themes = [stem for stems in THEMES.values() for stem in stems.split()]
    decks = {card.topic for card in BANK.cards if card.kind != "code"}
    assert len(decks_of_themes) == len(set(decks_of_themes))
    assert set(decks_of_themes) <= decks
    # A technique's own deck needs no line above: it belongs where its technique acts.
    assert decks - set(decks_of_themes) <= {demo.stem for demo in catalog.demos()}


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_has_ten_cards_and_all_four_levels(theme):
    chosen = [card for card in BANK.cards if card.topic in THEMES[theme].split() and card.kind != "code"]
    assert len(chosen) >= 10
    assert {level for card in chosen for level in LEVELS & set(card.tags)} == LEVELS


def test_many_questions_begin_a_chain_of_three():
    def leads_on(card):
        return any(
            third not in (card.id, second) for second in card.follow_ups for third in BANK.find(second).follow_ups
        )

    assert sum(leads_on(card) for card in BANK.cards) >= 30


def test_every_pitfall_has_a_card_that_shows_it():
    shown = {command for card in BANK.cards for command in card.see_it}
    assert [
        name for name in (pitfall.name for pitfall in catalog.pitfalls()) if f"regdemo pitfalls {name}" not in shown
    ] == []


def test_the_study_guide_answers_q18():
    assert BANK.find("Q18").file == FOLDER / "15_regularization" / "README.md"


def test_the_page_on_the_format_is_read_and_holds_no_card():
    assert FORMAT not in [card.file for card in BANK.cards]
    assert [card.id for card in BANK.cards if card.file == FORMAT] == []


def test_the_examples_of_the_format_are_cards_of_the_kinds_they_show(tmp_path):
    examples = re.findall(r"^````markdown\n(.*?)^````$", FORMAT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "examples.md").write_text("\n".join(examples), encoding="utf-8")
    kinds = [card.kind for card in decks.load(tmp_path).cards]
    assert kinds == ["recall", "choice", "cloze", "predict", "numeric"]


STYLES = re.findall(r"^```markdown\n(.*?)^```$", FORMAT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", STYLES)
def test_the_example_of_a_style_is_three_lines_that_are_read_as_cards(example, tmp_path):
    assert len([line for line in example.splitlines() if line]) <= 3
    (tmp_path / "notes.md").write_text(example, encoding="utf-8")
    first, *rest = decks.load(tmp_path).cards
    assert first.question in ("What is a mask?", "What does a mask hold?")
    assert first.answer.strip("- .").lower() == "zeros and ones"
    assert [card.kind for card in rest] == (["cloze"] if "C: " in example else [])


def test_every_technique_has_four_cards_or_more():
    """In a deck of its own; or it names them in the decks of themes."""
    topics = [card.topic for card in BANK.cards]
    themes = {stem for stems in THEMES.values() for stem in stems.split()}
    assert topics.count("compare") >= 4
    for demo in catalog.demos():
        if topics.count(demo.stem) < 4:
            assert len(demo.cards) >= 4
            assert {BANK.find(id).topic for id in demo.cards} <= themes


def test_a_choice_has_four_options_each_with_a_reason():
    choices = cards("choice", "multi")
    assert but(choices, lambda card: len(card.options) == 4) == []
    assert but(choices, lambda card: all(option.feedback for option in card.options)) == []


@pytest.mark.parametrize("extreme", [max, min])
def test_the_length_of_an_option_does_not_give_the_right_one_away(extreme):
    def chance_of_who_picks_it(options):
        length = extreme(len(option.text) for option in options)
        return mean(option.correct for option in options if len(option.text) == length)

    chances = [chance_of_who_picks_it(card.options) for card in BANK.cards if card.kind == "choice"]
    assert mean(chances) <= 1 / 4  # as by guessing: every choice has four options


def test_a_recall_card_has_points_to_tick_a_hint_and_linked_sources():
    recall = cards("recall")
    assert but(recall, lambda card: 3 <= len(card.key_points) <= 5) == []
    assert but(recall, lambda card: card.hints and card.sources) == []
    assert but(recall, lambda card: all("https://" in source for source in card.sources)) == []


@pytest.mark.parametrize("demo", catalog.demos(), ids=lambda demo: demo.stem)
def test_a_demo_leads_to_cards_that_exist(demo):
    named = demo.cards
    assert named
    assert [id for id in named if BANK.find(id) is None] == []
