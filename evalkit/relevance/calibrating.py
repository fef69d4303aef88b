"""Probabilities that mean what they say, and thresholds that keep a promise.

A classifier gives a score to every grade. Calibration turns those scores into probabilities on
pairs that it was not trained on; what is learned is a handful of numbers, kept as JSON.

**Temperature** divides the scores by one number before the softmax (Guo et al. 2017). It cannot
overfit a few hundred pairs. **Isotonic** learns a rising step curve for each P(grade ≥ g)
(Zadrozny and Elkan 2002); scikit-learn's guide advises against it with far fewer than 1,000 pairs,
which is where `choose_method` draws the line.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from evalkit.errors import SettingsError
from metrics.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "CALIBRATIONS",
    "ENOUGH_FOR_ISOTONIC",
    "Calibration",
    "Threshold",
    "choose_method",
    "describe",
    "find_threshold",
    "fit_calibration",
]

Method = Literal["none", "temperature", "isotonic"]
_METHODS: tuple[Method, ...] = get_args(Method)
CALIBRATIONS = ("auto", "temperature", "isotonic", "none")
ENOUGH_FOR_ISOTONIC = 1_000
_FEWEST_ACCEPTED = 10


@dataclass(frozen=True)
class Calibration:
    """What turns a classifier's scores into probabilities.

    Attributes:
        method: `temperature`, `isotonic` or `none` (a plain softmax).
        temperature: what the scores are divided by.
        curves: for each grade but the lowest, the points (x, y) of the rising curve from the
            uncalibrated P(grade ≥ it) to the calibrated one; empty unless isotonic.
    """

    method: Method
    temperature: float = 1.0
    curves: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = ()

    def probabilities(self, logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the probability of every grade, float64[n, grades]; each row sums to 1.

        Args:
            logits: the classifier's scores, float[n, grades], grades ascending.

        Example:
            >>> Calibration("temperature", 2.0).probabilities(np.array([[0.0, 2 * np.log(3)]]))
            array([[0.25, 0.75]])
        """
        plain = _softmax(logits, self.temperature)
        if self.method != "isotonic":
            return plain
        at_least = _at_least(plain)
        for place, (x, y) in enumerate(self.curves):
            at_least[:, place] = np.interp(at_least[:, place], x, y)
        # Curves learned apart may cross: P(grade ≥ 2) is never above P(grade ≥ 1).
        at_least = np.minimum.accumulate(at_least, axis=1)
        edges = np.ones((len(plain), 1)), np.zeros((len(plain), 1))
        return np.asarray(-np.diff(np.hstack([edges[0], at_least, edges[1]]), axis=1))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's values."""
        curves = [{"x": list(x), "y": list(y)} for x, y in self.curves]
        return {"method": self.method, "temperature": self.temperature, "curves": curves}

    @staticmethod
    def from_json(document: dict[str, Any], grades: int) -> Calibration:
        """Read what `to_json` gave.

        Raises:
            SettingsError: it is not of that form; says what is wrong.
        """
        method = document.get("method")
        temperature = document.get("temperature")
        if method not in ("none", "temperature", "isotonic"):
            raise SettingsError(f"the calibration's method is {method!r}")
        if not isinstance(temperature, int | float) or not 0 < temperature < 1e6:
            raise SettingsError(f"the calibration's temperature is {temperature!r}")
        try:
            curves = tuple(
                (tuple(map(float, curve["x"])), tuple(map(float, curve["y"])))
                for curve in document.get("curves", ())
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError("the calibration's curves are not lists x and y") from error
        if method == "isotonic" and (
            len(curves) != grades - 1 or any(not x or len(x) != len(y) for x, y in curves)
        ):
            raise SettingsError(f"the calibration needs {grades - 1} curves, as many x as y")
        if any(
            np.any(np.diff(x) < 0) or np.any(np.diff(y) < 0) or min(y) < 0 or max(y) > 1
            for x, y in curves
        ):
            raise SettingsError("a curve of the calibration does not rise from 0 to 1")
        return Calibration(method, float(temperature), curves)


def choose_method(wanted: str, pairs: int) -> Method:
    """Return the method for a number of held-out pairs; `auto` decides by it.

    Example:
        >>> choose_method("auto", 400), choose_method("auto", 5_000)
        ('temperature', 'isotonic')
    """
    if wanted == "auto":
        return "isotonic" if pairs >= ENOUGH_FOR_ISOTONIC else "temperature"
    for known in _METHODS:
        if wanted == known:
            return known
    raise SettingsError(f"--calibration {wanted!r} is unknown; use {', '.join(CALIBRATIONS)}.")


def fit_calibration(
    logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], method: Method
) -> Calibration:
    """Learn a calibration from held-out pairs.

    Args:
        logits: the classifier's scores, float[n, grades].
        labels: the right grade of each pair as its place among the grades, int[n].
        method: which.
    """
    if method == "none" or not len(labels):
        return Calibration("none")
    if method == "temperature":
        return Calibration("temperature", _fit_temperature(logits, labels))
    from sklearn.isotonic import IsotonicRegression

    at_least = _at_least(_softmax(logits, 1.0))
    curves = []
    for place in range(at_least.shape[1]):
        model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        model.fit(at_least[:, place], (labels > place).astype(np.float64))
        curves.append(
            (tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_)))
        )
    return Calibration("isotonic", 1.0, tuple(curves))


def _fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Minimise the mean negative log likelihood over the logarithm of the temperature."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = np.asarray(logits, dtype=np.float64) / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, labels]))

    found = minimize_scalar(loss, bounds=(np.log(0.02), np.log(50.0)), method="bounded")
    return float(np.exp(found.x))


def _softmax(logits: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.float64]:
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _at_least(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(grade ≥ g) for every grade but the lowest, float64[n, grades - 1]."""
    return np.asarray(np.cumsum(probabilities[:, ::-1], axis=1)[:, -2::-1]).clip(0.0, 1.0)


@dataclass(frozen=True)
class Threshold:
    """The lowest probability at which a promised precision was kept.

    Attributes:
        precision: what was promised.
        threshold: pairs of this probability or more are accepted; None where it was not reached.
        reached: the precision at the threshold, or the best one where it was not reached.
        recall: the share of the good pairs that are accepted; None without a threshold.
        accepted: how many pairs are accepted.
        pairs: how many pairs it was found on.
        note: empty, or why there is no threshold.
    """

    precision: float
    threshold: float | None
    reached: float
    recall: float | None
    accepted: int
    pairs: int
    note: str = ""


def find_threshold(
    probability: NDArray[np.floating[Any]],
    good: NDArray[np.bool_],
    precision: float,
    *,
    fewest: int = _FEWEST_ACCEPTED,
) -> Threshold:
    """Find the lowest threshold whose accepted pairs are good with a promised precision.

    Args:
        probability: of being good, float[n].
        good: the truth.
        precision: what is promised, 0 to 1.
        fewest: a threshold that accepts fewer pairs than this is luck and not taken.

    Example:
        >>> p = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
        >>> found = find_threshold(p, np.array([1, 1, 0, 1, 0], dtype=bool), 0.75, fewest=1)
        >>> found.threshold, found.reached, found.recall, found.accepted
        (0.6, 0.75, 1.0, 4)
    """
    value = np.asarray(probability, dtype=np.float64)
    order = np.argsort(-value, kind="stable")
    hits = np.cumsum(good[order])
    count = np.arange(1, len(value) + 1)
    # Pairs of one probability are accepted together.
    ends = np.append(np.diff(value[order]) != 0, True) if len(value) else np.zeros(0, dtype=bool)
    ends &= count >= fewest
    if not ends.any():
        note = f"fewer than {fewest} held-out pairs"
        return Threshold(precision, None, 0.0, None, 0, len(value), note)
    shares = np.where(ends, hits / count, -1.0)
    fit = np.flatnonzero(shares >= precision)
    if not len(fit):
        best = int(np.argmax(shares))
        note = (
            f"precision {precision:g} was not reached with {fewest} pairs or more; the best is "
            f"{shares[best]:.3f} from {value[order][best]:.3f}"
        )
        return Threshold(
            precision, None, float(shares[best]), None, int(count[best]), len(value), note
        )
    last = int(fit[-1])
    return Threshold(
        precision,
        float(value[order][last]),
        float(shares[last]),
        float(hits[last] / hits[-1]) if hits[-1] else None,
        int(count[last]),
        len(value),
    )


def describe(
    before: NDArray[np.floating[Any]],
    after: NDArray[np.floating[Any]],
    good: NDArray[np.bool_],
    precisions: Sequence[float],
    final: NDArray[np.floating[Any]],
) -> dict[str, Any]:
    """Return the figures of a calibration for its file.

    Args:
        before: probability of being good before calibration.
        after: the same from calibrations that did not see the pair (cross-fitted).
        good: the truth.
        precisions: targets for thresholds.
        final: the probabilities that the classifier will give; thresholds are theirs.
    """
    return {
        "heldout": {"pairs": len(good), "good": int(good.sum())},
        "reliability": {"before": _reliability(before, good), "after": _reliability(after, good)},
        "thresholds": [asdict(find_threshold(final, good, each)) for each in precisions],
    }


def _reliability(
    probability: NDArray[np.floating[Any]], good: NDArray[np.bool_]
) -> dict[str, Any] | None:
    """Return Brier score, calibration error and bins; values are rounded to nine digits."""
    found = reliability(probability, good)
    if found is None:
        return None
    document = found.to_dict()
    bins = [{name: round(value, 9) for name, value in each.items()} for each in document["bins"]]
    return {**{name: round(document[name], 9) for name in document if name != "bins"}, "bins": bins}
