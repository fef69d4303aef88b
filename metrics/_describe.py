"""What a reader must know beside the figures: the query set, the runs, and warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics._plan import judged_share, ratio
from metrics.inference import SAME
from metrics.measures import parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import narwhals as nw
    from numpy.typing import NDArray

    from metrics._plan import Plan
    from metrics._queries import RunTable
    from metrics.goodrate import Scoring

    Lazy = nw.LazyFrame[Any]

__all__ = ["describe_queries", "describe_runs", "warn_pair", "warn_runs"]

_ITEMS_DIFFER = 0.02
_JUDGED_DIFFER = 0.05
_FEW_WEIGHED = 100  # docs/statistics.md: with so few, such an interval holds the truth in 86%
_NAMED = 5


def has_results(table: RunTable, scoring: Scoring) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = table.columns[f"shown_{max(scoring.cutoffs)}"] > 0
    return found


def describe_queries(plan: Plan, runs: Mapping[str, RunTable]) -> dict[str, Any]:
    found = {name: has_results(table, plan.scoring) for name, table in runs.items()}
    described: dict[str, Any] = {
        "source": plan.queries.source,
        "size": len(plan.queries),
        "judged": int((plan.queries.columns["judged_products"] > 0).sum()),
    }
    families = plan.families(slice(None))
    if families is not None:
        described["families"] = families
    if set(found) == {"control", "treatment"}:
        both = found["control"] & found["treatment"]
        described |= {f"in_{name}": int(inside.sum()) for name, inside in found.items()}
        return {**described, "in_both": int(both.sum())}
    return {**described, "in_runs": {name: int(inside.sum()) for name, inside in found.items()}}


def describe_runs(plan: Plan, runs: Mapping[str, RunTable]) -> list[dict[str, Any]]:
    scoring = plan.scoring
    described = []
    for name, table in runs.items():
        shown = {n: float(table.columns[f"shown_{n}"].sum()) for n in scoring.cutoffs}
        fixed = replace(scoring, depth="fixed")
        cases = {
            n: parts("item_goodrate", table.columns, plan.queries.weights, n, fixed)
            for n in scoring.cutoffs
        }
        described.append(
            {
                "system": name,
                "order": plan.orders[name],
                "items_shown": {str(n): int(count) for n, count in shown.items()},
                "queries_without_results": int((~has_results(table, scoring)).sum()),
                "item_goodrate_fixed_depth": {
                    str(n): ratio(case, slice(None)) for n, case in cases.items()
                },
                "tied_share": {
                    str(n): float(table.columns[f"tied_{n}"].sum() / shown[n]) if shown[n] else 0.0
                    for n in scoring.cutoffs
                },
                "queries_outside": len(table.outside),
            }
        )
    return described


def warn_pair(plan: Plan, runs: Mapping[str, RunTable]) -> list[str]:
    warnings = []
    for n in plan.scoring.cutoffs:
        shown = [float(table.columns[f"retrieved_{n}"].sum()) for table in runs.values()]
        if min(shown) == 0 and max(shown) > 0:
            warnings.append(f"@{n}: one run shows no items at all.")
        elif min(shown) > 0 and max(shown) / min(shown) - 1 > _ITEMS_DIFFER + SAME:
            of = " judged" if plan.scoring.unjudged == "drop" else ""
            told = (
                "; Item Goodrate is over items shown, so look at Query Goodrate and at the "
                "fixed-depth figure (--depth fixed) as well"
                if plan.scoring.depth == "shown"
                else ""
            )
            warnings.append(
                f"@{n}: the treatment shows {shown[1]:,.0f}{of} items, the control {shown[0]:,.0f} "
                f"({shown[1] / shown[0] - 1:+.1%}){told}."
            )
        judged = [judged_share(plan, table, n, slice(None)) for table in runs.values()]
        if None not in judged and abs(judged[1] - judged[0]) > _JUDGED_DIFFER + SAME:  # type: ignore[operator]
            better = "treatment" if judged[1] > judged[0] else "control"  # type: ignore[operator]
            why = f"unjudged counts as bad, so the comparison leans toward the {better}"
            if plan.scoring.unjudged == "drop":
                why = "with unjudged items removed, unlike shares of the lists are scored"
            warnings.append(
                f"judged@{n} is {judged[0]:.1%} in the control and {judged[1]:.1%} in the "
                f"treatment: {why}."
            )
    return warnings


def warn_runs(plan: Plan, runs: Mapping[str, RunTable]) -> list[str]:
    warnings = []
    for name, table in runs.items():
        if table.outside:
            named = ", ".join(repr(query) for query in table.outside[:_NAMED])
            more = ", ..." if len(table.outside) > _NAMED else ""
            warnings.append(
                f"{name}: queries outside the query set are left out, "
                f"{len(table.outside):,} in all: {named}{more}."
            )
        empty = ~has_results(table, plan.scoring)
        if empty.any():
            ids = [plan.queries.ids[int(at)].as_py() for at in np.flatnonzero(empty)[:_NAMED]]
            more = ", ..." if empty.sum() > _NAMED else ""
            warnings.append(
                f"{name}: queries without results, {int(empty.sum()):,} in all: "
                f"{', '.join(map(repr, ids))}{more}."
            )
        for n in plan.scoring.cutoffs:
            shown, tied = table.columns[f"shown_{n}"].sum(), table.columns[f"tied_{n}"].sum()
            if tied > 0:
                warnings.append(
                    f"{name}: {tied / shown:.1%} of the rows in the top {n} are tied in score "
                    f"(--ties {plan.scoring.ties})."
                )
    weights = plan.queries.weights
    if plan.queries.weighted:
        worth = float(weights.sum() ** 2 / (weights @ weights))
        if worth < _FEW_WEIGHED:
            warnings.append(
                f"by their weights {len(weights):,} queries decide like {worth:,.0f}: intervals of "
                "weighted shares of queries are then too narrow; look at the unweighted ones too."
            )
    unjudged = int((plan.queries.columns["judged_products"] == 0).sum())
    if unjudged:
        warnings.append(
            f"queries without a judgment, {unjudged:,} of {len(plan.queries):,}, count as not good."
        )
    return warnings
