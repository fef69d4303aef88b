"""From files to a study that is not yet stored: which queries, which lists, in which order.

Everything random (order of serving, twins, samples, pools) comes from the study's seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.store.gold import gold_comparisons, gold_grades
from evalkit.store.snapshots import attribute_text, shown_products
from evalkit.store.study_files import (
    OWN_COLUMNS,
    StudyFiles,
    automated_deltas,
    counted,
    draw,
    lists_of,
    lot,
    query_set,
    read_tables,
    segment_columns,
    system_names,
)
from evalkit.store.values import Answer, Item, TaskDraft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.store.gold import GoldTask
    from evalkit.store.study_files import QueryLists
    from evalkit.store.values import StudyDesign
    from evalkit.tables import Table

__all__ = ["StudyDraft", "StudyFiles", "draft_study"]

Products = Mapping[str, Mapping[str, Any]]

_SHOWN = 10


@dataclass(frozen=True)
class StudyDraft:
    """A study that is ready to be stored.

    Attributes:
        design: its settings, with what it was made from.
        tasks: its tasks in serving order, then gold, practice and twin tasks.
        counts: tasks by kind (`real`, `automatic`, `gold`, `practice`, `twin`), `slots`,
            `products` and `missing_products`.
        warnings: sentences for whoever makes the study.
    """

    design: StudyDesign
    tasks: list[TaskDraft]
    counts: dict[str, int]
    warnings: list[str]


def draft_study(
    connection: DuckDBPyConnection,
    files: StudyFiles,
    design: StudyDesign,
    *,
    twins: float = 0.0,
    sample: int | None = None,
    measure: str | None = None,
    by: Sequence[str] | None = None,
) -> StudyDraft:
    """Read the files and lay out the tasks of a study.

    Args:
        connection: DuckDB connection that will hold the rows.
        files: what is read.
        design: the settings of the study; systems, segments and provenance are filled in here.
        twins: share of the real tasks that are shown again with their sides exchanged.
        sample: number of queries to draw from the query set with equal probability.
        measure: which figure of the per-query file says what the automated score thinks, such as
            `ndcg@10`; the first of the file by default.
        by: columns of the queries to report by; `query_type` where there is one by default.

    Raises:
        InputError: a file cannot be used.
        SettingsError: the settings contradict each other or the files.
    """
    _refuse_settings(files, design, twins, measure)
    tables = read_tables(connection, files, kind=design.kind, depth=design.depth)
    warnings: list[str] = []
    segments = segment_columns(tables.get("queries"), by)
    deltas = automated_deltas(connection, tables.get("per_query"), measure)
    queries = query_set(connection, tables, warnings)
    by_id = {query.query_id: query for query in queries}
    gold = _complete_gold(connection, tables.get("gold"), queries, design)
    queries = _without_practice(queries, gold, warnings)
    if design.kind == "grade":
        queries = _with_products(queries, warnings)
    queries, probabilities = draw(queries, sample, design.seed, tables.get("queries"))
    products, counts = _products(connection, tables, files, queries, gold, warnings)
    tasks = _comparisons(queries, design, deltas, probabilities, products)
    tasks += _gold_tasks(gold, by_id, products)
    tasks += _twins(tasks, twins, design.seed)
    kinds = ("real", "automatic", "gold", "practice", "twin")
    counts = {kind: sum(task.kind == kind for task in tasks) for kind in kinds} | counts
    counts["slots"] = counts["real"] * design.overlap
    without = sum(query.query_id not in deltas for query in queries) if deltas else 0
    if without:
        warnings.append(
            f"{counted(without, 'query has', 'queries have')} no figure in {files.per_query}."
        )
    if not counts["real"]:
        warnings.append(
            "There is nothing to vote on: the lists of every query are the same; compare other "
            "runs, or give --identical show."
        )
    control, treatment = system_names(connection, tables, warnings)
    made = replace(
        design,
        control_system=control,
        treatment_system=treatment,
        segments=tuple(segments),
        design=_provenance(files, tables, counts, warnings)
        | {"drawn": {"twins": twins, "sample": sample, "measure": measure}},
    )
    return StudyDraft(made, tasks, counts, warnings)


def _provenance(
    files: StudyFiles,
    tables: Mapping[str, Table],
    counts: Mapping[str, int],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """What the study was made from, ready for JSON."""
    return {
        "inputs": [
            {"role": role, "path": table.path, "fingerprint": table.fingerprint, "rows": table.rows}
            for role, table in tables.items()
        ],
        "read": {
            "order": files.order,
            "on_duplicate": files.on_duplicate,
            "map": {kind: dict(names) for kind, names in files.mappings.items() if names},
            "fields": None if files.fields is None else list(files.fields),
        },
        "counts": dict(counts),
        "warnings": list(warnings),
        "version": __version__,
    }


def _refuse_settings(
    files: StudyFiles, design: StudyDesign, twins: float, measure: str | None
) -> None:
    if design.policy == "uncertain" and files.per_query is None:
        raise SettingsError(
            "--policy uncertain needs --per-query FILE, which evalkit score --per-query writes."
        )
    if measure is not None and files.per_query is None:
        raise SettingsError("--measure is a figure of the per-query file; add --per-query FILE.")
    if not 0 <= twins <= 1:
        raise SettingsError(
            f"--twins {twins} is no share; give a number from 0 to 1, such as 0.03."
        )
    if files.fields is not None and files.products is None:
        raise SettingsError("--fields are columns of the products; add --products FILE.")
    if design.kind == "grade":
        if twins:
            raise SettingsError("--twins exchange sides, which a grade study does not have.")
        if design.policy == "disagreement":
            raise SettingsError("--policy disagreement is for side-by-side studies; leave it out.")


def _complete_gold(
    connection: DuckDBPyConnection,
    table: Table | None,
    queries: Sequence[QueryLists],
    design: StudyDesign,
) -> list[GoldTask]:
    """Read the gold tasks, give each its query text and lists, and refuse those without."""
    if table is None:
        return []
    grade_study = design.kind == "grade"
    rows = gold_grades(table, design.levels) if grade_study else (gold_comparisons(table))
    texts = {query.query_id: query.text or query.query_id for query in queries}
    lists = lists_of(connection, [row.query_id for row in rows])
    complete, problems = [], []
    for row in rows:
        one, other = lists.get(row.query_id, ((), ()))
        whole = replace(
            row,
            query=row.query or texts.get(row.query_id),
            control=(one if row.control is None else row.control)[: design.depth],
            treatment=(other if row.treatment is None else row.treatment)[: design.depth],
        )
        problem = _unfit(whole)
        if problem is not None:
            problems.append(Problem(problem, query_id=row.query_id))
        complete.append(whole)
    if problems:
        raise InputError(
            table.path,
            problems[:_SHOWN],
            remedy="Correct these rows or leave them out; a query outside the query set needs its "
            "text in a column query, and one outside the runs its lists in columns control and "
            "treatment.",
            total=len(problems),
        )
    return complete


def _unfit(row: GoldTask) -> str | None:
    """Why nobody could give the answer that a gold task expects."""
    shown = {*(row.control or ()), *(row.treatment or ())}
    if not shown:
        return "the query is in neither run"
    if row.query is None:
        return "the query has no text"
    if row.preferences and 0 not in row.preferences and row.control == row.treatment:
        return "both lists are the same, so only same can be right"
    if row.grades and not shown.intersection(row.grades):
        return "none of the products that it grades is shown"
    return None


def _without_practice(
    queries: list[QueryLists], gold: Sequence[GoldTask], warnings: list[str]
) -> list[QueryLists]:
    """Leave out queries whose answer annotators are told before they vote."""
    practice = {task.query_id for task in gold if task.practice}
    kept = [query for query in queries if query.query_id not in practice]
    if len(kept) < len(queries):
        left = counted(len(queries) - len(kept), "query", "queries")
        warnings.append(
            f"{left} of the query set serve for practice, where the answer is told, and are not "
            "asked as real tasks."
        )
    return kept


def _with_products(queries: list[QueryLists], warnings: list[str]) -> list[QueryLists]:
    """Leave out queries with nothing to grade."""
    kept = [query for query in queries if not query.empty]
    if len(kept) < len(queries):
        left = counted(len(queries) - len(kept), "query has", "queries have")
        warnings.append(f"{left} no results in either run and nothing to grade; left out.")
    return kept


def _products(
    connection: DuckDBPyConnection,
    tables: Mapping[str, Table],
    files: StudyFiles,
    queries: Sequence[QueryLists],
    gold: Sequence[GoldTask],
    warnings: list[str],
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """What is shown of every product of a list, and how many there are and are not."""
    import pyarrow as pa

    lists = [(query.control, query.treatment) for query in queries]
    lists += [(task.control or (), task.treatment or ()) for task in gold]
    wanted = sorted({product_id for pair in lists for each in pair for product_id in each})
    catalogue = tables.get("products")
    if catalogue is None:
        warnings.append(
            "Products are shown by their ids only; give --products for titles, prices and images."
        )
        return {}, {"products": len(wanted), "missing_products": len(wanted)}
    connection.register("evalkit_wanted", pa.table({"product_id": pa.array(wanted, pa.string())}))
    try:
        found = shown_products(connection, catalogue, "evalkit_wanted", files.fields)
    finally:
        connection.unregister("evalkit_wanted")
    missing = [product_id for product_id in wanted if product_id not in found]
    if missing:
        some = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        warnings.append(
            f"{counted(len(missing), 'product is', 'products are')} not in {catalogue.path} and "
            f"shown by the id ({some})."
        )
    return found, {"products": len(wanted), "missing_products": len(missing)}


def _comparisons(
    queries: Sequence[QueryLists],
    design: StudyDesign,
    deltas: Mapping[str, float],
    probabilities: Mapping[str, float],
    products: Products,
) -> list[TaskDraft]:
    """The tasks that figures are made of, in the order in which they are served."""
    served = sorted(queries, key=lambda query: lot(design.seed, "order", query.query_id))
    counted_as_same = design.kind == "sbs" and design.identical == "skip"
    return [
        TaskDraft(
            kind="automatic" if query.empty or (counted_as_same and query.identical) else "real",
            query_id=query.query_id,
            query=query.text or query.query_id,
            query_type=_text(query.columns.get("query_type")),
            segments=_segments(query.columns),
            control=_items(query.control, products),
            treatment=_items(query.treatment, products),
            automated_delta=deltas.get(query.query_id),
            inclusion_probability=probabilities.get(query.query_id),
        )
        for query in served
    ]


def _gold_tasks(
    gold: Sequence[GoldTask], queries: Mapping[str, QueryLists], products: Products
) -> list[TaskDraft]:
    """Practice tasks and hidden ones, whose answers are known."""
    tasks = []
    for row in gold:
        columns = queries[row.query_id].columns if row.query_id in queries else {}
        grades = {product: (grade,) for product, grade in row.grades.items()}
        tasks.append(
            TaskDraft(
                kind="practice" if row.practice else "gold",
                query_id=row.query_id,
                query=row.query or row.query_id,
                query_type=_text(columns.get("query_type")),
                segments=_segments(columns),
                control=_items(row.control or (), products),
                treatment=_items(row.treatment or (), products),
                answer=Answer(row.preferences, grades, row.explanation or ""),
            )
        )
    return tasks


def _twins(tasks: Sequence[TaskDraft], share: float, seed: int) -> list[TaskDraft]:
    """Tasks that show some of the real ones again, with their sides exchanged; at least one."""
    real = [place for place, task in enumerate(tasks) if task.kind == "real"]
    if not share or not real:
        return []
    drawn = sorted(real, key=lambda place: lot(seed, "twins", tasks[place].query_id))
    return [
        replace(tasks[place], kind="twin", twin_of_index=place)
        for place in sorted(drawn[: max(1, round(share * len(real)))])
    ]


def _items(product_ids: Sequence[str], products: Products) -> tuple[Item, ...]:
    return tuple(
        Item(product_id, rank, **products.get(product_id, {"title": product_id}))
        for rank, product_id in enumerate(product_ids, 1)
    )


def _segments(columns: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: text
        for name, value in columns.items()
        if name not in OWN_COLUMNS and (text := attribute_text(value))
    }


def _text(value: object) -> str | None:
    return attribute_text(value) or None
