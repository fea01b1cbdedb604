"""Checks code cards: the starter fails, each solution passes, each mutant fails the test that is named for it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from regdemo.bank.pool import run_all
from regdemo.kata.judge import Judge
from regdemo.kata.katas import Kata, katas
from regdemo.kata.verdict import Verdict
from regdemo.quiz.cards import Card, Fault
from regdemo.text import printable


class KataFile(NamedTuple):
    """One file to be judged. what: starter, solution or mutant.  test: the one that a mutant is to fail, if named."""

    kata: Kata
    what: str
    name: str
    test: str
    source: str
    line: int


class JudgedFile(NamedTuple):
    """A file and its verdict."""

    run: KataFile
    verdict: Verdict

    @property
    def fault(self) -> str:
        """What is wrong with it; empty if it does what it should."""
        run, verdict = self.run, self.verdict
        if run.what == "solution":
            return "" if verdict.passed else f"does not pass, {_how(verdict)}"
        if verdict.passed:
            return "passes, so there is nothing to do" if run.what == "starter" else "lives: no test fails"
        if verdict.state != "failed":
            return f"fails no test, {_how(verdict)}"
        if run.test and verdict.test != run.test:
            return f"fails {verdict.test} before {run.test}, {_how(verdict)}"
        return ""


def judge(
    cards: Sequence[Card],
    *,
    jobs: int,
    time_limit: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[JudgedFile]:
    """Judge all that the code cards hold, `jobs` at a time. Raises DeckError if two katas have the same name."""
    runs = [run for kata in katas(cards).values() for run in _runs(kata)]
    hidden = sorted({file.resolve() for file in {card.file for card in cards}})
    judges = [Judge(hidden, seconds=max(1, round(time_limit))) for _ in range(min(jobs, len(runs)))]
    found = run_all(
        runs, judges, lambda one, run: JudgedFile(run, one.check(run.kata, run.source)), Judge.close, progress
    )
    return sorted(found, key=lambda one: (one.run.kata.card.file, one.run.line))


def faults(judged: Sequence[JudgedFile]) -> list[Fault]:
    """What is wrong with the cards that were judged, and with their tests."""
    found = []
    for one in judged:
        if one.fault:
            card, name = one.run.kata.card, f" {one.run.name!r}" if one.run.name else ""
            found.append(Fault(card.file, one.run.line, f"{card.id}'s {one.run.what}{name} {printable(one.fault)}"))
    for kata in {one.run.kata.name: one.run.kata for one in judged}.values():
        line = next(block.line for block in kata.card.code if block.role == "judge")
        for name, said in tests(kata):
            if not said:
                found.append(
                    Fault(kata.card.file, line, f"{kata.card.id}'s {name} has no docstring: it is the message")
                )
    return found


def tests(kata: Kata) -> list[tuple[str, str]]:
    """The tests of a judge, each with its docstring."""
    with suppress(SyntaxError, ValueError):
        functions = [node for node in ast.parse(kata.judge).body if isinstance(node, ast.FunctionDef)]
        return [(node.name, ast.get_docstring(node) or "") for node in functions if node.name.startswith("test_")]
    return []


def _runs(kata: Kata) -> Iterator[KataFile]:
    for block in kata.card.code:
        if block.role in ("starter", "solution"):
            name = block.name if block.role == "solution" else ""
            yield KataFile(kata, block.role, name, "", block.text, block.line)
    for mutant in kata.mutants:
        yield KataFile(kata, "mutant", mutant.name, mutant.test, mutant.source, mutant.line)


def _how(verdict: Verdict) -> str:
    said = " ".join(f"{verdict.state}: {verdict.message} {verdict.detail}".split())
    return said if not verdict.test or verdict.test in said else f"{verdict.test} {said}"
