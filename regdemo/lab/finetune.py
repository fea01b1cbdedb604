"""Fine-tuning: what each technique does for a pretrained network with a few thousand characters to learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from statistics import fmean
from threading import Event
from typing import TYPE_CHECKING, Any

from regdemo.lab import findings, hugging_face, metrics
from regdemo.lab.choices import EPOCHS, FINETUNING, NONE, SEEDS, arms, display_values
from regdemo.lab.compare import ExperimentReport, Stopped, asked, report_of, training_values
from regdemo.lab.experiment import Experiment
from regdemo.lab.recipe import Recipe
from regdemo.lab.results import Results
from regdemo.lab.text import CONTEXT, OFFERS, TextTask, alphabet, read, sequences, topics, unseen
from regdemo.lab.training import OnProgress, TrainingRun, side_by_side
from regdemo.parameters import SEED
from regdemo.report import Text

if TYPE_CHECKING:
    from torch import Tensor

PRETRAINED, PRETRAINING_EPOCHS = 1600, 10  # sequences to pretrain on, and passes over them
FINETUNED, TESTED = 130, 60  # sequences to fine-tune on, and to test on
FINETUNING_EPOCHS, BATCH = 7, 16


def finetune(
    techniques: Sequence[str] = (),
    *,
    data: Path | None = None,
    model: str | None = None,
    seeds: int = 8,
    epochs: int | None = None,
    seed: int = 0,
    tune: int = 1,
    clock: Callable[[], float] | None = None,
    progress: OnProgress = lambda done, total: None,
    cancel: Event | None = None,
    **options: Any,
) -> ExperimentReport:
    """Fine-tune one pretrained network with each technique and without, over paired seeds, and report the differences.

    Every run starts from the same pretrained weights; the networks of a pair see the same batches.
    techniques: arms in words; `choices.FINETUNING` if none is given.
    data: a text to fine-tune on, instead of a later part of the one that is pretrained on.
    model: a Hugging Face causal language model on this machine, by name or folder, instead of pretraining a GPT here.
    progress: counts the pretraining and what follows as one.
    options: `device`, `precision`, `lr`, `batch_size` and `optimizer` of `source.Source`, and techniques' parameters.
    The other arguments, and what is raised, are those of `compare.compare`.
    """
    source, values = asked(options)
    words = list(techniques) or list(FINETUNING)
    offers = OFFERS | {"pretrained"} if model is None else OFFERS - {"blocks"} | {"pretrained"}
    # What is not allowed is refused before anything is trained.
    recipes = arms(words, values, against=NONE, offers=offers, task="fine-tuning")
    SEEDS.check("seeds", seeds)
    SEED.check("seed", seed)
    if epochs is not None:
        EPOCHS.check("epochs", epochs)
    if data is None:
        text, title = topics()[PRETRAINED * (CONTEXT + 1) :], "a later part of Python's help texts"
    else:
        text, title = read(data, FINETUNED + TESTED), data.name
    passes = FINETUNING_EPOCHS if epochs is None else epochs
    first = PRETRAINING_EPOCHS * PRETRAINED if model is None else 0
    whole = first + len(recipes) * seeds * passes * FINETUNED
    task: TextTask
    if model is None:
        corpus, fresh = _tasks(text, title, source.device, source.precision)
        Experiment(fresh, recipes, seeds, seed, epochs, tune=tune).check_memory()
        weights = _pretrained(corpus, seed, _part(progress, 0, first, whole))
        task, start = replace(fresh, start=weights), "the GPT"
    else:
        task = hugging_face.task(model, text, title).on(source.device, source.precision)
        start = model
    task = task.trained_with(source.lr, None, None, source.batch_size, source.optimizer)
    before = TrainingRun(task, Recipe(NONE), [0], seed=0).scores()[metrics.TEST_LOSS][0]
    results = Experiment(task, recipes, seeds, seed, epochs, tune=tune).run(
        clock=clock, progress=_part(progress, first, whole, whole), cancel=cancel
    )
    asked_for = replace(source, task="", data=data).display_values
    parameters = (
        {"technique": ", ".join(words)} | display_values(values) | asked_for | ({"model": model} if model else {})
    )
    report = _report(results, parameters, start, before)
    if results.stopped:
        raise Stopped(report)
    return report


SAY = (
    "A pretrained network overfits a few thousand characters within a few passes, so I stop early on held-out data "
    "first. Dropout, Mixout, NEFTune or a pull on the weights I add only if paired runs from the same start "
    "show that it helps. Weight decay pulls towards zero, L2-SP towards the start; which does more hangs on their "
    "strengths, so I try several."
)
WRONG = (
    "'Weight decay keeps the model close to its pretrained weights.' It pulls them towards zero, away from the start. "
    "That can still help, but then by shrinking the weights, not by keeping what pretraining found."
)


def _report(results: Results, parameters: dict[str, Any], start: str, before: float) -> ExperimentReport:
    """The report of `compare`, with the test loss of the network that all runs start from, before and after."""
    report = report_of(results, parameters | training_values(results))
    after = fmean(results.values(0, metrics.TEST_LOSS).values())
    explained = (
        f"Before fine-tuning {start} has a test loss of {before:.3g} nats; fine-tuned without any technique, "
        f"{after:.3g} on average. All runs start from the same pretrained weights: the seeds vary the batches and the "
        "techniques' own noise, not the pretraining."
    )
    content = {field.name: getattr(report, field.name) for field in fields(report)}
    content |= {
        "title": f"Fine-tuning on {results.task.title}, {results.seeds} paired seeds{findings.ended(results)}",
        "blocks": [*report.blocks, Text(explained)],
        "say": SAY,
        "wrong_answer": WRONG,
        "cards": ["Q18.280", "Q18.281", "Q18.292"],
    }
    return ExperimentReport.of(results, **content)


def _part(progress: OnProgress, start: int, end: int, whole: int) -> OnProgress:
    """What to tell the progress of a part that takes the whole from start to end."""
    return lambda done, total: progress(start + done * (end - start) // total, whole)


def _tasks(text: str, title: str, device: str, precision: str) -> tuple[TextTask, TextTask]:
    """The tasks of pretraining a GPT on Python's help texts, and of fine-tuning one on a text, on the same device."""
    early = topics()[: PRETRAINED * (CONTEXT + 1)]
    late = text[: (FINETUNED + TESTED) * (CONTEXT + 1)]
    symbols = alphabet(early + late)
    x, y = sequences(early, symbols)
    corpus = TextTask("", "", x, y, x[:1], y[:1], len(symbols) + 1, batch_size=32, learning_rate=3e-3)
    x, y = sequences(late, symbols)
    new = unseen(x, FINETUNED, title)
    fresh = replace(
        corpus,
        title=title,
        origin=f"{FINETUNED * (CONTEXT + 1):,} characters of {title} to fine-tune on, tested on "
        f"{len(new) * (CONTEXT + 1):,} that follow, in stretches of {CONTEXT + 1}; the pretraining was on the first "
        f"{len(early):,} characters of the standard library's `pydoc_data.topics`, {PRETRAINING_EPOCHS} times over.",
        x=x[:FINETUNED],
        y=y[:FINETUNED],
        test_x=x[new],
        test_y=y[new],
        batch_size=BATCH,
        epochs=FINETUNING_EPOCHS,
        learning_rate=2e-3,
        offers=OFFERS | {"pretrained"},
    )
    return corpus.on(device, precision), fresh.on(device, precision)


def _pretrained(corpus: TextTask, seed: int, progress: OnProgress) -> tuple[Tensor, ...]:
    """The weights of a GPT that was trained on a corpus."""
    run = TrainingRun(corpus, Recipe(NONE), [0], seed=seed)
    with side_by_side():  # one thread, whose sums do not depend on the number of threads
        for epoch in range(PRETRAINING_EPOCHS):
            run.epoch()
            progress(epoch + 1, PRETRAINING_EPOCHS)
    return tuple(p.detach() for p in run.parameters)
