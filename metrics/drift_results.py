"""What watching a judge comes to: frozen results, a row a week."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from metrics._text import html_table, json_text, points, span, text_table, three_decimals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames

__all__ = ["Drift", "JudgeWeek"]


@dataclass(frozen=True, kw_only=True)
class JudgeWeek:
    """A judge on the gold set in one week. Shares are fractions (0.01 is one point).

    Attributes:
        week: the week.
        pairs: gold pairs that the judge graded.
        agreement: share of them on which judge and gold say alike good or not.
        agreement_low: lower end of its 95% interval (Wilson).
        agreement_high: upper end.
        kappa: Cohen's κ of the same; None where both always say one and the same.
        good_gold: share of the pairs that are good by the gold set.
        good_judge: share that are good by the judge.
        bias: good_judge − good_gold.
        changed: pairs whose verdict is another than in the baseline weeks.
        better: of these, pairs now in agreement with the gold set.
        worse: of these, pairs no longer so.
        p_agreement: that the judge is as often right as in the baseline weeks; None in these.
        p_bias: that the judge finds as much good as in the baseline weeks.
        limit_low: the lowest agreement that would be no signal: about the mean of the baseline
            weeks on the same pairs, as far from it as the pairs that changed allow.
        limit_high: the highest.
        signal: what has changed, in words, or None: the judge is as it was as far as can be told.
        note: what a reader must know about the row, or empty.
    """

    week: str
    pairs: int
    agreement: float | None = None
    agreement_low: float | None = None
    agreement_high: float | None = None
    kappa: float | None = None
    good_gold: float | None = None
    good_judge: float | None = None
    bias: float | None = None
    changed: int | None = None
    better: int | None = None
    worse: int | None = None
    p_agreement: float | None = None
    p_bias: float | None = None
    limit_low: float | None = None
    limit_high: float | None = None
    signal: str | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A judge over weeks, on one gold set.

    Attributes:
        settings: everything needed to compute it again.
        pairs: pairs of the gold set.
        chart: of the control chart `centre` (mean agreement in the baseline weeks), `low` and
            `high` (the widest limits, of a judge that decides every pair anew each week), and
            `baseline` (those weeks).
        warnings: sentences that a reader must see beside the figures.
        rows: the weeks, in the order given.
        frames: the kind of frame that `table` gives back.
    """

    settings: Mapping[str, Any]
    pairs: int
    chart: Mapping[str, Any]
    warnings: Sequence[str]
    rows: Sequence[JudgeWeek]
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The weeks as a frame of the caller's kind."""
        names = list(JudgeWeek.__dataclass_fields__)
        return self.frames.from_columns(
            {name: [getattr(row, name) for row in self.rows] for name in names}
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "settings": dict(self.settings),
            "pairs": self.pairs,
            "chart": dict(self.chart),
            "warnings": list(self.warnings),
            "results": [row.to_dict() for row in self.rows],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        header = ["week", "pairs", "agreement", "95% interval", "kappa", "bias", "changed",
                  "signal"]  # fmt: skip
        lines = [
            [
                row.week,
                f"{row.pairs}",
                points(row.agreement),
                span(row.agreement_low, row.agreement_high),
                three_decimals(row.kappa),
                points(row.bias, signed=True),
                "–" if row.changed is None else f"+{row.better} −{row.worse}",
                row.signal or row.note or "–",
            ]
            for row in self.rows
        ]
        return header, lines

    def __repr__(self) -> str:
        return text_table(*self._lines(), self.warnings)

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), self.warnings)
