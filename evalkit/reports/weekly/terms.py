"""What the figures of people and judges mean, in the words that the weekly report prints.

Each sentence says the same as the project's pages of definitions; only those that the report needs
are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["terms"]

_PEOPLE = (
    (
        "GSB of people",
        "(G − B)/(G + S + B) over queries, from −100 to +100 points: G where most annotators of a"
        " query prefer the treatment, B where most prefer the control, S otherwise, also where the"
        " two lists are identical. +41 does not say that 41% prefer the treatment. p is the exact"
        " sign test over queries.",
    ),
    (
        "At any look",
        "An interval or a test that is read once is wrong in 5% of cases; read every day until it"
        " pleases, it is wrong far more often. Figures “at any look” stay below 5% over all looks"
        " together, and are the ones that count until a study has all its votes.",
    ),
    (
        "Position",
        "The share of decided votes for the left list, with its exact interval. Sides alternate, so"
        " a lean does not move GSB; the side-adjusted figure shows what it would be otherwise.",
    ),
    (
        "α and κ",
        "Krippendorff's α: 1 is perfect agreement of annotators, 0 what chance gives; 0.8 is called"
        " reliable, 0.667 the least for tentative conclusions. Nominal takes better, same and worse"
        " as labels, ordinal as a scale. Cohen's κ is for two annotators each.",
    ),
)
_AGREEMENT = (
    "Agrees with people",
    "Per query, Δ of the measure against the mean vote. τ-b (Kendall): 1 when both order the"
    " queries alike, 0 without any relation. Signs: of the queries on which both see a difference,"
    " the share on which it is the same one; 50% is a coin. From the latest recorded correlation,"
    " whose week stands beside it.",
)
_LABELS = (
    "Corrected by human labels",
    "The automated figure of all queries, corrected by the mistakes that people's labels of a"
    " random sample of them reveal (prediction-powered estimate). Its interval is valid also where"
    " the judge is biased.",
)
_DRIFT = (
    "Drift",
    "The same gold pairs are graded by the judge every week. A signal is a week in which agreement"
    " or the share of good differs from the baseline weeks by more than chance explains: then the"
    " judge has changed, not search.",
)


def terms(
    people: Sequence[Mapping[str, Any]],
    labels: Mapping[str, Any] | None,
    agreement: Mapping[str, Any] | None,
    drift: Sequence[Mapping[str, Any]],
) -> list[tuple[str, str]]:
    """Terms with their meanings, in the order of reading.

    Args:
        people: the studies of the report.
        labels: its calibration.
        agreement: its correlation.
        drift: its checks of judges.

    Example:
        >>> [term for term, _ in terms([], None, None, [{"judge": "v1"}])]
        ['Drift']
    """
    found = list(_PEOPLE) if any(each["study"]["kind"] == "sbs" for each in people) else []
    if agreement is not None:
        found.append(_AGREEMENT)
    if labels is not None:
        found.append(_LABELS)
    if drift:
        found.append(_DRIFT)
    return found
