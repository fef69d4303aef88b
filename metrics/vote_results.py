"""What votes come to: frozen results of GSB, agreement and the sequential analysis."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from metrics._text import (
    between,
    html_table,
    json_text,
    p_value,
    points,
    segment_name,
    span,
    text_table,
    three_decimals,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames

__all__ = [
    "Agreement",
    "AnnotatorScored",
    "GradeAgreement",
    "PairScored",
    "Remaining",
    "Sequential",
    "VoteComparison",
    "VoteScored",
]


def _frame(rows: Sequence[Any], frames: Frames) -> Any:
    """Rows of one dataclass as a frame of the caller's kind."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in asdict(row).items():
            columns.setdefault(name, []).append(value)
    return frames.from_columns(columns)


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


@dataclass(frozen=True, kw_only=True)
class PairScored:
    """How well two annotators agree.

    Attributes:
        annotator_a: one of them.
        annotator_b: the other, later in the alphabet.
        shared: queries that both voted on.
        percent: share of those on which both said Good, both Same or both Bad.
        kappa: Cohen's kappa of Good, Same, Bad; None on a single query, or where both always gave
            one and the same answer.
        weighted_kappa: Cohen's kappa of the preferences with linear weights.
    """

    annotator_a: str
    annotator_b: str
    shared: int
    percent: float
    kappa: float | None
    weighted_kappa: float | None


@dataclass(frozen=True, kw_only=True)
class AnnotatorScored:
    """One annotator's votes, set-aside ones included.

    Attributes:
        annotator: who.
        votes: votes on real queries.
        set_aside: how many of these were set aside.
        compared: pairs of such a vote and a counted one of somebody else on the same query.
        agreement: share of those pairs that say the same (Good, Same or Bad).
        gold_answered: gold queries answered.
        gold_accuracy: share of these answered as expected.
        gold_low: lower end of its exact 95% interval.
        gold_high: upper end.
        twins: tasks voted on again with sides swapped.
        self_consistency: share of these with the same verdict both times.
        median_seconds: median time from shown to submitted, over real votes.
        left_share: share of the decided votes that went to the left list.
        left_low: lower end of its exact interval.
        left_high: upper end.
        left_votes: decided votes whose sides are known.
        too_fast: share of the timed votes below the reading floor.
    """

    annotator: str
    votes: int
    set_aside: int = 0
    compared: int = 0
    agreement: float | None = None
    gold_answered: int = 0
    gold_accuracy: float | None = None
    gold_low: float | None = None
    gold_high: float | None = None
    twins: int = 0
    self_consistency: float | None = None
    median_seconds: float | None = None
    left_share: float | None = None
    left_low: float | None = None
    left_high: float | None = None
    left_votes: int = 0
    too_fast: float | None = None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well annotators agree on queries.

    Attributes:
        settings: level, confidence, seed, draws, reading floor.
        units: queries with at least two counted votes.
        votes: counted votes on these.
        scale: 5 if any preference is ±2, otherwise 3.
        percent: share of the pairs of votes on one query that say the same of Good, Same, Bad.
        percent_low: lower end of its bootstrap interval over queries.
        percent_high: upper end.
        alpha_nominal: Krippendorff's alpha of Good, Same, Bad as mere labels.
        alpha_nominal_low: lower end of its bootstrap interval over queries.
        alpha_nominal_high: upper end.
        alpha_ordinal: Krippendorff's alpha of the preferences as ordered values.
        alpha_ordinal_low: lower end of its bootstrap interval.
        alpha_ordinal_high: upper end.
        pairs: every two annotators who share a query.
        annotators: a row for everybody who voted.
        left_out: votes that enter no figure, by reason.
        note: what a reader must know, or empty.
        frames: the kind of frame that the tables give back.
    """

    settings: Mapping[str, Any]
    units: int
    votes: int
    scale: int
    percent: float | None = None
    percent_low: float | None = None
    percent_high: float | None = None
    alpha_nominal: float | None = None
    alpha_nominal_low: float | None = None
    alpha_nominal_high: float | None = None
    alpha_ordinal: float | None = None
    alpha_ordinal_low: float | None = None
    alpha_ordinal_high: float | None = None
    pairs: Sequence[PairScored] = ()
    annotators: Sequence[AnnotatorScored] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    frames: Frames = field(repr=False)

    @property
    def pair_table(self) -> Any:
        """Pairs as a frame of the caller's kind."""
        return _frame(self.pairs, self.frames)

    @property
    def annotator_table(self) -> Any:
        """Annotators as a frame of the caller's kind."""
        return _frame(self.annotators, self.frames)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        plain = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("frames", "pairs", "annotators")
        }
        return {
            **plain,
            "settings": dict(self.settings),
            "left_out": dict(self.left_out),
            "pairs": [asdict(row) for row in self.pairs],
            "annotators": [asdict(row) for row in self.annotators],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        header = ["agreement", "value", f"{self.settings['confidence']:.0%} interval"]
        names = {
            "percent": "pairs that say the same",
            "alpha_nominal": "Krippendorff's alpha, nominal (G/S/B)",
            "alpha_ordinal": f"Krippendorff's alpha, ordinal ({self.scale} points)",
        }
        lines = [
            [
                text,
                three_decimals(getattr(self, name)),
                between(getattr(self, f"{name}_low"), getattr(self, f"{name}_high")),
            ]
            for name, text in names.items()
        ]
        return header, lines

    def __repr__(self) -> str:
        return text_table(*self._lines(), [self.note] if self.note else [])

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), [self.note] if self.note else [])


@dataclass(frozen=True, kw_only=True)
class GradeAgreement:
    """How well annotators agree on the grades of items.

    Attributes:
        units: pairs of query and product with at least two grades.
        grades: grades of these.
        annotators: people who gave a grade.
        percent: share of the pairs of grades of one unit that are the same.
        alpha_nominal: Krippendorff's alpha of the grades as mere labels.
        alpha_nominal_low: lower end of its bootstrap interval over queries.
        alpha_nominal_high: upper end.
        alpha_ordinal: Krippendorff's alpha of the grades as ordered values; None for text labels.
        alpha_ordinal_low: lower end of its bootstrap interval over queries.
        alpha_ordinal_high: upper end.
        note: what a reader must know, or empty.
    """

    units: int
    grades: int
    annotators: int
    percent: float | None = None
    alpha_nominal: float | None = None
    alpha_nominal_low: float | None = None
    alpha_nominal_high: float | None = None
    alpha_ordinal: float | None = None
    alpha_ordinal_low: float | None = None
    alpha_ordinal_high: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return asdict(self)


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
