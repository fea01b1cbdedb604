"""What gets installed: one version of each package on every platform, and extras that add up."""

import tomllib
from collections import defaultdict
from itertools import product
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = (ROOT / "poetry.lock").read_text("utf-8")
PACKAGES = tomllib.loads(LOCK)["package"]
EXTRAS = PROJECT["optional-dependencies"]
PLATFORMS = {
    "Linux x86-64": ("linux", "Linux", "x86_64", "posix"),
    "Linux arm64": ("linux", "Linux", "aarch64", "posix"),
    "macOS arm64": ("darwin", "Darwin", "arm64", "posix"),
    "Windows": ("win32", "Windows", "AMD64", "nt"),
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def environment(platform, python):
    sys_platform, system, machine, os_name = PLATFORMS[platform]
    return {
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "os_name": os_name,
        "python_version": python,
        "python_full_version": f"{python}.4",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def installed(package, where):
    """Whether this entry of the lock is installed there, with every extra and without the groups of the lock alone."""
    if "main" not in package["groups"]:
        return False
    marker = package.get("markers", "")
    if isinstance(marker, dict):
        marker = marker.get("main", "")
    return not marker or any(Marker(marker).evaluate({**where, "extra": extra}) for extra in ["", *EXTRAS])


@pytest.mark.parametrize(("platform", "python"), [*product(PLATFORMS, PYTHONS)])
def test_the_lock_installs_one_version_of_each_package(platform, python):
    versions = defaultdict(list)
    for package in PACKAGES:
        if installed(package, environment(platform, python)):
            versions[package["name"]].append(package["version"])
    assert len(versions) > 30
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_lock_takes_what_torch_pins():
    """Where a package of the lock pins another one, the version that is installed is the one it pins."""
    pins = [
        (package["name"], name, rule["version"].removeprefix("==").removesuffix(".*"))
        for package in PACKAGES
        for name, rule in package.get("dependencies", {}).items()
        if isinstance(rule, dict) and rule.get("version", "").startswith("==") and name.startswith("nvidia")
    ]
    versions = {package["name"]: package["version"] for package in PACKAGES}
    wrong = [pin for pin in pins if pin[1] in versions and not versions[pin[1]].startswith(pin[2])]
    assert pins
    assert wrong == []


def test_the_lock_takes_each_package_from_the_public_index():
    assert [package["name"] for package in PACKAGES if "source" in package] == []


def test_the_lock_keeps_typer_on_the_version_that_starts_fast():
    (version,) = [package["version"] for package in PACKAGES if package["name"] == "typer"]
    assert tuple(map(int, version.split("."))) < (0, 29)


def test_the_extra_all_is_every_extra_for_users():
    tools = {"all", "test", "peers", "docs"}
    union = {requirement for extra in EXTRAS.keys() - tools for requirement in EXTRAS[extra]}
    assert set(EXTRAS["all"]) == union


def test_one_package_has_one_range_in_all_extras():
    ranges = {Requirement(text).name: text for text in PROJECT["dependencies"]}
    held = {"typer<0.29"}  # what the tests take of a range, as locked
    for text in {text for name in EXTRAS for text in EXTRAS[name]} - held:
        assert ranges.setdefault(Requirement(text).name, text) == text


def test_each_dependency_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    block = block[: block.index("all = [")] + block[block.index("test = [") :]
    bare = [line for line in block.splitlines() if line.startswith('  "') and "#" not in line]
    assert bare == []


def test_the_package_is_typed():
    assert (ROOT / "regdemo/py.typed").is_file()
