"""A run that is searched as training pairs are: the rewriter at query time, with no model trained.

Each query's positive part and its accepted rewrites search the words and the meaning of products,
and all lists become one by reciprocal ranks, with the very function that finds the pairs. So a
trained retriever and this run differ in what was learnt, and not in what was searched.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.engines import open_engine
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.experiment.folder import Work

__all__ = ["search_as_pairs"]

_FORM = 1  # raised when the same files may give another run, for manifests
_EACH = 100  # products that each text takes from each index, as pairs do
_BATCH = 200  # queries that are searched at once


def search_as_pairs(
    work: Work, queries: str, accepted: Path, output: Path, *, n: int, system: str
) -> None:
    """Write a run; a query with neither positive part nor rewrite is searched as it was asked.

    Args:
        work: the experiment.
        queries: the set.
        accepted: its rewrites, with the column `accepted` where they were filtered.
        output: the run.
        n: rewrites of a query at most, the best first.
        system: its name in the run.
    """
    import pyarrow as pa

    from evalkit.constraints import read_typed_queries
    from evalkit.constraints.parsing_stage import RULES
    from evalkit.constraints.topic import TOPIC, topic
    from evalkit.retrieval import open_index
    from evalkit.retrieval.retriever import index_fingerprint
    from evalkit.synthesis.offline import Depth, search_offline
    from evalkit.synthesis.reading import read_accepted
    from evalkit.tables import write

    started = time.monotonic()
    depth = work.experiment.comparisons.depth
    folders = dict(zip(("bm25", "dense"), work.base_indexes, strict=True))
    opened = {
        name: open_index(folder, products=work.shop.products) for name, folder in folders.items()
    }
    wanted = Manifest(
        command="evalkit run: search as pairs",
        settings={
            "system": system, "k": depth, "n": n, "each": max(_EACH, depth), "topic": TOPIC,
            "rules": RULES, "form": _FORM,
        },
        inputs=(
            Input("queries", str(work.queries(queries)), fingerprint(work.queries(queries))),
            Input("rewrites", str(accepted), fingerprint(accepted)),
            *(
                Input("index", str(folders[name]), index_fingerprint(index.manifest))
                for name, index in opened.items()
            ),
            *work.shop.inputs(),
        ),
        models=opened["dense"].manifest.models,
    )  # fmt: skip
    if not work.force and finished_before(output, wanted) is not None:
        say(f"{output} is up to date (same queries, rewrites and indexes).")
        return
    with open_engine(work.memory_limit) as connection:
        catalogue, graph = work.shop.open(connection)
        typed = read_typed_queries(work.queries(queries), connection, catalogue, graph)
        rewrites = read_accepted(accepted, connection)
        rows: list[tuple[str, int, str]] = []
        for query in typed:
            own = topic(query.query, query.structure).strip()
            others = rewrites.get(query.query_id, [])[:n]
            texts = [own, *others] if own or others else [query.query]
            # A text that stands twice has one vote.
            said = dict.fromkeys(" ".join(text.casefold().split()) for text in texts if text)
            rows += [(query.query_id, place, text) for place, text in enumerate(said)]
        parts = []
        ids = [query.query_id for query in typed]
        with progress_bar(len(ids), "Searching", "queries") as moved:
            for start in range(0, len(ids), _BATCH):
                some = set(ids[start : start + _BATCH])
                columns = zip(*(row for row in rows if row[0] in some), strict=True)
                asked = pa.table(dict(zip(("query_id", "place", "text"), columns, strict=True)))
                found = search_offline(asked, opened, connection, Depth(max(_EACH, depth), depth))
                parts.append(found.select(["query_id", "product_id", "fused_rank", "fused_score"]))
                moved(len(some))
        run = pa.concat_tables(parts).rename_columns(["query_id", "product_id", "rank", "score"])
        run = run.append_column("system", pa.array([system] * run.num_rows, pa.string()))
        write(run, output, kind="run", connection=connection)
    counts = {"queries": len(typed), "texts": len(rows), "rows": run.num_rows}
    replace(wanted, counts=counts).write(output, started=started)
    say(f"Wrote {output}: {run.num_rows:,} rows for {len(typed):,} queries, {len(rows):,} texts.")
