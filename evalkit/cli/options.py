"""Options that several commands have, and values that they read the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.decorators import FC

    from evalkit.scoring import Columns

__all__ = [
    "column_names",
    "cutoffs",
    "gains",
    "map_option",
    "memory_option",
    "one_grade_option",
    "words",
]

memory_option = click.option(
    "--memory-limit",
    default="600MB",
    show_default=True,
    help="Memory that the whole process aims at; beyond it, spill to disk.",
)
one_grade_option = click.option(
    "--aggregate",
    type=click.Choice(["median", "majority"]),
    help="One grade of several annotators.",
)


def map_option(text: str) -> Callable[[FC], FC]:
    """Add `--map`, passed on as `mapped`, for `column_names`."""
    return click.option("--map", "mapped", multiple=True, metavar="NAME=COLUMN", help=text)


def words(text: str | None) -> list[str]:
    """Split `a,b,c`."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def cutoffs(text: str) -> tuple[int, ...]:
    """Read `5,10,20`."""
    try:
        return tuple(int(word) for word in words(text))
    except ValueError:
        raise SettingsError(
            f"--at {text!r} is not a list of whole numbers; write 5,10,20."
        ) from None


def gains(text: str | None) -> dict[str, float] | None:
    """Read `E=3,S=2,C=1,I=0`."""
    if text is None:
        return None
    try:
        pairs = [word.partition("=") for word in words(text)]
        read = {name.strip(): float(value) for name, _, value in pairs}
        if len(read) < len(pairs) or not all(read):
            raise ValueError
        return read
    except ValueError:
        raise SettingsError(f"--gains {text!r} is not understood; write E=3,S=2,C=1,I=0.") from None


def column_names(options: Sequence[str]) -> Columns:
    """Read `--map product_id=asin` and `--map judgments.grade=stars`."""
    from evalkit.scoring import Columns
    from evalkit.tables import KINDS
    from evalkit.tables.schema import SCHEMAS

    known = dict.fromkeys(name for schema in SCHEMAS.values() for name in schema.roles)
    everywhere: dict[str, str] = {}
    of_kind: dict[str, dict[str, str]] = {}
    for option in options:
        name, equals, column = option.partition("=")
        kind, dot, inner = name.partition(".")
        if not (equals and name and column) or (dot and kind not in KINDS):
            raise SettingsError(
                f"--map {option!r} is not understood; write product_id=asin, or "
                f"judgments.grade=stars for one table ({', '.join(KINDS)})."
            )
        if (inner if dot else name) not in known:
            raise SettingsError(
                f"--map {option!r}: no table has a column of that name; there are "
                f"{', '.join(known)}."
            )
        target, key = (of_kind.setdefault(kind, {}), inner) if dot else (everywhere, name)
        if key in target:
            raise SettingsError(f"--map names {name} more than once.")
        target[key] = column
    return Columns(everywhere, of_kind)
