"""Names: a public class has one meaning in the whole package, and what scripts import is there."""

import ast
from collections import defaultdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import regdemo

ROOT = Path(__file__).parent.parent

# A technique of the lab has its regularizer's name; a pitfall's snippet is `broken` or `fixed`.
SAME_NAMES = {"lab/techniques", "pitfalls"}


def test_no_two_modules_define_a_public_class_of_the_same_name():
    root = Path(regdemo.__file__).parent
    found = defaultdict(list)
    for file in sorted(root.rglob("*.py")):
        if file.relative_to(root).parent.as_posix() not in SAME_NAMES:
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(file.relative_to(root).as_posix())
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


@pytest.mark.parametrize(
    "script", sorted([*ROOT.glob("scripts/*.py"), *ROOT.glob("benchmarks/*.py")]), ids=lambda p: p.name
)
def test_a_script_imports_names_that_are_there(script):
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("regdemo"):
            module = import_module(node.module)
            for name in (alias.name for alias in node.names):
                assert hasattr(module, name) or find_spec(f"{node.module}.{name}"), name
