"""Runs that are killed, broken off, or work side by side on one cache."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tests.llm.conftest import Opened, ask
from tests.llm.fake_server import FakeServer, answer_to, fake_server

ROOT = Path(__file__).parents[2]
COUNT = 40
QUESTIONS = [f"question {number}" for number in range(COUNT)]


def run(server: FakeServer, cache: Path, concurrency: int = 4) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.llm.asking"),
            *(server.url, str(cache), str(COUNT), str(concurrency)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def wait_for(process: subprocess.Popen[str], answers: int) -> None:
    assert process.stdout is not None
    for _ in range(answers):
        assert process.stdout.readline() == "one\n"


def rows(cache: Path) -> int:
    database = sqlite3.connect(cache)
    try:
        return int(database.execute("SELECT count(*) FROM answers").fetchone()[0])
    finally:
        database.close()


def test_after_a_kill_what_was_answered_is_not_sent_again(opened: Opened, answers: Path) -> None:
    with fake_server(delay=0.3) as server:
        process = run(server, answers)
        wait_for(process, 12)
        time.sleep(0.1)  # the next four are under way
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        kept = rows(answers)
        assert 12 <= kept < COUNT
        time.sleep(0.4)  # what was under way is through
        # at most what was under way is lost, and the second run does not wait for the dead one
        first = server.requests
        assert 1 <= first - kept <= 4
        started = time.monotonic()
        model = opened(server.url)
        found = model.generate(ask(*QUESTIONS))
        assert time.monotonic() - started < 5
    assert [answer.texts[0] for answer in found] == [answer_to(item) for item in QUESTIONS]
    assert server.requests - first == COUNT - kept
    assert sum(answer.cached for answer in found) == kept
    assert sum(server.asked.values()) - COUNT == first - kept


def test_an_interrupt_keeps_what_was_answered(opened: Opened, answers: Path) -> None:
    with fake_server(delay=0.3) as server:
        process = run(server, answers)
        wait_for(process, 8)
        time.sleep(0.1)  # the next four are under way
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=10)
        assert process.returncode != 0
        assert "KeyboardInterrupt" in complaint
        kept = rows(answers)
        assert 8 <= kept < COUNT
        assert server.requests > kept
        database = sqlite3.connect(answers)
        assert database.execute("SELECT count(*) FROM claims").fetchone() == (0,)
        database.close()
        first = server.requests
        opened(server.url).generate(ask(*QUESTIONS))
        assert server.requests - first == COUNT - kept


def test_two_runs_at_once_pay_every_answer_once(answers: Path) -> None:
    with fake_server(delay=0.05) as server:
        both = [run(server, answers) for _ in range(2)]
        said = [process.communicate(timeout=60)[0].splitlines() for process in both]
        assert server.asked == dict.fromkeys(QUESTIONS, 1)
    assert all(len(lines) == COUNT + 1 for lines in said)
    sent = [int(lines[-1].split()[1]) for lines in said]
    assert sum(sent) == COUNT
    assert all(lines[-1].endswith("errors 0") for lines in said)
    assert rows(answers) == COUNT
