"""The real server in a process of its own, and Chromium in front of it.

Tests wait for what the page says about itself (`data-task` and the like), never for a time.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "app"))

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield started
        started.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`python -m annotate_app` on a free port, which stays the same over restarts."""

    def __init__(self, database: str, log: Path, **environment: str) -> None:
        self.database, self.log, self.port = database, log, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "annotate_app", "--db", self.database),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                ],
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment},
                cwd=self.log.parent,
                stdout=log,
                stderr=log,
            )
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=1):
                    return self
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        """As a power cut would: SIGKILL, nothing is said goodbye to."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Start servers that end with the module."""
    servers = []

    def start(database: str, **environment: str) -> Server:
        log = tmp_path_factory.mktemp("server") / "log.txt"
        server = Server(database, log, **environment).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.kill()


class Annotator:
    """Somebody at a browser of their own."""

    def __init__(self, chromium, server: Server, token: str, **options) -> None:
        self.server = server
        self.context = chromium.new_context(
            **{"viewport": {"width": 1366, "height": 768}, **options}
        )
        # pictures of the tests' products have no server
        self.context.route("https://images.shop.example/**", lambda route: route.abort())
        self.page = self.context.new_page()
        self.token = token

    def enter(self) -> Annotator:
        self.page.goto(f"{self.server.url}/invite/{self.token}")
        self.until_ready()
        return self

    def until_ready(self) -> None:
        """Wait until the page listens to keys."""
        self.page.wait_for_selector("[data-ek-ready] #ek-task, #ek-rest")

    @property
    def task(self) -> str:
        return self.page.locator("#ek-task").get_attribute("data-task") or ""

    @property
    def done(self) -> int:
        return int(self.page.locator("#ek-progress").get_attribute("data-done"))

    @property
    def said(self) -> str:
        return self.page.locator("#ek-saved").inner_text().strip()

    def until_task_is_not(self, before: str) -> None:
        self.page.wait_for_function(
            "before => { const ready = document.documentElement.dataset.ekReady;"
            " return document.querySelector('#ek-rest, #ek-feedback')"
            " || (ready && ready !== before"
            " && ready === document.querySelector('#ek-task')?.dataset.task); }",
            arg=before,
        )

    def key(self, key: str) -> None:
        """Press a key that does not vote, and wait until the page has dealt with it."""
        before = self.page.evaluate("document.documentElement.dataset.ekRun")
        self.page.keyboard.press(key)
        self.page.wait_for_function(
            "before => document.documentElement.dataset.ekRun !== before", arg=before
        )

    def press(self, key: str) -> None:
        """Vote with a key and wait for the next task."""
        before = self.task
        self.page.keyboard.press(key)
        self.until_task_is_not(before)

    def click(self, words: str) -> None:
        """Vote with the mouse and wait for the next task."""
        before = self.task
        self.page.get_by_role("button", name=words).click()
        self.until_task_is_not(before)


@pytest.fixture
def visit(chromium):
    """Somebody who comes in by link; browsers are closed when the test ends."""
    there = []

    def enter(server: Server, token: str, **options) -> Annotator:
        one = Annotator(chromium, server, token, **options)
        there.append(one)
        return one.enter()

    yield enter
    for one in there:
        one.context.close()
