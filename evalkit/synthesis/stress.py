"""The stage behind `evalkit stress`: what holds when texts are attacked and the catalogue changes.

Each perturbation is measured by itself against the same shop unperturbed. What was measured is
kept in the work folder, so that an interrupted run goes on, and a run with other perturbations
measures only these. What cannot be measured with the given files is listed with what it needs.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.chunks import open_chunks
from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem
from evalkit.manifest import Manifest
from evalkit.progress import progress_bar, say
from evalkit.synthesis.reading import read_accepted
from evalkit.synthesis.stress_catalogue import Change, NotPossible, change_catalogue
from evalkit.synthesis.stress_rewrites import Material, Outcome, stress_rewrites
from evalkit.synthesis.stress_settings import PERTURBATIONS, StressFiles, StressSettings
from evalkit.synthesis.stress_shop import PairJudge, attacked, stress_injection, stress_shop
from evalkit.synthesis.stress_texts import TEXTS, Others
from evalkit.synthesis.stress_view import (
    Knowledge,
    index_again,
    open_indexes,
    open_view,
    read_truth,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.relevance.classifier import Classifier
    from evalkit.relevance.rewrite_scorers import Scorer
    from evalkit.rewriting import TypedQuery
    from evalkit.synthesis.stress_view import View

    Place = str | os.PathLike[str]

__all__ = ["PERTURBATIONS", "StressFiles", "StressSettings", "stress"]

_PRECISION = 0.9


def stress(
    files: StressFiles,
    settings: StressSettings | None = None,
    *,
    work: Place | None = None,
    force: bool = False,
    memory_limit: str = "2GB",
    threads: int | None = None,
) -> dict[str, Any]:
    """Measure how filters and search move under each perturbation.

    Args:
        files: what is measured on.
        settings: how much stress.
        work: folder for changed catalogues, their indexes and what was measured; None uses one
            that is removed at the end.
        force: measure again what was measured before.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Returns:
        A document of kind `stress`: perturbations, results, not_measured, settings, seeds, inputs
        and models.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: a model or an index cannot be opened.
    """
    from evalkit.constraints.topic import TOPIC
    from evalkit.relevance import open_classifier

    chosen = settings or StressSettings()
    names = [name for name in PERTURBATIONS if not chosen.only or name in chosen.only]
    inputs = files.inputs()
    judge = open_classifier(files.classifier, use="products") if files.classifier else None
    filtering = _filtering(files, chosen)
    with ExitStack() as stack:
        connection = stack.enter_context(open_engine(memory_limit, threads))
        place = Path(
            work
            if work is not None
            else stack.enter_context(tempfile.TemporaryDirectory(prefix="evalkit-stress-"))
        )
        place.mkdir(parents=True, exist_ok=True)
        shop = _Setting(files, chosen, place, connection, judge)
        material = _material(shop, filtering)
        models = [judge.to_manifest("relevance")] if judge else []
        models += filtering.models
        known = {key: value for key, value in asdict(chosen).items() if key != "only"}
        known |= {
            "threshold": shop.threshold,
            "rewrite_threshold": filtering.threshold,
            "topic": TOPIC,
            "reading": {kind: dict(each) for kind, each in files.reading.items()},
            "indexes": {
                name: retriever.manifest.outputs
                for name, retriever in material.view.retrievers.items()
            },
        }
        wanted = Manifest(
            "evalkit stress", known, inputs, tuple(models), seeds={"stress": chosen.seed}
        )
        chunks = open_chunks(place / "stress", wanted, force=force)
        found: list[dict[str, Any]] = []
        with progress_bar(len(names), "Under stress", "perturbations") as moved:
            for name in names:
                number = PERTURBATIONS.index(name)
                table = chunks.get(number, partial(_measured, name, shop, material))
                found.append(json.loads(table.column("json")[0].as_py()))
                moved(1)
        queries = len(material.typed)
        indexes = list(material.view.retrievers)
    say(f"Measured {len(names)} perturbations on {queries:,} queries.")
    return {
        "kind": "stress",
        "settings": {
            **{key: value for key, value in known.items() if key != "indexes"},
            "perturbations": names,
        },
        "seeds": {"stress": chosen.seed},
        "inputs": [asdict(item) for item in inputs],
        "models": models,
        "indexes": indexes,
        "queries": queries,
        "rewrites": sum(len(each) for each in material.rewrites.values()),
        "perturbations": [each["about"] for each in found],
        "results": [row for each in found for row in each["figures"]],
        "not_measured": [row for each in found for row in each["not_measured"]],
    }


@dataclass(frozen=True)
class _Setting:
    """What all measurements share, besides what is put under stress."""

    files: StressFiles
    settings: StressSettings
    place: Path
    connection: DuckDBPyConnection
    judge: Classifier | None

    @property
    def threshold(self) -> float | None:
        """Probability from which the classifier of pairs agrees; None without one."""
        if self.judge is None:
            return None
        given = self.settings.threshold
        return self.judge.threshold(_PRECISION) if given is None else given

    @property
    def knowledge(self) -> Knowledge:
        """How the catalogue is understood."""
        from evalkit.knowledge import read_settings, read_triples

        known = read_triples(self.files.triples) if self.files.triples is not None else None
        return Knowledge(read_settings(self.files.settings), known)


@dataclass(frozen=True)
class _Filtering:
    """What scores rewrites after the rules: it, its threshold, its name and its manifest entry."""

    scorer: Scorer | None = None
    threshold: float = 0.5
    name: str = "classifier"
    models: Sequence[dict[str, Any]] = ()


def _filtering(files: StressFiles, chosen: StressSettings) -> _Filtering:
    from evalkit.relevance.rewrite_scorers import TOPIC_THRESHOLD, TrainedScorer, open_topic_cosine

    given = chosen.rewrite_threshold
    if files.cosine:
        cosine = open_topic_cosine(files.model)
        threshold = TOPIC_THRESHOLD if given is None else given
        return _Filtering(cosine, threshold, "cosine", (cosine.to_manifest("relevance"),))
    if files.rewrite_classifier:
        from evalkit.relevance import open_classifier

        opened = open_classifier(files.rewrite_classifier, use="rewrites")
        threshold = 0.5 if given is None else given
        entry = opened.to_manifest("relevance")
        return _Filtering(TrainedScorer(opened), threshold, models=(entry,))
    return _Filtering()


def _material(shop: _Setting, filtering: _Filtering) -> Material:
    """Read everything that is put under stress."""
    from evalkit.rewriting import open_rewriter, read_typed_queries

    files, chosen = shop.files, shop.settings
    folders = list(files.indexes) or [_words(shop)]
    view = open_view(
        files.products, shop.connection, shop.knowledge, open_indexes(folders, files.products),
        reading=files.of("products"),
    )  # fmt: skip
    typed = read_typed_queries(
        files.queries, shop.connection, view.catalogue, view.graph, reading=files.of("queries")
    )
    if not typed:
        raise InputError(
            str(files.queries), [Problem("there is no query with text")], remedy="Give queries."
        )
    if files.rewrites is not None:
        rewrites: dict[str, list[str]] = read_accepted(
            files.rewrites, shop.connection, reading=files.of("rewrites")
        )
        if not rewrites.keys() & {query.query_id for query in typed}:
            raise InputError(
                str(files.rewrites),
                [Problem(f"no rewrite is of a query in {files.queries}")],
                remedy="Give the queries that were rewritten.",
            )
    else:
        rewriter = open_rewriter(
            "catalogue", catalogue=view.catalogue, graph=view.graph, seed=chosen.seed
        )
        rewrites = {
            query.query_id: [rewrite.text for rewrite in found]
            for query, found in zip(typed, rewriter.rewrite(typed, chosen.n), strict=True)
        }
    truth = None
    if files.judgments is not None:
        truth = read_truth(
            files.judgments, shop.connection, chosen.good, reading=files.of("judgments")
        )
    brands = sorted({brand for brand in view.catalogue.brands if brand})
    return Material(
        typed, rewrites, view, truth, Others(tuple(brands), view.catalogue.kinds),
        filtering.scorer, filtering.threshold, filtering.name, chosen.at, chosen.rate, chosen.seed,
    )  # fmt: skip


def _words(shop: _Setting) -> Path:
    """Build an index of words where none was given."""
    from evalkit.retrieval import LexicalSettings, index_products

    target = shop.place / "lexical.index"
    index_products(
        shop.files.products,
        target,
        LexicalSettings(),
        fields=shop.settings.fields,
        reading=shop.files.of("products"),
    )
    return target


def _measured(name: str, shop: _Setting, material: Material) -> pa.Table:
    """Measure one perturbation; return it as a chunk."""
    import pyarrow as pa

    found = stress_rewrites(name, material) if name in TEXTS else _change(name, shop, material)
    document = {
        "about": {"name": name, "part": "rewrites" if name in TEXTS else "catalogue",
                  **found.about},
        "figures": [asdict(figure) for figure in found.figures],
        "not_measured": [
            {"perturbation": name, "figure": figure, "needs": needs}
            for figure, needs in found.missing.items()
        ],
    }  # fmt: skip
    return pa.table({"json": pa.array([json.dumps(document, ensure_ascii=False)], pa.string())})


def _change(name: str, shop: _Setting, material: Material) -> Outcome:
    """Change the catalogue, index it anew, and measure."""
    chosen, files = shop.settings, shop.files
    attacks: dict[str, list[str]] = {}
    if name == "injection":
        if material.truth is None:
            return Outcome({}, [], {"all figures": "--judgments"})
        attacks = attacked(material.truth, material.typed, material.view, chosen.bad, chosen.seed)
        if not attacks:
            return Outcome({}, [], {"all figures": "bad products in --judgments"})
    folder = shop.place / name
    change = Change(name, chosen.share, chosen.seed, _stuffing(material.typed, attacks))
    try:
        changed = change_catalogue(
            change,
            files.products,
            folder / "products.parquet",
            shop.connection,
            shop.knowledge.settings,
            reading=files.of("products"),
        )
    except NotPossible as needs:
        return Outcome({}, [], {"all figures": str(needs)})
    about = {"changed": changed.changed, "of": changed.of, "products": changed.rows}
    if not changed.changed:
        return Outcome(
            about, [], {"all figures": f"{changed.of}: with this --share there are none"}
        )
    retrievers = index_again(changed.path, folder, material.view.retrievers)
    after = open_view(changed.path, shop.connection, shop.knowledge, retrievers)
    pairs = _read_pairs(shop)
    figures, missing = stress_shop(name, material, after, pairs)
    if name == "injection":
        more, needed = stress_injection(
            material, after, attacks, _pair_judge(shop, material, after)
        )
        figures, missing = [*more, *figures], {**needed, **missing}
    return Outcome(about, figures, missing)


def _stuffing(
    typed: Sequence[TypedQuery], attacks: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the words that each product's seller writes: what the attacked queries are about."""
    from evalkit.constraints.topic import topic

    wanted = {query_id for query_ids in attacks.values() for query_id in query_ids}
    about = {
        query.query_id: topic(query.query, query.structure).strip() or query.query
        for query in typed
        if query.query_id in wanted
    }
    return {
        product_id: [about[query_id] for query_id in query_ids]
        for product_id, query_ids in attacks.items()
    }


def _pair_judge(shop: _Setting, material: Material, after: View) -> PairJudge | None:
    if shop.judge is None or shop.threshold is None:
        return None
    fields = shop.settings.fields or shop.judge.fields
    return PairJudge(
        shop.judge,
        shop.threshold,
        material.view.texts(fields, shop.connection),
        after.texts(fields, shop.connection),
    )


def _read_pairs(shop: _Setting) -> dict[str, list[str]] | None:
    """Read the products of existing pairs by query; hard negatives are left out."""
    from evalkit.tables import read

    if shop.files.pairs is None:
        return None
    table = read("pairs", shop.files.pairs, shop.connection, **shop.files.of("pairs"))
    rows = table.relation
    if "label" in table.columns:
        rows = rows.filter("CAST(label AS DOUBLE) > 0")
    found: dict[str, list[str]] = {}
    for query_id, product_id in (
        rows.order("query_id, product_id").select("query_id, product_id").fetchall()
    ):
        found.setdefault(query_id, []).append(product_id)
    return found
