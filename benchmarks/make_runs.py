"""Make seeded runs and judgments for the benchmarks: TREC text, or Parquet when they are large.

Every query lists 100 products out of 50,000 and has 70 judgments: 62 of the listed products and 8
others, grades 0 to 3. Scores are gamma draws with two decimals, so that some tie. The first
queries of a large run are those of a small one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

DEPTH = 100
JUDGED_SHOWN = 62
JUDGED_OTHERS = 8
CHUNK = 10_000  # queries a chunk: 1 M rows of the run, about 200 MB while it is made


def chunks(queries: int, seed: int) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield (run, judgments) for ranges of queries.

    Args:
        queries: how many queries.
        seed: seeds every chunk together with the chunk's number.

    Yields:
        run: query_id, product_id, score, sorted by query and score.
        judgments: query_id, product_id, grade.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import compute

    def ids(letter: str, numbers: np.ndarray) -> pa.Array:
        text = pa.array(numbers).cast(pa.string())
        return compute.binary_join_element_wise(letter, text, "")

    for chunk, first in enumerate(range(0, queries, CHUNK)):
        rng = np.random.default_rng([seed, chunk])
        shape = (CHUNK, DEPTH)
        # One product from each of 100 ranges of 500: distinct without a loop, then shuffled.
        listed = rng.integers(0, 500, shape) + 500 * np.arange(DEPTH)
        rng.permuted(listed, axis=1, out=listed)
        scores = np.sort(np.round(rng.gamma(2.0, 3.0, shape), 2), axis=1)[:, ::-1]
        places = rng.permuted(np.tile(np.arange(DEPTH), (CHUNK, 1)), axis=1)[:, :JUDGED_SHOWN]
        shown = np.take_along_axis(listed, places, axis=1)
        others = rng.integers(0, 1250, (CHUNK, JUDGED_OTHERS)) + 1250 * np.arange(JUDGED_OTHERS)
        judged = np.concatenate([shown, 50_000 + others], axis=1)
        grades = rng.integers(0, 4, judged.shape)

        size = min(CHUNK, queries - first)
        numbers = np.arange(first, first + size)
        yield (
            pa.table(
                {
                    "query_id": ids("q", np.repeat(numbers, DEPTH)),
                    "product_id": ids("p", listed[:size].ravel()),
                    "score": scores[:size].ravel(),
                }
            ),
            pa.table(
                {
                    "query_id": ids("q", np.repeat(numbers, judged.shape[1])),
                    "product_id": ids("p", judged[:size].ravel()),
                    "grade": grades[:size].ravel(),
                }
            ),
        )


def _trec(queries: int, seed: int, run_path: Path, judgments_path: Path) -> None:
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
    with run_path.open("wb") as run_file, judgments_path.open("wb") as judgments_file:
        for run, judgments in chunks(queries, seed):
            rows = len(run)
            ranks = np.tile(np.arange(1, DEPTH + 1), rows // DEPTH)
            run = run.add_column(1, "iteration", pa.repeat("Q0", rows))
            run = run.add_column(3, "rank", pa.array(ranks))
            run = run.append_column("system", pa.repeat("made", rows))
            judgments = judgments.add_column(1, "iteration", pa.repeat("0", len(judgments)))
            csv.write_csv(run, run_file, options)
            csv.write_csv(judgments, judgments_file, options)


def _parquet(queries: int, seed: int, run_path: Path, judgments_path: Path) -> None:
    from contextlib import ExitStack

    from pyarrow import parquet

    with ExitStack() as stack:
        writers: list[parquet.ParquetWriter] = []
        for tables in chunks(queries, seed):
            if not writers:
                writers = [
                    stack.enter_context(parquet.ParquetWriter(path, table.schema))
                    for path, table in zip((run_path, judgments_path), tables, strict=True)
                ]
            for writer, table in zip(writers, tables, strict=True):
                writer.write_table(table)


def make(queries: int, seed: int, folder: Path, form: str) -> tuple[Path, Path]:
    """Make the run and the judgments in `folder`, unless they are there; return their paths."""
    name = f"{queries * DEPTH}-seed{seed}"
    endings = {"trec": (".run", ".qrels"), "parquet": (".run.parquet", ".judgments.parquet")}
    paths = tuple(folder / (name + ending) for ending in endings[form])
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        partial = tuple(path.with_name(path.name + ".partial") for path in paths)
        write: Callable[[int, int, Path, Path], None] = _trec if form == "trec" else _parquet
        write(queries, seed, *partial)
        for made, path in zip(partial, paths, strict=True):
            os.replace(made, path)
    return paths[0], paths[1]


def main() -> None:
    """Make one pair of files and print their paths."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python benchmarks/make_runs.py --rows 1000000 --data build/benchmarks",
    )
    parser.add_argument("--rows", type=int, required=True, help="rows of the run, 100 a query")
    parser.add_argument("--data", type=Path, required=True, help="folder of the files")
    parser.add_argument("--seed", type=int, default=7, help="default: 7")
    parser.add_argument("--form", choices=["trec", "parquet"], default="trec")
    given = parser.parse_args()
    if given.rows < DEPTH or given.rows % DEPTH:
        parser.error(f"--rows {given.rows} is no positive multiple of {DEPTH}")
    for path in make(given.rows // DEPTH, given.seed, given.data, given.form):
        print(path)


if __name__ == "__main__":
    main()
