"""What a user knows besides the catalogue: a CSV with the columns subject, relation and object.

    subject,relation,object
    nappa,is a,leather
    runners,synonym,sneakers
    phone case,compatible with,smartphone
    waterproof=yes,implies,walk in the rain
    jacket:lining=fleece,implies,a night in a tent
    Vantrel,tier,luxury

`implies` goes from what a product states (`attribute=value`, or `kind:attribute=value`, or just a
kind) to the need that it answers; it may also be written the other way round.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.errors import InputError, Problem
from evalkit.knowledge.settings import TIERS

if TYPE_CHECKING:
    import os

__all__ = ["RELATIONS", "Triple", "read_triples"]

RELATIONS = ("is a", "synonym", "compatible with", "implies", "tier")
_COLUMNS = ("subject", "relation", "object")
_SHOWN = 10


@dataclass(frozen=True)
class Triple:
    """One fact: a relation of `RELATIONS` between two things, in lower case with single spaces."""

    subject: str
    relation: str
    object: str


def read_triples(path: str | os.PathLike[str]) -> tuple[Triple, ...]:
    """Read the file; repeated facts are one, in the order of the file.

    Args:
        path: a CSV file in UTF-8 with the columns subject, relation, object.

    Raises:
        InputError: it cannot be read, a column is missing, or a row is not understood; names the
            file, the row and what to do.
    """
    name = str(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            header = [str(column).strip().lower() for column in reader.fieldnames or ()]
            reader.fieldnames = header
            missing = [column for column in _COLUMNS if column not in header]
            if missing:
                raise InputError(
                    name,
                    [Problem(f"has no column {', '.join(missing)}", row=1)],
                    remedy=f"Its first line must be {','.join(_COLUMNS)}.",
                )
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            name, [Problem(f"cannot be read ({reason})")], remedy="It must be a CSV file in UTF-8."
        ) from error
    found: dict[Triple, None] = {}
    problems = []
    for line, row in rows:
        parts = [" ".join((row.get(column) or "").lower().split()) for column in _COLUMNS]
        triple = Triple(parts[0], parts[1].replace("_", " "), parts[2])
        problem = _problem(triple, line)
        if problem is None:
            found[triple] = None
        else:
            problems.append(problem)
    if problems:
        raise InputError(
            name,
            problems[:_SHOWN],
            remedy=f"Relations are {', '.join(RELATIONS)}; tiers are {', '.join(TIERS)}.",
            total=len(problems),
        )
    return tuple(found)


def _problem(triple: Triple, line: int) -> Problem | None:
    for column, value in zip(
        _COLUMNS, (triple.subject, triple.relation, triple.object), strict=True
    ):
        if not value:
            return Problem("is empty", row=line, column=column)
    if triple.relation not in RELATIONS:
        return Problem("is not a relation", row=line, column="relation", value=triple.relation)
    if triple.relation == "tier" and triple.object not in TIERS:
        return Problem("is not a tier", row=line, column="object", value=triple.object)
    if triple.relation == "implies" and "=" in triple.subject and "=" in triple.object:
        return Problem("names no need: both sides are attribute=value", row=line)
    return None
