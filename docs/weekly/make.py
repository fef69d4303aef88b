"""Make the worked example of a weekly report: eight weeks of a shop that changes its search.

    python docs/weekly/make.py              rewrites report-2026-W47.html and .md beside this file
    python docs/weekly/make.py --out DIR    somewhere else
    python docs/weekly/make.py --keep DIR   also keeps runs, votes and the database there

Retrieval is real: BM25, MiniLM and fusions of both over the sample shop. People and judge are
simulated (see sample_data/simulate.py); README.md beside this file tells the story and what the
truth is. Every step is a command that a user would type. It takes a few minutes.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "sample_data"
HERE = Path(__file__).resolve().parent
LAST = "2026-W47"
DATABASE = "evalkit.db"
SMALL = 120  # queries of the first weeks


@dataclass(frozen=True)
class Week:
    """What the shop tried in one week.

    Attributes:
        name: ISO week.
        control: system of today.
        treatment: system of the change.
        queries: the query set.
        judge: who graded the products.
        study: whether people voted.
        labels: queries whose products people graded as well, 0 for none.
    """

    name: str
    control: str
    treatment: str
    queries: str = "queries.csv"
    judge: str = "grader-1"
    study: bool = True
    labels: int = 0


# nobody evaluated anything in 2026-W43
WEEKS = (
    Week("2026-W39", "titles", "bm25", queries="queries-120.csv"),
    Week("2026-W40", "bm25", "fused-30", queries="queries-120.csv"),
    Week("2026-W41", "fused-30", "fused-rrf", queries="queries-120.csv", study=False),
    Week("2026-W42", "fused-30", "bm25", queries="queries-120.csv"),
    Week("2026-W44", "fused-30", "fused-50", labels=40),
    Week("2026-W45", "fused-30", "dense"),
    Week("2026-W46", "fused-30", "dense", judge="grader-2"),
    Week("2026-W47", "fused-30", "fused-70", judge="grader-2", labels=48),
)
JUDGES = {"grader-1": (0.65, 0.75, 11), "grader-2": (0.88, 0.5, 12)}  # accuracy, lean, seed


class Shop:
    """A folder with everything of the example, and the commands that are run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        cache = os.environ.get("EVALKIT_CACHE", str(folder / "cache"))
        self.environment = {**os.environ, "EVALKIT_CACHE": cache, "GOMP_SPINCOUNT": "0"}

    def run(self, *command: object) -> None:
        """Run one command in the folder; an error ends everything with its message."""
        words = [str(word) for word in command]
        print("$", shlex.join(words), flush=True)
        program = Path(sys.executable).parent / words[0]
        start = [str(program), *words[1:]] if program.exists() else words
        done = subprocess.run(
            start,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{done.stdout}{done.stderr}")

    def evalkit(self, *words: object) -> None:
        """Run an evalkit command."""
        self.run("evalkit", *words)

    def simulate(self, *words: object) -> None:
        """Run sample_data/simulate.py."""
        self.run("python", "simulate.py", *words)


def make_files(shop: Shop) -> None:
    """Copy the shop, halve its queries, and choose the pairs on which judges are watched."""
    for name in ("products.jsonl", "queries.csv", "judgments.csv", "simulate.py"):
        shutil.copy(SHOP / name, shop.folder / name)
    with open(SHOP / "queries.csv", encoding="utf-8") as file:
        queries = list(csv.reader(file))
    few = sorted(random.Random(39).sample(queries[1:], SMALL))  # noqa: S311
    write_csv(shop.folder / "queries-120.csv", [queries[0], *few])
    with open(SHOP / "judgments.csv", encoding="utf-8") as file:
        rows = [(row["query_id"], row["product_id"], row["grade"]) for row in csv.DictReader(file)]
    draw = random.Random(40)  # noqa: S311
    gold = [
        row for grade in "0123" for row in draw.sample([row for row in rows if row[2] == grade], 75)
    ]
    write_csv(shop.folder / "gold.csv", [("query_id", "product_id", "grade"), *sorted(gold)])


def write_csv(path: Path, rows: list[tuple[str, ...] | list[str]]) -> None:
    """Write rows as CSV."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def make_runs(shop: Shop) -> None:
    """Retrieve with every system that the weeks compare."""
    products = ("--products", "products.jsonl")
    shop.evalkit("index", *products, "--kind", "lexical", "--fields", "title", "-o", "titles.index")
    shop.evalkit("index", *products, "--kind", "lexical", "-o", "bm25.index")
    shop.evalkit("index", *products, "--kind", "dense", "-o", "dense.index")
    for name in ("titles", "bm25", "dense"):
        retrieve = ("retrieve", "--queries", "queries.csv", "--index", f"{name}.index")
        shop.evalkit(*retrieve, "--k", 100, "--system", name, "-o", f"{name}.parquet")
    both = ("fuse", "bm25.parquet", "dense.parquet")
    shop.evalkit(*both, "--system", "fused-rrf", "-o", "fused-rrf.parquet")
    for share in (30, 50, 70):
        weights = f"{(100 - share) / 100},{share / 100}"
        name = f"fused-{share}"
        options = ("--method", "weighted", "--weights", weights, "--system", name)
        shop.evalkit(*both, *options, "-o", f"{name}.parquet")


def make_judges(shop: Shop) -> None:
    """Let each judge grade everything."""
    for name, (accuracy, lean, seed) in JUDGES.items():
        options = ("--accuracy", accuracy, "--lean", lean, "--seed", seed)
        shop.simulate("judge", *options, "-o", f"{name}.csv")


def evaluate(shop: Shop, week: Week, seed: int) -> None:
    """Everything that is done in one week, recorded in the database."""
    recorded = ("--record", "--week", week.name, "--db", DATABASE)
    runs = (
        *("--control", f"{week.control}.parquet"),
        *("--treatment", f"{week.treatment}.parquet"),
    )
    scored = (
        *runs,
        *("--judgments", f"{week.judge}.csv", "--queries", week.queries),
        *("--products", "products.jsonl", "--good", 2, "--by", "query_type", "--judge", week.judge),
    )
    per_query = f"per-query-{week.name}.parquet"
    shop.evalkit("score", *scored, "--at", "10,5", "--per-query", per_query, *recorded)
    gold = ("--gold", "gold.csv", "--judgments", f"{week.judge}.csv", "--judge", "grader")
    shop.evalkit("drift", *gold, "--good", 2, *recorded)
    if week.study:
        study = f"sbs-{week.name}"
        files = ("--queries", week.queries, "--products", "products.jsonl", "--overlap", 3)
        options = ("--seed", seed, "--db", DATABASE, "--open")
        shop.evalkit("study", "create", study, *runs, *files, *options)
        shop.simulate("votes", *runs, "--queries", week.queries, "--seed", seed, "-o", "votes.csv")
        shop.evalkit("study", "import", study, "votes.csv", "--db", DATABASE)
        shop.evalkit("study", "close", study, "--db", DATABASE)
        shop.evalkit("study", "record", study, "--week", week.name, "--db", DATABASE)
        both = ("--study", study, "--per-query", per_query, "--by", "query_type")
        shop.evalkit("correlate", *both, *recorded)
    if week.labels:
        sample = ("--sample", week.labels, "--queries", week.queries, "--seed", seed)
        shop.simulate("labels", *runs, *sample, "-o", "human.csv")
        wide = ("--human", "human.csv", "--target", "population")
        shop.evalkit("calibrate", *scored, *wide, *recorded)


def make_report(shop: Shop, out: Path) -> None:
    """Write the report of the last week and its Markdown twin."""
    name = f"report-{LAST}"
    shop.evalkit(
        *("report", "--week", LAST, "--db", DATABASE),
        *("-o", f"{name}.html", "--markdown", f"{name}.md"),
    )
    for ending in ("html", "md"):
        shutil.copy(shop.folder / f"{name}.{ending}", out / f"{name}.{ending}")


def main() -> None:
    """Make the example in a temporary folder and keep its report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report")
    parser.add_argument("--keep", type=Path, help="folder of everything else")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        shop = Shop(given.keep or Path(temporary))
        shop.folder.mkdir(parents=True, exist_ok=True)
        (shop.folder / DATABASE).unlink(missing_ok=True)
        make_files(shop)
        make_runs(shop)
        make_judges(shop)
        for seed, week in enumerate(WEEKS, start=1):
            evaluate(shop, week, seed)
        make_report(shop, given.out.resolve())


if __name__ == "__main__":
    main()
