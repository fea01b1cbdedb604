"""`regdemo kata`: write it, or find the bug, and be judged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from regdemo.cli.learner import BankPath, Home, clock, counted, home_folder, in_words, load_bank

if TYPE_CHECKING:
    from regdemo.kata.client import Judge
    from regdemo.kata.katas import Kata
    from regdemo.kata.verdict import Verdict
    from regdemo.render.cards import Page

POLL = 0.05  # seconds between two looks at a file that is watched


class Names(TyperGroup):
    """The commands, and besides them each kata's name: `kata NAME` is `kata start NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """A word that is no command is the name of a kata. What was said before the word is the command's, too."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["start", *args]
        for option in self.params:
            name = option.name or ""
            if ctx.params.get(name) is not None and ctx.get_parameter_source(name).name == "COMMANDLINE":
                args[1:1] = [option.opts[0], str(ctx.params[name])]
        return super().resolve_command(ctx, args)


kata = typer.Typer(
    cls=Names,
    help="Write it, or find the bug: your code is judged by tests that know the law of what is random.",
    rich_markup_mode=None,
    invoke_without_command=True,
    epilog="Example: regdemo kata dropout, then regdemo kata check",
    subcommand_metavar="[NAME | COMMAND [NAME]]",
)

Name = Annotated[str, typer.Argument(help="The kata's name, or its id.")]
GiveUp = Annotated[bool, typer.Option("--give-up", help="Show it before you passed; saved as Again.")]
MaybeName = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="The kata's name, or its id; without it, the one saved last.")
]
Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", help="The folder of your files.")]
WHERE = Path("katas")


@kata.callback()
def overview(context: typer.Context, bank: BankPath = None, home: Home = None, folder: Folder = WHERE) -> None:
    """List the katas, or begin one by its name."""
    if context.invoked_subcommand:
        return
    from regdemo.kata.work import saved_at
    from regdemo.quiz.history import read
    from regdemo.quiz.schedule import AGAIN, replay

    desk = _Desk(bank, home, folder)
    reviews = read(desk.home)
    memories, last = replay(reviews), {review.card: review for review in reviews}
    rows = []
    for one in desk.katas.values():
        due = in_words(memories[one.card.id].due - clock()) if one.card.id in memories else ""
        state = "failed" if one.card.id in last and last[one.card.id].rating == AGAIN else "passed" if due else ""
        if not state:
            state = "begun" if saved_at(folder / f"{one.name}.py") else "new"
        rows.append([f"  {one.name}", one.level, state, due, _task(one)])
    passed = sum(row[2] == "passed" for row in rows)
    desk.page.table(f"{counted(len(rows), 'kata')}, {passed} passed", ["  name", "level", "state", "due", "task"], rows)
    following = next((one for one in desk.katas.values() if one.card.id not in memories), None)
    if following:
        desk.page.quiet(f"\nBegin with `{desk.command(following.name)}`.")


@kata.command(epilog="Example: regdemo kata start dropout, or just regdemo kata dropout")
def start(
    name: Name,
    reset: Annotated[bool, typer.Option("--reset", help="Begin anew; your file is kept by another name.")] = False,
    bank: BankPath = None,
    home: Home = None,
    folder: Folder = WHERE,
) -> None:
    """Write the starter into your folder, and show the task."""
    from regdemo.kata.work import begin

    desk = _Desk(bank, home, folder)
    one = desk.find(name)
    written, kept = begin(one, folder, reset=reset)
    file = folder / f"{one.name}.py"
    page = desk.page
    page.rule(f"{one.card.id} · {one.name}{f' · {one.level}' if one.level else ''}")
    page.text(one.card.question)
    page.quiet("")
    if kept:
        page.quiet(f"What you had is kept as {kept}.")
    if written:
        page.quiet(f"Wrote {file}. Edit it, save it, then: {desk.command('check', one.name)}")
    else:
        page.quiet(f"{file} is there already and was left as it is; `--reset` begins anew and keeps a copy.")
        page.quiet(f"To judge it: {desk.command('check', one.name)}")


@kata.command(epilog="Example: regdemo kata check dropout --watch")
def check(
    name: MaybeName = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Judge again whenever you save, until Ctrl-C.")] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Judge with this seed, to see a verdict again; without it, a fresh one.")
    ] = None,
    bank: BankPath = None,
    home: Home = None,
    folder: Folder = WHERE,
) -> None:
    """Judge your file. Exits with 0 if it passes, 1 if it does not."""
    from regdemo.errors import FileError
    from regdemo.kata.client import Judge
    from regdemo.kata.work import latest

    desk = _Desk(bank, home, folder)
    one = desk.find(name) if name else latest(desk.katas, folder)
    with Judge([desk.bank_path, desk.home, folder.resolve()]) as judge:
        verdict = desk.judge(judge, one, seed)
        if watch:
            file = folder / f"{one.name}.py"
            desk.waiting(file)
            with suppress(KeyboardInterrupt):  # also while it is judged: the verdict before then counts
                for _ in _saves(file):
                    desk.page.fresh()
                    try:
                        verdict = desk.judge(judge, one, seed)
                    except FileError as error:  # which the next save may mend
                        desk.page.quiet(str(error))
                    desk.waiting(file)
    if not verdict.passed:
        raise typer.Exit(1)


@kata.command(epilog="Example: regdemo kata hint dropout")
def hint(name: MaybeName = None, bank: BankPath = None, home: Home = None, folder: Folder = WHERE) -> None:
    """The next hint. After one, a pass is worth Hard."""
    from regdemo.kata import record
    from regdemo.kata.work import latest

    desk = _Desk(bank, home, folder)
    one = desk.find(name) if name else latest(desk.katas, folder)
    hints = one.card.hints
    number = min(record.shown(desk.home, one) + 1, len(hints))
    if not hints:
        desk.page.quiet(f"{one.name} has no hints.")
        return
    record.show(desk.home, one, number)
    desk.page.text(hints[number - 1], f"Hint {number} of {len(hints)} on {one.name}")
    if number == len(hints):
        desk.page.quiet(f"\nThat is the last one. `{desk.command('solution', one.name)} --give-up` shows the solution.")


@kata.command(epilog="Example: regdemo kata solution dropout")
def solution(
    name: MaybeName = None,
    give_up: GiveUp = False,
    bank: BankPath = None,
    home: Home = None,
    folder: Folder = WHERE,
) -> None:
    """Every solution, once you have passed or given up."""
    desk = _Desk(bank, home, folder)
    one = desk.reveal(name, give_up)
    for style, source in one.solutions.items():
        desk.page.text(f"```python\n{source}```", style)
    desk.page.text(one.card.explanation)
    desk.page.listed([("Source", source) for source in one.card.sources])


@kata.command(short_help="Your file against the reference.", epilog="Example: regdemo kata diff dropout")
def diff(
    name: MaybeName = None,
    give_up: GiveUp = False,
    bank: BankPath = None,
    home: Home = None,
    folder: Folder = WHERE,
) -> None:
    """Your file against the reference, line by line, once you have passed or given up."""
    from difflib import unified_diff

    from regdemo.kata.work import read

    desk = _Desk(bank, home, folder)
    one = desk.reveal(name, give_up)
    mine = read(one, folder).splitlines(keepends=True)
    lines = list(unified_diff(mine, one.solution.splitlines(keepends=True), f"{folder / one.name}.py", "the reference"))
    if lines:
        desk.page.text(f"```diff\n{''.join(lines)}```")
    else:
        desk.page.quiet(f"{folder / one.name}.py is the reference, word for word.")


@kata.command(short_help="Which walls of the box stand here.", epilog="Example: regdemo kata doctor")
def doctor() -> None:
    """Which walls of the box around judged code stand on this computer."""
    from rich.console import Console

    from regdemo.kata.box import protections
    from regdemo.render.cards import Page

    page = Page(Console())
    walls = protections()
    page.listed(
        [("✓" if wall.on else "✗", f"{wall.what}: {'' if wall.on else 'no '}{wall.means}") for wall in walls],
        "What judged code is kept from, and by what",
    )
    missing = sum(not wall.on for wall in walls)
    if missing:
        page.quiet(f"\n{counted(missing, 'wall')} missing here: judge only code that you would run yourself.")


def _task(one: Kata) -> str:
    """What is to be written or found, without the words that all of them begin with, and the signature."""
    task = one.card.question.partition("\n")[0].removeprefix("Write ").removeprefix("Find the bug: ")
    return task.partition(": `")[0].replace("`", "")


class _Desk:
    """The katas, the learner's folders, and the page that all is written on."""

    def __init__(self, bank: Path | None, home: Path | None, folder: Path) -> None:
        from rich.console import Console

        from regdemo.kata.katas import katas
        from regdemo.quiz.decks import bundled
        from regdemo.render.cards import Page

        self._bank = bank
        self.bank_path = bank or bundled()
        self.home = home_folder(home)
        self.folder = folder
        self.katas = katas(load_bank(bank, self.home).cards)
        self.page: Page = Page(Console())

    def find(self, name: str) -> Kata:
        """A kata by its name or id."""
        from regdemo.kata.katas import find

        return find(self.katas, name)

    def command(self, *words: str) -> str:
        """A command on the same bank and folder."""
        options = ["--bank", quote(str(self._bank))] if self._bank else []
        options += ["--dir", quote(str(self.folder))] if self.folder != WHERE else []
        return " ".join(["regdemo kata", *words, *options])

    def judge(self, judge: Judge, one: Kata, seed: int | None) -> Verdict:
        """Judge the file as it is now, print the verdict, keep what it is worth."""
        from regdemo.kata import record
        from regdemo.kata.work import read
        from regdemo.quiz.history import History
        from regdemo.quiz.schedule import RATINGS, replay

        with History(self.home) as history:  # before the judging: a history that takes nothing should be heard of now
            source = read(one, self.folder)
            verdict = judge.check(one, source, seed=seed)
            _say(self.page, one, verdict)
            hints = record.shown(self.home, one)
            reviews = history.reviews(one.card.id)
            rating = record.worth(one, reviews, verdict, source, hints, clock())
            if rating:
                review = record.review(one, rating, verdict, source, hints, clock())
                history.add(review)
                due = in_words(replay([*reviews, review])[one.card.id].due - clock())
                self.page.quiet(f"\nSaved as {RATINGS[rating - 1].capitalize()}. It comes again {due}.")
            elif source == one.starter:
                self.page.quiet("\nNothing is saved: this is still the starter.")
        if verdict.passed:
            record.show(self.home, one, 0)
            self.page.quiet(f"\nCompare with the reference: {self.command('diff', one.name)}")
        elif one.card.hints:
            self.page.quiet(f"\nA hint: {self.command('hint', one.name)}")
        return verdict

    def waiting(self, file: Path) -> None:
        """Say since when a file is watched: two verdicts that are the same can be told apart."""
        self.page.quiet(f"\nJudged at {clock().astimezone():%H:%M:%S}. Waiting for you to save {file}; Ctrl-C ends.")

    def reveal(self, name: str | None, give_up: bool) -> Kata:
        """A kata whose solution may be seen: it was passed, or is given up now."""
        from regdemo.errors import ArgumentError
        from regdemo.kata import record
        from regdemo.kata.work import latest
        from regdemo.quiz.history import History
        from regdemo.quiz.schedule import AGAIN

        one = self.find(name) if name else latest(self.katas, self.folder)
        with History(self.home) as history:
            mine = history.reviews(one.card.id)
            gave_up = bool(mine) and mine[-1].rating == AGAIN and mine[-1].asked == '{"gave_up": true}'
            if not any(review.rating > AGAIN for review in mine) and not gave_up:
                if not give_up:
                    raise ArgumentError(f"{one.name} has not passed yet: pass it first, or add --give-up")
                history.add(record.review(one, AGAIN, None, "", record.shown(self.home, one), clock()))
        return one


def _say(page: Page, one: Kata, verdict: Verdict) -> None:
    """The verdict: the first test that does not hold, and what was measured."""
    file = f"{one.name}.py"
    if verdict.passed:
        page.verdict(True, f"{file} passes all {counted(verdict.tests, 'test')}, in {verdict.seconds:.1f} s.")
    else:
        words = {
            "failed": "fails",
            "broken": "cannot be judged",
            "died": "ended before it answered",
            "late": "ran out of time",
            "hungry": "ran out of memory",
            "lost": "could not be judged",
        }[verdict.state]
        number = f" test {verdict.done + 1} of {verdict.tests}" if verdict.test else ""
        page.verdict(False, f"{file} {words}{f' in{number}' if number and verdict.state != 'failed' else number}")
        page.text(verdict.message)
        page.quiet("".join(f"\n{line}" for line in verdict.detail.splitlines()))
    if verdict.printed:
        more = f", the first {len(verdict.output):,} of {verdict.printed:,} bytes" if verdict.printed > 4_000 else ""
        page.quiet(f"\nIt printed{more}:")
        page.quiet(verdict.output.rstrip())


def _saves(file: Path) -> Iterator[None]:
    """Yields whenever the file was saved. Looking is cheap, and works on every file system and for every editor."""
    from regdemo.kata.work import saved_at

    seen = saved_at(file)
    while True:
        time.sleep(POLL)
        if (now := saved_at(file)) and now != seen:
            seen = now
            yield None
