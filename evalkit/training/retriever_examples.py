"""The examples that a retriever learns, of its labelled pairs, and what must not count as wrong.

A query is learnt with each of its products; its hard negatives (label 0) are dealt to these pairs
in turn, and a query without any has only those of its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from evalkit.training.retriever_data import LabelledPairs

__all__ = ["Examples", "draw_general", "known_good", "make_examples"]


@dataclass(frozen=True)
class Examples:
    """What is learnt, a query and a product that is right in each row; numbers of `LabelledPairs`.

    Attributes:
        query: int64[m].
        positive: int64[m].
        negative: a product that is wrong for the query, or -1; int64[m].
    """

    query: NDArray[np.int64]
    positive: NDArray[np.int64]
    negative: NDArray[np.int64]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.query)


def make_examples(
    pairs: LabelledPairs, *, hard_negatives: str, general_share: float | None, seed: int
) -> Examples:
    """Return what is learnt from the pairs of training queries.

    Args:
        pairs: labelled pairs.
        hard_negatives: `every` pair has one of its query's, in turn; `once` each is learnt with
            one pair; `none`.
        general_share: share of the examples that shall be of general queries; None leaves it.
        seed: of the draw of general pairs.

    Raises:
        SettingsError: there is no training pair.
    """
    training = np.array(pairs.splits, dtype=object)[pairs.query] == "train"
    right = np.flatnonzero(training & pairs.label)
    if not len(right):
        raise SettingsError("There is no pair of label 1 in the split train; nothing to learn.")
    negative = np.full(len(right), -1, dtype=np.int64)
    if hard_negatives != "none":
        wrong = np.flatnonzero(training & ~pairs.label)
        begin = np.searchsorted(pairs.query[wrong], np.arange(len(pairs.query_ids) + 1))
        own = pairs.query[right]
        # The how-manieth pair of its query; pairs stand by query.
        turn = np.arange(len(right)) - np.searchsorted(own, own)
        there = begin[own + 1] - begin[own]
        has = there > (turn if hard_negatives == "once" else 0)
        place = begin[own[has]] + turn[has] % there[has]
        negative[has] = pairs.product[wrong[place]]
    rows = np.arange(len(right))
    if general_share is not None:
        general = np.array([kind == "general" for kind in pairs.types], dtype=bool)
        rows = draw_general(general[pairs.query[right]], general_share, seed)
    return Examples(pairs.query[right][rows], pairs.product[right][rows], negative[rows])


def draw_general(general: NDArray[np.bool_], share: float, seed: int) -> NDArray[np.int64]:
    """Choose rows so that a share of them is of general queries; all others are kept.

    Where there are too few general ones they come more than once, in whole rounds first.

    Args:
        general: whether a row is of a general query, bool[n].
        share: 0 to below 1.
        seed: of the draw.

    Returns:
        Numbers of rows, ascending.

    Example:
        >>> draw_general(np.array([True, True, True, True, False, False]), 0.5, seed=0)
        array([0, 2, 4, 5])
    """
    own, others = np.flatnonzero(general), np.flatnonzero(~general)
    if not len(own) or not len(others):
        return np.arange(len(general), dtype=np.int64)
    wanted = round(share / (1 - share) * len(others))
    rounds, rest = divmod(wanted, len(own))
    drawn = np.random.default_rng(seed).permutation(own)[:rest]
    return np.sort(np.concatenate([others, *[own] * rounds, drawn])).astype(np.int64)


def known_good(
    pairs: LabelledPairs, spared: Mapping[int, NDArray[np.int64]] | None = None
) -> list[frozenset[int]]:
    """Return for each query the products that must not count as wrong for it.

    Those are its own, those of queries of its family, and those of which the catalogue does not
    say that they are wrong; not those that are labelled as wrong.

    Args:
        pairs: labelled pairs.
        spared: numbers of products that the catalogue spares, by number of the query; see
            `evalkit.training.retriever_evaluating.CheckedProducts`.
    """
    families: dict[str, set[int]] = {}
    wrong: dict[int, set[int]] = {}
    for query, product, label in zip(
        pairs.query.tolist(), pairs.product.tolist(), pairs.label.tolist(), strict=True
    ):
        if label:
            families.setdefault(pairs.families[query], set()).add(product)
        else:
            wrong.setdefault(query, set()).add(product)
    found = []
    for query, family in enumerate(pairs.families):
        good = set(families.get(family, ()))
        if spared is not None and query in spared:
            good |= set(spared[query].tolist())
        found.append(frozenset(good - wrong.get(query, set())))
    return found
