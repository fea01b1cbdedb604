"""A real server for each module, and one browser; tests skip, and say why, where either is missing."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

LIBRARIES = ("starlette", "uvicorn", "jinja2", "latex2mathml", "pygments", "httpx")
MISSING = [library for library in LIBRARIES if find_spec(library) is None]
if "httpx" not in MISSING:
    import httpx


def pytest_pycollect_makemodule():
    """Skip the folder where a library is missing. A skip at the import of this file would end `pytest tests/web`."""
    if MISSING:
        pytest.skip(f"{MISSING[0]} is missing: pip install 'regdemo[web,peers,test]'", allow_module_level=True)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Server:
    """`regdemo web` as a script would start it. address: the one-time one; base: what every page begins with."""

    def __init__(self, home, *options, env=None):
        self.home = Path(home)
        self.options = options
        self.env = env or {}
        self.process = None
        self.start()

    def start(self, *more):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "regdemo", "web", "--no-browser", *self.options, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "REGDEMO_HOME": str(self.home), **self.env},
        )
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.process.stderr.read()
        self.base = f"http://{urlsplit(self.address).netloc}"
        self.port = urlsplit(self.address).port

    @contextmanager
    def client(self):
        """A client that has entered."""
        with httpx.Client(base_url=self.base, headers={"Origin": self.base}, timeout=60) as client:
            client.get(self.address).raise_for_status()
            yield client

    def kill(self):
        self.process.kill()
        self._ended()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._ended()

    def _ended(self):
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def code_of(page):
    """The form code of a page."""
    return re.search(r'name="csrf" value="(\w+)"', page.text)[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("home"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing: pip install 'regdemo[web,test]'"
    )
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: apt install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()
