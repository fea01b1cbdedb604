"""Two reports to draw: `report`, as a demo would return it, and `odd`, all that a demo should never return."""

from __future__ import annotations

from math import exp, inf, nan

import pytest

from regdemo.report import Claim, Code, Curves, HeatMap, Interval, Report, Series, Table, Text

EPOCHS = [float(epoch) for epoch in range(1, 31)]


def curve(name: str, top: float, rate: float) -> Series:
    y = [top - 0.5 * exp(-epoch / rate) for epoch in EPOCHS]
    return Series(name, EPOCHS, y, [value - 0.02 for value in y], [value + 0.02 for value in y])


@pytest.fixture(scope="session")
def report() -> Report:
    return Report(
        title="Attention dropout at p = 0.1",
        parameters={"p": 0.1, "size": 100_000, "block_size": 7, "seed": 0},
        claims=[
            Claim("The share dropped is `p`", 0.1, "p", 0.10034, 0.00123, "Bernstein bound over 100,000 draws"),
            Claim("In eval nothing changes", 0, "max |y - x|", 0.0, 0.0, "exact"),
            Claim("Rows still sum to 1 <script>alert(1)</script> [bold]&[/bold]", 1, "sum = 1", 0.8731, 0.001, "none"),
        ],
        blocks=[
            Text(
                "Dropout scales survivors by `1/(1-p)`: Srivastava et al., https://jmlr.org/papers/v15/srivastava14a.html."
            ),
            HeatMap(
                "Weights before", [[0.1, 0.2], [0.3, 0.0]], 0.0, 0.3, "query", "key", "Rows sum to what they sum to."
            ),
            Table(
                "With and without",
                ["measure", "none", "dropout 0.2", "difference", "p-value"],
                [
                    ["test accuracy, %", Interval(65.02, 64.62, 65.41), Interval(69.62, 69.21, 70.02), 4.6, 3.2e-9],
                    ["examples", 4000, 4000, 0, "-"],
                ],
                "Over 8 seeds.",
            ),
            Curves(
                "Learning curves",
                "epoch",
                "accuracy",
                [curve("none", 0.65, 4), curve("dropout", 0.7, 8)],
                "Bands: 95%.",
            ),
        ],
        say="Rows are not renormalised: only their expectation is 1.",
        wrong_answer="Each row is renormalised.",
        cards=["Q18.1", "Q18.2"],
    )


@pytest.fixture(scope="session")
def odd() -> Report:
    word = "w" * 150
    return Report(
        title=f"[red]T[/red] <script> & `code` 数字 {word}",
        parameters={"flag": True, "name": "x[b]", "none": None, "big": 10**12},
        claims=[
            Claim("NaN", 1.0, "1", nan, 0.1, ""),
            Claim(word, inf, word, 5.0, inf, word),
            Claim("huge", 1e12, "10^12", 1e12 + 5, 1e3, "x"),
            Claim("tiny", 3e-9, "3e-9", 3.1e-9, 2e-10, "x"),
        ],
        blocks=[
            Text(""),
            Text(f"{word}{word} \x00\x1b[31m \ud800 end\n\nsecond"),
            HeatMap("one", [[1.0]], 1.0, 1.0),
            HeatMap("none", [], 0, 1),
            HeatMap("empty rows", [[], []], 0, 1),
            HeatMap("wild", [[nan, inf, -inf], [5.0, -5.0]], 0.0, 1.0, word, "c"),
            HeatMap("no scale", [[0.0, 1.0]], -inf, inf),
            HeatMap("wide", [[i / 150 for i in range(150)]] * 2, 0, 1),
            Table("no columns", [], []),
            Table("no rows", ["a", "b"], []),
            Table("cells", ["n", "数字" * 20], [[nan, word], [inf, "[b]"], [-0.0, ""], [Interval(nan, nan, nan), "x"]]),
            Table("many", [f"column {i}" for i in range(12)], [[i * 1000.5 for i in range(12)]]),
            Curves("no series", "", "", []),
            Curves("no points", "x", "y", [Series("empty", [], []), Series("nan", [1.0], [nan])]),
            Curves("one point", "x", "y", [Series("one", [1.0], [2.0]), Series("none", [], [])]),
            Curves("flat", "x", "y", [Series("f", [1.0, 2.0, 3.0], [5.0, nan, 5.0], [4.0, nan, inf], [6.0, 6.0, 6.0])]),
            Curves("close", "x", "y", [Series("c", [1e6, 1e6 + 1e-9], [1.0, 1.0 + 1e-15])]),
            Code(word, f"{word}{word}\n\x1b[31m\t<b>&[b]{chr(0)}\n\n", "python", word),
            Code("none", ""),
            Code("diff", f"-{word}\n+[b]\n \n", "diff"),
            Curves(word, word, word, [Series(f"{i} {word}", [0.0, 1.0], [i * 1e7, -i * 2e7]) for i in range(7)]),
        ],
        say="",
        wrong_answer="",
        cards=[],
    )
