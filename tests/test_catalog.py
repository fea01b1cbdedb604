"""The catalog: what it reads in the files of demos and pitfalls, and how it finds and runs them."""

import ast
import random
import re
import sys
from types import ModuleType
from typing import Annotated

import pytest
import torch

from regdemo import catalog, demos
from regdemo.catalog import PLACES
from regdemo.errors import ArgumentError, FileError
from regdemo.parameters import SEED, Words, count, rate
from regdemo.report import Claim, Measurement

HEAD = (
    '"""{name}: it shows.\n\nMore.\n"""\n\n{kind} = "{value}"\nSAY = ("a " "b")\nWRONG_ANSWER = "c"\nCARDS = ("Q1",)\n'
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A package of its own, to write demos and pitfalls into."""
    monkeypatch.setattr(catalog, "FOLDER", tmp_path)
    for name in ("demos", "pitfalls"):
        monkeypatch.setattr(catalog, name, getattr(catalog, name).__wrapped__)
        (tmp_path / name).mkdir()

    def write(stem, value="paths", *, kind="ACTS_ON", text=None):
        path = tmp_path / ("demos" if kind == "ACTS_ON" else "pitfalls") / f"{stem}.py"
        path.write_text(text if text is not None else HEAD.format(name=stem.title(), kind=kind, value=value))

    return write


def example(*, p: Annotated[float, rate("Rate.")] = 0.1, seed: Annotated[int, SEED] = 0) -> Measurement:
    return Measurement(f"p = {p}, seed = {seed}", [], [])


@pytest.fixture
def in_place(monkeypatch):
    """Puts another function in the place of a demo's, and returns the demo."""

    def put(function):
        demo = catalog.demo("dropout")
        monkeypatch.setattr(demo.module, "dropout", function)
        return demo

    return put


# The demos there are


def test_every_file_is_a_demo():
    files = {path.stem for path in (catalog.FOLDER / "demos").iterdir() if path.suffix == ".py"} - {"__init__"}
    assert {demo.stem for demo in catalog.demos()} == files


def test_demos_come_by_place_then_by_name():
    order = [(PLACES.index(demo.acts_on), demo.name) for demo in catalog.demos()]
    assert order == sorted(order)


def test_pitfalls_come_in_the_order_of_the_techniques_they_break():
    order = [(catalog.demos().index(pitfall.technique), pitfall.stem) for pitfall in catalog.pitfalls()]
    assert order == sorted(order)


def test_names_that_are_written_in_capitals_stay_so():
    labels = {demo.stem: demo.label for demo in catalog.demos()}
    assert [labels[stem] for stem in ("sam", "ema", "swa", "dp_sgd")] == ["SAM", "EMA", "SWA", "DP-SGD"]


# Reading a file


def test_a_demo_is_read_from_the_head_of_its_file(folder):
    folder("odd_one", text=HEAD.format(name="Odd one", kind="ACTS_ON", value="paths") + "import nothing\n\ndef (")
    (demo,) = catalog.demos()
    assert (demo.stem, demo.name, demo.command) == ("odd_one", "odd-one", "regdemo odd-one")
    assert (demo.title, demo.label, demo.what) == ("Odd one: it shows", "Odd one", "it shows")
    assert (demo.help, demo.acts_on) == ("Odd one: it shows.\n\nMore.", "paths")
    assert (demo.say, demo.wrong_answer, demo.cards) == ("a b", "c", ("Q1",))


def test_a_pitfall_is_read_from_the_head_of_its_file(folder):
    folder("dropout")
    folder("odd_one", "dropout", kind="BREAKS")
    (pitfall,) = catalog.pitfalls()
    assert (pitfall.name, pitfall.command) == ("odd-one", "regdemo pitfalls odd-one")
    assert (pitfall.technique.stem, pitfall.acts_on) == ("dropout", "paths")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must begin with a docstring of the form"),
        ('"""No colon."""\nACTS_ON = "paths"\n', r"must begin with a docstring .*, got 'No colon'"),
        (
            HEAD.format(name="t", kind="ACTS_ON", value="moon"),
            r"has ACTS_ON = 'moon': choose one of .*, models$",
        ),
        ('"""t: t."""\nACTS_ON = "paths"\nSAY = f"{1}"\n', r"has no SAY: write it above the first function"),
        ('"""t: t."""\nACTS_ON = = 1\n', r"demos/wrong\.py:2: invalid syntax"),
    ],
)
def test_a_file_that_is_no_demo_is_named_with_what_it_lacks(folder, text, message):
    folder("wrong", text=text)
    with pytest.raises(FileError, match=message):
        catalog.demos()


def test_a_pitfall_that_breaks_no_demo_is_named(folder):
    folder("wrong", "moon", kind="BREAKS")
    with pytest.raises(FileError, match=r"^pitfalls/wrong\.py has BREAKS = 'moon': name the stem of a demo$"):
        catalog.pitfalls()


def test_a_file_without_its_function_is_named(monkeypatch):
    demo = catalog.demo("dropout")
    monkeypatch.delattr(demo.module, "dropout")
    with pytest.raises(FileError, match=r"^demos/dropout\.py has no function dropout"):
        demo.run()


# Finding one


@pytest.mark.parametrize("name", ["drop-path", "drop_path"])
def test_a_demo_is_found_by_its_name_or_its_stem(name):
    assert catalog.demo(name).stem == "drop_path"


def test_a_name_that_is_none_is_told_the_nearest():
    with pytest.raises(ArgumentError, match=r"^there is no demo 'dropuot': did you mean 'dropout'"):
        catalog.demo("dropuot")
    with pytest.raises(ArgumentError, match=r"^there is no pitfall 'token-nois': did you mean 'token-noise'\?"):
        catalog.pitfall("token-nois")


# Running one


def test_running_passes_the_values_on_and_reports_the_defaults(in_place):
    demo = in_place(example)
    report = demo.run(p=0.25)
    assert (report.title, report.parameters) == ("p = 0.25, seed = 0", {"p": 0.25, "seed": 0})
    assert (report.say, report.cards) == (demo.say, list(demo.cards))


def test_a_demo_is_run_by_its_name_with_parameters_and_a_seed(in_place):
    in_place(example)
    assert catalog.run_demo("dropout", {"p": 0.5}, seed=7).parameters == {"p": 0.5, "seed": 7}


@pytest.mark.parametrize(
    ("name", "value"), [("p", 1.0), ("p", float("nan")), ("p", "x"), ("seed", -1), ("seed", 10**12)]
)
def test_running_refuses_a_value_out_of_range(in_place, name, value):
    with pytest.raises(ArgumentError, match=rf"^{name} = .* is not allowed: it must be"):
        in_place(example).run(**{name: value})


def test_running_refuses_a_parameter_that_there_is_not(in_place):
    with pytest.raises(ArgumentError, match=r"^dropout has no parameter 'rate': it has p, seed$"):
        in_place(example).run(rate=0.1)


def test_a_module_in_demos_is_called_to_run_its_demo():
    assert demos.dropout(p=0.25).parameters["p"] == 0.25
    with pytest.raises(AttributeError, match="there is no demo 'nothing'"):
        demos.nothing  # noqa: B018


def test_a_report_shows_itself_in_a_notebook():
    html = demos.gradient_clipping()._repr_html_()
    assert html.startswith("<style>")
    assert "Gradient clipping at 1" in html


# What a control needs


def test_a_range_says_what_a_control_needs(in_place):
    def sized(
        *,
        p: Annotated[float, rate("Rate.")] = 0.1,
        draws: Annotated[int, count("Draws.", 10, 100_000)] = 50,
        text: Annotated[str, Words("Text.", 1, 60)] = "a b",
        seed: Annotated[int, SEED] = 0,
    ) -> Measurement:
        return example()

    p, draws, text = in_place(sized).ranges
    assert (p.kind, p.low, p.high, p.step, p.default, p.scale) == ("number", 0, 0.99, 0.01, 0.1, "linear")
    assert (draws.kind, draws.low, draws.high, draws.step, draws.scale) == ("integer", 10, 100_000, 1, "log")
    assert (text.kind, text.default, text.words) == ("text", "a b", "from 1 to 60 words")
    assert p.words == "at least 0 and below 1"


@pytest.mark.parametrize("demo", catalog.demos(), ids=lambda demo: demo.stem)
def test_both_ends_of_a_range_are_allowed(demo):
    for range_ in demo.ranges:
        if range_.kind in ("number", "integer"):
            for value in (range_.low, range_.high, range_.default):
                demo.parameters[range_.name][1].check(range_.name, value)
            assert 0 < range_.step <= range_.high - range_.low


# Running a pitfall


@pytest.fixture
def drawing(monkeypatch):
    """A pitfall that draws from the global generators."""

    def measure():
        return [Claim("a draw", 0, "-", torch.rand(1).item() + random.random(), 9, "-")], []

    module = ModuleType("regdemo.pitfalls.example")
    vars(module).update(broken=test_every_file_is_a_demo, fixed=test_demos_come_by_place_then_by_name, measure=measure)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return catalog.Pitfall("example", "Example: it draws", "", "", "", (), catalog.demos()[0])


def test_a_seed_out_of_range_is_refused():
    with pytest.raises(ArgumentError, match=r"^seed = -1 is not allowed"):
        catalog.run_pitfall("token-noise", seed=-1)


def test_the_same_seed_gives_the_same_draws_and_another_seed_others(drawing):
    first, again, other = (drawing.run(seed=seed).claims for seed in (0, 0, 1))
    assert first == again != other


def test_the_global_generators_are_left_as_found(drawing):
    before = torch.get_rng_state().tolist(), random.getstate()
    drawing.run(seed=3)
    assert (torch.get_rng_state().tolist(), random.getstate()) == before


@pytest.mark.parametrize("listing", [*catalog.demos(), *catalog.pitfalls()], ids=lambda listing: listing.name)
def test_a_text_uses_the_words_of_the_field(listing):
    # A mask is drawn, not tossed; things differ or are separate; what is counted is a fraction.
    unusual = re.compile(
        r"\b(coins?|anew|(?<!far\s)(?<!farther\s)apart|besides?|mend(s|ed)?|the share|share of|in sight)\b",
        re.IGNORECASE,
    )
    file = catalog.FOLDER / ("demos" if hasattr(listing, "provided_by") else "pitfalls") / f"{listing.stem}.py"
    texts = [node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)]
    assert [text for text in texts if isinstance(text, str) and unusual.search(text)] == []


@pytest.mark.parametrize("listing", [*catalog.demos(), *catalog.pitfalls()], ids=lambda listing: listing.name)
def test_what_to_say_and_the_wrong_answer_end_with_a_sentence(listing):
    # A second line outside the parentheses would be lost.
    for text in (listing.say, listing.wrong_answer):
        assert text.endswith((".", ".'"))
        assert text.count("`") % 2 == text.count("$") % 2 == 0
