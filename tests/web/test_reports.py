"""How a report's program is drawn: its lines marked and coloured."""

import re

import pytest

reports = pytest.importorskip("regdemo.web.reports", reason="the extra web is missing")
pictures = pytest.importorskip("regdemo.web.pictures", reason="the extra web is missing")

DIFF = """\
 def f(x):
-    \'\'\'One
-    return\'\'\'
+    return 1
     # x < 1
 \
"""


def test_the_lines_of_a_diff_are_coloured_each_by_itself():
    assert reports.diff(DIFF).split("\n") == [
        '<span class="same"><span class="k">def</span> <span class="f">f</span>(x):</span>',
        '<del>    <span class="s">&#x27;&#x27;&#x27;One</span></del>',
        '<del><span class="s">    return&#x27;&#x27;&#x27;</span></del>',
        '<ins>    <span class="k">return</span> <span class="n">1</span></ins>',
        '<span class="same">    <span class="c"># x &lt; 1</span></span>',
        '<span class="same"></span>',
    ]


def test_a_diff_is_shown_in_two_columns_too():
    before, after = (side.split("\n") for side in reports.sides(DIFF))
    assert (len(before), len(after)) == (5, 4)
    assert [line[:5] for line in before[:3]] == ["<span", "<del>", "<del>"]
    assert [line[:5] for line in after[:2]] == ["<span", "<ins>"]


def test_the_last_label_of_a_plot_has_room_for_half_of_it():
    drawn = pictures.plot([(0.5, 0.5, 0.4, 0.6)], "x", "y", "t")
    width = float(re.search(r'viewBox="0 0 (\d+)', drawn)[1])
    right = max(float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*>100%</text>', drawn))
    assert width - right >= 18  # "100%" is 12 px high and about 33 px wide
