"""Stages that train, and the pairs that they train on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.experiment.description import CATALOGUE
from evalkit.experiment.graded_pairs import GOOD, grade_pairs
from evalkit.experiment.holding_out import gather_held_out
from evalkit.experiment.queries import accept_rewrites, index_dense, make_rewrites
from evalkit.progress import say

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.experiment.folder import Work

__all__ = ["make_pairs", "train_classifier", "train_retriever", "train_rewriter"]


def train_classifier(work: Work, name: str) -> None:
    """Train a classifier, of products or of rewrites, on what the file names."""
    if work.experiment.classifiers[name].use == "rewrites":
        _train_on_rewrites(work, name)
    else:
        _train_on_products(work, name)


def _train_on_rewrites(work: Work, name: str) -> None:
    """Train a classifier on right and wrong rewrites that are constructed."""
    from evalkit.training.classifier import train_on_constructed

    wanted = work.experiment.classifiers[name]
    if wanted.queries is None:
        return  # a folder that is there
    output = work.classifier(name)
    output.parent.mkdir(parents=True, exist_ok=True)
    train_on_constructed(
        output,
        work.queries(wanted.queries),
        work.shop.products,
        catalogue_settings=work.catalogue_settings,
        triples=work.triples,
        settings=wanted.settings,
        model=work.experiment.catalogue.model,
        reading={"products": work.shop.reading},
        **work.machine,
    )


def _train_on_products(work: Work, name: str) -> None:
    """Train a classifier on people's grades, the catalogue's statements, or pairs."""
    from evalkit.training.classifier import train_classifier as train
    from evalkit.training.weak_labels import WEAK_GOOD, label_weakly

    wanted = work.experiment.classifiers[name]
    folder = work.classifier(name)
    judgments, queries = wanted.judgments, wanted.judged_queries
    good, settings = wanted.good, wanted.settings
    if wanted.queries is not None:
        # People grade few queries, which are learnt by heart; what a catalogue states is of many.
        good, settings = WEAK_GOOD, replace(settings, paired_anew=0.0)
        grades = folder.with_name(f"{name}-grades")
        grades.mkdir(parents=True, exist_ok=True)
        judgments, queries = label_weakly(
            work.queries(wanted.queries), work.shop, grades, seed=settings.seed, **work.machine
        )
    elif wanted.pairs is not None:
        judgments, queries = grade_pairs(work, wanted.pairs, folder.with_name(f"{name}-grades"))
        good = GOOD
    if judgments is None or queries is None:
        return  # a folder that is there
    train(
        folder,
        judgments,
        queries,
        work.shop.products,
        good=good,
        fields=work.fields,
        settings=settings,
        model=work.experiment.catalogue.model,
        reading={"products": work.shop.reading},
        **work.machine,
    )


def train_rewriter(work: Work, name: str) -> None:
    """Train a policy on the accepted rewrites of the catalogue, and then by its rewards."""
    from evalkit.reports.training_curves import write_training_curves
    from evalkit.training.policy import train_policy

    wanted = work.experiment.rewriters[name]
    make_rewrites(work, wanted.queries, CATALOGUE, wanted.rewrites, wanted.settings.seed)
    accepted = accept_rewrites(
        work, wanted.queries, CATALOGUE, wanted.rewrites, wanted.settings.seed
    )
    output = work.rewriter(name)
    output.parent.mkdir(parents=True, exist_ok=True)
    train_policy(
        output,
        work.queries(wanted.queries),
        accepted,
        work.shop.products,
        base=wanted.base,
        encoder=work.experiment.catalogue.model,
        classifier=None if wanted.classifier is None else work.classifier(wanted.classifier),
        settings=wanted.settings,
        catalogue_settings=work.catalogue_settings,
        triples=work.triples,
        reading={"products": work.shop.reading},
        page=write_training_curves,
        **work.machine,
    )


def make_pairs(work: Work, name: str) -> None:
    """Rewrite the queries, filter the rewrites, and make pairs with their data card."""
    from evalkit.synthesis.chain import reachable
    from evalkit.synthesis.pairs import synthesize_pairs

    wanted = work.experiment.training_data[name]
    make_rewrites(work, wanted.queries, wanted.rewriter, wanted.rewrites, wanted.seed)
    accepted = (
        accept_rewrites(work, wanted.queries, wanted.rewriter, wanted.rewrites, wanted.seed)
        if wanted.settings.filters
        else work.rewrites(wanted.queries, wanted.rewriter, wanted.rewrites, wanted.seed)
    )
    judge = work.classifier(wanted.classifier)
    weak = work.experiment.classifiers[wanted.classifier].queries is not None
    output = work.pairs(name)
    output.parent.mkdir(parents=True, exist_ok=True)
    held_out = gather_held_out(work, name, wanted.held_out)
    synthesize_pairs(
        work.queries(wanted.queries),
        accepted,
        work.shop.products,
        work.base_indexes,
        judge,
        output,
        candidates=work.pairs(name, "candidates.parquet"),
        held_out=held_out,
        catalogue_settings=work.catalogue_settings,
        triples=work.triples,
        settings=reachable(judge, wanted.settings, weak=weak),
        fields=work.fields,
        reading=work.shop.reading,
        **work.machine,
    )
    _write_card(work, name, accepted)


def _write_card(work: Work, name: str, accepted: Path) -> None:
    """Write the data card beside the pairs, unless it is newer than they are."""
    from evalkit.files import write_text
    from evalkit.reports.data_card import card_markdown, write_card_page
    from evalkit.synthesis.data_card import make_card

    wanted = work.experiment.training_data[name]
    pairs, candidates = work.pairs(name), work.pairs(name, "candidates.parquet")
    page, text = work.pairs(name, "card.html"), work.pairs(name, "card.md")
    made = pairs.stat().st_mtime_ns
    if (
        page.is_file()
        and text.is_file()
        and min(page.stat().st_mtime_ns, text.stat().st_mtime_ns) >= made
    ):
        return
    document = make_card(
        work.queries(wanted.queries), accepted, candidates, pairs, seed=wanted.seed
    )
    write_card_page(document, page)
    write_text(card_markdown(document), text)
    say(f"Wrote {page}: what the filters kept and dropped.")


def train_retriever(work: Work, name: str) -> None:
    """Train the catalogue's encoder on pairs, once a seed, and index the catalogue with it."""
    from evalkit.training.retriever import train_retriever as train

    wanted = work.experiment.retrievers[name]
    data = work.experiment.training_data
    asked = dict.fromkeys(data[pairs].queries for pairs in wanted.pairs)
    for seed in wanted.seeds:
        output = work.retriever(name, seed)
        output.parent.mkdir(parents=True, exist_ok=True)
        train(
            output,
            [work.pairs(pairs) for pairs in wanted.pairs],
            work.shop.products,
            queries=[work.queries(queries) for queries in asked] if wanted.checked else [],
            catalogue_settings=work.catalogue_settings,
            triples=work.triples,
            distil=None if wanted.distil is None else work.classifier(wanted.distil),
            settings=replace(wanted.settings, seed=seed),
            model=work.experiment.catalogue.model,
            fields=work.fields,
            reading={"products": work.shop.reading},
            **work.machine,
        )
        index_dense(work, work.index(name, seed), str(output))
