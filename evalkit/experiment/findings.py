"""What the figures of an experiment say, in sentences, the worst for the treatment first.

A system is better where the 95% interval of Δ has no 0 in it. One that is ahead without that is
told apart, since a wide interval is no proof that two are alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.experiment.scores import MEASURES
from evalkit.reports.score_document import measure_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, Any]

__all__ = ["ALL", "findings", "known"]

ALL = "all"
"""The segment of all queries of a set."""

_MARGIN = 0.03  # what may be lost where nothing is to be gained: 3 points
_GENERAL, _HEAD = "general", "head"  # a segment of every set, and a set
_POINT = 100


def findings(document: Mapping[str, Any]) -> list[str]:
    """Return the sentences that open the results.

    Args:
        document: what `evalkit.experiment.results.gather` returned.
    """
    control, treatment = document["control"], document["treatment"]
    sentences = []
    for measure in MEASURES:
        called = f"{measure_name(measure)}@{document['cutoff']}"
        rows = [row for row in document["results"] if row["measure"] == measure and known(row)]
        sentences += _of_measure(rows, called, control, treatment)
    sentences += _kept(document["results"], document["cutoff"], control, treatment)
    sentences.append(
        "Better and worse mean that the 95% interval of Δ has no 0 in it; with so many comparisons "
        "some do so by chance, and intervals are not widened for that. Figures are points, Δ to "
        f"{control} stands behind each with its interval, and the queries in brackets. Of a list "
        f"that ends before place {document['cutoff']}, the missing places count as bad."
    )
    if any("families" in row for row in document["results"]):
        sentences.append(
            "Queries of a family (what they are about, put in several ways) are no independent "
            "queries: where families are named, intervals are over them."
        )
    if any(len(each["seeds"]) > 1 for each in document["systems"].values()):
        sentences.append(
            "Of systems with several seeds, figures are means over them, and the lists of pages "
            "and of the study are those of the first seed. Only the training of the retriever has "
            "several: queries, rewriter, classifiers and pairs were made once, and intervals do "
            "not cover what others would give."
        )
    if document["judged_by_checker"]:
        sentences.append(
            f"On {', '.join(document['judged_by_checker'])}, good is what the catalogue states, as "
            "the checker reads it. The checker also filtered the pairs of training, and it is what "
            "systems with filter filter by, so this is no independent judge."
        )
    return sentences


def _of_measure(rows: Sequence[Row], called: str, control: str, treatment: str) -> list[str]:
    against = [row for row in rows if row["systems"][0] != control]
    compared = [row for row in rows if row["systems"] == [control, treatment]]
    better = [_named(row) for row in against if row["ci_high"] < 0]
    ahead = [_named(row) for row in against if row["delta"] < 0 <= row["ci_high"]]
    won = [_where(row) for row in compared if row["ci_low"] > 0]
    lost = [_where(row) for row in compared if row["ci_high"] < 0]
    sentences = []
    if better:
        sentences.append(f"In {called}, {treatment} is worse than {'; '.join(better)}.")
    if ahead:
        sentences.append(f"In {called}, ahead of {treatment}, but not certain: {'; '.join(ahead)}.")
    where = "; ".join(won) or "nothing"
    sentences.append(f"In {called}, {treatment} is better than {control} on {where}.")
    if lost:
        sentences.append(f"It is worse than {control} on {'; '.join(lost)}.")
    return sentences


def _kept(rows: Sequence[Row], cutoff: int, control: str, treatment: str) -> list[str]:
    """Say of general and head queries whether the treatment may have lost more than the margin."""
    called = f"{measure_name(MEASURES[0])}@{cutoff}"
    sentences = []
    for row in rows:
        kept = row["segment"] == _GENERAL or (row["set"] == _HEAD and row["segment"] == ALL)
        if row["measure"] != MEASURES[0] or row["systems"] != [control, treatment] or not kept:
            continue
        if not known(row):
            sentences.append(
                f"What {treatment} costs on {row['set']}, {row['segment']} is unknown."
            )
            continue
        low = _POINT * row["ci_low"]
        verdict = (
            f"passes: it loses no more than {_POINT * _MARGIN:g} points"
            if row["ci_low"] >= -_MARGIN
            else f"fails: it may lose more than {_POINT * _MARGIN:g} points"
        )
        sentences.append(
            f"On {_where(row)}, {treatment} {verdict} of {called} (lower limit {low:+.1f})."
        )
    return sentences


def _named(row: Row) -> str:
    return f"{row['systems'][0]} on {_where(row)}"


def _where(row: Row) -> str:
    return f"{row['set']}, {row['segment']} ({_POINT * row['delta']:+.1f})"


def known(row: Row) -> bool:
    """Tell whether Δ has an interval."""
    return row["ci_low"] is not None and row["ci_high"] is not None
