"""`evalkit judge`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.llm_options import language_model_options, open_model
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
    from evalkit.relevance.judging import Judge

__all__ = ["judge"]


@click.command(
    epilog="Example: evalkit judge --run bm25.parquet --run dense.parquet --queries queries.csv "
    "--products products.jsonl --classifier classifier -o judgments.parquet"
)
@click.option("-o", "--output", required=True, type=click.Path(), help="The judgments to write.")
@click.option(
    "--run", "runs", multiple=True, type=click.Path(), help="Judge its first results. Repeatable."
)
@click.option("--pairs", type=click.Path(), help="Judge these: query_id and product_id.")
@click.option(
    "--at",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Results of each query of each run.",
)
@click.option("--queries", required=True, type=click.Path(), help="Columns query_id and query.")
@click.option("--products", required=True, type=click.Path(), help="The catalogue.")
@click.option("--classifier", type=click.Path(), help="Folder of a classifier: the judge.")
@language_model_options
@click.option(
    "--scale",
    type=click.Choice(["shop", "levels"]),
    default="shop",
    show_default=True,
    help="Grades of a language model: 0 to 2, or its four levels, 0 to 3.",
)
@click.option("--name", default="", help="The judge's name, for the column annotator.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Probability from which a classifier's grade is good; 0.5 otherwise.",
)
@click.option(
    "--precision",
    type=click.FloatRange(0, 1),
    help="Take the threshold that had this precision on held-out pairs.",
)
@click.option(
    "--constraints",
    is_flag=True,
    help="Let the catalogue overrule the judge where the query's structure decides; without "
    "--classifier and --llm it is the judge.",
)
@click.option(
    "--settings",
    "catalogue_settings",
    type=click.Path(),
    help="With --constraints: YAML file of what is special about the catalogue.",
)
@click.option(
    "--triples",
    type=click.Path(),
    help="With --constraints alone: CSV file of your own facts: subject, relation, object.",
)
@fields_option("; those of the classifier's training otherwise")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--output-format", type=FORMATS, help="Of the judgments; by its ending otherwise.")
@columns_option
@machine_options
def judge(**chosen: Any) -> None:
    """Judge what runs show and write judgments.

    Each pair of query and product in the first results of the runs is graded once. The judgments
    have query_id, product_id, grade, source (classifier or llm), annotator (the judge's name) and
    probability, the calibrated probability that the product is good; with --constraints also check
    (pass, fail or unknown) and overruled. Pairs are judged in chunks: an interrupted command goes
    on where it stopped.

    With --constraints alone the catalogue is the judge (source checker), for queries with a
    structure: 2 for the right kind that satisfies every condition, 1 for what cannot be told, 0
    for the rest; without --run and --pairs it grades every product.
    """
    from evalkit.cli.options import column_names
    from evalkit.errors import SettingsError
    from evalkit.relevance.judging import judge_results

    if chosen["classifier"] is not None and chosen["llm"] is not None:
        raise SettingsError("Give one judge: --classifier or --llm.")
    modelled = chosen["classifier"] is not None or chosen["llm"] is not None
    if not modelled and not chosen["constraints"]:
        raise SettingsError(
            "Give one judge: --classifier or --llm, or --constraints for the catalogue itself."
        )
    if modelled and chosen["triples"] is not None:
        raise SettingsError("--triples is for --constraints without a model.")
    check_tables("judgments", chosen["output"], format=chosen["output_format"])
    check_outputs(chosen["output"], make_folders=True)
    if not modelled:
        _by_catalogue(chosen)
        return
    who, fields, settings = _classifier(chosen) if chosen["classifier"] else _language_model(chosen)
    names = column_names(chosen["maps"])
    judge_results(
        chosen["output"],
        who,
        chosen["queries"],
        chosen["products"],
        runs=chosen["runs"],
        pairs=chosen["pairs"],
        at=chosen["at"],
        fields=chosen["fields"] or fields,
        constraints=chosen["constraints"],
        catalogue_settings=chosen["catalogue_settings"],
        settings=settings,
        reading=reading_of(names, "run", "pairs", "queries", "products"),
        format=chosen["output_format"],
        **machine_settings(chosen),
    )


def _by_catalogue(chosen: dict[str, Any]) -> None:
    from evalkit.cli.options import column_names
    from evalkit.errors import SettingsError
    from evalkit.relevance.catalogue_judge import CHECKER, judge_by_catalogue

    for option in ("threshold", "precision"):
        if chosen[option] is not None:
            raise SettingsError(f"--{option} is for a classifier; give one with --classifier.")
    if chosen["fields"] is not None:
        raise SettingsError("--fields is for a model that reads texts, not for --constraints.")
    names = column_names(chosen["maps"])
    judge_by_catalogue(
        chosen["output"],
        chosen["queries"],
        chosen["products"],
        runs=chosen["runs"],
        pairs=chosen["pairs"],
        at=chosen["at"],
        catalogue_settings=chosen["catalogue_settings"],
        triples=chosen["triples"],
        name=chosen["name"] or CHECKER,
        reading=reading_of(names, "run", "pairs", "queries", "products"),
        format=chosen["output_format"],
        **machine_settings(chosen),
    )


def _classifier(chosen: dict[str, Any]) -> tuple[Judge, Any, dict[str, Any]]:
    from evalkit.errors import SettingsError
    from evalkit.relevance.classifier import open_classifier
    from evalkit.relevance.judging import ClassifierJudge

    if chosen["threshold"] is not None and chosen["precision"] is not None:
        raise SettingsError("Give --threshold or --precision, not both.")
    opened = open_classifier(
        chosen["classifier"],
        use="products",
        device=chosen["device"],
        batch_size=chosen["batch_size"],
    )
    threshold = 0.5 if chosen["threshold"] is None else chosen["threshold"]
    if chosen["precision"] is not None:
        threshold = opened.threshold(chosen["precision"])
    who = ClassifierJudge(opened, threshold, chosen["name"])
    return who, opened.fields, {"threshold": threshold, "good": opened.good}


def _language_model(chosen: dict[str, Any]) -> tuple[Judge, Any, dict[str, Any]]:
    from evalkit.errors import SettingsError

    for option in ("threshold", "precision"):
        if chosen[option] is not None:
            raise SettingsError(f"--{option} is for a classifier, not for --llm.")
    from evalkit.relevance.llm_judge import LanguageModelJudge

    who = LanguageModelJudge(open_model(chosen), chosen["scale"], chosen["name"])
    return who, None, {"scale": chosen["scale"], "seed": who.seed}
