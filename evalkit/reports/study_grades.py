"""What a grade study has collected, for `study_summary`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from evalkit.store import Person, Store, Study

__all__ = ["graders_of", "grades_of"]

_PAGE_GRADES = ("good", "mid", "bad")


def grades_of(
    items: pa.Table, pages: pa.Table, study: Study, *, confidence: float, seed: int
) -> dict[str, Any]:
    """Count grades of products and pages, and say how well people agree.

    Args:
        items: exported judgments.
        pages: exported page grades.
        study: the study.
        confidence: level of the intervals.
        seed: of the bootstrap.
    """
    from metrics import grade_agreement

    grades = Counter(items["grade"].to_pylist())
    of_pages = Counter(
        zip(pages["system"].to_pylist(), pages["page_grade"].to_pylist(), strict=True)
    )
    return {
        "items": [
            {"grade": grade, "word": word, "number": grades[grade]}
            for grade, word in study.design.levels
        ],
        "pages": [
            {"system": system, **{grade: of_pages[system, grade] for grade in _PAGE_GRADES}}
            for system in (study.design.control_system, study.design.treatment_system)
        ],
        "agreement": grade_agreement(items, confidence=confidence, seed=seed).to_dict()
        if items.num_rows
        else None,
    }


def graders_of(
    store: Store, study: Study, items: pa.Table, *, actor: Person | None
) -> list[dict[str, Any]]:
    """Say how each person grades, as rows of `metrics.AnnotatorScored`.

    Votes are queries graded; agreement is over the grades that others gave to the same products;
    gold is counted in products.

    Args:
        store: the study database.
        study: a grade study.
        items: its exported judgments.
        actor: who asks.
    """
    from evalkit.store.gold_answers import graded_gold
    from metrics import AnnotatorScored
    from metrics.proportions import clopper_pearson_interval

    gold = graded_gold(store, study.id, actor=actor)
    queries = _queries(items)
    compared = _compared(items)
    rows = []
    for annotator in sorted({*queries, *gold}):
        answered, right = gold.get(annotator, (0, 0))
        pairs, same = compared.get(annotator, (0, 0))
        interval = clopper_pearson_interval(right, answered) if answered else None
        rows.append(
            AnnotatorScored(
                annotator=annotator,
                votes=queries.get(annotator, 0),
                compared=pairs,
                agreement=same / pairs if pairs else None,
                gold_answered=answered,
                gold_accuracy=right / answered if answered else None,
                gold_low=interval.low if interval else None,
                gold_high=interval.high if interval else None,
            )
        )
    return [asdict(row) for row in rows]


def _queries(items: pa.Table) -> dict[str, int]:
    """How many queries each annotator graded."""
    counted = items.group_by("annotator").aggregate([("query_id", "count_distinct")])
    return dict(
        zip(
            counted["annotator"].to_pylist(),
            counted["query_id_count_distinct"].to_pylist(),
            strict=True,
        )
    )


def _compared(items: pa.Table) -> dict[str, tuple[int, int]]:
    """For each annotator the pairs with somebody else's grade of a product, and the equal ones."""
    unit, level = ["query_id", "product_id"], ["query_id", "product_id", "grade"]
    everybody = items.group_by(unit).aggregate([("grade", "count")])
    alike = items.group_by(level).aggregate([("annotator", "count")])
    joined = items.join(everybody, unit).join(alike, level)
    sums = joined.group_by("annotator").aggregate(
        [("grade_count", "sum"), ("annotator_count", "sum"), ("grade_count", "count")]
    )
    return {
        annotator: (graded - own, same - own)
        for annotator, graded, same, own in zip(
            sums["annotator"].to_pylist(),
            sums["grade_count_sum"].to_pylist(),
            sums["annotator_count_sum"].to_pylist(),
            sums["grade_count_count"].to_pylist(),
            strict=True,
        )
    }
