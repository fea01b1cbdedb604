"""Lazy imports: what is loaded when, in a process of its own."""

import signal
import subprocess
import sys

import pytest

from regdemo.lab.executors import Processes


def printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("module", ["hashlib", "regdemo.quiz.schedule"])
def test_a_module_is_loaded_at_its_first_use(module):
    found = printed(
        "from regdemo import lazy\nfrom regdemo.lazy import LazyModule as Lazy\nlazy.install()\n"
        f"import {module}, sys\nmodule = sys.modules[{module!r}]\n"
        "print(type(module) is Lazy)\nmodule.__doc__\nprint(type(module) is Lazy)"
    )
    assert found.split() == ["True", "False"]


def test_a_name_taken_out_of_a_module_loads_it_at_once():
    found = printed(
        "from regdemo import lazy\nfrom regdemo.lazy import LazyModule as Lazy\nlazy.install()\n"
        "from regdemo.errors import RegdemoError\nimport sys\nprint(type(sys.modules['regdemo.errors']) is Lazy)"
    )
    assert found == "False"


def test_importing_the_package_leaves_other_peoples_imports_alone():
    assert (
        printed("import sys\nbefore = sys.meta_path[:]\nimport regdemo.errors\nprint(sys.meta_path == before)")
        == "True"
    )


def test_a_module_that_does_not_exist_is_still_reported_at_the_import():
    found = printed(
        "from regdemo import lazy\nlazy.install()\n"
        "try:\n    import regdemo.nothing\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    assert "regdemo.nothing" in found


def test_a_second_import_does_not_load_a_module():
    # The import system looks at the spec of a module that is there already.
    found = printed(
        "from regdemo import lazy\nfrom regdemo.lazy import LazyModule as Lazy\nlazy.install()\n"
        "import regdemo.quiz.schedule, sys\nimport hashlib\nimport hashlib\nprint(type(hashlib) is Lazy)"
    )
    assert found == "True"


@pytest.mark.parametrize(
    ("submodule", "held_by_its_parent"),
    [("fsrs.scheduler", "fsrs.Scheduler is fsrs.scheduler.Scheduler"), ("torch.optim", "torch.optim.Adam")],
)
def test_a_submodule_that_its_parent_loads_is_not_loaded_a_second_time(submodule, held_by_its_parent):
    parent = submodule.partition(".")[0]
    found = printed(
        f"from regdemo import lazy\nlazy.install()\nimport sys\nimport {parent}\nimport {submodule}\n"
        f"print(bool({held_by_its_parent}), sys.modules[{submodule!r}] is {submodule}, {submodule}.__spec__.origin)"
    )
    assert found.split()[:2] == ["True", "True"]
    assert found.endswith(".py")


def test_a_module_can_be_loaded_again_on_purpose():
    found = printed(
        "from regdemo import lazy\nlazy.install()\nimport regdemo.errors, importlib\n"
        "first = regdemo.errors.RegdemoError\nimportlib.reload(regdemo.errors).RegdemoError\n"
        "print(regdemo.errors.RegdemoError is first)"
    )
    assert found == "False"


def test_a_worker_process_of_the_lab_loads_no_library_before_it_needs_it():
    item = "(__import__('regdemo.lab.compare'), 'sklearn.utils' in __import__('sys').modules)[1]"
    with Processes(1) as executor:
        assert executor.submit(eval, item).result() is False


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no SIGUSR1 here")
def test_a_second_signal_does_not_interrupt_what_the_first_one_has_ended():
    found = printed(
        "import signal\nfrom regdemo import lazy\nsignal.signal(signal.SIGUSR1, lambda *_: print('noted'))\n"
        "with lazy.interruptible(signal.SIGUSR1):\n"
        "    try:\n        signal.raise_signal(signal.SIGUSR1)\n"
        "    except KeyboardInterrupt:\n        print('raised')\n        signal.raise_signal(signal.SIGUSR1)"
    )
    assert found.split() == ["raised", "noted"]
