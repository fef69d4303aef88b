"""Where everything of an experiment lies in its folder, and how its catalogue is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalkit.experiment.description import BASE, BM25
from evalkit.knowledge import CatalogueFiles

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.experiment.description import Experiment

__all__ = ["Work", "run_name"]


def run_name(system: str, seed: int | None) -> str:
    """Return what a run of a system is called.

    Example:
        >>> run_name("treatment", 2), run_name("control", None)
        ('treatment-seed2', 'control')
    """
    return system if seed is None else f"{system}-seed{seed}"


@dataclass(frozen=True)
class Work:
    """An experiment and its folder; every stage works from this.

    Attributes:
        experiment: what is made.
        root: the folder.
        force: make again what is up to date.
        memory_limit: for tables.
    """

    experiment: Experiment
    root: Path
    force: bool = False
    memory_limit: str = "2GB"

    @cached_property
    def shop(self) -> CatalogueFiles:
        """Return the catalogue's files."""
        catalogue = self.experiment.catalogue
        reading = {"mapping": dict(catalogue.map)} if catalogue.map else {}
        return CatalogueFiles(
            str(catalogue.products), self.catalogue_settings, self.triples, reading
        )

    @property
    def catalogue_settings(self) -> str | None:
        """Return the file of what is special about the catalogue."""
        return _text(self.experiment.catalogue.settings)

    @property
    def triples(self) -> str | None:
        """Return the file of what else is known."""
        return _text(self.experiment.catalogue.triples)

    @property
    def machine(self) -> dict[str, Any]:
        """Return the keyword arguments that every stage takes."""
        return {"force": self.force, "memory_limit": self.memory_limit}

    @property
    def fields(self) -> list[str] | None:
        """Return the columns that make a product's text; None for the usual ones."""
        found = self.experiment.catalogue.fields
        return None if found is None else list(found)

    def queries(self, name: str) -> Path:
        """Return the queries of a set, with their structures."""
        return self.root / "queries" / f"{name}.parquet"

    def all_queries(self, name: str) -> Path:
        """Return the queries of a set before those that are held out are left out of it."""
        left = self.experiment.queries[name].held_out
        return self.root / "queries" / f"{name}-all.parquet" if left else self.queries(name)

    def held_out(self, data: str) -> Path:
        """Return the queries that some training data must not be about."""
        return self.root / "training_data" / data / "held-out.parquet"

    def rewrites(self, queries: str, rewriter: str, n: int, seed: int) -> Path:
        """Return `n` rewrites a query of a set; beside it, `accepted` says which are good."""
        return self.root / "rewrites" / f"{queries}-{rewriter}-{n}-seed{seed}.parquet"

    def accepted(self, queries: str, rewriter: str, n: int, seed: int) -> Path:
        """Return the same rewrites with what the filter said."""
        return self.root / "rewrites" / f"{queries}-{rewriter}-{n}-seed{seed}-accepted.parquet"

    def classifier(self, name: str) -> Path:
        """Return a classifier's folder."""
        there = self.experiment.classifiers[name].folder
        return self.root / "classifiers" / name if there is None else there

    def rewriter(self, name: str) -> Path:
        """Return a policy's folder."""
        return self.root / "rewriters" / name

    def pairs(self, data: str, name: str = "pairs.parquet") -> Path:
        """Return a file of training data."""
        return self.root / "training_data" / data / name

    def retriever(self, name: str, seed: int) -> Path:
        """Return the folder of a trained encoder."""
        return self.root / "retrievers" / f"{name}-seed{seed}"

    def index(self, retriever: str, seed: int | None) -> Path:
        """Return the folder of an index."""
        return self.root / "indexes" / run_name(retriever, seed)

    @property
    def base_indexes(self) -> tuple[Path, Path]:
        """Return the indexes of words and of meaning that need no training."""
        return self.index(BM25, None), self.index(BASE, None)

    def run(self, queries: str, system: str, seed: int | None) -> Path:
        """Return a run."""
        return self.named_run(queries, run_name(system, seed))

    def named_run(self, queries: str, name: str) -> Path:
        """Return a run by its own name, which has the seed in it."""
        return self.root / "runs" / queries / f"{name}.parquet"

    def runs(self, queries: str, system: str) -> list[Path]:
        """Return the runs of a system, one a seed."""
        return [self.run(queries, system, seed) for seed in self.experiment.seeds(system)]

    def judgments(self, queries: str) -> Path:
        """Return the judgments of a set: the user's, or the checker's."""
        given = self.experiment.queries[queries].judgments
        return self.root / "judgments" / f"{queries}.parquet" if given is None else given

    def score(self, queries: str, control: str, treatment: str, ending: str = ".json") -> Path:
        """Return a file of one comparison on one set."""
        return self.root / "scores" / f"{queries}-{control}-vs-{treatment}{ending}"

    def page(self, queries: str) -> Path:
        """Return the page of control against treatment on a set."""
        chosen = self.experiment.comparisons
        return self.root / "reports" / f"{queries}-{chosen.control}-vs-{chosen.treatment}.html"

    @property
    def study(self) -> Path:
        """Return the study database."""
        return self.root / "study.db"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
