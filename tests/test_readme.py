"""The README shows what its commands print."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("readme", ROOT / "scripts/readme.py")
readme = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(readme)


def test_every_run_block_of_the_readme_is_what_its_command_prints():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.rewrite(text, kinds=("run",)) == text


def test_every_output_block_of_the_readme_names_its_command():
    text = readme.README.read_text(encoding="utf-8")
    assert text.count("```text\n") == len(list(readme.BLOCK.finditer(text))) > 0


def test_the_two_set_up_commands_stand_first():
    first = readme.README.read_text(encoding="utf-8").partition("```")[2].partition("```")[0]
    assert first.split("\n")[1:3] == [
        "pip install . && regdemo dropout --p 0.1",
        "pip install -e '.[test,anki,dask,fit,hf,privacy]' && pytest",
    ]
