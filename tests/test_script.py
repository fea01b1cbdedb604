"""The script that shows question 18 in five pictures."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "interview_questions/15_regularization/regularization_demo.py"


def run(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_it_prints_under_80_lines_and_leaves_only_its_folder_of_pictures(tmp_path):
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert 20 < done.stdout.count("\n") < 80
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert [path.name for path in tmp_path.iterdir()] == ["regularization_pictures"]
    pictures = sorted((tmp_path / "regularization_pictures").iterdir())
    assert len(pictures) == 5
    assert all(f"Picture: {picture.relative_to(tmp_path)}" in done.stdout for picture in pictures)


def test_the_default_folder_is_ignored_by_git():
    assert "regularization_pictures/" in (SCRIPT.parents[2] / ".gitignore").read_text().split()


def loaded():
    spec = importlib.util.spec_from_file_location("regularization_demo", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, "--out", str(tmp_path / "file" / "pictures")])
    with pytest.raises(SystemExit) as ended:
        loaded().main()
    assert ended.value.code.startswith(f"{SCRIPT.name}: ")
    assert str(tmp_path / "file" / "pictures") in ended.value.code
    assert "\n" not in ended.value.code


def test_without_torch_it_says_how_to_install_it(tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')")
    done = run(tmp_path, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "torch isn't installed in this environment: run `poetry install` first, or `pip install .`\n"
    )


def test_formulas_are_printed_in_plain_characters():
    script = loaded()
    report = script.rates()
    assert "$" in report.say
    assert "$" not in script.summary(report)
