"""What the figures of people against measures mean, in the words that the page prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.reports.correlation.findings import Document

__all__ = ["terms"]


def terms(document: Document) -> list[tuple[str, str]]:
    """Terms with their meanings, in the order of reading."""
    found = []
    if document.get("results"):
        settings = document["settings"]
        level = f"{100 * settings['confidence']:g}%"
        five = (document.get("human") or {}).get("scale") == 5
        found = [
            ("People", _PEOPLE.format(reach="−2 to 2" if five else "−1 to 1")),
            ("Δ", _DELTA),
            ("Same direction", _SIGN.format(level=level)),
            ("τ-b, ρ, r", _ORDER),
            ("Verdicts, κ", _VERDICTS),
            ("AUC", _AUC),
            ("Margin", _MARGIN),
            ("Interval", _INTERVAL.format(level=level, draws=settings["draws"])),
            ("Behind the best", _BEHIND),
        ]
    if document.get("systems"):
        found.append(("Over studies", _STUDIES))
    return found


_PEOPLE = (
    "The mean of the counted votes on a query, {reach}, above 0 for the treatment. Gold, repeated,"
    " practice, superseded and set-aside votes do not count. Queries with identical lists have no"
    " votes and are left out."
)
_DELTA = (
    "The measure's value of the treatment less that of the control on the query, in points. The"
    " same products judged by somebody else give another Δ."
)
_SIGN = (
    "Of the queries on which neither the mean vote nor Δ is 0, the share on which both have the"
    " same sign, with Wilson's {level} interval. Chance alone gives half."
)
_ORDER = (
    "Kendall's τ-b, Spearman's ρ and Pearson's r of mean vote and Δ over queries: 1 where they go"
    " together, 0 where one tells nothing of the other, −1 where they go against each other."
)
_VERDICTS = (
    "Good, Same or Bad: what most votes on the query say, a tie being Same, against the sign of Δ."
    " Cohen's κ is their agreement beyond what the same frequencies would give by chance."
)
_AUC = (
    "The chance that a query which people call Good has a larger Δ than one they call Bad, equal Δ"
    " counting half; 0.5 is chance."
)
_MARGIN = (
    "How large |Δ| must be before it means more than Same. The queries are split at random in two"
    " halves; each half chooses its margin and is judged by the other's, so that no query is judged"
    " by a margin which it helped to choose."
)
_INTERVAL = (
    "{level}, t and the standard error of {draws:,} bootstrap draws over queries, seeded, on the"
    " scale of Fisher's z (AUC: of the logit). It speaks of other queries, voted on by as many"
    " people, and not of votes without error: few votes a query pull every figure towards chance."
)
_BEHIND = (
    "The difference in τ-b to the best measure, on the same queries and in the same resamples. The"
    " best was picked on these queries, which flatters it a little."
)
_STUDIES = (
    "Kendall's τ-b of GSB and Δ, a point a recorded study. p: two-sided permutation test, which"
    " takes studies as independent; weeks of one system are not quite."
)
