"""What a scoring returns: frozen results that carry the settings they were computed with."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from metrics._text import (
    figure_name,
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

__all__ = ["Compared", "Comparison", "Scored", "Scores"]


@dataclass(frozen=True, kw_only=True)
class _Row:
    measure: str
    cutoff: int | None
    segment: Mapping[str, Any]
    queries: int

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it; fields that do not apply are left out."""
        row = {item.name: getattr(self, item.name) for item in fields(self)}
        row["segment"] = dict(self.segment)
        extra: Mapping[str, Any] = row.pop("extra")
        return {**row, **extra}


@dataclass(frozen=True, kw_only=True)
class Compared(_Row):
    """One measure at one cutoff in one segment, control against treatment.

    Attributes:
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        segment: {} overall, otherwise {column: value}.
        queries: |Q| of the segment.
        control: value of the control; None for GSB.
        treatment: value of the treatment; None for GSB.
        delta: treatment − control, a fraction (0.01 is one point).
        relative: delta / control.
        ci_low: lower end of the 95% interval of delta.
        ci_high: upper end.
        p: two-sided p-value.
        p_holm: p adjusted within the declared family; None marks an exploratory row.
        improved: queries whose own value rose.
        same: queries whose own value differs by less than 1e-12.
        worse: queries whose own value fell.
        mde: smallest difference that would be found with 80% power at an unadjusted 0.05.
        judged_control: share of the control's shown products that are judged.
        judged_treatment: the same of the treatment.
        extra: bounds, tie ranges and notes, where they apply; of GSB also the counts, `identical`
            (queries whose lists are identical) and `without_identical` (GSB without them).
    """

    control: float | None = None
    treatment: float | None = None
    delta: float | None = None
    relative: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    improved: int = 0
    same: int = 0
    worse: int = 0
    mde: float | None = None
    judged_control: float | None = None
    judged_treatment: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scored(_Row):
    """One measure of one run at one cutoff in one segment.

    Attributes:
        system: name of the run.
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        segment: {} overall, otherwise {column: value}.
        queries: |Q| of the segment.
        value: the measure, a fraction.
        ci_low: lower end of its 95% interval.
        ci_high: upper end.
        judged: share of the shown products that are judged.
        extra: bounds, tie ranges and notes, where they apply.
    """

    system: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    judged: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Result:
    """What a comparison and a scoring of single runs have in common.

    Attributes:
        settings: everything needed to compute it again, seeds included.
        query_set: source, size, and how many queries are judged and in the runs.
        warnings: sentences that a reader must see beside the figures.
        runs: per run what was shown: items, queries without results, tied share.
        rows: the results, overall first.
        per_query_columns: the values of every query and the weights with which they enter the
            figures, as columns.
        frames: the kind of frame that `table` and `per_query` give back.
    """

    settings: Mapping[str, Any]
    query_set: Mapping[str, Any]
    warnings: Sequence[str]
    runs: Sequence[Mapping[str, Any]]
    rows: Sequence[Any]
    per_query_columns: Mapping[str, Any] = field(repr=False)
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The results as a frame of the caller's kind, a row each; segments as text."""
        rows = [row.to_dict() for row in self.rows]
        for row in rows:
            row["segment"] = segment_name(row["segment"])
        names = dict.fromkeys(name for row in rows for name in row)
        return self.frames.from_columns({name: [row.get(name) for row in rows] for name in names})

    @property
    def per_query(self) -> Any:
        """The values of every query as a frame of the caller's kind.

        A figure is Σ weight·value / Σ weight over the queries: `control` by `weight_control`,
        `treatment` by `weight_treatment`, GSB's `delta` by either, a single run's `value` by
        `weight`.
        """
        return self.frames.from_columns(dict(self.per_query_columns))

    def to_dict(self) -> dict[str, Any]:
        """Return settings, query set, warnings, runs and results, ready for JSON."""
        return {
            "settings": dict(self.settings),
            "query_set": dict(self.query_set),
            "warnings": list(self.warnings),
            "runs": [dict(run) for run in self.runs],
            "results": [row.to_dict() for row in self.rows],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        raise TypeError("a result is a Comparison or Scores")

    def __repr__(self) -> str:
        return text_table(*self._lines(), self.warnings, left=2)

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), self.warnings)


def _name(row: _Row) -> list[str]:
    return [figure_name(row.measure, row.cutoff), segment_name(row.segment), str(row.queries)]


class Comparison(_Result):
    """Two runs compared, measure by measure and segment by segment; figures in points."""

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        header = ["measure", "segment", "queries", "control", "treatment", "delta", "95% interval"]
        lines = [
            [
                *_name(row),
                points(row.control),
                points(row.treatment),
                points(row.delta, signed=True),
                span(row.ci_low, row.ci_high, signed=True),
                p_value(row.p),
            ]
            for row in self.rows
        ]
        return [*header, "p"], lines


class Scores(_Result):
    """Single runs scored, measure by measure and segment by segment; figures in points."""

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        header = ["measure", "segment", "queries", "system", "value", "95% interval", "judged"]
        lines = [
            [
                *_name(row),
                row.system,
                points(row.value),
                span(row.ci_low, row.ci_high, signed=False),
                points(row.judged),
            ]
            for row in self.rows
        ]
        return header, lines
