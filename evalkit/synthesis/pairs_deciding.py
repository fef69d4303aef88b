"""Which products become pairs and hard negatives of a query, and why the others do not.

For each query its rewrites retrieve deeply and their lists are fused; a constraint checker reads
what the catalogue states; of the products that pass, the best fused go to the relevance
classifier. A pair is kept when both agree. Hard negatives come from the same lists: first products
of the right kind that break a constraint, then those of another kind, then those that the
classifier finds worst. Every product that was looked at keeps its decision, the reason, and what it
violates.

A product that only its price makes wrong is no hard negative unless that is asked for: most texts
of products name no price, and a model that reads texts would unlearn the best match of the kind.

A query is decided without the others; what holds over all of them is in `pairs_tables`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints import Structure
from evalkit.constraints.checking_finding import ATTRIBUTE, BRAND, KIND, PRICE, TEXT
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.synthesis.offline import Depth, search_offline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.constraints.checking import Checker, Checks
    from evalkit.knowledge import Catalogue
    from evalkit.relevance.classifier import Classifier
    from evalkit.retrieval import Retriever

__all__ = ["AskedQuery", "Judge", "PairSettings", "decide", "searched_texts"]

_OF_REWRITE = ("knowledge", "alternative")  # whose own words do not name what is wanted

# What a product violates, by where the checker decided it. Of several the last is taken: a price is
# what texts show least, and beside another kind nothing else matters.
_VIOLATIONS = (
    ("price", (PRICE,)),
    ("brand", (BRAND,)),
    ("attribute", (ATTRIBUTE, TEXT)),
    ("kind", (KIND,)),
)


@dataclass(frozen=True)
class PairSettings:
    """What is kept.

    Attributes:
        each: products that each rewrite takes from each index.
        fused: products of a query that the checker sees.
        judged: products of a query that pass the checker and reach the classifier, best first.
        threshold: probability from which the classifier agrees; None takes its own for
            `precision`.
        precision: the precision on held-out labels that the threshold is for.
        per_query: pairs kept a query.
        negatives: hard negatives a query.
        price_negatives: whether products that only their price makes wrong are hard negatives too,
            after the others of the kind; for models that see prices.
        per_product: pairs kept a product, so that popular ones do not dominate.
        dev_share: share of the families that are for development.
        filters: whether checker and classifier decide; without them the best fused products are
            the pairs, there are no hard negatives, and columns only tell what the checker finds.
            That is for measuring what the filters are worth.
        positive_part: whether a query's own positive part is searched beside its rewrites.
        seed: of the split.
    """

    each: int = 100
    fused: int = 300
    judged: int = 50
    threshold: float | None = None
    precision: float = 0.9
    per_query: int = 10
    negatives: int = 3
    price_negatives: bool = False
    per_product: int = 50
    dev_share: float = 0.1
    filters: bool = True
    positive_part: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("each", "fused", "judged", "per_query", "per_product"):
            if getattr(self, name) < 1:
                raise SettingsError(f"--{name.replace('_', '-')} must be 1 or more.")
        if self.negatives < 0 or not 0 <= self.dev_share < 1:
            raise SettingsError("--negatives must be 0 or more, --dev-share from 0 to below 1.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise SettingsError("--threshold is a probability, from 0 to 1.")


@dataclass(frozen=True)
class AskedQuery:
    """A query, what is searched for it, and what keeps its pairs apart from others.

    Attributes:
        typed: the query.
        texts: what is searched, by place: 0 its positive part, where it has one, then its
            accepted rewrites.
        families: what it is about; see `evalkit.constraints.families`.
        held_out: why it must not be trained on; empty where it may.
    """

    typed: TypedQuery
    texts: Mapping[int, str]
    families: tuple[str, ...]
    held_out: str


@dataclass(frozen=True)
class Judge:
    """What decides about products.

    Attributes:
        catalogue: the shop.
        checker: which of its products satisfy what.
        classifier: of queries and products.
        threshold: probability from which the classifier agrees.
        texts: what the classifier reads of each product, by its number in the catalogue.
    """

    catalogue: Catalogue
    checker: Checker
    classifier: Classifier
    threshold: float
    texts: Sequence[str]


@dataclass(frozen=True)
class _LookedAt:
    """The products that were found for some queries, a row each; the last five are filled in.

    Attributes:
        number: the product's number in the catalogue, int64[m].
        place: of the text that found it, int64[m].
        verdict: 1 passes the checker, 0 unknown, -1 fails; int8[m].
        probability: what the classifier says, NaN where it was not asked; float64[m].
        decision: `dropped`, `asked` (the classifier), `kept` or `negative`; object[m].
        reason: for it, in words; object[m].
        violates: `price`, `brand`, `attribute`, `kind` or `classifier`; None where nothing speaks
            against it; object[m].
    """

    number: NDArray[np.int64]
    place: NDArray[np.int64]
    verdict: NDArray[np.int8]
    probability: NDArray[np.float64]
    decision: NDArray[np.object_]
    reason: NDArray[np.object_]
    violates: NDArray[np.object_]


def decide(
    asked: Sequence[AskedQuery],
    retrievers: Mapping[str, Retriever],
    judge: Judge,
    settings: PairSettings,
    connection: DuckDBPyConnection,
) -> pa.Table:
    """Search, check and judge some queries.

    Args:
        asked: the queries.
        retrievers: indexes by name, `bm25` and `dense`.
        judge: what decides.
        settings: what is kept.
        connection: a DuckDB connection that does the joining.

    Returns:
        The table of `search_offline`, every product looked at, with `probability` (null where the
        classifier was not asked), `check` (`pass`, `unknown`, `fail`), `decision` (`kept`,
        `negative`, `dropped`), `reason` and `violates`.

    Raises:
        InputError: an index has a product that the catalogue has not.
    """
    import pyarrow as pa

    found = search_offline(
        searched_texts(asked), retrievers, connection, Depth(settings.each, settings.fused)
    )
    count = found.num_rows
    looked_at = _LookedAt(
        number=_numbers(found, judge.catalogue),
        place=np.asarray(found.column("place"), dtype=np.int64),
        verdict=np.zeros(count, dtype=np.int8),
        probability=np.full(count, np.nan, dtype=np.float64),
        decision=np.full(count, "dropped", dtype=object),
        reason=np.full(count, "", dtype=object),
        violates=np.full(count, None, dtype=object),
    )
    ids = np.array(found.column("query_id").to_pylist(), dtype=object)
    own_rows = [np.flatnonzero(ids == query.typed.query_id) for query in asked]
    questions: list[tuple[int, str]] = []
    for query, rows in zip(asked, own_rows, strict=True):
        if len(rows):
            questions += _check(query, rows, looked_at, judge, settings)
    if questions:  # of all queries at once, since the classifier works in batches
        at = np.fromiter((row for row, _ in questions), np.int64, len(questions))
        looked_at.probability[at] = judge.classifier.score(
            [(text, judge.texts[looked_at.number[row]]) for row, text in questions]
        )
    _agree(looked_at, judge.threshold)
    for rows in own_rows:
        _limit(rows, looked_at, judge.threshold, settings)
    words = np.array(["fail", "unknown", "pass"], dtype=object)[looked_at.verdict + 1]
    probability = pa.array(looked_at.probability, pa.float64(), from_pandas=True)
    return (
        found.append_column("probability", probability)
        .append_column("check", pa.array(words.tolist(), pa.string()))
        .append_column("decision", pa.array(looked_at.decision.tolist(), pa.string()))
        .append_column("reason", pa.array(looked_at.reason.tolist(), pa.string()))
        .append_column("violates", pa.array(looked_at.violates.tolist(), pa.string()))
    )


def searched_texts(asked: Sequence[AskedQuery]) -> pa.Table:
    """Return what is searched: query_id, place and text, as `search_offline` takes it."""
    import pyarrow as pa

    rows = [
        (query.typed.query_id, place, text)
        for query in asked
        for place, text in query.texts.items()
    ]
    return pa.table(
        {
            "query_id": pa.array([row[0] for row in rows], pa.string()),
            "place": pa.array([row[1] for row in rows], pa.int32()),
            "text": pa.array([row[2] for row in rows], pa.string()),
        }
    )


def _numbers(found: pa.Table, catalogue: Catalogue) -> NDArray[np.int64]:
    numbers = catalogue.numbers_of(found.column("product_id").to_pylist())
    if (numbers < 0).any():
        stranger = found.column("product_id")[int(np.argmax(numbers < 0))].as_py()
        raise InputError(
            "the index",
            [Problem("has a product that the catalogue has not", product_id=stranger)],
            remedy="Build it again, reading the products in the same way (--map, --format).",
        )
    return numbers


def _check(
    query: AskedQuery,
    rows: NDArray[np.int64],
    looked_at: _LookedAt,
    judge: Judge,
    settings: PairSettings,
) -> list[tuple[int, str]]:
    """Check one query's products; return the rows that the classifier sees, and with which text."""
    structure = query.typed.structure
    numbers = looked_at.number[rows]
    checks = judge.checker.check(structure, numbers)
    kind = judge.checker.check(Structure("general", structure.kinds), numbers).verdict
    violates = _violations(checks)
    looked_at.verdict[rows] = checks.verdict
    looked_at.violates[rows] = violates
    for place in np.flatnonzero(checks.verdict != 1):
        looked_at.reason[rows[place]] = checks.explain(int(place))
    if not settings.filters:
        looked_at.decision[rows[: settings.per_query]] = "kept"
        looked_at.reason[rows[settings.per_query :]] = f"beyond the best {settings.per_query}"
        return []
    passed = rows[checks.verdict == 1]
    best, rest = passed[: settings.judged], passed[settings.judged :]
    broken = rows[_violators(query, judge, checks, kind, violates, settings)]
    looked_at.reason[rest] = f"beyond the best {settings.judged}"
    looked_at.decision[best] = "asked"
    looked_at.decision[broken] = "negative"
    return [(int(row), _words(query, int(looked_at.place[row]))) for row in (*best, *broken)]


def _violations(checks: Checks) -> NDArray[np.object_]:
    """Return what each product violates, None where the checker does not refuse it."""
    found = np.full(len(checks.numbers), None, dtype=object)
    for name, places in _VIOLATIONS:
        for check in checks.conditions:
            found[(check.verdict == -1) & np.isin(check.place, places)] = name
    return found


def _violators(
    query: AskedQuery,
    judge: Judge,
    checks: Checks,
    kind: NDArray[np.int8],
    violates: NDArray[np.object_],
    settings: PairSettings,
) -> NDArray[np.int64]:
    """Return the places of the hard negatives that a query's checks give.

    Of the right kind, what has the thing that the query does without comes first, a wrong price
    last, if at all. Then come other kinds; but one of those may serve a need, too.
    """
    structure = query.typed.structure
    without = Structure("negative", excluded=structure.excluded)
    has_it = judge.checker.check(without, checks.numbers).verdict == -1
    wrong, dear = (checks.verdict == -1) & (kind == 1), violates == "price"
    turns = [wrong & has_it, wrong & ~has_it & ~dear]
    if settings.price_negatives:
        turns.append(wrong & dear)
    if structure.query_type != "knowledge":
        turns.append(kind == -1)
    return np.concatenate([np.flatnonzero(turn) for turn in turns])[: settings.negatives]


def _words(query: AskedQuery, place: int) -> str:
    """Return what the classifier reads of a query beside a product that text `place` found."""
    own = query.texts.get(0, "")
    if query.typed.structure.query_type in _OF_REWRITE:
        return query.texts[place] if place > 0 else query.texts.get(1, own)
    return own or query.texts[place]


def _agree(looked_at: _LookedAt, threshold: float) -> None:
    """Keep what the classifier finds good among the products that pass."""
    waiting = looked_at.decision == "asked"
    good = waiting & (looked_at.probability >= threshold)
    looked_at.decision[good] = "kept"
    doubted = np.flatnonzero(waiting & ~good)
    looked_at.decision[doubted] = "dropped"
    looked_at.violates[doubted] = "classifier"
    looked_at.reason[doubted] = [f"classifier: {looked_at.probability[row]:.2f}" for row in doubted]


def _limit(
    rows: NDArray[np.int64], looked_at: _LookedAt, threshold: float, settings: PairSettings
) -> None:
    """Keep the most probable pairs of a query, and fill its hard negatives with the worst."""
    decision, probability = looked_at.decision[rows], looked_at.probability[rows]
    kept = np.flatnonzero(decision == "kept")
    beyond = rows[kept[np.argsort(-probability[kept], kind="stable")][settings.per_query :]]
    looked_at.decision[beyond] = "dropped"
    looked_at.reason[beyond] = f"beyond {settings.per_query} pairs of the query"
    missing = max(settings.negatives - int((decision == "negative").sum()), 0)
    doubted = np.flatnonzero((looked_at.verdict[rows] == 1) & (probability < threshold / 2))
    worst = doubted[np.argsort(probability[doubted], kind="stable")][:missing]
    looked_at.decision[rows[worst]] = "negative"
