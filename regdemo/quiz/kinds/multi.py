"""Multi: a task list with several boxes ticked. It is right if all of them are picked and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from regdemo.quiz.cards import LETTERS, Asked, Option
from regdemo.quiz.kinds.base import Grade, UnreadableAnswer
from regdemo.quiz.kinds.choice import ChoiceKind, is_option_list, letter_range, pick, ticks
from regdemo.text import quoted

if TYPE_CHECKING:
    from regdemo.quiz.parts import Parts


class MultiKind(ChoiceKind):
    """Several options are right."""

    name = "multi"
    precedence = 20
    prompt = "letters"
    allowed = "The letters of all options that are right."
    examples = ("ab", "bc", "a", "b")
    skeleton = """\
## {id}: Which of these are asked?

- [x] a right option
  - Why it is right.
- [x] another right option
  - Why it is right.
- [ ] a wrong option
  - Why it is wrong.
- [ ] another wrong option
  - Why it is wrong.
"""

    def detects(self, parts: Parts) -> bool:
        """Whether the first list of options has several ticks."""
        lists = [block for block in parts.question if is_option_list(parts.page, block)]
        return bool(lists) and ticks(parts.page, lists[0]) > 1

    def grade(self, asked: Asked, response: str) -> Grade:
        """By letters (`ac`, `a, c`), numbers, or texts with ; or commas between them."""
        picked = _pick_several(asked.options, response)
        if not picked:
            raise UnreadableAnswer(
                f"{quoted(response)} names no options: choose from {letter_range(asked)}, "
                f"for example {self.example(asked)}"
            )
        right = [option.correct == (index in picked) for index, option in enumerate(asked.options)]
        said = [(LETTERS[index], asked.options[index].feedback) for index in sorted(picked)]
        lines = [f"**{letter})** {feedback}" for letter, feedback in said if feedback]
        return Grade(all(right), sum(right) / len(right), "\n\n".join(lines), frozenset(picked))


KIND = MultiKind()


def _pick_several(options: Sequence[Option], response: str) -> set[int]:
    """The options that a response names; none of them if any part of it names none."""
    whole = pick(options, response)
    if whole is not None:
        return {whole}
    texts = [pick(options, text) for text in response.split(";" if ";" in response else ",")]
    if None not in texts:
        return {index for index in texts if index is not None}
    picked: set[int] = set()
    for word in re.split(r"[\s,;+&]+|\band\b", response.casefold()):
        letters = set(word.strip("()."))
        if letters <= set(LETTERS[: len(options)]):
            picked |= {LETTERS.index(letter) for letter in letters}
        elif (number := pick(options, word)) is not None:
            picked.add(number)
        else:
            return set()
    return picked
