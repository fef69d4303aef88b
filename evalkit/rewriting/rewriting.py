"""The stage behind `evalkit rewrite`: a table of queries becomes a table of rewrites."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.chunks import open_chunks
from evalkit.constraints import QUERY_TYPES, TypedQuery, read_typed_queries
from evalkit.engines import open_engine
from evalkit.errors import ModelError, SettingsError
from evalkit.knowledge import CatalogueFiles
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say
from evalkit.rewriting.opening import open_rewriter
from evalkit.rewriting.policy import locate_policy
from evalkit.rewriting.rewriter import METHODS

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from evalkit.llm import LanguageModel
    from evalkit.rewriting.rewriter import Rewriter

__all__ = ["RewriteSettings", "rewrite_queries"]

_CHUNK = 200
_CHUNK_OF_MODEL = 16


@dataclass(frozen=True)
class RewriteSettings:
    """How queries are rewritten.

    Attributes:
        rewriter: `catalogue`, `llm:MODEL`, or a trained policy's folder.
        n: rewrites a query at most.
        seed: of choices between equals and of a language model.
        catalogue: YAML file that says what is special about the catalogue.
        triples: CSV file of the user's own facts.
        reading: keyword arguments of `evalkit.tables.read` for `queries` and `products`.
        format: of the output; by its ending otherwise.
    """

    rewriter: str = "catalogue"
    n: int = 5
    seed: int = 0
    catalogue: str | None = None
    triples: str | None = None
    reading: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    format: str | None = None


def rewrite_queries(
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    output: str | os.PathLike[str],
    settings: RewriteSettings | None = None,
    *,
    language_model: LanguageModel | None = None,
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Rewrite every query and write query_id, rewrite, place, method and rewriter.

    Chunks of queries that are done survive an interruption. Queries stand in the order of their
    query_id, rewrites in that of their place (1 is the best). A query without a structure is read
    by rules; a column query_type overrules the type that was read.

    Args:
        queries: a table with query_id and query, and structure and query_type where known.
        products: the catalogue that the rewrites shall find.
        output: the table of rewrites.
        settings: see there.
        language_model: for the rewriter `llm`.
        force: rewrite again in any case.
        memory_limit: of the tables.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used; a structure is not understood.
        SettingsError: settings that do not fit.
        ModelError: the model cannot be used, or did not answer.
    """
    import pyarrow as pa

    from evalkit.tables import write

    started = time.monotonic()
    chosen = settings or RewriteSettings()
    if chosen.n < 1:
        raise SettingsError(f"--n is {chosen.n}; it must be 1 or more.")
    target = Path(output)
    shop = CatalogueFiles(
        products, chosen.catalogue, chosen.triples, chosen.reading.get("products", {})
    )
    inputs = [Input("queries", str(queries), fingerprint(queries)), *shop.inputs()]
    models: tuple[Mapping[str, Any], ...] = ()
    if language_model is not None:
        models = (language_model.to_manifest("rewriter"), _prompt_model())
    named = chosen.rewriter
    if named != "catalogue" and Path(named).is_dir():
        policy = locate_policy(named)
        models, named = (policy.to_manifest("rewriter"),), policy.name
    wanted = Manifest(
        command="evalkit rewrite",
        settings={
            "rewriter": named,
            "n": chosen.n,
            "reading": {name: dict(found) for name, found in chosen.reading.items()},
            "format": chosen.format,
        },
        inputs=tuple(inputs),
        models=models,
        seeds={"rewriting": chosen.seed},
    )
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same queries, catalogue, settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        catalogue, graph = shop.open(connection)
        asked = read_typed_queries(
            queries, connection, catalogue, graph, reading=chosen.reading.get("queries")
        )
        rewriter = open_rewriter(
            chosen.rewriter,
            catalogue=catalogue,
            graph=graph,
            language_model=language_model,
            seed=chosen.seed,
        )
        chunks = open_chunks(target, wanted, force=force)
        if chunks.reused:
            say(f"Going on after {chunks.reused:,} finished chunks of an earlier run.")
        size = _CHUNK if language_model is None else _CHUNK_OF_MODEL
        counts: Counter[str] = Counter()
        parts = []
        with progress_bar(len(asked), "Rewriting", "queries") as moved:
            for number, start in enumerate(range(0, len(asked), size)):
                some = asked[start : start + size]
                try:
                    part = chunks.get(number, partial(_chunk, rewriter, some, chosen.n))
                except ModelError as error:
                    place = f"{start + 1:,} to {start + len(some):,} of {len(asked):,}"
                    raise ModelError(f"Queries {place}: {error}") from error
                counts.update(json.loads((part.schema.metadata or {}).get(b"counts", b"{}")))
                parts.append(part.replace_schema_metadata(None))
                moved(len(some))
        # In one piece: of several, DuckDB's threads write other bytes now and then.
        table = pa.concat_tables(parts).combine_chunks() if parts else _table([], rewriter.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        write(table, target, kind="rewrites", format=chosen.format, connection=connection)
        chunks.remove()
    _count(counts, asked, table, chosen.n)
    warnings = _warnings(counts, chosen.n)
    inputs[0] = replace(inputs[0], rows=len(asked))
    inputs[1] = replace(inputs[1], rows=len(catalogue))
    finished = replace(
        wanted, inputs=tuple(inputs), counts=dict(sorted(counts.items())), warnings=warnings
    )
    finished.write(target, started=started)
    for warning in warnings:
        say(f"Warning: {warning}")
    by_type = ", ".join(
        f"{counts[f'rewrites_{name}']:,} {name}"
        for name in QUERY_TYPES
        if counts[f"queries_{name}"]
    )
    say(f"Wrote {target}: {table.num_rows:,} rewrites of {len(asked):,} queries ({by_type}).")
    return finished


def _prompt_model() -> Mapping[str, Any]:
    from evalkit.llm import load_prompt

    identity = load_prompt("rewrite").identity
    return {
        "role": "prompt",
        "id": identity.id,
        "version": identity.version,
        "fingerprint": f"sha256:{identity.sha256}",
    }


def _chunk(rewriter: Rewriter, asked: Sequence[TypedQuery], n: int) -> Any:
    """Rewrite some queries; what the rewriter counted meanwhile stands in the metadata."""
    before = Counter(rewriter.counts())
    found = rewriter.rewrite(asked, n)
    rows = [
        (query.query_id, rewrite.text, place, rewrite.method)
        for query, rewrites in zip(asked, found, strict=True)
        for place, rewrite in enumerate(rewrites[:n], start=1)
    ]
    counted = Counter(rewriter.counts())
    counted.subtract(before)
    return _table(rows, rewriter.name).replace_schema_metadata({"counts": json.dumps(counted)})


def _table(rows: Sequence[tuple[str, str, int, str]], rewriter: str) -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "query_id": pa.array([row[0] for row in rows], pa.string()),
            "rewrite": pa.array([row[1] for row in rows], pa.string()),
            "place": pa.array([row[2] for row in rows], pa.int32()),
            "method": pa.array([row[3] for row in rows], pa.string()),
            "rewriter": pa.array([rewriter] * len(rows), pa.string()),
        }
    )


def _count(counts: Counter[str], asked: Sequence[TypedQuery], table: Any, n: int) -> None:
    """Add queries, rewrites and queries with fewer than n, in all and by type and method."""
    type_of = {query.query_id: query.structure.query_type for query in asked}
    rewrites = Counter(table.column("query_id").to_pylist())
    counts["queries"] = len(asked)
    counts["rewrites"] = table.num_rows
    counts["queries_with_fewer"] = sum(rewrites[query_id] < n for query_id in type_of)
    counts["queries_without"] = sum(rewrites[query_id] == 0 for query_id in type_of)
    for name in QUERY_TYPES:
        inside = [query_id for query_id, kind in type_of.items() if kind == name]
        if inside:
            counts[f"queries_{name}"] = len(inside)
            counts[f"rewrites_{name}"] = sum(rewrites[query_id] for query_id in inside)
            counts[f"queries_with_fewer_{name}"] = sum(rewrites[each] < n for each in inside)
    methods = Counter(table.column("method").to_pylist())
    counts.update({f"method_{name}": methods[name] for name in METHODS if methods[name]})


def _warnings(counts: Counter[str], n: int) -> tuple[str, ...]:
    found = []
    if counts["queries_with_fewer"]:
        found.append(
            f"{counts['queries_with_fewer']:,} of {counts['queries']:,} queries have fewer than "
            f"{n} rewrites, {counts['queries_without']:,} have none."
        )
    if counts["answers_failed"]:
        found.append(
            f"{counts['answers_failed']:,} questions are refused by the model or too long for it."
        )
    if counts["answers_invalid"] or counts["answers_as_lines"]:
        found.append(
            f"{counts['answers_invalid']:,} answers were not understood, "
            f"{counts['answers_as_lines']:,} were lists instead of JSON."
        )
    return tuple(found)
