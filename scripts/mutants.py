"""Change one operator, number or keyword of a regularizer at a time, and see whether its tests notice.

    pip install cosmic-ray
    python scripts/mutants.py regdemo/regularizers/gradients.py [MORE ...]

The mutations are cosmic-ray's. The runner is ours: each mutant lives in a fork of a process that has torch and pytest
loaded, where the file's own tests stop at the first failure. So a mutant costs a second, and no file on disk changes.
"""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "regularizers"
SECONDS = 60  # of a processor, however busy it is: a mutant that takes more is hanging, and counts as noticed
ALL = "test_public_face.py"  # the defaults and docstrings of them all
# The slow ones, where a file's own tests have not noticed.
LAST = ("test_every_regularizer.py", "test_optimizers.py", "test_peers.py", "test_graphs.py")

# Of each operator's many replacements the nearest: those further away are noticed all the more.
NEAREST = {
    *("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Div", "Mod_Mul", "Pow_Mul", "BitAnd_BitOr", "BitOr_BitAnd"),
    *("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is", "In_NotIn", "NotIn_In"),
    *("USub_UAdd", "Invert_Nothing", "Not_Nothing", "Delete_Not", "Delete_Invert", "Delete_USub"),
}


def operators() -> Iterator[str]:
    """cosmic-ray's operators, those for binary, unary and comparison operators with their nearest replacement only."""
    for name in operator_names():
        _, _, operator = name.partition("/")
        kind, _, change = operator.partition("_")
        if (not change or change in NEAREST) and not kind.startswith(("Variable", "ExceptionReplacer")):
            yield name


def is_annotation(node: object) -> bool:
    """Whether a node belongs to a type annotation, which nothing ever evaluates."""
    child, parent = node, node.parent
    while parent is not None:
        if parent.type in ("tfpdef", "annassign"):
            return child is not parent.children[0] and "=" not in [str(c.get_code()).strip() for c in parent.children]
        if parent.type == "funcdef" and child in parent.children[3:-1]:
            return True
        if parent.type in ("suite", "file_input"):
            return False
        child, parent = parent, parent.parent
    return False


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Each mutant: its line, what was done, and the changed source."""
    tree = get_ast(source)
    for name in operators():
        operator = get_operator(name)()
        places = ((node, start) for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node))
        for occurrence, (node, (line, _)) in enumerate(places):
            changed = None if is_annotation(node) else mutate_code(source, operator, occurrence)
            if changed is not None and is_another(changed, source):
                yield line, name.rpartition("/")[2], changed


def is_another(changed: str, source: str) -> bool:
    """Whether a mutant is Python, and other Python than before: a `**` between brackets is no power."""
    try:
        return ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


class Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Import one module from a text in place of its file."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """Answer for the one module."""
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def get_source(self, name: str) -> str:
        """The text."""
        return self.source


def tests_of(path: Path) -> list[str]:
    """The test files that name something the module defines: the one called after it, then the quick ones first."""
    names = {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    found = []
    for file in TESTS.glob("test_*.py"):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if file.name == ALL or names & {getattr(node, "id", getattr(node, "attr", None)) for node in nodes}:
            found.append(file)
    own = f"test_{path.stem}.py"
    found.sort(key=lambda file: (file.name != own, file.name in LAST, file.stat().st_size))
    return [str(file) for file in found]


def passes(tests: list[str]) -> bool:
    """Whether the tests pass in this process."""
    import pytest

    return pytest.main(["-n0", "-x", "-qq", "-p", "no:cacheprovider", *tests]) == 0


def survives(module: str, source: str, tests: list[str]) -> bool:
    """Whether the tests pass on the changed source, in a fork of this process."""
    child = os.fork()
    if not child:
        code = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            sys.meta_path.insert(0, Changed(module, source))
            # The first file alone, which mostly notices: collecting them all costs more.
            code = 0 if all(passes(part) for part in (tests[:1], tests[1:]) if part) else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status == 0


def main() -> None:
    """Print the survivors of each file, and the fraction that the tests noticed."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.chdir(ROOT)
    killed = total = 0
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        source, tests, start = path.read_text(encoding="utf-8"), tests_of(path), time.monotonic()
        # Once here, so that every fork finds what they import loaded; all but the code that is to change.
        if not passes(tests):
            sys.exit(f"the tests of {name} fail without a change: {' '.join(tests)}")
        for loaded in [key for key in sys.modules if key.partition(".")[0] in ("regdemo", "tests")]:
            del sys.modules[loaded]
        gc.collect()
        gc.freeze()  # or the first collection in each fork would copy all that it shares with this process
        here = dead = 0
        for line, what, changed in mutants(source):
            here += 1
            if survives(module, changed, tests):
                row = next(
                    new for old, new in zip(source.splitlines(), changed.splitlines(), strict=False) if old != new
                )
                print(f"  survived: {path.name}:{line}  {what}  {row.strip()}", flush=True)
            else:
                dead += 1
        killed, total = killed + dead, total + here
        print(f"{path.name}: {dead} of {here} noticed, {time.monotonic() - start:.0f} s", flush=True)
    print(f"all: {killed} of {total} noticed, {killed / max(total, 1):.0%}")


if __name__ == "__main__":
    main()
