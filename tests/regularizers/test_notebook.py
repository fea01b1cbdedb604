"""docs/pages/regularizers.ipynb: its cells run in order and print what the notebook shows."""

import contextlib
import io
import json
from pathlib import Path

import pytest
import torch

NOTEBOOK = json.loads((Path(__file__).parents[2] / "docs" / "pages" / "regularizers.ipynb").read_text(encoding="utf-8"))


def test_its_cells_print_what_they_show():
    names = {}
    with torch.random.fork_rng(devices=[]):
        for cell in NOTEBOOK["cells"]:
            if cell["cell_type"] == "code":
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    exec("".join(cell["source"]), names)
                assert printed.getvalue() == "".join(line for out in cell["outputs"] for line in out["text"])
    assert "<" in names["report"]._repr_html_()


def test_it_is_a_notebook_to_jupyter():
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(NOTEBOOK)
