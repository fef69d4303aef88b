"""The stages of an experiment in the order in which they are made."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.experiment import queries as queries_
from evalkit.experiment import scores, study, systems, training
from evalkit.experiment.description import BUILT_IN_RETRIEVERS, BUILT_IN_REWRITERS
from evalkit.experiment.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalkit.experiment.folder import Work

__all__ = ["plan"]


def plan(work: Work) -> list[Stage]:
    """Return all stages but the table of results, which is made whenever the scores are there."""
    return [
        *_before_training(work),
        *_training(work),
        *_searching(work),
        *_comparing(work),
    ]


def _before_training(work: Work) -> Iterator[Stage]:
    catalogue = work.experiment.catalogue
    shop = _there([catalogue.products, catalogue.settings, catalogue.triples])
    yield Stage(
        "catalogue", partial(queries_.index_base, work), work.base_indexes,
        files=(catalogue.products, *_model(catalogue.model)), settings=_said(catalogue),
    )  # fmt: skip
    sets = work.experiment.queries
    for name in sorted(sets, key=lambda each: bool(sets[each].held_out)):  # what is held out first
        wanted = sets[name]
        yield Stage(
            f"queries/{name}", partial(queries_.make_queries, work, name), (work.queries(name),),
            needs=_all("queries", wanted.held_out),
            files=_there([*shop, wanted.file]), settings=_said(wanted, "judgments", "good"),
        )  # fmt: skip


def _training(work: Work) -> Iterator[Stage]:
    experiment = work.experiment
    yield from _classifiers(work, after_pairs=False)
    for name, rewriter in experiment.rewriters.items():
        yield Stage(
            f"rewriters/{name}",
            partial(training.train_rewriter, work, name),
            (work.rewriter(name),),
            needs=(
                "catalogue",
                f"queries/{rewriter.queries}",
                *_all("classifiers", [rewriter.classifier]),
            ),
            settings=_said(rewriter),
        )
    for name, data in experiment.training_data.items():
        yield Stage(
            f"training_data/{name}",
            partial(training.make_pairs, work, name),
            (work.pairs(name), work.pairs(name, "candidates.parquet"), work.pairs(name, "card.md")),
            needs=(
                "catalogue",
                *_all("queries", [data.queries, *data.held_out]),
                f"classifiers/{data.classifier}",
                *_all("rewriters", _own(data.rewriter)),
            ),
            settings=_said(data),
        )
    yield from _classifiers(work, after_pairs=True)
    for name, retriever in experiment.retrievers.items():
        yield Stage(
            f"retrievers/{name}",
            partial(training.train_retriever, work, name),
            tuple(
                place
                for seed in retriever.seeds
                for place in (work.retriever(name, seed), work.index(name, seed))
            ),
            needs=(
                "catalogue",
                *_all("training_data", retriever.pairs),
                *_all("classifiers", [retriever.distil]),
            ),
            settings=_said(retriever),
        )


def _classifiers(work: Work, *, after_pairs: bool) -> Iterator[Stage]:
    """Give those that learn from pairs, or those that are there before any pair is made."""
    for name, classifier in work.experiment.classifiers.items():
        if (classifier.pairs is not None) != after_pairs:
            continue
        yield Stage(
            f"classifiers/{name}",
            partial(training.train_classifier, work, name),
            (work.classifier(name),),
            needs=(
                *_all("queries", [classifier.queries]),
                *_all("training_data", [classifier.pairs]),
            ),
            files=_there(
                [
                    work.experiment.catalogue.products,
                    classifier.folder,
                    classifier.judgments,
                    classifier.judged_queries,
                ]
            ),
            settings=_said(classifier),
        )


def _searching(work: Work) -> Iterator[Stage]:
    experiment = work.experiment
    compared = experiment.compared
    for name, system in experiment.systems.items():
        trained = system.retriever not in BUILT_IN_RETRIEVERS
        yield Stage(
            f"systems/{name}",
            partial(systems.make_runs, work, name),
            tuple(run for queries in compared for run in work.runs(queries, name)),
            needs=(
                "catalogue",
                *_all("queries", compared),
                *_all("retrievers", [system.retriever] if trained else []),
                *_all("rewriters", _own(system.rewriter)),
                *_all("classifiers", [system.rerank]),
            ),
            settings={**_said(system), "depth": experiment.comparisons.depth},
        )
    for name in compared:
        if experiment.queries[name].judgments is None:
            yield Stage(
                f"judgments/{name}", partial(systems.judge_by_checker, work, name),
                (work.judgments(name),),
                needs=(f"queries/{name}", *_all("systems", experiment.systems)),
                settings={"cutoff": experiment.comparisons.cutoff},
            )  # fmt: skip


def _comparing(work: Work) -> Iterator[Stage]:
    experiment = work.experiment
    for name in experiment.compared:
        wanted = experiment.queries[name]
        yield Stage(
            f"scores/{name}",
            partial(scores.score_set, work, name),
            tuple(scores.score_files(work, name)),
            needs=_needs_of_scores(work, name),
            files=_there([wanted.judgments]),
            settings={"comparisons": _said(experiment.comparisons), "good": wanted.good},
        )
    if experiment.study is not None:
        yield Stage(
            "study", partial(study.make_study, work), (work.study,),
            needs=(f"scores/{experiment.study.queries}",), settings=_said(experiment.study),
        )  # fmt: skip
    for name in experiment.compared:
        yield Stage(
            f"reports/{name}", partial(scores.write_page_of, work, name), (work.page(name),),
            needs=(f"scores/{name}",), files=(experiment.catalogue.products,),
        )  # fmt: skip


def _needs_of_scores(work: Work, name: str) -> tuple[str, ...]:
    judged = work.experiment.queries[name].judgments is not None
    made = () if judged else (f"judgments/{name}",)
    return (f"queries/{name}", *_all("systems", work.experiment.systems), *made)


def _all(group: str, names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(f"{group}/{name}" for name in names if name is not None)


def _own(rewriter: str | None) -> Sequence[str | None]:
    return [] if rewriter in BUILT_IN_REWRITERS else [rewriter]


def _there(paths: Iterable[Path | None]) -> tuple[Path, ...]:
    return tuple(path for path in paths if path is not None)


def _model(name: str | None) -> tuple[Path, ...]:
    """Return a model's folder; one of the hub is told by its name."""
    return () if name is None or not Path(name).is_dir() else (Path(name),)


def _said(section: Any, *without: str) -> dict[str, Any]:
    """Return what a section says, without its paths: a file that was moved is still the same."""
    return {
        key: None if isinstance(value, Path) else value
        for key, value in asdict(section).items()
        if key not in without
    }
