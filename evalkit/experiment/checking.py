"""Reading an experiment, and whether its sections fit together.

A name that is not there, a file that cannot be found and settings that contradict each other are
refused before any work is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.experiment.description import (
    BM25,
    BUILT_IN_RETRIEVERS,
    BUILT_IN_REWRITERS,
    Experiment,
)
from evalkit.experiment.leaks import certain_leaks
from evalkit.experiment.reading import Reader, read_yaml

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["read_experiment"]


def read_experiment(
    path: str | os.PathLike[str], variables: Mapping[str, str] | None = None
) -> Experiment:
    """Read an experiment and check that its parts fit together.

    Args:
        path: the YAML file.
        variables: what `${NAME}` in it stands for, before the environment.

    Raises:
        InputError: the file cannot be used.
        SettingsError: a variable is set that the file does not have.
    """
    document = read_yaml(path, variables or {})
    reader = Reader(str(path))
    found = reader.section(Experiment, document)
    _check_names(found, reader)
    _check_references(found, reader)
    _check_files(found, reader)
    return found


def _check_names(found: Experiment, reader: Reader) -> None:
    for section, own, built_in in (
        ("retrievers", found.retrievers, BUILT_IN_RETRIEVERS),
        ("rewriters", found.rewriters, BUILT_IN_REWRITERS),
    ):
        for name in built_in:
            if name in own:
                reader.refuse(
                    f"{section}.{name}", "is the name of a built-in one", "Choose another name."
                )


def _check_references(found: Experiment, reader: Reader) -> None:
    sets = tuple(found.queries)
    classifiers, data = tuple(found.classifiers), tuple(found.training_data)
    rewriters = (*BUILT_IN_REWRITERS, *found.rewriters)
    retrievers = (*BUILT_IN_RETRIEVERS, *found.retrievers)
    asked: list[tuple[str, str | None, tuple[str, ...]]] = []
    for name, queries in found.queries.items():
        asked += [(f"queries.{name}.held_out", each, sets) for each in queries.held_out]
    for name, classifier in found.classifiers.items():
        asked.append((f"classifiers.{name}.queries", classifier.queries, sets))
        asked.append((f"classifiers.{name}.pairs", classifier.pairs, data))
    for name, rewriter in found.rewriters.items():
        asked.append((f"rewriters.{name}.queries", rewriter.queries, sets))
        asked.append((f"rewriters.{name}.classifier", rewriter.classifier, classifiers))
    for name, pairs in found.training_data.items():
        place = f"training_data.{name}"
        asked += [(f"{place}.queries", pairs.queries, sets)]
        asked += [(f"{place}.classifier", pairs.classifier, classifiers)]
        asked += [(f"{place}.rewriter", pairs.rewriter, rewriters)]
        asked += [(f"{place}.held_out", each, sets) for each in pairs.held_out]
    for name, retriever in found.retrievers.items():
        asked += [(f"retrievers.{name}.pairs", each, data) for each in retriever.pairs]
        asked += [(f"retrievers.{name}.distil", retriever.distil, classifiers)]
    for name, system in found.systems.items():
        place = f"systems.{name}"
        asked += [(f"{place}.retriever", system.retriever, retrievers)]
        asked += [(f"{place}.rewriter", system.rewriter, rewriters)]
        asked += [(f"{place}.rerank", system.rerank, classifiers)]
        if system.decompose and system.retriever == BM25:
            reader.refuse(f"{place}.decompose", "is of vectors, and bm25 has none")
    systems = tuple(found.systems)
    asked += [("comparisons.control", found.comparisons.control, systems)]
    asked += [("comparisons.treatment", found.comparisons.treatment, systems)]
    asked += [("comparisons.queries", each, sets) for each in found.comparisons.queries]
    if found.study is not None:
        asked += [("study.queries", found.study.queries, found.compared)]
    for place, asked_for, known in asked:
        if asked_for is not None and asked_for not in known:
            there = f"There are {', '.join(known)}." if known else "There is none."
            reader.refuse(place, f"there is no {asked_for!r}", there)
    for name, queries in found.queries.items():
        for each in queries.held_out:
            if found.queries[each].held_out:
                reader.refuse(
                    f"queries.{name}.held_out",
                    f"{each} leaves out queries itself",
                    "Hold out sets that are whole.",
                )
    for name, made in found.training_data.items():
        if found.classifiers[made.classifier].pairs is not None:
            reader.refuse(
                f"training_data.{name}.classifier",
                f"{made.classifier} learns from pairs, and these are made before it",
                "Name one that learns from queries or judgments.",
            )
    _check_uses(found, reader)
    _check_seeds(found, reader)
    if not found.compared:
        reader.refuse("queries", "there is no set on which systems are compared")
    for place, problem, remedy in certain_leaks(found):
        reader.refuse(place, problem, remedy)


def _check_uses(found: Experiment, reader: Reader) -> None:
    """Refuse classifiers of products where rewrites are judged, and the other way round."""
    judges = [
        *((f"rewriters.{name}.classifier", each.classifier, "rewrites")
          for name, each in found.rewriters.items()),
        *((f"training_data.{name}.classifier", each.classifier, "products")
          for name, each in found.training_data.items()),
        *((f"retrievers.{name}.distil", each.distil, "products")
          for name, each in found.retrievers.items()),
        *((f"systems.{name}.rerank", each.rerank, "products")
          for name, each in found.systems.items()),
    ]  # fmt: skip
    for place, name, use in judges:
        if name is not None and found.classifiers[name].use != use:
            reader.refuse(place, f"{name} does not judge {use}", f"Name one with use: {use}.")


def _check_seeds(found: Experiment, reader: Reader) -> None:
    """Refuse comparisons of systems whose seeds cannot be paired."""
    chosen = found.comparisons
    for name in found.systems:
        for other in (chosen.control, chosen.treatment):
            counts = {len(found.seeds(name)), len(found.seeds(other)), 1}
            if len(counts) > 2:
                reader.refuse(
                    f"systems.{name}.retriever",
                    f"has {len(found.seeds(name))} seeds, and that of {other} has "
                    f"{len(found.seeds(other))}",
                    "Give both the same number of seeds, or one of them a single seed.",
                )


def _check_files(found: Experiment, reader: Reader) -> None:
    catalogue = found.catalogue
    places: list[tuple[str, Path | None]] = [
        (f"catalogue.{name}", getattr(catalogue, name))
        for name in ("products", "settings", "triples")
    ]
    for name, queries in found.queries.items():
        places += [
            (f"queries.{name}.{key}", getattr(queries, key)) for key in ("file", "judgments")
        ]
    for name, classifier in found.classifiers.items():
        places += [
            (f"classifiers.{name}.{key}", getattr(classifier, key))
            for key in ("folder", "judgments", "judged_queries")
        ]
    for where, path in places:
        if path is not None and not path.exists():
            reader.refuse(where, f"{path} is not there", "Paths are relative to the YAML file.")
