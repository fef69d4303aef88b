"""The command as a process: pipes, exit codes, start-up time, and what it imports."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import evalkit as package

if TYPE_CHECKING:
    from collections.abc import Callable

    Spawn = Callable[..., subprocess.CompletedProcess[str]]

PAIR = ("--control", "control.run", "--treatment", "treatment.parquet")


def test_judgments_come_from_standard_input(spawn: Spawn, files: Path) -> None:
    judgments = Path("judgments.csv").read_text()
    options = ("score", *PAIR, "--at", 3, "--format", "csv")
    piped = spawn(*options, "--judgments", "-", input=judgments)
    named = spawn(*options, "--judgments", "judgments.csv")
    assert (piped.returncode, piped.stderr) == (0, "")
    assert piped.stdout == named.stdout
    assert "item_goodrate,3,4,0.444" in piped.stdout


def test_a_compressed_run_comes_from_standard_input(spawn: Spawn, files: Path) -> None:
    packed = subprocess.run(["gzip", "-c", "control.run"], capture_output=True, check=True).stdout
    Path("control.run.gz").write_bytes(packed)
    with open("control.run.gz", "rb") as stream:
        done = spawn("score", "--run", "today=-", "--judgments", "judgments.csv", stdin=stream)
    assert done.returncode == 0
    assert "today" in done.stdout


def test_an_empty_standard_input_is_told(spawn: Spawn, files: Path) -> None:
    done = spawn("score", *PAIR, "--judgments", "-", input="")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ("evalkit: -: is empty. Check the command that should have written it.\n")


def test_a_reader_that_leaves_early_is_no_error(program: list[str], files: Path) -> None:
    score = [*program, "score", *PAIR, "--judgments", "judgments.csv", "--format", "json"]
    with subprocess.Popen(score, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # `head` that has seen enough before the first byte
        errors = process.stderr.read()
        assert (process.wait(), errors) == (0, b"")


def test_output_goes_through_a_pipe_to_head(program: list[str], files: Path) -> None:
    words = [*program, "score", *PAIR, "--judgments", "judgments.csv"]
    line = " ".join(f"'{word}'" for word in words)
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line} | head -1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Query set: 4 queries (judgments)")
    assert done.stderr == ""


def test_minus_as_output_is_standard_output(spawn: Spawn, files: Path) -> None:
    done = spawn("score", *PAIR, "--judgments", "judgments.csv", "-o", "-")
    assert done.returncode == 0
    assert "Item Goodrate@10" in done.stdout


def test_bad_input_ends_with_2_and_one_line(spawn: Spawn, files: Path) -> None:
    Path("bad.csv").write_text("query_id,product_id,score\nq1,a,high\n")
    done = spawn("score", "--run", "bad.csv", "--judgments", "judgments.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "evalkit: bad.csv: row 2, column score, query 'q1', product 'a': score is not a number: "
        "'high'. Correct these values or leave the rows out.\n"
    )


def test_ctrl_c_ends_with_130(program: list[str], files: Path) -> None:
    import signal

    os.mkfifo("never.csv")
    score = [*program, "score", "--run", "never.csv", "--judgments", "judgments.csv"]
    with subprocess.Popen(score, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        writer = os.open("never.csv", os.O_WRONLY)  # opens when the reader waits for the pipe
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait() == 130
        os.close(writer)
    assert errors.strip() == "evalkit: interrupted; nothing half-written was left behind."


_LOST = """
import os, signal
import evalkit.constraints.parsing_stage as stage
real = stage.parse_queries
def parse(*given, **more):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass  # as DuckDB does when it imports pandas
    real(*given, **more)
stage.parse_queries = parse
from evalkit.cli import main
main()
"""
_IN_DUCKDB = """
import os, signal, threading
import evalkit.constraints.parsing_stage as stage
def parse(*_, **__):
    import duckdb
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    duckdb.sql("SELECT count(*) FROM range(100000000000) a WHERE hash(range) = 1").fetchall()
stage.parse_queries = parse
from evalkit.cli import main
main()
"""


@pytest.mark.parametrize("code", [_LOST, _IN_DUCKDB], ids=["lost", "in DuckDB"])
def test_ctrl_c_ends_with_130_while_duckdb_works(code: str, files: Path) -> None:
    words = ["parse", "queries", "--queries", "queries.tsv", "-o", "typed.parquet"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == "evalkit: interrupted; nothing half-written was left behind."
    assert "Traceback" not in done.stderr
    assert not Path("typed.parquet").exists()


HEAVY = {
    *("torch", "transformers", "sentence_transformers", "faiss", "bm25s", "sklearn"),
    *("streamlit", "plotly", "pandas", "polars"),
}


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_score_imports_no_model_library_and_no_other_frames(files: Path, form: str) -> None:
    done = _run_and_list_modules(
        *("score", *PAIR, "--judgments", "judgments.csv", "--queries", "queries.tsv"),
        *("--by", "query_type", "--format", form, "--per-query", "moved.csv"),
    )
    assert done == set()


def test_the_page_needs_plotly_and_nothing_heavier(files: Path) -> None:
    done = _run_and_list_modules(
        *("score", *PAIR, "--judgments", "judgments.csv", "-o", "report.html")
    )
    assert done - {"plotly"} == set()


def test_help_imports_nothing_but_click(files: Path) -> None:
    assert _run_and_list_modules("--help", also={"duckdb", "numpy", "narwhals", "pyarrow"}) == set()


def _run_and_list_modules(*arguments: str, also: set[str] | None = None) -> set[str]:
    """Run a command in a process of its own; which of the heavy modules it has imported."""
    program = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('MODULES', *sorted({HEAVY | (also or set())!r}"
        " & set(sys.modules)), file=sys.stderr))\n"
        "from evalkit.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split()[1:])


def test_help_answers_at_once(program: list[str]) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([*program, "--help"], capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.5


def test_version_is_the_packages(spawn: Spawn) -> None:
    done = spawn("--version")
    assert done.stdout == f"evalkit, version {package.__version__}\n"


def test_the_console_script_is_the_same_function(files: Path) -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="evalkit")
    assert script.value == "evalkit.cli:main"


@pytest.mark.parametrize(
    "words", [("--help",), ("score", "-h"), ("diff", "-h"), ("fuse", "-h"), ("models", "-h")]
)
def test_every_help_ends_with_an_example(evalkit: Callable[..., Any], words: tuple[str]) -> None:
    done = evalkit(*words)
    assert done.code == 0
    assert "Example: evalkit" in done.out


def test_an_unknown_command_is_told(evalkit: Callable[..., Any]) -> None:
    done = evalkit("scroe")
    assert (done.code, done.out) == (2, "")
    assert "No such command 'scroe'" in done.err
