"""Pages of the documentation that are derived: the commands from the command line, the gallery from the demos.

mkdocs calls `on_files` before it builds: https://www.mkdocs.org/user-guide/plugins/#events
"""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files
from typer.main import get_command

from regdemo import catalog, text
from regdemo.cli.app import app
from regdemo.render import svg


def on_files(files: Files, config: Any) -> Files:
    """Add the derived pages and pictures."""
    for path, content in [*commands(), *gallery()]:
        files.append(File.generated(config, path, content=content))
    return files


def commands() -> list[tuple[str, str]]:
    """One page: the help of every command, as it is printed."""
    root = get_command(app)
    parts = ["# Commands\n\nThe help of every command, as `--help` prints it.\n", _help(root, "regdemo", 2)]
    return [("commands.md", "\n".join(parts))]


def _help(command: Any, name: str, level: int) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    context.terminal_width = 90
    parts = [f"{'#' * level} `{name}`\n\n```text\n{text.clean(command.get_help(context)).rstrip()}\n```\n"]
    if hasattr(command, "list_commands"):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None and not found.hidden:
                parts.append(_help(found, f"{name} {child}", min(level + 1, 4)))
    return "\n".join(parts)


def gallery() -> list[tuple[str, str]]:
    """A page for each demo with its report as a picture, and one that lists them by where they act."""
    pages: list[tuple[str, str]] = []
    listed = ["# Gallery\n\nEvery demo's report at its defaults and seed 0, as `--save FILE.svg` writes it.\n"]
    place = ""
    for demo in catalog.demos():
        if demo.acts_on != place:
            place = demo.acts_on
            listed.append(f"\n## Acts on {place}\n")
        report = demo.run()
        listed.append(f"- [{demo.title}]({demo.name}.md): `{demo.command}`")
        pages.append((f"gallery/{demo.stem}.svg", svg.to_svg(report)))
        pages.append(
            (
                f"gallery/{demo.name}.md",
                f"# {demo.title}\n\n`{demo.command}`\n\n{report.say}\n\n"
                f"The usual wrong answer: {report.wrong_answer}\n\n![The report of {demo.command}]({demo.stem}.svg)\n",
            )
        )
    pages.append(("gallery/index.md", "\n".join(listed) + "\n"))
    return pages
