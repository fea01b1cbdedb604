"""One markdown file, read as cards. A card begins at a heading with an id and a colon: `## Q18: What is dropout?`"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from regdemo.quiz.blocks import MarkdownBlock, MarkdownPage, read, section_ends
from regdemo.quiz.cards import Card, Deck, Fault, Reason, Skipped
from regdemo.quiz.kinds import every_kind
from regdemo.quiz.kinds.choice import is_option_list
from regdemo.quiz.parts import Parts, Section, has_card_parts, is_written_here
from regdemo.quiz.styles import finder
from regdemo.quiz.styles.base import ForeignPage
from regdemo.quiz.styles.folds import with_details
from regdemo.quiz.text import slug
from regdemo.text import clean

_HEADING = re.compile(
    r"[\s*`]*+(?P<id>(?P<series>[A-Za-z]++)[\w.-]*+)[\s*`]*+:(?=[\s*]|$)[\s*]*+(?P<question>.*)", re.ASCII | re.DOTALL
)
_MOST_HEADINGS = 20  # of a file without cards, that a message may quote


def parse(text: str, file: Path, tags: tuple[str, ...] = ()) -> Deck:
    """Read the cards of one markdown text, in their order, every fault in it, and what is not asked.

    What a file says explicitly wins: headings with ids make the cards where there are any. A text without ids is read
    in the style it has, and each id is made from the file's name and the question.
    file is what cards and faults name; tags are given to each card, the last of them is its topic.
    """
    text = clean(text)
    page = read(text)
    sections = _sections(page)
    # `L2: a penalty` looks like an id too: a series of ids counts only if at least one of it is a card beyond doubt.
    trusted = {section.series for section in sections if _is_card(page, section)}
    own = [section for section in sections if section.series in trusted]
    if any(has_card_parts(page, page.blocks[section.start : section.end]) for section in own):
        strict = any(is_written_here(page.blocks[section.start : section.end]) for section in own)
        return _own_deck(own, page, file, tags, strict=strict)
    foreign = _foreign_deck(text, page, file, tags)
    if own:
        inside = {line for section in own for line in range(section.heading.start, _end_line(page, section))}
        outside = sum(card.line - 1 not in inside for card in foreign.cards)
        if outside > len(own):  # a stray `Q7:` among questions in another style
            return foreign
    elif foreign.cards or not sections:
        return foreign
    deck = _own_deck(own or sections, page, file, tags)
    numbers = [int(card.id[1:]) if re.fullmatch("[Qq][0-9]{1,4}", card.id) else 0 for card in deck.cards]
    return deck._replace(numbered=len(numbers) >= 3 and numbers[0] == 1 and numbers == sorted(set(numbers)))


def _own_deck(
    sections: Sequence[Section], page: MarkdownPage, file: Path, tags: tuple[str, ...], strict: bool = False
) -> Deck:
    """The cards of sections with ids. strict: a card without an answer is a fault, its author knows the format."""
    cards: list[Card] = []
    faults: list[Fault] = []
    skipped: list[Skipped] = []
    broken: list[tuple[Path, int, str]] = []
    ends = {section.start: section.end for section in sections}
    for section in sections:
        line = section.heading.start + 1
        section = section._replace(blocks=_own_blocks(page.blocks, section, ends))
        if not section.blocks and "{{" not in section.question:
            skipped.append(Skipped(file, line, Reason.NO_ANSWER, section.heading.text))
            continue
        parts = Parts(page, section, file)
        card = _card(parts, tags)
        if parts.left_out and strict and not parts.faults:
            parts.fault(section.heading, f"{parts.left_out[1]}: write one answer below the heading, or under Answer")
        faults += sorted(parts.faults, key=lambda fault: fault.line)
        if parts.faults:
            broken.append((file, line, section.id))
        elif parts.left_out:
            reason, detail = parts.left_out
            skipped.append(Skipped(file, line, reason, f"{section.heading.text} ({detail})"))
        else:
            cards.append(card)
    return Deck(tuple(cards), tuple(faults), tuple(skipped), broken=tuple(broken), own=strict)


def _card(parts: Parts, tags: tuple[str, ...]) -> Card:
    """The card of a section. What is wrong with it is noted in its parts."""
    section = parts.section
    if not section.question:
        parts.fault(section.heading, "has no question: write it after the colon")
    kinds = every_kind()
    parts.split_body(*(kind.split_body for kind in kinds))
    fields = next(kind for kind in kinds if kind.detects(parts)).build(parts)
    return Card(
        id=section.id,
        file=parts.file,
        line=section.heading.start + 1,
        topic=tags[-1] if tags else "",
        tags=tuple(dict.fromkeys([*tags, *parts.tags()])),
        key_points=parts.points("key points"),
        hints=parts.points("hints"),
        follow_ups=parts.follow_ups(),
        see_it=parts.commands(),
        sources=parts.points("sources"),
        vary=parts.vary,
        code=tuple(parts.code),
        **fields,
    )


def _foreign_deck(text: str, page: MarkdownPage, file: Path, tags: tuple[str, ...]) -> Deck:
    """The cards of a page in a style of its own."""
    spaced, places = _with_gaps(text, page)
    rewritten, lines = with_details(spaced)
    lines = [places[line] for line in lines]
    page = read(rewritten) if rewritten != text else page
    topic = tags[-1] if tags else ""
    document = ForeignPage(page, " ".join(tags), topic)
    entries, left_out = finder.find(document)
    cards: list[Card] = []
    for entry in entries:
        found = entry.split
        digest = hashlib.sha256(" ".join(found.question.split()).casefold().encode()).hexdigest()
        cards.append(
            Card(
                id=f"{slug(topic)}-{digest[:8]}",
                kind=found.kind,
                question=found.question,
                answer=found.answer,
                file=file,
                line=lines[entry.start] + 1,
                explanation=found.explanation,
                topic=topic,
                tags=tags,
                options=found.options,
                blanks=found.blanks,
                fixed_order=True,
            )
        )
    skipped = [
        Skipped(file, lines[one.line] + 1, one.reason, f"{one.title} ({one.detail})" if one.detail else one.title)
        for one in left_out
    ]
    headings = [block.text for block in page.blocks if block.kind == "heading"][:_MOST_HEADINGS]
    skipped += _unused(document, entries, [one.line for one in left_out], file, lines)
    return Deck(tuple(cards), skipped=tuple(sorted(skipped)), made_ids=True, headings=() if cards else tuple(headings))


def _with_gaps(text: str, page: MarkdownPage) -> tuple[str, list[int]]:
    """The text with an empty line where text follows `</details>`, and for each of its lines the line it was, from 0.

    To CommonMark that text would be HTML.
    """
    tight = {
        number
        for block in page.blocks
        if block.kind == "html"
        for number in range(block.start + 1, block.end)
        if page.lines[number - 1].rstrip().lower().endswith("</details>")
        and page.lines[number].lstrip()[:1] not in ("", "<")
    }
    if not tight:
        return text, list(range(len(page.lines)))
    lines = [(part, number) for number, line in enumerate(page.lines) for part in ["", line][number not in tight :]]
    return "\n".join(part for part, _ in lines), [number for _, number in lines]


def _unused(
    document: ForeignPage,
    entries: Sequence[finder.FoundQuestion],
    known: Sequence[int],
    file: Path,
    lines: Sequence[int],
) -> list[Skipped]:
    """The headings with text below them and the folds that hold no question, where others of the page do."""
    found: list[Skipped] = []
    used = sorted([(entry.start, entry.end) for entry in entries] + [(line, line + 1) for line in known])

    def is_used(start: int, end: int) -> bool:
        place = bisect_right(used, (end - 1, len(document.page.lines)))
        return place > 0 and used[place - 1][1] > start

    key_lines = {document.blocks[key.first].start for key in document.keys}
    blocks = document.blocks
    for index, end in section_ends(blocks).items():
        last = blocks[end - 1].end
        says_something = index + 1 < len(blocks) and blocks[index + 1].kind not in ("heading", "rule")
        is_title = index == 0 and blocks[index].level == 1
        if (
            says_something
            and not is_title
            and not is_used(blocks[index].start, last)
            and blocks[index].start not in key_lines
        ):
            found.append(Skipped(file, lines[blocks[index].start] + 1, Reason.HEADING, blocks[index].text))
    for fold in document.other_folds:
        line = document.line_at(fold.start)
        if not is_used(line, document.line_at(fold.end) + 1):
            found.append(Skipped(file, lines[line] + 1, Reason.FOLD, fold.summary))
    return found


def _end_line(page: MarkdownPage, section: Section) -> int:
    """The line at which a section ends."""
    return page.blocks[section.end].start if section.end < len(page.blocks) else len(page.lines)


def _sections(page: MarkdownPage) -> list[Section]:
    """The sections of headings that begin with what may be an id."""
    found: list[Section] = []
    for index, end in section_ends(page.blocks).items():
        heading = page.blocks[index]
        if (match := _HEADING.match(heading.text)) and re.search("[0-9]", match["id"]):
            question = match["question"].strip()
            if question.count("**") % 2:  # `**Q18: all of it is bold**`
                question = question.removesuffix("**")
            found.append(Section(match["id"].strip("_.-"), match["series"], question, heading, index, end))
    return found


def _is_card(page: MarkdownPage, section: Section) -> bool:
    """Whether a section is a card beyond doubt."""
    blocks = page.blocks[section.start : section.end]
    if section.series in ("Q", "q") or section.question.endswith("?") or has_card_parts(page, blocks):
        return True
    return any(is_option_list(page, block) for block in blocks)


def _own_blocks(blocks: Sequence[MarkdownBlock], section: Section, ends: dict[int, int]) -> list[MarkdownBlock]:
    """A section's blocks without those of the cards nested in it, and without a rule that closes it."""
    own: list[MarkdownBlock] = []
    index = section.start + 1
    while index < section.end:
        if index in ends:
            index = ends[index]
        else:
            own.append(blocks[index])
            index += 1
    while own and own[-1].kind == "rule":
        own.pop()
    return own
