"""The stage behind `evalkit retrieve`: queries and an index become a run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.constraints.as_judge import checker_as_judge
from evalkit.engines import open_engine
from evalkit.errors import SettingsError
from evalkit.knowledge import CatalogueFiles
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say
from evalkit.retrieval.constrained import ConstraintSettings, open_heeding
from evalkit.retrieval.retriever import DenseRetriever, index_fingerprint, open_index
from evalkit.retrieval.rewritten import RewritingRetriever, read_rewrites

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from evalkit.retrieval.encoder import Encoder, EncoderSettings
    from evalkit.retrieval.rewritten import SearchedRewrites
    from evalkit.tables import Table

__all__ = ["retrieve_run"]


def retrieve_run(
    queries: str | os.PathLike[str],
    index: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    k: int = 100,
    system: str | None = None,
    products: str | os.PathLike[str] | None = None,
    encoder: Encoder | None = None,
    model: str | None = None,
    revision: str | None = None,
    settings: EncoderSettings | None = None,
    search_effort: int | None = None,
    allow_pickle: bool = False,
    constraints: ConstraintSettings | None = None,
    rewrites: SearchedRewrites | None = None,
    reading: Mapping[str, Any] | None = None,
    format: str | None = None,  # noqa: A002 - the name that tables.write has
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
    cache: Path | None = None,
) -> Manifest:
    """Search an index for every query and write the run; see `evalkit retrieve --help`.

    Queries are searched in the order of their query_id. A query without text gets no results.

    Args:
        queries: a table with query_id and query.
        index: the index's folder.
        output: the run to write, in the format of its ending or of `format`.
        k: products a query at most.
        system: name of the system in the run; None takes the kind of index.
        products: a catalogue that the index must have been built from.
        encoder: what encodes queries; None opens `model`.
        model: a folder or hub id; None takes the one that the index was built with.
        revision: of `model`.
        settings: see `evalkit.retrieval.retriever.open_index`.
        search_effort: see `evalkit.retrieval.vector_index.search_vectors`.
        allow_pickle: accept a model whose weights are pickles.
        constraints: what is done about what queries ask for; None is nothing.
        rewrites: rewrites that search beside their query; None is none.
        reading: keyword arguments of `evalkit.tables.read` for the queries.
        format: of the run.
        force: search again in any case.
        memory_limit: for reading and writing.
        threads: of DuckDB.
        cache: folder for embeddings; None takes the default one.

    Raises:
        InputError: the queries or the index cannot be used.
        SettingsError: settings that do not fit.
        ModelError: the index was built with another model, or the model cannot be loaded.
    """
    from evalkit.tables import read, write

    started = time.monotonic()
    heeded = constraints or ConstraintSettings()
    catalogue = None if products is None else str(products)
    if k < 1:
        raise SettingsError(f"--k is {k}; it must be 1 or more.")
    if rewrites is not None:
        rewrites.check()
        if heeded.weight is not None:
            raise SettingsError(
                "--decompose-negation and --rewrites are two answers to the same query, and do not "
                "go together; make two runs, and evalkit fuse them."
            )
    target = Path(output)
    retriever = open_index(
        index,
        encoder=encoder,
        model=model,
        revision=revision,
        settings=settings,
        products=products,
        search_effort=search_effort,
        allow_pickle=allow_pickle,
        cache=cache,
    )
    built = retriever.manifest
    encoding = retriever.encoder if isinstance(retriever, DenseRetriever) else None
    heeded.check(catalogue, dense=encoding is not None)
    wanted = Manifest(
        command="evalkit retrieve",
        settings={
            "k": k,
            "system": system,
            "query_prefix": encoding.prefix("query") if encoding is not None else None,
            "search_effort": search_effort,
            "reading": dict(reading or {}),
            "format": format,
            **heeded.to_manifest(),
            **(rewrites.to_manifest() if rewrites is not None else {}),
        },
        inputs=(
            Input("queries", str(queries), fingerprint(queries)),
            Input("index", str(index), index_fingerprint(built), built.counts["products"]),
            *heeded.inputs(catalogue),
            *(
                (Input("rewrites", str(rewrites.path), fingerprint(rewrites.path)),)
                if rewrites is not None
                else ()
            ),
        ),
        models=(*built.models, *_judges(heeded, catalogue)),
        seeds=built.seeds,
    )
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same queries, index and settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        table = read("queries", queries, connection, **(reading or {}))
        asked = _texts(table)
        warnings = []
        if table.rows > asked.num_rows:
            warnings.append(
                f"{table.rows - asked.num_rows:,} of {table.rows:,} queries have no text and get "
                "no results."
            )
        if k > built.counts["products"]:
            warnings.append(
                f"--k {k:,} is more than the {built.counts['products']:,} products of the index."
            )
        counts = {"queries": table.rows, "queries_without_text": table.rows - asked.num_rows}
        searching: Any = retriever
        texts, unit, kind = asked.num_rows, "queries", _kind(built)
        if rewrites is not None:
            found, told = read_rewrites(rewrites, asked, connection)
            searching = RewritingRetriever(retriever, found, connection)
            texts, unit, kind = texts + told["rewrites"], "texts", f"{kind}+rewrites"
            counts |= told
            if not found:
                warnings.append(
                    f"None of the queries has a rewrite in {rewrites.path}; each is searched by "
                    "itself."
                )
        if heeded.used:
            catalogue_reading = built.settings.get("reading") or {}
            heeding = open_heeding(
                heeded, catalogue, catalogue_reading, asked, table.path, connection
            )
            name = system or heeded.system(kind)
            with progress_bar(texts, "Searching", unit) as moved:
                run, told = heeding.search(searching, asked, k, system=name, progress=moved)
            counts |= told
            warnings += heeding.warnings(told, k)
        else:
            with progress_bar(texts, "Searching", unit) as moved:
                run = searching.search(asked, k, system=system or kind, progress=moved)
        counts["rows"] = run.num_rows
        if encoding is not None:
            counts["texts_encoded"] = encoding.encoded
            counts["texts_reused"] = encoding.reused
            counts["texts_truncated"] = encoding.truncated_texts
            if counts["texts_truncated"]:
                warnings.append(
                    f"{counts['texts_truncated']:,} of {texts:,} {unit} are longer than "
                    "the model reads; their ends were cut off."
                )
        target.parent.mkdir(parents=True, exist_ok=True)
        write(run, target, kind="run", format=format, connection=connection)
    source = Input("queries", table.path, table.fingerprint, table.rows)
    finished = Manifest(
        wanted.command,
        wanted.settings,
        (source, *wanted.inputs[1:]),
        wanted.models,
        wanted.seeds,
        counts,
        tuple(warnings),
    )
    finished.write(target, started=started)
    for warning in warnings:
        say(f"Warning: {warning}")
    say(f"Wrote {target}: {run.num_rows:,} rows for {table.rows:,} queries.")
    return finished


def _kind(built: Manifest) -> str:
    """Return what a run calls a system by default: the kind of index."""
    if built.settings["kind"] == "lexical":
        return "bm25"
    return str(built.settings["index"]["kind"])


def _judges(heeded: ConstraintSettings, catalogue: str | None) -> list[dict[str, Any]]:
    """Return who chooses among the results, as a manifest names judges: the checker, if at all."""
    if not heeded.filter or catalogue is None:
        return []
    return [checker_as_judge(CatalogueFiles(catalogue, heeded.settings, heeded.triples))]


def _texts(table: Table) -> Any:
    """Return query_id, query and the structure, if there, of queries with a text, by query_id."""
    from evalkit.tables import need_column

    need_column(table, "query")
    known = ", CAST(structure AS VARCHAR) AS structure" if "structure" in table.columns else ""
    return (
        table.relation.select(f"query_id, CAST(query AS VARCHAR) AS query{known}")
        .filter("trim(query) <> ''")
        .order("query_id")
        .to_arrow_table()
    )
