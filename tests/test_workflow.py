"""The hosted workflow runs the script that everybody runs, on every platform."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")


def test_the_workflow_runs_ci_run_on_linux_macos_and_windows():
    (systems,) = re.findall(r"os: \[(.*)\]", WORKFLOW)
    assert {system.partition("-")[0] for system in systems.split(", ")} == {"ubuntu", "macos", "windows"}
    assert "- run: bash .ci/run\n        shell: bash" in WORKFLOW


def test_the_workflow_begins_with_the_lowest_python_that_is_supported():
    (lowest,) = re.findall(r'requires-python = ">=([\d.]+)', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert f'python: ["{lowest}"' in WORKFLOW
