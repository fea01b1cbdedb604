"""Run the tests on the lowest version of each direct dependency that pyproject.toml allows.

    python scripts/lowest_versions.py [PYTEST ARGUMENT ...]

Makes a virtual environment in a temporary folder with uv (`pip install uv`), which resolves `lowest-direct`: the lower
bounds themselves, and whatever they need. Extras stay away, so tests of extras skip.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Install and test; the exit code of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", folder], check=True)
        install = ["uv", "pip", "install", "--quiet", "--python", str(python), "--resolution", "lowest-direct"]
        # Tools of the tests are taken as they come: only what users install is held at its lower bound.
        subprocess.run([*install, "--editable", str(ROOT)], check=True)
        tools = ["pytest", "pytest-xdist", "hypothesis", "mnist1d", "build", "poetry-core"]
        subprocess.run([*install[:-2], *tools], check=True)
        subprocess.run(["uv", "pip", "list", "--python", str(python)], check=True)
        return subprocess.run([str(python), "-m", "pytest", *sys.argv[1:]], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
