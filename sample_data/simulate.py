"""Write simulated votes, labels and judges for the sample shop, where people would be needed.

    python sample_data/simulate.py votes --control C.parquet --treatment T.parquet -o votes.csv
    python sample_data/simulate.py labels --control C.parquet --treatment T.parquet --sample 40 \
        -o human.csv
    python sample_data/simulate.py judge --accuracy 0.85 -o classifier.csv

The truth is judgments.csv. Simulated people see it with noise, differ from each other, and lean a
little to the left list; a simulated judge mistakes a grade for one near it. Both are there to try
the commands that need people. They say nothing about real people, and their names say that they are
simulated. Same arguments, same bytes.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

HERE = Path(__file__).resolve().parent
PEOPLE = ("simulated-ana", "simulated-ben", "simulated-cleo", "simulated-dan", "simulated-eve")
# how much of the difference between two lists a person sees, their noise, their lean to the left
SIGHT = np.array([1.0, 0.9, 1.1, 0.8, 1.0])
NOISE = np.array([0.08, 0.12, 0.06, 0.16, 0.10])
LEFT = np.array([0.00, 0.02, 0.00, 0.05, 0.01])
INDIFFERENT = 0.06
DEPTH = 10


def connect(judgments: Path) -> duckdb.DuckDBPyConnection:
    """Hold the truth as table `truth`."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(
        "CREATE TABLE truth AS SELECT query_id, product_id, grade FROM read_csv(?)",
        [str(judgments)],
    )
    return connection


def read_runs(
    connection: duckdb.DuckDBPyConnection, control: Path, treatment: Path, queries: Path
) -> None:
    """Hold the top of both runs as table `shown`: side, query_id, product_id, rank."""
    connection.execute(
        f"""CREATE TABLE shown AS
        FROM (SELECT 'control' AS side, query_id, product_id, rank FROM read_parquet(?)
            UNION ALL SELECT 'treatment', query_id, product_id, rank FROM read_parquet(?))
        SEMI JOIN (SELECT query_id FROM read_csv(?)) USING (query_id) WHERE rank <= {DEPTH}""",
        [str(control), str(treatment), str(queries)],
    )


def votes(connection: duckdb.DuckDBPyConnection, overlap: int, seed: int) -> None:
    """Make table `result`: `overlap` votes on every query whose two lists differ.

    A list is worth Σ grade / 3 / log2(rank + 1), divided by what ten perfect products would be
    worth; a person votes for the better list when the difference they see is large enough.
    """
    rows = connection.execute(
        """WITH lists AS (
            SELECT query_id, side, list(product_id ORDER BY rank) AS products,
                sum(coalesce(grade, 0) / 3 / log2(rank + 1)) AS worth
            FROM shown LEFT JOIN truth USING (query_id, product_id) GROUP BY query_id, side)
        SELECT coalesce(c.query_id, t.query_id) AS query_id,
            coalesce(t.worth, 0) - coalesce(c.worth, 0) AS difference
        FROM (FROM lists WHERE side = 'control') c
        FULL JOIN (FROM lists WHERE side = 'treatment') t USING (query_id)
        WHERE c.products IS DISTINCT FROM t.products ORDER BY 1"""
    ).fetchnumpy()
    rng = np.random.default_rng(seed)
    ids = rows["query_id"]
    ideal = (1 / np.log2(np.arange(1, DEPTH + 1) + 1)).sum()
    difference = np.repeat(np.asarray(rows["difference"], dtype=float) / ideal, overlap)
    first = rng.integers(0, len(PEOPLE), len(ids))
    who = ((first[:, None] + np.arange(overlap)) % len(PEOPLE)).ravel()
    left = (np.arange(len(who)) + rng.integers(0, 2)) % 2 == 0
    taste = np.repeat(rng.normal(0, 0.05, len(ids)), overlap)
    seen = SIGHT[who] * (difference + taste) + rng.normal(0, 1, len(who)) * NOISE[who]
    seen += np.where(left, LEFT[who], -LEFT[who])
    preference = np.where(np.abs(seen) <= INDIFFERENT, 0, np.sign(seen)).astype(int)
    seconds = np.round(np.exp(rng.normal(2.6, 0.4, len(who))), 1)
    keep(
        connection,
        query_id=np.repeat(ids, overlap),
        annotator=np.array(PEOPLE)[who],
        preference=preference,
        treatment_side=np.where(left, "left", "right"),
        seconds=seconds,
    )


def labels(connection: duckdb.DuckDBPyConnection, sample: int, seed: int) -> None:
    """Make table `result`: true grades of all that both runs show, for a sample of queries."""
    ids = [row[0] for row in connection.execute("SELECT DISTINCT query_id FROM shown").fetchall()]
    chosen = np.random.default_rng(seed).permutation(np.array(sorted(ids)))[:sample]
    connection.register("drawn", pa.table({"query_id": chosen}))
    connection.execute(
        f"""CREATE TABLE result AS
        SELECT query_id, product_id, coalesce(grade, 0) AS grade, 'human' AS source,
            '{PEOPLE[0]}' AS annotator, {len(chosen)} / {len(ids)} AS inclusion_probability
        FROM (SELECT DISTINCT query_id, product_id FROM shown SEMI JOIN drawn USING (query_id))
        LEFT JOIN truth USING (query_id, product_id) ORDER BY 1, 2"""
    )


def judge(connection: duckdb.DuckDBPyConnection, accuracy: float, lean: float, seed: int) -> None:
    """Make table `result`: grades, right with probability `accuracy`, else one or two beside it."""
    rows = connection.execute("FROM truth ORDER BY query_id, product_id").fetchnumpy()
    rng = np.random.default_rng(seed)
    grade = np.asarray(rows["grade"], dtype=int)
    wrong = rng.random(len(grade)) >= accuracy
    up = rng.random(len(grade)) < lean
    steps = rng.integers(1, 3, len(grade))
    moved = np.clip(grade + np.where(up, steps, -steps), 0, 3)
    keep(
        connection,
        query_id=rows["query_id"],
        product_id=rows["product_id"],
        grade=np.where(wrong, moved, grade),
        source=np.full(len(grade), "classifier"),
    )


def keep(connection: duckdb.DuckDBPyConnection, **columns: np.ndarray) -> None:
    """Make table `result` of columns of one length."""
    connection.register(
        "simulated", pa.table({k: pa.array(v.tolist()) for k, v in columns.items()})
    )
    connection.execute("CREATE TABLE result AS FROM simulated")


def write(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write table `result` as CSV, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    connection.execute("COPY result TO " + "'" + str(part).replace("'", "''") + "' (HEADER)")
    os.replace(part, path)
    count = connection.execute("SELECT count(*) FROM result").fetchall()[0][0]
    print(f"{path}: {count:,} simulated rows")


def main() -> None:
    """Read the arguments and write one file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=["votes", "labels", "judge"])
    parser.add_argument("--control", type=Path)
    parser.add_argument("--treatment", type=Path)
    parser.add_argument("--judgments", type=Path, default=HERE / "judgments.csv")
    parser.add_argument("--queries", type=Path, default=HERE / "queries.csv")
    parser.add_argument("--overlap", type=int, default=3, help="votes a query")
    parser.add_argument("--sample", type=int, default=40, help="queries with labels")
    parser.add_argument("--accuracy", type=float, default=0.85, help="of the judge")
    parser.add_argument("--lean", type=float, default=0.5, help="share of mistakes upward")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    if given.what != "judge" and not (given.control and given.treatment):
        parser.error(f"{given.what} need --control and --treatment")
    connection = connect(given.judgments)
    if given.what == "judge":
        judge(connection, given.accuracy, given.lean, given.seed)
    else:
        read_runs(connection, given.control, given.treatment, given.queries)
        if given.what == "votes":
            votes(connection, given.overlap, given.seed)
        else:
            labels(connection, given.sample, given.seed)
    write(connection, given.output)


if __name__ == "__main__":
    main()
