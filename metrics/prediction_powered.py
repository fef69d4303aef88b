"""Prediction-powered estimates: an automated value of every query, a human value of a few.

The automated value J is cheap and may be biased; the human value Y is right and dear. The people's
estimate is corrected by what J says of the queries that people did not see, as far as J has been
seen to follow Y. With a useless J nothing is gained and nothing is lost; with any J the interval is
about the human value.

Like :mod:`metrics.inference`, the functions take arrays with one entry a query, know nothing of
frames or names of measures, and cover ratios of sums. Which queries to send to people is in
:mod:`metrics.sampling`; runs and judgments come in by :mod:`metrics.calibration`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metrics._prediction import estimate
from metrics.inference import checked_confidence

if TYPE_CHECKING:
    import numpy.typing as npt

    from metrics._prediction import Target
    from metrics.calibration_results import PredictionPowered

__all__ = [
    "prediction_powered_difference",
    "prediction_powered_mean",
    "prediction_powered_ratio",
]


def prediction_powered_mean(
    automated: npt.ArrayLike,
    human: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    probabilities: npt.ArrayLike | None = None,
    target: Target = "queries",
    lambda_: float | None = None,
    confidence: float = 0.95,
    step: float = 0.0,
) -> PredictionPowered | None:
    """Estimate the mean human value from automated values of all and human values of some.

    For ``n`` of ``N`` queries drawn at random, with means over all (Q) or the labelled (lab),

        ``θ = λ·mean_Q(J) + mean_lab(Y − λJ)``,  ``λ = clip(cov(Y, J)/var(J), 0, 1)``,
        ``se² = (1 − n/N)·var_lab(Y − λJ)/n``,  t quantile with ``n − 1`` degrees of freedom.

    Prediction-powered inference: Angelopoulos et al. 2023, Science 382:669-674; the choice of λ is
    that of Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453. With the finite correction it is
    the regression estimator of sample surveys (Cochran 1977, Sampling Techniques, chapter 7).

    For the target ``population`` the queries are themselves a sample, and M = N − n are unlabelled:

        ``θ = λ·mean_unl(J) + mean_lab(Y − λJ)``,  ``λ = clip(cov(Y, J)/((1 + n/M)·var J), 0, 1)``,
        ``se² = λ²·var_unl(J)/M + var_lab(Y − λJ)/n``.

    Unequal known probabilities π of being labelled weight by 1/π (Hájek's estimator); see
    :func:`prediction_powered_ratio`.

    Args:
        automated: float[N], J of every query.
        human: float[N], Y of every query; NaN where no person gave one.
        weights: float[N], weights of the queries, such as traffic; all 1 by default.
        probabilities: float[N], the probability with which each query was to be labelled, needed
            for the labelled ones (others may be NaN); equal by default.
        target: `queries`, the mean over these N, or `population`, that of which they are a sample.
        lambda_: λ instead of the estimated one; 0 is people alone, 1 trusts J's differences fully.
        confidence: the coverage, between 0 and 1.
        step: as in `prediction_powered_ratio`: 1 where the value is yes or no.

    Returns:
        The estimate beside the automated and the human one; None when the weights sum to 0.

    Raises:
        ValueError: if the arrays differ in length or hold what cannot be meant.

    Examples:
        >>> nan = float("nan")
        >>> found = prediction_powered_mean([1, 0, 1, 1, 0, 1], [1, 0, 0, nan, nan, nan])
        >>> round(found.human, 4), round(found.value, 4), found.lambda_
        (0.3333, 0.3333, 0.5)
        >>> round(found.human_interval.high, 3), round(found.interval.high, 3)
        (1.347, 1.212)
    """
    j = np.asarray(automated, dtype=np.float64)
    w = np.ones_like(j) if weights is None else np.asarray(weights, dtype=np.float64)
    y = np.asarray(human, dtype=np.float64)
    if y.shape != j.shape or w.shape != j.shape:
        raise ValueError(
            "automated, human and weights need one entry for each query; their shapes are "
            f"{j.shape}, {y.shape} and {w.shape}."
        )
    return prediction_powered_ratio(
        w * j,
        w * y,
        w,
        probabilities=probabilities,
        target=target,
        lambda_=lambda_,
        confidence=confidence,
        step=step,
    )


def prediction_powered_ratio(
    automated: npt.ArrayLike,
    human: npt.ArrayLike,
    den: npt.ArrayLike,
    *,
    probabilities: npt.ArrayLike | None = None,
    target: Target = "queries",
    lambda_: float | None = None,
    confidence: float = 0.95,
    step: float = 0.0,
) -> PredictionPowered | None:
    """Estimate a ratio ``Σ human / Σ den`` whose numerators people gave for some queries only.

    The denominators are known of all queries (items shown, weights). With ``R(·)`` the ratio of
    sums over a set of queries, over labelled ones weighted by ``1/π``,

        ``θ = R_Y(lab) + λ·(R_J(Q) − R_J(lab))``,

    which is the formula of :func:`prediction_powered_mean` where all denominators are 1, and the
    combined difference estimator of survey ratios otherwise (Cochran 1977, sections 6.2 and 7.3).
    It is linearised as every ratio of this package: ``e_q = (num_q − R(lab)·den_q)/(Σ_Q den/N)``
    for Y and for J, and the residual is ``r_q = e_q(Y) − λ·e_q(J)``; ``R_J(Q)`` has no error for
    the target ``queries``, because J and den are known of all.

    Equal probabilities: the formulas of the mean, with e_q. Unequal ones: the variance of a sample
    of fixed size and high entropy, in which queries with π = 1 have no part (Hájek 1964, Annals of
    Mathematical Statistics 35:1491-1523; Berger 1998, Journal of Statistical Planning and
    Inference 67:209-226; Tillé 2006, Sampling Algorithms, section 7.7), with ``ň = Σ 1/π``,

        ``se² = n/(n − 1) · Σ(1 − π)(r/π − B)² / ň²``,  ``B = Σ(1 − π)(r/π)/Σ(1 − π)``,

    sums over the n labelled queries with π < 1. For equal π it is ``(1 − n/N)·var(r)/n``. In λ
    these queries have the weights 1/π. A few heavy queries may decide the variance, so the t
    quantile has ``2(Σ v)²/Σ v²`` degrees of freedom, at most n − 1, v being the terms of that sum
    (Satterthwaite 1946, Biometrics Bulletin 2:110-114, with Σ v² for the variance of Σ v).
    For the target ``population`` the variance of Y over the queries, ``var(e(Y))/N`` weighted by
    1/π, is added (two-phase sampling: Särndal, Swensson and Wretman 1992, chapter 9); with equal π
    that is the formula of the mean again.

    Args:
        automated: float[N], numerators from automated grades.
        human: float[N], numerators from people's grades; NaN where there are none.
        den: float[N], denominators, not negative.
        probabilities: as in `prediction_powered_mean`.
        target: as in `prediction_powered_mean`.
        lambda_: as in `prediction_powered_mean`.
        confidence: the coverage, between 0 and 1.
        step: the least by which one query's figure can be wrong: 1 for shares of queries, one over
            the mean number of items for shares of items. Two made-up labels, one a step too high
            and one a step too low, then enter the variance, so that few labels without a mistake
            do not pass for certainty: ``2·step²·(1 − n/N)/((n + 1)(n + 2))`` is added to se², for
            the target `population` without the finite correction (Agresti and Min 2005). 0 adds
            nothing.

    Returns:
        The estimate beside the automated and the human one; None when `Σ den` is 0.

    Raises:
        ValueError: as `prediction_powered_mean`.

    Examples:
        Four queries show 2 items each; the judge sees one good item too many in the first.

        >>> nan = float("nan")
        >>> found = prediction_powered_ratio([2, 1, 0, 1], [1, 1, 0, nan], [2, 2, 2, 2])
        >>> found.automated, round(found.human, 4), round(found.value, 4), found.lambda_
        (0.5, 0.3333, 0.3333, 0.5)
    """
    return estimate(
        [(automated, human, den)],
        probabilities,
        target,
        lambda_,
        checked_confidence(confidence),
        step,
    )


def prediction_powered_difference(
    automated_control: npt.ArrayLike,
    human_control: npt.ArrayLike,
    den_control: npt.ArrayLike,
    automated_treatment: npt.ArrayLike,
    human_treatment: npt.ArrayLike,
    den_treatment: npt.ArrayLike,
    *,
    probabilities: npt.ArrayLike | None = None,
    target: Target = "queries",
    lambda_: float | None = None,
    confidence: float = 0.95,
    step: float = 0.0,
) -> PredictionPowered | None:
    """Estimate ``Δ = R(treatment) − R(control)`` of two runs over the same queries.

    Both ratios are linearised as in :func:`prediction_powered_ratio` and subtracted query by query,
    for Y and for J; then everything is as there, with one λ for Δ. So Δ need not be the difference
    of the two runs' own estimates, each of which has the λ that suits it.

    Args:
        automated_control: float[N], numerators of the control from automated grades.
        human_control: float[N], the same from people's grades; NaN where there are none.
        den_control: float[N], denominators of the control, not negative.
        automated_treatment: float[N], the treatment's, in the same order of queries.
        human_treatment: float[N], the treatment's; NaN where the control's is.
        den_treatment: float[N], the treatment's.
        probabilities: as in `prediction_powered_mean`.
        target: as in `prediction_powered_mean`.
        lambda_: as in `prediction_powered_mean`.
        confidence: the coverage, between 0 and 1.
        step: as in `prediction_powered_ratio`.

    Returns:
        The estimate of Δ; None when either run has `Σ den` = 0.

    Raises:
        ValueError: as `prediction_powered_mean`; also if only one run of a query has human values.

    Examples:
        >>> nan, two = float("nan"), [2, 2, 2, 2]
        >>> found = prediction_powered_difference(
        ...     [1, 1, 0, 1], [1, 1, 0, nan], two, [2, 1, 0, 2], [2, 1, 0, nan], two)
        >>> found.automated, round(found.human, 4), found.value
        (0.25, 0.1667, 0.25)
    """
    return estimate(
        [
            (automated_treatment, human_treatment, den_treatment),
            (automated_control, human_control, den_control),
        ],
        probabilities,
        target,
        lambda_,
        checked_confidence(confidence),
        step,
    )
