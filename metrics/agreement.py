"""Do annotators agree, and how reliable is each of them?

Fleiss' kappa is not offered: it supposes the same number of votes on every query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from metrics._frames import as_lazy, require_columns
from metrics.agreement_results import Agreement, GradeAgreement
from metrics.alpha import Alpha, estimate_alpha, resampled
from metrics.annotators import score_annotators, score_pairs
from metrics.errors import MetricsError
from metrics.inference import Interval, checked_confidence
from metrics.votes import collect_votes, row_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["agreement", "grade_agreement"]

_DRAWS = 1_000


def agreement(
    votes: Any,
    *,
    level: Literal["nominal", "ordinal"] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    draws: int = _DRAWS,
    reading_floor: float = 3.0,
) -> Agreement:
    """Say how well annotators agree on queries, and how reliable each of them is.

    Units are queries; votes are in the treatment's orientation, so that sides do not matter.
    Krippendorff's alpha is computed on two levels, which cannot be compared with each other:
    nominal on Good, Same, Bad as mere labels, ordinal on the preferences as ordered values
    (−2 … 2, or −1, 0, 1 where nobody said "much"). Both have a percentile bootstrap interval over
    queries. Cohen's kappa is for pairs of annotators, plain and with linear weights. The table of
    annotators also looks at gold, twins, seconds and sides, and includes votes set aside.

    Args:
        votes: frame with `query_id, annotator, preference` and optionally `kind, gold_preference,
            task_id, twin_of, seconds, revision, treatment_side, set_aside, counts`.
        level: compute alpha on this level only; both by default.
        confidence: the coverage of the bootstrap intervals, between 0 and 1.
        seed: of the bootstrap.
        draws: resamples of the bootstrap; 0 for no intervals.
        reading_floor: seconds below which a vote counts as too fast to have been read.

    Returns:
        Agreement over all, `.pairs`, `.annotators`.

    Raises:
        TypeError: votes is not a data frame.
        MetricsError: a column is missing, a value cannot be meant, or a vote stands twice.
        ValueError: the confidence does not lie between 0 and 1.

    >>> import pandas as pd
    >>> votes = pd.DataFrame({"query_id": ["q1", "q1", "q2", "q2", "q3", "q3"],
    ...                       "annotator": ["ann", "bob"] * 3,
    ...                       "preference": [1, 1, 0, 1, -1, -1]})
    >>> found = agreement(votes)
    >>> round(found.alpha_nominal, 4), round(found.alpha_ordinal, 4), round(found.percent, 4)
    (0.5455, 0.7778, 0.6667)
    >>> found.pairs[0].kappa
    0.5
    """
    if level not in (None, "nominal", "ordinal"):
        raise MetricsError(f"level must be nominal or ordinal, not {level!r}", setting="level")
    checked_confidence(confidence)
    collected, frames = collect_votes(votes)
    rows = collected.counted
    query, preference = collected.query[rows], collected.preference[rows]
    levels = {"nominal": np.sign(preference), "ordinal": preference}
    chosen = [name for name in levels if level in (None, name)]
    alphas = {
        name: _alpha(levels[name], query, name, confidence, seed, draws)  # type: ignore[arg-type]
        for name in chosen
    }
    signs, _ = _counts(np.sign(preference), query)
    percent, interval = _percent(signs, confidence, seed, draws)
    several = signs.sum(axis=1) >= 2
    notes = []
    if not several.any():
        notes.append("no query has two votes that count, so there is no agreement to measure")
    elif any(alpha.value is None for alpha in alphas.values()):
        notes.append("no alpha: all votes say the same, so there is no chance agreement to compare")
    return Agreement(
        settings={
            "level": level,
            "confidence": confidence,
            "seed": seed,
            "draws": draws,
            "reading_floor": reading_floor,
        },
        units=int(several.sum()),
        votes=int(signs[several].sum()),
        scale=5 if (np.abs(preference) == 2).any() else 3,
        percent=percent,
        percent_low=interval.low if interval else None,
        percent_high=interval.high if interval else None,
        **_named(alphas),
        pairs=score_pairs(collected),
        annotators=score_annotators(collected, confidence, reading_floor),
        left_out=collected.left_out,
        note="; ".join(notes),
        frames=frames,
    )


def grade_agreement(
    judgments: Any, *, confidence: float = 0.95, seed: int = 0, draws: int = _DRAWS
) -> GradeAgreement:
    """Say how well annotators agree on the grades of items.

    A unit is a query and a product. Krippendorff's alpha is nominal (grades as mere labels) and,
    for numeric grades, ordinal; the bootstrap resamples whole queries, because the items of a
    query are not independent.

    Args:
        judgments: frame with `query_id, product_id, annotator, grade`; grades are numbers or text
            labels. Negative grades (pooled, not judged) do not count.
        confidence: the coverage of the bootstrap intervals, between 0 and 1.
        seed: of the bootstrap.
        draws: resamples of the bootstrap; 0 for no intervals.

    Returns:
        Alpha on both levels and the share of equal pairs.

    Raises:
        TypeError: judgments is not a data frame.
        MetricsError: a column is missing, an id is empty, a grade is no finite number, or an
            annotator graded a pair twice.
        ValueError: the confidence does not lie between 0 and 1.

    >>> import pandas as pd
    >>> grades = pd.DataFrame([("q", p, who, g) for p, pair in zip("abc", [(2, 2), (0, 1), (0, 0)])
    ...                        for who, g in zip(("ann", "bob"), pair)],
    ...                       columns=["query_id", "product_id", "annotator", "grade"])
    >>> found = grade_agreement(grades)
    >>> round(found.alpha_nominal, 4), round(found.alpha_ordinal, 4), found.units
    (0.5455, 0.7778, 3)
    """
    checked_confidence(confidence)
    lazy, _ = as_lazy(judgments, "judgments")
    names = ["query_id", "product_id", "annotator", "grade"]
    require_columns(lazy, "judgments", names)
    table: pa.Table = lazy.select(*names).collect(backend="pyarrow").to_native()
    query, product, annotator = (row_codes(table[name].cast(pa.string()))[0] for name in names[:3])
    for name, codes in zip(names, (query, product, annotator), strict=False):
        if (codes < 0).any():
            raise MetricsError(f"judgments hold an empty {name}")
    numeric = pa.types.is_floating(table["grade"].type) or pa.types.is_integer(table["grade"].type)
    grade, labels = row_codes(table["grade"].cast(pa.float64()) if numeric else table["grade"])
    if (grade < 0).any() or (numeric and not np.isfinite(labels).all()):
        raise MetricsError("judgments: a grade is missing or no finite number")
    kept = np.array(labels)[grade] >= 0 if numeric else np.ones(len(grade), dtype=bool)
    query, product, annotator, grade = (codes[kept] for codes in (query, product, annotator, grade))
    unit = _together(query, product)
    if len(np.unique(_together(unit, annotator))) < len(unit):
        raise MetricsError("judgments: an annotator graded a product of a query more than once")
    options: dict[str, Any] = {
        "clusters": query[np.unique(unit, return_index=True)[1]],
        "confidence": confidence,
        "seed": seed,
        "draws": draws,
    }
    counts, domain = _counts(grade.astype(np.float64), unit)
    alphas = {"nominal": estimate_alpha(counts, domain, level="nominal", **options)}
    if numeric:
        alphas["ordinal"] = estimate_alpha(counts, domain, level="ordinal", **options)
    percent, _ = _percent(counts, confidence, seed, draws=0)
    several = counts.sum(axis=1) >= 2
    return GradeAgreement(
        units=int(several.sum()),
        grades=int(counts[several].sum()),
        annotators=len(np.unique(annotator)),
        percent=percent,
        **_named(alphas),
        note="" if several.any() else "no item has grades of two annotators",
    )


def _together(first: Ints, second: Ints) -> Ints:
    """One code for each combination of two codes."""
    span = int(second.max()) + 1 if len(second) else 1
    return np.asarray(np.unique(first * span + second, return_inverse=True)[1], dtype=np.int64)


def _counts(values: Floats, unit: Ints) -> tuple[Floats, Floats]:
    """How often each value stands in each unit that has one, float64[units, values]."""
    domain, place = np.unique(values, return_inverse=True)
    _, row = np.unique(unit, return_inverse=True)
    size = (int(row.max()) + 1 if len(row) else 0, len(domain))
    flat = np.bincount(row * len(domain) + place, minlength=size[0] * size[1])
    return flat.reshape(size).astype(np.float64), domain


def _alpha(
    values: Floats,
    query: Ints,
    level: Literal["nominal", "ordinal"],
    confidence: float,
    seed: int,
    draws: int,
) -> Alpha:
    counts, domain = _counts(values, query)
    return estimate_alpha(
        counts, domain, level=level, confidence=confidence, seed=seed, draws=draws
    )


def _percent(
    counts: Floats, confidence: float, seed: int, draws: int
) -> tuple[float | None, Interval | None]:
    """Share of the pairs of values of a unit that are equal, with its bootstrap interval."""
    size = counts.sum(axis=1)
    equal, pairs = (counts * (counts - 1)).sum(axis=1), size * (size - 1)
    if not pairs.any():
        return None, None
    value = float(equal.sum() / pairs.sum())
    several = np.stack([equal, pairs], axis=1)[pairs > 0]
    if not draws or len(several) < 2:
        return value, None
    sums = resampled(several, seed=seed, draws=draws)
    tail = (1 - confidence) / 2
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [tail, 1 - tail])
    return value, Interval(float(low), float(high))


def _named(alphas: dict[str, Alpha]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for level, alpha in alphas.items():
        found[f"alpha_{level}"] = alpha.value
        found[f"alpha_{level}_low"] = alpha.interval.low if alpha.interval else None
        found[f"alpha_{level}_high"] = alpha.interval.high if alpha.interval else None
    return found
