"""The stage behind `evalkit synthesize all`: from a catalogue to training pairs in one command.

Each step is a stage of its own with its manifest, writes into one folder, and is skipped when what
it makes is there already. So an interrupted chain goes on, a step can be repeated with its own
command, and any file can be replaced by somebody's own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.engines import open_engine
from evalkit.errors import SettingsError
from evalkit.knowledge import CatalogueFiles
from evalkit.manifest import Manifest, fingerprint
from evalkit.progress import say
from evalkit.synthesis.pairs import PairSettings, synthesize_pairs
from evalkit.synthesis.queries_part import TEST_SHARE
from evalkit.training.weak_labels import WEAK_GOOD, label_weakly

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from evalkit.constraints.families import Part
    from evalkit.knowledge import Catalogue, Graph
    from evalkit.relevance.rewrite_scorers import Scorer

    Path_ = str | os.PathLike[str]

__all__ = ["CHAIN_WRITES", "ChainSettings", "reachable", "synthesize_all"]

CHAIN_WRITES = (
    "queries.parquet",
    "queries.md",
    "lexical.index",
    "dense.index",
    "rewrites.parquet",
    "accepted.parquet",
    "classifier",
    "pairs.parquet",
    "candidates.parquet",
)
"""What the chain makes in its folder, whatever was given to it."""


@dataclass(frozen=True)
class ChainSettings:
    """What the chain makes.

    Attributes:
        per_type: queries of each type.
        per_family: queries of a family, as long as there are others.
        part: only queries to train on, or only such as are reported; None is all.
        test_share: share of the families and wordings that the reported queries have.
        rewrites: rewrites of a query.
        good: grade of the human judgments from which a product is good.
        model: folder or hub id of the encoder; None is all-MiniLM-L6-v2. It indexes products,
            filters rewrites, and the classifier starts from it.
        fields: columns that make a product's text; None takes the usual ones.
        pairs: which pairs are kept.
        seed: of everything.
    """

    per_type: int = 250
    per_family: int = 3
    part: Part | None = None
    test_share: float = TEST_SHARE
    rewrites: int = 5
    good: float = 2.0
    model: str | None = None
    fields: Sequence[str] | None = None
    pairs: PairSettings = field(default_factory=PairSettings)
    seed: int = 0


@dataclass(frozen=True)
class _Shop:
    """The catalogue, and how every step deals with it."""

    files: CatalogueFiles
    memory_limit: str
    force: bool

    def open(self) -> tuple[Catalogue, Graph]:
        """Read the catalogue and build its graph."""
        with open_engine(self.memory_limit) as connection:
            return self.files.open(connection)


def synthesize_all(
    products: Path_,
    folder: Path_,
    settings: ChainSettings | None = None,
    *,
    catalogue_settings: Path_ | None = None,
    triples: Path_ | None = None,
    held_out: Path_ | None = None,
    judgments: Path_ | None = None,
    judged_queries: Path_ | None = None,
    classifier: Path_ | None = None,
    rewrite_classifier: Path_ | None = None,
    reading: Mapping[str, Any] | None = None,
    force: bool = False,
    memory_limit: str = "2GB",
) -> Manifest:
    """Make queries, rewrites, a classifier and pairs in a folder.

    Args:
        products: the catalogue.
        folder: where everything goes: `queries.parquet`, `lexical.index`, `dense.index`,
            `rewrites.parquet`, `accepted.parquet`, `classifier`, `pairs.parquet` and
            `candidates.parquet`.
        settings: what is made.
        catalogue_settings: YAML file of what is special about the catalogue.
        triples: CSV file of what else is known.
        held_out: typed queries whose families must not occur in training.
        judgments: human grades that the product classifier learns from; None takes what the
            catalogue states (see `evalkit.training.weak_labels`).
        judged_queries: the queries of the judgments.
        classifier: a product classifier that is there already.
        rewrite_classifier: filters rewrites instead of the cosine.
        reading: keyword arguments of `evalkit.tables.read` for the catalogue.
        force: make everything again.
        memory_limit: for reading and joining.

    Returns:
        The manifest of the pairs.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: a model cannot be opened.
    """
    from evalkit.relevance import open_classifier
    from evalkit.rewriting.rewriting import RewriteSettings, rewrite_queries
    from evalkit.synthesis.queries import QuerySettings, synthesize_queries

    started = time.monotonic()
    chosen = settings or ChainSettings()
    if (judgments is None) != (judged_queries is None):
        raise SettingsError("--judgments and --judged-queries belong together.")
    files = CatalogueFiles(products, catalogue_settings, triples, dict(reading or {}))
    _check_files(files, judgments, judged_queries, held_out, memory_limit=memory_limit)
    if rewrite_classifier is not None:
        open_classifier(rewrite_classifier, use="rewrites")
    wanted = None if classifier is None else reachable(Path(classifier), chosen.pairs)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    shop = _Shop(files, memory_limit, force)
    queries = place / "queries.parquet"
    _step(1, "Typed queries")
    synthesize_queries(
        products,
        queries,
        settings=QuerySettings(
            per_type=chosen.per_type,
            per_family=chosen.per_family,
            part=chosen.part,
            test_share=chosen.test_share,
            seed=chosen.seed,
        ),
        catalogue_settings=catalogue_settings,
        triples=triples,
        report=place / "queries.md",
        reading=reading,
        force=force,
        memory_limit=memory_limit,
    )
    _step(2, "Indexes: words and meaning")
    indexes = _index(shop, place, chosen)
    _step(3, "Rewrites")
    rewrites = place / "rewrites.parquet"
    rewrite_queries(
        queries,
        products,
        rewrites,
        RewriteSettings(
            n=chosen.rewrites,
            seed=chosen.seed,
            catalogue=None if catalogue_settings is None else str(catalogue_settings),
            triples=None if triples is None else str(triples),
            reading={"products": files.reading},
        ),
        force=force,
        memory_limit=memory_limit,
    )
    _step(4, "Which rewrites keep the intent")
    accepted = _accept(shop, place, rewrites, queries, chosen, rewrite_classifier)
    _step(5, "Which products are good")
    judge = Path(classifier or place / "classifier")
    if classifier is None:
        _train(shop, place, judge, chosen, judgments, judged_queries)
    _step(6, "Pairs")
    wanted = wanted or reachable(judge, chosen.pairs, weak=judgments is None)
    finished = synthesize_pairs(
        queries,
        accepted,
        products,
        indexes,
        judge,
        place / "pairs.parquet",
        candidates=place / "candidates.parquet",
        held_out=held_out,
        catalogue_settings=catalogue_settings,
        triples=triples,
        settings=wanted,
        fields=chosen.fields,
        reading=reading,
        force=force,
        memory_limit=memory_limit,
    )
    say(f"The chain took {time.monotonic() - started:.0f} s.")
    return finished


def _check_files(
    shop: CatalogueFiles,
    judgments: Path_ | None,
    judged_queries: Path_ | None,
    held_out: Path_ | None,
    *,
    memory_limit: str,
) -> None:
    """Look into the files that later steps read, so that no work is done before a bad one is told.

    Raises:
        InputError: a file cannot be used.
    """
    from evalkit.constraints.typed_queries import stated_structures
    from evalkit.knowledge import read_settings, read_triples
    from evalkit.tables import need_column, read

    fingerprint(shop.products)  # says whether it can be read; the first step reads it
    read_settings(shop.settings)
    if shop.triples is not None:
        read_triples(shop.triples)
    with open_engine(memory_limit) as connection:
        if judgments is not None:
            read("judgments", judgments, connection)
        for path in (judged_queries, held_out):
            if path is None:
                continue
            table = read("queries", path, connection)
            need_column(table, "query")
            if "structure" in table.columns:
                rows = table.relation.select("query_id, CAST(structure AS VARCHAR)").fetchall()
                stated_structures([row[0] for row in rows], [row[1] for row in rows], table.path)


def _step(number: int, name: str) -> None:
    say(f"== {number}/6 {name}")


def _index(shop: _Shop, place: Path, chosen: ChainSettings) -> list[Path]:
    from evalkit.retrieval import (
        LexicalSettings,
        VectorIndexSettings,
        index_products,
        open_encoder,
    )

    lexical, dense = place / "lexical.index", place / "dense.index"
    for target, method, encoder in (
        (lexical, LexicalSettings(), None),
        (dense, VectorIndexSettings(), open_encoder(chosen.model)),
    ):
        index_products(
            shop.files.products,
            target,
            method,
            encoder=encoder,
            fields=chosen.fields,
            reading=shop.files.reading,
            force=shop.force,
            memory_limit=shop.memory_limit,
        )
    return [lexical, dense]


def _accept(
    shop: _Shop,
    place: Path,
    rewrites: Path,
    queries: Path,
    chosen: ChainSettings,
    classifier: Path_ | None,
) -> Path:
    """Filter the rewrites by the rules, and then by the cosine or a classifier that was given."""
    from evalkit.relevance import open_classifier
    from evalkit.relevance.rewrite_filter import filter_rewrites
    from evalkit.relevance.rewrite_scorers import TOPIC_THRESHOLD, TrainedScorer, open_topic_cosine
    from evalkit.rewriting.rules import RULES, filter_rule

    model: Scorer
    if classifier is None:
        cosine = open_topic_cosine(chosen.model)
        model, entry, threshold = cosine, cosine.to_manifest("relevance"), TOPIC_THRESHOLD
    else:
        opened = open_classifier(classifier, use="rewrites")
        model, entry, threshold = TrainedScorer(opened), opened.to_manifest("relevance"), 0.5
    accepted = place / "accepted.parquet"
    _, graph = shop.open()
    filter_rewrites(
        accepted,
        rewrites,
        queries,
        rule=filter_rule(graph),
        model=model,
        models=(entry,),
        threshold=threshold,
        settings={"rules": RULES},
        inputs=shop.files.paths(),
        reading={"products": shop.files.reading},
        force=shop.force,
        memory_limit=shop.memory_limit,
    )
    return accepted


def _train(
    shop: _Shop,
    place: Path,
    judge: Path,
    chosen: ChainSettings,
    judgments: Path_ | None,
    judged_queries: Path_ | None,
) -> None:
    """Train the product classifier on people's grades, or else on the catalogue's statements."""
    from evalkit.training.classifier import ClassifierSettings, train_classifier

    # People grade few queries, which are learnt by heart; what a catalogue states is of many.
    paired_anew, good = 0.5, chosen.good
    if judgments is None or judged_queries is None:
        judgments, judged_queries = label_weakly(
            place / "queries.parquet",
            shop.files,
            place,
            seed=chosen.seed,
            force=shop.force,
            memory_limit=shop.memory_limit,
        )
        paired_anew, good = 0.0, WEAK_GOOD
    train_classifier(
        judge,
        judgments,
        judged_queries,
        shop.files.products,
        good=good,
        fields=chosen.fields,
        settings=ClassifierSettings(
            epochs=1, max_length=64, paired_anew=paired_anew, seed=chosen.seed
        ),
        model=chosen.model,
        reading={"products": shop.files.reading},
        force=shop.force,
        memory_limit=shop.memory_limit,
    )


def reachable(judge: Path, wanted: PairSettings, *, weak: bool = False) -> PairSettings:
    """Take a lower precision where the classifier never reached the wanted one, and say so.

    A classifier of weak labels that reached none takes one half: the checker has decided about what
    it has learnt anyway.

    Args:
        judge: folder of the classifier.
        wanted: which pairs are kept.
        weak: whether it has learnt what the catalogue states.

    Raises:
        SettingsError: it has learnt from people, and reached no precision up to the wanted one.
    """
    from evalkit.relevance import open_classifier

    reached = [
        precision
        for precision, threshold in open_classifier(judge, use="products").thresholds.items()
        if threshold is not None and precision <= wanted.precision
    ]
    if wanted.threshold is not None or wanted.precision in reached:
        return wanted
    if not reached and weak:
        say(
            f"Warning: too few queries for a threshold of precision {wanted.precision:g}; the "
            "classifier agrees from probability 0.5. More queries (--per-type) give one."
        )
        return replace(wanted, threshold=0.5)
    if not reached:
        raise SettingsError(
            f"{judge} reached no precision up to {wanted.precision:g} on held-out pairs; give a "
            "probability with --threshold, or a better classifier with --classifier."
        )
    say(
        f"Warning: the classifier never reached precision {wanted.precision:g} on held-out "
        f"pairs; its threshold for {max(reached):g} is taken."
    )
    return replace(wanted, precision=max(reached))
