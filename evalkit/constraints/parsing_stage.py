"""The stage behind `evalkit parse queries`: a table of queries gets types and structures."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from evalkit.constraints.parsing import RuleParser
from evalkit.constraints.structure import QUERY_TYPES, QueryType, Structure
from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.constraints.parsing import Parser
    from evalkit.knowledge import CatalogueFiles
    from evalkit.llm.messages import LanguageModel

__all__ = ["RULES", "parse_queries"]

_BATCH = 256  # queries between two moves of the bar
RULES = 6  # of `RuleParser`; raised when the same query may get another structure


def parse_queries(
    queries: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    catalogue: CatalogueFiles | None = None,
    language_model: LanguageModel | None = None,
    keep_type: bool = False,
    reading: Mapping[str, Any] | None = None,
    format: str | None = None,  # noqa: A002 - the name that tables.write has
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Write the queries with query_type and structure, ordered by query_id.

    Other columns stay. A query without text gets neither.

    Args:
        queries: a table with query_id and query.
        output: the table to write.
        catalogue: the catalogue whose words come first; None knows general words only.
        language_model: understands the queries; None takes the rules.
        keep_type: a query_type that the file has stays, and goes into the structure.
        reading: keyword arguments of `evalkit.tables.read` for the queries.
        format: of the output; None goes by its ending.
        force: parse again in any case.
        memory_limit: of the tables.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: the language model cannot be used.
    """
    from evalkit.tables import need_column, read, write

    started = time.monotonic()
    target = Path(output)
    source = Input("queries", str(queries), fingerprint(queries))
    wanted = Manifest(
        command="evalkit parse queries",
        settings={
            "parser": "rules" if language_model is None else "llm",
            "rules": RULES,
            "keep_type": keep_type,
            "reading": dict(reading or {}),
            "format": format,
        },
        inputs=(source, *(catalogue.inputs() if catalogue is not None else ())),
        models=_models(language_model),
    )
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same queries, catalogue, settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        table = read("queries", queries, connection, **(reading or {}))
        need_column(table, "query")
        rows = table.relation.order("query_id").to_arrow_table()
        types = _kept_types(rows, table.path) if keep_type else [None] * rows.num_rows
        parser = _open_parser(catalogue, language_model, connection)
        texts = [str(text or "") for text in rows.column("query").to_pylist()]
        structures = _parse(parser, texts, types)
        result = _with_columns(rows, structures)
        target.parent.mkdir(parents=True, exist_ok=True)
        write(result, target, kind="queries", format=format, connection=connection)
    counts = _count(structures)
    warnings = []
    if getattr(parser, "fallbacks", 0):
        counts["answers_unusable"] = parser.fallbacks  # type: ignore[attr-defined]
        warnings.append(
            f"The answers for {counts['answers_unusable']:,} of {table.rows:,} queries could not "
            "be used; the rules read those."
        )
    if counts["queries_without_text"]:
        warnings.append(
            f"{counts['queries_without_text']:,} of {table.rows:,} queries have no text and get "
            "no structure."
        )
    finished = replace(
        wanted,
        inputs=(replace(source, fingerprint=table.fingerprint, rows=table.rows),
                *wanted.inputs[1:]),
        counts=counts,
        warnings=tuple(warnings),
    )  # fmt: skip
    finished.write(target, started=started)
    for warning in warnings:
        say(f"Warning: {warning}")
    by_type = ", ".join(f"{counts[name]:,} {name}" for name in QUERY_TYPES)
    say(
        f"Wrote {target}: {table.rows:,} queries ({by_type}); {counts['with_exclusions']:,} "
        f"exclude something, {counts['with_price']:,} name a price, "
        f"{counts['with_reference']:,} a reference."
    )
    return finished


def _models(language_model: LanguageModel | None) -> tuple[Mapping[str, Any], ...]:
    if language_model is None:
        return ()
    from evalkit.llm.prompting import load_prompt

    prompt = load_prompt("parse_query").identity
    document = {
        "role": "prompt", "id": f"{prompt.id}.v{prompt.version}", "revision": None,
        "source": "package", "fingerprint": f"sha256:{prompt.sha256}",
    }  # fmt: skip
    return (language_model.to_manifest("parser"), document)


def _open_parser(
    files: CatalogueFiles | None,
    language_model: LanguageModel | None,
    connection: DuckDBPyConnection,
) -> Parser:
    catalogue, graph = files.open(connection) if files is not None else (None, None)
    if language_model is None:
        return RuleParser(catalogue, graph)
    from evalkit.constraints.parsing_model import LanguageModelParser

    return LanguageModelParser(language_model, catalogue)


def _kept_types(rows: Any, path: str) -> list[QueryType | None]:
    """Return the file's types; None where it has none.

    Raises:
        SettingsError: there is no such column.
        InputError: a type is not one of ours.
    """
    if "query_type" not in rows.column_names:
        raise SettingsError(
            f"--keep-type: {path} has no column query_type (it has: "
            f"{', '.join(rows.column_names)}); leave the option out."
        )
    ids = rows.column("query_id").to_pylist()
    found = [str(value or "").strip() for value in rows.column("query_type").to_pylist()]
    problems = [
        Problem("is not a type", column="query_type", value=value, query_id=str(query_id))
        for query_id, value in zip(ids, found, strict=True)
        if value and value not in QUERY_TYPES
    ]
    if problems:
        raise InputError(
            path,
            problems[:10],
            total=len(problems),
            remedy=f"Types are {', '.join(QUERY_TYPES)}; or leave --keep-type out.",
        )
    return [cast("QueryType", value) if value else None for value in found]


def _parse(
    parser: Parser, texts: Sequence[str], types: Sequence[QueryType | None]
) -> list[Structure | None]:
    """Parse the queries that have a text, in batches."""
    asked = [place for place, text in enumerate(texts) if text.strip()]
    result: list[Structure | None] = [None] * len(texts)
    with progress_bar(len(asked), "Parsing", "queries") as moved:
        for start in range(0, len(asked), _BATCH):
            places = asked[start : start + _BATCH]
            found = parser.parse([texts[place] for place in places])
            for place, structure in zip(places, found, strict=True):
                kept = types[place]
                result[place] = structure if kept is None else replace(structure, query_type=kept)
            moved(len(places))
    return result


def _with_columns(rows: Any, structures: Sequence[Structure | None]) -> Any:
    import pyarrow as pa

    made = {
        "query_type": [item.query_type if item is not None else None for item in structures],
        "structure": [item.to_json() if item is not None else None for item in structures],
    }
    for name, values in made.items():
        column = pa.array(values, pa.string())
        if name in rows.column_names:
            rows = rows.set_column(rows.column_names.index(name), name, column)
        else:
            rows = rows.append_column(name, column)
    return rows


def _count(structures: Sequence[Structure | None]) -> dict[str, int]:
    there = [item for item in structures if item is not None]
    types = Counter(item.query_type for item in there)
    return {
        "queries": len(structures),
        "queries_without_text": len(structures) - len(there),
        **{name: types[name] for name in QUERY_TYPES},
        "with_kind": sum(bool(item.kinds) for item in there),
        "with_exclusions": sum(bool(item.excluded) for item in there),
        "with_price": sum(
            (item.price_max, item.price_min, item.price_share) != (None, None, None)
            for item in there
        ),
        "with_reference": sum(item.reference is not None for item in there),
    }
