"""`evalkit index`, `evalkit retrieve` and `evalkit fuse`."""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.output import check_output_folder, check_outputs, check_tables
from evalkit.cli.table_options import (
    FORMATS,
    catalogue_options,
    fields_option,
    machine_options,
    machine_settings,
    numbers,
    options,
    reading_options,
    reading_settings,
)

__all__ = ["fuse", "index", "retrieve"]

_computing = options(
    click.option(
        "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps."
    ),
    click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True),
    click.option(
        "--allow-pickle",
        is_flag=True,
        help="Accept weights that are pickles, which can run code. Only if you trust the model.",
    ),
)


@click.command(
    epilog="Example: evalkit index --products products.jsonl --kind dense -o indexes/dense"
)
@click.option("--products", required=True, type=click.Path(), help="The catalogue.")
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder of the index.")
@click.option("--kind", type=click.Choice(["dense", "lexical"]), default="dense", show_default=True)
@click.option(
    "--index",
    "vectors",
    type=click.Choice(["flat", "hnsw", "ivfpq"]),
    default="flat",
    show_default=True,
    help="Vector index: exact; a graph; compressed.",
)
@click.option("--model", help="Folder or hub id of an encoder; all-MiniLM-L6-v2 otherwise.")
@click.option("--revision", help="Branch, tag or commit of the model on the hub.")
@fields_option()
@click.option("--query-prefix", help="Put before queries; the model's own prompt otherwise.")
@click.option("--document-prefix", help="Put before products; the model's own prompt otherwise.")
@click.option("--max-length", type=click.IntRange(min=1), help="Tokens of a text that are read.")
@click.option(
    "--dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True
)
@click.option(
    "--backend", type=click.Choice(["torch", "onnx-int8"]), default="torch", show_default=True
)
@click.option("--hnsw-links", type=click.IntRange(min=2), default=32, show_default=True)
@click.option("--hnsw-build-effort", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--lists", type=click.IntRange(min=1), help="Cells of IVF-PQ; about 4·√products.")
@click.option(
    "--code-bytes", type=click.IntRange(min=1), help="Bytes a product of IVF-PQ; dimension / 4."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of IVF-PQ.")
@click.option("--k1", type=float, default=1.5, show_default=True, help="Of BM25.")
@click.option("--b", type=float, default=0.75, show_default=True, help="Of BM25.")
@_computing
@reading_options
@machine_options
def index(**chosen: Any) -> None:
    """Index a product catalogue, by vectors or by words.

    The index is a folder with a manifest. Embeddings are kept in the cache folder
    ($EVALKIT_CACHE), so an interrupted run goes on where it stopped and a changed catalogue
    costs only its new texts. An index that is up to date is not built again.
    """
    from evalkit.retrieval import LexicalSettings, VectorIndexSettings, index_products

    check_output_folder(chosen["output"])
    method: LexicalSettings | VectorIndexSettings
    encoder = None
    if chosen["kind"] == "lexical":
        method = LexicalSettings(chosen["k1"], chosen["b"])
    else:
        encoder = _encoder(chosen)
        method = VectorIndexSettings(
            kind=chosen["vectors"],
            hnsw_links=chosen["hnsw_links"],
            hnsw_build_effort=chosen["hnsw_build_effort"],
            lists=chosen["lists"],
            code_bytes=chosen["code_bytes"],
            seed=chosen["seed"],
        )
    index_products(
        chosen["products"],
        chosen["output"],
        method,
        encoder=encoder,
        fields=chosen["fields"],
        reading=reading_settings(chosen),
        **machine_settings(chosen),
    )


@click.command(
    epilog="Example: evalkit retrieve --queries queries.csv --index indexes/dense --k 100 "
    "-o runs/dense.parquet"
)
@click.option("--queries", required=True, type=click.Path(), help="Columns query_id and query.")
@click.option("--index", "place", required=True, type=click.Path(), help="Folder of the index.")
@click.option("-o", "--output", required=True, type=click.Path(), help="The run to write.")
@click.option(
    "--k", type=click.IntRange(min=1), default=100, show_default=True, help="Products a query."
)
@click.option("--system", help="Name of the system in the run; the kind of index otherwise.")
@click.option(
    "--products",
    type=click.Path(),
    help="The catalogue; an index of another one is refused.",
)
@click.option(
    "--decompose-negation",
    is_flag=True,
    help="Point the vectors of queries that exclude something away from it.",
)
@click.option(
    "--lambda",
    "weight",
    type=float,
    help="Weight of what is excluded, for --decompose-negation.  [default: 0.4]",
)
@click.option(
    "--filter-constraints",
    is_flag=True,
    help="Take out results that fail what the query asks for. Needs --products.",
)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    help="Search this many times --k, for --filter-constraints.  [default: 5]",
)
@catalogue_options
@click.option(
    "--rewrites",
    type=click.Path(),
    help="Search with these rewrites of the queries too, and fuse the lists by reciprocal ranks.",
)
@click.option(
    "--rewrites-n",
    type=click.IntRange(min=1),
    help="Rewrites of a query, the best first, for --rewrites; all otherwise.",
)
@click.option("--model", help="Refuse an index of another model than this.")
@click.option("--revision", help="Of --model.")
@click.option("--query-prefix", help="Put before queries; as the index says otherwise.")
@click.option(
    "--search-effort",
    type=click.IntRange(min=1),
    help="Candidates that HNSW keeps, or cells that IVF-PQ visits.",
)
@click.option("--output-format", type=FORMATS, help="Of the run; by its ending otherwise.")
@_computing
@reading_options
@machine_options
def retrieve(**chosen: Any) -> None:
    """Search an index for every query and write a run.

    The run has query_id, product_id, rank, score and system. Equal scores are ordered by
    product_id, descending, as the scorer does. A query without text gets no results.

    What queries exclude is taken from the column structure (see evalkit parse queries), or read by
    rules with --products. --decompose-negation searches with e(positive part) minus lambda times
    e(excluded words). --filter-constraints takes out the products that certainly fail a condition,
    kind, price or brand; what the catalogue does not say stays, and the order too. The system is
    then called +decomposition or +filter, unless --system says otherwise.

    --rewrites is what evalkit rewrite or evalkit relevance rewrites made; where it has a column
    accepted, only accepted rewrites search. Their lists and that of the query's own text are
    fused, and filtered then. The system is called +rewrites.
    """
    from evalkit.retrieval import EncoderSettings, retrieve_run

    check_tables("run", chosen["output"], format=chosen["output_format"])
    check_outputs(chosen["output"], make_folders=True)
    retrieve_run(
        chosen["queries"],
        chosen["place"],
        chosen["output"],
        k=chosen["k"],
        system=chosen["system"],
        products=chosen["products"],
        model=chosen["model"],
        revision=chosen["revision"],
        settings=EncoderSettings(
            query_prefix=chosen["query_prefix"],
            device=chosen["device"],
            batch_size=chosen["batch_size"],
        ),
        search_effort=chosen["search_effort"],
        allow_pickle=chosen["allow_pickle"],
        constraints=_constraints(chosen),
        rewrites=_rewrites(chosen),
        reading=reading_settings(chosen),
        format=chosen["output_format"],
        **machine_settings(chosen),
    )


@click.command(
    epilog="Example: evalkit fuse runs/bm25.parquet runs/dense.parquet --method rrf "
    "-o runs/fused.parquet"
)
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The run to write.")
@click.option(
    "--method",
    type=click.Choice(["rrf", "weighted"]),
    default="rrf",
    show_default=True,
    help="Reciprocal ranks, or a weighted sum of scores.",
)
@click.option("--rrf-k", type=float, default=60.0, show_default=True)
@click.option(
    "--weights", metavar="A,B,...", callback=numbers, help="One for each run; all alike otherwise."
)
@click.option(
    "--normalise",
    type=click.Choice(["minmax", "none"]),
    default="minmax",
    show_default=True,
    help="Scores of a query before they are weighted.",
)
@click.option(
    "--k", type=click.IntRange(min=1), default=100, show_default=True, help="Products a query."
)
@click.option("--system", help="Name of the system in the run; the method otherwise.")
@click.option("--output-format", type=FORMATS, help="Of the run; by its ending otherwise.")
@click.option(
    "--on-duplicate",
    type=click.Choice(["error", "first"]),
    default="error",
    show_default=True,
    help="What to do about a product that is twice in a query's results.",
)
@reading_options
@machine_options
def fuse(**chosen: Any) -> None:
    """Fuse two or more runs, of any format, into one."""
    from evalkit.retrieval import fuse_runs

    check_tables("run", chosen["output"], format=chosen["output_format"])
    check_outputs(chosen["output"], make_folders=True)
    fuse_runs(
        chosen["runs"],
        chosen["output"],
        method=chosen["method"],
        rrf_k=chosen["rrf_k"],
        weights=chosen["weights"],
        normalise=chosen["normalise"],
        k=chosen["k"],
        system=chosen["system"],
        reading=reading_settings(chosen) | {"on_duplicate": chosen["on_duplicate"]},
        format=chosen["output_format"],
        **machine_settings(chosen),
    )


def _constraints(chosen: dict[str, Any]) -> Any:
    from evalkit.errors import SettingsError
    from evalkit.retrieval.constrained import ConstraintSettings
    from evalkit.retrieval.decomposing import DEFAULT_WEIGHT

    if chosen["weight"] is not None and not chosen["decompose_negation"]:
        raise SettingsError("--lambda is for --decompose-negation.")
    if chosen["depth"] is not None and not chosen["filter_constraints"]:
        raise SettingsError("--depth is for --filter-constraints.")
    weight = DEFAULT_WEIGHT if chosen["weight"] is None else chosen["weight"]
    return ConstraintSettings(
        weight=weight if chosen["decompose_negation"] else None,
        filter=chosen["filter_constraints"],
        depth=ConstraintSettings.depth if chosen["depth"] is None else chosen["depth"],
        settings=chosen["catalogue_settings"],
        triples=chosen["triples"],
    )


def _rewrites(chosen: dict[str, Any]) -> Any:
    from evalkit.errors import SettingsError
    from evalkit.retrieval.rewritten import SearchedRewrites

    if chosen["rewrites"] is None:
        if chosen["rewrites_n"] is not None:
            raise SettingsError("--rewrites-n is for --rewrites.")
        return None
    return SearchedRewrites(chosen["rewrites"], chosen["rewrites_n"])


def _encoder(chosen: dict[str, Any]) -> Any:
    from evalkit.retrieval import EncoderSettings, open_encoder

    settings = EncoderSettings(
        query_prefix=chosen["query_prefix"],
        document_prefix=chosen["document_prefix"],
        max_length=chosen["max_length"],
        device=chosen["device"],
        dtype=chosen["dtype"],
        backend=chosen["backend"],
        batch_size=chosen["batch_size"],
    )
    return open_encoder(
        chosen["model"],
        settings,
        revision=chosen["revision"],
        allow_pickle=chosen["allow_pickle"],
    )
