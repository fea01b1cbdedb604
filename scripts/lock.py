"""Write poetry.lock. Poetry's solver does not end within half an hour when one extra repeats all others. So this locks
the project without the extra `all`, and then adds it: each package of an extra for users belongs to `all` as well.

    python scripts/lock.py

Needs `pip install poetry`; `poetry check --lock` agrees with the result, and tests/test_packaging.py checks it for each
platform and version of Python.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = {"all", "test", "peers", "docs"}  # extras that `all` does not take in, and itself


def without_all(project: str) -> str:
    """pyproject.toml without the extra `all`."""
    return re.sub(r"^all = \[.*?^\]\n", "", project, count=1, flags=re.DOTALL | re.MULTILINE)


def with_all(lock: str, extras: dict[str, list[str]], digest: str) -> str:
    """The lock with the extra `all`, and with the digest of the project that has it."""
    users = "|".join(map(re.escape, sorted(extras.keys() - TOOLS)))
    head, packages = lock.split("[[package]]", 1)
    lines = []
    for line in packages.splitlines(keepends=True):
        if line.startswith("markers = "):  # a package's own; those of its dependencies stand in their tables
            line = re.sub(rf'extra == \\"({users})\\"', r'(extra == \\"\1\\" or extra == \\"all\\")', line)
        lines.append(line)
    text = f"{head}[[package]]{''.join(lines)}"
    names = sorted({name for extra, some in locked_extras(lock).items() if extra not in TOOLS for name in some})
    listed = ", ".join(f'"{name}"' for name in names)
    text = text.replace("[extras]\n", f"[extras]\nall = [{listed}]\n", 1)
    return re.sub(r'^content-hash = ".*"$', f'content-hash = "{digest}"', text, count=1, flags=re.MULTILINE)


def locked_extras(lock: str) -> dict[str, list[str]]:
    """The table [extras] of a lock."""
    found: dict[str, list[str]] = tomllib.loads(lock)["extras"]
    return found


def main() -> None:
    """Lock, add, write."""
    try:
        from poetry.factory import Factory
    except ImportError:
        sys.exit("Poetry isn't installed: pip install poetry")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("README.md", "LICENSE"):
            shutil.copy(ROOT / name, folder)
        (Path(folder) / "pyproject.toml").write_text(without_all(project), "utf-8")
        subprocess.run([sys.executable, "-m", "poetry", "lock", "--no-interaction"], cwd=folder, check=True)
        lock = (Path(folder) / "poetry.lock").read_text("utf-8")
    digest = Factory().create_poetry(ROOT).locker._get_content_hash()
    extras = tomllib.loads(project)["project"]["optional-dependencies"]
    (ROOT / "poetry.lock").write_text(with_all(lock, extras, digest), "utf-8")


if __name__ == "__main__":
    main()
