"""`evalkit train`: the group, and `evalkit train classifier`."""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.lazy import LazyGroup
from evalkit.cli.output import check_output_folder
from evalkit.cli.table_options import (
    catalogue_options,
    columns_option,
    fields_option,
    machine_options,
    machine_settings,
    numbers,
    reading_of,
)

__all__ = ["train"]


_ELSEWHERE = {
    "retriever": ("evalkit.cli.train_retriever", "retriever", "Train a dense retriever on pairs."),
    "rewriter": ("evalkit.cli.train_rewriter", "rewriter", "Train a rewriter with rewards."),
}


@click.group(
    cls=LazyGroup,
    elsewhere=_ELSEWHERE,
    epilog="Example: evalkit train classifier --judgments judgments.csv --queries queries.csv "
    "--products products.jsonl --good 2 -o classifier",
)
def train() -> None:
    """Train classifiers, rewriters and retrievers."""


@train.command(
    epilog="Example: evalkit train classifier --judgments judgments.csv --queries queries.csv "
    "--products products.jsonl --good 2 -o classifier"
)
@click.option("-o", "--output", required=True, type=click.Path(), help="The classifier's folder.")
@click.option("--judgments", type=click.Path(), help="Graded pairs: query_id, product_id, grade.")
@click.option(
    "--rewrites", type=click.Path(), help="Labelled rewrites: query_id, rewrite, label (1 or 0)."
)
@click.option(
    "--pairs",
    "constructed",
    type=click.Choice(["rewrites"]),
    help="Construct labelled rewrites from typed queries and the catalogue.",
)
@click.option("--queries", type=click.Path(), help="query_id and query; with --pairs structure.")
@click.option("--products", type=click.Path(), help="The catalogue.")
@catalogue_options
@click.option(
    "--n",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="With --pairs: right rewrites, and wrong ones, of a query at most.",
)
@click.option(
    "--good", type=float, default=1.0, show_default=True, help="Smallest grade that is good."
)
@click.option("--gains", metavar="E=3,S=2,...", help="Numbers of grades that are words.")
@fields_option()
@click.option("--model", help="Folder or hub id to begin with; all-MiniLM-L6-v2 otherwise.")
@click.option("--revision", help="Branch, tag or commit of the model on the hub.")
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--learning-rate", type=float, default=1e-4, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=16, show_default=True)
@click.option(
    "--max-length", type=int, default=128, show_default=True, help="Tokens of a pair that are read."
)
@click.option(
    "--held-out",
    type=float,
    default=0.2,
    show_default=True,
    help="Share of the pairs, whole queries only, for calibration and thresholds.",
)
@click.option(
    "--balance",
    type=click.Choice(["none", "weights", "sampling"]),
    default="none",
    show_default=True,
    help="Weigh rare grades more, or draw all grades equally often.",
)
@click.option(
    "--calibration",
    type=click.Choice(["auto", "stacked", "temperature", "isotonic", "none"]),
    default="auto",
    show_default=True,
    help="auto is stacked: the encoder's cosine and shared words count beside the model's scores.",
)
@click.option(
    "--precision",
    "precisions",
    metavar="A,B,...",
    callback=numbers,
    default="0.8,0.9,0.95",
    show_default=True,
    help="Precisions that thresholds shall keep on new queries, by a lower bound (80%).",
)
@click.option(
    "--patience",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Stop after so many epochs without a better held-out loss; 0 never stops.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@columns_option
@machine_options
def classifier(**chosen: Any) -> None:
    """Train a relevance classifier and calibrate it.

    From graded pairs of query and product (--judgments), from labelled rewrites (--rewrites), or
    from rewrites whose label follows from how they were made (--pairs rewrites, which
    --settings, --triples and --n are for). The folder holds a cross-encoder (safetensors), its
    calibration with thresholds and held-out figures, and a manifest; the page of `evalkit relevance
    agreement --classifier` plots the reliability. A classifier that is up to date is not trained
    again.
    """
    from evalkit.cli.options import column_names, gains
    from evalkit.errors import SettingsError
    from evalkit.training.classifier import (
        ClassifierSettings,
        train_classifier,
        train_on_constructed,
        train_rewrite_classifier,
    )

    uses = [name for name in ("judgments", "rewrites", "constructed") if chosen[name]]
    if len(uses) != 1:
        raise SettingsError("Give one of --judgments, --rewrites and --pairs rewrites.")
    use = uses[0]
    needed = {"judgments": ("queries", "products"), "constructed": ("queries", "products")}
    for name in needed.get(use, ()):
        if chosen[name] is None:
            option = {"judgments": "--judgments", "constructed": "--pairs rewrites"}[use]
            raise SettingsError(f"{option} needs --{name}.")
    check_output_folder(chosen["output"])
    names = column_names(chosen["maps"])
    common: dict[str, Any] = {
        "settings": ClassifierSettings(
            epochs=chosen["epochs"],
            learning_rate=chosen["learning_rate"],
            batch_size=chosen["batch_size"],
            max_length=chosen["max_length"],
            heldout=chosen["held_out"],
            balance=chosen["balance"],
            calibration=chosen["calibration"],
            precisions=chosen["precisions"],
            patience=chosen["patience"],
            seed=chosen["seed"],
            device=chosen["device"],
        ),
        "model": chosen["model"],
        "revision": chosen["revision"],
        "reading": reading_of(names, "judgments", "queries", "products", "rewrites"),
        **machine_settings(chosen),
    }
    if use == "judgments":
        train_classifier(
            chosen["output"],
            chosen["judgments"],
            chosen["queries"],
            chosen["products"],
            good=chosen["good"],
            gains=gains(chosen["gains"]),
            fields=chosen["fields"],
            **common,
        )
    elif use == "rewrites":
        train_rewrite_classifier(
            chosen["output"], chosen["rewrites"], queries=chosen["queries"], **common
        )
    else:
        train_on_constructed(
            chosen["output"],
            chosen["queries"],
            chosen["products"],
            n=chosen["n"],
            catalogue_settings=chosen["catalogue_settings"],
            triples=chosen["triples"],
            **common,
        )
