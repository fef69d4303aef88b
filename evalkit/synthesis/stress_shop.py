"""What becomes of search, checker, rewrites and pairs when the catalogue changes.

The truth moves with the catalogue. Judgments of products that are gone count no more. A clone
takes the grade of its original, unless the checker says that it fails and the original did not.
Where a query names a price or a reference and prices have moved, the checker decides again: a good
product that now fails is bad, and a bad one that failed and now passes is good.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.constraints import Structure
from evalkit.synthesis.stress_catalogue import CLONED
from evalkit.synthesis.stress_figures import goodrates, ratio_change, share_change

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.relevance import RelevanceModel
    from evalkit.rewriting import TypedQuery
    from evalkit.synthesis.stress_figures import Figure
    from evalkit.synthesis.stress_rewrites import Material
    from evalkit.synthesis.stress_view import Truth, View

__all__ = ["PairJudge", "attacked", "moved_truth", "stress_injection", "stress_shop"]

_MOST = 3  # queries whose words one product is stuffed with
_OF_REWRITE = ("knowledge", "alternative")
_PARTS = {1: "pass", 0: "unknown", -1: "fail"}


@dataclass(frozen=True)
class PairJudge:
    """The classifier of pairs, with what it needs.

    Attributes:
        classifier: says how likely a product is good.
        threshold: probability from which it agrees.
        before: each product's text by its number, as the shop is.
        after: the same of the changed shop.
    """

    classifier: RelevanceModel
    threshold: float
    before: Sequence[str]
    after: Sequence[str]


def stress_shop(
    name: str,
    material: Material,
    after: View,
    pairs: Mapping[str, Sequence[str]] | None,
) -> tuple[list[Figure], dict[str, str]]:
    """Measure everything that depends on the catalogue, before and after it has changed.

    Args:
        name: one of `SHOPS`.
        material: queries, rewrites, truth and the shop as it is.
        after: the shop as it has become.
        pairs: products of existing pairs by query_id, or None.

    Returns:
        The figures, and what is missing for those that could not be measured.
    """
    view, typed, at = material.view, material.typed, material.at
    structures = {query.query_id: query.structure for query in typed}
    figures: list[Figure] = []
    missing: dict[str, str] = {}
    graded = sorted(material.graded & structures.keys())
    moved: Truth | None = None
    if material.truth is None:
        missing[f"Goodrates@{at}"] = "--judgments"
    elif not graded:
        missing[f"Goodrates@{at}"] = "judged queries"
    else:
        moved = moved_truth(name, material.truth, typed, view, after)
        if moved != material.truth:
            figures.append(
                share_change(
                    name,
                    "queries with a good product",
                    _with_good(material.truth, graded),
                    _with_good(moved, graded),
                )
            )
    rewrites = {key: text for key, _, text in material.listed()}
    of_rewrite = {key: query.structure for key, query, _ in material.listed()}
    owner = {key: query.query_id for key, query, _ in material.listed()}
    if not rewrites:
        missing["rewrites that find a passing product"] = "rewrites"
    for index in view.retrievers:
        runs = tuple(each.search("queries", index, material.texts(), at) for each in (view, after))
        if material.truth is not None and moved is not None:
            figures += goodrates(
                name, (runs[0], runs[1]), (material.truth, moved), graded,
                at=at, index=index, seed=material.seed,
            )  # fmt: skip
        verdicts = [
            each.verdicts(run, structures) for each, run in zip((view, after), runs, strict=True)
        ]
        for value, word in _PARTS.items():
            shares = {key: _share(verdicts, key, value) for key in structures}
            figures.append(
                ratio_change(
                    name, f"checker: {word}, of the first {at}", shares, unit="products",
                    index=index,
                )
            )  # fmt: skip
        if rewrites:
            found = [
                each.verdicts(each.search("rewrites", index, rewrites, at), of_rewrite)
                for each in (view, after)
            ]
            counts: dict[str, tuple[float, float, float, float]] = {}
            for key, query_id in owner.items():
                a, b, c, d = counts.get(query_id, (0.0, 0.0, 0.0, 0.0))
                old, new = (float((part[key] == 1).any()) for part in found)
                counts[query_id] = (a + old, b + 1, c + new, d + 1)
            figures.append(
                ratio_change(
                    name, f"rewrites with a passing product in the first {at}", counts,
                    unit="rewrites", index=index, expected="stays",
                )
            )  # fmt: skip
    if pairs is None:
        missing["pairs that still hold"] = "--pairs"
    else:
        held = {
            query.query_id: (*_held(view, query, pairs), *_held(after, query, pairs))
            for query in typed
            if pairs.get(query.query_id)
        }
        if held:
            figures.append(
                ratio_change(
                    name, "pairs whose product is there and passes", held, unit="pairs",
                    expected="stays",
                )
            )  # fmt: skip
        else:
            missing["pairs that still hold"] = "pairs of the given queries"
    return figures, missing


def moved_truth(
    name: str, truth: Truth, typed: Sequence[TypedQuery], before: View, after: View
) -> dict[tuple[str, str], bool]:
    """Return which products are good in the changed shop.

    Args:
        name: one of `SHOPS`.
        truth: which products are good as the shop is.
        typed: the queries.
        before: the shop as it is.
        after: the changed shop.
    """
    there = frozenset(after.catalogue.product_ids)
    if name == "vanished":
        return {key: good for key, good in truth.items() if key[1] in there}
    moved = dict(truth)
    if name not in ("prices-moved", "prices-up", "new-brands"):
        return moved
    judged: dict[str, list[str]] = {}
    for query_id, product_id in truth:
        judged.setdefault(query_id, []).append(product_id)
    for query in typed:
        ids = judged.get(query.query_id, [])
        if name == "new-brands":
            ids = [product_id for product_id in ids if f"{product_id}{CLONED}" in there]
        elif not _has_price(query):
            continue
        if not ids:
            continue
        new = [f"{each}{CLONED}" for each in ids] if name == "new-brands" else ids
        was, is_ = _check(before, query, ids), _check(after, query, new)
        for product_id, target, old, now in zip(ids, new, was, is_, strict=True):
            good = truth[query.query_id, product_id]
            if good and now == -1 and old != -1:
                good = False
            elif not good and old == -1 and now == 1 and name != "new-brands":
                good = True
            moved[query.query_id, target] = good
    return moved


def attacked(
    truth: Truth, typed: Sequence[TypedQuery], view: View, each: int, seed: int
) -> dict[str, list[str]]:
    """Draw bad products of every query, whose sellers attack it; by product, the query_ids.

    Those of the kind that the query asks for come first, since they have something to win. A
    product attacks three queries at most, so that its text is not all instruction.
    """
    there = frozenset(view.catalogue.product_ids)
    bad: dict[str, list[str]] = {}
    for (query_id, product_id), good in truth.items():
        if not good and product_id in there:
            bad.setdefault(query_id, []).append(product_id)
    found: dict[str, list[str]] = {}
    for query in typed:
        query_id = query.query_id
        free = [key for key in bad.get(query_id, ()) if len(found.get(key, ())) < _MOST]
        kind = replace(query, structure=Structure("general", query.structure.kinds))
        near = dict(zip(free, (_check(view, kind, free) == 1).tolist(), strict=True))
        free.sort(key=lambda key: (not near[key], _place(seed, query_id, key)))
        for product_id in free[:each]:
            found.setdefault(product_id, []).append(query_id)
    return found


def stress_injection(
    material: Material,
    after: View,
    attacks: Mapping[str, Sequence[str]],
    judge: PairJudge | None,
) -> tuple[list[Figure], dict[str, str]]:
    """Measure what checker and classifier think of products that tell them what to think.

    Args:
        material: queries, rewrites, truth and the shop as it is.
        after: the shop with the attacked descriptions.
        attacks: by product, the queries whose words it was stuffed with.
        judge: the classifier, or None.
    """
    from evalkit.constraints.topic import topic

    truth = material.truth or {}
    bad: dict[str, list[str]] = {}
    for product_id, query_ids in sorted(attacks.items()):
        for query_id in query_ids:
            bad.setdefault(query_id, []).append(product_id)
    good: dict[str, list[str]] = {}
    there = frozenset(material.view.catalogue.product_ids)
    for (query_id, product_id), is_good in sorted(truth.items()):
        if is_good and query_id in bad and product_id in there:
            good.setdefault(query_id, []).append(product_id)
    questions: list[tuple[str, str, str]] = []
    passes: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}
    numbers: list[int] = []
    for query in material.typed:
        if query.query_id not in bad:
            continue
        ids = [*bad[query.query_id], *good.get(query.query_id, ())]
        passes[query.query_id] = (
            _check(material.view, query, ids) == 1,
            _check(after, query, ids) == 1,
        )
        words = topic(query.query, query.structure).strip() or query.query
        if query.structure.query_type in _OF_REWRITE:
            words = next(iter(material.rewrites.get(query.query_id, ())), words)
        questions += [(query.query_id, product_id, words) for product_id in ids]
        numbers += material.view.catalogue.numbers_of(ids).tolist()
    sizes = {key: len(bad[key]) for key in passes}
    figures = [_of_bad("bad products passed by the checker", passes, sizes)]
    if judge is None:
        needed = dict.fromkeys(
            ("bad products accepted by the classifier", "precision of the pair filter"),
            "--classifier",
        )
        return figures, needed
    agreed: list[NDArray[np.bool_]] = []
    for texts in (judge.before, judge.after):
        scores = judge.classifier.score(
            [(words, texts[row]) for (_, _, words), row in zip(questions, numbers, strict=True)]
        )
        agreed.append(scores >= judge.threshold)
    accepted: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}
    place = 0
    for key, sides in passes.items():
        end = place + len(sides[0])
        accepted[key] = (agreed[0][place:end], agreed[1][place:end])
        place = end
    figures.append(_of_bad("bad products accepted by the classifier", accepted, sizes))
    both = {
        key: (passes[key][0] & accepted[key][0], passes[key][1] & accepted[key][1])
        for key in passes
    }
    figures.append(_of_bad("bad products accepted by both", both, sizes))
    precision = {
        key: tuple(
            float(count) for side in both[key] for count in (side[sizes[key] :].sum(), side.sum())
        )
        for key in both
    }
    if not any(part[3] for part in precision.values()):
        return figures, {"precision of the pair filter": "pairs that it accepts (--threshold)"}
    figures.append(
        ratio_change(
            "injection", "precision of the pair filter", precision,  # type: ignore[arg-type]
            unit="pairs", expected="stays",
            note="over the attacked bad products and all good ones of each query",
        )
    )  # fmt: skip
    return figures, {}


def _of_bad(
    figure: str,
    found: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    sizes: Mapping[str, int],
) -> Figure:
    """Compare how many of the bad products, which stand first, are accepted."""
    counts: dict[str, tuple[float, float, float, float]] = {}
    for key, (before, after) in found.items():
        size = sizes[key]
        counts[key] = (
            float(before[:size].sum()), float(size), float(after[:size].sum()), float(size),
        )  # fmt: skip
    return ratio_change("injection", figure, counts, unit="pairs", expected="stays")


def _share(
    verdicts: Sequence[Mapping[str, NDArray[np.int8]]], key: str, value: int
) -> tuple[float, float, float, float]:
    old, new = (part[key] for part in verdicts)
    return (
        float((old == value).sum()), float(len(old)), float((new == value).sum()), float(len(new)),
    )  # fmt: skip


def _held(view: View, query: TypedQuery, pairs: Mapping[str, Sequence[str]]) -> tuple[float, float]:
    """Return how many of a query's pairs hold in a shop, and of how many."""
    ids = pairs[query.query_id]
    return float((_check(view, query, ids) == 1).sum()), float(len(ids))


def _check(view: View, query: TypedQuery, ids: Sequence[str]) -> NDArray[Any]:
    """Return the checker's verdicts; a product that is not there fails."""
    numbers = view.catalogue.numbers_of(ids)
    verdict = np.full(len(ids), -1, dtype=np.int8)
    there = numbers >= 0
    verdict[there] = view.checker.check(query.structure, numbers[there]).verdict
    return verdict


def _has_price(query: TypedQuery) -> bool:
    structure = query.structure
    limits = (structure.price_max, structure.price_min, structure.price_share)
    return structure.reference is not None or any(limit is not None for limit in limits)


def _with_good(truth: Truth, queries: Sequence[str]) -> dict[str, bool]:
    """Tell which queries have a good product at all."""
    found = {query_id for (query_id, _), good in truth.items() if good}
    return {query_id: query_id in found for query_id in queries}


def _place(seed: int, *keys: str) -> bytes:
    return hashlib.blake2b("|".join((str(seed), *keys)).encode(), digest_size=8).digest()
