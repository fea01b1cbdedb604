"""Where a question ends and its answer begins, in text that does not say so by parts of its own."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from regdemo.quiz.blocks import Block, Page
from regdemo.quiz.cards import LETTERS, Kind, Option

LONGEST = 2_000  # characters in a question: an answer marked further below is not its answer

_ANSWER = re.compile(
    r"""^[ \t>]*+ (?:\#{1,6}[ \t]+ | [-*+][ \t]+)? (?:[✅✔☑]️?[ \t]*)? [*_]{0,3}
    (?: (?: (?:the[ \t])? (?: answers? | ans | solution | (?:correct|right)[ \t](?:answers?|option|choice) ) | correct )
        [ \t]?\d{0,4} [*_]{0,3}
        (?: [ \t]?[:：] | [ \t]?[.)–—-](?=[ \t]) | [ \t]is\b[ \t]?:? | (?=[ \t]+\(?(?-i:[A-H])\b) | (?=[ \t]*$) )
    | a[ \t]?\d{0,4}[*_]{0,3}[:：] )
    [*_]{0,3} [ \t]*+""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_OPTION = re.compile(
    r"^[ \t>]*+(?:[-*+][ \t]+)?(?:\[(?P<box>[ xX]?)\][^\S\n]+)?"
    r"[*_`]{0,3}\(?(?P<letter>[A-Za-z])[).:][*_`]{0,3}[ \t]+(?=\S)",
    re.MULTILINE,
)
_INLINE_OPTION = re.compile(r"(?:^|[ \t])[*_]{0,2}\(?(?P<letter>[A-Ha-h])[).][*_]{0,2}[ \t]+(?=\S)", re.MULTILINE)
_BOX = re.compile(r"^[ \t>]*+[-*+][ \t]+\[(?P<box>[ xX]?)\][^\S\n]+(?=\S)", re.MULTILINE)
_TICK = re.compile(r"[ \t]*(?:✅|✔️?|☑️?|\((?:correct|right|answer)\))[ \t]*", re.IGNORECASE)
_LETTER = re.compile(r"\W*(?:option |choice )?\(?([A-Ha-h])\b(?!['’])", re.IGNORECASE)
_JOINED_LETTERS = re.compile(r"\W*([A-H]{2,8})\b")
_MORE_LETTERS = re.compile(r"\s*(?:,|&|/|\band\b|,\s*and\b)\s*\(?([A-Ha-h])\b\)?", re.IGNORECASE)
_BEHIND_A_LETTER = re.compile(r"[\s).:*,–—-]*+")
_NO_WORD = re.compile(r"\s*$|[ \t]*\n|[^\w\s]|\s+(?:[^\w\s]|because|and\b|is\b)")  # behind `a`, if it is a letter

_DETAILS = re.compile(r"<(/?)details\b[^>\n]{0,200}>", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary\b[^>\n]{0,200}>", re.IGNORECASE)
_SUMMARY_END = re.compile(r"</summary\s{0,9}>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,300}>")
_LINK = re.compile(r"!?\[((?:[^\[\]\n]|\[[^\[\]\n]{0,100}\]){0,400})\]\([^()\n]{0,400}\)")
_CITATION = re.compile(r"(?:\[\[?(?:src|source|ref|link)\]\]?\s{0,3})++$", re.IGNORECASE)
_SIGNS = re.compile(r"[^\w`(\[{<\"'“‘¿$\\-]+")
_LAYOUT = re.compile(
    r"[ \t]*+(?:</?(?:p|div|br|hr|center|blockquote|summary|details|b|a)\b[^<>\n]{0,300}>[ \t]*+)++", re.IGNORECASE
)
_BACK_LINK = re.compile(r"[ \t>*_|⬆↥-]*+(?:\[[^\]\n]{0,80}\]\(#[^)\n]{0,200}\)[ \t*_|]*+)++")
_BLANK_LINE = re.compile(r"\n[ \t]*(?:\n|$)")
_FIRST_LINE = re.compile(r"\s*+[^\n]+")
_FIRST_PARAGRAPH = re.compile(r"\s*+(?:[^\n]*\S[^\n]*(?:\n|$))+")

_REVEALING = """
    click tap press show see view reveal expand check read toggle open get hide here to for the me its it full my a an
    this correct model sample detail details more answer answers solution solutions explanation ans and below
"""
_ANSWERS = {"answer", "answers", "solution", "solutions", "explanation"}
_REVEALING_WORDS = set(_REVEALING.split())
_HINTING_WORDS = _REVEALING_WORDS | {"hint", "hints", "clue", "clues"}


class Text(NamedTuple):
    """A stretch of a page. masked is as long as raw, with spaces for what is inside code: patterns look there."""

    raw: str
    masked: str

    def cut(self, start: int, end: int | None = None) -> Text:
        """The part from start up to end."""
        return Text(self.raw[start:end], self.masked[start:end])


def text_of(page: Page, lines: Sequence[int]) -> Text:
    """The lines of a page with these numbers; -1 is an empty one."""
    raw = ["" if number < 0 else page.lines[number] for number in lines]
    masked = [" " * len(line) if number in page.code else line for number, line in zip(lines, raw, strict=True)]
    return Text("\n".join(raw), "\n".join(masked))


class Split(NamedTuple):
    """A question with all that it asks, its whole answer, the explanation alone, and the options of a choice."""

    question: str
    answer: str
    explanation: str
    options: tuple[Option, ...] = ()

    @property
    def kind(self) -> Kind:
        """The kind of a card with these options, or without any."""
        right = sum(option.correct for option in self.options)
        return "choice" if right == 1 else "multi" if right else "recall"


def split_blocks(title: str, page: Page, blocks: Sequence[Block]) -> Split | None:
    """`split` for the blocks below a title."""
    return split(title, text_of(page, [number for block in blocks for number in [*range(block.start, block.end), -1]]))


def split(title: str, body: Text) -> Split | None:
    """Tell what of the text below a title still asks from what answers: by a line `Answer:`, a fold, or options.

    Without any of these all of it answers. None if nothing does.
    """
    for prompt, answer in _cuts(title, body):
        options, rest, explanation = _options(prompt, answer)
        right = "\n".join(f"- {option.text}" for option in options if option.correct)
        question = "\n\n".join(filter(None, [title, rest]))
        whole = "\n\n".join(filter(None, [right, explanation]))
        if question and whole:
            return Split(question, whole, explanation, options)
    return None


def _cuts(title: str, body: Text) -> Iterator[tuple[Text, Text]]:
    """Where the question may end and its answer begin, the most telling place first."""
    mark = answer_mark(body, 0, LONGEST)
    fold = next((fold for fold in folds(body) if fold.reveals), None)
    if fold and fold.start <= LONGEST and not (mark and mark.end() <= fold.start):
        inside, rest = body.cut(fold.inside, fold.close), body.cut(fold.end)
        again = answer_mark(inside, 0, 200)
        if again and not _tidy(inside.cut(0, again.start())):
            inside = inside.cut(again.end())
        yield body.cut(0, fold.start), Text(f"{inside.raw}\n{rest.raw}", f"{inside.masked}\n{rest.masked}")
    elif mark:
        yield body.cut(0, mark.start()), body.cut(mark.end())
    elif options := lettered(body):
        end = _end_of_option(body, options[-1].end())
        if any(_is_ticked(body, option) for option in options) or _letters(body.cut(end), len(options)):
            yield body.cut(0, end), body.cut(end)
    if not title:
        paragraph = _FIRST_PARAGRAPH.match(body.masked)
        end = paragraph.end() if paragraph else 0
        yield body.cut(0, end), body.cut(end)
    if not _only_asks(body):
        yield body.cut(0, 0), body


def _only_asks(body: Text) -> bool:
    """Whether a body is nothing but options, none of which is known to be right; or more questions; or `Answer:`."""
    lines = [line for line in (line.strip(" \t>*_-+") for line in body.masked.split("\n")) if line]
    if (lines and all(line.endswith(("?", "？")) for line in lines)) or not _ANSWER.sub("", body.raw).strip():
        return True
    options = lettered(body) or list(_BOX.finditer(body.masked))
    if len(options) < 2:
        return False
    return only_links(body.masked[: options[0].start()] + body.masked[_end_of_option(body, options[-1].end()) :])


def answer_mark(text: Text, start: int, end: int) -> re.Match[str] | None:
    """The first line that says the answer follows: `Answer:`, `#### Solution`, or an `A:` that is no option."""
    options: set[int] | None = None
    for mark in _ANSWER.finditer(text.masked, start, end):
        if mark[0].strip(" \t>*_-:：0123456789").lower() != "a":
            return mark
        if options is None:
            options = {start + option.start() for option in lettered(text.cut(start, end))}
        if mark.start() not in options:
            return mark
    return None


def names_answer(heading: str) -> bool:
    """Whether a heading says that the answer follows."""
    return bool(_ANSWER.match(heading)) or heading.strip(" *_:").casefold() in ("explanation", "explanations")


def _tidy(text: Text) -> str:
    """The text without lines that only lay out or link back, and without rules at its end."""
    if "<!--" in text.masked:
        text = _without_comments(text)
    kept = text.raw.split("\n")
    if "<" in text.masked or "](#" in text.masked:
        lines = zip(kept, text.masked.split("\n"), strict=True)
        kept = [raw for raw, masked in lines if not (_LAYOUT.fullmatch(masked) or _BACK_LINK.fullmatch(masked))]
    while kept and not kept[-1].strip(" \t*_-"):
        kept.pop()
    if not kept:
        return ""
    first, rest = kept[0], "\n".join(kept[1:])  # the first line may begin in the middle of one
    rest = textwrap.dedent(rest) if rest.lstrip("\n")[:1] in (" ", "\t") else rest
    return f"{first}\n{rest}".strip() if first.strip() else rest.strip("\n").rstrip()


def _without_comments(text: Text) -> Text:
    """The text without HTML comments. One that is never closed is no comment."""
    kept: list[tuple[int, int]] = []
    start = 0
    while (opening := text.masked.find("<!--", start)) >= 0:
        closing = text.masked.find("-->", opening)
        if closing < 0:
            break
        kept.append((start, opening))
        start = closing + len("-->")
    kept.append((start, len(text.raw)))
    return Text("".join(text.raw[slice(*part)] for part in kept), "".join(text.masked[slice(*part)] for part in kept))


def plain(title: str) -> str:
    """A title as words: without links, tags, emphasis, and signs in front."""
    text = _LINK.sub(r"\1", title) if "](" in title else title
    text = _TAG.sub("", text) if "<" in text else text
    text = _CITATION.sub("", text) if "[" in text else text
    text = text.strip().replace("**", "").replace("__", "").strip("*_ \t\n")
    signs = _SIGNS.match(text)
    return text[signs.end() :] if signs else text


def only_links(text: str) -> bool:
    """Whether a text leads elsewhere and says nothing: a table of contents, a list of translations."""
    return not re.search(r"\w", _TAG.sub("", _LINK.sub("", text)))


# Options


def lettered(text: Text) -> list[re.Match[str]]:
    """The options of a text, each by what stands before it: `A)`, `- b.`, `**C.**`; or all on one line; or boxes."""
    found: list[re.Match[str]] = []
    for option in _OPTION.finditer(text.masked, 0, 2 * LONGEST):
        letter = option["letter"].lower()
        if letter == LETTERS[len(found)]:
            found.append(option)
        elif letter == "a":
            found = [option]
        if len(found) == len(LETTERS):
            break
    if len(found) >= 2:
        return found
    inline = list(_INLINE_OPTION.finditer(text.masked, 0, LONGEST))
    if len(inline) >= 3 and "".join(option["letter"].lower() for option in inline) == LETTERS[: len(inline)]:
        return inline
    boxes = list(_BOX.finditer(text.masked, 0, 2 * LONGEST))
    return boxes if 2 <= len(boxes) <= len(LETTERS) and any(box["box"] in ("x", "X") for box in boxes) else []


def begins_options(text: str, start: int, end: int) -> bool:
    """Whether the first of several options stands at the start of a stretch."""
    option = _OPTION.match(text, start, end)
    return bool((option and option["letter"] in "aA") or _BOX.match(text, start, end))


def _end_of_option(text: Text, start: int) -> int:
    """Where the last option ends: at an empty line."""
    blank = _BLANK_LINE.search(text.masked, start)
    return blank.start() if blank else len(text.masked)


def _is_ticked(text: Text, option: re.Match[str]) -> bool:
    """Whether the file itself marks the option as right: by a ticked box, or a sign behind it."""
    end = text.masked.find("\n", option.end())
    line = text.masked[option.end() : end if end >= 0 else None]
    return option.groupdict().get("box") in ("x", "X") or bool(_TICK.search(line))


def _options(prompt: Text, answer: Text) -> tuple[tuple[Option, ...], str, str]:
    """The options in the prompt, the prompt without them, and the answer without the letters that it names.

    Without options, or if none is known to be right: no options, and both texts whole.
    """
    found = lettered(prompt)
    if not found:
        return (), _tidy(prompt), _tidy(answer)
    ends = [*(option.start() for option in found[1:]), _end_of_option(prompt, found[-1].end())]
    texts = [
        " ".join(_TICK.sub(" ", prompt.raw[option.end() : end]).split()).removesuffix("**").strip()
        for option, end in zip(found, ends, strict=True)
    ]
    right, rest = _right_options(prompt, found, texts, answer)
    if not right:
        return (), _tidy(prompt), _tidy(answer)
    around = Text(*(text[: found[0].start()] + text[ends[-1] :] for text in (prompt.raw, prompt.masked)))
    explanation = _tidy(rest)
    for number in right:  # `Answer: C) its text` says the text again
        if texts[number] and explanation.startswith(texts[number]):
            explanation = explanation.removeprefix(texts[number]).lstrip(" .*\n")
    return tuple(Option(text, number in right) for number, text in enumerate(texts)), _tidy(around), explanation


def _right_options(prompt: Text, found: list[re.Match[str]], texts: list[str], answer: Text) -> tuple[set[int], Text]:
    """Which options are right, and the rest of the answer: it names letters, the file ticks, or it says the text."""
    if letters := _letters(answer, len(found)):
        numbers, end = letters
        return set(numbers), answer.cut(end)
    if ticked := {number for number, option in enumerate(found) if _is_ticked(prompt, option)}:
        return ticked, answer
    line = _FIRST_LINE.match(answer.masked)
    end = line.end() if line else 0
    return {number for number, text in enumerate(texts) if _same(text, answer.raw[:end])}, answer.cut(end)


def _same(one: str, other: str) -> bool:
    one, other = (re.sub(r"\W+", " ", text).strip().casefold() for text in (one, other))
    return one == other != ""


def _letters(answer: Text, count: int) -> tuple[list[int], int] | None:
    """The options that an answer begins by naming, `C`, `**B)** because`, `A and D`, and where the rest begins."""
    text = answer.masked
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
    behind = _BEHIND_A_LETTER.match(text, end)
    return (numbers, behind.end() if behind else end) if max(numbers) < count else None


# Folds


class Fold(NamedTuple):
    """A `<details>` block: where it and its inside begin and end, and its summary."""

    start: int
    inside: int
    close: int
    end: int
    summary: str

    @property
    def reveals(self) -> bool:
        """Whether the summary names an answer, not a question."""
        words = self._words()
        names = len(words) <= 6 and not words.isdisjoint(_ANSWERS) and "?" not in self.summary
        return words <= _REVEALING_WORDS or names

    @property
    def hints(self) -> bool:
        """Whether the summary names a hint."""
        return not self.reveals and self._words() <= _HINTING_WORDS

    def _words(self) -> set[str]:
        return set(re.findall(r"[^\W\d_]+", plain(self.summary).casefold()))


def folds(text: Text, start: int = 0, end: int | None = None) -> list[Fold]:
    """The outermost `<details>` blocks of a stretch of the text."""
    found: list[Fold] = []
    depth, first, inside = 0, 0, 0
    for tag in _DETAILS.finditer(text.masked, start, len(text.masked) if end is None else end):
        if not tag[1]:
            if depth == 0:
                first, inside = tag.start(), tag.end()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                found.append(_fold(text, first, inside, tag.start(), tag.end()))
    return found


def begins_fold(text: str, start: int, end: int) -> bool:
    """Whether a `<details>` block begins at the start of a stretch."""
    return bool(_DETAILS.match(text, start, end))


def _fold(text: Text, start: int, inside: int, close: int, end: int) -> Fold:
    opening = _SUMMARY.search(text.masked, inside, close)
    closing = _SUMMARY_END.search(text.masked, opening.end(), close) if opening else None
    if not opening or not closing:
        return Fold(start, inside, close, end, "")
    return Fold(start, closing.end(), close, end, text.raw[opening.end() : closing.start()].strip())
