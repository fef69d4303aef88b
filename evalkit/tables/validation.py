"""What makes a value bad, said once as SQL: the fast readers refuse by it, this module explains.

`guard` is true where a value is bad. `typed` is the value of the table. Both take a column `cN`
that is text or already a number. `find_problems` walks a staged table and lists what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.errors import InputError, Problem
from evalkit.tables.quoting import identifier, literal, new_name
from evalkit.tables.schema import PAGE_GRADES, SCHEMAS, Column, Kind
from evalkit.tables.vote_values import (
    PREFERENCES,
    SHOWN,
    VOTE_KINDS,
    flag,
    is_flag,
    one_of,
    preference,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

__all__ = ["Rules", "all_distinct", "find_problems", "guard", "holds_labels", "typed"]

_SHOWN = 10
_LARGEST_RANK = 2**31 - 1
# Above this many rows the hashes (8 bytes each) are left to DuckDB, which can spill them.
_HASHES_IN_MEMORY = 12_000_000

_FIX_NUMBER = "Correct these values or leave the rows out."
_FIX_GRADE = "Grades are all finite numbers or all text labels; correct these or leave them out."
_FIX_ID = "Every row needs its ids."
_FIX_RANK = "Ranks are whole numbers from 1; or order the run by its scores with --order score."
_FIX_SYSTEM = "A run is one system: write one file a system."
_FIX_FIRST = "Use --on-duplicate first to keep the first."
_FIX_PREFERENCE = "A preference is good, same, bad or both bad, or a number from -2 to 2."
_FIX_VOTE = "A vote is left, same, right or both bad, or a number from -2 (left) to 2 (right)."
_FIX_ANNOTATOR = "Every vote needs its annotator; only rows of kind automatic have none."


@dataclass(frozen=True)
class Rules:
    """What is checked beyond single values.

    Attributes:
        kind: the kind of table.
        columns: its columns.
        labels: whether grades are text labels.
        numeric: positions of columns that are already numbers.
        on_duplicate: `error`, or `first` to keep a run's first of repeated products.
        ranks_order: whether ranks will order the run, so that they must not repeat.
    """

    kind: Kind
    columns: tuple[Column, ...]
    labels: bool = False
    numeric: frozenset[int] = frozenset()
    on_duplicate: str = "error"
    ranks_order: bool = False

    def named(self, name: str) -> Column | None:
        """The column with this canonical name."""
        return next((c for c in self.columns if c.name == name and c.role != "extra"), None)

    def key(self) -> list[Column]:
        """The columns whose combination must not repeat."""
        found = [self.named(name) for name in SCHEMAS[self.kind].key]
        return [column for column in found if column is not None]


def _number(rules: Rules, column: Column) -> str:
    cell = f"c{column.position}"
    if column.position in rules.numeric:
        return f"CAST({cell} AS DOUBLE)"
    return f"TRY_CAST({cell} AS DOUBLE)"


def _absent(rules: Rules, column: Column) -> str:
    cell = f"c{column.position}"
    return f"{cell} IS NULL" if column.position in rules.numeric else f"coalesce({cell}, '') = ''"


def guard(rules: Rules, column: Column, *, thorough: bool = True) -> str | None:
    """SQL that is true where the value is bad; None where every value will do.

    Args:
        rules: the table's rules.
        column: the column.
        thorough: also look for NUL characters in ids. The fast readers of text files need not:
            the scan of the bytes has.
    """
    cell, number = f"c{column.position}", _number(rules, column)
    not_finite = f"NOT coalesce(isfinite({number}), false)"
    match column.role:
        case "id":
            nul = f" OR contains({cell}, chr(0))" if thorough else ""
            return f"({cell} IS NULL OR {cell} = ''{nul})"
        case "score":
            return not_finite
        case "weight":
            return f"({not_finite} OR {number} <= 0)"
        case "grade" if rules.labels:
            return f"({_absent(rules, column)} OR {number} IS NOT NULL)"
        case "grade":
            return not_finite
        case "rank" | "position":
            least = 1 if column.role == "rank" else -_LARGEST_RANK
            return (
                f"({not_finite} OR {number} <> floor({number}) "
                f"OR {number} NOT BETWEEN {least} AND {_LARGEST_RANK})"
            )
        case "page_grade":
            known = ", ".join(map(literal, PAGE_GRADES))
            return f"({cell} IS NULL OR {cell} NOT IN ({known}))"
        case _:
            return _guard_vote(rules, column, thorough=thorough)


def _guard_vote(rules: Rules, column: Column, *, thorough: bool) -> str | None:
    """The same for the values of a votes table."""
    cell, number = f"c{column.position}", f"TRY_CAST({text(f'c{column.position}')} AS DOUBLE)"
    match column.role:
        case "annotator":
            nul = f" OR contains(CAST({cell} AS VARCHAR), chr(0))" if thorough else ""
            return f"(({text(cell)} = '' AND NOT {_is_automatic(rules)}){nul})"
        case "preference":
            value = preference(cell, PREFERENCES)
            return f"({value} IS NULL OR ({_is_automatic(rules)} AND {value} <> 0))"
        case "vote":
            value, side = preference(cell, SHOWN), rules.named("treatment_side")
            unknown = "true" if side is None else f"{text(f'c{side.position}')} = ''"
            return f"({value} IS NULL OR ({value} <> 0 AND {unknown}))"
        case "gold_preference":
            return f"({text(cell)} <> '' AND {preference(cell, PREFERENCES)} IS NULL)"
        case "side":
            return f"NOT {one_of(cell, ('left', 'right'))}"
        case "vote_kind":
            return f"NOT {one_of(cell, VOTE_KINDS)}"
        case "flag":
            decided = _decided(rules) if column.name == "both_bad" else None
            contradicts = f" OR ({flag(cell, 'both_bad')} AND {decided})" if decided else ""
            return f"(NOT {is_flag(cell)}{contradicts})"
        case "whole":
            whole = f"coalesce({number} = floor({number}) AND isfinite({number}), false)"
            return f"({text(cell)} <> '' AND NOT ({whole} AND abs({number}) < 1e15))"
        case "number":
            fine = f"coalesce(isfinite({number}) AND {number} >= 0, false)"
            return f"({text(cell)} <> '' AND NOT {fine})"
        case _:
            return None


def _is_automatic(rules: Rules) -> str:
    kind = rules.named("kind")
    return "false" if kind is None else f"{text(f'c{kind.position}')} = 'automatic'"


def _decided(rules: Rules) -> str | None:
    """SQL that is true where the row prefers one list."""
    for name, words in (("preference", PREFERENCES), ("vote", SHOWN)):
        column = rules.named(name)
        if column is not None:
            return f"coalesce({preference(f'c{column.position}', words)} <> 0, false)"
    return None


def typed(rules: Rules, column: Column) -> str:
    """SQL for the value as the table holds it."""
    cell = f"c{column.position}"
    match column.role:
        case "score" | "weight":
            return _number(rules, column)
        case "grade":
            return cell if rules.labels else _number(rules, column)
        case "rank" | "position":
            return f"CAST({_number(rules, column)} AS INTEGER)"
        case "id" | "text" | "page_grade":
            return f"CAST({cell} AS VARCHAR)"
        case "annotator":
            return f"nullif(CAST({cell} AS VARCHAR), '')"
        case "preference" | "vote":
            return text(cell)  # the words are needed again: see `vote_values.canonical_view`
        case "gold_preference":
            return preference(cell, PREFERENCES)
        case "side":
            return f"nullif({text(cell)}, '')"
        case "vote_kind":
            return f"coalesce(nullif({text(cell)}, ''), 'real')"
        case "flag":
            return flag(cell, column.name)
        case "whole":
            return f"CAST(TRY_CAST({text(cell)} AS DOUBLE) AS BIGINT)"
        case "number":
            return f"TRY_CAST({text(cell)} AS DOUBLE)"
        case _:
            return cell


def _reason(rules: Rules, column: Column) -> tuple[str, str]:
    """SQL for what is wrong with a bad value, and the remedy."""
    name, number = column.name, _number(rules, column)
    absent = f"WHEN {_absent(rules, column)} THEN '{name} is empty'"
    not_number = (
        f"WHEN {number} IS NULL THEN '{name} is not a number' "
        f"WHEN NOT isfinite({number}) THEN '{name} is not a finite number'"
    )
    match column.role:
        case "id":
            return f"CASE {absent} ELSE '{name} holds a NUL character' END", _FIX_ID
        case "weight":
            return (
                f"CASE {absent} {not_number} ELSE '{name} is not above 0' END",
                "Weights are finite numbers above 0; leave out a query that must not count.",
            )
        case "grade" if rules.labels:
            return (
                f"CASE {absent} WHEN isfinite({number}) THEN '{name} is a number kept as text' "
                f"ELSE '{name} is not a finite number' END",
                _FIX_GRADE,
            )
        case "rank" | "position":
            return (
                f"CASE {absent} {not_number} "
                f"WHEN {number} <> floor({number}) THEN '{name} is not a whole number' "
                f"WHEN {number} < 1 THEN '{name} is below 1' ELSE '{name} is too large' END",
                _FIX_RANK,
            )
        case "page_grade":
            return (
                f"CASE {absent} ELSE '{name} is not good, mid or bad' END",
                "A page grade is good, mid or bad.",
            )
        case "grade":
            return f"CASE {absent} {not_number} END", _FIX_GRADE
        case "score":
            return f"CASE {absent} {not_number} END", _FIX_NUMBER
        case _:
            return _reason_vote(rules, column)


def _reason_vote(rules: Rules, column: Column) -> tuple[str, str]:
    """The same for the values of a votes table."""
    name, value = column.name, text(f"c{column.position}")
    absent = f"WHEN {value} = '' THEN '{name} is empty'"
    match column.role:
        case "annotator":
            return f"CASE {absent} ELSE 'annotator holds a NUL character' END", _FIX_ANNOTATOR
        case "preference":
            return (
                f"CASE {absent} WHEN {_is_automatic(rules)} AND "
                f"{preference(f'c{column.position}', PREFERENCES)} IS NOT NULL "
                "THEN 'an automatic row is not a Same' "
                "ELSE 'preference is no word or number that is known' END",
                _FIX_PREFERENCE,
            )
        case "vote":
            return (
                f"CASE {absent} WHEN {preference(f'c{column.position}', SHOWN)} IS NOT NULL "
                "THEN 'the side of the treatment is not given' "
                "ELSE 'vote is no word or number that is known' END",
                _FIX_VOTE + " A decided one needs its treatment_side.",
            )
        case "gold_preference":
            return "'gold_preference is no word or number that is known'", _FIX_PREFERENCE
        case "side":
            return f"'{name} is not left or right'", "A side is left, right, or empty if unknown."
        case "vote_kind":
            return f"'{name} is not known'", f"A kind is one of {', '.join(VOTE_KINDS)}."
        case "flag":
            return (
                f"CASE WHEN {is_flag(f'c{column.position}')} "
                f"THEN 'both bad contradicts the preference' "
                f"ELSE '{name} is neither true nor false' END",
                "Write true or false; a vote for both bad prefers neither list.",
            )
        case "number":
            return (
                f"'{name} is not a finite number from 0 up'",
                "Seconds are numbers from 0 up, or empty if unknown.",
            )
        case _:
            return f"'{name} is not a whole number'", "Write whole numbers, or leave it empty."


def holds_labels(connection: DuckDBPyConnection, stage: str, rules: Rules) -> bool:
    """Whether the staged grades are text labels: some text and no finite number."""
    grade = rules.named("grade")
    if grade is None or grade.position in rules.numeric:
        return False
    number = _number(rules, grade)
    row = connection.execute(
        f"""
        SELECT count_if(coalesce(isfinite({number}), false)),
            count_if(NOT {_absent(rules, grade)} AND {number} IS NULL)
        FROM {stage} WHERE _problem IS NULL
        """
    ).fetchone()
    return row is not None and row[0] == 0 and row[1] > 0


def all_distinct(
    connection: DuckDBPyConnection, table: str, columns: Sequence[str], rows: int
) -> bool:
    """Whether no combination of the columns' values repeats.

    Distinct hashes prove distinct values. Sorting the hashes in NumPy takes half the time and a
    third of the memory of DuckDB's `count(DISTINCT …)`; only hashes that meet are looked into.
    """
    names = ", ".join(map(identifier, columns))
    if rows <= _HASHES_IN_MEMORY:
        # Into a table first: that uses all cores, and fetching an expression does not.
        made = new_name("hashes")
        connection.execute(f"CREATE TEMP TABLE {made} AS SELECT hash({names}) AS h FROM {table}")
        hashes = connection.execute(f"SELECT h FROM {made}").fetchnumpy()["h"]
        connection.execute(f"DROP TABLE {made}")
        hashes.sort()
        distinct = not bool((hashes[1:] == hashes[:-1]).any())
    else:
        row = connection.execute(f"SELECT count(DISTINCT hash({names})) FROM {table}").fetchone()
        distinct = row is not None and row[0] == rows
    if distinct:
        return True
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {names} HAVING count(*) > 1)"
    ).fetchone()
    return row is not None and row[0] == 0


def find_problems(
    connection: DuckDBPyConnection, stage: str, rules: Rules, path: str, *, fix_rows: str
) -> InputError | None:
    """List what is wrong with a staged table: all counted, the first ten kept.

    Args:
        connection: where the stage is.
        stage: a table made by `evalkit.tables.staging`.
        rules: what is checked.
        path: the file, for the error.
        fix_rows: the remedy for rows that are wrong as a whole.
    """
    query, product = rules.named("query_id"), rules.named("product_id")
    who = ", ".join(
        f"nullif(CAST(c{column.position} AS VARCHAR), '')" if column else "CAST(NULL AS VARCHAR)"
        for column in (query, product)
    )
    parts = [
        f"""SELECT _row, -1 AS place, _problem AS message, CAST(NULL AS VARCHAR) AS source,
            _value AS value, CAST(NULL AS VARCHAR) AS query, CAST(NULL AS VARCHAR) AS product,
            {literal(fix_rows)} AS remedy FROM {stage} WHERE _problem IS NOT NULL"""
    ]
    for column in rules.columns:
        bad = guard(rules, column)
        if bad is not None:
            reason, remedy = _reason(rules, column)
            parts.append(
                f"""SELECT _row, {column.position}, {reason}, {literal(column.source)},
                CAST(c{column.position} AS VARCHAR), {who}, {literal(remedy)}
                FROM {stage} WHERE _problem IS NULL AND {bad}"""
            )
    last = len(rules.columns)
    if rules.on_duplicate == "error" and rules.key():
        parts.append(_repeated_keys(stage, rules, who, last))
    if rules.ranks_order and rules.named("rank") is not None:
        parts.append(_repeated_ranks(stage, rules, who, last + 1))
    if rules.kind == "run" and rules.named("system") is not None:
        parts.append(_several_systems(stage, rules, last + 2))
    rows = connection.execute(
        f"""SELECT _row, message, source, value, query, product, remedy, count(*) OVER ()
        FROM ({" UNION ALL ".join(parts)}) ORDER BY _row, place LIMIT {_SHOWN}"""
    ).fetchall()
    if not rows:
        return None
    problems = [
        Problem(message, row, source, value, query_id, product_id)
        for row, message, source, value, query_id, product_id, _, _ in rows
    ]
    remedies = list(dict.fromkeys(row[6] for row in rows))
    return InputError(path, problems, remedy=" ".join(remedies), total=rows[0][7])


def _repeated_keys(stage: str, rules: Rules, who: str, place: int) -> str:
    key = rules.key()
    cells = [f"c{column.position}" for column in key]
    names = ", ".join(cells)
    same = " AND ".join(f"s.{cell} IS NOT DISTINCT FROM k.{cell}" for cell in cells)
    known = " AND ".join(
        f"coalesce(CAST(c{column.position} AS VARCHAR), '') <> ''"
        for column in key
        if column.role == "id"
    )
    what = SCHEMAS[rules.kind].thing
    if rules.kind == "run":
        remedy = _FIX_FIRST
    elif rules.kind == "judgments":
        remedy = f"Keep one judgment for each {', '.join(c.name for c in key)}."
    else:
        remedy = f"Keep one row for each {', '.join(c.name for c in key)}."
    shown = "NULL" if rules.kind in ("run", "judgments", "queries", "products") else f"s.{cells[1]}"
    return f"""
        SELECT _row, {place}, 'repeated {what}, first in row ' || k.first,
            CAST(NULL AS VARCHAR), CAST({shown} AS VARCHAR), {_of("s", who)}, {literal(remedy)}
        FROM {stage} AS s JOIN (
            SELECT {names}, min(_row) AS first FROM {stage}
            WHERE _problem IS NULL AND {known} GROUP BY {names} HAVING count(*) > 1
        ) AS k ON {same} WHERE _problem IS NULL AND s._row > k.first"""


def _of(alias: str, who: str) -> str:
    return who.replace("CAST(c", f"CAST({alias}.c")


def _repeated_ranks(stage: str, rules: Rules, who: str, place: int) -> str:
    query, product, rank = rules.named("query_id"), rules.named("product_id"), rules.named("rank")
    if query is None or product is None or rank is None:
        return ""
    q, p, number = f"c{query.position}", f"c{product.position}", _number(rules, rank)
    kept = (
        f"QUALIFY row_number() OVER (PARTITION BY {q}, {p} ORDER BY _row) = 1"
        if rules.on_duplicate == "first"
        else ""
    )
    return f"""
        SELECT _row, {place}, 'repeated rank of the query, first in row ' || first,
            {literal(rank.source)}, CAST(c{rank.position} AS VARCHAR), {who}, {literal(_FIX_RANK)}
        FROM (
            SELECT *, min(_row) OVER (PARTITION BY {q}, {number}) AS first
            FROM (SELECT * FROM {stage} WHERE _problem IS NULL AND NOT {guard(rules, rank)} {kept})
        ) WHERE _row > first"""


def _several_systems(stage: str, rules: Rules, place: int) -> str:
    system = rules.named("system")
    if system is None:
        return ""
    cell = f"coalesce(CAST(c{system.position} AS VARCHAR), '')"
    return f"""
        SELECT (SELECT min(_row) FROM {stage} WHERE _problem IS NULL
                AND {cell} <> (SELECT arg_min({cell}, _row) FROM {stage} WHERE _problem IS NULL)),
            {place}, 'the run holds ' || count(*) || ' systems ('
                || array_to_string(list(name ORDER BY first)[:5], ', ')
                || if(count(*) > 5, ', …', '') || ')',
            {literal(system.source)}, list(name ORDER BY first)[2], CAST(NULL AS VARCHAR),
            CAST(NULL AS VARCHAR), {literal(_FIX_SYSTEM)}
        FROM (
            SELECT if({cell} = '', '(none)', {cell}) AS name, min(_row) AS first
            FROM {stage} WHERE _problem IS NULL GROUP BY ALL
        ) HAVING count(*) > 1"""
