"""A temporary study, the real server in front of it, and what the database says afterwards."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Server", "check_votes", "make_runs", "make_study"]

ROOT = Path(__file__).resolve().parent.parent
DEPTH = 10
_WORD = re.compile(r"\w+")


def make_runs(products: Path, queries: Path, seed: int, folder: Path) -> tuple[Path, Path]:
    """Write two runs that rank by shared words with seeded noise; no model is needed.

    Args:
        products: JSONL with `product_id`, `title`, `description`.
        queries: CSV with `query_id`, `query`.
        seed: of the noise.
        folder: where `control.csv` and `treatment.csv` are written.
    """
    with products.open(encoding="utf-8") as file:
        catalogue = [json.loads(line) for line in file]
    with queries.open(encoding="utf-8", newline="") as file:
        asked = list(csv.DictReader(file))
    words = {
        row["product_id"]: set(_WORD.findall(f"{row['title']} {row['description']}".casefold()))
        for row in catalogue
    }
    counts = Counter(word for each in words.values() for word in each)
    draw = random.Random(seed)
    paths = []
    for name, noise in (("control", 0.6), ("treatment", 1.2)):
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["query_id", "product_id", "rank"])
            for row in asked:
                wanted = set(_WORD.findall(row["query"].casefold()))
                scores = {
                    product: sum(log(len(words) / counts[word]) for word in wanted & there)
                    + draw.gauss(0, noise)
                    for product, there in words.items()
                }
                best = sorted(scores, key=lambda product: -scores[product])[:DEPTH]
                writer.writerows(
                    [row["query_id"], product, at] for at, product in enumerate(best, 1)
                )
        paths.append(path)
    return paths[0], paths[1]


def make_study(
    database: Path,
    runs: tuple[Path, Path],
    products: Path,
    queries: Path,
    *,
    overlap: int,
    seed: int,
    people: Sequence[str],
) -> dict[str, str]:
    """Make and open a study with `evalkit study create`; give each person's invite token."""
    from evalkit.store import invite, open_store

    url = f"sqlite:///{database}"
    subprocess.run(
        [
            *(str(Path(sys.executable).parent / "evalkit"), "study", "create", "benchmark"),
            *("--control", str(runs[0]), "--treatment", str(runs[1]), "--scale", "5"),
            *("--products", str(products), "--queries", str(queries), "--overlap", str(overlap)),
            *("--seed", str(seed), "--db", url, "--open"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with open_store(url) as store:
        return {name: invite(store, name)[1] for name in people}


class Server:
    """`python -m annotate_app` on a free port, as a process of its own."""

    def __init__(self, database: Path, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "annotate_app", "--db", f"sqlite:///{database}"),
                    *("--host", "127.0.0.1", "--port", str(port)),
                ],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                cwd=log.parent,
                stdout=output,
                stderr=output,
            )

    def __enter__(self) -> Server:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                    return self
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.1)
        self.__exit__()
        raise SystemExit(f"the server did not start:\n{self.said()}")

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        """What the server wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def memory(self) -> dict[str, int]:
        """Resident set now and at its largest, in bytes; empty where there is no /proc."""
        try:
            text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return {}
        fields = dict(line.split(":", 1) for line in text.splitlines() if line.startswith("Vm"))
        return {
            name: int(fields[field].split()[0]) * 1024
            for name, field in (("now", "VmRSS"), ("peak", "VmHWM"))
        }

    def cpu(self) -> float | None:
        """Processor time so far in seconds, user and system; None where there is no /proc."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_votes(database: Path, overlap: int, acknowledged: Sequence[int]) -> dict[str, Any]:
    """Compare what people were told with what is stored.

    Args:
        database: the SQLite file.
        overlap: votes that a task may have.
        acknowledged: ids of the votes that the pages called saved, one for each time.

    Returns:
        votes: rows stored.
        lost: votes called saved that are not there.
        unseen: votes stored that no page called saved.
        doubled: assignments with more votes than revisions that were opened, and votes called
            saved twice.
        over_served: tasks of people's own comparisons served to more than `overlap` people, or
            with more slots done.
    """
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as there:

        def rows(query: str, *values: object) -> list[tuple[Any, ...]]:
            return there.execute(query, values).fetchall()

        stored = {row[0] for row in rows("SELECT id FROM vote")}
        several = rows("SELECT assignment_id FROM vote GROUP BY assignment_id HAVING count(*) > 1")
        served = rows(
            "SELECT t.id FROM assignment a JOIN task t ON t.id = a.task_id WHERE t.kind = 'real' "
            "AND a.state <> 'skipped' GROUP BY t.id HAVING count(*) > ?",
            overlap,
        )
        done = rows(
            "SELECT s.task_id FROM slot s JOIN task t ON t.id = s.task_id WHERE t.kind = 'real' "
            "AND s.state = 'done' GROUP BY s.task_id HAVING count(*) > ?",
            overlap,
        )
    return {
        "votes": len(stored),
        "lost": len(set(acknowledged) - stored),
        "unseen": len(stored - set(acknowledged)),
        "doubled": len(several) + len(acknowledged) - len(set(acknowledged)),
        "over_served": len({row[0] for row in (*served, *done)}),
    }
