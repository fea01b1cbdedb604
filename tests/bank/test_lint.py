"""Each thing that `lint` remarks on: the card that has it, the place, and the remedy."""

import pytest

from regdemo.bank.lint import lint

SOUND = """\
# Sound

## L1: What is it?

### Answer
This.

### Key points
- this

### Hints
- Look.

### Follow-ups
- L2

### Sources
- Somebody 2014, https://example.org

## L2: What is {p} doubled?

```toml vary
p = [1, 2]
```

### Answer
= 2*p

### Wrong answers
- = p^2 + 2: a square

### Hints
- Look.

### Sources
- Somebody 2014, https://example.org

```python check
assert answer == p + p
```

## L3: Which?

- [x] a
  - It is.
- [ ] b
  - It is not.

### See it
`show it`
"""


def remarks(tmp_path, text, command_fault=lambda command: ""):
    """What is said about a deck: (line, column, level, message)."""
    file = tmp_path / "d.md"
    file.write_text(text)
    found = lint(file, command_fault)
    assert {remark.file for remark in found} <= {file}
    return [remark[1:] for remark in found]


def test_nothing_is_said_of_a_sound_deck(tmp_path):
    assert remarks(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "level", "said"),
    [
        ("### Key points\n- this\n\n", "", 3, 1, "warning", "L1 has no key points to grade an answer by"),
        ("### Hints\n- Look.\n\n### F", "### F", 3, 1, "warning", "L1 has no hint"),
        ("### Sources\n- Somebody 2014, https://example.org\n\n## L2", "## L2", 3, 1, "warning", "L1 has no source"),
        (", https://example.org\n\n## L2", "\n\n## L2", 18, 3, "warning", "L1 has a source without a link, 'Somebody"),
        ("- L2", "- L9", 15, 3, "warning", "L1 leads to 'L9', and there is no such card: the nearest are L"),
        ("- L2", "- L1", 15, 3, "warning", "L1 is its own follow-up"),
        ("## L3: Which?", "## L3: what is  it?", 42, 1, "warning", "L3 asks what L1 asks at"),
        ("### Wrong answers\n- = p^2 + 2: a square\n", "", 20, 1, "warning", "L2 knows no wrong answer"),
        ("+ 2: a square", "+ 2", 30, 5, "warning", "L2 does not say why 'p^2 + 2' is wrong"),
        ("= p^2 + 2", "= p^2", 30, 5, "error", "L2 calls 'p^2' wrong, and it is right at p = 2"),
        ("```python check\nassert answer == p + p\n```", "", 20, 1, "warning", "L2 has no check"),
        ("answer == p + p", "p", 38, 1, "warning", "L2 has a check that never looks at `answer`"),
        ("answer == p + p", "answer ==", 39, 1, "error", "L2 has a check that is not Python: invalid syntax"),
        ("## L2: What is {p}", "## L2: What is {q}", 20, 16, "warning", "L2 leaves {q} as it is: its parameters are p"),
        ("## L2: What is {p}", "## L2: What is p", 23, 1, "warning", "L2 varies p, which its text never says"),
        ("  - It is.\n", "", 44, 7, "warning", "L3 has an option without feedback, 'a': nest under it why it is right"),
        ("- [ ] b", "- [ ] a", 44, 7, "error", "L3 has the option 'a' 2 times"),
        (
            "### Hints\n- Look.\n\n### F",
            "### Hint\n- Look.\n\n### F",
            11,
            1,
            "warning",
            "'Hint' names no part of a card",
        ),
        (
            "### Hints\n- Look.\n\n### F",
            "### Hints - Look.\n\n### F",
            11,
            1,
            "warning",
            "'Hints - Look.' names no part of a card: leave Hints alone on its line",
        ),
        ("python check", "python chek", 38, 1, "warning", "'python chek' isn't a role of a block: did you mean python"),
        ("This.", "This [link](gone.md).", 6, 13, "warning", "links to 'gone.md', and there is no such file"),
        ("## L3", "## L2", 42, 1, "error", "L2 is the id of the card at"),
        ("= 2*p", "= 2*q", 27, 1, "error", "L2 has a numeric answer without a value at p = 1"),
    ],
)
def test_what_is_amiss_is_said_where_it_stands(tmp_path, old, new, line, column, level, said):
    assert SOUND.count(old) == 1
    found = remarks(tmp_path, SOUND.replace(old, new))
    assert [one[:3] for one in found if one[3].startswith(said)] == [(line, column, level)]


def test_a_command_that_would_not_run_is_named_as_it_is_typed(tmp_path):
    found = remarks(tmp_path, SOUND, lambda command: f"no program is called {command.split()[0]}")
    said = "L3 shows itself by 'show it', which would not run: no program is called show"
    assert found == [(50, 2, "warning", said)]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    assert remarks(tmp_path, SOUND.replace("This.", "[This](../gone.md), [that](https://example.org).")) == []


@pytest.mark.parametrize(("lines", "remarks"), [(56, []), (57, [(5, "warning", "K1 has a judge of 60 lines of code")])])
def test_a_judge_of_sixty_lines_of_code_is_too_long_its_messages_and_blank_lines_aside(tmp_path, lines, remarks):
    body = "    f()\n" * lines
    judge = f'def test_a():\n    """One message\n    over lines."""\n\n{body}\n\ndef f():\n    pass\n'
    code = f"```python starter\n```\n```python judge\n{judge}```\n```python solution\n```\n"
    (tmp_path / "deck.md").write_text(f"## K1: Write it.\n\n{code}\n```python mutant: m\n```\n### Hints\n- a\n")
    found = [(line, level, message[:34]) for _, line, _, level, message in lint(tmp_path)]
    assert found == remarks


def test_a_judge_without_mutants_is_remarked_on(tmp_path):
    code = "".join(f"```python {role}\n```\n" for role in ("starter", "judge", "solution"))
    card = f"## K1: Write it\n\n{code}\n### Hints\n- Look.\n"
    ((line, _, level, message),) = remarks(tmp_path, card)
    assert (line, level, message[:42]) == (1, "warning", "K1 has a judge that was never seen to fail")


def test_a_deck_in_another_style_is_not_held_to_the_format(tmp_path):
    assert remarks(tmp_path, "# Questions\n\n### What is it?\n\nThis.\n\n### Why so?\n\nSo.\n") == []
