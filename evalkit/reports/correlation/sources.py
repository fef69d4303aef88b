"""The two sides of a correlation document: what people said, and what was scored.

People: a study in the store, or a file of votes. Scores: a per-query file, or an evaluation that
was recorded. Both bring the result lists they know, so that disagreements can be looked at.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem, StoreError
from evalkit.reports.score_document import is_comparison

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.store import Item, Store
    from evalkit.store.study_files import StudyFiles
    from evalkit.tables import Table

__all__ = [
    "Automated",
    "Lists",
    "People",
    "automated_of_file",
    "automated_of_record",
    "lists_of_files",
    "people_of_file",
    "people_of_study",
    "query_texts",
]

Lists = dict[str, dict[str, Any]]
"""By query id `{"query": text or None, "control": [item], "treatment": [item]}`."""

_SAID = ("query_id", "annotator", "preference", "both_bad", "kind", "counts", "set_aside")
_SHOWN = ("title", "brand", "price")


@dataclass(frozen=True)
class People:
    """Votes and where they come from.

    Attributes:
        votes: a canonical votes table, as a frame.
        source: the study, or the path of the file.
        fingerprint: `sha256:…` of the file, or of the votes of the study.
        lists: the lists that people saw, where they are known.
        inputs: what was read, with path or name, rows and fingerprint.
    """

    votes: Any
    source: str
    fingerprint: str
    lists: Lists = field(default_factory=dict)
    inputs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Automated:
    """Scores of every query and where they come from.

    Attributes:
        values: a per-query table, as a frame.
        source: the path of the file, or week and name of the recorded evaluation.
        fingerprint: `sha256:…` of the file, or of what was recorded.
        lists: the lists that were recorded with it.
        query_set: fingerprint of its query set, where that is known.
        judge: who judged, where that is known.
        inputs: what was read, with path or name, rows and fingerprint.
    """

    values: Any
    source: str
    fingerprint: str
    lists: Lists = field(default_factory=dict)
    query_set: str | None = None
    judge: str | None = None
    inputs: tuple[dict[str, Any], ...] = ()


def people_of_study(store: Store, name: str) -> People:
    """Take the votes of a study, with the lists as they were frozen when it was made.

    Raises:
        StoreError: there is no such study, it collects grades, or nobody has voted yet.
    """
    import pyarrow.compute as pc

    from evalkit.store import comparisons, export_votes, find_study

    study = find_study(store, name)
    votes = export_votes(store, study.id)
    if not pc.any(pc.equal(votes["kind"], "real")).as_py():
        raise StoreError(
            f"Study {name!r} has no votes yet: let people vote (evalkit annotate), or bring votes"
            f" in (evalkit study import {name} FILE)."
        )
    lists: Lists = {
        task.query_id: {
            "query": task.query,
            "control": [_shown(item) for item in task.control],
            "treatment": [_shown(item) for item in task.treatment],
        }
        for task in comparisons(store, study.id)
        if task.kind in ("real", "automatic")
    }
    source, said = f"study {name}", _fingerprint(votes)
    described = {"path": source, "rows": votes.num_rows, "fingerprint": said}
    return People(votes, source, said, lists, (described,))


def people_of_file(table: Table) -> People:
    """Take the votes of a file."""
    return People(table.relation, table.path, table.fingerprint, inputs=(_described(table),))


def automated_of_file(table: Table) -> Automated:
    """Take the values that `evalkit score --per-query` wrote.

    Raises:
        InputError: they are not of a comparison.
    """
    if "delta" not in table.columns:
        raise InputError(
            table.path,
            [Problem("no column delta")],
            remedy="Write it with evalkit score --control … --treatment … --per-query FILE.",
        )
    return Automated(table.relation, table.path, table.fingerprint, inputs=(_described(table),))


def automated_of_record(store: Store, week: str, name: str) -> Automated:
    """Take the values that were recorded with the score of a week.

    Raises:
        StoreError: there is no such score, or it holds no values of single queries or is of single
            runs.
    """
    from evalkit.store import check_week, evaluation_values, evaluations

    check_week(week)
    found = evaluations(store, kind="score", week=week, name=name)
    if not found:
        there = evaluations(store, kind="score")
        known = ", ".join(f"{each.week} {each.name}" for each in there[-5:]) or "none yet"
        raise StoreError(
            f"No score is recorded for {week} under {name!r}; there are: {known}. Record one with"
            f" evalkit score … --record --week {week}."
        )
    record = found[-1]
    if not is_comparison(record.document):
        raise StoreError(
            f"The score of {week} under {name!r} is of single runs and has no Δ; record one of"
            " --control and --treatment."
        )
    values = evaluation_values(store, record.id)
    if values is None:
        raise StoreError(
            f"The score of {week} under {name!r} was recorded without the values of its queries;"
            " give them with --per-query FILE."
        )
    lists = {
        query_id: entry
        for query_id, entry in (record.document.get("lists") or {}).items()
        if isinstance(entry, dict) and "control" in entry
    }
    source = f"score of {week}, {name}"
    return Automated(
        values,
        source,
        record.fingerprint,
        lists,
        query_set=record.query_set,
        judge=record.judge,
        inputs=({"path": source, "rows": values.num_rows, "fingerprint": record.fingerprint},),
    )


def lists_of_files(
    connection: DuckDBPyConnection, files: StudyFiles, query_ids: Iterable[str], depth: int
) -> Lists:
    """Look up both lists of some queries in two runs, with what the catalogue says of the products.

    Args:
        connection: DuckDB connection that will hold the rows.
        files: the runs, and the catalogue if there is one.
        query_ids: the queries.
        depth: products a list.

    Raises:
        InputError: a file cannot be used.
    """
    import pyarrow as pa

    from evalkit.store.snapshots import shown_products
    from evalkit.store.study_files import lists_of, read_tables

    tables = read_tables(connection, files, kind="sbs", depth=depth)
    lists = lists_of(connection, query_ids)
    known: Mapping[str, Mapping[str, Any]] = {}
    if "products" in tables:
        wanted = sorted({product for both in lists.values() for ids in both for product in ids})
        connection.register("evalkit_looked_up", pa.table({"product_id": wanted}))
        known = shown_products(connection, tables["products"], "evalkit_looked_up", None)

    def items(ids: Iterable[str]) -> list[dict[str, Any]]:
        return [
            {"product_id": product, "rank": rank}
            | {name: known.get(product, {}).get(name) for name in _SHOWN}
            for rank, product in enumerate(ids, 1)
        ]

    return {
        query_id: {"query": None, "control": items(control), "treatment": items(treatment)}
        for query_id, (control, treatment) in lists.items()
    }


def query_texts(queries: Table) -> dict[str, str]:
    """Read the text of every query that has one."""
    if "query" not in queries.columns:
        return {}
    rows = queries.relation.select("query_id", "query").fetchall()
    return {query_id: str(text) for query_id, text in rows if text}


def _shown(item: Item) -> dict[str, Any]:
    shown = {name: getattr(item, name) for name in _SHOWN}
    return {"product_id": item.product_id, "rank": item.rank, **shown}


def _described(table: Table) -> dict[str, Any]:
    return {"path": table.path, "rows": table.rows, "fingerprint": table.fingerprint}


def _fingerprint(votes: pa.Table) -> str:
    """Hash what was said, and not when or with what."""
    said = votes.select(_SAID).to_pydict()
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
