"""Regenerate the output blocks of the README, the documentation and the study guide by running their commands.

    python scripts/outputs.py [FILE ...]            write every block again
    python scripts/outputs.py --check [FILE ...]    run the blocks marked `run`, and fail if one would change

A block marked `run` prints the same everywhere; one marked `measured` holds figures of the machine it last ran on.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs/pages").glob("*.md")),
    *sorted((ROOT / "interview_questions").rglob("README.md")),
]
BLOCK = re.compile(r"<!-- (?P<kind>run|measured): (?P<command>.+?) -->\n```text\n(?P<output>.*?)```\n", re.DOTALL)


def output(command: str) -> str:
    """What the command prints at 80 columns without colour, in an empty folder with an empty history."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "REGDEMO_HOME": folder,
        }
        command = command.replace("benchmarks/", f"{ROOT}/benchmarks/").replace("scripts/", f"{ROOT}/scripts/")
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        sys.exit(f"{command!r} ended with exit code {done.returncode}: {done.stderr.strip()}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


def rewrite(text: str, *, kinds: tuple[str, ...]) -> str:
    """A page with the blocks of these kinds run again."""

    def block(found: re.Match[str]) -> str:
        if found["kind"] not in kinds:
            return found[0]
        return f"<!-- {found['kind']}: {found['command']} -->\n```text\n{output(found['command'])}```\n"

    return BLOCK.sub(block, text)


def main() -> None:
    """Write or check, as asked."""
    names = sys.argv[1:]
    check = "--check" in names
    for file in [Path(name) for name in names if name != "--check"] or FILES:
        text = file.read_text(encoding="utf-8")
        if not check:
            file.write_text(rewrite(text, kinds=("run", "measured")), encoding="utf-8")
        elif rewrite(text, kinds=("run",)) != text:
            sys.exit(f"{file} shows output that its commands no longer print: run `python scripts/outputs.py {file}`")


if __name__ == "__main__":
    main()
