"""Regenerate the README's output blocks by running the command named above each.

    python scripts/readme.py            write every block anew
    python scripts/readme.py --check    run the blocks marked `run`, and fail if one would change

A block marked `run` prints the same everywhere; one marked `measured` holds figures of the machine it last ran on.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
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
        command = command.replace("benchmarks/", f"{README.parent}/benchmarks/")
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        sys.exit(f"{command!r} ended with exit code {done.returncode}: {done.stderr.strip()}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


def rewrite(text: str, *, kinds: tuple[str, ...]) -> str:
    """The README with the blocks of these kinds run again."""

    def block(found: re.Match[str]) -> str:
        if found["kind"] not in kinds:
            return found[0]
        return f"<!-- {found['kind']}: {found['command']} -->\n```text\n{output(found['command'])}```\n"

    return BLOCK.sub(block, text)


def main() -> None:
    """Write or check, as asked."""
    text = README.read_text(encoding="utf-8")
    if sys.argv[1:] == ["--check"]:
        if rewrite(text, kinds=("run",)) != text:
            sys.exit("README.md shows output that its commands no longer print: run `python scripts/readme.py`")
    else:
        README.write_text(rewrite(text, kinds=("run", "measured")), encoding="utf-8")


if __name__ == "__main__":
    main()
