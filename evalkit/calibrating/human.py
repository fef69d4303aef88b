"""What people graded: from files or a study, with how likely each query was to be asked."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.scoring import Inputs
    from evalkit.tables import Table

__all__ = [
    "PROBABILITY",
    "HumanGrades",
    "chosen_probabilities",
    "describe",
    "human_grades",
    "human_table",
    "one_human_grade",
    "refusals",
    "sampling_probabilities",
]

PROBABILITY = "inclusion_probability"
_SHOWN = 10
_ROWS = "evalkit_human_rows"


@dataclass(frozen=True)
class HumanGrades:
    """What people graded, from files or from a study.

    Attributes:
        relation: `query_id, product_id, grade, source, annotator`.
        named: what it is called in messages.
        sampled: `query_id, inclusion_probability` where the grades tell them, or None.
        several: whether they come from several samples, each with its own probabilities.
        inputs: path, fingerprint and rows of what was read.
    """

    relation: Any
    named: str
    sampled: Any = None
    several: bool = False
    inputs: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def human_grades(connection: DuckDBPyConnection, tables: Sequence[Table]) -> HumanGrades:
    """Put people's grades of one or several files together.

    Args:
        connection: where they were read into.
        tables: judgments.

    Raises:
        InputError: an annotator graded a pair in two files, or a probability is none.
        SettingsError: some files hold numbers and others labels.
    """
    named = ", ".join(table.path for table in tables)
    if len({str(table.relation.select("grade").types[0]) for table in tables}) > 1:
        raise SettingsError(f"{named}: some grades are numbers and others labels; use one scale.")
    parts = [
        f"SELECT query_id, product_id, grade, {_text(table, 'source')}, {_text(table, 'annotator')}"
        f", {_probability(table)}, {place} AS file FROM {table.name}"
        for place, table in enumerate(tables)
    ]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_ROWS} AS {' UNION ALL '.join(parts)}")
    if len(tables) > 1:
        _refuse_repeats(connection, tables)
    told = _told(connection, tables)
    several = told > 1 and len(tables) > 1
    rows = connection.table(_ROWS)
    return HumanGrades(
        rows.select("query_id", "product_id", "grade", "source", "annotator"),
        named,
        rows.select("query_id", PROBABILITY) if told and not several else None,
        several,
        [describe(table) for table in tables],
    )


def human_table(connection: DuckDBPyConnection, table: pa.Table, named: str) -> HumanGrades:
    """Take people's grades of a study, as `evalkit.store.export_judgments` gives them."""
    connection.register(_ROWS, table)
    rows = connection.table(_ROWS)
    told = table[PROBABILITY].null_count < len(table)
    return HumanGrades(
        rows.select("query_id", "product_id", "grade", "source", "annotator"),
        named,
        rows.select("query_id", PROBABILITY) if told else None,
        inputs=[{"path": named, "fingerprint": None, "rows": len(table)}],
    )


def describe(table: Table) -> dict[str, Any]:
    """Path, fingerprint and rows of a file."""
    return {"path": table.path, "fingerprint": table.fingerprint, "rows": table.rows}


def _text(table: Table, column: str) -> str:
    return column if column in table.columns else f"CAST(NULL AS VARCHAR) AS {column}"


def _probability(table: Table) -> str:
    """The column as a number, NULL where there is nothing and NaN where there is no number."""
    if PROBABILITY not in table.columns:
        return f"CAST(NULL AS DOUBLE) AS {PROBABILITY}"
    text = f"nullif(CAST({PROBABILITY} AS VARCHAR), '')"
    value = f"coalesce(TRY_CAST({text} AS DOUBLE), 'nan'::DOUBLE)"
    return f"CASE WHEN {text} IS NOT NULL THEN {value} END AS {PROBABILITY}"


def _refuse_repeats(connection: DuckDBPyConnection, tables: Sequence[Table]) -> None:
    found = connection.execute(
        f"SELECT query_id, product_id, max(file), count(*) OVER () FROM {_ROWS} "
        "GROUP BY query_id, product_id, source, annotator HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 1"
    ).fetchone()
    if found is not None:
        query, product, file, total = found
        said = "is graded in another file as well, by the same annotator"
        raise InputError(
            tables[file].path,
            [Problem(said, query_id=query, product_id=product)],
            remedy="Give every grade once.",
            total=int(total),
        )


def _told(connection: DuckDBPyConnection, tables: Sequence[Table]) -> int:
    """How many different probabilities stand beside the grades; none counts as one of them."""
    for place, table in enumerate(tables):
        if PROBABILITY in table.columns:
            _refuse_probabilities(
                connection, f"{_ROWS} WHERE file = {place}", table.path, given=True
            )
    row = connection.execute(
        f"SELECT count(DISTINCT {PROBABILITY}), count({PROBABILITY}), count(*) FROM {_ROWS}"
    ).fetchone()
    different, given, rows = row or (0, 0, 0)
    return int(different) + int(0 < given < rows)


def _refuse_probabilities(
    connection: DuckDBPyConnection, rows: str, path: str, *, given: bool
) -> None:
    """Refuse what is no probability; with `given`, there may also be none."""
    fine = f"coalesce({PROBABILITY} > 0 AND {PROBABILITY} <= 1, {str(given).lower()})"
    wrong = connection.execute(
        f"SELECT query_id, min({PROBABILITY}), count(*) OVER () FROM (SELECT * FROM {rows}) "
        f"WHERE NOT {fine} GROUP BY query_id ORDER BY query_id LIMIT {_SHOWN}"
    ).fetchall()
    if wrong:
        raise InputError(
            path,
            [
                Problem(
                    f"{PROBABILITY} is not above 0 and at most 1",
                    value=None if value is None else f"{value:g}",
                    query_id=query,
                )
                for query, value, _ in wrong
            ],
            remedy="Give every query the probability with which it was drawn, or leave the column "
            "out.",
            total=int(wrong[0][2]),
        )


def sampling_probabilities(connection: DuckDBPyConnection, table: Table) -> Any:
    """`query_id, inclusion_probability` of a file that `write_sample` wrote.

    Raises:
        InputError: there is no such column, or a value is no probability.
    """
    if PROBABILITY not in table.columns:
        raise InputError(
            table.path,
            [Problem(f"no column {PROBABILITY}")],
            remedy=f"The file has: {', '.join(table.columns)}.",
        )
    rows = f"SELECT query_id, {_probability(table)} FROM {table.name}"
    _refuse_probabilities(connection, f"({rows})", table.path, given=False)
    return connection.sql(rows)


def one_human_grade(human: HumanGrades | None, source: str | None, aggregate: Any) -> Any:
    """People's grades as `metrics` takes them, one a pair; None without any.

    Raises:
        MetricsError: a pair has several, and nothing says how they become one.
    """
    from metrics import MetricsError, one_grade

    if human is None:
        return None
    try:
        return one_grade(human.relation, source=source, aggregate=aggregate)
    except MetricsError as error:
        setting = "human_source" if error.setting == "source" else error.setting
        raise MetricsError(f"{human.named}: {error}", setting=setting) from error


def chosen_probabilities(human: HumanGrades | None, given: Any) -> Any:
    """Probabilities that were given for themselves, else those that the grades tell, else None.

    Raises:
        SettingsError: the grades are of several samples, so that theirs do not fit together.
    """
    if given is not None or human is None:
        return given
    if human.several:
        raise SettingsError(
            f"{human.named}: these grades come from several samples, each with its own "
            "inclusion_probability; give --probabilities FILE with those of all draws together "
            "(--probabilities-out writes it)."
        )
    return human.sampled


@contextmanager
def refusals(inputs: Inputs, human: HumanGrades | None) -> Iterator[None]:
    """Say what cannot be calibrated in the words of the command line."""
    from metrics import MetricsError

    remedies = {
        "ties": "leave --ties out",
        "unjudged": "leave --unjudged out",
        "measures": "choose others with --measures",
        "probabilities": "give --probabilities FILE",
        "labels": "ask for fewer",
    }
    try:
        yield
    except MetricsError as error:
        text = str(error)
        if human is not None:
            text = text.replace("human grades: ", f"{human.named}: ", 1)
        if error.setting in ("source", "aggregate", "good_labels") and human is not None:
            named = human.named if human.named in text else inputs.judgments.path
            text = text if named in text else f"{named}: {text}"
        if error.setting is not None:
            remedy = remedies.get(error.setting, f"use --{error.setting.replace('_', '-')}")
            text = f"{text}: {remedy}"
        raise SettingsError(f"{text}.") from error
