from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

# The worked figures of docs/metrics.md: N = 3, good = grade >= 1. Every product id is its own:
# `c` of the control, `t` of the treatment, then the query and the place.
CONTROL_RUN = """\
q1 Q0 c11 1 3.0 today
q1 Q0 c12 2 2.0 today
q1 Q0 c13 3 1.0 today
q2 Q0 c21 1 3.0 today
q2 Q0 c22 2 2.0 today
q2 Q0 c23 3 1.0 today
q3 Q0 c31 1 3.0 today
q3 Q0 c32 2 2.0 today
q3 Q0 c33 3 1.0 today
"""
TREATMENT_ROWS = [
    *[("q1", "t11", 1), ("q1", "t12", 2), ("q1", "t13", 3)],
    *[("q2", "t21", 1), ("q2", "t22", 2)],
    *[("q3", "t31", 1), ("q3", "t32", 2), ("q3", "t33", 3)],
    *[("q4", "t41", 1), ("q4", "t42", 2), ("q4", "t43", 3)],
]
GOOD = ["c13", "t11", "t12", "t21", "c31", "c32", "c33", "t31", "t32", "t33"]
BAD = ["c11", "c12", "t13", "c21", "c23", "t41", "t42", "t43"]  # c22 and t22 are unjudged
QUERIES = "query_id\tquery\tquery_type\n" + "".join(
    f"q{i}\tquery {i}\t{'negative' if i < 3 else 'knowledge'}\n" for i in (1, 2, 3, 4)
)


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        """The JSON that it printed."""
        assert self.code == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found

    def row(self, measure: str, cutoff: int | None = 3, **segment: str) -> dict[str, Any]:
        """The one result of this name."""
        rows = [
            row
            for row in self.document()["results"]
            if (row["measure"], row["cutoff"], row["segment"]) == (measure, cutoff, segment)
        ]
        assert len(rows) == 1, f"{len(rows)} rows of {measure}@{cutoff} in {segment}"
        return rows[0]


@pytest.fixture
def evalkit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run a command in this process, through the function that the console script calls."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["evalkit", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def program() -> list[str]:
    """The console script's words for a subprocess or a shell."""
    return [sys.executable, "-c", "from evalkit.cli import main; main()"]


@pytest.fixture
def spawn(program: list[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command as a process of its own."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "default"},
            **options,
        )

    return run


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The worked figures as files of four formats, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    Path("control.run").write_text(CONTROL_RUN)
    queries, products, ranks = zip(*TREATMENT_ROWS, strict=True)
    pq.write_table(
        pa.table({"query_id": queries, "product_id": products, "rank": ranks}), "treatment.parquet"
    )
    Path("judgments.csv").write_text(
        "query_id,docno,rel\n"
        + "".join(f"q{product[1]},{product},1\n" for product in GOOD)
        + "".join(f"q{product[1]},{product},0\n" for product in BAD)
    )
    Path("queries.tsv").write_text(QUERIES)
    return tmp_path


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the runs, queries and products of a small shop, which is the current one."""
    from study_shop import write_shop

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVALKIT_DB", raising=False)
    write_shop()
    return tmp_path


PAIR = ("--control", "control.run", "--treatment", "treatment.parquet")
JUDGED = ("--judgments", "judgments.csv", "--queries", "queries.tsv", "--at", "3")


@pytest.fixture
def score(evalkit: Callable[..., Done], files: Path) -> Callable[..., Done]:
    """Compare the two runs of the worked figures at 3, as JSON; other options and runs win."""

    def run(*more: object) -> Done:
        # a second --control or --treatment is another seed's, and replaces nothing
        pairs = [pair for pair in (PAIR[:2], PAIR[2:]) if pair[0] not in more]
        words = [word for pair in pairs for word in pair]
        return evalkit("score", *words, *JUDGED, "--format", "json", *more)

    return run


@pytest.fixture
def score_run(evalkit: Callable[..., Done], files: Path) -> Callable[..., Done]:
    """Score single runs with the judgments of the worked figures at 3, as JSON."""

    def run(*more: object) -> Done:
        return evalkit("score", *JUDGED, "--format", "json", *more)

    return run
