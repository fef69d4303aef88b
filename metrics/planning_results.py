"""What planning returns: frozen rows that say how many queries and votes a difference needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from metrics._text import (
    MISSING,
    figure_name,
    html_table,
    json_text,
    points,
    segment_name,
    text_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames

__all__ = ["Planned", "SamplePlan"]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What one figure needs in one segment (and, of votes, with one number of votes a query).

    Attributes:
        measure: name of the measure; `gsb` for people's votes.
        cutoff: depth, None for measures of whole lists and votes.
        segment: {} overall, otherwise {column: value}.
        overlap: votes a query, None for automated scores.
        pilot_queries: queries of the pilot that enter, None where nothing but shares was given.
        pilot_delta: Δ (GSB) of the pilot, a fraction; of votes the mean of single votes, which is
            what `delta` is of, whatever the overlap.
        standard_error: of the pilot's Δ, as `mde` of a score has it; of votes that of the GSB of
            single votes, with queries as the sample.
        method: `mcnemar` and `sign_test` (exact), `delta_method` and `paired_t` (swap test).
        needed_queries: queries with which the test has the power for the difference asked for.
        needed_votes: votes on them, identical lists needing none.
        interval_width: width of the 95% interval with the needed queries, or with `queries` where
            no difference was asked for; of votes that of GSB by majority.
        queries: queries there are: those given, or the pilot's.
        mde: smallest difference found with them: of automated scores by the formula of `score`,
            of votes by the exact power.
        power: probability of finding the difference asked for with them.
        simulated_power: share of simulated samples with p ≤ alpha, of the needed queries, or of
            those given.
        cheapest: whether no other overlap needs fewer votes.
        note: why a number is missing, or what it rests on.
    """

    measure: str
    cutoff: int | None
    segment: Mapping[str, Any]
    overlap: int | None = None
    pilot_queries: int | None = None
    pilot_delta: float | None = None
    standard_error: float | None = None
    method: str
    needed_queries: int | None = None
    needed_votes: int | None = None
    interval_width: float | None = None
    queries: int | None = None
    mde: float | None = None
    power: float | None = None
    simulated_power: float | None = None
    cheapest: bool = False
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        return {**asdict(self), "segment": dict(self.segment)}


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """How many queries, and votes, a difference needs.

    Attributes:
        settings: everything needed to compute it again, the seed included.
        pilot: what it was learned from: queries, and of votes their shares and agreement.
        warnings: sentences that a reader must see beside the figures.
        rows: the results, overall first.
        frames: the kind of frame that `table` gives back.
    """

    settings: Mapping[str, Any]
    pilot: Mapping[str, Any]
    warnings: Sequence[str]
    rows: Sequence[Planned]
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The results as a frame of the caller's kind, a row each; segments as text."""
        rows = [{**row.to_dict(), "segment": segment_name(row.segment)} for row in self.rows]
        names = [item.name for item in fields(Planned)]
        return self.frames.from_columns({name: [row[name] for row in rows] for name in names})

    def to_dict(self) -> dict[str, Any]:
        """Return settings, pilot, warnings and results, ready for JSON."""
        return {
            "settings": dict(self.settings),
            "pilot": dict(self.pilot),
            "warnings": list(self.warnings),
            "results": [row.to_dict() for row in self.rows],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        header = ["measure", "segment", "overlap", "queries needed", "votes", "queries", "mde"]
        lines = [
            [
                figure_name(row.measure, row.cutoff),
                segment_name(row.segment),
                _count(row.overlap),
                _count(row.needed_queries),
                _count(row.needed_votes),
                _count(row.queries),
                points(row.mde),
                points(row.power),
            ]
            for row in self.rows
        ]
        return [*header, "power"], lines

    def __repr__(self) -> str:
        return text_table(*self._lines(), self.warnings, left=2)

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), self.warnings)


def _count(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"
