"""The stage behind `evalkit relevance rewrites`: which rewrites keep what their query asks for.

A rule comes first, since a rewrite that states what its query excludes is wrong whatever a model
thinks of it; then a scorer (`evalkit.relevance.rewrite_scorers`) says how likely the rewrite keeps
the intent. Nothing is thrown away: every rewrite stays in the table with accepted, reason and
relevance.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.chunks import open_chunks
from evalkit.constraints.topic import TOPIC
from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.constraints import Structure
    from evalkit.relevance.rewrite_scorers import Scorer

    # query_id, query, structure, rewrite, the query's earlier rewrites: "" or what is wrong
    Rule = Callable[[str, str, Structure | None, str, Sequence[str]], str]
    Read = Callable[[Sequence[str]], Sequence[Structure]]

__all__ = ["FilterSummary", "filter_rewrites", "judge_rewrites"]

_CHUNK = 500  # queries
_LOST = "model: it does not keep what the query asks for"
_UNKNOWN = "model: it gave no valid answer"


@dataclass(frozen=True)
class FilterSummary:
    """What became of the rewrites.

    Attributes:
        rows: query_type, reason ("" for accepted ones; words in quotes are left out), rewrites.
    """

    rows: tuple[tuple[str, str, int], ...]


def filter_rewrites(
    output: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    *,
    rule: Rule,
    model: Scorer | None,
    read: Read | None = None,
    models: Sequence[Mapping[str, Any]] = (),
    threshold: float = 0.5,
    settings: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str | os.PathLike[str]] | None = None,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
    format: str | None = None,  # noqa: A002 - the name that tables.write has
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> tuple[Manifest, FilterSummary]:
    """Accept or drop every rewrite, and write all of them with the reason.

    Args:
        output: the rewrites with accepted, reason and relevance.
        rewrites: query_id, rewrite and whatever else; place orders them where it is there.
        queries: query_id, query, structure and query_type where it has them.
        rule: says what is wrong with a rewrite before any model is asked, or "".
        model: says how likely a rewrite keeps the intent; None leaves it to the rule.
        read: says what queries ask for whose structure the table does not state; None refuses a
            table that states none, and warns of one that lacks some.
        models: of `model`, for the manifest.
        threshold: relevance from which a rewrite is accepted.
        settings: what else can change the outcome, for the manifest.
        inputs: what the rule was made from, by role, for the manifest.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        format: of the output.
        force: do it again in any case.
        memory_limit: for reading and writing.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: the model cannot be loaded, or did not answer.
    """
    import pyarrow as pa

    from evalkit.tables import write

    started = time.monotonic()
    if not 0 <= threshold <= 1:
        raise SettingsError(f"--threshold is {threshold}; it is from 0 to 1.")
    target = Path(output)
    files = {"rewrites": rewrites, "queries": queries, **(inputs or {})}
    wanted = Manifest(
        command="evalkit relevance rewrites",
        settings={
            "threshold": threshold if model is not None else None,
            "topic": TOPIC,  # which rules and the cosine look at
            **(settings or {}),
            "reading": {kind: dict(each) for kind, each in (reading or {}).items()},
            "format": format,
        },
        inputs=tuple(Input(role, str(path), fingerprint(path)) for role, path in files.items()),
        models=tuple(models),
    )
    done = None if force else finished_before(target, wanted)
    with open_engine(memory_limit, threads) as connection:
        if done is not None and done.counts.get(_UNKNOWN):
            say(f"{target} lacks {done.counts[_UNKNOWN]:,} answers; asking again.")
        elif done is not None:
            say(f"{target} is up to date (same inputs, model and settings).")
            return done, _summary_of_file(target, connection, format)
        table = _joined(connection, rewrites, queries, reading, read)
        ids = np.array(table.column("query_id").to_pylist(), dtype=object)
        # Chunks of whole queries: a rule looks at a query's earlier rewrites.
        firsts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
        starts = firsts[::_CHUNK].tolist()
        ends = [*starts[1:], len(ids)]
        chunks = open_chunks(target, wanted, force=force)
        parts = []
        with progress_bar(len(ids), "Filtering", "rewrites") as moved:
            for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
                part = table.slice(start, end - start)
                parts.append(
                    chunks.get(number, partial(judge_rewrites, part, rule, model, threshold))
                )
                moved(part.num_rows)
        judged = pa.concat_tables(parts)
        summary = _summary(judged)
        own = [name for name in judged.column_names if not name.startswith("_")]
        target.parent.mkdir(parents=True, exist_ok=True)
        write(judged.select(own), target, kind="rewrites", format=format, connection=connection)
    accepted = sum(count for _, reason, count in summary.rows if not reason)
    counts = {"rewrites": judged.num_rows, "accepted": accepted}
    for _, reason, count in summary.rows:
        if reason:
            counts[reason] = counts.get(reason, 0) + count
    warnings: tuple[str, ...] = ()
    if counts.get(_UNKNOWN):
        warnings = (
            f"The model gave no valid answer for {counts[_UNKNOWN]:,} rewrites, which are dropped; "
            "the same command asks again.",
        )
    finished = replace(wanted, counts=counts, warnings=warnings)
    finished.write(target, started=started)
    chunks.remove()
    for warning in warnings:
        say(f"Warning: {warning}")
    say(f"Wrote {target}: {accepted:,} of {judged.num_rows:,} rewrites accepted.")
    return finished, summary


def judge_rewrites(table: pa.Table, rule: Rule, model: Scorer | None, threshold: float) -> pa.Table:
    """Judge the rewrites of some queries; return them with relevance, accepted and reason.

    Args:
        table: query_id, rewrite, _query, _structure (JSON or null), a query's rows together.
        rule: see `filter_rewrites`.
        model: see `filter_rewrites`.
        threshold: see `filter_rewrites`.
    """
    import pyarrow as pa

    from evalkit.constraints import Structure, TypedQuery

    plain = Structure("general")
    reasons: list[str] = []
    earlier: list[str] = []
    last: str | None = None
    structure: Structure | None = None
    columns = (
        table.column(name).to_pylist() for name in ("query_id", "_query", "_structure", "rewrite")
    )
    asked: list[TypedQuery] = []
    rewrites: list[str] = []
    for query_id, query, text, rewrite in zip(*columns, strict=True):
        if query_id != last:
            last, earlier = query_id, []
            structure = Structure.from_json(text) if text else None
        wrong = rule(query_id, query, structure, rewrite, tuple(earlier))
        reasons.append(f"rule: {wrong}" if wrong else "")
        asked.append(TypedQuery(query_id, query, structure or plain))
        rewrites.append(rewrite)
        if not wrong:
            earlier.append(rewrite)
    open_ = [place for place, reason in enumerate(reasons) if not reason]
    relevance = np.full(len(reasons), np.nan)
    if model is not None and open_:
        scores = model.score(
            [asked[place] for place in open_], [rewrites[place] for place in open_]
        )
        relevance[open_] = scores
        for place, score in zip(open_, scores.tolist(), strict=True):
            if not score >= threshold:
                reasons[place] = _UNKNOWN if np.isnan(score) else _LOST
    return (
        _without(table, "relevance", "accepted", "reason")
        .append_column("relevance", pa.array(relevance, pa.float64(), from_pandas=True))
        .append_column("accepted", pa.array([not reason for reason in reasons]))
        .append_column("reason", pa.array(reasons, pa.string()))
    )


def _without(table: pa.Table, *names: str) -> pa.Table:
    """Leave out what an earlier filter wrote."""
    return table.select([name for name in table.column_names if name not in names])


def _joined(
    connection: DuckDBPyConnection,
    rewrites: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    reading: Mapping[str, Mapping[str, Any]] | None,
    understand: Read | None,
) -> pa.Table:
    from evalkit.tables import need_column, read

    arguments = dict(reading or {})
    found = read("rewrites", rewrites, connection, **arguments.get("rewrites", {}))
    asked = read("queries", queries, connection, **arguments.get("queries", {}))
    need_column(asked, "query")
    found.relation.create_view("evalkit_rewrites_judged", replace=True)
    asked.relation.create_view("evalkit_rewrites_queries", replace=True)
    new = {
        name: f"CAST(q.{name} AS VARCHAR)" if name in asked.columns else "NULL::VARCHAR"
        for name in ("query", "structure", "query_type")
    }
    place = "r.place, " if "place" in found.columns else ""
    table = connection.sql(
        f"SELECT r.*, {', '.join(f'{sql} AS _{name}' for name, sql in new.items())} "
        "FROM evalkit_rewrites_judged r LEFT JOIN evalkit_rewrites_queries q USING (query_id) "
        f"ORDER BY r.query_id, {place}r.rewrite"
    ).to_arrow_table()
    missing = table.column("_query").null_count
    if missing:
        raise InputError(
            found.path,
            [
                Problem(
                    f"{missing:,} of {table.num_rows:,} rewrites are of no query in {asked.path}"
                )
            ],
            remedy="Give the queries that were rewritten.",
        )
    return _with_structures(table, asked.path, understand)


def _with_structures(table: pa.Table, path: str, understand: Read | None) -> pa.Table:
    """Check what is stated of the queries, and read those of which nothing is.

    Raises:
        InputError: a structure is not understood, or there is none and nobody to read the queries.
    """
    from typing import get_args

    import pyarrow as pa

    from evalkit.constraints.structure import QueryType
    from evalkit.constraints.typed_queries import stated_structures

    ids, texts, types = (
        table.column(name).to_pylist() for name in ("query_id", "_structure", "_query_type")
    )
    known = dict(zip(ids, texts, strict=True))
    stated = stated_structures(list(known), list(known.values()), path)
    words = dict(zip(ids, table.column("_query").to_pylist(), strict=True))
    missing = [query_id for query_id in words if query_id not in stated]
    if not missing:
        return table
    if understand is None:
        if not stated:
            raise InputError(
                path,
                [Problem("states no structure, so no rule knows what a query excludes")],
                remedy="Name --products, by whose words they are read, or use evalkit parse "
                "queries.",
            )
        say(
            f"Warning: {len(missing):,} of {len(known):,} queries in {path} have no structure, so "
            "no rule knows what they exclude; name --products, by whose words they are read."
        )
        return table
    structures = understand([words[query_id] for query_id in missing])
    given = dict(zip(ids, types, strict=True))
    found = {
        query_id: replace(structure, query_type=given[query_id])
        if given[query_id] in get_args(QueryType)
        else structure
        for query_id, structure in zip(missing, structures, strict=True)
    }
    say(f"{len(missing):,} queries without a structure are read by rules.")
    written = {query_id: structure.to_json() for query_id, structure in found.items()}
    kinds = [
        found[query_id].query_type if query_id in found else kind
        for query_id, kind in zip(ids, types, strict=True)
    ]
    named = [written.get(query_id, text) for query_id, text in zip(ids, texts, strict=True)]
    for name, values in (("_structure", named), ("_query_type", kinds)):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values, pa.string()))
    return table


def _summary(table: pa.Table) -> FilterSummary:
    columns = (table.column(name).to_pylist() for name in ("_query_type", "reason"))
    counts = Counter(
        (kind or "", re.sub(r"'[^']*'", "…", reason)) for kind, reason in zip(*columns, strict=True)
    )
    return FilterSummary(tuple((*key, count) for key, count in sorted(counts.items())))


def _summary_of_file(
    target: Path,
    connection: DuckDBPyConnection,
    format: str | None,  # noqa: A002
) -> FilterSummary:
    """Count again from the file, which does not know the types of its queries."""
    from evalkit.tables import read

    table = read("rewrites", target, connection, format=format)
    reasons = [row[0] or "" for row in table.relation.select("reason").fetchall()]
    counts = Counter(re.sub(r"'[^']*'", "…", str(reason)) for reason in reasons)
    return FilterSummary(tuple(("", reason, count) for reason, count in sorted(counts.items())))
