"""`evalkit train retriever`."""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.output import check_output_folder
from evalkit.cli.table_options import (
    catalogue_options,
    columns_option,
    fields_option,
    machine_options,
    machine_settings,
    reading_of,
)

__all__ = ["retriever"]


@click.command(
    epilog="Example: evalkit train retriever --pairs pairs.parquet --queries queries.parquet "
    "--products products.jsonl -o retriever"
)
@click.option("-o", "--output", required=True, type=click.Path(), help="The model's folder.")
@click.option(
    "--pairs",
    required=True,
    multiple=True,
    type=click.Path(),
    help="Table with query_id, query, product_id, label and split. Repeatable.",
)
@click.option("--products", required=True, type=click.Path(), help="The catalogue.")
@click.option(
    "--queries",
    multiple=True,
    type=click.Path(),
    help="Typed queries of the pairs: the catalogue decides what is good for them. Repeatable.",
)
@catalogue_options
@fields_option()
@click.option("--model", help="Folder or hub id to begin with; all-MiniLM-L6-v2 otherwise.")
@click.option("--revision", help="Branch, tag or commit of the model on the hub.")
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--learning-rate", type=float, default=5e-5, show_default=True)
@click.option(
    "--warmup", type=float, default=0.1, show_default=True, help="Share of the steps it rises over."
)
@click.option("--batch-size", type=click.IntRange(min=2), default=32, show_default=True)
@click.option("--cached", is_flag=True, help="Encode large batches in pieces: less memory, slower.")
@click.option(
    "--mini-batch",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="With --cached: texts of a piece.",
)
@click.option(
    "--max-length",
    type=int,
    default=128,
    show_default=True,
    help="Tokens of a text that are read in training; the model itself keeps its own limit.",
)
@click.option(
    "--temperature", type=float, default=0.05, show_default=True, help="Of the cosines in the loss."
)
@click.option(
    "--hard-negatives",
    type=click.Choice(["every", "once", "none"]),
    default="every",
    show_default=True,
    help="Products of label 0: one for every pair, each in one pair (faster), or none.",
)
@click.option(
    "--general-share",
    type=float,
    default=0.2,
    show_default=True,
    help="Share of the pairs that are of general queries; -1 leaves them as they are.",
)
@click.option(
    "--distil", type=click.Path(), help="Relevance classifier whose margins are learnt too."
)
@click.option(
    "--distil-weight", type=float, default=1.0, show_default=True, help="Of the margins' part."
)
@click.option(
    "--pool",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="Products of the catalogue that dev queries search, the same for all seeds and pairs.",
)
@click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How often dev queries are asked, and a checkpoint saved.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Stop after so many evaluations without a better one; 0 never stops.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@columns_option
@machine_options
def retriever(**chosen: Any) -> None:
    """Fine-tune a dense retriever on labelled pairs.

    Each query learns to find its product before all others of the batch, and before a hard
    negative (label 0) of its own. Queries of the split dev search a fixed pool of products during
    the training; the checkpoint with the best Goodrates is kept. The folder is a
    sentence-transformers model (safetensors) for evalkit index --model, with log.jsonl,
    retriever.json and a manifest. Training that was interrupted goes on from its last checkpoint.
    """
    from evalkit.cli.options import column_names
    from evalkit.training.retriever import RetrieverSettings, train_retriever

    check_output_folder(chosen["output"])
    share = chosen["general_share"]
    names = (
        "epochs", "learning_rate", "batch_size", "cached", "mini_batch", "max_length", "warmup",
        "temperature", "hard_negatives", "distil_weight", "pool", "evaluations", "patience",
        "seed", "device",
    )  # fmt: skip
    train_retriever(
        chosen["output"],
        chosen["pairs"],
        chosen["products"],
        queries=chosen["queries"],
        catalogue_settings=chosen["catalogue_settings"],
        triples=chosen["triples"],
        distil=chosen["distil"],
        settings=RetrieverSettings(
            general_share=None if share == -1 else share,
            **{name: chosen[name] for name in names},
        ),
        model=chosen["model"],
        revision=chosen["revision"],
        fields=chosen["fields"],
        reading=reading_of(column_names(chosen["maps"]), "pairs", "queries", "products"),
        **machine_settings(chosen),
    )
