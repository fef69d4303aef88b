"""Gold and practice tasks: comparisons and products whose right answer is known beforehand.

For a side-by-side study a gold file has a row for each query: `query_id`, `preference` (what is
right for the treatment: good, same, bad or both bad; `good or same` where two answers are right)
and optionally `query` (its text, for a query outside the query set), `control` and `treatment`
(product ids with `;` between them, for lists that stand in neither run), `explanation`, and
`practice` (true for a task that is asked first and explained). For a grade study it is a judgments
file: `query_id`, `product_id`, `grade` (a number or its word), and optionally `explanation` and
`practice`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.tables import Table

__all__ = ["GoldTask", "gold_comparisons", "gold_grades"]

_SIGNS: Mapping[str, int] = {"good": 1, "same": 0, "bad": -1, "both bad": 0}
_FLAGS: Mapping[str, bool] = {
    **dict.fromkeys(("", "false", "no", "0", "0.0"), False),
    **dict.fromkeys(("true", "yes", "1", "1.0"), True),
}
_SHOWN = 10
_FIX_ANSWER = (
    "Say what is right for the treatment: good, same, bad or both bad, or two of them with or "
    "between (good or same)."
)
_FIX_FLAG = "Write true or false."


@dataclass(frozen=True)
class GoldTask:
    """A task with a known answer.

    Attributes:
        query_id: the query.
        preferences: the signs that are right for the treatment (side-by-side studies).
        grades: the right grade of products (grade studies).
        explanation: what an annotator is told after a practice task.
        practice: whether it is asked first, with feedback, rather than hidden among the others.
        query: the text of the query where the file gives one.
        control: the control's list where the file gives one.
        treatment: the treatment's list where the file gives one.
    """

    query_id: str
    preferences: tuple[int, ...] = ()
    grades: Mapping[str, int] = field(default_factory=dict)
    explanation: str | None = None
    practice: bool = False
    query: str | None = None
    control: tuple[str, ...] | None = None
    treatment: tuple[str, ...] | None = None


def gold_comparisons(table: Table) -> list[GoldTask]:
    """Read the gold tasks of a side-by-side study.

    Args:
        table: the file, read as a table of queries.

    Raises:
        InputError: the preference of a row is missing or not understood, or it has one list only.
    """
    if "preference" not in table.columns:
        raise InputError(
            table.path,
            [Problem("no column preference")],
            remedy=f"The file has: {', '.join(table.columns)}. {_FIX_ANSWER}",
        )
    found, problems, remedies = [], [], []
    for row in _rows(table):
        query_id = row["query_id"]
        signs = _signs(row["preference"])
        if signs is None:
            value = "" if row["preference"] is None else str(row["preference"])
            said = "is empty" if not value else "is not an answer"
            problems.append(
                Problem(f"preference {said}", None, "preference", value or None, query_id)
            )
            remedies.append(_FIX_ANSWER)
        control, treatment = _ids(row.get("control")), _ids(row.get("treatment"))
        if (control is None) != (treatment is None):
            problems.append(Problem("only one of the two lists is given", query_id=query_id))
            remedies.append(
                "Give both control and treatment, or neither to take those of the runs."
            )
        practice = _flag(row, problems, remedies)
        found.append(
            GoldTask(
                query_id,
                signs or (),
                explanation=_text(row.get("explanation")),
                practice=practice,
                query=_text(row.get("query")),
                control=control,
                treatment=treatment,
            )
        )
    _refuse(table.path, problems, remedies)
    return found


def gold_grades(table: Table, levels: Sequence[tuple[int, str]]) -> list[GoldTask]:
    """Read the gold tasks of a grade study: one task a query, with the grades of its products.

    Args:
        table: the file, read as a table of judgments.
        levels: the grades of the study with their words; the file may use either.

    Raises:
        InputError: a grade is none of the study's, or a query is practice in one row only.
    """
    known: dict[object, int] = {grade: grade for grade, _ in levels}
    known |= {word.casefold(): grade for grade, word in levels}
    allowed = ", ".join(f"{grade} ({word})" for grade, word in levels)
    problems: list[Problem] = []
    remedies: list[str] = []
    grades: dict[str, dict[str, int]] = {}
    flags: dict[str, bool] = {}
    told: dict[str, list[str]] = {}
    for row in _rows(table):
        query_id, product_id, value = row["query_id"], row["product_id"], row["grade"]
        grade = known.get(value.strip().casefold() if isinstance(value, str) else value)
        if grade is None:
            said = value if isinstance(value, str) else f"{value:g}"
            problems.append(
                Problem("grade is none of the study's", None, "grade", said, query_id, product_id)
            )
            remedies.append(f"The study's grades are {allowed}.")
            continue
        practice = _flag(row, problems, remedies)
        if flags.setdefault(query_id, practice) != practice:
            problems.append(
                Problem("practice differs between the rows of the query", query_id=query_id)
            )
            remedies.append("Say the same for all products of a query.")
        grades.setdefault(query_id, {})[product_id] = grade
        text = _text(row.get("explanation"))
        if text and text not in told.setdefault(query_id, []):
            told[query_id].append(text)
    _refuse(table.path, problems, remedies)
    return [
        GoldTask(
            query_id,
            grades=of_query,
            explanation=" ".join(told.get(query_id, [])) or None,
            practice=flags[query_id],
        )
        for query_id, of_query in grades.items()
    ]


def _rows(table: Table) -> Iterable[dict[str, Any]]:
    names = table.relation.columns
    for row in table.relation.fetchall():
        yield dict(zip(names, row, strict=True))


def _signs(value: object) -> tuple[int, ...] | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        known = value in (-2, -1, 0, 1, 2)
        return ((value > 0) - (value < 0),) if known else None
    if str(value).strip() in ("-2", "-1", "0", "1", "2"):
        return _signs(int(str(value)))
    words = [word.strip().lower().replace("_", " ") for word in str(value or "").split(" or ")]
    if not all(word in _SIGNS for word in words):
        return None
    return tuple(dict.fromkeys(_SIGNS[word] for word in words))


def _ids(value: object) -> tuple[str, ...] | None:
    """Product ids of a list, in order; None where the cell is empty."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return (str(value),)
    parts = value if isinstance(value, (list, tuple)) else str(value).split(";")
    return tuple(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))


def _flag(row: Mapping[str, Any], problems: list[Problem], remedies: list[str]) -> bool:
    value = row.get("practice")
    word = "" if value is None else str(value).strip().lower()
    if word not in _FLAGS:
        problems.append(
            Problem("practice is not true or false", None, "practice", word, row["query_id"])
        )
        remedies.append(_FIX_FLAG)
    return _FLAGS.get(word, False)


def _text(value: object) -> str | None:
    return str(value).strip() or None if value is not None else None


def _refuse(path: str, problems: Sequence[Problem], remedies: Sequence[str]) -> None:
    if problems:
        remedy = " ".join(dict.fromkeys(remedies))
        raise InputError(path, problems[:_SHOWN], remedy=remedy, total=len(problems))
