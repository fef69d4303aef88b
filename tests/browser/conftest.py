"""The real server in a process of its own, and Chromium in front of it.

Tests wait for what the page says about itself (`data-task` and the like), never for a time.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from annotator import Annotator

pytest.importorskip("streamlit")

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "app"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def port():
    """A free port, for those who must know it before the server runs."""
    return free_port()


class Server:
    """`python -m annotate_app` on a free port, which stays the same over restarts."""

    def __init__(self, database: str, log: Path, port: int, **environment: str) -> None:
        self.database, self.log, self.port = database, log, port
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

    def start(database: str, port: int | None = None, **environment: str) -> Server:
        log = tmp_path_factory.mktemp("server") / "log.txt"
        server = Server(database, log, port or free_port(), **environment).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.kill()


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
