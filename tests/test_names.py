"""Names and lengths: a class has one meaning in the package, what scripts import is there, functions are short."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import regdemo

ROOT = Path(__file__).parent.parent

# A pitfall's snippets have the name that a reader would give the class.
SAME_NAMES = {"pitfalls"}


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


CAPITALS = re.compile(r"(?<![\w.$\\-])[A-Z]{2,}(?:_[A-Z0-9]+)*(?![\w-])")
# Words in capitals that are no names of ours: abbreviations, and what a docstring says something else is put for.
ABBREVIATIONS = """
AMD ASAM BERT BLANKLINE BN CUDA CUDA_VISIBLE_DEVICES DELETE DNS DOS ECE EPERM FFFD FFN FGSM FILE FORBIDDEN FSRS
GPU HOST HTML ISO ISTA JSON KB KL LBFGS LSTM MB MC NUMBER NVIDIA OKLCH OSC PORT README REGD REGDEMO_OWN_GRADES_ONLY
REPLACE SDK SDPA SQLITE_ERROR STEM SVG SVM TCP WAL WCAG XML"""


def test_a_constant_that_a_docstring_or_comment_names_exists():
    named, said = set(ABBREVIATIONS.split()), defaultdict(set)
    root = Path(regdemo.__file__).parent
    for file in sorted(root.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(text)))
        named |= {node.id for node in nodes if isinstance(node, ast.Name)}
        named |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        named |= {
            alias.asname or alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        prose = [ast.get_docstring(node) or "" for node in nodes if isinstance(node, documented)]
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        prose += [token.string for token in tokens if token.type == tokenize.COMMENT]
        for word in CAPITALS.findall("\n".join(prose)):
            said[word].add(file.relative_to(root).as_posix())
    assert {word: sorted(files) for word, files in said.items() if word not in named} == {}


def functions(folder):
    """Every function below a folder of the package, with its number of lines without the docstring."""
    for file in sorted((ROOT / "regdemo" / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = (ast.get_docstring(node, clean=False) or "").splitlines()
                yield f"{file.stem}.{node.name}", node.end_lineno - node.lineno + 1 - len(docstring)


def test_no_function_is_longer_than_60_lines_without_its_docstring():
    found = list(functions("."))
    assert len(found) > 1_000
    assert [name for name, lines in found if lines > 60] == []
