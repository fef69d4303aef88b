"""The catalogue itself as the judge: a checker of constraints grades every pair, without a model.

For queries whose structure is known, such as synthesized ones, this is the truth as far as the
catalogue states it: 2 for a product of the right kind that satisfies every condition, 1 where
something cannot be told, 0 for what breaks one or is of another kind. A query that names neither a
kind nor a product has no right kind: its products get 1 at most.

What filtered the training pairs must not be the only judge of the result: the checker did. So the
manifest names it as a judge, and `evalkit score` warns.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.constraints.as_judge import CHECKER, checker_as_judge
from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import say
from evalkit.relevance.judging import asked_pairs
from evalkit.relevance.ruling import Ruling

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.constraints import Structure
    from evalkit.constraints.checking import Checker

__all__ = ["CHECKER", "GRADES", "grade_by_catalogue", "judge_by_catalogue"]

GRADES = {"fail": 0.0, "unknown": 1.0, "pass": 2.0}
_GRADING = 1  # raised when the same verdicts may give other grades, for manifests
_REMEDY = "Make it with evalkit parse queries or evalkit synthesize queries."


def judge_by_catalogue(
    output: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    runs: Sequence[str | os.PathLike[str]] = (),
    pairs: str | os.PathLike[str] | None = None,
    at: int | None = 10,
    catalogue_settings: str | os.PathLike[str] | None = None,
    triples: str | os.PathLike[str] | None = None,
    name: str = CHECKER,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
    format: str | None = None,  # noqa: A002 - the name that tables.write has
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Grade what runs show, or given pairs, by the checker alone, and write judgments.

    Args:
        output: the judgments to write; see `grade_by_catalogue` for the columns.
        queries: query_id and structure.
        products: the catalogue.
        runs: runs whose first results are judged, each pair once.
        pairs: a table with query_id and product_id, judged besides. Without runs and pairs
            every product is judged for every query.
        at: results of each query of each run; None takes all.
        catalogue_settings: YAML of what is special about the catalogue.
        triples: CSV of what else is known; give what queries and pairs were made with.
        name: of the judge, for the column annotator.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        format: of the judgments.
        force: judge again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used, or a query has no structure.
        SettingsError: settings that do not fit.
    """
    from evalkit.constraints.checking import CHECKS, Checker
    from evalkit.knowledge import CatalogueFiles
    from evalkit.tables import write

    started = time.monotonic()
    if at is not None and at < 1:
        raise SettingsError(f"--at is {at}; it must be 1 or more.")
    target = Path(output)
    arguments = dict(reading or {})
    files = [("run", path) for path in runs]
    files += [("pairs", pairs)] if pairs is not None else []
    shop = CatalogueFiles(products, catalogue_settings, triples, arguments.get("products", {}))
    files += [("queries", queries), *shop.paths().items()]
    wanted = Manifest(
        command="evalkit judge",
        settings={
            "judge": name,
            "at": at,
            "constraints": CHECKS,
            "grading": _GRADING,
            "good": GRADES["pass"],
            "reading": {kind: dict(each) for kind, each in arguments.items()},
            "format": format,
        },
        inputs=tuple(Input(role, str(path), fingerprint(path)) for role, path in files),
        models=(checker_as_judge(shop, name),),
    )
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same inputs, judge and settings); --force judges again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        known = _known_queries(connection, queries, arguments.get("queries", {}))
        checker = Checker(*shop.open(connection))
        if runs or pairs is not None:
            table = asked_pairs(connection, runs, pairs, at, reading)
            table = table.order("query_id, product_id").to_arrow_table()
        else:
            table = _every_pair(list(known), checker.catalogue.product_ids)
        table, counts = _judgeable(table, known, checker.catalogue.product_ids)
        if not table.num_rows:
            raise InputError(
                str(queries),
                [Problem("no pair is of a query and a product that are known")],
                remedy="See that runs, queries and catalogue have the same ids (--map).",
            )
        structures = _structures(known, table, str(queries))
        judged = grade_by_catalogue(checker, structures, table, name=name)
        target.parent.mkdir(parents=True, exist_ok=True)
        write(judged, target, kind="judgments", format=format, connection=connection)
    grades = judged.column("grade").to_numpy()
    counts |= {"judged": judged.num_rows, "not_judged": 0}
    counts |= {word: int((grades == grade).sum()) for word, grade in GRADES.items()}
    kindless = sum(not _with_kind(each, checker).kinds for each in structures.values())
    counts["queries_without_kind"] = kindless
    warnings = _warnings(counts, len(structures))
    finished = replace(wanted, counts=counts, warnings=warnings)
    finished.write(target, started=started)
    for warning in warnings:
        say(f"Warning: {warning}")
    said = ", ".join(f"{counts[word]:,} {word}" for word in ("pass", "unknown", "fail"))
    say(f"Wrote {target}: {judged.num_rows:,} judgments by {name} ({said}).")
    return finished


def grade_by_catalogue(
    checker: Checker, structures: Mapping[str, Structure], pairs: pa.Table, *, name: str = CHECKER
) -> pa.Table:
    """Grade pairs by a checker alone.

    Args:
        checker: of the catalogue.
        structures: what every query asks for, by query_id.
        pairs: query_id and product_id.
        name: of the judge.

    Returns:
        One row a pair, in order: query_id, product_id, grade (2, 1 or 0), source (`checker`),
        annotator, check (pass, unknown, fail), by_text (only words of a text decide).
    """
    import pyarrow as pa

    whole = {query_id: _with_kind(each, checker) for query_id, each in structures.items()}
    verdict, by_text = Ruling(checker, whole).checks(pairs)
    kindless = {query_id for query_id, each in whole.items() if not each.kinds}
    if kindless:
        named = pa.array(sorted(kindless), pa.string())
        of_none = pa.compute.is_in(pairs.column("query_id"), value_set=named)
        verdict[np.asarray(of_none) & (verdict == 1)] = 0
    places = pa.array(verdict.astype(np.int64) + 1)
    rows = pairs.num_rows
    return pa.table(
        {
            "query_id": pairs.column("query_id").cast(pa.string()),
            "product_id": pairs.column("product_id").cast(pa.string()),
            "grade": pa.array(list(GRADES.values()), pa.float64()).take(places),
            "source": pa.repeat(pa.scalar(CHECKER), rows),
            "annotator": pa.repeat(pa.scalar(name), rows),
            "check": pa.array(list(GRADES), pa.string()).take(places),
            "by_text": pa.array(by_text),
        }
    )


def _with_kind(structure: Structure, checker: Checker) -> Structure:
    """Take the kind of the product that is referred to where a query names none."""
    reference = structure.reference
    if structure.kinds or reference is None or not reference.product_id:
        return structure
    catalogue = checker.catalogue
    number = int(catalogue.numbers_of([reference.product_id])[0])
    kind = int(catalogue.kind[number]) if number >= 0 else -1
    return structure if kind < 0 else replace(structure, kinds=(catalogue.kinds[kind],))


def _known_queries(
    connection: DuckDBPyConnection, path: str | os.PathLike[str], reading: Mapping[str, Any]
) -> dict[str, str | None]:
    """Return the column structure by query_id."""
    from evalkit.tables import need_column, read

    table = read("queries", path, connection, **reading)
    need_column(table, "structure", remedy=_REMEDY)
    rows = table.relation.select("query_id, CAST(structure AS VARCHAR)").order("query_id")
    return dict(rows.fetchall())


def _structures(
    known: Mapping[str, str | None], pairs: pa.Table, path: str
) -> dict[str, Structure]:
    """Return what the queries of pairs ask for.

    Raises:
        InputError: a query has no structure, or one that is not understood.
    """
    from evalkit.constraints.typed_queries import stated_structures

    asked = sorted(pairs.column("query_id").unique().to_pylist())
    found = stated_structures(asked, [known[query_id] for query_id in asked], path)
    problems = [
        Problem("it has none", column="structure", query_id=query_id)
        for query_id in asked
        if query_id not in found
    ]
    if problems:
        raise InputError(path, problems[:10], total=len(problems), remedy=_REMEDY)
    return found


def _every_pair(query_ids: Sequence[str], product_ids: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    queries, products = len(query_ids), len(product_ids)
    return pa.table(
        {
            "query_id": pa.DictionaryArray.from_arrays(
                np.repeat(np.arange(queries, dtype=np.int32), products),
                pa.array(query_ids, pa.string()),
            ),
            "product_id": pa.DictionaryArray.from_arrays(
                np.tile(np.arange(products, dtype=np.int32), queries),
                pa.array(product_ids, pa.string()),
            ),
        }
    )


def _judgeable(
    pairs: pa.Table, query_ids: Mapping[str, object], product_ids: Sequence[str]
) -> tuple[pa.Table, dict[str, int]]:
    """Leave out pairs of an unknown query or product, and count them."""
    import pyarrow as pa

    known = {}
    for name, ids in (("query_id", list(query_ids)), ("product_id", list(product_ids))):
        named = pa.array(ids, pa.string())
        known[name] = np.asarray(pa.compute.is_in(pairs.column(name), value_set=named))
    both = known["query_id"] & known["product_id"]
    counts = {
        "pairs": pairs.num_rows,
        "without_query": int((~known["query_id"]).sum()),
        "without_product": int((known["query_id"] & ~known["product_id"]).sum()),
    }
    return pairs if both.all() else pairs.filter(pa.array(both)), counts


def _warnings(counts: Mapping[str, int], queries: int) -> tuple[str, ...]:
    found = []
    left_out = counts["without_query"] + counts["without_product"]
    if left_out:
        found.append(
            f"{left_out:,} of {counts['pairs']:,} pairs are not judged: "
            f"{counts['without_query']:,} of an unknown query, {counts['without_product']:,} of an "
            "unknown product."
        )
    if counts["queries_without_kind"]:
        found.append(
            f"{counts['queries_without_kind']:,} of {queries:,} queries name no kind and no "
            "product; what satisfies them is graded 1, as its kind may be wrong."
        )
    return tuple(found)
