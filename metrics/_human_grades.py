"""What people said of the products that runs show, and how a sample of queries came to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metrics._checks import check_judgments
from metrics._frames import as_lazy_together, require_columns
from metrics._queries import RunTable, align, collect_run, collect_table
from metrics.errors import MetricsError
from metrics.ranking import rank_products

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from metrics._frames import Frames
    from metrics._plan import Plan
    from metrics.goodrate import Scoring

    Array = NDArray[np.float64]
    Lazy = nw.LazyFrame[Any]

__all__ = [
    "ALIKE",
    "People",
    "collect_people",
    "collect_probabilities",
    "fitting",
    "grade_as",
    "lazy_inputs",
    "verdict_agreement",
]

ALIKE = 1e-9
"""Probabilities that differ by less count as equal."""

_NAMED = 5
_COUNTS = ("shown", "judged", "good", "retrieved")


def fitting(scoring: Scoring, judgments: Lazy, good: float | None) -> Scoring:
    """The settings as they meet these grades: labels are for text, thresholds for numbers."""
    require_columns(judgments, "judgments", ["query_id", "product_id", "grade"])
    if judgments.collect_schema()["grade"].is_numeric():
        return replace(
            scoring, good=scoring.good if good is None else good, good_labels=None, gains=None
        )
    return scoring


def grade_as(
    frame: Lazy, name: str, scoring: Scoring, good: float | None, check: bool
) -> tuple[Scoring, Lazy]:
    """Grade pairs by settings fitted to them; return these settings and the graded pairs.

    Raises:
        MetricsError: the grades cannot be used; the message begins with the name.
    """
    try:
        fitted = fitting(scoring, frame, good)
        if check:
            labels = not frame.collect_schema()["grade"].is_numeric()
            check_judgments(frame, labels=labels)
        return fitted, fitted.grade(frame)
    except MetricsError as error:
        raise MetricsError(f"{name}: {error}", setting=error.setting) from error


def lazy_inputs(
    control: Any, treatment: Any, *, judgments: Any, human: Any, queries: Any, probabilities: Any
) -> tuple[list[str], dict[str, Lazy], Frames]:
    """One or two runs and what belongs to them as lazy frames of one library.

    Args:
        control: the run of today, or the only one.
        treatment: the run of the change; None for a single run.
        judgments: the automated grades.
        human: people's grades, or None.
        queries: the query set, or None.
        probabilities: how likely each query was to be labelled, or None.

    Returns:
        The names of the runs (`run` for a single one), the frames that there are by their names
        in errors, and the kind of the first.
    """
    runs = {"run": control} if treatment is None else {"control": control, "treatment": treatment}
    others = {"human grades": human, "queries": queries, "probabilities": probabilities}
    given = {"judgments": judgments, **{n: f for n, f in others.items() if f is not None}}
    lazy, frames = as_lazy_together({**runs, **given})
    return list(runs), lazy, frames


@dataclass(frozen=True)
class People:
    """All runs by people's grades, and what is to be said of these.

    Attributes:
        tables: per run its sums, as `collect_run` gives them; zero where nobody graded.
        agreement: how the judge and people agree; see `Calibration.agreement`.
        warnings: sentences for the reader.
    """

    tables: Mapping[str, RunTable]
    agreement: Mapping[str, Any]
    warnings: list[str]


def collect_people(
    plan: Plan, human: Lazy | None, scoring: Scoring, good: float | None, check: bool
) -> People:
    """Score the runs of a plan by people's grades.

    Args:
        plan: the evaluation by automated grades.
        human: people's grades, one row a pair; None where there are none.
        scoring: the settings before they were fitted to the automated grades.
        good: smallest human grade that is good, where people's scale is another one.
        check: refuse bad frames.

    Raises:
        MetricsError: the grades cannot be used.
    """
    alone = replace(plan.queries, columns={"judged_products": np.zeros(len(plan.queries))})
    if human is None:
        nothing = np.zeros(len(plan.queries))
        columns = {f"{name}_{n}": nothing for n in scoring.cutoffs for name in _COUNTS}
        return People({name: RunTable(columns) for name in plan.lists}, _agreement(None), [])
    fitted, graded = grade_as(human, "human grades", scoring, good, check)
    wanted = frozenset(plan.measures)
    tables = {
        name: collect_run(run, graded, alone, fitted, wanted, name)
        for name, run in plan.lists.items()
    }
    both, outside, best = _graded_twice(plan, graded)
    warnings = []
    if outside:
        named = ", ".join(map(repr, outside[:_NAMED])) + (", ..." if outside[_NAMED:] else "")
        warnings.append(
            f"human grades: queries outside the query set are left out, {len(outside):,} in all: "
            f"{named}."
        )
    if not best:
        warnings.append(
            "no human grade is good under these settings; where people's scale is another than "
            "the judge's, say from which grade on it is good (human_good)."
        )
    return People(tables, _agreement(both), warnings)


def _graded_twice(plan: Plan, graded: Lazy) -> tuple[pa.Table, list[str], bool]:
    """Shown pairs with both grades; queries outside the set; whether people find anything good."""
    keys, n = ["query_id", "product_id"], plan.scoring.cutoffs[0]
    tops = [
        rank_products(run, plan.orders[name]).filter(nw.col("position") <= n).select(*keys)
        for name, run in plan.lists.items()
    ]
    shown = nw.concat(tops).unique()
    by_people = graded.filter(nw.col("judged") > 0).select(*keys, human=nw.col("good"))
    by_judge = plan.graded.filter(nw.col("judged") > 0).select(*keys, automated=nw.col("good"))
    per_query = by_people.group_by("query_id").agg(best=nw.col("human").max())
    table = collect_table(per_query)
    both = collect_table(shown.join(by_people, on=keys).join(by_judge, on=keys))

    def inside(found: pa.Table) -> pa.ChunkedArray:
        ids = found["query_id"].cast(plan.queries.ids.type)
        return pc.is_in(ids, value_set=plan.queries.ids)

    outside = sorted(table.filter(pc.invert(inside(table)))["query_id"].to_pylist())
    return both.filter(inside(both)), outside, bool(pc.max(table["best"]).as_py())


def _agreement(both: pa.Table | None) -> dict[str, Any]:
    """How the judge and people agree on what is good, over the shown pairs that both graded."""
    human, automated = (
        np.zeros(0) if both is None else np.asarray(both[name].to_numpy(), dtype=np.float64)
        for name in ("human", "automated")
    )
    same, kappa = verdict_agreement(human, automated)
    some = len(human) > 0
    return {
        "pairs": len(human),
        "agreement": same,
        "kappa": kappa,
        "good_human": float(human.mean()) if some else None,
        "good_automated": float(automated.mean()) if some else None,
    }


def verdict_agreement(one: Array, other: Array) -> tuple[float | None, float | None]:
    """Share of equal verdicts (1 good, 0 not), and Cohen's κ of them.

    Cohen 1960, Educational and Psychological Measurement 20:37-46. None without any verdict; κ is
    None where both sides always say one and the same.
    """
    if not len(one):
        return None, None
    same, first, second = (float(x.mean()) for x in (one == other, one, other))
    chance = first * second + (1 - first) * (1 - second)
    return same, (same - chance) / (1 - chance) if chance < 1 else None


def collect_probabilities(plan: Plan, given: Lazy | None) -> Array | None:
    """The given probability of every query of the set, float64[q], NaN where there is none.

    Raises:
        MetricsError: a column is missing, a value is no probability, or a query has two.
    """
    if given is None:
        return None
    require_columns(given, "probabilities", ["query_id", "inclusion_probability"])
    query, p = nw.col("query_id").cast(nw.String), nw.col("inclusion_probability").cast(nw.Float64)
    table = collect_table(
        given.select(query_id=query, p=p)
        .filter(~nw.col("p").is_null())
        .group_by("query_id")
        .agg(low=nw.col("p").min(), high=nw.col("p").max())
    )
    low, high = (np.asarray(table[name].to_numpy(), dtype=np.float64) for name in ("low", "high"))
    wrong = ~((low > 0) & (high <= 1)) | (high - low > ALIKE)
    if wrong.any():
        at = int(wrong.argmax())
        said = f"{low[at]:g}" if high[at] - low[at] <= ALIKE else f"{low[at]:g} and {high[at]:g}"
        raise MetricsError(
            f"the inclusion_probability of query {table['query_id'][at].as_py()!r} must be one "
            f"number above 0 and at most 1, not {said}"
        )
    found = align(table.select(["query_id", "high"]), replace(plan.queries, columns={}))
    values = found.columns["high"]
    return np.where(values > 0, values, np.nan)
