from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from regdemo.render.colors import scale_color
from regdemo.render.terminal import MARKERS, show
from regdemo.report import Block, Claim, Code, Curves, HeatMap, Interval, Report, Series, Table, Text

NUMBERS = re.compile(r"-?\d+(?:,\d+)*(?:\.\d+)?(?:e[+-]\d+)?")


def drawn(report: Report, width: int = 80, *, color: bool = False) -> str:
    file = StringIO()
    system = "truecolor" if color else None
    show(report, Console(file=file, width=width, force_terminal=color, color_system=system, no_color=False))
    return file.getvalue()


def of(*blocks: Block) -> Report:
    return Report("T", {}, [], list(blocks), "", "", [])


def body(block: Block, width: int = 80, *, color: bool = False) -> list[str]:
    """The lines of a block without colour codes, below the report's head and the block's title."""
    return re.sub(r"\x1b\[[\d;]*m", "", drawn(of(block), width, color=color)).splitlines()[4:]


def test_a_small_report_reads_like_this() -> None:
    report = Report(
        "Dropout at p = 0.5",
        {"p": 0.5, "block_size": 7},
        [
            Claim("The share dropped is `p`", 0.5, "p", 0.4991, 0.0121, "Bernstein bound"),
            Claim("The mean is kept", 1, "E[y] = 1", 0.5, 0.0, "exact"),
        ],
        [
            Text("Survivors are scaled."),
            HeatMap("A mask", [[2.0, 0.0], [0.5, 2.0]], 0.0, 2.0, "example", "unit", "0 is dropped."),
            Table("Rates", ["rate", "n", "mean"], [[0.1, 60_000, Interval(1.0, 0.96, 1.04)], [0.25, 600, "-"]]),
        ],
        "The mean is kept.",
        "It is not.",
        ["Q18.1", "Q18.2"],
    )
    assert (
        drawn(report, 60)
        == """\
Dropout at p = 0.5
p 0.5 · block size 7

Survivors are scaled.

A mask
example ↓   unit →
│██  │
│░░██│

0 │  ░░▒▒▓▓██│ 2
0 is dropped.

Rates
rate       n               mean
───────────────────────────────
0.10  60,000  1.00 [0.96, 1.04]
0.25     600                  -

Claims
✓ The share dropped is `p`
  measured 0.499, expected p = 0.500 ± 0.012
  (Bernstein bound)
✗ The mean is kept
  measured 0.5, expected E[y] = 1 ± 0 (exact)
1 of 2 claims hold

Say in the interview
The mean is kept.

The usual wrong answer
It is not.

Try next
regdemo quiz --ids Q18.1,Q18.2
"""
    )


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", [60, 80, 23])
def test_no_line_is_wider_than_the_terminal(report: Report, odd: Report, width: int, color: bool) -> None:
    for each in (report, odd):
        lines = re.sub(r"\x1b\[[\d;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", drawn(each, width, color=color)).splitlines()
        assert max(map(cell_len, lines)) <= width


def test_a_wide_terminal_does_not_stretch_the_lines(report: Report) -> None:
    assert max(map(cell_len, drawn(report, 250).splitlines())) <= 100


def test_markup_in_a_report_is_shown_as_it_is() -> None:
    tag = "[bold]x[/bold] [/] :smile: [link=x]y[/link]"
    claim = Claim(tag, 1, tag, 1, 0, tag)
    blocks: list[Block] = [
        Text(tag),
        Table(tag, [tag], [[tag]], tag),
        HeatMap(tag, [[1.0]], 0, 1, tag, tag, tag),
        Curves(tag, tag, tag, [Series(tag, [0.0], [0.0])], tag),
    ]
    shown = re.sub(r"\s+", " ", drawn(Report(tag, {"a": tag}, [claim], blocks, tag, tag, [tag]), 100))
    # Title, parameter, claim (3), text, table (4), heat map (4), curves (5), say, wrong answer, card.
    assert shown.count(tag) == 22


def test_control_characters_do_not_reach_the_terminal(odd: Report) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", drawn(odd))


def test_a_pipe_gets_no_colour_codes_and_no_trailing_blanks(report: Report) -> None:
    lines = drawn(report).split("\n")
    assert not any("\x1b" in line or line != line.rstrip() for line in lines)


def test_no_color_keeps_the_terminal_free_of_colours(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = StringIO()
    show(report, Console(file=file, width=80, force_terminal=True, color_system="truecolor"))
    codes = set(re.findall(r"\x1b\[([\d;]*)m", file.getvalue()))
    assert codes <= {"0", "1"}  # bold is no colour
    assert "░" in file.getvalue()


def test_code_loses_its_backticks_only_where_colour_replaces_them() -> None:
    report = of(Text("scaled by `1/(1-p)`"))
    assert "`1/(1-p)`" in drawn(report)
    assert "`" not in drawn(report, color=True)


def test_a_heat_map_has_a_coloured_block_of_two_columns_for_each_cell() -> None:
    shown = drawn(of(HeatMap("", [[0.0, 1.0, 0.5]], 0, 1)), color=True).splitlines()[4]
    codes = [";".join(map(str, bytes.fromhex(scale_color(at)[1:]))) for at in (0, 1, 0.5)]
    assert shown == "".join(f"\x1b[48;2;{code}m  \x1b[0m" for code in codes)


def test_a_heat_map_without_colour_is_drawn_in_shades() -> None:
    assert body(HeatMap("", [[0.0, 0.25, 0.5, 0.75, 1.0]], 0, 1))[0] == "│  ░░▒▒▓▓██│"


def test_without_colour_a_cell_is_blank_at_the_low_end_alone() -> None:
    assert body(HeatMap("", [[0.0, 0.1, 1e-6]], 0, 1))[0] == "│  ░░░░│"


@pytest.mark.parametrize("color", [False, True])
def test_24_columns_fit_60_at_two_columns_a_cell(color: bool) -> None:
    assert len(body(HeatMap("", [[0.5] * 24], 0, 1), 60, color=color)[0].strip("│")) == 48


def test_a_heat_map_too_wide_for_the_terminal_says_what_it_leaves_out() -> None:
    lines = body(HeatMap("", [[1.0] * 150], 0, 1), 60)
    assert lines[0] == f"│{'█' * 58}│"
    assert lines[-1] == "the first 58 of 150 columns"


def test_a_cell_that_is_no_number_is_marked_and_explained() -> None:
    lines = body(HeatMap("", [[float("nan"), 1.0]], 0, 1))
    assert lines[0] == "│··██│"
    assert lines[-1].endswith("·· not a number")


def test_a_claim_takes_three_lines_at_80_columns() -> None:
    reason = "Bernstein bound over 100,000 draws, missed by chance once in 10^9"
    claim = Claim("The variance is p/(1-p) x^2", 0.444, "p/(1-p) x^2", 0.438, 0.046, reason)
    lines = drawn(Report("T", {}, [claim], [], "", "", [])).splitlines()
    assert lines[lines.index("Claims") + 1 :] == [
        "✓ The variance is p/(1-p) x^2",
        "  measured 0.438, expected p/(1-p) x^2 = 0.444 ± 0.046",
        f"  ({reason})",
        "1 of 1 claim holds",
    ]


def test_a_verdict_has_a_mark_beside_its_colour(report: Report) -> None:
    marks = [line[0] for line in drawn(report).splitlines() if line[:1] in {"✓", "✗"}]
    assert marks == ["✓", "✓", "✗"]


def test_a_word_longer_than_the_line_is_folded_not_cut() -> None:
    word = "z" * 90
    report = Report(word, {word: 1}, [Claim(word, 1, word, 1, 0, word)], [Text(word)], word, word, [])
    assert drawn(report, 60).count("z") == 8 * 90


WIDE = Table(
    "",
    ["measure", "none", "dropout 0.2", "difference", "p-value"],
    [["test accuracy", Interval(65.02, 64.62, 65.41), Interval(69.6, 69.21, 70.02), Interval(4.6, 4.12, 5.09), 3.2e-9]],
)


def test_intervals_break_before_their_bracket_where_that_saves_lines() -> None:
    assert body(WIDE, 70) == [
        "measure                none   dropout 0.2  difference  p-value",
        "──────────────────────────────────────────────────────────────",
        "test accuracy          65.0          69.6         4.6  3.2e-09",
        "               [64.6, 65.4]  [69.2, 70.0]  [4.1, 5.1]",
    ]


def test_a_long_name_over_numbers_is_broken_where_that_saves_lines() -> None:
    table = Table("", ["coins", "batches without the branch"], [["one for every sample of a batch", 0.25]] * 4)
    assert body(table, 45) == [
        "                                 batches",
        "                                 without",
        "                                     the",
        "coins                             branch",
        "────────────────────────────────────────",
        *["one for every sample of a batch     0.25"] * 4,
    ]


def test_words_make_room_for_numbers() -> None:
    table = Table("", ["what", "estimate"], [["one two three four", Interval(1234567.0, 1200000.0, 1260000.0)]])
    assert body(table, 45)[2:] == ["one two      1,234,567 [1,200,000, 1,260,000]", "three four"]


def test_of_two_columns_of_words_the_one_gives_room_whose_words_are_shorter() -> None:
    table = Table("", ["arm", "measure", "n"], [["label-smoothing 0.1", "so much as it is", 1_234_567]])
    assert body(table, 36)[2:] == ["label-smoothing  so much   1,234,567", "0.1              as it is"]


def test_a_table_too_wide_for_the_terminal_is_a_list_for_each_row() -> None:
    assert body(WIDE, 40) == [
        "measure      test accuracy",
        "none         65.0 [64.6, 65.4]",
        "dropout 0.2  69.6 [69.2, 70.0]",
        "difference   4.6 [4.1, 5.1]",
        "p-value      3.2e-09",
    ]


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_no_number_of_a_table_is_cut(width: int) -> None:
    rows: list[list[str | int | float | Interval]] = [
        ["GPT-2 with a long name and a source", 1_542_000_000, 0.1, Interval(1234.5, 1200.0, 1260.0), 3.2e-9, -123456]
    ]
    shown = NUMBERS.findall("\n".join(body(Table("", list("abcdef"), rows), width)))
    assert {"1,542,000,000", "0.1", "1,234", "1,200", "1,260", "3.2e-09", "-123,456"} <= set(shown)


TWO = Curves("", "epoch", "loss", [Series("train", [0, 1, 2], [3, 2, 1]), Series("test", [0, 1, 2], [3, 2.5, 2.4])])


def test_curves_have_a_marker_for_each_series_labels_and_ticks() -> None:
    lines = body(TWO, 60)
    assert lines[0].split() == [MARKERS[0], "train", MARKERS[1], "test"]
    assert lines[1] == "loss"
    assert lines[-1].split() == ["epoch"]
    plot = "\n".join(lines[2:-1])
    assert all(word in plot for word in (MARKERS[0], MARKERS[1], "1.0┤", "3.0┤", "⠉"))
    assert lines[-2].split() == ["0.0", "0.5", "1.0", "1.5", "2.0"]


def test_curves_that_run_together_both_show_their_marker() -> None:
    x = [float(i) for i in range(40)]
    plot = "\n".join(body(Curves("", "", "", [Series("a", x, x), Series("b", x, x)]))[2:-1])
    assert plot.count(MARKERS[0]) >= 5
    assert plot.count(MARKERS[1]) >= 5


def test_short_lines_that_run_together_both_show_their_marker() -> None:
    x = [0.0, 1.0, 2.0, 3.0, 4.0]
    plot = "\n".join(body(Curves("", "", "", [Series("a", x, x), Series("b", x, x)]))[2:-1])
    assert (plot.count(MARKERS[0]), plot.count(MARKERS[1])) == (3, 2)


def test_measured_points_are_drawn_over_the_marks_of_a_line() -> None:
    x = [0.0, 1.0, 2.0, 3.0, 4.0]
    series = [Series("measured", x, x, style="points"), Series("formula", x, x)]
    assert "\n".join(body(Curves("", "", "", series))[2:-1]).count(MARKERS[0]) == 5


def test_bars_of_two_series_are_told_apart_without_colour() -> None:
    bars = [Series("one", [0.0, 1.0], [2.0, 0.0], style="bars"), Series("two", [0.0, 1.0], [0.0, 1.0], style="bars")]
    legend, *lines = body(Curves("", "x", "y", bars))
    assert (legend.count("●"), legend.count("▲")) == (1, 1)
    assert ("".join(lines).count("●"), "".join(lines).count("▲")) == (1, 1)


def test_a_rising_curve_rises() -> None:
    block = Curves("", "", "", [Series("s", [float(i) for i in range(50)], [float(i) for i in range(50)])])
    columns = [line.index(MARKERS[0]) for line in body(block)[1:] if MARKERS[0] in line]
    assert columns == sorted(columns, reverse=True)
    assert len(columns) >= 5


@pytest.mark.parametrize("series", [[], [Series("s", [], [])], [Series("s", [1.0], [float("nan")])]])
def test_curves_without_a_point_say_so(series: list[Series]) -> None:
    assert body(Curves("", "x", "y", series))[-1] == "no points to draw"


def test_drawing_curves_leaves_the_shared_figure_of_plotext_as_it_was() -> None:
    import plotext

    plotext.figure.plot_size(30, 10).title("mine").draw(plotext.figure.signal([1, 2], [3, 4]))
    before = plotext.figure.build().string(), repr(plotext.terminal)
    drawn(of(TWO), color=True)
    after = plotext.figure.build().string(), repr(plotext.terminal)
    plotext.figure.clear()
    assert after == before


def test_drawing_writes_nothing_beside_the_console(odd: Report, capfd: pytest.CaptureFixture[str]) -> None:
    drawn(odd, 23)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("language", ["python", "diff"])
@pytest.mark.parametrize("color", [False, True])
def test_a_program_is_set_in_by_two_and_shown_as_it_is(language: str, color: bool) -> None:
    source = "-def f(x):  # [red]\n+    return `x`\n\n     x"
    lines = body(Code("Code", source, language, "A note."), color=color)  # type: ignore[arg-type]
    assert lines == ["  -def f(x):  # [red]", "  +    return `x`", "", "       x", "A note."]


def test_what_a_diff_takes_out_and_puts_in_is_coloured_apart() -> None:
    lines = drawn(of(Code("Code", " a\n-b\n+c", "diff")), color=True).splitlines()[-3:]
    assert ["\x1b[" in line for line in lines] == [False, True, True]
    assert lines[1].partition("-b")[0] != lines[2].partition("+c")[0]


def test_a_program_has_its_keywords_coloured() -> None:
    assert re.search(r"\x1b\[[\d;]+mreturn\x1b", drawn(of(Code("Code", "return 1")), color=True))
