"""Every error that evalkit raises for a reason the user can mend.

    EvalkitError
    ├── InputError      a file or a value in it is not what it must be
    ├── SettingsError   options that are missing, unknown or contradict each other
    ├── StoreError      the study database
    │   ├── NotAllowed  what this person may not do or see
    │   └── RateLimited too many sign-ins that failed
    └── ModelError      a model that cannot be found, loaded or trusted

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "EvalkitError",
    "InputError",
    "ModelError",
    "NotAllowed",
    "Problem",
    "RateLimited",
    "SettingsError",
    "StoreError",
]


class EvalkitError(Exception):
    """Base of all errors that evalkit raises on purpose."""


class SettingsError(EvalkitError):
    """Options that are missing, unknown, or contradict each other."""


class StoreError(EvalkitError):
    """The study database cannot be opened, is of another version, or refuses a change."""


class NotAllowed(StoreError):  # noqa: N818
    """Somebody asks for what is not theirs, or for what their role does not cover."""


class RateLimited(StoreError):  # noqa: N818
    """Too many sign-ins failed from one place within a minute."""


class ModelError(EvalkitError):
    """A model cannot be found, loaded or trusted."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes:
        message: what is wrong, in a few words (`score is not a finite number`).
        row: 1-based line of a text file, 1-based row of a Parquet file, or None.
        column: name of the column as it stands in the file, or None.
        value: the offending value as text, or None.
        query_id: the query of the row where that is known.
        product_id: the product of the row where that is known.
    """

    message: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    query_id: str | None = None
    product_id: str | None = None

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row is not None else []
        where += [f"column {self.column}"] if self.column is not None else []
        where += [f"query {self.query_id!r}"] if self.query_id is not None else []
        where += [f"product {self.product_id!r}"] if self.product_id is not None else []
        text = f"{', '.join(where)}: {self.message}" if where else self.message
        return text if self.value is None else f"{text}: {self.value!r}"


class InputError(EvalkitError):
    """A file cannot be used.

    Attributes:
        path: the file, or `-` for standard input.
        problems: the first problems found (ten at most).
        total: how many problems there are in the file.
        remedy: what the user can do about it.
    """

    def __init__(
        self, path: str, problems: Sequence[Problem], *, remedy: str, total: int | None = None
    ) -> None:
        self.path = path
        self.problems = tuple(problems)
        self.total = len(self.problems) if total is None else total
        self.remedy = remedy
        super().__init__(str(self))

    @property
    def row(self) -> int | None:
        """Row of the first problem."""
        return self.problems[0].row if self.problems else None

    @property
    def column(self) -> str | None:
        """Column of the first problem."""
        return self.problems[0].column if self.problems else None

    @property
    def value(self) -> str | None:
        """Offending value of the first problem."""
        return self.problems[0].value if self.problems else None

    def __str__(self) -> str:
        if self.total == 1:
            return f"{self.path}: {self.problems[0]}. {self.remedy}"
        shown = "".join(f"\n  {problem}" for problem in self.problems)
        rest = self.total - len(self.problems)
        more = f"\n  and {rest:,} more" if rest else ""
        return f"{self.path}: {self.total:,} problems. {self.remedy}{shown}{more}"
