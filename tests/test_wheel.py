"""The built wheel, far from any checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the wheel's contents and nothing else of ours."""
    folder = tmp_path_factory.mktemp("wheel")
    # The build backend is taken from this environment: building must not need the network a second time.
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed, *arguments, cwd, stdin=""):
    program = f"import sys; sys.path.insert(0, {str(installed)!r}); from regdemo.cli.app import main; main()"
    # -P and the changed folder keep the checkout out of sight; the site's path stands before the editable install's.
    return subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments], cwd=cwd, input=stdin, capture_output=True, text=True
    )


def test_the_wheel_quizzes_from_its_bundled_deck(installed, tmp_path):
    done = run(installed, "quiz", "--ids", "Q18.1", "--home", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Q18.1" in done.stdout


def test_the_wheel_carries_every_deck_of_the_checkout(installed):
    decks = {path.relative_to(ROOT) for path in (ROOT / "interview_questions").rglob("*.md")}
    package = installed / "regdemo"
    assert decks == {path.relative_to(package) for path in (package / "interview_questions").rglob("*.md")}


def test_the_wheel_runs_a_demo(installed, tmp_path):
    done = run(installed, "dropout", "--p", "0.1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(installed) not in done.stdout


def test_the_wheel_holds_nothing_but_the_package(installed):
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"regdemo"}
