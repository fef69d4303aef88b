"""What a calibration says in sentences: for the table, the page and the report alike.

Reads a calibration document (see `evalkit.calibrating`); computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.score_document import cutoff_label

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["figure_name", "findings", "number", "plan_line", "sample_line", "source_lines"]

Document = Mapping[str, Any]
Row = Mapping[str, Any]


def number(count: float, one: str, many: str) -> str:
    """A number with its noun.

    Example:
        >>> number(1, "query", "queries"), number(1200, "query", "queries")
        ('1 query', '1,200 queries')
    """
    return f"{figure.count(count)} {one if count == 1 else many}"


def figure_name(row: Row) -> str:
    """What a row is of: `Δ Item Goodrate@10`, `Item Goodrate@10 of the control`.

    Example:
        >>> figure_name({"measure": "item_goodrate", "cutoff": 10, "of": "delta"})
        'Δ Item Goodrate@10'
    """
    name = cutoff_label(row["measure"], row["cutoff"])
    if row["of"] == "delta":
        return f"Δ {name}"
    return name if row["of"] == "run" else f"{name} of the {row['of']}"


def source_lines(document: Document) -> list[str]:
    """Which queries, whose grades, and how well the judge meets them."""
    size = document["query_set"]["size"]
    source = document["query_set"].get("source")
    lines = [f"Query set: {number(size, 'query', 'queries')}" + (f" ({source})" if source else "")]
    human = document.get("human")
    if human is None:
        return [*lines, "People: no grades yet"]
    labelled = number(document["labelled"], "labelled query", "labelled queries")
    lines.append(f"People: {labelled} ({human['source']}), {_drawn(document)}")
    both = document["agreement"]
    if both["pairs"]:
        lines.append(
            f"Judge: agrees with people on {figure.share(both['agreement'])}% of the "
            f"{number(both['pairs'], 'product', 'products')} that both graded (κ "
            f"{figure.coefficient(both['kappa'])}); calls {figure.share(both['good_automated'])}% "
            f"good, people {figure.share(both['good_human'])}%"
        )
    return lines


def _drawn(document: Document) -> str:
    if document["settings"]["probabilities"] == "given":
        return "drawn with known unequal probabilities"
    return "taken as a simple random sample"


def findings(document: Document) -> list[str]:
    """A sentence for every measure over all queries: of Δ where there is one, else of the run."""
    rows = [row for row in document["results"] if not row["segment"]]
    chosen = [row for row in rows if row["of"] in ("delta", "run")]
    first = {row["measure"]: row for row in reversed(chosen)}
    return [sentence for row in chosen if first[row["measure"]] is row for sentence in _said(row)]


def _said(row: Row) -> Iterator[str]:
    name, sign = figure_name(row), row["of"] == "delta"
    write = figure.signed if sign else figure.points
    if row["estimate"] is None:
        yield f"{name}: {write(row['automated'])} points by the judge alone; {row['note']}."
        return
    span = figure.interval(row["ci_low"], row["ci_high"], sign=sign)
    text = f"{name}: {write(row['estimate'])} points {span}, corrected by people"
    yield f"{text}; the judge alone says {write(row['automated'])}, {_verdict(row)}."
    if row["labels_saved"] is not None and row["lambda"] > 0:
        whole = round(row["effective_labels"])
        yield (
            f"  People alone would need {number(whole, 'label', 'labels')} for this interval: "
            f"the judge saves {max(0, whole - row['labelled']):,} "
            f"({figure.share(row['narrower'])}% narrower, λ {figure.coefficient(row['lambda'])})."
        )
    elif row["lambda"] == 0:
        yield "  The judge adds nothing here (λ 0): its values do not follow people's."
    if row["note"]:
        yield f"  {row['note'][0].upper()}{row['note'][1:]}."


def _verdict(row: Row) -> str:
    """Whether the judge's own figure lies inside the corrected interval."""
    value, slack = row["automated"], 1e-12
    if value < row["ci_low"] - slack:
        return "which is too low"
    if value > row["ci_high"] + slack:
        return "which is too high"
    return "which the interval allows"


def plan_line(document: Document) -> str:
    """How many labels the wanted width needs; empty without a plan."""
    plan = document.get("plan")
    if plan is None:
        return ""
    width = figure.points(plan["target_width"])
    wanted = f"For {figure_name(plan)} in an interval {width} points wide"
    if plan["width_now"] is not None:
        wanted += f" (now {figure.points(plan['width_now'])})"
    if plan["needed"] is None:
        return f"{wanted}: {plan['note']}."
    needed = number(plan["needed"], "labelled query", "labelled queries")
    said = f"{wanted}: {needed} in all, {plan['more']:,} more"
    return f"{said}; {plan['note']}." if plan["note"] else f"{said}."


def sample_line(document: Document) -> str:
    """What was drawn for people, and what to do with it; empty where nothing was."""
    sample = document.get("sample")
    if sample is None:
        return ""
    return (
        f"Drew {number(sample['queries'], 'query', 'queries')} to grade into {sample['path']} "
        f"(seed {sample['settings']['seed']}): evalkit study create --kind grade --depth "
        f"{sample['settings']['cutoff']} --queries {sample['path']} … The probabilities of all "
        f"queries are in {sample['probabilities']}; give them with --probabilities when people "
        "have graded."
    )
