"""The stage behind `evalkit synthesize queries`: typed queries for any catalogue.

Sources make queries; the stage takes them in turn, drops near-duplicates and what a family has too
many of, and writes as many of each type as were asked for.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from evalkit.constraints import QUERY_TYPES, QueryType
from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.files import check_target, make_folder_of
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say
from evalkit.synthesis.duplicates import near_duplicates
from evalkit.synthesis.queries_part import DIVIDING, TEST_SHARE, check_part, open_part
from evalkit.synthesis.queries_source import name_query

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from evalkit.constraints.families import Part
    from evalkit.knowledge import Catalogue, Graph
    from evalkit.llm import LanguageModel
    from evalkit.synthesis.queries_source import QuerySource, SyntheticQuery

__all__ = [
    "MAKING",
    "SOURCES",
    "QuerySettings",
    "Selection",
    "SourceName",
    "open_sources",
    "select",
    "synthesize_queries",
]

SourceName = Literal["templates", "graph", "llm"]
SOURCES: tuple[SourceName, ...] = get_args(SourceName)
MAKING = 2  # raised when the same catalogue may give other queries, for manifests
_MORE = 1.7  # made for each that is wanted; some are near-duplicates


@dataclass(frozen=True)
class QuerySettings:
    """What is made.

    Attributes:
        per_type: queries of each type.
        types: which types.
        sources: where they come from, in turn.
        min_products: products that must satisfy a query.
        per_family: queries of a family, as long as there are others.
        similarity: Jaccard similarity of words from which on two queries are one.
        seed: of all draws.
        part: only queries to train on, or only such as are reported; None is all. See
            `queries_part`.
        test_share: share of the families and wordings that the reported queries have.
    """

    per_type: int = 200
    types: tuple[QueryType, ...] = QUERY_TYPES
    sources: tuple[SourceName, ...] = ("templates", "graph")
    min_products: int = 3
    per_family: int = 3
    similarity: float = 0.8
    seed: int = 0
    part: Part | None = None
    test_share: float = TEST_SHARE

    def __post_init__(self) -> None:
        check_part(self.part, self.test_share)
        for name in ("per_type", "min_products", "per_family"):
            if getattr(self, name) < 1:
                raise SettingsError(f"--{name.replace('_', '-')} must be 1 or more.")
        if not 0 < self.similarity <= 1:
            raise SettingsError("--similarity must be above 0 and at most 1.")
        for option, chosen, known in (
            ("--types", self.types, QUERY_TYPES),
            ("--source", self.sources, SOURCES),
        ):
            unknown = [name for name in chosen if name not in known]
            if unknown or not chosen:
                what = repr(unknown[0]) if unknown else "nothing"
                raise SettingsError(f"{option} names {what}; there are {', '.join(known)}.")

    def to_manifest(self) -> dict[str, Any]:
        """Return what makes a difference: without a part there is no share."""
        said = asdict(self)
        if self.part is None:
            del said["part"], said["test_share"]
        else:
            said["dividing"] = DIVIDING
        return said


@dataclass(frozen=True)
class Selection:
    """What was kept, and what became of the rest.

    Attributes:
        kept: by type.
        dropped: how many, by reason.
        duplicates: pairs of a dropped query and the one that it repeats.
    """

    kept: Mapping[QueryType, Sequence[SyntheticQuery]]
    dropped: Mapping[str, int]
    duplicates: Sequence[tuple[str, str]] = field(default=())


def synthesize_queries(
    products: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    settings: QuerySettings | None = None,
    catalogue_settings: str | os.PathLike[str] | None = None,
    triples: str | os.PathLike[str] | None = None,
    model: LanguageModel | None = None,
    report: str | os.PathLike[str] | None = None,
    compare: str | os.PathLike[str] | None = None,
    reading: Mapping[str, Any] | None = None,
    format: str | None = None,  # noqa: A002 - the name that tables.write has
    force: bool = False,
    memory_limit: str = "2GB",
    threads: int | None = None,
) -> Manifest:
    """Make typed queries and write them.

    Args:
        products: the catalogue.
        output: the queries; see docs/synthesis.md for the columns.
        settings: what is made.
        catalogue_settings: YAML file; see `evalkit.knowledge.settings`.
        triples: CSV file with what else is known; see `evalkit.knowledge.triples`.
        model: of the source `llm`.
        report: where to write counts, samples and variety (.md or .json).
        compare: real queries whose variety is put beside.
        reading: keyword arguments of `evalkit.tables.read` for the catalogue.
        format: of the output; told from its name if None.
        force: make them again in any case.
        memory_limit: for reading.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used, or the catalogue gives no query.
        SettingsError: settings that do not fit.
    """
    from evalkit.knowledge import CatalogueFiles
    from evalkit.synthesis.queries_report import describe, summary, write_report
    from evalkit.tables import read, write

    started = time.monotonic()
    chosen = settings or QuerySettings()
    if ("llm" in chosen.sources) != (model is not None):
        raise SettingsError(
            "--source llm needs a model; name it with --llm."
            if model is None
            else "--llm is of no use without llm among the sources (--source)."
        )
    target = Path(output)
    for path in (target, report):
        if path is not None:
            make_folder_of(path)
            check_target(path)
    if report is not None and Path(report).suffix not in (".md", ".json"):
        raise SettingsError(f"--report {report}: its name must end in .md or .json.")
    shop = CatalogueFiles(products, catalogue_settings, triples, reading or {})
    inputs = shop.inputs()
    if compare is not None:
        inputs += (Input("compare", str(compare), fingerprint(compare)),)
    wanted = Manifest(
        command="evalkit synthesize queries",
        settings={
            **chosen.to_manifest(),
            "making": MAKING,
            "reading": dict(reading or {}),
            "format": format,
        },
        inputs=inputs,
        models=() if model is None else (model.to_manifest("writer"),),
        seeds={"seed": chosen.seed},
    )
    done = None if force else finished_before(target, wanted)
    if done is not None and (report is None or Path(report).is_file()):
        say(f"{target} is up to date (same catalogue and settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        catalogue, graph = shop.open(connection)
        if not catalogue.kinds:
            raise InputError(
                str(products),
                [Problem("no product has a kind")],
                remedy="Name its column in the catalogue's settings (fields: {kind: ...}).",
            )
        sources = open_sources(catalogue, graph, chosen, model)
        selection = select(sources, chosen)
        real = None
        if compare is not None:
            table = read("queries", compare, connection)
            if "query" not in table.columns:
                raise InputError(
                    str(compare), [Problem("has no column query")], remedy="Name it so."
                )
            texts = table.relation.select("query").fetchall()
            real = [str(text) for (text,) in texts if text is not None]
        queries = [query for found in selection.kept.values() for query in found]
        if not queries:
            raise InputError(
                str(products),
                [Problem(f"no query has {chosen.min_products} products that satisfy it")],
                remedy="Lower --min-products, or see that attributes and prices are found.",
            )
        write(_table(queries, chosen.seed), target, kind="queries", format=format)
    counts: dict[str, int] = {
        **{str(kind): len(found) for kind, found in selection.kept.items()},
        **{f"dropped: {reason}": number for reason, number in selection.dropped.items()},
        "rows": len(queries),
    }
    warnings = tuple(
        f"only {len(found):,} of {chosen.per_type:,} {kind} queries could be made"
        for kind, found in selection.kept.items()
        if len(found) < chosen.per_type
    )
    finished = replace(wanted, counts=counts, warnings=warnings)
    document = describe(selection, chosen, real)
    if report is not None:
        write_report(document, report)
    finished.write(target, started=started)
    say(summary(document))
    for warning in warnings:
        say(f"Warning: {warning}.")
    say(f"Wrote {target}: {len(queries):,} queries in {time.monotonic() - started:.1f} s.")
    return finished


def open_sources(
    catalogue: Catalogue,
    graph: Graph,
    settings: QuerySettings,
    model: LanguageModel | None = None,
) -> tuple[QuerySource, ...]:
    """Return the sources that the settings name, in their order."""
    from evalkit.synthesis.queries_facts import Facts
    from evalkit.synthesis.queries_graph import graph_source
    from evalkit.synthesis.queries_llm import LanguageModelSource
    from evalkit.synthesis.templates import EACH, TemplateSource

    facts = Facts(catalogue, graph.says)
    wanted, part = settings.min_products, open_part(settings.part, settings.test_share, graph)
    each = EACH if settings.part is None else max(EACH, settings.per_family)
    found: list[QuerySource] = []
    for name in settings.sources:
        if name == "templates":
            found.append(TemplateSource(facts, wanted, part=part, each=each))
        elif name == "graph":
            found.append(graph_source(facts, graph, wanted, part=part, each=each))
        elif model is not None:
            found.append(LanguageModelSource(facts, graph, model, wanted, part))
    return tuple(found)


def select(sources: Sequence[QuerySource], settings: QuerySettings) -> Selection:
    """Let the sources make queries, and choose among them.

    The sources take turns. A near-duplicate of an earlier query is dropped, and what a family has
    beyond `per_family` is only taken where there is nothing else.
    """
    made: dict[QueryType, list[list[SyntheticQuery]]] = {kind: [] for kind in settings.types}
    with progress_bar(len(sources), "making queries", "sources") as update:
        for source in sources:
            count = settings.per_type
            if source.name == "llm":  # its queries cost something
                count = -(-count // len(sources))
            counts = {kind: int(count * _MORE) for kind in settings.types}
            own: dict[QueryType, list[SyntheticQuery]] = {kind: [] for kind in settings.types}
            for query in source.queries(counts, settings.seed):
                own[query.structure.query_type].append(query)
            for kind, found in own.items():
                made[kind].append(found)
            update(1)
    ordered = [query for kind in settings.types for query in _take_turns(made[kind])]
    repeats = near_duplicates([query.query for query in ordered], settings.similarity)
    dropped: Counter[str] = Counter()
    duplicates = []
    kept: dict[QueryType, list[SyntheticQuery]] = {kind: [] for kind in settings.types}
    spare: dict[QueryType, list[SyntheticQuery]] = {kind: [] for kind in settings.types}
    families: Counter[str] = Counter()
    for query, repeated in zip(ordered, repeats.tolist(), strict=True):
        kind = query.structure.query_type
        if repeated >= 0:
            dropped["near-duplicate of another"] += 1
            duplicates.append((query.query, ordered[repeated].query))
        elif len(kept[kind]) == settings.per_type:
            dropped["not needed"] += 1
        elif families[query.family] >= settings.per_family:
            spare[kind].append(query)
        else:
            families[query.family] += 1
            kept[kind].append(query)
    for kind, found in spare.items():
        room = settings.per_type - len(kept[kind])
        kept[kind] += found[:room]
        dropped["its family has enough"] += len(found[room:])
    for source in sources:
        for reason, number in source.dropped().items():
            dropped[f"{source.name}: {reason}"] += number
    return Selection(kept, {name: number for name, number in dropped.items() if number}, duplicates)


def _take_turns(lists: Sequence[Sequence[SyntheticQuery]]) -> list[SyntheticQuery]:
    longest = max(map(len, lists), default=0)
    return [found[place] for place in range(longest) for found in lists if place < len(found)]


def _table(queries: Sequence[SyntheticQuery], seed: int) -> Any:
    import pyarrow as pa

    kinds = [query.structure.query_type for query in queries]
    return pa.table(
        {
            "query_id": [
                name_query(query.query, kind) for query, kind in zip(queries, kinds, strict=True)
            ],
            "query": [query.query for query in queries],
            "query_type": kinds,
            "structure": [query.structure.to_json() for query in queries],
            "family": [query.family for query in queries],
            "source": [query.source for query in queries],
            "template": [query.template for query in queries],
            "seed": pa.array([seed] * len(queries), pa.int64()),
        }
    )
