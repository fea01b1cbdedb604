"""Cards in a pipe: their markdown as it stands, in lines that fit."""

from io import StringIO

import pytest
from rich.console import Console

from regdemo.render.cards import Page, wrapped

TEXT = """\
A paragraph of the deck, which was
written in lines of other lengths.
- An item that is longer than the line is
  and goes on
  1. nested
> quoted words that are too long for a line

```python
a_line_of_code = "that is longer than any line"

more = 1
```
| a table | of a row that is longer |
a line that is ended by a\\
keeps its end: `code with spaces is not broken` at all

$$
x = y + a formula of several words over lines
$$
https://example.org/a-word-that-is-longer-than-the-line"""
WRAPPED = """\
A paragraph of the deck, which
was written in lines of other
lengths.
- An item that is longer than
  the line is and goes on
  1. nested
> quoted words that are too
  long for a line

```python
a_line_of_code = "that is longer than any line"

more = 1
```
| a table | of a row that is longer |
a line that is ended by a\\
keeps its end:
`code with spaces is not broken`
at all

$$
x = y + a formula of several words over lines
$$
https://example.org/a-word-that-is-longer-than-the-line"""


def test_prose_fills_its_lines_and_code_tables_and_formulas_stay_as_they_are():
    assert wrapped(TEXT, 30) == WRAPPED


@pytest.mark.parametrize("width", [40, 80])
def test_in_a_pipe_a_card_and_its_lists_keep_to_the_width(width):
    file = StringIO()
    page = Page(Console(file=file, width=width))
    page.text("word " * 50)
    page.listed([("a)", "other " * 50), ("Source", "word " * 30)])
    lines = file.getvalue().splitlines()
    assert width - 7 <= max(map(len, lines)) <= width
    assert {line[:3] for line in lines if "other" in line} == {"a) ", "   "}
