"""`evalkit db` and `evalkit annotate`: the database of studies, and the way to the pages."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from study_shop import FILES, for_treatment, vote

from evalkit.store import find_study, open_store, progress

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

DB = "sqlite:///evalkit.db"


@pytest.fixture
def run(evalkit: Run, shop: Path) -> Run:
    """Run a command beside a database with a study and its votes."""
    done = evalkit("study", "create", "shoes", *FILES, "--overlap", 1, "--open")
    assert done.code == 0, done.err
    vote(DB, "shoes", ["ann"], for_treatment(1))
    return evalkit


def test_an_upgraded_database_is_left_as_it_is(run: Run) -> None:
    done = run("db", "upgrade")
    assert done.code == 0, done.err
    assert done.out.startswith("The database is up to date (schema ")


def test_a_sound_database_passes_the_check(run: Run) -> None:
    done = run("db", "check")
    assert (done.code, done.out) == (0, "Nothing is wrong with the database.\n")


def test_damage_is_told_and_ends_with_2(run: Run) -> None:
    with sqlite3.connect("evalkit.db") as connection:
        connection.execute("UPDATE slot SET state = 'free' WHERE state = 'done'")
    connection.close()
    done = run("db", "check")
    assert done.code == 2
    assert "free places are held by somebody." in done.out


def test_a_backup_is_a_whole_database(run: Run) -> None:
    done = run("db", "backup", "copy.db")
    assert (done.code, done.out) == (0, "Wrote copy.db\n")
    with open_store("sqlite:///copy.db") as store:
        assert progress(store, find_study(store, "shoes").id).votes == 10


def test_backups_of_a_folder_are_pruned(run: Run) -> None:
    Path("copies").mkdir()
    for _ in range(3):
        assert run("db", "backup", "copies", "--keep", 2).code == 0
    assert len(list(Path("copies").iterdir())) == 2


@pytest.mark.parametrize("words", [("copies/",), ("copies/", "--keep", 2)])
def test_a_folder_of_backups_is_made(run: Run, words: tuple[object, ...]) -> None:
    """A file of that name would stand in the way of the second backup."""
    for _ in range(2):
        done = run("db", "backup", *words)
        assert done.code == 0, done.err
    assert len(list(Path("copies").glob("evalkit-*.db"))) == 2


BAD: dict[str, tuple[tuple[object, ...], str]] = {
    "backups of a folder in no folder": (("db", "backup", "no/copies/"), "make it first"),
    "backups in a file": (("db", "backup", "queries.csv/"), "is a file"),
    "a backup over a file": (("db", "backup", "queries.csv"), "queries.csv exists"),
    "a backup without a folder": (("db", "backup", "no/copy.db"), "make it first"),
    "keep without a folder": (("db", "backup", "copy.db", "--keep", 2), "folder of backups"),
    "nothing to copy": (("db", "backup", "copy.db", "--db", "gone.db"), "no study database at"),
    "nothing to upgrade": (("db", "upgrade", "--db", "gone.db"), "no study database at"),
    "upgrading no database": (("db", "upgrade", "--db", "queries.csv"), "file is not a database"),
    "nothing to check": (("db", "check", "--db", "gone.db"), "no study database at"),
    "no database": (("db", "check", "--db", "queries.csv"), "name the file that evalkit study"),
    "a folder": (("db", "check", "--db", "."), "name a file in a folder that you may write to"),
    "nothing to vote on": (("annotate", "--db", "gone.db"), "evalkit study create makes one"),
    "no port": (("annotate", "--port", 0), "Invalid value for '--port'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_done_is_told_in_one_line(run: Run, case: str) -> None:
    words, said = BAD[case]
    before = sorted(path for path in Path().iterdir() if "evalkit.db" not in path.name)
    done = run(*words)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.count("\n") == 1
    assert said in done.err
    assert sorted(path for path in Path().iterdir() if "evalkit.db" not in path.name) == before


def test_pages_that_are_not_installed_are_told_with_the_line_that_adds_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "streamlit" else found(name, *rest),
    )
    done = run("annotate")
    assert (done.code, done.out) == (2, "")
    assert "run pip install 'evalkit-search[app]'." in done.err


def test_a_port_that_is_taken_is_told(run: Run) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("annotate", "--port", port)
    assert (done.code, done.out) == (2, "")
    assert f"nothing can listen on localhost:{port} (Address already in use)" in done.err


def test_the_pages_are_served_until_ctrl_c(run: Run, program: list[str]) -> None:
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    words = [*program, "annotate", "--db", "evalkit.db", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert b'"status":"ok"' in _answer(f"http://localhost:{port}/healthz")
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 130
            assert process.stderr is not None
            assert b"Traceback" not in process.stderr.read()


def _answer(url: str) -> bytes:
    """What a server says once it is up."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: bytes = answer.read()
                return found
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"nothing answers at {url}")


@pytest.mark.parametrize("words", [("db", w) for w in ("upgrade", "check", "backup")])
def test_every_help_ends_with_an_example(run: Run, words: tuple[str, ...]) -> None:
    assert f"Example: evalkit {' '.join(words)}" in run(*words, "--help").out
    assert "Example: evalkit annotate" in run("annotate", "--help").out
