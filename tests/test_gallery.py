"""The gallery: finding a pitfall's file, and running what is in it."""

import random
import sys
from types import ModuleType

import pytest
import torch

from regdemo import catalog, gallery
from regdemo.errors import ArgumentError, FileError
from regdemo.report import Claim

FIRST = gallery.pitfalls()[0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of pitfalls, to write files into."""
    monkeypatch.setattr(gallery, "__file__", str(tmp_path / "gallery.py"))
    monkeypatch.setattr(gallery, "pitfalls", gallery.pitfalls.__wrapped__)
    (tmp_path / "pitfalls").mkdir()
    return tmp_path / "pitfalls"


def test_a_pitfall_is_read_from_the_text_of_its_file(folder):
    (folder / "odd_one.py").write_text('"""Odd one: it says "no".\n\nWhy.\n"""\nimport nothing\n\nBREAKS = "dropout"\n')
    (folder / "__init__.py").write_text("")
    (pitfall,) = gallery.pitfalls()
    assert (pitfall.name, pitfall.command) == ("odd-one", "regdemo pitfalls odd-one")
    assert (pitfall.what, pitfall.technique.stem) == ('it says "no"', "dropout")


def test_pitfalls_come_in_the_order_of_the_techniques_they_break(folder):
    for stem, technique in [("a", "mc_dropout"), ("c", "fgsm"), ("b", "fgsm")]:
        (folder / f"{stem}.py").write_text(f'"""{stem}: what.\n"""\nBREAKS = "{technique}"\n')
    assert [pitfall.stem for pitfall in gallery.pitfalls()] == ["b", "c", "a"]


@pytest.mark.parametrize(
    "text", ["", '"""t: t.\n"""\n', '"""no colon.\n"""\nBREAKS = "dropout"\n', '"""t: t.\n"""\nBREAKS = "moon"\n']
)
def test_a_file_that_is_no_pitfall_is_named_with_what_it_lacks(folder, text):
    (folder / "wrong.py").write_text(text)
    with pytest.raises(
        FileError, match=r"^pitfalls/wrong\.py must begin with a docstring .* BREAKS that names a demo$"
    ):
        gallery.pitfalls()


@pytest.mark.parametrize("name", [FIRST.name, FIRST.stem])
def test_a_pitfall_is_found_by_its_name_or_its_stem(name):
    assert gallery.find(name) is FIRST


def test_a_name_that_is_none_is_told_the_nearest():
    with pytest.raises(ArgumentError, match=r"^there is no pitfall 'token-nois': did you mean 'token-noise'\?"):
        gallery.find("token-nois")


def test_a_seed_out_of_range_is_refused():
    with pytest.raises(ArgumentError, match=r"^seed = -1 is not allowed"):
        gallery.run(FIRST, seed=-1)


SOURCE = '''
"""Example: it draws."""
import random
import torch
from regdemo.report import Claim
BREAKS, CARDS, SAY, WRONG_ANSWER = "dropout", (), "", ""
def broken(): pass
def mended(): pass
def measure():
    return [Claim("", 0, "", torch.rand(()).item() + 2 * random.random(), 0, "")], []
'''


@pytest.fixture
def example(tmp_path, monkeypatch):
    """A pitfall that measures a draw of each global generator."""
    path = tmp_path / "example.py"
    path.write_text(SOURCE)
    module = ModuleType("regdemo.pitfalls.example")
    exec(compile(SOURCE, str(path), "exec"), vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return gallery.Pitfall("example", "Example: it draws", catalog.entries()[0])


def test_the_same_seed_measures_the_same_and_another_does_not(example):
    first, again, other = (gallery.run(example, seed=seed).claims for seed in (0, 0, 1))
    assert isinstance(first[0], Claim)
    assert first == again
    assert first != other


def test_the_global_generators_are_left_as_found(example):
    before = torch.get_rng_state(), random.getstate()
    gallery.run(example, seed=3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
