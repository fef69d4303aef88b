"""Goodrates corrected by people's grades: automated grades of everything, people's of a sample.

Two runs (or one) are scored twice with the same machinery, by the automated grades and by people's.
A query is labelled when people have graded all that both runs show within the cutoff. What these
say of the others is in :mod:`metrics.prediction_powered`; which queries to send to people next, and
how many, in :mod:`metrics.sampling`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics._describe import warn_runs
from metrics._human_grades import ALIKE, collect_people, collect_probabilities, fitting, lazy_inputs
from metrics._labels import Labels, lists_differ, step_for
from metrics._plan import long_table, make_plan, number
from metrics._prediction import FEW
from metrics.calibration_results import Calibrated, Calibration
from metrics.errors import MetricsError
from metrics.goodrate import Scoring
from metrics.inference import SAME, Interval
from metrics.measures import MEASURES, parts
from metrics.prediction_powered import prediction_powered_difference, prediction_powered_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from metrics._plan import Plan
    from metrics._prediction import Target
    from metrics._queries import RunTable
    from metrics.calibration_results import PredictionPowered
    from metrics.measures import Parts

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["CALIBRATED", "calibrate"]

CALIBRATED = ("item_goodrate", "query_goodrate", "precision", "success")
"""Measures whose denominators are known without grades, and that look at nothing but the top N."""

_STAND_FOR = 0.25
_MANY_PAIRS = 50
_KNOWN = "every query whose lists differ is labelled: of these queries it is known"


def calibrate(
    control: Any,
    treatment: Any,
    judgments: Any,
    human: Any,
    queries: Any = None,
    *,
    probabilities: Any = None,
    target: Target = "queries",
    measures: Sequence[str] = ("item_goodrate", "query_goodrate"),
    by: Sequence[str] = (),
    human_good: float | None = None,
    confidence: float = 0.95,
    check: bool = True,
    **scoring: Any,
) -> Calibration:
    """Correct the automated Goodrates of two runs, and their difference, by people's grades.

    Args:
        control: frame with `query_id, product_id` and `rank` or `score`: the run of today.
        treatment: the same: the run of the change; None to calibrate a single run.
        judgments: automated grades of everything: `query_id, product_id, grade`, one row a pair.
        human: people's grades of a random sample of the queries, the same columns, one row a pair
            (see `one_grade`); None where there are none yet.
        queries: as in `compare_runs`.
        probabilities: frame with `query_id, inclusion_probability`: how likely each query was to
            be labelled; needed for the labelled ones. Without it, or where all are equal, the
            labelled queries count as a simple random sample.
        target: `queries`, the Goodrates of this query set, or `population`, of the queries of which
            it is a sample.
        measures: of `item_goodrate, query_goodrate, precision, success`.
        by: as in `compare_runs`; every segment has its own λ.
        human_good: smallest human grade that is good, where people's scale is another one.
        confidence: the coverage of the intervals.
        check: as in `compare_runs`.
        **scoring: fields of `Scoring`; with `ties="id"` and `unjudged="bad"` only.

    Returns:
        The calibration: `.table`, `.rows`, `.per_query`, `.settings`, `.to_json()`.

    Raises:
        TypeError: an argument is not a frame, or an unknown setting.
        MetricsError: as `compare_runs`; also a labelled query without a probability.
        ValueError: the confidence does not lie between 0 and 1.

    >>> import pandas as pd
    >>> def grades(*g): return pd.DataFrame({"query_id": [f"q{i}" for i in range(len(g))],
    ...                                      "product_id": "p", "grade": g})
    >>> run = grades(0, 0, 0, 0, 0, 0).drop(columns="grade").assign(rank=1)
    >>> found = calibrate(run, None, grades(1, 0, 1, 1, 0, 1), grades(1, 0, 0),
    ...                   measures=["item_goodrate"])
    >>> row = found.rows[0]
    >>> row.of, round(row.automated, 4), round(row.human, 4), round(row.estimate, 4), row.lambda_
    ('run', 0.6667, 0.3333, 0.3333, 0.5)
    """
    settings = _checked_settings(Scoring(**scoring), measures, by)
    runs, lazy, frames = lazy_inputs(
        control,
        treatment,
        judgments=judgments,
        human=human,
        queries=queries,
        probabilities=probabilities,
    )
    plan, automated = make_plan(
        {name: lazy[name] for name in runs},
        lazy["judgments"],
        lazy.get("queries"),
        None,
        fitting(settings, lazy["judgments"], None),
        measures,
        by,
        (),
        "default",
        0,
        check,
    )
    people = collect_people(plan, lazy.get("human grades"), settings, human_good, check)
    given_p = collect_probabilities(plan, lazy.get("probabilities"))
    labels = {n: Labels.of(automated, people.tables, n) for n in settings.cutoffs}
    differ = {n: lists_differ(plan, n) for n in settings.cutoffs}
    first = labels[settings.cutoffs[0]]
    of_labels = _warn_labels(plan, labels, given_p)
    rows = [
        row
        for segment, mask in plan.cells()
        for name, cutoff in plan.figures()
        for row in _rows(
            plan, automated, people.tables, labels[cutoff or 0], differ[cutoff or 0], given_p, name,
            cutoff or 0, segment, mask, target, confidence,
        )
    ]  # fmt: skip
    return Calibration(
        settings={
            **plan.settings,
            "human_good": human_good,
            "target": target,
            "confidence": confidence,
            "probabilities": _kind_of_sample(given_p, first),
        },
        query_set={"source": plan.queries.source, "size": len(plan.queries)},
        labelled=int(first.labelled.sum()),
        agreement=people.agreement,
        warnings=[
            *people.warnings,
            *_warn_copies(people.agreement),
            *of_labels,
            *warn_runs(plan, automated),
        ],
        rows=rows,
        per_query_columns=_per_query(plan, automated, people.tables, labels),
        frames=frames,
    )


def _checked_settings(scoring: Scoring, measures: Sequence[str], by: Sequence[str]) -> Scoring:
    taken = [name for name in by if name.partition("_")[0] in ("automated", "human")]
    if taken:
        raise MetricsError(
            f"column {taken[0]!r} cannot be a segment: the results have such names; rename it"
        )
    if scoring.ties != "id":
        raise MetricsError(
            f"a calibration needs one list of each run, ties='id', not {scoring.ties!r}",
            setting="ties",
        )
    if scoring.unjudged != "bad":
        raise MetricsError(
            "a calibration counts products without an automated grade as bad, "
            f"unjudged='bad', not {scoring.unjudged!r}",
            setting="unjudged",
        )
    other = [name for name in measures if name not in CALIBRATED]
    if other:
        raise MetricsError(
            f"{other[0]!r} cannot be calibrated: people grade what is shown, and it asks for more "
            f"or needs no people; there are: {', '.join(CALIBRATED)}",
            setting="measures",
        )
    return scoring


# ------------------------------------------------------------------ the sample


def _kind_of_sample(given: Array | None, labels: Labels) -> str:
    return "equal" if not labels.labelled.any() or labels.one_sample(given) else "given"


def _warn_labels(plan: Plan, at_cutoffs: Mapping[int, Labels], given: Array | None) -> list[str]:
    warnings, n = [], plan.scoring.cutoffs[0]
    labels = at_cutoffs[n]
    if labels.partly.any():
        count = int(labels.partly.sum())
        warnings.append(
            f"people have graded {count:,} {'query' if count == 1 else 'queries'} only in part "
            f"(of the top {n} of all runs); what they said of these is not used."
        )
    if given is None or not labels.labelled.any():
        return warnings
    some = np.any([each.labelled for each in at_cutoffs.values()], axis=0)
    at = np.flatnonzero(some & np.isnan(given))
    if len(at):
        raise MetricsError(
            f"query {plan.queries.ids[int(at[0])].as_py()!r} is labelled and has no "
            f"inclusion_probability, {len(at):,} such queries in all",
            setting="probabilities",
        )
    p = given[labels.labelled]
    if not labels.one_sample(given):
        stand_for, there = float((1 / p).sum()), int((~labels.empty).sum())
        if abs(stand_for / there - 1) > _STAND_FOR:
            warnings.append(
                f"by their probabilities the labelled queries stand for {stand_for:,.0f} queries, "
                f"and there are {there:,}: either labels are still missing, or these are not the "
                "probabilities of this sample."
            )
    return warnings


def _warn_copies(agreement: Mapping[str, Any]) -> list[str]:
    """Warn of judgments that hold people's own grades: those show no mistake of the judge."""
    if agreement["pairs"] < _MANY_PAIRS or agreement["agreement"] < 1:
        return []
    return [
        f"the judge says what people say of all {agreement['pairs']:,} products that both graded: "
        "if the judgments hold people's own grades of these, nothing here tells how the judge does "
        "elsewhere, and the intervals are too narrow; give the judge's grades alone (--source)."
    ]


# ------------------------------------------------------------------ the figures


def _rows(
    plan: Plan,
    automated: Mapping[str, RunTable],
    people: Mapping[str, RunTable],
    labels: Labels,
    differ: Mask,
    given: Array | None,
    name: str,
    n: int,
    segment: dict[str, Any],
    mask: Mask | slice,
    target: Target,
    confidence: float,
) -> list[Calibrated]:
    """One measure at one cutoff in one segment, of every run and of their difference."""
    known = (labels.labelled | labels.empty)[mask]
    options: dict[str, Any] = {
        "probabilities": labels.design(given, mask),
        "target": target,
        "confidence": confidence,
    }
    sides, steps, shows = {}, {}, {}
    for run, table in automated.items():
        of_judge, of_people = _both(plan, table, people[run], name, n)
        sides[run] = (
            of_judge.num[mask],
            np.where(known, of_people.num[mask], np.nan),
            of_judge.den[mask],
        )
        shows[run] = table.columns[f"shown_{n}"][mask] > 0
        items = 1.0 if MEASURES[name].kind == "share" else table.columns[f"shown_{n}"][mask].mean()
        steps[run] = 1 / items if items > 0 else 0.0
    scaled = partial(
        step_for,
        known=known,
        sure=known & (options["probabilities"] >= 1),
        weights=plan.queries.weights[mask],
        finite=target == "queries",
    )
    found: dict[str, PredictionPowered | None] = {
        run: prediction_powered_ratio(
            *side, **options, step=scaled(steps[run], [(shows[run], 1.0)])
        )
        for run, side in sides.items()
    }
    if len(sides) == 2:
        # a product that both runs show moves Δ only where they do not divide by the same sum
        sums = [float(den.sum()) for *_, den in sides.values()]
        apart = 1 - min(sums) / max(sums) if max(sums) > 0 else 0.0
        parts = [(differ[mask], 1.0), (~differ[mask] & ~labels.empty[mask], apart)]
        step = scaled(max(steps.values()), parts)
        delta = prediction_powered_difference(
            *sides["control"], *sides["treatment"], **options, step=step
        )
        if delta and delta.interval and delta.standard_error == 0 == step and not known.all():
            delta = replace(delta, note=_KNOWN)
        found["delta"] = delta
    found = _with_remark(
        found, options["probabilities"], plan.queries.weights[mask], labels.labelled[mask]
    )
    count, empty = int(labels.labelled[mask].sum()), int(labels.empty[mask].sum())
    return [
        _row(
            estimate, count, empty,
            measure=name, cutoff=n, segment=segment, of=of, queries=len(known), labelled=count,
        )
        for of, estimate in found.items()
    ]  # fmt: skip


def _with_remark(
    found: dict[str, PredictionPowered | None], p: Array, weights: Array, labelled: Mask
) -> dict[str, PredictionPowered | None]:
    """Tell of figures that rest on few labels, because some count for far more than others.

    n labels with weights a count like (Σa)²/Σa² alike (Kish 1965): a = 1/π where they were drawn
    for a difference, which is a matter of the runs only; a = w of queries with traffic.
    """
    w = weights[labelled]
    if len(w) and np.ptp(w) > SAME and (count := w.sum() ** 2 / (w @ w)) < FEW:
        remark = (
            f"by the weights of their queries the labels count like {count:.0f} that weigh the "
            "same: the interval is likely too narrow"
        )
        return {
            of: replace(estimate, note="; ".join(filter(None, (estimate.note, remark))))
            if estimate and estimate.interval and estimate.note != _KNOWN
            else estimate
            for of, estimate in found.items()
        }
    a = 1 / p[labelled]
    if not len(a) or np.ptp(a) <= ALIKE or a.sum() ** 2 / (a @ a) >= FEW:
        return found
    remark = (
        f"by their unequal probabilities the labels count like {a.sum() ** 2 / (a @ a):.0f} that "
        "are drawn alike: the interval is rough"
    )
    return {
        of: estimate
        if estimate is None or of == "delta" or estimate.note or estimate.interval is None
        else replace(estimate, note=remark)
        for of, estimate in found.items()
    }


def _both(
    plan: Plan, automated: RunTable, people: RunTable, name: str, n: int
) -> tuple[Parts, Parts]:
    """A measure of one run by the judge and by people; what is shown is the same for both."""
    weights, scoring = plan.queries.weights, plan.scoring
    by_people = {**automated.columns, **people.columns}
    return (
        parts(name, automated.columns, weights, n, scoring),
        parts(name, by_people, weights, n, scoring),
    )


def _per_query(
    plan: Plan,
    automated: Mapping[str, RunTable],
    people: Mapping[str, RunTable],
    labels: Mapping[int, Labels],
) -> dict[str, Any]:
    blocks = []
    for name, cutoff in plan.figures():
        n = cutoff or 0
        block: dict[str, Any] = {}
        for run, table in automated.items():
            of_judge, of_people = _both(plan, table, people[run], name, n)
            end = "" if run == "run" else f"_{run}"
            block[f"automated{end}"] = of_judge.value
            block[f"human{end}"] = np.where(labels[n].labelled, of_people.value, np.nan)
        blocks.append(block)
    return long_table(plan, blocks)


def _row(estimate: PredictionPowered | None, count: int, empty: int, **place: Any) -> Calibrated:
    if estimate is None:
        return Calibrated(**place, note="nothing is shown")
    if not count:
        return Calibrated(
            **place, automated=number(estimate.automated), note="no labelled query", detail=estimate
        )
    effective = estimate.effective_labels
    least = -1.0 if place["of"] == "delta" else 0.0
    human, corrected = (
        Interval(max(least, each.low), min(1.0, each.high)) if each else None
        for each in (estimate.human_interval, estimate.interval)
    )
    return Calibrated(
        **place,
        automated=number(estimate.automated),
        human=number(estimate.human),
        human_low=number(human.low) if human else None,
        human_high=number(human.high) if human else None,
        estimate=number(estimate.value),
        ci_low=number(corrected.low) if corrected else None,
        ci_high=number(corrected.high) if corrected else None,
        lambda_=number(estimate.lambda_),
        narrower=number(estimate.narrower),
        effective_labels=None if effective is None else effective - empty,
        labels_saved=number(estimate.labels_saved),
        note=estimate.note,
        detail=estimate,
    )
