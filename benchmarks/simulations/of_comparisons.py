"""`compare_runs` from frames to rows: intervals in segments, Holm's family, detectable effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.simulations.rows import Coverage, Planned, Rejections, Row, Subject
from benchmarks.simulations.shop import SEGMENTS, shop
from benchmarks.simulations.study import Study
from metrics import compare_runs
from metrics.proportions import mcnemar_p, sign_test_p
from metrics.resampling import swap_test

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from metrics import Comparison

    Mask = NDArray[np.bool_]
    Ints = NDArray[np.int64]

__all__ = ["STUDIES"]

_MEASURES = {
    "item_goodrate": "Item Goodrate",
    "query_goodrate": "Query Goodrate",
    "gsb": "GSB, automatic",
    "ndcg": "nDCG",
}
_METHODS = {
    "item_goodrate": "delta method, t",
    "query_goodrate": "Tango",
    "gsb": "trinomial",
    "ndcg": "t on queries",
}
_CALL = "compare_runs"


def _compare(rng: np.random.Generator, queries: int, **options: Any) -> Comparison:
    of_shop = shop()
    chosen = rng.integers(len(of_shop.segment), size=queries)
    swap = options.pop("swap", None)
    frames = of_shop.frames(chosen, None if swap is None else swap(of_shop.segment[chosen]))
    return compare_runs(
        frames.control,
        frames.treatment,
        frames.judgments,
        frames.queries,
        by=["segment"],
        seed=int(rng.integers(2**31)),
        **options,
    )


def _segments(rng: np.random.Generator, repetitions: int) -> list[Row]:
    queries = 80
    whole, parts = {}, {}
    for measure, figure in _MEASURES.items():
        method = _METHODS[measure]
        whole[measure] = Coverage(
            Subject("Two runs: Δ", figure, method, _CALL, f"shop, {queries} queries"),
            shop().columns(measure).delta,
        )
        parts[measure] = Coverage(
            Subject(
                "Two runs: Δ", figure, method, _CALL, "shop, segments of about 12 to 28 queries"
            ),
            0.0,
        )
    truth = {
        (measure, segment): shop().columns(measure, segment).delta
        for measure in _MEASURES
        for segment in SEGMENTS
    }
    for _ in range(repetitions):
        for row in _compare(rng, queries, measures=list(_MEASURES)).rows:
            if row.segment:
                true = truth[row.measure, row.segment["segment"]]
                parts[row.measure].add(row.ci_low, row.ci_high, true)
            else:
                whole[row.measure].add(row.ci_low, row.ci_high)
    return [each.row() for each in (*whole.values(), *parts.values())]


def _holm(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """Any star where there is nothing to find: of ten p of one family, all of them correlated."""

    def coin(segment: Ints) -> Mask:
        tossed: Mask = rng.random(len(segment)) < 0.5
        return tossed

    def but_brand(segment: Ints) -> Mask:
        elsewhere: Mask = segment != SEGMENTS.index("brand")
        return coin(segment) & elsewhere

    rows = []
    for population, swap, queries in (
        ("runs alike, 100 queries", coin, 100),
        ("treatment better in one segment of four, 200 queries", but_brand, 200),
    ):
        counted = Rejections(
            Subject("Tests", "any of the family", "Holm over 10 p", _CALL, population), at_01=True
        )
        for _ in range(repetitions):
            found = _compare(rng, queries, measures=["item_goodrate", "query_goodrate"], swap=swap)
            null = [
                row.p_holm
                for row in found.rows
                if swap is coin or row.segment.get("segment") not in (None, "brand")
            ]
            counted.add(min(p for p in null if p is not None))
        rows.append(counted.row())
    return rows


def _detectable(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """Differences as large as the `mde` that is printed for them."""
    rows = []
    group, method = "Planned power", "mde = 2.80 · SE"
    # sizes at which the standard error makes the population's own difference the detectable one
    for measure in ("item_goodrate", "ndcg"):
        columns = shop().columns(measure)
        control, den, treatment, den_treatment = columns.values
        influence = (treatment - (columns.control + columns.delta) * den_treatment) / (
            den_treatment.mean()
        ) - (control - columns.control * den) / den.mean()
        queries = round((2.8016 * influence.std() / columns.delta) ** 2)
        counted = Planned(
            Subject(group, _MEASURES[measure], method, "swap_test", f"shop, {queries} queries")
        )
        for _ in range(repetitions):
            drawn = columns.draw(rng, queries)
            counted.add(swap_test(*drawn, seed=int(rng.integers(2**31))))
        rows.append(counted.row())
    gained, lost = 0.08, 0.04
    queries = round(2.8016**2 * (gained + lost) / (gained - lost) ** 2)
    counted = Planned(
        Subject(
            group,
            "Query Goodrate",
            method,
            "mcnemar_p",
            f"8% gained, 4% lost, {queries} queries",
        )
    )
    for b, c, _ in rng.multinomial(queries, [gained, lost, 1 - gained - lost], 5 * repetitions):
        counted.add(mcnemar_p(int(b), int(c)))
    rows.append(counted.row())
    good, bad = 0.3, 0.2
    queries = round(2.8016**2 * (good + bad - (good - bad) ** 2) / (good - bad) ** 2)
    counted = Planned(
        Subject(
            group,
            "GSB, automatic",
            method,
            "sign_test_p",
            f"30% Good, 20% Bad, {queries} queries",
        )
    )
    for g, b, _ in rng.multinomial(queries, [good, bad, 1 - good - bad], 5 * repetitions):
        counted.add(sign_test_p(int(g), int(b)))
    rows.append(counted.row())
    return rows


STUDIES = (
    Study("segments", _segments, 800, quick=3),
    Study("holm", _holm, 800, quick=3),
    Study("mde", _detectable, 4_000, quick=30),
)
