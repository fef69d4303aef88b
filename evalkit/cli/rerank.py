"""`evalkit rerank`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.output import check_outputs, check_tables
from evalkit.cli.table_options import (
    FORMATS,
    columns_option,
    fields_option,
    machine_options,
    machine_settings,
    reading_of,
)

if TYPE_CHECKING:
    from evalkit.relevance.reranking import PairScorer

__all__ = ["rerank"]


@click.command(
    epilog="Example: evalkit rerank --run dense.parquet --queries queries.csv "
    "--products products.jsonl --classifier classifier --top 50 -o reranked.parquet"
)
@click.option("--run", required=True, type=click.Path(), help="The run to order anew.")
@click.option("--queries", required=True, type=click.Path(), help="Columns query_id and query.")
@click.option("--products", required=True, type=click.Path(), help="The catalogue.")
@click.option("-o", "--output", required=True, type=click.Path(), help="The run to write.")
@click.option(
    "--classifier", type=click.Path(), help="Folder of a classifier: order by P(product is good)."
)
@click.option("--model", help="Folder or hub id of a cross-encoder: order by its score.")
@click.option("--revision", help="Of --model: branch, tag or commit on the hub.")
@click.option(
    "--max-length", type=click.IntRange(min=8), help="Of --model: tokens of a pair.  [default: 256]"
)
@click.option(
    "--allow-pickle",
    is_flag=True,
    help="Accept weights that are pickles, which can run code. Only if you trust the model.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Results of each query that are ordered anew.",
)
@click.option("--system", help="Name of the system in the run; otherwise the run's with +rerank.")
@fields_option("; those of the classifier's training, or the usual ones, otherwise")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--output-format", type=FORMATS, help="Of the run; by its ending otherwise.")
@columns_option
@machine_options
def rerank(**chosen: Any) -> None:
    """Order the first results of a run anew with a cross-encoder.

    The first --top results of each query are scored and ordered by their scores; equal scores keep
    the order of the run, and so do all results behind. Pairs are scored in chunks: an interrupted
    command goes on where it stopped. Do not judge the run with the classifier that ordered it.
    """
    from evalkit.cli.options import column_names
    from evalkit.errors import SettingsError
    from evalkit.relevance.reranking import rerank_run

    if (chosen["classifier"] is None) == (chosen["model"] is None):
        raise SettingsError("Give one cross-encoder: --classifier or --model.")
    check_tables("run", chosen["output"], format=chosen["output_format"])
    check_outputs(chosen["output"], make_folders=True)
    scorer, fields = _scorer(chosen)
    names = column_names(chosen["maps"])
    rerank_run(
        chosen["output"],
        scorer,
        chosen["run"],
        chosen["queries"],
        chosen["products"],
        top=chosen["top"],
        fields=chosen["fields"] or fields,
        system=chosen["system"],
        reading=reading_of(names, "run", "queries", "products"),
        format=chosen["output_format"],
        **machine_settings(chosen),
    )


def _scorer(chosen: dict[str, Any]) -> tuple[PairScorer, Any]:
    from evalkit.errors import SettingsError

    computing = {name: chosen[name] for name in ("device", "batch_size")}
    if chosen["classifier"] is None:
        from evalkit.relevance.reranking import open_ranking_model

        opened = open_ranking_model(
            chosen["model"],
            revision=chosen["revision"],
            allow_pickle=chosen["allow_pickle"],
            max_length=chosen["max_length"] or 256,
            **computing,
        )
        return opened, None
    for name in ("revision", "max_length", "allow_pickle"):
        if chosen[name]:
            raise SettingsError(f"--{name.replace('_', '-')} is for --model, not for --classifier.")
    from evalkit.relevance.classifier import open_classifier

    classifier = open_classifier(chosen["classifier"], use="products", **computing)
    return classifier, classifier.fields
