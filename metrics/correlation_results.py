"""What comparing people with measures comes to: frozen results, and how they print.

Nothing is computed here; see :mod:`metrics.correlation`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from metrics._text import (
    between,
    figure_name,
    html_table,
    json_text,
    points,
    segment_name,
    text_table,
    three_decimals,
)
from metrics.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames

__all__ = [
    "Correlated",
    "Correlations",
    "Disagreement",
    "MeasureRanked",
    "Roc",
]

VERDICTS = ("bad", "same", "good")
"""Rows and columns of a confusion."""


@dataclass(frozen=True, kw_only=True)
class Correlated:
    """How well one measure at one cutoff predicts people, in one segment.

    Shares are fractions (0.01 is one point); None stands for a figure that does not exist, and the
    note says why. h is a query's mean vote, Δ its automated difference.

    Attributes:
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        segment: {} overall, otherwise {column: value}.
        queries: queries with counted votes and a Δ.
        kendall: Kendall's τ-b of h and Δ.
        kendall_low: lower end of its interval over queries.
        kendall_high: upper end.
        spearman: Spearman's ρ of h and Δ, with mid-ranks.
        spearman_low: lower end of its interval.
        spearman_high: upper end.
        pearson: Pearson's r of h and Δ.
        pearson_low: lower end of its interval.
        pearson_high: upper end.
        sign_agreement: of the queries with h ≠ 0 and Δ ≠ 0, the share with equal signs.
        sign_low: lower end of Wilson's interval.
        sign_high: upper end.
        sign_queries: how many queries these are.
        agreement: share of the queries on which the verdict of the majority is that of Δ at
            margin 0 (Good, Same or Bad).
        kappa: Cohen's κ of the two verdicts.
        kappa_low: lower end of its interval over queries.
        kappa_high: upper end.
        confusion: queries by verdict, rows people's Bad, Same, Good, columns those of Δ.
        auc: chance that a query people call Good has a larger Δ than one they call Bad, equal Δ by
            half.
        auc_low: lower end of its interval over queries.
        auc_high: upper end.
        good: queries that the majority calls Good.
        same: queries that it calls Same.
        bad: queries that it calls Bad.
        margin: the margin that reproduces the verdicts of one random half best.
        margin_other: that of the other half. Where the two differ much, neither means much.
        margin_agreement: share of the queries on which the verdicts agree at the margin that the
            half without the query chose.
        margin_agreement_at_zero: the same at margin 0.
        note: what a reader must know about the row, or empty.
    """

    measure: str
    cutoff: int | None
    segment: Mapping[str, Any] = field(default_factory=dict)
    queries: int
    kendall: float | None = None
    kendall_low: float | None = None
    kendall_high: float | None = None
    spearman: float | None = None
    spearman_low: float | None = None
    spearman_high: float | None = None
    pearson: float | None = None
    pearson_low: float | None = None
    pearson_high: float | None = None
    sign_agreement: float | None = None
    sign_low: float | None = None
    sign_high: float | None = None
    sign_queries: int = 0
    agreement: float | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    confusion: Sequence[Sequence[int]] = ((0, 0, 0), (0, 0, 0), (0, 0, 0))
    auc: float | None = None
    auc_low: float | None = None
    auc_high: float | None = None
    good: int = 0
    same: int = 0
    bad: int = 0
    margin: float | None = None
    margin_other: float | None = None
    margin_agreement: float | None = None
    margin_agreement_at_zero: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        row = {item.name: getattr(self, item.name) for item in fields(self)}
        confusion = [list(counts) for counts in self.confusion]
        return {**row, "segment": dict(self.segment), "confusion": confusion}


@dataclass(frozen=True, kw_only=True)
class MeasureRanked:
    """The place of one measure among all, by how well it predicts people over all queries.

    Attributes:
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        queries: queries with counted votes and a Δ of every ranked measure.
        kendall: Kendall's τ-b over these.
        behind: how far it lies below the best, 0 for the best itself.
        behind_low: lower end of the interval of that difference, from the same resamples for both;
            None for the best.
        behind_high: upper end.
    """

    measure: str
    cutoff: int | None
    queries: int
    kendall: float | None = None
    behind: float | None = None
    behind_low: float | None = None
    behind_high: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """A query on which people and a measure part.

    Attributes:
        query_id: the query.
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        segment: the query's value in every segment column.
        human: h, the mean vote.
        delta: Δ of the measure.
        votes: counted votes.
        good: those for the treatment.
        same: those for neither.
        bad: those for the control.
        verdict: what most people said: 1 Good, 0 Same, −1 Bad.
        automated: what Δ says at margin 0.
        opposite: whether h and Δ have opposite signs.
        gap: rank of h minus rank of Δ among the queries, mid-ranks scaled to [0, 1], so in
            [−1, 1]; above 0 where people like the treatment better than the measure does.
    """

    query_id: str
    measure: str
    cutoff: int | None
    segment: Mapping[str, Any] = field(default_factory=dict)
    human: float
    delta: float
    votes: int
    good: int
    same: int
    bad: int
    verdict: int
    automated: int
    opposite: bool
    gap: float

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        return {**asdict(self), "segment": dict(self.segment)}


@dataclass(frozen=True, kw_only=True)
class Roc:
    """How well Δ tells the queries that people call Good from those they call Bad.

    A query counts as found when its Δ reaches the threshold. The curve goes from nothing found,
    threshold None, to everything found.

    Attributes:
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        thresholds: values of Δ, falling; the first is None.
        true_positive: share of the Good queries found at each threshold.
        false_positive: share of the Bad queries found.
        good: queries that the majority calls Good.
        bad: queries that it calls Bad.
        auc: the area under the curve.
    """

    measure: str
    cutoff: int | None
    thresholds: Sequence[float | None]
    true_positive: Sequence[float]
    false_positive: Sequence[float]
    good: int
    bad: int
    auc: float

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as JSON would have it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Correlations:
    """People against measures, overall first and then by segment.

    Attributes:
        settings: everything needed to compute it again, the seed included.
        human: `votes`, `queries` and `annotators` that count, `automatic` (queries with identical
            lists, which nobody voted on) and the `scale` of the votes, 3 or 5 points.
        left_out: votes that enter no figure, by reason: `gold`, `twin`, `practice`, `set_aside`,
            `surplus`.
        warnings: sentences that a reader must see beside the figures.
        rows: the results, overall first.
        ranking: the measures over all queries, best first.
        per_query_columns: every query, measure and cutoff, as columns.
        frames: the kind of frame that `table` and `per_query` give back.
    """

    settings: Mapping[str, Any]
    human: Mapping[str, Any]
    left_out: Mapping[str, int]
    warnings: Sequence[str]
    rows: Sequence[Correlated]
    ranking: Sequence[MeasureRanked]
    per_query_columns: Mapping[str, Sequence[Any]] = field(repr=False)
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The results as a frame of the caller's kind, a row each; segments as text.

        The confusion fills nine columns, `confusion_bad_good` for people's Bad where Δ says Good.
        """
        rows = []
        for row in self.rows:
            flat = {**row.to_dict(), "segment": segment_name(row.segment)}
            confusion = flat.pop("confusion")
            for said, counts in zip(VERDICTS, confusion, strict=True):
                for found, count in zip(VERDICTS, counts, strict=True):
                    flat[f"confusion_{said}_{found}"] = count
            rows.append({**flat, "note": flat.pop("note")})
        return self.frames.from_columns({name: [row[name] for row in rows] for name in rows[0]})

    @property
    def per_query(self) -> Any:
        """Every query, measure and cutoff: Δ, h (`preference`), votes, G, S, B, both verdicts."""
        return self.frames.from_columns(
            {name: list(values) for name, values in self.per_query_columns.items()}
        )

    def points(
        self, measure: str, cutoff: int | None = None, *, segment: Mapping[str, Any] | None = None
    ) -> dict[str, list[Any]]:
        """Return the queries of one measure, as columns of equal length.

        Args:
            measure: name of the measure.
            cutoff: its depth, None for measures of whole lists.
            segment: {column: value}, only these queries.

        Returns:
            The columns of `per_query` but `measure` and `cutoff`: `query_id`, the segments,
            `delta`, `preference`, `votes`, `good`, `same`, `bad`, `verdict`, `automated`.

        Raises:
            MetricsError: there is no such measure, cutoff or segment column.
        """
        columns = self.per_query_columns
        wanted = {"measure": measure, "cutoff": cutoff, **(segment or {})}
        there = dict.fromkeys(figure_name(row.measure, row.cutoff) for row in self.rows)
        if figure_name(measure, cutoff) not in there:
            raise MetricsError(
                f"{figure_name(measure, cutoff)} was not correlated; there are: {', '.join(there)}"
            )
        for name in segment or {}:
            if name not in self.settings["by"]:
                raise MetricsError(
                    f"{name!r} is no segment column; there are: "
                    f"{', '.join(self.settings['by']) or 'none'}"
                )
        size = len(columns["query_id"])
        rows = [
            at for at in range(size) if all(columns[name][at] == to for name, to in wanted.items())
        ]
        return {
            name: [values[at] for at in rows]
            for name, values in columns.items()
            if name not in ("measure", "cutoff")
        }

    def to_dict(self) -> dict[str, Any]:
        """Return settings, votes, warnings, results and ranking, ready for JSON."""
        return {
            "settings": dict(self.settings),
            "human": dict(self.human),
            "left_out": dict(self.left_out),
            "warnings": list(self.warnings),
            "results": [row.to_dict() for row in self.rows],
            "ranking": [row.to_dict() for row in self.ranking],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        interval = f"{self.settings['confidence']:.0%} interval"
        header = ["measure", "segment", "queries", "tau-b", interval, "rho", "r"]
        lines = [
            [
                figure_name(row.measure, row.cutoff),
                segment_name(row.segment),
                f"{row.queries}",
                three_decimals(row.kendall),
                between(row.kendall_low, row.kendall_high),
                three_decimals(row.spearman),
                three_decimals(row.pearson),
                points(row.sign_agreement),
                points(row.agreement),
                three_decimals(row.kappa),
                three_decimals(row.auc),
            ]
            for row in self.rows
        ]
        return [*header, "same sign", "agree", "kappa", "AUC"], lines

    def __repr__(self) -> str:
        return text_table(*self._lines(), self.warnings, left=2)

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), self.warnings)
