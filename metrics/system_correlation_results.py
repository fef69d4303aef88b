"""What whole studies against measures come to: frozen results, and how they print.

Nothing is computed here; see :mod:`metrics.system_correlation`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from metrics._text import between, figure_name, html_table, json_text, text_table, three_decimals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metrics._frames import Frames

__all__ = ["SystemCorrelated", "SystemCorrelations"]


@dataclass(frozen=True, kw_only=True)
class SystemCorrelated:
    """How well one measure's Δ of whole studies predicts their GSB.

    Attributes:
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        studies: studies with a GSB and a Δ of the measure.
        kendall: Kendall's τ-b of GSB and Δ over studies.
        kendall_low: lower end of its bootstrap interval over studies.
        kendall_high: upper end.
        p: two-sided permutation test of no association.
        note: what a reader must know about the row, or empty.
    """

    measure: str
    cutoff: int | None
    studies: int
    kendall: float | None = None
    kendall_low: float | None = None
    kendall_high: float | None = None
    p: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON would have it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SystemCorrelations:
    """GSB against measures over a history of studies.

    Attributes:
        settings: everything needed to compute it again, the seed included.
        rows: the results, a row a measure and cutoff.
        points_columns: `study, measure, cutoff, gsb, delta`, as columns.
        frames: the kind of frame that `table` and `points` give back.
    """

    settings: Mapping[str, Any]
    rows: Sequence[SystemCorrelated]
    points_columns: Mapping[str, Sequence[Any]] = field(repr=False)
    frames: Frames = field(repr=False)

    @property
    def table(self) -> Any:
        """The results as a frame of the caller's kind, a row each."""
        rows = [row.to_dict() for row in self.rows]
        return self.frames.from_columns({name: [row[name] for row in rows] for name in rows[0]})

    @property
    def points(self) -> Any:
        """GSB and Δ of every study as a frame of the caller's kind."""
        return self.frames.from_columns(
            {name: list(values) for name, values in self.points_columns.items()}
        )

    def to_dict(self) -> dict[str, Any]:
        """Return settings, results and points (a dict each), ready for JSON."""
        names = list(self.points_columns)
        rows = zip(*self.points_columns.values(), strict=True)
        return {
            "settings": dict(self.settings),
            "results": [row.to_dict() for row in self.rows],
            "points": [dict(zip(names, row, strict=True)) for row in rows],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict()` as JSON text, numbers at full precision."""
        return json_text(self.to_dict(), indent)

    def _lines(self) -> tuple[list[str], list[list[str]]]:
        interval = f"{self.settings['confidence']:.0%} interval"
        lines = [
            [
                figure_name(row.measure, row.cutoff),
                f"{row.studies}",
                three_decimals(row.kendall),
                between(row.kendall_low, row.kendall_high),
                "–" if row.p is None else f"{row.p:.4f}",
            ]
            for row in self.rows
        ]
        return ["measure", "studies", "tau-b", interval, "p"], lines

    def __repr__(self) -> str:
        return text_table(*self._lines(), [row.note for row in self.rows if row.note])

    def _repr_html_(self) -> str:
        return html_table(*self._lines(), [row.note for row in self.rows if row.note])
