"""How well annotators agree: frozen results over queries, pairs of people, people and grades."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from metrics._text import between, html_table, json_text, text_table, three_decimals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames

__all__ = ["Agreement", "AnnotatorScored", "GradeAgreement", "PairScored"]


def _frame(rows: Sequence[Any], frames: Frames) -> Any:
    """Rows of one dataclass as a frame of the caller's kind."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in asdict(row).items():
            columns.setdefault(name, []).append(value)
    return frames.from_columns(columns)


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
