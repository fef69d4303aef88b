"""What an agreement document says, in sentences, for the terminal, Markdown and the page alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.score_document import segment_label

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "agreement_findings",
    "agreement_lines",
    "judge_title",
    "probability_findings",
    "row_label",
    "verdict_words",
]

Document = Mapping[str, Any]
Row = Mapping[str, Any]


def judge_title(document: Document) -> str:
    """The judge's name, or what stands for it."""
    return str(document["judge"]["name"] or "the judge")


def row_label(row: Row) -> str:
    """The segment's value, or `all pairs`."""
    return segment_label(row) if row["segment"] else "all pairs"


def verdict_words(document: Document) -> tuple[str, str]:
    """What good means in the grades of the judge and of people, `good (2 or more)`."""
    settings = document["settings"]
    labels = settings["good_labels"]
    found = []
    for side, good in (("judge", settings["judge_good"]), ("human", None)):
        grades = document["grades"][side]
        if labels and all(isinstance(grade, str) for grade in grades):
            found.append(f"good ({', '.join(labels)})")
        else:
            found.append(f"good ({settings['good'] if good is None else good:g} or more)")
    return found[0], found[1]


def agreement_lines(document: Document) -> list[str]:
    """Which judge, which people, on how many pairs."""
    judge, counts = document["judge"], document["counts"]
    kind = f" ({judge['source']})" if judge["source"] else ""
    files = document["inputs"]
    of_judge, of_people = verdict_words(document)
    alone = [
        f"{counts[key]:,} only by {who}"
        for key, who in (("judge_only", "the judge"), ("human_only", "people"))
        if counts[key]
    ]
    rest = f"; graded {' and '.join(alone)}" if alone else ""
    lines = [
        f"Judge: {judge['name'] or 'not named'}{kind}, {files[0]['path']}; {of_judge}",
        f"People: {document['human']['source']}; {of_people}",
        f"Pairs that both graded: {counts['pairs']:,} of {_queries(counts['queries'])}{rest}",
    ]
    if document["classifier"] is not None:
        lines.append(f"Classifier: {document['classifier']['path']}")
    return lines


def agreement_findings(document: Document) -> list[str]:
    """The verdicts in sentences: agreement, its mistakes, its bias, and the weakest segment."""
    row = document["results"][0]
    word = "good" if row["majority_good"] else "not good"
    sure = figure.interval(row["agreement_low"], row["agreement_high"], sign=False)
    spread = figure.coefficients(row["kappa_low"], row["kappa_high"])
    kappa = f"κ is {figure.coefficient(row['kappa'])}{_after(spread)}"
    if row["kappa"] is None:
        kappa = "κ does not exist, since both always say one and the same"
    lines = [
        f"Judge and people agree on {figure.share(row['agreement'])}% of the pairs{_after(sure)}; "
        f"calling every pair {word} would agree on {figure.share(row['majority'])}%. {kappa}."
    ]
    if row["precision"] is not None and row["recall"] is not None:
        lines.append(
            f"Of what the judge calls good, {figure.share(row['precision'])}% is good by people; "
            f"of what people call good, it finds {figure.share(row['recall'])}%."
        )
    bias = row["good_judge"] - row["good_human"]
    if abs(bias) >= 0.0005:
        lines.append(
            f"It calls {figure.share(row['good_judge'])}% of the pairs good, people "
            f"{figure.share(row['good_human'])}%: it is {'kinder' if bias > 0 else 'stricter'} by "
            f"{figure.points(abs(bias), 1)} points."
        )
    weakest = _weakest(document["results"])
    if weakest is not None:
        lines.append(
            f"It agrees least on {row_label(weakest)}: κ {figure.coefficient(weakest['kappa'])}"
            f"{_after(figure.coefficients(weakest['kappa_low'], weakest['kappa_high']))}, "
            f"{weakest['pairs']:,} pairs of {_queries(weakest['queries'])}."
        )
    return lines


def probability_findings(document: Document) -> list[str]:
    """The probabilities in sentences; none without probabilities."""
    found = document["reliability"]
    if found is None:
        return []
    better = found["brier"] < found["brier_base"]
    return [
        f"Its probabilities have a Brier score of {figure.fixed(found['brier'], 3)} (0 is perfect; "
        f"always saying the share of good pairs gives {figure.fixed(found['brier_base'], 3)}"
        f"{'' if better else ', so they tell less than nothing'}), and lie "
        f"{figure.points(found['ece'], 1)} points off the truth on average."
    ]


def _weakest(rows: Sequence[Row]) -> Row | None:
    """The segment with the lowest κ, where there are several to choose from."""
    known = [row for row in rows if row["segment"] and row["kappa"] is not None]
    return min(known, key=lambda row: float(row["kappa"])) if len(known) > 1 else None


def _after(interval: str) -> str:
    return "" if interval == figure.MISSING else f" {interval}"


def _queries(count: int) -> str:
    return "1 query" if count == 1 else f"{count:,} queries"
