"""`regdemo kata`: write it, or find the bug, and be judged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from regdemo.cli.hints import keep, typed
from regdemo.cli.keys import KeyReader
from regdemo.cli.learner import BankPath, Home, clock, home_folder, load_bank
from regdemo.cli.options import declare, parameters_of
from regdemo.errors import ArgumentError, FileError
from regdemo.kata import attacks, files, judge, katas, record, sandbox
from regdemo.kata.record import Progress
from regdemo.quiz import decks, history, kinds, schedule
from regdemo.render import cards
from regdemo.words import from_now, pluralize

if TYPE_CHECKING:
    from regdemo.kata.judge import Judge
    from regdemo.kata.katas import Kata
    from regdemo.kata.verdict import Verdict

POLL = 0.05  # seconds between two looks at a file that is watched
BAR = 24  # characters


class KataGroup(TyperGroup):
    """The commands, and in addition each kata's name: `kata NAME` is `kata start NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """A word that isn't a command is the name of a kata. Options before the word are the command's, too."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["start", *args]
        for option in self.params:
            name = option.name or ""
            if ctx.params.get(name) is not None and ctx.get_parameter_source(name).name == "COMMANDLINE":
                args[1:1] = [option.opts[0], str(ctx.params[name])]
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """What a shell is offered: the commands and the names."""
        start = self.commands["start"]
        return [*super().shell_complete(ctx, incomplete), *start.params[0].shell_complete(ctx, incomplete)]


kata = typer.Typer(
    cls=KataGroup,
    help="Write it, or find the bug: tests judge your code, with exact bounds for what is random.",
    rich_markup_mode=None,
    invoke_without_command=True,
    epilog="Example: regdemo kata watch",
    subcommand_metavar="[NAME | COMMAND [NAME]]",
)


def _names(incomplete: str) -> list[str]:
    """The names of the bundled katas, for completion in a shell."""
    with suppress(Exception):  # what goes wrong here must not disturb the shell
        found = katas.katas(load_bank(None, home_folder(None)).cards)
        return [name for name in found if name.startswith(incomplete)]
    return []


Name = Annotated[str, typer.Argument(metavar="NAME", help="The kata's name, or its id.", autocompletion=_names)]
GiveUp = Annotated[bool, typer.Option("--give-up", help="Show it before you passed; saved as Again.")]
MaybeName = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="The kata's name, or its id; without it, the one saved last.", autocompletion=_names
    ),
]
Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", callback=keep, help="The folder of your files.")]
Weaker = Annotated[
    bool, typer.Option("--weaker", help="Judge although this system lacks a part of the sandbox; see `kata doctor`.")
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Judge with this seed, to see a verdict again; without it, a fresh one.")
]


class _Workspace:
    """The katas, the learner's folders, and the page that everything is written on."""

    def __init__(self, bank: BankPath = None, home: Home = None, folder: Folder = files.KATA_FOLDER) -> None:
        self._bank = bank
        self.home = home_folder(home)
        self.folder = folder
        self.katas = katas.katas(load_bank(bank, self.home).cards)
        self.page = cards.Page(Console())
        self._remember(history.read(self.home))

    def _remember(self, reviews: list[history.Review]) -> None:
        self.states = schedule.replay(reviews)
        self._reviews: dict[str, list[history.Review]] = {}
        for review in reviews:
            self._reviews.setdefault(review.card, []).append(review)

    def find(self, name: str) -> Kata:
        """A kata by its name or id."""
        return katas.find(self.katas, name)

    def file(self, one: Kata) -> Path:
        """The learner's file."""
        return self.folder / f"{one.name}.py"

    def progress(self, one: Kata) -> Progress:
        """How far the learner is with it."""
        return record.progress(one, self._reviews.get(one.card.id, ()), self.folder)

    def following(self, after: Kata | None = None) -> Kata | None:
        """The kata to do next: due, else begun or failed, else new. after: not this one, and of equals a later one."""
        others = list(self.katas.values())
        if after:
            place = others.index(after)
            others = [*others[place + 1 :], *others[:place]]
        by = {one.name: self.progress(one) for one in others}
        due = [one for one in others if by[one.name] is Progress.PASSED and self.states[one.card.id].due <= clock()]
        begun = [one for one in others if by[one.name] in (Progress.BEGUN, Progress.FAILED)]
        new = [one for one in others if by[one.name] is Progress.NEW]
        return next(iter([*due, *begun, *new]), None)

    @contextmanager
    def judge(self, weaker: bool) -> Iterator[Judge]:
        """A judge. Where a part of the sandbox is missing, the learner is asked once whether to go without it."""
        missing = sandbox.missing()
        if missing and not weaker and not record.accepted(self.home, missing):
            said = f"On this system the sandbox does not protect {'; '.join(missing)}."
            if not sys.stdin.isatty():
                raise ArgumentError(f"{said} Add --weaker to run your code without that protection")
            self.page.text(said)
            if not typer.confirm("Run your own code without that protection?", default=False):
                raise typer.Exit(2)
            record.accept(self.home, missing)
        hidden = [self._bank or decks.bundled(), self.home, files.absolute(self.folder)]
        with judge.Judge(hidden, weaker=True) as judging:
            yield judging

    def begin(self, one: Kata, *, reset: bool = False) -> None:
        """Write the starter, and show the task."""
        written, kept = files.begin(one, self.folder, reset=reset)
        self._title(one)
        self.page.text(one.card.question)
        self.page.quiet("")
        check = typed(f"regdemo kata check {one.name}")
        if kept:
            self.page.quiet(f"Your file is kept as {kept}.")
        if written:
            holds = " with this code" if kinds.given(one.card) else ""
            self.page.quiet(f"Wrote {self.file(one)}{holds}. Edit it, save it, then: {check}")
        else:
            self.page.quiet(
                f"{self.file(one)} exists and was left as it is; `--reset` begins again and keeps a copy."
                f"\nTo judge it: {check}"
            )

    def check(self, judging: Judge, one: Kata, seed: int | None = None, *, keys: bool = False) -> Verdict:
        """Judge the file as it is now, print the verdict, record its rating. keys: whether a key gives the hint."""
        with history.History(self.home) as kept:  # opened before judging, so that its errors are shown first
            text = files.read(one, self.folder)
            verdict = judging.check(one, text, seed=seed)
            _say(self.page, one, verdict)
            if saved := record.save(self.home, kept, one, verdict, text, clock()):
                due = from_now(saved.due - clock())
                self.page.quiet(f"\nSaved as {saved.rating.title}. It comes again {due}.")
            elif one.is_untouched(text):
                self.page.quiet("\nNothing is saved: this is still the starter.")
        if verdict.passed:
            self.page.quiet(f"\nCompare with the reference: {typed(f'regdemo kata diff {one.name}')}")
        elif one.card.hints and not keys:
            self.page.quiet(f"\nA hint: {typed(f'regdemo kata hint {one.name}')}")
        return verdict

    def hint(self, one: Kata) -> None:
        """Show the next hint, and note it."""
        hints = one.card.hints
        if not hints:
            self.page.quiet(f"{one.name} has no hints.")
            return
        number = record.next_hint(self.home, one)
        self.page.text(hints[number - 1], f"Hint {number} of {len(hints)} on {one.name}")
        if number == len(hints):
            solution = typed(f"`regdemo kata solution {one.name} --give-up`")
            self.page.quiet(f"\nThat is the last one. {solution} shows the solution.")

    def watch(self, one: Kata, judging: Judge, keys: KeyReader, *, below: bool) -> tuple[Kata | None, bool]:
        """Judge a kata on every save until it passes or is left; the kata to go on with, and whether this one passed.

        below: begin below what is on the screen. Ctrl-C and the key q raise KeyboardInterrupt.
        """
        files.begin(one, self.folder)
        if not below:
            self.page.fresh()
        self._title(one)
        self.page.text(one.card.question)
        seen = files.saved_at(self.file(one))
        with suppress(FileError):  # said when the file is judged
            if not one.is_untouched(files.read(one, self.folder)):
                seen = 0
        self._waiting(one)
        while True:
            key = keys.read(POLL)
            if key == "q":
                raise KeyboardInterrupt
            if key == "n":
                return self.following(one) or one, False
            if key == "h":
                self.hint(one)
                self._waiting(one)
            if key == "t":
                self.page.text(one.card.question)
                self._waiting(one)
            now = files.saved_at(self.file(one))
            if not now or now == seen:
                continue
            seen = now
            self.page.fresh()
            try:
                verdict = self.check(judging, one, keys=True)
            except FileError as error:  # which the next save may fix
                self.page.quiet(typed(str(error)))
            else:
                self._remember(history.read(self.home))
                if verdict.passed:
                    return self.following(one), True
            self._waiting(one)

    def _title(self, one: Kata) -> None:
        self.page.rule(f"{one.card.id} · {one.name}{f' · {one.level}' if one.level else ''}")

    def _waiting(self, one: Kata) -> None:
        """How far all katas are, which file is watched, since when, and the keys."""
        passed, total = sum(self.progress(other) is Progress.PASSED for other in self.katas.values()), len(self.katas)
        filled = BAR * passed // total
        self.page.quiet(
            f"\n{'█' * filled}{'░' * (BAR - filled)} {passed} of {total} passed"
            f"\n{clock().astimezone():%H:%M:%S}  Waiting for you to save {self.file(one)}"
            "\nh hint · n next · t task · q quit"
        )

    def reveal(self, name: str | None, give_up: bool) -> Kata:
        """A kata whose solution may be seen: it was passed, or is given up now."""
        one = self.find(name) if name else files.latest(self.katas, self.folder)
        with history.History(self.home) as kept:
            if not record.is_open(kept.reviews(one.card.id)):
                if not give_up:
                    raise ArgumentError(f"{one.name} has not passed yet: pass it first, or add --give-up")
                record.give_up(self.home, kept, one, clock())
        return one


def at_desk(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say at which workspace, and hand it the workspace."""
    own, of_workspace = parameters_of(command)[1:], parameters_of(_Workspace)

    def run(**given: Any) -> None:
        workspace = _Workspace(**{one.name: given.pop(one.name) for one in of_workspace})
        command(workspace, **given)

    declare(run, [*own, *of_workspace])
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


@kata.callback()
def overview(
    context: typer.Context, bank: BankPath = None, home: Home = None, folder: Folder = files.KATA_FOLDER
) -> None:
    """List the katas, or begin one by its name."""
    if context.invoked_subcommand:
        return
    workspace = _Workspace(bank, home, folder)
    rows = []
    for one in workspace.katas.values():
        due = from_now(workspace.states[one.card.id].due - clock()) if one.card.id in workspace.states else ""
        rows.append([f"  {one.name}", one.level, workspace.progress(one).value, due, _task(one)])
    if not rows:
        workspace.page.quiet("There is no kata in this bank.")
    title = f"{pluralize(len(rows), 'kata')}, {sum(row[2] == Progress.PASSED for row in rows)} passed"
    workspace.page.table(title, ["  name", "level", "state", "due", "task"], rows)
    if following := workspace.following():
        workspace.page.quiet(typed(f"\nNext: {following.name}. Begin it with `regdemo kata next`."))


@kata.command(epilog="Example: regdemo kata start dropout, or just regdemo kata dropout")
@at_desk
def start(
    workspace: _Workspace,
    name: Name,
    reset: Annotated[bool, typer.Option("--reset", help="Begin again; your file is kept under another name.")] = False,
) -> None:
    """Write the starter into your folder, and show the task."""
    workspace.begin(workspace.find(name), reset=reset)


@kata.command("next", epilog="Example: regdemo kata next")
@at_desk
def next_(workspace: _Workspace) -> None:
    """Begin the next kata: one that is due, else one you have begun, else the first new one."""
    if one := workspace.following():
        workspace.begin(one)
    else:
        workspace.page.quiet(
            typed("Every kata has passed, and none is due. `regdemo kata` says when each comes again.")
        )


@kata.command(epilog="Example: regdemo kata watch")
@at_desk
def watch(
    workspace: _Workspace,
    name: MaybeName = None,
    weaker: Weaker = False,
) -> None:
    """Judge on every save, and go to the next kata when one passes. Keys: h hint, n next, t task, q quit."""
    one = workspace.find(name) if name else workspace.following()
    with workspace.judge(weaker) as judging, KeyReader() as keys, suppress(KeyboardInterrupt):
        judging.warm()
        passed = False
        while one:
            one, passed = workspace.watch(one, judging, keys, below=passed)
        workspace.page.quiet("\nEvery kata has passed, and none is due.")


@kata.command(epilog="Example: regdemo kata check dropout")
@at_desk
def check(
    workspace: _Workspace,
    name: MaybeName = None,
    seed: Seed = None,
    weaker: Weaker = False,
) -> None:
    """Judge your file. Exits with 0 if it passes, 1 if it does not."""
    one = workspace.find(name) if name else files.latest(workspace.katas, workspace.folder)
    with workspace.judge(weaker) as judging:
        if not workspace.check(judging, one, seed).passed:
            raise typer.Exit(1)


@kata.command(epilog="Example: regdemo kata hint dropout")
@at_desk
def hint(workspace: _Workspace, name: MaybeName = None) -> None:
    """The next hint. After a hint, a pass counts as Hard."""
    workspace.hint(workspace.find(name) if name else files.latest(workspace.katas, workspace.folder))


@kata.command(epilog="Example: regdemo kata solution dropout")
@at_desk
def solution(
    workspace: _Workspace,
    name: MaybeName = None,
    give_up: GiveUp = False,
) -> None:
    """Every solution, once you have passed or given up."""
    one = workspace.reveal(name, give_up)
    for style, text in one.solutions.items():
        workspace.page.text(f"```python\n{text}```", style)
    workspace.page.text(one.card.explanation)
    workspace.page.listed([("Source", source) for source in one.card.sources])


@kata.command(short_help="Your file against the reference.", epilog="Example: regdemo kata diff dropout")
@at_desk
def diff(
    workspace: _Workspace,
    name: MaybeName = None,
    give_up: GiveUp = False,
) -> None:
    """Your file against the reference, line by line, once you have passed or given up."""
    one = workspace.reveal(name, give_up)
    mine = one.code_of(files.read(one, workspace.folder)).splitlines(keepends=True)
    lines = list(unified_diff(mine, one.solution.splitlines(keepends=True), f"{workspace.file(one)}", "the reference"))
    if lines:
        workspace.page.text(f"```diff\n{''.join(lines)}```")
    else:
        workspace.page.quiet(f"{workspace.file(one)} is the reference, word for word.")


@kata.command(short_help="Which protections hold here.", epilog="Example: regdemo kata doctor")
def doctor() -> None:
    """Try to break each protection of the sandbox on this computer, and say which hold. Takes about ten seconds."""
    page = cards.Page(Console())
    tried = attacks.prove()
    page.listed(
        [("✓" if one.holds else "✗", f"{one.what} ({one.tried})") for one in tried],
        f"What judged code is kept from, tried on {attacks.system()}",
    )
    if failing := sum(not one.holds for one in tried):
        page.quiet(f"\n{pluralize(failing, 'protection')} missing here: judge only code that you would run yourself.")
        raise typer.Exit(1)


def _task(one: Kata) -> str:
    """What is to be written or found, without the words that all tasks begin with, and without the signature."""
    task = one.card.question.partition("\n")[0].removeprefix("Write ").removeprefix("Find the bug: ")
    return task.partition(": `")[0].replace("`", "")


def _say(page: cards.Page, one: Kata, verdict: Verdict) -> None:
    """The verdict: the first test that does not hold, and what was measured."""
    page.verdict(verdict.passed, f"{one.name}.py {verdict.words}{'.' if verdict.passed else ''}")
    if not verdict.passed:
        page.text(verdict.message)
        page.quiet("".join(f"\n{line}" for line in verdict.detail.splitlines()))
    if verdict.printed:
        more = f", the first {len(verdict.output):,} of {verdict.printed:,} bytes" if verdict.printed > 4_000 else ""
        page.quiet(f"\nIt printed{more}:")
        page.quiet(verdict.output.rstrip())
