"""The stage behind `evalkit synthesize pairs`: accepted rewrites become query–product pairs.

For each query its rewrites retrieve deeply and their lists are fused; a constraint checker reads
what the catalogue states; of the products that pass, the best fused go to the relevance
classifier. A pair is kept when both agree. Hard negatives come from the same lists: first products
of the right kind that break a constraint, then those that the classifier finds worst. Every
product that was looked at keeps its decision and the reason.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.chunks import open_chunks
from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say
from evalkit.synthesis.offline import Depth, search_offline
from evalkit.synthesis.splits import families, split_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.constraints import TypedQuery
    from evalkit.constraints.checking import Checker
    from evalkit.knowledge import Catalogue
    from evalkit.relevance.classifier import Classifier
    from evalkit.retrieval import Retriever
    from evalkit.retrieval.retriever import DenseRetriever, LexicalRetriever

__all__ = ["PairSettings", "synthesize_pairs"]

_CHUNK = 100
_OF_REWRITE = ("knowledge", "alternative")


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
        per_product: pairs kept a product, so that popular ones do not dominate.
        dev_share: share of the families that are for development.
        seed: of the split.
    """

    each: int = 100
    fused: int = 300
    judged: int = 50
    threshold: float | None = None
    precision: float = 0.9
    per_query: int = 10
    negatives: int = 3
    per_product: int = 50
    dev_share: float = 0.1
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
class _Judge:
    """What decides about products: catalogue, checker, classifier and their threshold."""

    catalogue: Catalogue
    checker: Checker
    classifier: Classifier
    threshold: float
    texts: tuple[str, ...]


def synthesize_pairs(
    queries: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    products: str | os.PathLike[str],
    indexes: Sequence[str | os.PathLike[str]],
    classifier: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    candidates: str | os.PathLike[str] | None = None,
    held_out: str | os.PathLike[str] | None = None,
    catalogue_settings: str | os.PathLike[str] | None = None,
    triples: str | os.PathLike[str] | None = None,
    settings: PairSettings | None = None,
    fields: Sequence[str] | None = None,
    reading: Mapping[str, Any] | None = None,
    force: bool = False,
    memory_limit: str = "2GB",
    threads: int | None = None,
) -> Manifest:
    """Make training pairs; a stage that was interrupted goes on after its last chunk.

    Args:
        queries: typed queries (`evalkit synthesize queries`, `evalkit parse queries`).
        rewrites: their rewrites; where there is a column `accepted`, only the accepted ones.
        products: the catalogue.
        indexes: folders of indexes over it, words or meaning.
        classifier: folder of a query–product classifier (`evalkit train classifier`).
        output: the pairs; see docs/synthesis.md for the columns.
        candidates: where every product that was looked at goes, with its decision; None for
            nowhere.
        held_out: queries, such as those of the evaluation, that must not occur, nor others like
            them; see `evalkit.synthesis.held_out`.
        catalogue_settings: YAML file; see `evalkit.knowledge.settings`.
        triples: CSV file with what else is known; see `evalkit.knowledge.triples`.
        settings: what is kept.
        fields: columns that make a product's text; None takes the classifier's.
        reading: keyword arguments of `evalkit.tables.read` for the catalogue.
        force: make them again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Returns:
        The manifest; its counts say what became of queries, rewrites and products.

    Raises:
        InputError: a file cannot be used, or nothing would be kept.
        SettingsError: settings that do not fit.
        ModelError: a model cannot be opened.
    """
    from evalkit.constraints import read_typed_queries
    from evalkit.constraints.checking import Checker
    from evalkit.constraints.parsing_stage import RULES
    from evalkit.knowledge import CatalogueFiles
    from evalkit.relevance import open_classifier
    from evalkit.retrieval.retriever import index_fingerprint
    from evalkit.synthesis.held_out import GUARD, HeldOut
    from evalkit.tables import write

    started = time.monotonic()
    chosen = settings or PairSettings()
    target = Path(output)
    judge = open_classifier(classifier, use="products")
    retrievers = _open_indexes(indexes, products)
    threshold = judge.threshold(chosen.precision) if chosen.threshold is None else chosen.threshold
    shop = CatalogueFiles(products, catalogue_settings, triples, reading or {})
    files = {"queries": queries, "rewrites": rewrites, "held_out": held_out}
    inputs = tuple(
        Input(role, str(path), fingerprint(path)) for role, path in files.items() if path
    )
    wanted = Manifest(
        command="evalkit synthesize pairs",
        settings=asdict(chosen)
        | {
            "threshold": threshold,
            "fields": list(fields) if fields is not None else None,
            "reading": dict(reading or {}),
            "rules": RULES,  # by which queries without a structure and positive parts are read
            "guard": None if held_out is None else GUARD,
            "indexes": {
                name: index_fingerprint(retriever.manifest)
                for name, retriever in sorted(retrievers.items())
            },
        },
        inputs=(*inputs, *shop.inputs()),
        models=(judge.to_manifest("relevance"),),
        seeds={"split": chosen.seed},
    )
    beside = None if candidates is None else Path(candidates)
    done = None if force else finished_before(target, wanted)
    if done is not None and (beside is None or finished_before(beside, wanted) is not None):
        say(f"{target} is up to date (same inputs and settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        catalogue, graph = shop.open(connection)
        typed = read_typed_queries(queries, connection, catalogue, graph)
        accepted = _read_rewrites(rewrites, connection)
        warnings = _warnings(rewrites, accepted, {query.query_id for query in typed})
        for warning in warnings:
            say(f"Warning: {warning}")
        asked = _asked(typed, accepted)
        names = [families(query.structure, query.family) for query in typed]
        outside = [""] * len(typed)
        if held_out is not None:
            reported = read_typed_queries(held_out, connection, catalogue, graph)
            outside = HeldOut(reported, catalogue, graph).reasons(typed)
        checker = Checker(catalogue, graph)
        texts = _product_texts(products, connection, fields or judge.fields, reading, catalogue)
        decider = _Judge(catalogue, checker, judge, threshold, texts)
        chunks = open_chunks(target, wanted, force=force)
        if chunks.reused:
            say(f"Going on after {chunks.reused} finished chunks of {_CHUNK} queries.")
        parts: list[pa.Table] = []
        with progress_bar(len(typed), "Searching and judging", "queries") as moved:
            for number, start in enumerate(range(0, len(typed), _CHUNK)):
                some = typed[start : start + _CHUNK]
                parts.append(
                    chunks.get(
                        number,
                        lambda some=some: _decide(  # type: ignore[misc]
                            some, asked, retrievers, decider, chosen, connection
                        ),
                    )
                )
                moved(len(some))
        looked_at = _finish(
            parts, typed, asked, names, outside, chosen, catalogue, texts, connection
        )
        pairs = _pairs(looked_at, connection)
        counts = _counts(looked_at, pairs, typed, asked, connection)
        if chosen.dev_share > 0:
            undeveloped = _without_dev(pairs)
            warnings += undeveloped
            for warning in undeveloped:
                say(f"Warning: {warning}")
        finished = replace(wanted, counts=counts, warnings=warnings)
        target.parent.mkdir(parents=True, exist_ok=True)
        if beside is not None:
            write(looked_at, beside, kind="pairs", connection=connection)
            finished.write(beside, started=started)
        if not pairs.num_rows:
            raise InputError(
                str(queries),
                [Problem("no pair was kept")],
                remedy="A lower --threshold or --precision keeps more; --candidates shows why.",
            )
        write(pairs, target, kind="pairs", connection=connection)
    finished.write(target, started=started)
    chunks.remove()
    say(
        f"Wrote {target}: {counts['pairs']:,} pairs and {counts['hard_negatives']:,} hard "
        f"negatives of {counts['queries_with_pairs']:,} of {len(typed):,} queries in "
        f"{time.monotonic() - started:.0f} s."
    )
    return finished


def _open_indexes(
    folders: Sequence[str | os.PathLike[str]], products: str | os.PathLike[str]
) -> dict[str, DenseRetriever | LexicalRetriever]:
    """Open the indexes by what they search with: `bm25` or `dense`, one of each at most."""
    from evalkit.retrieval import open_index

    found: dict[str, DenseRetriever | LexicalRetriever] = {}
    opened: dict[str, str] = {}
    for folder in folders:
        retriever = open_index(folder, products=products)
        lexical = retriever.manifest.settings["kind"] == "lexical"
        name, words = ("bm25", "words") if lexical else ("dense", "meaning")
        if name in found:
            raise SettingsError(
                f"--index {folder}: {opened[name]} is an index of {words} already; give one of "
                "words and one of meaning."
            )
        found[name], opened[name] = retriever, str(folder)
    if not found:
        raise SettingsError("There is no index to search; give --index, best twice.")
    return found


def _read_rewrites(
    path: str | os.PathLike[str], connection: DuckDBPyConnection
) -> dict[str, list[str]]:
    from evalkit.tables import read

    table = read("rewrites", path, connection)
    rows = table.relation
    if "accepted" in table.columns:
        rows = rows.filter("CAST(accepted AS BOOLEAN)")
    order = "query_id, place, rewrite" if "place" in table.columns else "query_id, rewrite"
    found: dict[str, list[str]] = {}
    for query_id, rewrite in rows.order(order).select("query_id, rewrite").fetchall():
        found.setdefault(query_id, []).append(rewrite)
    if not found:
        raise InputError(
            str(path),
            [Problem("there is no accepted rewrite")],
            remedy="Write some with evalkit rewrite, or filter them less strictly.",
        )
    return found


def _warnings(
    path: str | os.PathLike[str], rewrites: Mapping[str, Sequence[str]], known: set[str]
) -> tuple[str, ...]:
    """Say which rewrites belong to no query; refuse when none does."""
    strangers = sorted(rewrites.keys() - known)
    if not strangers:
        return ()
    if len(strangers) == len(rewrites):
        raise InputError(
            str(path),
            [Problem("no rewrite belongs to any of the queries", query_id=strangers[0])],
            remedy="Give the queries that were rewritten.",
        )
    count = sum(len(rewrites[query_id]) for query_id in strangers)
    return (
        f"{path}: {count:,} rewrites belong to {len(strangers):,} queries that are not among the "
        f"queries, such as {strangers[0]}; they are left out.",
    )


def _asked(
    typed: Sequence[TypedQuery], rewrites: Mapping[str, Sequence[str]]
) -> dict[str, list[tuple[int, str]]]:
    """Give each query the texts that are searched: its positive part (place 0), its rewrites."""
    from evalkit.constraints.topic import topic

    found = {}
    for query in typed:
        own = topic(query.query, query.structure).strip()
        texts = [(0, own)] if own else []
        texts += list(enumerate(rewrites.get(query.query_id, ()), start=1))
        found[query.query_id] = texts
    return found


def _product_texts(
    products: str | os.PathLike[str],
    connection: DuckDBPyConnection,
    fields: Sequence[str] | None,
    reading: Mapping[str, Any] | None,
    catalogue: Catalogue,
) -> tuple[str, ...]:
    """Return each product's text by its number in the catalogue; empty where it has none."""
    from evalkit.tables import read
    from evalkit.tables.product_text import choose_fields, store_texts

    table = read("products", products, connection, **(reading or {}))
    relation, _, _ = store_texts(connection, table, choose_fields(table.columns, fields))
    found = dict(relation.fetchall())
    return tuple(found.get(product_id, "") for product_id in catalogue.product_ids)


def _decide(
    typed: Sequence[TypedQuery],
    asked: Mapping[str, Sequence[tuple[int, str]]],
    retrievers: Mapping[str, Retriever],
    judge: _Judge,
    settings: PairSettings,
    connection: DuckDBPyConnection,
) -> pa.Table:
    """Search, check and judge some queries; return every product looked at."""
    import pyarrow as pa

    rows = [
        (query.query_id, place, text) for query in typed for place, text in asked[query.query_id]
    ]
    table = pa.table(
        {
            "query_id": pa.array([row[0] for row in rows], pa.string()),
            "place": pa.array([row[1] for row in rows], pa.int32()),
            "text": pa.array([row[2] for row in rows], pa.string()),
        }
    )
    found = search_offline(table, retrievers, connection, Depth(settings.each, settings.fused))
    ids = np.array(found.column("query_id").to_pylist(), dtype=object)
    numbers = judge.catalogue.numbers_of(found.column("product_id").to_pylist())
    if (numbers < 0).any():
        stranger = found.column("product_id")[int(np.argmax(numbers < 0))].as_py()
        raise InputError(
            "the index",
            [Problem("has a product that the catalogue has not", product_id=stranger)],
            remedy="Build it again, reading the products in the same way (--map, --format).",
        )
    places = np.asarray(found.column("place"), dtype=np.int64)
    verdict = np.zeros(len(ids), dtype=np.int8)
    decision = np.full(len(ids), "dropped", dtype=object)
    reason = np.full(len(ids), "", dtype=object)
    questions: list[tuple[int, str]] = []
    for query in typed:
        here = np.flatnonzero(ids == query.query_id)
        if len(here):
            verdict[here], questions_here = _check(
                query, here, numbers[here], places[here], dict(asked[query.query_id]),
                judge, settings, decision, reason,
            )  # fmt: skip
            questions += questions_here
    probability = np.full(len(ids), np.nan, dtype=np.float64)
    if questions:
        at = np.fromiter((row for row, _ in questions), np.int64, len(questions))
        probability[at] = judge.classifier.score(
            [(text, judge.texts[numbers[row]]) for row, text in questions]
        )
    _agree(probability, judge.threshold, decision, reason)
    for query in typed:
        here = np.flatnonzero(ids == query.query_id)
        _limit(here, probability[here], verdict[here], settings, judge.threshold, decision, reason)
    words = np.array(["fail", "unknown", "pass"], dtype=object)[verdict.astype(np.int64) + 1]
    return (
        found.append_column("probability", pa.array(probability, pa.float64(), from_pandas=True))
        .append_column("check", pa.array(words.tolist(), pa.string()))
        .append_column("decision", pa.array(decision.tolist(), pa.string()))
        .append_column("reason", pa.array(reason.tolist(), pa.string()))
    )


def _check(
    query: TypedQuery,
    here: np.ndarray[Any, Any],
    numbers: np.ndarray[Any, Any],
    places: np.ndarray[Any, Any],
    texts: Mapping[int, str],
    judge: _Judge,
    settings: PairSettings,
    decision: np.ndarray[Any, Any],
    reason: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], list[tuple[int, str]]]:
    """Check one query's products; choose those that the classifier sees, and with which words."""
    from evalkit.constraints import Structure

    structure = query.structure
    checks = judge.checker.check(structure, numbers)
    kind = judge.checker.check(Structure("general", structure.kinds), numbers).verdict
    passed = np.flatnonzero(checks.verdict == 1)
    broken = np.flatnonzero((checks.verdict == -1) & (kind == 1))
    for place in np.flatnonzero(checks.verdict != 1):
        reason[here[place]] = checks.explain(int(place))
    for place in passed[settings.judged :]:
        reason[here[place]] = f"beyond the best {settings.judged}"
    decision[here[passed[: settings.judged]]] = "asked"
    decision[here[broken[: settings.negatives]]] = "negative"
    own = texts.get(0, "")
    first = texts.get(1, own)

    def words(place: int) -> str:
        if structure.query_type in _OF_REWRITE:
            return texts[places[place]] if places[place] > 0 else first
        return own or texts[places[place]]

    chosen = [*passed[: settings.judged], *broken[: settings.negatives]]
    return checks.verdict, [(int(here[place]), words(int(place))) for place in chosen]


def _agree(
    probability: np.ndarray[Any, Any],
    threshold: float,
    decision: np.ndarray[Any, Any],
    reason: np.ndarray[Any, Any],
) -> None:
    """Keep what the classifier finds good among the products that pass."""
    waiting = decision == "asked"
    good = waiting & (probability >= threshold)
    decision[good] = "kept"
    doubted = np.flatnonzero(waiting & ~good)
    decision[doubted] = "dropped"
    reason[doubted] = [f"classifier: {probability[row]:.2f}" for row in doubted]


def _limit(
    here: np.ndarray[Any, Any],
    probability: np.ndarray[Any, Any],
    verdict: np.ndarray[Any, Any],
    settings: PairSettings,
    threshold: float,
    decision: np.ndarray[Any, Any],
    reason: np.ndarray[Any, Any],
) -> None:
    """Keep the most probable pairs of a query, and fill its hard negatives with the worst."""
    kept = np.flatnonzero(decision[here] == "kept")
    order = kept[np.argsort(-probability[kept], kind="stable")]
    for place in order[settings.per_query :]:
        decision[here[place]] = "dropped"
        reason[here[place]] = f"beyond {settings.per_query} pairs of the query"
    missing = settings.negatives - int((decision[here] == "negative").sum())
    doubted = np.flatnonzero((verdict == 1) & (probability < threshold / 2))
    worst = doubted[np.argsort(probability[doubted], kind="stable")]
    decision[here[worst[: max(missing, 0)]]] = "negative"


def _finish(
    parts: Sequence[pa.Table],
    typed: Sequence[TypedQuery],
    asked: Mapping[str, Sequence[tuple[int, str]]],
    names: Sequence[tuple[str, ...]],
    outside: Sequence[str],
    settings: PairSettings,
    catalogue: Catalogue,
    texts: Sequence[str],
    connection: DuckDBPyConnection,
) -> pa.Table:
    """Add queries, texts and splits, and cap the products over all queries."""
    import pyarrow as pa

    splits = [
        "held out" if reason else split_of(own, dev_share=settings.dev_share, seed=settings.seed)
        for own, reason in zip(names, outside, strict=True)
    ]
    connection.register(
        "evalkit_typed",
        pa.table(
            {
                "query_id": pa.array([query.query_id for query in typed], pa.string()),
                "query": pa.array([query.query for query in typed], pa.string()),
                "query_type": pa.array(
                    [query.structure.query_type for query in typed], pa.string()
                ),
                "family": pa.array([" & ".join(own) for own in names], pa.string()),
                "split": pa.array(splits, pa.string()),
                "held_out": pa.array(outside, pa.string()),
            }
        ),
    )
    flat = [(query_id, place, text) for query_id, own in asked.items() for place, text in own]
    connection.register(
        "evalkit_places",
        pa.table(
            {
                "query_id": pa.array([row[0] for row in flat], pa.string()),
                "place": pa.array([row[1] for row in flat], pa.int32()),
                "rewrite": pa.array([row[2] for row in flat], pa.string()),
            }
        ),
    )
    connection.register(
        "evalkit_product_texts",
        pa.table(
            {
                "product_id": pa.array(list(catalogue.product_ids), pa.string()),
                "text": pa.array(list(texts), pa.string()),
            }
        ),
    )
    connection.register("evalkit_looked_at", pa.concat_tables(parts))
    return connection.execute(
        """
        WITH counted AS (
            SELECT *, CASE WHEN decision = 'kept' AND split IN ('train', 'dev') THEN
                row_number() OVER (
                    PARTITION BY product_id, decision, split IN ('train', 'dev')
                    ORDER BY probability DESC, query_id
                ) END AS turn
            FROM evalkit_looked_at JOIN evalkit_typed USING (query_id)
        ), paired AS (
            SELECT *, bool_or(turn <= ?) OVER (PARTITION BY query_id) AS pair FROM counted
        )
        SELECT query_id, query, product_id, text, query_type, family, split, rewrite,
            place AS rewrite_place, fused_rank, fused_score, bm25_rank, dense_rank, probability,
            "check",
            CASE WHEN decision = 'kept' AND turn <= ? OR decision = 'negative' AND pair
                THEN decision ELSE 'dropped' END AS decision,
            CASE WHEN decision <> 'kept' THEN reason
                WHEN split = 'held out' THEN held_out
                WHEN split = 'none' THEN 'the families fall into both splits'
                WHEN turn > ? THEN 'the product has ' || CAST(? AS VARCHAR) || ' pairs already'
                ELSE reason END AS reason
        FROM paired JOIN evalkit_places USING (query_id, place)
        JOIN evalkit_product_texts USING (product_id)
        ORDER BY query_id, fused_rank
        """,
        [settings.per_product] * 4,
    ).to_arrow_table()


def _pairs(looked_at: pa.Table, connection: DuckDBPyConnection) -> pa.Table:
    """Return the pairs and hard negatives of the queries that kept a pair."""
    connection.register("evalkit_decided", looked_at)
    return connection.execute(
        """
        SELECT query_id, query, product_id, text, CAST(decision = 'kept' AS INTEGER) AS label,
            query_type, family, split, rewrite, rewrite_place, fused_rank, fused_score, bm25_rank,
            dense_rank, probability, "check", reason
        FROM evalkit_decided
        WHERE decision IN ('kept', 'negative')
        ORDER BY query_id, label DESC, fused_rank
        """
    ).to_arrow_table()


def _without_dev(pairs: pa.Table) -> tuple[str, ...]:
    """Say which types of query have pairs for training and none for development."""
    drawn = pairs.select(["query_type", "split"]).group_by(["query_type", "split"]).aggregate([])
    found = {(row["query_type"], row["split"]) for row in drawn.to_pylist()}
    missing = sorted(
        kind for kind, split in found if split == "train" and (kind, "dev") not in found
    )
    if not missing:
        return ()
    return (
        f"no pairs for development of the type{'s' if len(missing) > 1 else ''} "
        f"{', '.join(missing)}: too few families for --dev-share; make more queries, or raise it.",
    )


def _counts(
    looked_at: pa.Table,
    pairs: pa.Table,
    typed: Sequence[TypedQuery],
    asked: Mapping[str, Sequence[tuple[int, str]]],
    connection: DuckDBPyConnection,
) -> dict[str, int]:
    connection.register("evalkit_decided", looked_at)
    connection.register("evalkit_pairs", pairs)
    row = connection.execute(
        """
        SELECT count(*), count(*) FILTER ("check" = 'pass'), count(*) FILTER ("check" = 'unknown'),
            count(*) FILTER ("check" = 'fail'), count(probability),
            count(*) FILTER (starts_with(reason, 'classifier'))
        FROM evalkit_decided
        """
    ).fetchone()
    kept = connection.execute(
        "SELECT count(*) FILTER (label = 1), count(*) FILTER (label = 0), "
        "count(DISTINCT query_id), count(*) FILTER (label = 1 AND split = 'dev') "
        "FROM evalkit_pairs"
    ).fetchone()
    names = ("looked_at", "check_pass", "check_unknown", "check_fail", "judged", "doubted")
    ends = ("pairs", "hard_negatives", "queries_with_pairs", "dev_pairs")
    return {
        "queries": len(typed),
        "rewrites": sum(place > 0 for own in asked.values() for place, _ in own),
        **dict(zip(names, row or (), strict=True)),
        **dict(zip(ends, kept or (), strict=True)),
    }
