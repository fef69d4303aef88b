"""Queries that a classifier has not learned from: kept apart, then what it is worth on them.

The held-out pairs calibrate the scores, set the thresholds and give the figures of
`calibration.json`. No figure there is of pairs that had a part in it: probabilities are compared
with the truth as calibrations gave them that did not see the pair's query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import SettingsError
from evalkit.progress import progress_bar
from evalkit.relevance.calibrating import Calibration, choose_method, fit_calibration
from evalkit.relevance.classifier import score_pairs
from evalkit.relevance.thresholds import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sentence_transformers import CrossEncoder

    from evalkit.relevance import Classifier
    from evalkit.relevance.pair_features import PairFeatures
    from evalkit.training.classifier import ClassifierSettings
    from evalkit.training.examples import Examples

__all__ = ["agreement", "calibrate_model", "cross_fit", "split_groups"]

_FOLDS = 5


def split_groups(
    groups: Sequence[str], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split examples into two parts so that no group is in both.

    Args:
        groups: the group of each example.
        share: of the examples, that the second part shall have; whole groups come close to it.
        seed: of the draw.

    Returns:
        The places of the first part and of the second, ascending.

    Raises:
        SettingsError: there are fewer than two groups.

    Example:
        >>> kept, out = split_groups(["a", "a", "b", "c", "c"], 0.4, seed=0)
        >>> len(kept), len(out)
        (3, 2)
    """
    names, place, sizes = np.unique(
        np.array(list(groups), dtype=object).astype(str), return_inverse=True, return_counts=True
    )
    if len(names) < 2:
        raise SettingsError(
            "All examples are of one query (or family); a part to hold out needs two or more."
        )
    order = np.random.default_rng(seed).permutation(len(names))
    filled = np.cumsum(sizes[order])
    # As many whole groups as come closest to the share, one at least and all but one at most.
    wanted = share * len(place)
    count = int(np.argmin(np.abs(filled[:-1] - wanted))) + 1
    outside = np.zeros(len(names), dtype=bool)
    outside[order[:count]] = True
    return np.flatnonzero(~outside[place]), np.flatnonzero(outside[place])


def cross_fit(
    logits: NDArray[np.float64],
    examples: Examples,
    method: str,
    seed: int,
    features: NDArray[np.float64] | None = None,
    more: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None,
) -> NDArray[np.float64]:
    """Return probabilities of grades from calibrations that did not see the pair's query.

    Held-out queries are dealt to five parts; each is calibrated by the other four, and by `more`:
    features and labels of pairs of other queries.
    """
    result = np.zeros_like(logits)
    names, place = np.unique(np.array(examples.group, dtype=object).astype(str),
                             return_inverse=True)  # fmt: skip
    folds = min(_FOLDS, len(names))
    part = np.empty(len(names), dtype=np.int64)
    part[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % folds
    chosen = choose_method(method)

    def of(places: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        return features[places] if features is not None else None

    for fold in range(folds):
        inside = part[place] == fold
        if folds == 1:
            result[inside] = Calibration("none").probabilities(logits[inside])
            continue
        learned = fit_calibration(
            logits[~inside], examples.label[~inside], chosen, of(~inside), more
        )
        result[inside] = learned.probabilities(logits[inside], of(inside))
    return result


def calibrate_model(
    model: CrossEncoder,
    heldout: Examples,
    settings: ClassifierSettings,
    features: PairFeatures | None = None,
    learned: Examples | None = None,
) -> dict[str, Any]:
    """Calibrate a trained model on held-out pairs; return what `calibration.json` holds of it.

    Args:
        model: gives scores.
        heldout: pairs that it has not learned from.
        settings: how.
        features: what else the calibration may read of a pair; only `stacked` does.
        learned: the pairs that the model has learned from. The features were not trained on them,
            so what the features say of a grade is learned from them too.

    Raises:
        SettingsError: the held-out pairs are all good or all not.
    """
    good = heldout.is_good()
    if good.all() or not good.any():
        raise SettingsError(
            f"All {len(heldout):,} held-out pairs are {'good' if good.all() else 'not good'}; "
            "give more queries, a larger --held-out, another --seed or another --good."
        )
    with progress_bar(len(heldout), "Scoring held-out pairs", "pairs") as moved:
        logits = score_pairs(model, heldout.pairs(), settings.batch_size, moved)
    method = choose_method(settings.calibration)
    used = features if method == "stacked" else None
    known = used.of(heldout.pairs()) if used is not None else None
    more = None
    if used is not None and learned is not None:
        more = used.of(learned.pairs()), learned.label
    calibration = fit_calibration(logits, heldout.label, method, known, more)
    wanted = np.asarray(heldout.grades) >= heldout.good
    unseen = cross_fit(logits, heldout, settings.calibration, settings.seed, known, more)
    # What is compared with a threshold later is float32.
    after = unseen[:, wanted].sum(axis=1).clip(0.0, 1.0).astype(np.float32)
    figures = describe(
        Calibration("none").probabilities(logits)[:, wanted].sum(axis=1),
        after,
        good,
        settings.precisions,
        heldout.group,
    )
    read = {"features": used.to_json()} if used is not None else {}
    return {**calibration.to_json(), **read, **figures}


def agreement(opened: Classifier, heldout: Examples) -> dict[str, Any]:
    """Return how far a classifier, opened as for use, agrees with the grades of held-out pairs."""
    from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score

    from metrics.annotators import grade_kappa

    probabilities = opened.probabilities(heldout.pairs())
    truth = np.asarray(heldout.grades)[heldout.label]
    said = opened.grades_of(probabilities)
    good = heldout.is_good()
    labels = [str(grade) for grade in heldout.grades]
    named = [f"{grade}" for grade in truth.tolist()], [f"{grade}" for grade in said.tolist()]
    counts = confusion_matrix(*named, labels=labels)
    return {
        "pairs": len(heldout),
        "accuracy_good": float(accuracy_score(good, said >= heldout.good)),
        # two raters who both say one thing only agree as chance does: 0
        "kappa_good": grade_kappa(good.astype(int), (said >= heldout.good).astype(int), None)
        or 0.0,
        "kappa_grades_quadratic": grade_kappa(
            heldout.label, np.searchsorted(heldout.grades, said), "quadratic"
        )
        or 0.0,
        "auc": float(roc_auc_score(good, opened.good_of(probabilities))),
        "confusion": {"rows": "human grade", "grades": list(heldout.grades),
                      "pairs": counts.tolist()},
    }  # fmt: skip
