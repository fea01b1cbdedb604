"""Where a question ends and its answer begins, in text that does not say so by parts of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from regdemo.quiz.blocks import MarkdownBlock, MarkdownPage
from regdemo.quiz.cards import LETTERS, Option
from regdemo.quiz.styles import options as choices
from regdemo.quiz.styles.folds import Fold, find_folds
from regdemo.quiz.styles.languages import is_placeholder, pattern, words
from regdemo.quiz.styles.markup import MaskedText, is_only_links, text_of, tidied
from regdemo.quiz.styles.options import LONGEST_QUESTION, Undecided
from regdemo.quiz.styles.titles import names_answer, read_title

_ANSWER = re.compile(
    rf"""^[ \t>]*+ (?:\#{{1,6}}[ \t]+ | [-*+][ \t]+)? (?:[✅✔☑💡👉]️?[ \t]*)? [*_]{{0,3}}
    (?: (?:the[ \t])? (?:{pattern("right", "answer")}) [ \t]?\d{{0,4}} [*_]{{0,3}}
        (?: [ \t\xa0\u202f]?[:：] | [ \t]?[.)–—-](?=[ \t])
          | [ \t](?:is|es|est|ist|è|é)\b[ \t]?:? | (?:是|为|は)[ \t]?[:：]?
          | (?=[ \t]+\(?(?-i:[A-H])\b) | (?=[ \t]*$) )
    | a[ \t]?\d{{0,4}}[*_]{{0,3}}[:：] | a\d{{1,4}}[*_]{{0,3}}[ \t]?(?:[.)–—-](?=[ \t])|[。．、]) )
    [*_]{{0,3}} [ \t]*+""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+([^\n]*)", re.MULTILINE)
_ABOUT_CODE = re.compile(rf"\b(?:{pattern('about_code')})\b[^\n]*\?", re.IGNORECASE)
_FIRST_PARAGRAPH = re.compile(r"\s*+(?:[^\n]*\S[^\n]*(?:\n|$))+")


class SplitAnswer(NamedTuple):
    """A question with all that it asks, its whole answer, the explanation alone, the options or the blanks of it."""

    question: str
    answer: str
    explanation: str
    options: tuple[Option, ...] = ()
    blanks: tuple[tuple[str, ...], ...] = ()

    @property
    def kind(self) -> str:
        """The kind of a card with these options or blanks, or without any."""
        if self.blanks:
            return "cloze"
        right = sum(option.correct for option in self.options)
        return "choice" if right == 1 else "multi" if right else "recall"


class Cut(NamedTuple):
    """Where a question may end and its answer begin.

    marked: a word or a fold says that an answer follows.  needs_options: it counts only if an option is known as right.
    """

    prompt: MaskedText
    answer: MaskedText
    marked: bool
    needs_options: bool = False


def split_blocks(title: str, page: MarkdownPage, blocks: Sequence[MarkdownBlock]) -> SplitAnswer | Undecided | None:
    """`split` for the blocks below a title."""
    parts = [text_of(page, block.start, block.end) for block in blocks]
    return split(title, MaskedText(*("\n\n".join(getattr(part, name) for part in parts) for name in ("raw", "masked"))))


def split(
    title: str, body: MaskedText, key: str = "", folded: bool = False, cut: Cut | None = None
) -> SplitAnswer | Undecided | None:
    """Tell what of the text below a title still asks from what answers: by a line `Answer:`, a fold, or options.

    Without any of these all of it answers. None if nothing does; Undecided if two marks disagree.
    key: what a list of answers at the end says for this question.  folded: the body is inside a fold.  cut: where the
    answer begins, if that is known.
    """
    for prompt, answer, marked, needs_options in [cut] if cut else _cuts(title, body, key, folded):
        choice = choices.resolve_options(prompt, answer, marked=marked, key=key)
        if isinstance(choice, Undecided):
            return choice
        if choice and marked and (other := _other_letters(answer, choice)):
            return Undecided(f"marks disagree: {other} is called right as well")
        if needs_options and not choice:
            continue
        options, rest, explanation = choice or ((), tidied(prompt), tidied(answer))
        right = "\n".join(f"- {option.text}".replace("\n", "\n  ") for option in options if option.correct)
        question = "\n\n".join(filter(None, [title, rest]))
        whole = "\n\n".join(filter(None, [right, explanation]))
        if question and whole and (options or not is_placeholder(whole)):
            return SplitAnswer(question, whole, explanation, options)
    return None


def _cuts(title: str, body: MaskedText, key: str, folded: bool) -> Iterator[Cut]:
    """Where the question may end and its answer begin, the most telling place first."""
    part = _first_part(body) if title else len(body.raw)
    mark = answer_mark(body, 0, min(LONGEST_QUESTION, part))
    folds = (fold for fold in find_folds(body) if fold.reveals)
    fold = next((fold for fold in folds if not _is_aside(fold, title, body.cut(0, fold.start), folded)), None)
    if fold and fold.start <= min(LONGEST_QUESTION, part) and not (mark and mark.end() <= fold.start):
        inside, rest = body.cut(fold.inside, fold.close), body.cut(fold.end)
        again = answer_mark(inside, 0, 200)
        if again and not tidied(inside.cut(0, again.start())):
            inside = inside.cut(again.end())
        whole = MaskedText(f"{inside.raw}\n{rest.raw}", f"{inside.masked}\n{rest.masked}")
        yield Cut(body.cut(0, fold.start), whole, marked=True)
    elif mark:
        yield Cut(body.cut(0, mark.start()), body.cut(mark.end()), marked=True)
    elif (options := choices.find_options(body)) and options[0].start() < part:
        end = choices.end_of_options(body, options)
        yield Cut(body.cut(0, end), body.cut(end), marked=False, needs_options=True)
    if key:
        yield Cut(body, MaskedText(key, key), marked=True)
    if not title:
        paragraph = _FIRST_PARAGRAPH.match(body.masked)
        end = paragraph.end() if paragraph else 0
        yield Cut(body.cut(0, end), body.cut(end), marked=False)
    if not mark and not _only_asks(body) and not (_ABOUT_CODE.search(title) and not body.masked.strip()):
        yield Cut(body.cut(0, 0), body, marked=False)


def _is_aside(fold: Fold, title: str, before: MaskedText, folded: bool) -> bool:
    """Whether a fold belongs to the answer, which what is before it begins: prose below a title that asks."""
    if fold.names(words("answer")) or not (fold.adds or folded):
        return False
    said = tidied(MaskedText(before.masked, before.masked)).rstrip(" \n*_")
    asks = said.endswith(("?", "？", ":", "：")) or choices.find_options(before)
    return bool(said and not asks and (read_title(title).asks or (folded and fold.adds and title)))


def _first_part(body: MaskedText) -> int:
    """Where the first heading begins that does not name an answer: what is marked below it is part of an answer."""
    headings = (found for found in _HEADING.finditer(body.masked) if not names_answer(found[1].strip()))
    return next((found.start() for found in headings), len(body.raw))


def _other_letters(answer: MaskedText, choice: choices.MarkedOptions) -> str:
    """The letters of a second mark of an answer that calls other options right."""
    right = {number for number, option in enumerate(choice.options) if option.correct}
    start = 0
    while mark := answer_mark(answer, start, len(answer.masked)):
        start = max(mark.end(), start + 1)
        named = choices.named_letters(answer.cut(mark.end()), len(choice.options), strict=True)
        if named and set(named[0]) != right:
            return ", ".join(LETTERS[number].upper() for number in named[0])
    return ""


def _only_asks(body: MaskedText) -> bool:
    """Whether a body is nothing but options, none of which is known to be right; or more questions; or `Answer:`."""
    lines = [line for line in (line.strip(" \t>*_-+") for line in body.masked.split("\n")) if line]
    if (lines and all(line.endswith(("?", "？", "؟")) for line in lines)) or not _ANSWER.sub("", body.raw).strip():
        return True
    options = choices.find_options(body) or choices.unticked_boxes(body)
    if len(options) < 2:
        return False
    end = choices.end_of_options(body, options)
    return is_only_links(body.masked[: options[0].start()] + body.masked[end:])


def answer_mark(text: MaskedText, start: int, end: int) -> re.Match[str] | None:
    """The first line that says the answer follows: `Answer:`, `#### Solution`, or an `A:` that is no option."""
    options: set[int] | None = None
    for mark in _ANSWER.finditer(text.masked, start, end):
        if mark[0].strip(" \t>*_-:：").lower() != "a":
            return mark
        if options is None:
            options = {start + option.start() for option in choices.find_options(text.cut(start, end))}
        if mark.start() not in options:
            return mark
    return None
