"""Stages that search: the runs of every system, and the checker's judgments of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.experiment.folder import run_name
from evalkit.experiment.queries import accept_rewrites, make_rewrites
from evalkit.experiment.searching_as_pairs import search_as_pairs

if TYPE_CHECKING:
    from evalkit.experiment.folder import Work
    from evalkit.retrieval.rewritten import SearchedRewrites

__all__ = ["judge_by_checker", "make_runs"]


def make_runs(work: Work, name: str) -> None:
    """Let a system search every set of queries, once a seed of its retriever."""
    for queries in work.experiment.compared:
        for seed in work.experiment.seeds(name):
            _make_run(work, queries, name, seed)


def _make_run(work: Work, queries: str, name: str, seed: int | None) -> None:
    from evalkit.relevance import open_classifier
    from evalkit.relevance.reranking import rerank_run

    system = work.experiment.systems[name]
    run = output = work.run(queries, name, seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    if system.rerank is not None:
        run = work.named_run(queries, f"{run_name(name, seed)}-first")
    rewrites = _rewrites(work, queries, name)
    if system.as_pairs and rewrites is not None:
        search_as_pairs(work, queries, Path(rewrites.path), run, n=system.rewrites, system=name)
    else:
        _retrieve(work, queries, name, seed, run, rewrites)
    if system.rerank is not None:
        classifier = open_classifier(work.classifier(system.rerank), use="products")
        rerank_run(
            output,
            classifier,
            run,
            work.queries(queries),
            work.shop.products,
            top=system.top,
            fields=work.fields or classifier.fields,
            system=name,
            reading={"products": work.shop.reading},
            **work.machine,
        )


def _retrieve(
    work: Work,
    queries: str,
    name: str,
    seed: int | None,
    run: Path,
    rewrites: SearchedRewrites | None,
) -> None:
    from evalkit.retrieval import retrieve_run
    from evalkit.retrieval.constrained import ConstraintSettings
    from evalkit.retrieval.decomposing import DEFAULT_WEIGHT

    system = work.experiment.systems[name]
    weight = DEFAULT_WEIGHT if system.weight is None else system.weight
    retrieve_run(
        work.queries(queries),
        work.index(system.retriever, seed),
        run,
        k=work.experiment.comparisons.depth,
        system=name,
        products=work.shop.products,
        constraints=ConstraintSettings(
            weight=weight if system.decompose else None,
            filter=system.filter,
            settings=work.catalogue_settings,
            triples=work.triples,
        ),
        rewrites=rewrites,
        **work.machine,
    )


def _rewrites(work: Work, queries: str, name: str) -> SearchedRewrites | None:
    """Rewrite the queries, and return those rewrites that the filter of the pairs accepts too."""
    from evalkit.retrieval.rewritten import SearchedRewrites

    system = work.experiment.systems[name]
    if system.rewriter is None:
        return None
    make_rewrites(work, queries, system.rewriter, system.rewrites, system.seed)
    accepted = accept_rewrites(work, queries, system.rewriter, system.rewrites, system.seed)
    return SearchedRewrites(str(accepted), system.rewrites)


def judge_by_checker(work: Work, queries: str) -> None:
    """Grade what the runs show of a set by what the catalogue states about each product."""
    from evalkit.relevance.catalogue_judge import judge_by_catalogue

    output = work.judgments(queries)
    output.parent.mkdir(parents=True, exist_ok=True)
    runs = [run for system in work.experiment.systems for run in work.runs(queries, system)]
    judge_by_catalogue(
        output,
        work.queries(queries),
        work.shop.products,
        runs=runs,
        at=work.experiment.comparisons.cutoff,
        catalogue_settings=work.catalogue_settings,
        triples=work.triples,
        reading={"products": work.shop.reading},
        **work.machine,
    )
