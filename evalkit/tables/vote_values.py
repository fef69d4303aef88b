"""The words of a votes table as SQL: preferences, votes as shown, sides, kinds, flags.

A preference is stored for the treatment: 2, 1 (good), 0 (same), -1 (bad), -2. A vote as it was
shown (left, same, right) becomes one through the side on which the treatment stood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.tables.quoting import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "PREFERENCES",
    "SHOWN",
    "VOTE_KINDS",
    "canonical_columns",
    "canonical_view",
    "flag",
    "is_flag",
    "one_of",
    "preference",
    "text",
]

_BOTH_BAD = ("both bad", "both_bad", "both-bad")
_EQUAL = dict.fromkeys(("same", "tie", *_BOTH_BAD), 0)
PREFERENCES: Mapping[str, int] = {"good": 1, "bad": -1, **_EQUAL}
"""Words for a preference: how the treatment did."""
SHOWN: Mapping[str, int] = {"left": -1, "right": 1, **_EQUAL}
"""Words for a vote: which list was better, as they stood on the screen."""
VOTE_KINDS = ("real", "gold", "twin", "practice", "automatic")

_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")
_DEFAULTS = {"both_bad": False, "set_aside": False, "counts": True}


def text(cell: str) -> str:
    """SQL for the value as trimmed lower-case text, '' for null."""
    return f"lower(trim(coalesce(CAST({cell} AS VARCHAR), '')))"


def one_of(cell: str, words: Sequence[str]) -> str:
    """SQL that is true where the value is one of the words, or absent."""
    return f"{text(cell)} IN ({', '.join(map(literal, ('', *words)))})"


def preference(cell: str, words: Mapping[str, int]) -> str:
    """SQL for -2 to 2 from a word or a number; null where it is neither."""
    cases = " ".join(f"WHEN {literal(word)} THEN {value}" for word, value in words.items())
    number = f"TRY_CAST({text(cell)} AS DOUBLE)"
    return (
        f"CASE {text(cell)} {cases} "
        f"ELSE CASE WHEN {number} IN (-2, -1, 0, 1, 2) THEN CAST({number} AS INTEGER) END END"
    )


def is_flag(cell: str) -> str:
    """SQL that is true where the value is yes, no or absent."""
    return one_of(cell, (*_TRUE, *_FALSE))


def flag(cell: str, name: str) -> str:
    """SQL for a boolean that is never null."""
    default = _DEFAULTS[name]
    other = _FALSE if default else _TRUE
    found = f"{text(cell)} IN ({', '.join(map(literal, other))})"
    return f"NOT {found}" if default else found


def canonical_columns(names: Sequence[str], *, shown: bool) -> tuple[str, ...]:
    """The columns of a votes table as metrics take it: always a preference and both_bad.

    Args:
        names: the table's columns.
        shown: whether `vote` tells which list was better as shown, instead of a preference.
    """
    kept = ["preference" if shown and name == "vote" else name for name in names]
    return tuple(kept if "both_bad" in kept else [*kept, "both_bad"])


def canonical_view(names: Sequence[str], stored: str, *, shown: bool) -> str:
    """SQL that turns a stored votes table, its words still in it, into the canonical one."""
    cell = "vote" if shown else "preference"
    value = preference(cell, SHOWN if shown else PREFERENCES)
    if shown:
        value = f"CASE WHEN treatment_side = 'left' THEN -({value}) ELSE {value} END"
    both_bad = f"{text(cell)} IN ({', '.join(map(literal, _BOTH_BAD))})"
    if "both_bad" in names:
        both_bad = f"(both_bad OR {both_bad})"
    made = {"preference": value, "both_bad": both_bad}
    columns = ", ".join(
        f"{made[name]} AS {name}" if name in made else identifier(name)
        for name in canonical_columns(names, shown=shown)
    )
    return f"SELECT {columns} FROM {stored}"
