"""What becomes of filters and of search when rewrites and queries are made worse.

The filter of rewrites should keep accepting those that still mean the same, and refuse the others.
Each rewrite is looked at by itself, so that one is not refused for being like another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.synthesis.stress_figures import Figure, goodrates, ratio_change
from evalkit.synthesis.stress_texts import KEEPS_MEANING, LANGUAGES, perturb_text, translate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.relevance.rewrite_scorers import Scorer
    from evalkit.rewriting import TypedQuery
    from evalkit.synthesis.stress_texts import Others
    from evalkit.synthesis.stress_view import Truth, View

__all__ = ["Material", "Outcome", "stress_rewrites"]


@dataclass(frozen=True)
class Material:
    """What is put under stress.

    Attributes:
        typed: the queries.
        rewrites: theirs, by query_id.
        view: the shop as it is.
        truth: which products are good for which query, or None.
        others: brands and kinds that a query does not ask for.
        scorer: of rewrites, or None.
        threshold: from which the scorer accepts.
        scored_by: what the scorer is called in figures.
        at: results that are looked at.
        rate: share of the longer words that get a typo.
        seed: of all chance.
    """

    typed: Sequence[TypedQuery]
    rewrites: Mapping[str, Sequence[str]]
    view: View
    truth: Truth | None
    others: Others
    scorer: Scorer | None = None
    threshold: float = 0.5
    scored_by: str = "classifier"
    at: int = 10
    rate: float = 0.2
    seed: int = 0
    _judged: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = field(default_factory=dict)

    @property
    def graded(self) -> frozenset[str]:
        """Queries with at least one judgment."""
        return frozenset(query_id for query_id, _ in self.truth or ())

    def texts(self) -> dict[str, str]:
        """Return the queries' own words by query_id."""
        return {query.query_id: query.query for query in self.typed}

    def listed(self) -> list[tuple[str, TypedQuery, str]]:
        """Return all rewrites: an id, the query, the text."""
        return [
            (f"{query.query_id}#{place}", query, text)
            for query in self.typed
            for place, text in enumerate(self.rewrites.get(query.query_id, ()), start=1)
        ]


@dataclass(frozen=True)
class Outcome:
    """What one perturbation did.

    Attributes:
        about: what was changed, for the document.
        figures: what was measured.
        missing: figure to what it needs, for what could not be.
    """

    about: Mapping[str, Any]
    figures: Sequence[Figure]
    missing: Mapping[str, str]


def stress_rewrites(name: str, material: Material) -> Outcome:
    """Perturb rewrites and queries and measure filter and search before and after.

    Args:
        name: one of `TEXTS`.
        material: what is put under stress.
    """
    listed = material.listed()
    changed = [
        (place, text)
        for place, (key, query, old) in enumerate(listed)
        if (text := _perturb(name, old, query, key, material, rewrite=True)) != old
    ]
    queries = {
        query.query_id: text
        for query in material.typed
        if (text := _perturb(name, query.query, query, query.query_id, material)) != query.query
    }
    about: dict[str, Any] = {
        "keeps_meaning": KEEPS_MEANING[name],
        "rewrites": len(changed),
        "rewrites_of": len(listed),
        "queries": len(queries),
        "queries_of": len(material.typed),
    }
    if name in LANGUAGES:
        parts = [translate(query.query, name) for query in material.typed]
        parts += [translate(text, name) for _, _, text in listed]
        words = sum(part[2] for part in parts)
        about["words_covered"] = sum(part[1] for part in parts) / words if words else None
    examples = [(listed[place][2], text) for place, text in changed]
    examples += [(query.query, queries[query.query_id]) for query in material.typed
                 if query.query_id in queries]  # fmt: skip
    about["example"] = list(examples[0]) if examples else None
    figures: list[Figure] = []
    missing: dict[str, str] = {}
    if changed:
        figures += _acceptance(name, listed, changed, material)
    else:
        missing["rewrites accepted by rules"] = "rewrites that it can change"
    if material.scorer is None:
        missing["rewrites accepted by rules and a model"] = "--cosine or --rewrite-classifier"
    graded = sorted(set(queries) & material.graded)
    if material.truth is None:
        missing[f"Goodrates@{material.at}"] = "--judgments"
    elif not graded:
        missing[f"Goodrates@{material.at}"] = "judged queries that it can change"
    else:
        for index in material.view.retrievers:
            before = material.view.search("queries", index, material.texts(), material.at)
            after = material.view.search(f"queries {name}", index, queries, material.at)
            figures += goodrates(
                name, (before, after), (material.truth, material.truth), graded,
                at=material.at, index=index, seed=material.seed,
                expected="stays" if KEEPS_MEANING[name] else "",
            )  # fmt: skip
    return Outcome(about, figures, missing)


def _perturb(
    name: str, text: str, query: TypedQuery, key: str, material: Material, *, rewrite: bool = False
) -> str:
    return perturb_text(
        name, text, query, material.others, key=key, seed=material.seed, rate=material.rate,
        rewrite=rewrite,
    )  # fmt: skip


def _acceptance(
    name: str,
    listed: Sequence[tuple[str, TypedQuery, str]],
    changed: Sequence[tuple[int, str]],
    material: Material,
) -> list[Figure]:
    """Compare how many are accepted: by the rules, and by rules and scorer."""
    if "" not in material._judged:
        material._judged[""] = _judge([(query, text) for _, query, text in listed], material)
    places = np.fromiter((place for place, _ in changed), np.int64, len(changed))
    before = [part[places] for part in material._judged[""]]
    after = _judge([(listed[place][1], text) for place, text in changed], material)
    owners = [listed[place][1].query_id for place, _ in changed]
    expected = "stays" if KEEPS_MEANING[name] else "falls"
    figures = []
    filters = ["rewrites accepted by rules"]
    if material.scorer is not None:
        filters.append(f"rewrites accepted by rules and {material.scored_by}")
    for place, figure in enumerate(filters):
        counts: dict[str, tuple[float, float, float, float]] = {}
        for owner, old, new in zip(owners, before[place], after[place], strict=True):
            a, b, c, d = counts.get(owner, (0.0, 0.0, 0.0, 0.0))
            counts[owner] = (a + float(old), b + 1, c + float(new), d + 1)
        figures.append(ratio_change(name, figure, counts, unit="rewrites", expected=expected))
    return figures


def _judge(
    texts: Sequence[tuple[TypedQuery, str]], material: Material
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rewrites the rules accept, and which both rules and scorer do."""
    import pyarrow as pa

    from evalkit.relevance.rewrite_filter import judge_rewrites
    from evalkit.rewriting.rules import filter_rule

    table = pa.table(
        {
            # an id of its own for each, so that none is refused for repeating another one
            "query_id": pa.array([str(place) for place in range(len(texts))], pa.string()),
            "_query": pa.array([query.query for query, _ in texts], pa.string()),
            "_structure": pa.array([query.structure.to_json() for query, _ in texts], pa.string()),
            "rewrite": pa.array([text for _, text in texts], pa.string()),
        }
    )
    rule = filter_rule(material.view.graph)
    judged = judge_rewrites(table, rule, material.scorer, material.threshold)
    reasons = judged.column("reason").to_pylist()
    by_rule = np.array([not reason.startswith("rule:") for reason in reasons], dtype=np.bool_)
    return by_rule, np.array([not reason for reason in reasons], dtype=np.bool_)
