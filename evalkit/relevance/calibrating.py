"""Probabilities that mean what they say.

A classifier gives a score to every grade. Calibration turns those scores into probabilities on
pairs that it was not trained on; what is learned is a handful of numbers, kept as JSON.

**Stacked** (Wolpert 1992) is a logistic regression of the grade on what is known of a pair
without the classifier (`evalkit.relevance.pair_features`), to which the classifier's scores are
added with one weight. The regression may learn from the pairs that the classifier was trained on,
too: nothing has fitted the features to them. Both weights of the sum are learned on the others.
**Temperature** divides the scores by one number before the softmax (Guo et al. 2017). It cannot
overfit a few hundred pairs. **Isotonic** learns a rising step curve for each P(grade ≥ g)
(Zadrozny and Elkan 2002); scikit-learn's guide advises against it with far fewer than 1,000 pairs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CALIBRATIONS", "Calibration", "Stack", "choose_method", "fit_calibration"]

Method = Literal["none", "temperature", "isotonic", "stacked"]
_METHODS: tuple[Method, ...] = get_args(Method)
CALIBRATIONS = ("auto", "stacked", "temperature", "isotonic", "none")
_PULL = 1.0  # of the regression towards 0: scikit-learn's C
_NEVER = -30.0  # intercept of a grade that no pair has
_MOST = 5.0  # weight of either part of the sum


@dataclass(frozen=True)
class Stack:
    """A logistic regression on features, and the weight of a classifier's scores beside it.

    Attributes:
        mean: what is taken from each feature.
        scale: what it is divided by then.
        weights: of the features, a row for each grade.
        intercept: of each grade.
        model: weight of the classifier's scores, less their mean.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    intercept: tuple[float, ...]
    model: float

    def scores(
        self, logits: NDArray[np.floating[Any]], features: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Return the score of every grade, float64[n, grades]."""
        known = np.zeros((len(logits), len(self.mean))) if features is None else features
        plain = (known - np.asarray(self.mean)) / np.asarray(self.scale)
        regressed = plain @ np.asarray(self.weights).T + np.asarray(self.intercept)
        return np.asarray(regressed + self.model * _centred(logits))

    @staticmethod
    def from_json(document: dict[str, Any], grades: int) -> Stack:
        """Read what `dataclasses.asdict` gave.

        Raises:
            SettingsError: it is not of that form.
        """
        try:
            found = Stack(
                tuple(map(float, document["mean"])),
                tuple(map(float, document["scale"])),
                tuple(tuple(map(float, row)) for row in document["weights"]),
                tuple(map(float, document["intercept"])),
                float(document["model"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError("the calibration's stack is not lists of numbers") from error
        width = len(found.mean)
        every = [
            *found.mean,
            *found.scale,
            *found.intercept,
            *(x for row in found.weights for x in row),
        ]
        if (
            not np.isfinite(every).all()
            or min(found.scale, default=0) <= 0
            or len(found.scale) != width
            or len(found.intercept) != grades
            or len(found.weights) != grades
            or any(len(row) != width for row in found.weights)
        ):
            raise SettingsError(f"the calibration's stack needs {grades} rows of as many weights")
        return found


@dataclass(frozen=True)
class Calibration:
    """What turns a classifier's scores into probabilities.

    Attributes:
        method: `stacked`, `temperature`, `isotonic` or `none` (a plain softmax).
        temperature: what the scores are divided by.
        curves: for each grade but the lowest, the points (x, y) of the rising curve from the
            uncalibrated P(grade ≥ it) to the calibrated one; empty unless isotonic.
        stack: the regression; None unless stacked.
    """

    method: Method
    temperature: float = 1.0
    curves: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = ()
    stack: Stack | None = None

    def probabilities(
        self, logits: NDArray[np.floating[Any]], features: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the probability of every grade, float64[n, grades]; each row sums to 1.

        Args:
            logits: the classifier's scores, float[n, grades], grades ascending.
            features: what else is known of the pairs, float64[n, features]; only where stacked.

        Example:
            >>> Calibration("temperature", 2.0).probabilities(np.array([[0.0, 2 * np.log(3)]]))
            array([[0.25, 0.75]])
        """
        if self.stack is not None:
            return _softmax(self.stack.scores(logits, features), 1.0)
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
        stack = asdict(self.stack) if self.stack is not None else None
        return {
            "method": self.method,
            "temperature": self.temperature,
            "curves": curves,
            "stack": stack,
        }

    @staticmethod
    def from_json(document: dict[str, Any], grades: int) -> Calibration:
        """Read what `to_json` gave.

        Raises:
            SettingsError: it is not of that form; says what is wrong.
        """
        method = document.get("method")
        temperature = document.get("temperature")
        if method not in _METHODS:
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
        stack = document.get("stack") if method == "stacked" else None
        if method == "stacked" and not isinstance(stack, dict):
            raise SettingsError("the calibration has no stack")
        return Calibration(
            method, float(temperature), curves, Stack.from_json(stack, grades) if stack else None
        )


def choose_method(wanted: str) -> Method:
    """Return the method of a name; `auto` is `stacked`.

    Example:
        >>> choose_method("auto"), choose_method("isotonic")
        ('stacked', 'isotonic')
    """
    if wanted == "auto":
        return "stacked"
    for known in _METHODS:
        if wanted == known:
            return known
    raise SettingsError(f"--calibration {wanted!r} is unknown; use {', '.join(CALIBRATIONS)}.")


def fit_calibration(
    logits: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    method: Method,
    features: NDArray[np.float64] | None = None,
    more: tuple[NDArray[np.float64], NDArray[np.integer[Any]]] | None = None,
) -> Calibration:
    """Learn a calibration from held-out pairs.

    Args:
        logits: the classifier's scores, float[n, grades].
        labels: the right grade of each pair as its place among the grades, int[n].
        method: which.
        features: what else is known of the pairs, float64[n, features]; only where stacked.
        more: features and labels of further pairs for the regression.
    """
    if method == "none" or not len(labels):
        return Calibration("none")
    if method == "stacked":
        known = np.zeros((len(labels), 1)) if features is None else features
        extra, others = (
            more if more is not None and features is not None else (known[:0], labels[:0])
        )
        regression = _fit_regression(
            np.vstack([known, extra]), np.concatenate([labels, others]), logits.shape[1]
        )
        return Calibration("stacked", stack=_weigh(regression, logits, known, labels))
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


def _centred(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Take each row's mean away: of scores only differences mean anything."""
    scores = np.asarray(logits, dtype=np.float64)
    return np.asarray(scores - scores.mean(axis=1, keepdims=True))


def _fit_regression(features: NDArray[np.float64], labels: NDArray[Any], grades: int) -> Stack:
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)  # what never varies weighs nothing
    weights, intercept = np.zeros((grades, features.shape[1])), np.full(grades, _NEVER)
    seen = np.unique(labels)
    if len(seen) == 1:
        intercept[seen[0]] = 0.0
    else:
        model = LogisticRegression(C=_PULL, max_iter=2_000)
        model.fit((features - mean) / scale, labels)
        # Of two grades scikit-learn keeps the difference only.
        two = len(seen) == 2
        weights[seen] = np.vstack([0 * model.coef_, model.coef_]) if two else model.coef_
        intercept[seen] = np.append(0.0, model.intercept_) if two else model.intercept_
    return Stack(_plain(mean), _plain(scale), tuple(map(_plain, weights)), _plain(intercept), 0.0)


def _weigh(
    regression: Stack,
    logits: NDArray[np.floating[Any]],
    features: NDArray[np.float64],
    labels: NDArray[np.integer[Any]],
) -> Stack:
    """Weigh regression and scores against each other, by the likelihood of the labels."""
    from scipy.optimize import minimize

    parts = np.stack([regression.scores(logits, features), _centred(logits)])
    rows = np.arange(len(labels))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = np.tensordot(weights, parts, axes=1)
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        shares = powers / powers.sum(axis=1, keepdims=True)
        error = shares.copy()
        error[rows, labels] -= 1.0
        slope = (parts * error).sum(axis=(1, 2)) / len(labels)
        likelihood = scores[rows, labels] - np.log(powers.sum(axis=1))
        return float(-likelihood.mean()), slope

    found = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(0.0, _MOST)] * 2)
    own, model = map(float, found.x)
    return replace(
        regression,
        weights=tuple(_plain(own * np.asarray(row)) for row in regression.weights),
        intercept=_plain(own * np.asarray(regression.intercept)),
        model=model,
    )


def _plain(row: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(map(float, row))


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
