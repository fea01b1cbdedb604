"""The study guide's pictures show the blocks that they are named for."""

import html
import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("pictures", Path(__file__).parent.parent / "scripts/pictures.py")
pictures = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pictures)


@pytest.mark.parametrize(("stem", "title"), pictures.BLOCKS.items())
def test_a_picture_of_the_guide_shows_the_named_block(stem, title):
    picture = (pictures.FOLDER / f"{stem}.svg").read_text(encoding="utf-8")
    assert title in html.unescape(picture).replace("\N{NO-BREAK SPACE}", " ")


def test_every_picture_of_the_guide_has_a_named_block():
    assert {path.stem for path in pictures.FOLDER.glob("*.svg")} == set(pictures.BLOCKS)
    guide = (pictures.FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"(pictures/{stem}.svg)" in guide for stem in pictures.BLOCKS)


def test_a_picture_whose_block_is_gone_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(pictures.BLOCKS, "dropout", "No such block")
    with pytest.raises(pictures.ArgumentError, match="0 blocks of dropout"):
        pictures.draw("dropout", tmp_path)
