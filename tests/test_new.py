"""The skeletons for whoever adds something: they fit together, and fail until they are filled in."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("new", ROOT / "scripts/new.py")
new = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(new)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty checkout with the folders that skeletons go into."""
    folders = ["regdemo/regularizers", "regdemo/demos", "regdemo/pitfalls", "tests/regularizers", "tests/demos"]
    for folder in [*folders, new.DECKS]:
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(new, "ROOT", tmp_path)
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["new.py", *arguments])
    new.main()


def test_a_technique_is_five_files_that_parse_and_are_not_filled_in(checkout, monkeypatch):
    run(monkeypatch, "technique", "new_noise", "--acts-on", "activations")
    files = sorted(path for path in checkout.rglob("*new_noise*"))
    assert len(files) == 5
    for file in files:
        if file.suffix == ".py":
            ast.parse(file.read_text())
    assert "NotImplementedError" in (checkout / "regdemo/regularizers/new_noise.py").read_text()
    assert "NotImplementedError" in (checkout / "regdemo/demos/new_noise.py").read_text()


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


def test_a_pitfall_is_one_file(checkout, monkeypatch):
    run(monkeypatch, "pitfall", "late_mask", "--breaks", "dropout")
    ast.parse((checkout / "regdemo/pitfalls/late_mask.py").read_text())


def test_nothing_is_overwritten_and_then_nothing_is_written(checkout, monkeypatch):
    taken = checkout / "tests/demos/test_new_noise.py"
    taken.write_text("mine")
    with pytest.raises(SystemExit, match=r"test_new_noise\.py exists already"):
        run(monkeypatch, "technique", "new_noise", "--acts-on", "activations")
    assert list(checkout.rglob("*new_noise*")) == [taken]
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("stem", ["NewNoise", "new-noise", "1noise", "a__b", "../up"])
def test_what_is_not_a_stem_is_refused(stem, checkout, monkeypatch):
    with pytest.raises(SystemExit, match="isn't a stem"):
        run(monkeypatch, "technique", stem, "--acts-on", "activations")
