"""What a calibration returns: frozen results that carry the settings they were computed with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from metrics._text import html_table, json_text, points, segment_name, span, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames
    from metrics.inference import Interval

__all__ = ["Calibrated", "Calibration", "LabelPlan", "PredictionPowered"]


@dataclass(frozen=True, kw_only=True)
class PredictionPowered:
    """A figure from automated and human values, beside what either says alone.

    Attributes:
        queries: all queries N.
        labelled: queries with a human value.
        automated: the figure from the automated values of all queries.
        human: the figure from the human values alone; None without any.
        human_error: its standard error; None with fewer than 2 labelled queries.
        human_interval: its interval.
        value: the prediction-powered figure; None with fewer than 2 labelled queries.
        standard_error: its standard error.
        interval: its interval.
        lambda_: how far the automated values are followed, 0 (not at all) to 1.
        narrower: 1 − (width of its interval)/(width of the human one); None where that is 0.
        effective_labels: labels that people alone would need for this width, drawn alike.
        spread: S² of its variance ``floor + S²·(1/n − 1/N) + unseen``, n of the N `drawn_from`
            labelled; the last term is that of `step`.
        floor: variance that stays when every query is labelled: 0 for the target `queries`.
        degrees: degrees of freedom of its t quantile.
        certain: labelled queries that were sure to be labelled.
        drawn_from: queries that were not.
        confidence: the coverage of the intervals.
        step: what one mistake not seen yet would change in one query, on the mean of all; 0 where
            none is allowed for.
        finite: whether the target is these queries.
        note: what a reader must know, or empty.
    """

    queries: int
    labelled: int
    automated: float
    human: float | None = None
    human_error: float | None = None
    human_interval: Interval | None = None
    value: float | None = None
    standard_error: float | None = None
    interval: Interval | None = None
    lambda_: float | None = None
    narrower: float | None = None
    effective_labels: float | None = None
    spread: float | None = None
    floor: float = 0.0
    degrees: float = 1.0
    certain: int = 0
    drawn_from: int = 0
    confidence: float = 0.95
    step: float = 0.0
    finite: bool = True
    note: str = ""

    @property
    def labels_saved(self) -> float | None:
        """Labels that people alone would need beyond those that there are."""
        return None if self.effective_labels is None else self.effective_labels - self.labelled


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """One figure of one run, or the difference of two, in one segment.

    Shares are fractions (0.01 is one point); None stands for a figure that does not exist.

    Attributes:
        measure: name of the measure.
        cutoff: depth.
        segment: {} overall, otherwise {column: value}.
        of: `control`, `treatment` or `delta` (treatment − control); `run` of a single run.
        queries: |Q| of the segment.
        labelled: its queries that people have graded completely.
        automated: the figure from automated grades alone.
        human: the figure from the labelled queries alone.
        human_low: lower end of its interval.
        human_high: upper end.
        estimate: the human-corrected figure.
        ci_low: lower end of its interval.
        ci_high: upper end.
        lambda_: how far the automated values are followed, 0 to 1; `lambda` in JSON.
        narrower: 1 − (width of its interval)/(width of the human one).
        effective_labels: labels that people alone would need for that width.
        labels_saved: effective_labels − labelled.
        note: what a reader must know about the row, or empty.
        detail: the estimate with standard errors, for planning; None where there is none.
    """

    measure: str
    cutoff: int
    segment: Mapping[str, Any] = field(default_factory=dict)
    of: str
    queries: int
    labelled: int
    automated: float | None = None
    human: float | None = None
    human_low: float | None = None
    human_high: float | None = None
    estimate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    lambda_: float | None = None
    narrower: float | None = None
    effective_labels: float | None = None
    labels_saved: float | None = None
    note: str = ""
    detail: PredictionPowered | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        row = {
            ("lambda" if name == "lambda_" else name): getattr(self, name)
            for name in self.__dataclass_fields__
            if name != "detail"
        }
        return {**row, "segment": dict(self.segment)}


@dataclass(frozen=True, kw_only=True)
class LabelPlan:
    """How many labels make an interval as narrow as wanted.

    Attributes:
        measure: name of the measure.
        cutoff: depth.
        of: `control`, `treatment`, `delta` or `run`.
        target_width: the width wanted, of the whole interval, a fraction.
        width_now: the width there is; None where there is no interval yet.
        labelled: labelled queries there are.
        needed: labelled queries wanted in all; None where that cannot be said or reached.
        more: how many of them are still to be labelled.
        note: what a reader must know, or empty.
    """

    measure: str
    cutoff: int
    of: str
    target_width: float
    width_now: float | None
    labelled: int
    needed: int | None
    more: int | None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON would have it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Goodrates corrected by people's grades, overall first and then by segment.

    Attributes:
        settings: everything needed to compute it again.
        query_set: source and size.
        labelled: queries that people have graded completely, at the first cutoff.
        agreement: how the judge and people agree on the shown products that both graded, at the
            first cutoff: `pairs`, `agreement` (share on which they say alike good or not), `kappa`,
            `good_human`, `good_automated`.
        warnings: sentences that a reader must see beside the figures.
        rows: the results.
        per_query_columns: the values of every query, as columns.
        frames: the kind of frame that `table` and `per_query` give back.
    """

    settings: Mapping[str, Any]
    query_set: Mapping[str, Any]
    labelled: int
    agreement: Mapping[str, Any]
    warnings: Sequence[str]
    rows: Sequence[Calibrated]
    per_query_columns: Mapping[str, Any] = field(repr=False)
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The results as a frame of the caller's kind, a row each; segments as text."""
        rows = [{**row.to_dict(), "segment": segment_name(row.segment)} for row in self.rows]
        names = list(rows[0]) if rows else []
        return self.frames.from_columns({name: [row[name] for row in rows] for name in names})

    @property
    def per_query(self) -> Any:
        """Per query, measure and cutoff the automated and the human value of every run.

        The human value is null where people have not graded all that both runs show.
        """
        return self.frames.from_columns(dict(self.per_query_columns))

    def to_dict(self) -> dict[str, Any]:
        """Return settings, query set, agreement, warnings and results, ready for JSON."""
        return {
            "settings": dict(self.settings),
            "query_set": dict(self.query_set),
            "labelled": self.labelled,
            "agreement": dict(self.agreement),
            "warnings": list(self.warnings),
            "results": [row.to_dict() for row in self.rows],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        header = ["figure", "segment", "of", "labelled", "automated", "people", "interval",
                  "corrected", "interval ", "lambda", "saved"]  # fmt: skip
        lines = []
        for row in self.rows:
            signed = row.of == "delta"
            lines.append(
                [
                    f"{row.measure}@{row.cutoff}",
                    segment_name(row.segment),
                    row.of,
                    f"{row.labelled} of {row.queries}",
                    points(row.automated, signed=signed),
                    points(row.human, signed=signed),
                    span(row.human_low, row.human_high, signed=signed),
                    points(row.estimate, signed=signed),
                    span(row.ci_low, row.ci_high, signed=signed),
                    "–" if row.lambda_ is None else f"{row.lambda_:.2f}",
                    "–" if row.labels_saved is None else f"{row.labels_saved:.0f}",
                ]
            )
        return header, lines

    def __repr__(self) -> str:
        return text_table(*self._lines(), self.warnings, left=3)

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), self.warnings)
