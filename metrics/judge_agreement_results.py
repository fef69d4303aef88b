"""What comparing a judge with people comes to: frozen results, a row a segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from metrics._text import (
    between,
    html_table,
    json_text,
    points,
    segment_name,
    text_table,
    three_decimals,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames
    from metrics.reliability import Reliability

__all__ = ["JudgeAgreement", "JudgeDiffers", "JudgeScored"]


@dataclass(frozen=True, kw_only=True)
class JudgeScored:
    """A judge against people on the pairs of one segment. Shares are fractions (0.01 is one point).

    Attributes:
        segment: {column: value}; empty for all pairs.
        pairs: pairs that both graded.
        queries: queries that these pairs are of.
        both_good: pairs that both call good.
        judge_only: pairs that only the judge calls good.
        human_only: pairs that only people call good.
        both_bad: pairs that neither calls good.
        agreement: share of the pairs on which both say alike good or not.
        agreement_low: lower end of its interval over queries.
        agreement_high: upper end.
        majority: share of the pairs on which people give their most frequent verdict: a judge
            that says the same of every pair agrees so often.
        majority_good: whether that verdict is good.
        precision: share of the pairs that the judge calls good that are good by people.
        precision_low: lower end of its interval over queries.
        precision_high: upper end.
        recall: share of the pairs that are good by people that the judge calls good.
        recall_low: lower end of its interval over queries.
        recall_high: upper end.
        kappa: Cohen's κ of the verdicts; None where both always say one and the same.
        kappa_low: lower end of its interval over queries.
        kappa_high: upper end.
        weighted_kappa: Cohen's κ of the grades with quadratic weights (Cohen 1968, Psychological
            Bulletin 70:213-220); None where the two have no scale of whole numbers in common.
        good_human: share of the pairs that are good by people.
        good_judge: share that are good by the judge.
        brier: Brier score of the judge's probabilities, see `Reliability`; None without any.
        brier_base: the same of always saying the share of good pairs.
        ece: their expected calibration error.
        note: what a reader must know about the row, or empty.
    """

    segment: Mapping[str, Any]
    pairs: int
    queries: int
    both_good: int
    judge_only: int
    human_only: int
    both_bad: int
    agreement: float | None = None
    agreement_low: float | None = None
    agreement_high: float | None = None
    majority: float | None = None
    majority_good: bool | None = None
    precision: float | None = None
    precision_low: float | None = None
    precision_high: float | None = None
    recall: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    weighted_kappa: float | None = None
    good_human: float | None = None
    good_judge: float | None = None
    brier: float | None = None
    brier_base: float | None = None
    ece: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**found, "segment": dict(self.segment)}


@dataclass(frozen=True, kw_only=True)
class JudgeDiffers:
    """A pair that the judge and people do not alike call good.

    Attributes:
        query_id: the query.
        product_id: the product.
        judge: the judge's grade.
        human: people's grade.
        judge_good: whether the judge calls it good.
        probability: the judge's probability of it being good, or None.
        confidence: the judge's probability of its own verdict, or None.
    """

    query_id: str
    product_id: str
    judge: float | str
    human: float | str
    judge_good: bool
    probability: float | None = None
    confidence: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the pair as JSON would have it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class JudgeAgreement:
    """How well a judge agrees with people.

    Attributes:
        settings: everything needed to compute it again.
        counts: `pairs` (graded by both), `queries` of these, `judge_only` and `human_only` (pairs
            that the other did not grade), `outside` (pairs of queries outside the query set).
        grades: `judge` and `human` (their grades, ascending) and `counts`, a row a grade of the
            judge and a column a grade of people.
        reliability: the judge's probabilities against people's verdicts, or None without any.
        warnings: sentences that a reader must see beside the figures.
        rows: all pairs first, then every segment.
        differences: pairs on which the two differ, the most confident judge first.
        frames: the kind of frame that `table` gives back.
    """

    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    grades: Mapping[str, Any]
    reliability: Reliability | None
    warnings: Sequence[str]
    rows: Sequence[JudgeScored]
    differences: Sequence[JudgeDiffers]
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The rows as a frame of the caller's kind; segment columns are null in the first row."""
        names = [name for name in JudgeScored.__dataclass_fields__ if name != "segment"]
        columns: dict[str, Any] = {
            name: [row.segment.get(name) for row in self.rows] for name in self.settings["by"]
        }
        columns |= {name: [getattr(row, name) for row in self.rows] for name in names}
        return self.frames.from_columns(columns)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "settings": dict(self.settings),
            "counts": dict(self.counts),
            "grades": dict(self.grades),
            "reliability": None if self.reliability is None else self.reliability.to_dict(),
            "warnings": list(self.warnings),
            "results": [row.to_dict() for row in self.rows],
            "differences": [pair.to_dict() for pair in self.differences],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        header = ["segment", "pairs", "queries", "agreement", "majority", "precision", "recall",
                  "kappa", "95% interval", "weighted kappa"]  # fmt: skip
        sure = f"{100 * self.settings['confidence']:g}% interval"
        header[header.index("95% interval")] = sure
        lines = [
            [
                segment_name(row.segment),
                f"{row.pairs}",
                f"{row.queries}",
                points(row.agreement),
                points(row.majority),
                points(row.precision),
                points(row.recall),
                three_decimals(row.kappa),
                between(row.kappa_low, row.kappa_high),
                three_decimals(row.weighted_kappa),
            ]
            for row in self.rows
        ]
        return header, lines

    def __repr__(self) -> str:
        return text_table(*self._lines(), self.warnings)

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), self.warnings)
