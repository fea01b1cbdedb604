"""The README, the documentation and the study guide show what their commands print."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("outputs", ROOT / "scripts/outputs.py")
outputs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(outputs)
BLOCKS = [
    pytest.param(found["command"], found["output"], id=f"{file.relative_to(ROOT)}: {found['command'][:60]}")
    for file in outputs.FILES
    for found in outputs.BLOCK.finditer(file.read_text(encoding="utf-8"))
    if found["kind"] == "run"
]


@pytest.mark.parametrize(("command", "shown"), BLOCKS)
def test_a_block_shows_what_its_command_prints(command, shown):
    assert outputs.output(command) == shown


def test_there_are_blocks_in_the_readme():
    assert outputs.BLOCK.search((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", outputs.FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_block_of_text_names_its_command(file):
    text = file.read_text(encoding="utf-8")
    assert text.count("```text\n") == len(list(outputs.BLOCK.finditer(text)))


def test_the_test_command_of_the_readme_is_the_one_that_ci_runs():
    command = "pip install -e '.[all,peers,test]' && pytest"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert command.partition(" && ")[0].removeprefix("pip install") in (ROOT / ".ci/run").read_text(encoding="utf-8")
