import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, get_args

import pytest

from regdemo import catalog, demos
from regdemo.catalog import PLACES, Demo
from regdemo.errors import ArgumentError, FileError
from regdemo.parameters import SEED, Parameter, Words, count, rate
from regdemo.report import Report

FOLDER = Path(demos.__file__).parent
PARAMETERS = [
    pytest.param(demo, parameter, id=f"{demo.stem}-{parameter.name}")
    for demo in catalog.demos()
    for parameter in demo.signature.parameters.values()
]

every_demo = pytest.mark.parametrize("demo", catalog.demos(), ids=lambda demo: demo.stem)


def example(*, p: Annotated[float, rate("Rate.")] = 0.1, seed: Annotated[int, SEED] = 0) -> Report:
    return Report("An example", {"p": p, "seed": seed}, [], [], "", "", [])


EXAMPLE = Demo("drop_path", "DropPath: skip a branch", "DropPath: skip a branch", "paths", example)


# The demos there are


def test_every_file_is_a_demo():
    files = {path.stem for path in FOLDER.iterdir() if path.suffix == ".py"} - {"__init__"}
    assert {demo.stem for demo in catalog.demos()} == files


def test_demos_come_by_place_then_by_name():
    order = [(PLACES.index(demo.acts_on), demo.name) for demo in catalog.demos()]
    assert order == sorted(order)


@every_demo
def test_a_demo_has_a_title_that_says_what_it_does(demo):
    name, _, what = demo.title.partition(": ")
    assert name
    assert what
    assert not demo.title.endswith(".")
    assert demo.help.startswith(demo.title)


@every_demo
def test_a_demo_takes_a_seed_last(demo):
    assert list(demo.signature.parameters)[-1] == "seed"
    assert SEED in get_args(demo.signature.parameters["seed"].annotation)


@pytest.mark.parametrize(("demo", "parameter"), PARAMETERS)
def test_a_demos_parameter_is_a_keyword_with_a_range_and_a_default_inside_it(demo, parameter):
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    (allowed,) = [item for item in get_args(parameter.annotation) if isinstance(item, Parameter | Words)]
    allowed.check(parameter.name, parameter.default)
    assert allowed.help.endswith(".")


# A demo


def test_a_demo_is_named_as_it_is_typed():
    assert (EXAMPLE.name, EXAMPLE.command) == ("drop-path", "regdemo drop-path")


def test_a_demos_signature_has_its_annotations_resolved():
    def written(*, p: "Annotated[float, rate('Rate.')]" = 0.1, seed: "Annotated[int, SEED]" = 0) -> "Report":
        return example(p=p, seed=seed)

    signature = Demo("written", "t", "t", "paths", written).signature
    assert get_args(signature.parameters["p"].annotation) == (float, rate("Rate."))
    assert signature.parameters["p"].default == 0.1


def test_running_passes_the_values_on():
    assert EXAMPLE.run(p=0.25).parameters == {"p": 0.25, "seed": 0}
    assert EXAMPLE.run(seed=7).parameters == {"p": 0.1, "seed": 7}


@pytest.mark.parametrize(("name", "value"), [("p", 1.0), ("p", float("nan")), ("seed", -1), ("seed", 10**12)])
def test_running_refuses_a_value_out_of_range(name, value):
    with pytest.raises(ArgumentError, match=rf"^{name} = .* is not allowed: it must be"):
        EXAMPLE.run(**{name: value})


def test_running_checks_the_defaults_too():
    def wrong(*, draws: Annotated[int, count("Draws.", 1, 10)] = 11) -> Report:
        raise AssertionError("must not run")

    with pytest.raises(ArgumentError, match=r"^draws = 11 is not allowed"):
        Demo("wrong", "t", "t", "paths", wrong).run()


# Finding and loading them


@pytest.fixture
def written(monkeypatch):
    """Writes a demo's module, as if its file stood in demos/; nothing of it stays."""

    def write(stem, doc="Wrong: a demo", **members):
        module = ModuleType(f"regdemo.demos.{stem}", doc)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return stem

    yield write
    catalog.load.cache_clear()


def test_a_demo_is_read_from_its_module(written):
    doc = "Example: it shows.\n\n    More of it,\n    in a paragraph.\n"
    demo = catalog.load(written("example", doc, ACTS_ON="paths", example=example))
    assert demo == Demo(
        "example", "Example: it shows", "Example: it shows.\n\nMore of it,\nin a paragraph.", "paths", example
    )


@pytest.mark.parametrize("doc", [None, "", "  \n "])
def test_a_module_without_a_docstring_is_named(written, doc):
    with pytest.raises(FileError, match=r"^demos/wrong.py has no docstring: write one, its first line is the demo's"):
        catalog.load(written("wrong", doc, ACTS_ON="paths", wrong=example))


@pytest.mark.parametrize("members", [{}, {"ACTS_ON": "moon"}, {"ACTS_ON": ["paths"]}])
def test_a_module_that_acts_nowhere_is_named_with_the_places_there_are(written, members):
    with pytest.raises(FileError, match=r"^demos/wrong.py has ACTS_ON = .*: choose one of inputs, .*, models$"):
        catalog.load(written("wrong", wrong=example, **members))


@pytest.mark.parametrize("members", [{}, {"wrong": "not a function"}, {"other": example}])
def test_a_module_without_its_function_is_named(written, members):
    with pytest.raises(FileError, match=r"^demos/wrong.py has no function wrong: write one that returns a Report$"):
        catalog.load(written("wrong", ACTS_ON="paths", **members))


def test_a_second_file_for_a_command_is_an_error_that_names_it(written):
    # drop-path.py beside drop_path.py: a name that Python cannot define a function under.
    with pytest.raises(FileError, match=r"^demos/drop-path.py has no function drop-path"):
        catalog.load(written("drop-path", ACTS_ON="paths", drop_path=example))


def test_files_are_listed_in_order_and_nothing_else(tmp_path, monkeypatch):
    folder = tmp_path / "demos"
    folder.mkdir()
    for name in ["zeta.py", "alpha.py", "__init__.py", "notes.md"]:
        (folder / name).touch()
    monkeypatch.setattr(catalog, "__file__", str(tmp_path / "catalog.py"))
    assert catalog.stems.__wrapped__() == ("alpha", "zeta")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of demos, to write files into."""
    monkeypatch.setattr(catalog, "__file__", str(tmp_path / "catalog.py"))
    monkeypatch.setattr(catalog, "stems", catalog.stems.__wrapped__)
    monkeypatch.setattr(catalog, "entries", catalog.entries.__wrapped__)
    (tmp_path / "demos").mkdir()
    return tmp_path / "demos"


def test_the_map_is_ordered_by_place_whatever_the_files_order(folder):
    for stem, place in [("a", "models"), ("c", "inputs"), ("b", "inputs")]:
        (folder / f"{stem}.py").write_text(f'"""{stem}: it shows.\n\nMore.\n"""\n\nACTS_ON = "{place}"\n')
    assert catalog.entries() == (
        ("b", "b: it shows", "inputs"),
        ("c", "c: it shows", "inputs"),
        ("a", "a: it shows", "models"),
    )


@pytest.mark.parametrize("text", ["", '"""No place."""\n', '"""t: t.\n"""\nACTS_ON = "moon"\n'])
def test_a_file_whose_head_cannot_be_read_is_loaded_and_so_named(folder, text, monkeypatch):
    def load(stem):
        raise FileError(stem)

    monkeypatch.setattr(catalog, "load", load)
    (folder / "wrong.py").write_text(text)
    with pytest.raises(FileError, match="wrong"):
        catalog.entries()


@every_demo
def test_the_map_says_of_a_demo_what_its_module_says(demo):
    assert demo.entry in catalog.entries()
