"""Augmentation: delete and swap words, or rewrite.

Deletes and swaps words of a text at random, as "easy data augmentation" does, and counts what is left, what moved and
how often one word, a negation if there is one, is lost. With translation models on this machine it also translates
there and back; with another sequence-to-sequence model it paraphrases. Nothing is downloaded.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, proportion
from regdemo.errors import ArgumentError
from regdemo.measure import Wrong, fraction, seeded
from regdemo.parameters import SEED, Words, count, rate
from regdemo.report import Block, Cell, Claim, Measurement, Table, Text

ACTS_ON = "inputs"
PROVIDED_BY = "regdemo.regularizers.random_deletion"  # and random_swap: two functions, one technique
SAY = (
    "Text augmentation makes new training texts that should keep their label: delete or swap words at random "
    "(as in easy data augmentation, EDA), which costs almost nothing, or paraphrase or translate there and back, which "
    "needs a model. It usually helps most with few labeled examples, and often little on top of a pretrained model."
)
WRONG_ANSWER = (
    "'Deleting words is harmless noise.' At rate p it takes the word 'not' from about a fraction p of the sentences "
    "with one 'not' and keeps their label. Nor is it dropout on embeddings, which keeps every position: "
    "deletion shortens the text. In language modeling the edited text is the target as well, so the model learns "
    "broken text."
)
CARDS = ("Q18.420", "Q18.421", "Q18.422", "Q18.423")

TEXTS = 4_000  # copies that are augmented, each by its own draw
NEGATIONS = ("not", "no", "never", "without", "nothing", "hardly")
PARAPHRASES = 3
GONE = -1


def augmentation(
    *,
    p: Annotated[float, rate("Probability of deleting a word.")] = 0.1,
    swaps: Annotated[int, count("Pairs of words that change places.", 1, 100)] = 1,
    text: Annotated[str, Words("The text to augment.", 1, 60)] = "the film was not good but the music stayed with me",
    model: Annotated[str, Words("Folder or cached name of a model that translates, or paraphrases.")] = "",
    back_model: Annotated[str, Words("Folder or cached name of the model that translates back.")] = "",
    prompt: Annotated[str, Words("Words that the model expects before the text.")] = "",
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Augment one text many times over, and count what becomes of its words."""
    if back_model and not model:
        raise ArgumentError(f"back_model = {back_model!r} has no model before it: give --model, which translates there")
    generator = seeded(seed)
    words = text.split()
    n = len(words)
    places = torch.arange(n).expand(TEXTS, n)
    deleted = regularizers.random_deletion(places, p, padding=GONE, generator=generator)
    swapped = regularizers.random_swap(places, swaps, padding=GONE, generator=generator)
    return Measurement(
        title=f"Augmentation at p = {p:g}, swaps = {swaps}",
        claims=[*_deletion_claims(p, words, deleted), *_swap_claims(swaps, places, swapped)],
        picture=[_examples(words, p, swaps, generator)],
        blocks=[
            Text(
                f"Words: {n}. Deletion takes each word with probability {p:g}, but leaves one if all were drawn; a "
                "swap exchanges the words at two places. The label stays: the bet is that it still fits the edited "
                "text."
            ),
            Table(
                title=f"What is left in {TEXTS:,} copies of the text",
                columns=["edit", "words", "in place", "neighbors"],
                rows=[
                    [f"deletion, p = {p:g}", *_left(deleted)],
                    [f"swap, swaps = {swaps}", *_left(swapped)],
                ],
                note="The columns are the fractions of words left, of words still at their place, and of pairs of "
                "neighbors left. A bag-of-words model sees no difference after a swap.",
            ),
            *_rewritten(text, model, back_model, prompt),
        ],
    )


def _deletion_claims(p: float, words: list[str], deleted: torch.Tensor) -> list[Claim]:
    """How many words are left, in which order, and how often a negation, or else the last word, is lost."""
    n = len(words)
    none = p**n  # the chance that each word is drawn
    mean = n * (1 - p) + none
    variance = n * p * (1 - p) + (n * (1 - p)) ** 2 + none - mean**2
    left = (deleted != GONE).sum(1)
    rises = (deleted.diff(dim=1) > 0) | (deleted[:, 1:] == GONE)
    key = next((place for place, word in enumerate(words) if word.lower() in NEGATIONS), n - 1)
    lost = p - none / n
    return [
        Claim(
            "The number of words that deletion leaves, on average",
            mean,
            "$n (1 - p) + p^n$",
            left.double().mean().item(),
            *mean_of_bounded(max(variance, 0.0), n, TEXTS),
        ),
        Claim("No text is left empty", 0, "empty texts", int((left == 0).sum()), *EXACT),
        Claim("What is left keeps its order", 0, "pairs out of order", int((~rises).sum()), *EXACT),
        Claim(
            f"The fraction of texts that lose '{words[key]}', word {key + 1}",
            lost,
            "$p - p^n / n$",
            fraction((deleted != key).all(1)),
            *proportion(lost, TEXTS),
        ),
    ]


def _swap_claims(swaps: int, places: torch.Tensor, swapped: torch.Tensor) -> list[Claim]:
    n = places.shape[1]
    displaced = (1 - 1 / n) * (1 - (1 - 2 / (n - 1)) ** swaps) if n > 1 else 0.0
    return [
        Claim(
            "A swap leaves the bag of words as it was",
            0,
            "texts with other words",
            int((swapped.sort(1).values != places).any(1).sum()),
            *EXACT,
        ),
        Claim(
            "The fraction of words that are at another place after the swaps",
            displaced,
            "$(1 - 1/n) (1 - (1 - 2/(n-1))^{swaps})$",
            fraction(swapped != places),
            *mean_of_bounded(0.25, 1, TEXTS),
        ),
    ]


def _examples(words: list[str], p: float, swaps: int, generator: torch.Generator) -> Table:
    """The text itself, and a few of its copies."""
    places = torch.arange(len(words)).expand(2, -1)
    by_deletion = regularizers.random_deletion(places, p, padding=GONE, generator=generator)
    by_swap = regularizers.random_swap(places, swaps, padding=GONE, generator=generator)
    edited = [("none", places[:1]), ("deletion", by_deletion), ("swap", by_swap)]
    return Table(
        title="The text, and what the edits make of it",
        columns=["edit", "text"],
        rows=[
            [name, " ".join(words[place] for place in row if place != GONE)]
            for name, copies in edited
            for row in copies.tolist()
        ],
    )


def _left(places: torch.Tensor) -> list[Cell]:
    """The mean fractions of the words left, of those left at their place, and of the pairs of neighbors left."""
    n = places.shape[1]
    there = places != GONE
    pairs = (places.diff(dim=1) == 1) & there[:, 1:] & there[:, :-1]
    neighbors: Cell = pairs.sum(1).double().mean().item() / (n - 1) if n > 1 else "-"
    return [there.sum(1).double().mean().item() / n, fraction(places == torch.arange(n)), neighbors]


def _rewritten(text: str, model: str, back_model: str, prompt: str) -> list[Block]:
    """The text by way of another language, or paraphrased; without a model, what it takes."""
    from regdemo.lab.rewriting import INSTALL, back_translate, rewrite

    if not model:
        return [
            Text(f"No model was given for back-translation or paraphrase: {INSTALL}, then --model and --back-model.")
        ]
    if back_model:
        ((there, back),) = back_translate([prompt + text], model, back_model)
        rows: list[list[Cell]] = [["there", there], ["and back", back]]
        return [Table(title="Back-translation", columns=["step", "text"], rows=rows)]
    (lines,) = rewrite(model, [text], prompt=prompt, number=PARAPHRASES)
    return [
        Table(
            title="Paraphrases, best first",
            columns=["rank", "text"],
            rows=[[rank, line] for rank, line in enumerate(lines, start=1)],
            note="Nothing here checks that they mean the same: read some of them before training on all.",
        )
    ]


def _last_words(right, x, p, padding, **kw):
    left = (right(x, p, padding=padding, **kw) != padding).sum(1, keepdim=True)
    place = torch.arange(x.shape[1]) + x.shape[1] - left
    return torch.where(place < x.shape[1], x.gather(1, place.clamp(max=x.shape[1] - 1)), padding)


def _duplicated(right, *args, **kw):
    swapped = right(*args, **kw).clone()
    swapped[:, :1] = swapped[:, 1:2]
    return swapped


WRONG = [
    Wrong("keeps with probability p", "random_deletion", lambda right, x, p, **kw: right(x, 1 - p, **kw)),
    Wrong("deletes from the beginning", "random_deletion", _last_words),
    Wrong("reverses the order", "random_deletion", lambda right, x, p, **kw: right(x.flip(1), p, **kw)),
    Wrong("a swap that copies", "random_swap", _duplicated),
    Wrong("one swap too many", "random_swap", lambda right, x, swaps, **kw: right(x, swaps + 1, **kw)),
]
