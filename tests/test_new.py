"""The skeletons for whoever adds something: they fit together, and fail until they are filled in."""

import ast
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

from helpers import broken
from regdemo import catalog, regularizers
from regdemo.quiz import decks

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("new", ROOT / "scripts/new.py")
new = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(new)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with the regularizers, and the other folders that skeletons go into, empty."""
    for folder in ["regdemo/demos", "regdemo/pitfalls", "tests/regularizers", "tests/demos", new.DECKS]:
        (tmp_path / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "regdemo/regularizers", tmp_path / "regdemo/regularizers")
    monkeypatch.setattr(new, "ROOT", tmp_path)
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["new.py", *arguments])
    new.main()


FILES = {place: "averages" if place == "averaging" else place for place in catalog.PLACES} | {"models": "new_noise"}


@pytest.mark.parametrize("place", catalog.PLACES)
def test_a_technique_is_a_function_in_the_file_of_its_place_and_four_files(place, checkout, monkeypatch):
    run(monkeypatch, "technique", "new_noise", "--acts-on", place)
    function = checkout / f"regdemo/regularizers/{FILES[place]}.py"
    own = ROOT / "regdemo/regularizers" / function.name
    text = function.read_text("utf-8")
    assert text.startswith(own.read_text("utf-8") if own.exists() else '"""New noise: TODO')
    assert text.endswith('raise NotImplementedError("write regularizers.new_noise")\n')
    files = sorted(path for path in checkout.rglob("*new_noise*") if path != function)
    assert len(files) == 4
    for file in [*files, function]:
        if file.suffix == ".py":
            ast.parse(file.read_text("utf-8"))
    assert "NotImplementedError" in (checkout / "tests/regularizers/test_new_noise.py").read_text()


def test_help_explains_each_place():
    assert tuple(new.PLACES) == catalog.PLACES


@pytest.mark.parametrize(
    ("place", "function"),
    [
        ("activations", lambda x, p, training=True, generator=None: x),
        ("weights", lambda weight, strength: strength * weight.square().sum()),
        ("targets", lambda logits, strength: strength * logits.mean()),
    ],
)
def test_a_demo_measures_something_and_fails_a_claim(place, function, checkout, monkeypatch):
    run(monkeypatch, "technique", "new_noise", "--acts-on", place)
    monkeypatch.setattr(regularizers, "new_noise", function, raising=False)
    names = {}
    exec((checkout / "regdemo/demos/new_noise.py").read_text(), names)
    assert broken(names["new_noise"]()) == ["TODO: what holds"]


def test_a_technique_whose_function_exists_is_a_demo_a_deck_and_their_test(checkout, monkeypatch):
    run(monkeypatch, "technique", "drop_path", "--acts-on", "paths")
    files = {str(path.relative_to(checkout)) for path in checkout.rglob("*drop_path*")}
    deck = str(new.DECKS / "drop_path.md")
    assert files == {"regdemo/demos/drop_path.py", deck, "tests/demos/test_drop_path.py"}


def test_the_card_of_a_skeleton_has_a_free_id(checkout, monkeypatch):
    run(monkeypatch, "technique", "new_noise", "--acts-on", "activations")
    deck = (checkout / new.DECKS / "new_noise.md").read_text()
    taken = {card.id for card in new.load(new.bundled()).cards}
    id = deck.partition("## ")[2].partition(":")[0]
    assert id.startswith("Q18.")
    assert id not in taken


def test_the_card_of_a_skeleton_has_every_part_and_each_is_to_be_filled_in(checkout, monkeypatch):
    run(monkeypatch, "technique", "new_noise", "--acts-on", "targets")
    (card,) = decks.load(checkout / new.DECKS).cards
    assert len(card.key_points) == 3
    for part in [*card.key_points, *card.hints, *card.follow_ups, *card.sources]:
        assert part.startswith("TODO")
    assert all([card.hints, card.follow_ups, card.sources])


def test_a_pitfall_is_one_file(checkout, monkeypatch):
    run(monkeypatch, "pitfall", "late_mask", "--breaks", "dropout")
    ast.parse((checkout / "regdemo/pitfalls/late_mask.py").read_text())


def test_what_exists_is_kept_and_the_rest_is_written(checkout, monkeypatch, capsys):
    taken = checkout / "tests/demos/test_new_noise.py"
    taken.write_text("mine")
    run(monkeypatch, "technique", "new_noise", "--acts-on", "activations")
    assert "tests/demos/test_new_noise.py exists already: kept as it is\n" in capsys.readouterr().out
    assert len(list(checkout.rglob("*new_noise*"))) == 4
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("place", ["targets", "models"])
def test_a_second_run_changes_nothing(place, checkout, monkeypatch, capsys):
    def texts():
        return {path: path.read_text("utf-8") for path in checkout.rglob("*.*") if path.suffix in (".py", ".md")}

    run(monkeypatch, "technique", "new_noise", "--acts-on", place)
    once = texts()
    capsys.readouterr()
    run(monkeypatch, "technique", "new_noise", "--acts-on", place)
    assert len(re.findall("already: kept as it is", capsys.readouterr().out)) == 5
    assert texts() == once


@pytest.mark.parametrize("stem", ["NewNoise", "new-noise", "1noise", "a__b", "../up"])
def test_what_is_not_a_stem_is_refused(stem, checkout, monkeypatch):
    with pytest.raises(SystemExit, match="isn't a stem"):
        run(monkeypatch, "technique", stem, "--acts-on", "activations")
