"""What an experiment is: the sections of its YAML file, each a frozen dataclass.

What a section says by itself is checked here; whether sections fit together, in `checking`.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - types are read by the reader
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003
from typing import Literal

from evalkit.experiment.reading import ModelName
from evalkit.synthesis.pairs import PairSettings
from evalkit.training.classifier import ClassifierSettings
from evalkit.training.policy import PolicySettings
from evalkit.training.retriever import RetrieverSettings

__all__ = [
    "BASE",
    "BM25",
    "BUILT_IN_RETRIEVERS",
    "BUILT_IN_REWRITERS",
    "CATALOGUE",
    "FAMILY",
    "NONE",
    "Classifier",
    "Comparisons",
    "Experiment",
    "Products",
    "QuerySet",
    "Retriever",
    "Rewriter",
    "Study",
    "System",
    "TrainingData",
]

BASE, BM25 = "base", "bm25"
BUILT_IN_RETRIEVERS = (BASE, BM25)
"""The encoder of the catalogue as it is, and the words of the texts."""

CATALOGUE, NONE = "catalogue", "none"
BUILT_IN_REWRITERS = (CATALOGUE, NONE)
"""Rewrites from what the catalogue says; and the query itself as its only rewrite."""

SCRATCH = ModelName("scratch")

FAMILY = "family"
"""The column of synthesized queries that says what they are about."""


@dataclass(frozen=True)
class Products:
    """The catalogue.

    Attributes:
        products: its file.
        settings: YAML file of what is special about it.
        triples: CSV file of what else is known.
        fields: columns that make a product's text; None takes the usual ones.
        map: the file's names of columns, by ours.
        model: the encoder of every dense index that is not trained here, and of the cosine that
            filters rewrites; None is all-MiniLM-L6-v2.
    """

    products: Path
    settings: Path | None = None
    triples: Path | None = None
    fields: tuple[str, ...] | None = None
    map: Mapping[str, str] = field(default_factory=dict)
    model: ModelName | None = None


@dataclass(frozen=True)
class QuerySet:
    """Queries, from a file or synthesized; a structure that they lack is read by rules.

    Attributes:
        file: where they are; None synthesizes them.
        map: the file's names of columns, by ours.
        judgments: grades of products; without, the checker grades by what the catalogue states.
        good: grade of the judgments from which a product is good; None is 1.
        per_type: synthesized queries of each type.
        part: which side of the split of families and wordings they are from: train or test.
        test_share: share of families and wordings on the side of test.
        min_products: products that satisfy a synthesized query at least.
        per_family: synthesized queries about the same thing, as long as there are others.
        seed: of synthesized queries.
        held_out: sets whose queries, and others like them, are left out before anything is made
            of this set (see `evalkit.synthesis.held_out`).
    """

    file: Path | None = None
    map: Mapping[str, str] = field(default_factory=dict)
    judgments: Path | None = None
    good: float | None = None
    per_type: int = 200
    part: Literal["train", "test"] | None = None
    test_share: float = 0.4
    min_products: int = 3
    per_family: int = 3
    seed: int = 0
    held_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.file is not None and self.part is not None:
            raise ValueError("part is of synthesized queries; a file has none")
        if self.file is None and (self.judgments is not None or self.map):
            raise ValueError("judgments and map are of a file; name it")
        if self.judgments is None and self.good is not None:
            raise ValueError("good is a grade of judgments; name them")
        if min(self.per_type, self.min_products, self.per_family) < 1:
            raise ValueError("per_type, min_products and per_family are 1 or more")


@dataclass(frozen=True)
class Classifier:
    """A classifier of products or of rewrites: one that is there, or one that is trained.

    Attributes:
        use: what it judges: whether a product is good for a query, or whether a rewrite keeps what
            the query asks for.
        folder: one that is there.
        queries: synthesized queries, of which the catalogue states the grades; nothing is paired
            anew then. One of rewrites learns from right and wrong rewrites that are constructed of
            them.
        pairs: training data whose pairs are good and whose hard negatives are not; the queries
            are read as they were asked. It learns what a retriever learns.
        judgments: people's grades.
        judged_queries: their queries.
        good: grade of the judgments from which a product is good.
        settings: of the training.
    """

    use: Literal["products", "rewrites"] = "products"
    folder: Path | None = None
    queries: str | None = None
    pairs: str | None = None
    judgments: Path | None = None
    judged_queries: Path | None = None
    good: float = 2.0
    settings: ClassifierSettings = field(default_factory=ClassifierSettings)

    def __post_init__(self) -> None:
        if (self.judgments is None) != (self.judged_queries is None):
            raise ValueError("judgments and judged_queries belong together")
        sources = (self.folder, self.queries, self.pairs, self.judgments)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("name one of folder, queries, pairs and judgments")
        if self.use == "rewrites" and self.folder is None and self.queries is None:
            raise ValueError("a classifier of rewrites learns from queries, or is a folder")


@dataclass(frozen=True)
class Rewriter:
    """A policy that is trained to rewrite queries.

    Attributes:
        queries: which it learns from, with the accepted rewrites of the catalogue.
        base: `scratch`, or a causal language model.
        rewrites: of the catalogue, of a query.
        classifier: of rewrites, which says before and after the rewards what it thinks of held-out
            rewrites; it has no part in the training.
        settings: of the training; `steps: 0` is the supervised start alone.
    """

    queries: str
    base: ModelName = SCRATCH
    rewrites: int = 5
    classifier: str | None = None
    settings: PolicySettings = field(default_factory=PolicySettings)


@dataclass(frozen=True)
class TrainingData:
    """Pairs of query and product.

    Attributes:
        queries: which are rewritten.
        classifier: which judges what the checker has passed.
        rewriter: `catalogue`, `none` (the query itself), or one of ours.
        rewrites: of a query.
        held_out: sets of queries whose families must not occur.
        settings: which pairs are kept.
        seed: of the rewriter's choices between equals.
    """

    queries: str
    classifier: str
    rewriter: str = CATALOGUE
    rewrites: int = 5
    held_out: tuple[str, ...] = ()
    settings: PairSettings = field(default_factory=PairSettings)
    seed: int = 0


@dataclass(frozen=True)
class Retriever:
    """The catalogue's encoder, trained on pairs; once a seed.

    Attributes:
        pairs: training data, by name.
        seeds: of training.
        distil: a classifier whose margins are learnt too.
        checked: whether the catalogue's statements about products have a part in the training: in
            the loss, and in what dev queries count as good.
        settings: of the training, but its seed.
    """

    pairs: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    distil: str | None = None
    checked: bool = True
    settings: RetrieverSettings = field(default_factory=RetrieverSettings)

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ValueError("pairs names no training data")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds are one or more different numbers")
        if self.settings.seed:
            raise ValueError("settings.seed: name it in seeds")


@dataclass(frozen=True)
class System:
    """What makes a run; one a seed of its retriever.

    Attributes:
        retriever: `base`, `bm25`, or one of ours.
        rewriter: its rewrites are searched at query time beside the query, and the lists fused.
        rewrites: of a query.
        as_pairs: search what training pairs are found by: the query's positive part and its
            rewrites, by words and by meaning.
        rerank: a classifier that orders the first results anew.
        top: how many it orders.
        decompose: point the vectors of queries that exclude something away from it.
        weight: of what is excluded; None is the usual one.
        filter: take out what fails the query's constraints.
        seed: of the rewriter's choices between equals.
    """

    retriever: str = BASE
    rewriter: str | None = None
    rewrites: int = 5
    as_pairs: bool = False
    rerank: str | None = None
    top: int = 50
    decompose: bool = False
    weight: float | None = None
    filter: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.weight is not None and not self.decompose:
            raise ValueError("weight is of decompose; say decompose: true")
        if self.decompose and self.rewriter is not None:
            raise ValueError("decompose and rewriter are two answers to the same query")
        if self.as_pairs and (self.rewriter is None or self.retriever != BASE or self.filter):
            raise ValueError("as_pairs needs a rewriter and retriever base, and has no filter")


@dataclass(frozen=True)
class Comparisons:
    """What is compared.

    Every system is compared with `control`, and `treatment` with every other system.

    Attributes:
        control: a system.
        treatment: a system.
        queries: the sets on which systems are compared; none means all but those of part train.
        cutoff: results that count.
        depth: results of a run.
        by: column of the queries that makes segments.
        cluster: column of the queries whose values are families, over which intervals and tests
            are; `family` is taken where a set has it and two of its queries share a family, any
            other column must be in every set, and with null every query is for itself.
        seed: of the tests.
    """

    control: str = "control"
    treatment: str = "treatment"
    queries: tuple[str, ...] = ()
    cutoff: int = 10
    depth: int = 100
    by: str = "query_type"
    cluster: str | None = FAMILY
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.cutoff <= self.depth:
            raise ValueError("cutoff is 1 or more, and depth no less than cutoff")
        if self.control == self.treatment:
            raise ValueError("control and treatment are the same system")


@dataclass(frozen=True)
class Study:
    """A side-by-side study of control and treatment on which people can vote.

    Attributes:
        queries: the set.
        sample: queries drawn from it; None takes all.
        overlap: votes a query.
        depth: products a list.
        seed: of everything random.
    """

    queries: str
    sample: int | None = None
    overlap: int = 3
    depth: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Experiment:
    """An experiment from a catalogue to a report; its sections by name.

    Attributes:
        name: of the experiment, its study and its reports.
        catalogue: the products.
        queries: sets of queries.
        classifiers: of products.
        rewriters: that are trained.
        training_data: pairs.
        retrievers: that are trained.
        systems: that are compared.
        comparisons: which with which.
        study: for people's votes, or None.
    """

    name: str
    catalogue: Products
    queries: Mapping[str, QuerySet]
    systems: Mapping[str, System]
    classifiers: Mapping[str, Classifier] = field(default_factory=dict)
    rewriters: Mapping[str, Rewriter] = field(default_factory=dict)
    training_data: Mapping[str, TrainingData] = field(default_factory=dict)
    retrievers: Mapping[str, Retriever] = field(default_factory=dict)
    comparisons: Comparisons = field(default_factory=Comparisons)
    study: Study | None = None

    @property
    def compared(self) -> tuple[str, ...]:
        """Names of the sets of queries on which systems are compared."""
        return self.comparisons.queries or tuple(
            name for name, each in self.queries.items() if each.part != "train"
        )

    def seeds(self, system: str) -> tuple[int | None, ...]:
        """Seeds of a system's retriever; one None for a retriever that is not trained here."""
        retriever = self.systems[system].retriever
        return (None,) if retriever in BUILT_IN_RETRIEVERS else self.retrievers[retriever].seeds
