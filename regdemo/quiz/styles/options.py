"""The options of a choice in a foreign text, and which of them its marks call right."""

from __future__ import annotations

import re
import textwrap
from itertools import pairwise
from typing import NamedTuple

from regdemo.quiz.cards import LETTERS, Option
from regdemo.quiz.styles.markup import MaskedText, tidied

LONGEST_QUESTION = 2_000  # characters in a question: an answer marked further below is not its answer

_OPTION = re.compile(
    r"^[ \t>]*+(?:[-*+][ \t]+)?(?:\[(?P<box>[ xX]?)\][^\S\n]+)?"
    r"(?P<bold>[*_`]{0,3})\(?(?P<letter>[A-Za-z])[).:][*_`]{0,3}[ \t]+(?=\S)",
    re.MULTILINE,
)
_INLINE_OPTION = re.compile(
    r"(?:^|[ \t])(?P<bold>[*_]{0,2})\(?(?P<letter>[A-Ha-h])[).][*_]{0,2}[ \t]+(?=\S)", re.MULTILINE
)
_BOX = re.compile(
    r"^[ \t>]*+(?:[-*+]|\d{1,3}[.)])[ \t]+\[(?P<box>[ xX]?)\](?:[^\S\n]+(?=\S)|(?=[^\s(\[:]))", re.MULTILINE
)
_TICK = re.compile(r"[ \t]*(?:✅|✔️?|☑️?|\((?:correct|right|answer)\))[ \t]*", re.IGNORECASE)
_LETTER = re.compile(r"\W*(?:option |choice )?\(?([A-Ha-h])\b(?!['’])", re.IGNORECASE)
_JOINED_LETTERS = re.compile(r"\W*([A-H]{2,8})\b")
_MORE_LETTERS = re.compile(r"\s*(?:,|&|/|\band\b|,\s*and\b)\s*\(?([A-Ha-h])\b\)?", re.IGNORECASE)
_BEHIND_A_LETTER = re.compile(r"[\s).:*,–—-]*+")
_NO_WORD = re.compile(r"\s*$|[ \t]*\n|[^\w\s]|\s+(?:[^\w\s]|because|and\b|is\b)")  # behind `a`, if it is a letter
_NOT_RIGHT = re.compile(r"\W*(?:is|are)\s+(?:wrong|incorrect|false|not)\b", re.IGNORECASE)
_ALONE = re.compile(r"\W*(?:option |choice )?\(?[A-Ha-h](?:(?:\W|and|or)+[A-Ha-h])*(?:\W*(?:\n|$)|\)|[.:][ \t])")
_BLANK_LINE = re.compile(r"\n[ \t]*(?=\n|$)")
_FIRST_LINE = re.compile(r"\s*+[^\n]+")


class Undecided(NamedTuple):
    """Why a question is left out although it has an answer."""

    reason: str


class MarkedOptions(NamedTuple):
    """The options of a question, the question without them, and the answer without the letters that it names."""

    options: tuple[Option, ...]
    question: str
    explanation: str


def find_options(text: MaskedText) -> list[re.Match[str]]:
    """The options of a text, each by what is before it: ticked boxes; or `A)`, `- b.`, `**C.**`; or all on one line."""
    boxes = list(_BOX.finditer(text.masked, 0, 2 * LONGEST_QUESTION))
    if 2 <= len(boxes) <= len(LETTERS) and any(box["box"] in ("x", "X") for box in boxes):
        named = [_OPTION.match(text.masked, box.start()) for box in boxes]
        letters = [option["letter"].lower() if option else "" for option in named]
        return [option for option in named if option] if letters == list(LETTERS[: len(boxes)]) else boxes
    found: list[re.Match[str]] = []
    for option in _OPTION.finditer(text.masked, 0, 2 * LONGEST_QUESTION):
        letter = option["letter"].lower()
        if letter == LETTERS[len(found)]:
            found.append(option)
        elif letter == "a":
            found = [option]
        if len(found) == len(LETTERS):
            break
    if len(found) >= 2:
        return found
    inline = list(_INLINE_OPTION.finditer(text.masked, 0, LONGEST_QUESTION))
    if len(inline) >= 3 and "".join(option["letter"].lower() for option in inline) == LETTERS[: len(inline)]:
        return inline
    return []


def unticked_boxes(text: MaskedText) -> list[re.Match[str]]:
    """A task list in which nothing needs to be ticked."""
    return list(_BOX.finditer(text.masked, 0, 2 * LONGEST_QUESTION))


def begins_options(text: str, start: int, end: int) -> bool:
    """Whether the first of several options is at the start of a stretch."""
    option = _OPTION.match(text, start, end)
    return bool((option and option["letter"] in "aA") or _BOX.match(text, start, end))


def has_ticks(text: MaskedText, options: list[re.Match[str]]) -> bool:
    """Whether the file itself marks an option as right."""
    return any(_is_ticked(text, option) for option in options)


def end_of_options(text: MaskedText, options: list[re.Match[str]]) -> int:
    """Where the last option ends: at an empty line that no code follows."""
    start = options[-1].end()
    while blank := _BLANK_LINE.search(text.masked, start):
        if not _code_follows(text, blank.start()):
            # A blank line inside code looks like one in the masked text, too.
            if text.raw[blank.start() : blank.end()].strip():
                start = blank.end()
                continue
            return blank.start()
        start = blank.end() + 1
    return len(text.masked)


def _code_follows(text: MaskedText, start: int) -> bool:
    """Whether the next line with anything in it is code."""
    line = next((line for line in text.raw[start:].split("\n", 40)[:40] if line.strip()), "")
    if not line:
        return False
    place = text.raw.index(line, start)
    return not text.masked[place : place + len(line)].strip()


def resolve_options(
    prompt: MaskedText, answer: MaskedText, *, marked: bool, key: str = ""
) -> MarkedOptions | Undecided | None:
    """The options in the prompt with what is right. None without options, or if nothing says which is right.

    What the file says explicitly wins: ticks, the letters behind an answer's mark, a key of answers. If two of these
    disagree it is undecided.
    """
    found = find_options(prompt)
    if not found:
        return None
    if _is_twofold(prompt, found):
        return Undecided("two lists of options")
    if _has_hidden_ticks(prompt):
        return Undecided("ticked options inside a code block")
    ends = [*(option.start() for option in found[1:]), end_of_options(prompt, found)]
    texts = [
        _option_text(prompt, option, end, place) for place, (option, end) in enumerate(zip(found, ends, strict=True))
    ]
    ticked = {number for number, option in enumerate(found) if _is_ticked(prompt, option)}
    named = named_letters(answer, len(found), strict=not marked)
    keyed = named_letters(MaskedText(key, key), len(found))
    said = [ticked, set(named[0]) if named and marked else set(), set(keyed[0]) if keyed else set()]
    explicit = [numbers for numbers in said if numbers]
    if any(numbers != explicit[0] for numbers in explicit):
        return Undecided(f"marks disagree: {' and '.join(_shown(numbers) for numbers in explicit)}")
    rest = answer.cut(named[1]) if named and (marked or not ticked) else answer
    right = explicit[0] if explicit else set(named[0]) if named else set()
    if not right:
        bold = {
            number
            for number, (option, end) in enumerate(zip(found, ends, strict=True))
            if _is_bold(prompt, option, end)
        }
        right = bold if len(bold) == 1 and len(found) > 1 else set()
    if not right and marked:
        line = _FIRST_LINE.match(answer.masked)
        end = line.end() if line else 0
        right = {number for number, text in enumerate(texts) if _same(text, answer.raw[:end])}
        rest = answer.cut(end) if right else answer
    if not right:
        return None
    around = MaskedText(*(text[: found[0].start()] + text[ends[-1] :] for text in (prompt.raw, prompt.masked)))
    explanation = tidied(rest)
    for number in right:  # `Answer: C) its text` says the text again
        if texts[number] and explanation.startswith(texts[number]):
            explanation = explanation.removeprefix(texts[number]).lstrip(" .*\n")
    options = tuple(Option(text.removeprefix("**").removesuffix("**"), n in right) for n, text in enumerate(texts))
    return MarkedOptions(options, tidied(around), explanation)


def named_letters(answer: MaskedText, count: int, strict: bool = False) -> tuple[list[int], int] | None:
    """The options that an answer begins by naming, `C`, `**B)** because`, `A and D`, and where the rest begins.

    strict: where nothing says that an answer follows, a letter counts if it is alone on its line, or as in `B)`.
    """
    text = answer.masked
    if strict and not _ALONE.match(text):
        return None
    joined = _JOINED_LETTERS.match(text)
    first = _LETTER.match(text)
    if joined and list(joined[1]) == sorted(set(joined[1])):
        numbers, end = [LETTERS.index(letter) for letter in joined[1].lower()], joined.end()
    elif first and ("B" <= first[1] <= "H" or _NO_WORD.match(text, first.end())):  # `A network`, `a mask` are words
        numbers, end = [LETTERS.index(first[1].lower())], first.end()
        while more := _MORE_LETTERS.match(text, end):
            numbers.append(LETTERS.index(more[1].lower()))
            end = more.end()
    else:
        return None
    if max(numbers) >= count or _NOT_RIGHT.match(text, end):
        return None
    behind = _BEHIND_A_LETTER.match(text, end)
    return numbers, behind.end() if behind else end


def _is_twofold(prompt: MaskedText, found: list[re.Match[str]]) -> bool:
    """Whether there is another list of the same form: two questions in one, and it is not known whose the answer is."""
    if found[0].groupdict().get("box") is not None:
        groups = [[found[0]]]  # of boxes without an empty line between them
        for one, other in pairwise(found):
            if any(not line.strip() for line in prompt.masked[one.end() : other.start()].split("\n")[1:-1]):
                groups.append([])
            groups[-1].append(other)
        ticked = [sum(box["box"] in ("x", "X") for box in group) for group in groups]
        if len(groups) > 1 and all(ticked) and min(map(len, groups)) > 1:
            return True
        return sum(ticked) > 1 and any(_has_prose(prompt, one.end(), other.start()) for one, other in pairwise(found))
    small = found[0]["letter"].islower()
    firsts = [
        option
        for option in _OPTION.finditer(prompt.masked, 0, 2 * LONGEST_QUESTION)
        if option["letter"].lower() == "a" and option["letter"].islower() == small
    ]
    return len(firsts) > 1 and any(
        option["letter"].lower() == "b" and option.start() < found[0].start()
        for option in _OPTION.finditer(prompt.masked, firsts[0].end(), 2 * LONGEST_QUESTION)
        if option["letter"].islower() == small
    )


def _has_hidden_ticks(prompt: MaskedText) -> bool:
    """Whether a ticked box is inside a code block: the block was never closed, and other questions may be in it."""
    hidden = (box for box in _BOX.finditer(prompt.raw, 0, 2 * LONGEST_QUESTION) if box["box"] in ("x", "X"))
    return any(not prompt.masked[box.start() : box.end()].strip() for box in hidden)


def _has_prose(text: MaskedText, start: int, end: int) -> bool:
    """Whether a paragraph that is not indented begins in a stretch, behind an empty line."""
    lines = text.masked[start:end].split("\n")
    return any(not before.strip() and line[:1].strip() and line[:1] not in "-*+" for before, line in pairwise(lines))


def _is_ticked(text: MaskedText, option: re.Match[str]) -> bool:
    """Whether the file itself marks the option as right: by a ticked box, or a sign behind it."""
    end = text.masked.find("\n", option.end())
    line = text.masked[option.end() : end if end >= 0 else None]
    return option.groupdict().get("box") in ("x", "X") or bool(_TICK.search(line))


def _is_bold(text: MaskedText, option: re.Match[str], end: int) -> bool:
    """Whether all of an option is bold, with or without its letter."""
    whole = text.masked[option.end() : end].strip()
    opened = option.groupdict().get("bold") in ("**", "__") and not option[0].rstrip().endswith(("**", "__"))
    return whole.endswith(("**", "__")) and (opened or (whole.startswith(("**", "__")) and whole.count("**") == 2))


def _option_text(text: MaskedText, option: re.Match[str], end: int, place: int) -> str:
    """An option as it is shown: on one line, unless there is code in it."""
    raw, masked = text.raw[option.end() : end], text.masked[option.end() : end]
    if not _code_follows(MaskedText(raw, masked), raw.find("\n") if "\n" in raw else len(raw)):
        joined = " ".join(_TICK.sub(" ", raw).split())
        return joined.removesuffix("**").strip() if joined.count("**") % 2 else joined
    first, _, rest = raw.partition("\n")
    code = textwrap.dedent(rest.strip("\n")).rstrip()
    label = first.strip(" \t*_`().:")
    return code if not label or label.lower() == LETTERS[place] else f"{first.strip()}\n\n{code}"


def _same(one: str, other: str) -> bool:
    one, other = (re.sub(r"\W+", " ", text).strip().casefold() for text in (one, other))
    return one == other != ""


def _shown(numbers: set[int]) -> str:
    return ", ".join(LETTERS[number].upper() for number in sorted(numbers))
