"""The task of predicting a text's next character, by small GPTs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from regdemo.errors import ArgumentError, FileError
from regdemo.lab import gpts
from regdemo.lab.task import Task

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from regdemo.lab.ensemble import Model

OFFERS = frozenset({"hidden", "tokens", "blocks", "classes", "validation"})
CONTEXT = 32  # characters that a prediction can look back on
LEAST = 100  # sequences of a text: fewer leave too little to judge by
TEST = 100  # sequences at the end of a text to test on, at most a quarter of it
SHIPPED = 293  # sequences of the shipped text, 220 of them to train on: so few that a small network learns them
MOST_SYMBOLS = 255  # the most frequent; all others are one more


@dataclass(frozen=True)
class TextTask(Task):
    """Sequences of characters: x (N, T) and y, the same one further, both int64 below `classes`.

    The last number is that of characters that the alphabet lacks.
    width, heads, depth: of the GPT.  start: parameters to start from, each (1, ...), instead of random ones.
    """

    offers: frozenset[str] = OFFERS
    width: int = 48
    heads: int = 4
    depth: int = 2
    start: tuple[Tensor, ...] = ()

    def model(self, generators: Sequence[Generator]) -> Model:
        """The networks, one for each generator."""
        made = gpts.GPTs(
            self.classes, self.x.shape[1], self.width, self.heads, self.depth, generators, self.dtype, self.device
        )
        for parameter, given in zip(made.parameters, self.start, strict=bool(self.start)):
            parameter.data.copy_(given)
        return made

    def _resized(self, width: int | None, depth: int | None) -> Self:
        wide = self.width if width is None else width
        if wide % self.heads:
            raise ArgumentError(f"width = {wide} is not allowed: a GPT of {self.heads} heads needs a multiple of them")
        if depth == 0:
            raise ArgumentError("depth = 0 is not allowed: a GPT has at least 1 block")
        return replace(self, width=wide, depth=self.depth if depth is None else depth)

    @property
    def network(self) -> str:
        """What the network is, in words."""
        return f"a GPT of {self.depth} blocks of width {self.width}, with {self.heads} heads"


def sequences(text: str, symbols: str) -> tuple[Tensor, Tensor]:
    """A text cut into stretches of CONTEXT + 1 characters, as numbers: what is read, and what comes next."""
    place = {character: i for i, character in enumerate(symbols)}
    ids = torch.tensor([place.get(character, len(symbols)) for character in text])
    cut = ids[: len(ids) // (CONTEXT + 1) * (CONTEXT + 1)].view(-1, CONTEXT + 1)
    return cut[:, :-1], cut[:, 1:]


def unseen(x: Tensor, first: int, title: str) -> list[int]:
    """The sequences from number `first` on that do not occur before it too: what was trained on is no test.

    Raises FileError if there are fewer than a tenth of LEAST.
    """
    known = {tuple(row) for row in x[:first].tolist()}
    new = [i for i in range(first, len(x)) if tuple(x[i].tolist()) not in known]
    if len(new) < LEAST // 10:
        raise FileError(
            f"{title} ends in what it began with: {len(new)} stretches are left to test on, of {LEAST // 10} needed"
        )
    return new


def alphabet(text: str) -> str:
    """The characters of a text, sorted; of more than MOST_SYMBOLS, those used most."""
    return "".join(sorted(character for character, _ in Counter(text).most_common(MOST_SYMBOLS)))


def task(text: str, title: str, origin: str) -> TextTask:
    """The task of a text whose last quarter, at most TEST sequences, is the test."""
    symbols = alphabet(text)
    x, y = sequences(text, symbols)
    first = len(x) - min(TEST, len(x) // 4)
    new = unseen(x, first, title)
    return TextTask(
        title,
        origin.format(train=first * (CONTEXT + 1), test=len(new) * (CONTEXT + 1), symbols=len(symbols)),
        x[:first],
        y[:first],
        x[new],
        y[new],
        classes=len(symbols) + 1,
        batch_size=16,
        epochs=30,
        learning_rate=5e-3,
    )


def topics() -> str:
    """The help texts of Python, as they are in the standard library of this version of it."""
    from pydoc_data.topics import topics as texts  # 700 KB that other tasks do not need

    return "\n\n".join(texts[name] for name in sorted(texts))


def shipped() -> TextTask:
    """Next characters of the standard library's help texts."""
    return task(
        topics()[: SHIPPED * (CONTEXT + 1)],
        "Python's help texts",
        "the first {train:,} characters of the standard library's `pydoc_data.topics`, tested on the {test:,} that "
        "follow, in stretches of 33; {symbols} different characters.",
    )


def own(path: Path) -> TextTask:
    """The user's own text; raise FileError if it isn't text, is too short, or ends in what it began with."""
    text = read(path, LEAST)
    return task(
        text,
        path.name,
        f"the first {{train:,}} characters of {path.name}, tested on {{test:,}} at its end, in stretches of "
        f"{CONTEXT + 1}; {{symbols}} different characters.",
    )


def read(path: Path, least: int) -> str:
    """A text in UTF-8 of at least so many sequences; raise FileError on any other."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} isn't a text in UTF-8 ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    needed = least * (CONTEXT + 1)
    if len(text) < needed:
        raise FileError(f"{path} has {len(text):,} characters: the text must have at least {needed:,}")
    return text
