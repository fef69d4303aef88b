"""More pairs to learn from: queries beside texts that were graded for other queries.

A thousand graded pairs of fifty queries are learnt by heart: a cross-encoder that knows nothing
else finds out which products are good whatever is asked. Queries paired anew with texts teach it to
compare the two. What such a pair is worth is taken from a regression of the grades on what is known
of a pair without the model (`evalkit.relevance.pair_features`): a share for each grade, no label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalkit.relevance.calibrating import fit_calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evalkit.relevance.pair_features import PairFeatures
    from evalkit.training.examples import Examples

__all__ = ["SoftPairs", "pair_anew"]

_NEAR = 20  # half of the pairs are with one of so many nearest texts of other queries


@dataclass(frozen=True)
class SoftPairs:
    """Pairs of texts with the share of every grade.

    Attributes:
        first: the queries.
        second: texts of other queries.
        shares: float64[n, grades]; each row sums to 1.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    shares: NDArray[np.float64]


def pair_anew(examples: Examples, features: PairFeatures, count: int, seed: int) -> SoftPairs:
    """Pair the queries of examples with the texts of others.

    Half of the texts are drawn from all, half from those nearest to the query: pairs that have
    nothing to do with each other are easy to tell.

    Args:
        examples: graded pairs of two or more queries.
        features: says what is known of a pair.
        count: how many pairs are made.
        seed: of the draw.
    """
    known = features.of(examples.pairs())
    nothing = np.zeros((len(examples), len(examples.grades)))
    regression = fit_calibration(nothing, examples.label, "stacked", known)
    queries = sorted(set(zip(examples.group, examples.first, strict=True)))
    texts = sorted(set(zip(examples.group, examples.second, strict=True)))
    rng = np.random.default_rng(seed)
    query = rng.integers(0, len(queries), count)
    near = features.nearness([text for _, text in queries], [text for _, text in texts])
    own = np.array([group for group, _ in queries], dtype=object)[:, None] == np.array(
        [group for group, _ in texts], dtype=object
    )
    near[own] = -2.0
    best = np.argsort(-near, axis=1, kind="stable")[:, :_NEAR]
    text = rng.integers(0, len(texts), count)
    chosen = rng.random(count) < 0.5
    drawn = rng.integers(0, best.shape[1], count)
    text[chosen] = best[query[chosen], drawn[chosen]]
    others = np.flatnonzero(~own[query, text])
    pairs = [(queries[query[place]][1], texts[text[place]][1]) for place in others.tolist()]
    shares = regression.probabilities(np.zeros((len(pairs), nothing.shape[1])), features.of(pairs))
    return SoftPairs(tuple(one for one, _ in pairs), tuple(two for _, two in pairs), shares)
