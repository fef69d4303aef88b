"""Repeat the results on Chorus: index, retrieve, fuse, score; print every command and table.

CHORUS_DIR holds `products.jsonl.gz` (id, title, brand, name, description), `queries.csv`
(query_id, query) and `judgments.csv` (query_id, product_id, grade 0 to 3; good is 2 or more).
Dense encoding of the 19,406 products takes some minutes on two cores; embeddings are kept in
EVALKIT_CACHE, finished stages are not run again.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

GOOD = 2
SINGLE = "item_goodrate,query_goodrate,ndcg,mrr,recall,judged"
PAIRED = "item_goodrate,query_goodrate,gsb,ndcg,mrr,recall"
SYSTEMS = ("bm25", "dense", "fused")


def evalkit(program: str, *arguments: str | Path) -> str:
    """Show one command, run it, return what it prints; end with its exit code if it fails."""
    words = [str(argument) for argument in arguments]
    print(f"$ evalkit {shlex.join(words)}", flush=True)
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, flush=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def make_runs(program: str, data: Path, out: Path) -> dict[str, Path]:
    """Index the catalogue by words and by meaning, retrieve 100 products a query, fuse."""
    runs = {system: out / f"{system}.parquet" for system in SYSTEMS}
    catalogue: list[str | Path] = ["--products", data / "products.jsonl.gz"]
    catalogue += ["--map", "product_id=id", "--fields", "title,brand,name,description"]
    depth = ["--k", "100", "--system"]
    for system, options in [("bm25", ["lexical"]), ("dense", ["dense", "--index", "flat"])]:
        index = out / f"{system}.index"
        evalkit(program, "index", *catalogue, "--kind", *options, "-o", index)
        queries: list[str | Path] = ["--queries", data / "queries.csv", "--index", index]
        evalkit(program, "retrieve", *queries, *depth, system, "-o", runs[system])
    both = [runs["bm25"], runs["dense"]]
    method = ["--method", "rrf", "--rrf-k", "60"]
    evalkit(program, "fuse", *both, *method, *depth, "fused", "-o", runs["fused"])
    return runs


def say_what_is_attainable(data: Path) -> None:
    """Print what a perfect run would reach with these judgments."""
    goods: Counter[str] = Counter()
    with (data / "judgments.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            goods[row["query_id"]] += float(row["grade"]) >= GOOD
    without = sorted(query for query, count in goods.items() if not count)
    query_goodrate = 100 * (1 - len(without) / len(goods))
    shown = sum(min(10, count) for count in goods.values())
    print(
        f"{len(without)} of {len(goods)} queries have no product of grade {GOOD} or more: "
        f"{' '.join(without)}.\nA perfect run reaches Query Goodrate@10 {query_goodrate:.2f} and, "
        f"with ten products a query, Item Goodrate@10 {100 * shown / (10 * len(goods)):.2f}.\n"
    )


def score_runs(program: str, data: Path, runs: dict[str, Path]) -> None:
    """Score each run by itself, then every pair under the three treatments of the unjudged."""
    files: list[str | Path] = ["--judgments", data / "judgments.csv"]
    files += ["--queries", data / "queries.csv", "--good", str(GOOD)]
    named = [word for name, path in runs.items() for word in ("--run", f"{name}={path}")]
    evalkit(program, "score", *named, *files, "--at", "10,5,20", "--measures", SINGLE)
    for control, treatment in combinations(SYSTEMS, 2):
        pair: list[str | Path] = ["--control", runs[control], "--treatment", runs[treatment]]
        for unjudged in ("bounds", "drop"):  # `bounds` has the figures of `bad`, and their range
            options = ["--measures", PAIRED, "--unjudged", unjudged]
            evalkit(program, "score", *pair, *files, *options)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python benchmarks/chorus.py chorus -o build/chorus",
    )
    parser.add_argument("data", type=Path, metavar="CHORUS_DIR", help="the data")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT_DIR")
    parser.add_argument(
        "--evalkit", default=str(Path(sys.executable).parent / "evalkit"), metavar="PATH"
    )
    given = parser.parse_args()
    names = ("products.jsonl.gz", "queries.csv", "judgments.csv")
    missing = [name for name in names if not (given.data / name).exists()]
    if missing:
        parser.error(f"{given.data} has no {', '.join(missing)}")
    given.output.mkdir(parents=True, exist_ok=True)
    runs = make_runs(given.evalkit, given.data, given.output)
    say_what_is_attainable(given.data)
    score_runs(given.evalkit, given.data, runs)


if __name__ == "__main__":
    main()
