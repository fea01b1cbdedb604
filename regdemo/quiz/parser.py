"""One markdown file, read as cards. A card begins at a heading with an id and a colon: `## Q18: What is dropout?`"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from regdemo.quiz.blocks import Block, Page, read, section_ends
from regdemo.quiz.cards import Card, Deck, Fault, PassedOver
from regdemo.quiz.kinds import every_kind
from regdemo.quiz.kinds.choice import is_option_list
from regdemo.quiz.parts import Parts, Section, has_card_parts
from regdemo.quiz.text import slug
from regdemo.text import clean

_HEADING = re.compile(
    r"[\s*`]*+(?P<id>(?P<series>[A-Za-z]++)[\w.-]*+)[\s*`]*+:(?=[\s*]|$)[\s*]*+(?P<question>.*)", re.ASCII | re.DOTALL
)

# Other people's questions have one of these on some line. Where none is, their many patterns need not be compiled.
_MAY_ASK = re.compile(
    r"[?？؟]|^[^`]*[ \t]::[ \t]|^[^\w<]*+<details"
    r"|^[^\w|`]*+(?:\d++\W*+)?(?:q|ques|question|a|ans|answer|correct)\W{0,3}\d*\W{0,3}[:.)]"
    r"|^[ \t]*+(?:(?:[-+*]|\d++[.)])[ \t]+)?(?:#|\*\*|__)\W*+"
    r"(?:\d|(?:(?:q|ques|question)\W*\d+|what|why|how|explain|describe|define|compare|differences?|list|name|discuss|"
    r"write|implement|tell|give|true|find)\b)",
    re.IGNORECASE,
)
_NAME_MAY_ASK = re.compile(r"(?:what|why|how|which|when|explain|describe|compare|differences?)\b", re.IGNORECASE)


def parse(text: str, file: Path, tags: tuple[str, ...] = ()) -> Deck:
    """Read the cards of one markdown text, in their order, and every fault in it.

    A text without ids is read in the style it has, and each id is made from the file's name and the question.
    file is what cards and faults name; tags are given to each card, the last of them is its topic.
    """
    page = read(clean(text))
    sections = _sections(page)
    # `L2: a penalty` looks like an id too: a series of ids counts only if at least one of it is a card beyond doubt.
    trusted = {section.series for section in sections if _is_card(page, section)}
    own = [section for section in sections if section.series in trusted]
    if own and any(has_card_parts(page, page.blocks[section.start : section.end]) for section in own):
        return _own_deck(own, page, file, tags)
    may_ask = any(_MAY_ASK.search(line) for number, line in enumerate(page.lines) if number not in page.code)
    if may_ask or (tags and _NAME_MAY_ASK.match(tags[-1])):
        foreign = _foreign_deck(page, file, tags)
        if len(foreign.cards) > 2 * len(own):  # a stray `Q7:` among questions in another style
            return foreign
    deck = _own_deck(own or sections, page, file, tags)
    numbers = [int(card.id[1:]) if re.fullmatch("[Qq][0-9]{1,4}", card.id) else 0 for card in deck.cards]
    return deck._replace(numbered=len(numbers) >= 3 and numbers[0] == 1 and numbers == sorted(set(numbers)))


def _own_deck(sections: Sequence[Section], page: Page, file: Path, tags: tuple[str, ...]) -> Deck:
    """The cards of sections with ids."""
    cards: list[Card] = []
    faults: list[Fault] = []
    passed_over: list[PassedOver] = []
    broken: list[tuple[Path, int, str]] = []
    ends = {section.start: section.end for section in sections}
    covered = 0
    for section in sections:
        passed_over += _headings(page.blocks[covered : section.start], file)
        covered = max(covered, section.end)
        section = section._replace(blocks=_own_blocks(page.blocks, section, ends))
        card, its_faults = read_card(page, section, file, tags)
        faults += its_faults
        if card:
            cards.append(card)
        elif its_faults:
            broken.append((file, section.heading.start + 1, section.id))
        else:
            passed_over += _headings([section.heading], file)
    passed_over += _headings(page.blocks[covered:], file)
    return Deck(tuple(cards), tuple(faults), tuple(passed_over), broken=tuple(broken))


def read_card(page: Page, section: Section, file: Path, tags: tuple[str, ...]) -> tuple[Card | None, list[Fault]]:
    """The card of a section, or its faults. A heading that says nothing more is neither."""
    if not section.blocks and "{{" not in section.question:
        return None, []
    parts = Parts(page, section, file)
    if not section.question:
        parts.fault(section.heading, "has no question: write it after the colon")
    kinds = every_kind()
    parts.split_body(*(kind.split_body for kind in kinds))
    fields = next(kind for kind in kinds if kind.detects(parts)).build(parts)
    if parts.faults:
        return None, sorted(parts.faults, key=lambda fault: fault.line)
    card = Card(
        id=section.id,
        file=file,
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
    return card, []


def _foreign_deck(page: Page, file: Path, tags: tuple[str, ...]) -> Deck:
    """The cards of a page in a style of its own. Its patterns take time to compile, so they are imported late."""
    import hashlib

    from regdemo.quiz.styles.finder import find

    topic = tags[-1] if tags else ""
    cards: list[Card] = []
    covered: set[int] = set()
    for entry in find(page, " ".join(tags), topic):
        found = entry.split
        covered.update(range(entry.start, entry.end))
        digest = hashlib.sha256(" ".join(found.question.split()).casefold().encode()).hexdigest()
        cards.append(
            Card(
                id=f"{slug(topic)}-{digest[:8]}",
                kind=found.kind,
                question=found.question,
                answer=found.answer,
                file=file,
                line=entry.start + 1,
                explanation=found.explanation,
                topic=topic,
                tags=tags,
                options=found.options,
                fixed_order=True,
            )
        )
    outside = [block for block in page.blocks if block.start not in covered]
    return Deck(tuple(cards), passed_over=tuple(_headings(outside, file)), made_ids=True)


def _headings(blocks: Sequence[Block], file: Path) -> list[PassedOver]:
    """The headings among blocks, as passed over."""
    return [PassedOver(file, block.start + 1, block.text) for block in blocks if block.kind == "heading"]


def _sections(page: Page) -> list[Section]:
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


def _is_card(page: Page, section: Section) -> bool:
    """Whether a section is a card beyond doubt."""
    blocks = page.blocks[section.start : section.end]
    if section.series in ("Q", "q") or section.question.endswith("?") or has_card_parts(page, blocks):
        return True
    return any(is_option_list(page, block) for block in blocks)


def _own_blocks(blocks: Sequence[Block], section: Section, ends: dict[int, int]) -> list[Block]:
    """A section's blocks without those of the cards nested in it, and without a rule that closes it."""
    own: list[Block] = []
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
