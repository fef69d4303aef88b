"""What votes come to: frozen results of GSB, overall and by segment."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from metrics._text import (
    html_table,
    json_text,
    p_value,
    points,
    segment_name,
    span,
    text_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames

__all__ = ["VoteComparison", "VoteScored"]


@dataclass(frozen=True, kw_only=True)
class VoteScored:
    """GSB of one segment from people's votes.

    Shares are fractions (0.01 is one point); None stands for a figure that does not exist.

    Attributes:
        segment: {} overall, otherwise {column: value}.
        queries: queries with a counted vote, those with identical lists included.
        votes: people's votes that count.
        annotators: people who gave them.
        good: queries (votes under `aggregate="votes"`) on which the treatment is better.
        same: on which neither is, automatic Sames included.
        bad: on which the control is better.
        both_bad: votes that called both lists bad; each is a Same as well.
        automatic: queries with identical lists, Same without a vote.
        gsb: (G − B)/(G + S + B).
        ci_low: lower end of its interval.
        ci_high: upper end.
        p: exact two-sided sign test over queries on the sign of G_q − B_q.
        win_rate: G/(G + B).
        win_low: lower end of its interval.
        win_high: upper end.
        ratio: (G + S)/(B + S).
        mean_preference: mean over queries of the mean preference, in [−2, 2]; identical lists
            count as 0.
        gsb_without_automatic: GSB over the queries that people saw.
        left_share: share of decided votes that went to the left list.
        left_low: lower end of its exact binomial interval.
        left_high: upper end.
        left_votes: decided votes whose sides are known.
        gsb_treatment_left: (G − B)/votes over votes with the treatment on the left.
        gsb_treatment_right: the same with the treatment on the right.
        gsb_side_adjusted: the mean of the two.
        set_aside: votes of the segment left out because they were set aside.
        surplus: votes left out because they do not count (superseded, or beyond the overlap).
        note: what a reader must know about the row, or empty.
    """

    segment: Mapping[str, Any] = field(default_factory=dict)
    queries: int
    votes: int
    annotators: int
    good: int
    same: int
    bad: int
    both_bad: int = 0
    automatic: int = 0
    gsb: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    win_rate: float | None = None
    win_low: float | None = None
    win_high: float | None = None
    ratio: float | None = None
    mean_preference: float | None = None
    gsb_without_automatic: float | None = None
    left_share: float | None = None
    left_low: float | None = None
    left_high: float | None = None
    left_votes: int = 0
    gsb_treatment_left: float | None = None
    gsb_treatment_right: float | None = None
    gsb_side_adjusted: float | None = None
    set_aside: int = 0
    surplus: int = 0
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        return {**asdict(self), "segment": dict(self.segment)}


@dataclass(frozen=True, kw_only=True)
class VoteComparison:
    """GSB from people's votes, overall first and then by segment.

    Attributes:
        settings: everything needed to compute it again, the seed included.
        left_out: votes that enter no figure, by reason: `gold`, `twin`, `practice`, `set_aside`,
            `surplus`.
        warnings: sentences that a reader must see beside the figures.
        rows: the results, overall first.
        per_query_columns: what every query came to, as columns.
        frames: the kind of frame that `table` and `per_query` give back.
    """

    settings: Mapping[str, Any]
    left_out: Mapping[str, int]
    warnings: Sequence[str]
    rows: Sequence[VoteScored]
    per_query_columns: Mapping[str, Any] = field(repr=False)
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The results as a frame of the caller's kind, a row each; segments as text."""
        rows = [{**row.to_dict(), "segment": segment_name(row.segment)} for row in self.rows]
        names = [item.name for item in fields(VoteScored)]
        return self.frames.from_columns({name: [row[name] for row in rows] for name in names})

    @property
    def per_query(self) -> Any:
        """What every query came to: votes, G, S, B, mean sign and preference, verdict."""
        return self.frames.from_columns(dict(self.per_query_columns))

    def to_dict(self) -> dict[str, Any]:
        """Return settings, what was left out, warnings and results, ready for JSON."""
        return {
            "settings": dict(self.settings),
            "left_out": dict(self.left_out),
            "warnings": list(self.warnings),
            "results": [row.to_dict() for row in self.rows],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        interval = f"{self.settings['confidence']:.0%} interval"
        header = ["segment", "queries", "votes", "G:S:B", "GSB", interval, "p", "win rate", "left"]
        lines = [
            [
                segment_name(row.segment),
                f"{row.queries}",
                f"{row.votes}",
                f"{row.good}:{row.same}:{row.bad}",
                points(row.gsb, signed=True),
                span(row.ci_low, row.ci_high, signed=True),
                p_value(row.p),
                points(row.win_rate),
                points(row.left_share),
            ]
            for row in self.rows
        ]
        return header, lines

    def __repr__(self) -> str:
        return text_table(*self._lines(), self.warnings)

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), self.warnings)
