"""Names: a public class has one meaning in the whole package."""

import ast
from collections import defaultdict
from pathlib import Path

import regdemo

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
