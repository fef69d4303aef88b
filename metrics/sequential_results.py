"""What may be said while votes still come in: frozen results of the sequential analysis."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metrics._frames import Frames

__all__ = ["Remaining", "Sequential"]


@dataclass(frozen=True, kw_only=True)
class Sequential:
    """What may be concluded while votes still come in, however often one looks.

    Attributes:
        alpha: the chance of a wrong conclusion over all looks together.
        overlap: counted votes that complete a query, or None where every query is complete.
        queries: complete queries, in serving order; automatic Sames among them.
        automatic: automatic Sames among these.
        incomplete: queries with votes that are not complete yet; they are not in the figures.
        votes: counted votes of the complete queries.
        wins: queries with more votes for the treatment.
        losses: queries with more votes for the control.
        e_value: evidence now against a win rate of one half.
        win_rate: wins/(wins + losses).
        win_low: lower end of the confidence sequence of the win rate.
        win_high: upper end.
        gsb: mean over the complete queries of (G_q − B_q)/votes.
        gsb_low: lower end of its confidence sequence.
        gsb_high: upper end.
        decided: whether the e-value has reached 1/alpha at any point of the sequence.
        path: per complete query, in order, as arrays: `queries`, `e_value`, `win_low`, `win_high`,
            `gsb`, `gsb_low`, `gsb_high`.
        note: what a reader must know, or empty.
        frames: the kind of frame that `table` gives back.
    """

    alpha: float
    overlap: int | None
    queries: int
    automatic: int
    incomplete: int
    votes: int
    wins: int
    losses: int
    e_value: float
    win_rate: float | None
    win_low: float
    win_high: float
    gsb: float | None
    gsb_low: float
    gsb_high: float
    decided: bool
    path: Mapping[str, Any] = field(repr=False)
    note: str = ""
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The path as a frame of the caller's kind, a row a query."""
        return self.frames.from_columns({name: list(values) for name, values in self.path.items()})

    def to_dict(self, *, path: bool = False) -> dict[str, Any]:
        """Return the figures, ready for JSON.

        Args:
            path: also return the path, as lists.
        """
        plain = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("frames", "path")
        }
        if path:
            plain["path"] = {name: values.tolist() for name, values in self.path.items()}
        return plain


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """How much is left to do, if later queries are like those so far. An estimate, no promise.

    Attributes:
        queries_to_decision: further queries until the e-value decides; 0 when it has; None when it
            will not within `limit` queries.
        votes_to_decision: the votes that these need.
        queries_to_width: further queries until the confidence sequence of GSB is as narrow as was
            asked; 0 when it is; None when it will not be, or no width was asked.
        votes_to_width: the votes that these need.
        width: the width that was asked, from end to end, or None.
        votes_per_query: votes that a query needs, from the overlap or from what was seen.
        limit: queries beyond which nothing is estimated.
    """

    queries_to_decision: int | None
    votes_to_decision: int | None
    queries_to_width: int | None
    votes_to_width: int | None
    width: float | None
    votes_per_query: float
    limit: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, ready for JSON."""
        return asdict(self)
