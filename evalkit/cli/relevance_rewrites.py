"""`evalkit relevance rewrites`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.llm_options import language_model_options, open_model
from evalkit.cli.output import check_outputs, check_tables
from evalkit.cli.table_options import (
    FORMATS,
    catalogue_options,
    columns_option,
    machine_options,
    reading_of,
)

if TYPE_CHECKING:
    from evalkit.knowledge import CatalogueFiles
    from evalkit.relevance.rewrite_filter import Read, Rule
    from evalkit.relevance.rewrite_scorers import Scorer

__all__ = ["rewrites"]


@click.command(
    epilog="Example: evalkit relevance rewrites --rewrites rewrites.parquet --queries "
    "queries.parquet --products products.jsonl --cosine -o accepted.parquet"
)
@click.option("-o", "--output", required=True, type=click.Path(), help="The rewrites to write.")
@click.option("--rewrites", required=True, type=click.Path(), help="query_id and rewrite.")
@click.option("--queries", required=True, type=click.Path(), help="query_id, query and structure.")
@click.option(
    "--products", type=click.Path(), help="The catalogue: the rules then know kinds and brands."
)
@catalogue_options
@click.option(
    "--cosine", is_flag=True, help="Of what the query wants and the rewrite, by an encoder."
)
@click.option(
    "--model", help="Folder or hub id of the encoder of --cosine; all-MiniLM-L6-v2 otherwise."
)
@click.option("--classifier", type=click.Path(), help="Folder of a query-rewrite classifier.")
@language_model_options
@click.option("--rules-only", is_flag=True, help="Ask no model.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Relevance from which a rewrite is accepted; 0.5 of a classifier and 0.35 of --cosine "
    "otherwise, which is for the default encoder.",
)
@click.option(
    "--precision",
    type=click.FloatRange(0, 1),
    help="Take the classifier's threshold for this precision on held-out rewrites.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--output-format", type=FORMATS, help="Of the output; by its ending otherwise.")
@columns_option
@machine_options
def rewrites(**chosen: Any) -> None:
    """Tell which rewrites keep what their query asks for.

    Queries without a structure are read by rules when --products is named, and refused otherwise.
    Rules come first (a rewrite must not repeat its query, state what it excludes, name the product
    it shall be cheaper than, or ask for another kind); then a cosine, a classifier or a language
    model. On rewrites graded by hand the cosine did best. All rewrites are written, with accepted,
    reason and relevance; what became of them is counted by type of query and reason.
    """
    from evalkit.cli.options import column_names
    from evalkit.constraints.parsing_stage import RULES as PARSING
    from evalkit.errors import SettingsError
    from evalkit.relevance.rewrite_filter import filter_rewrites
    from evalkit.rewriting.rules import RULES

    judges = [name for name in ("cosine", "classifier", "llm", "rules_only") if chosen[name]]
    if len(judges) != 1:
        raise SettingsError("Give one of --cosine, --classifier, --llm and --rules-only.")
    if chosen["model"] is not None and not chosen["cosine"]:
        raise SettingsError("--model is the encoder of --cosine.")
    if chosen["threshold"] is not None and chosen["precision"] is not None:
        raise SettingsError("Give --threshold or --precision, not both.")
    check_tables("rewrites", chosen["output"], format=chosen["output_format"])
    check_outputs(chosen["output"], make_folders=True)
    model, models, threshold = _scorer(chosen)
    names = column_names(chosen["maps"])
    shop = _shop(chosen)
    rule, read = _rule(chosen, shop)
    _, summary = filter_rewrites(
        chosen["output"],
        chosen["rewrites"],
        chosen["queries"],
        rule=rule,
        model=model,
        read=read,
        models=models,
        threshold=threshold,
        settings={"rules": RULES} | ({} if read is None else {"parsing": PARSING}),
        inputs=shop.paths() if shop is not None else {},
        reading=reading_of(names, "rewrites", "queries"),
        format=chosen["output_format"],
        force=chosen["force"],
        memory_limit=chosen["memory_limit"],
        threads=chosen["threads"],
    )
    for kind, reason, count in summary.rows:
        click.echo(f"{count:>8,}  {kind:<12}  {reason or 'accepted'}")


def _scorer(chosen: dict[str, Any]) -> tuple[Scorer | None, tuple[Any, ...], float]:
    """Return who scores the rewrites, what a manifest says of it, and the threshold."""
    from evalkit.errors import SettingsError
    from evalkit.relevance.rewrite_scorers import (
        TOPIC_THRESHOLD,
        RewriteAsker,
        TrainedScorer,
        open_topic_cosine,
    )

    given, precision = chosen["threshold"], chosen["precision"]
    machine = {"device": chosen["device"], "batch_size": chosen["batch_size"]}
    if chosen["cosine"]:
        if precision is not None:
            raise SettingsError("--precision is for a classifier.")
        cosine = open_topic_cosine(chosen["model"], **machine)
        threshold = TOPIC_THRESHOLD if given is None else given
        return cosine, (cosine.to_manifest("relevance"),), threshold
    if chosen["classifier"]:
        from evalkit.relevance.classifier import open_classifier

        opened = open_classifier(chosen["classifier"], use="rewrites", **machine)
        if precision is not None:
            given = opened.threshold(precision)
        models = (opened.to_manifest("relevance"),)
        return TrainedScorer(opened), models, 0.5 if given is None else given
    if chosen["llm"]:
        from evalkit.relevance.llm_judge import LanguageModelJudge

        if given is not None or precision is not None:
            raise SettingsError("--threshold and --precision are for a cosine or a classifier.")
        judge = LanguageModelJudge(open_model(chosen))
        return RewriteAsker(judge), (judge.to_manifest(judge.rewrite),), 0.5
    return None, (), 0.5


def _shop(chosen: dict[str, Any]) -> CatalogueFiles | None:
    from evalkit.cli.options import column_names
    from evalkit.knowledge import CatalogueFiles

    if chosen["products"] is None:
        return None
    return CatalogueFiles(
        chosen["products"],
        chosen["catalogue_settings"],
        chosen["triples"],
        reading_of(column_names(chosen["maps"]), "products").get("products", {}),
    )


def _rule(chosen: dict[str, Any], shop: CatalogueFiles | None) -> tuple[Rule, Read | None]:
    """Return the rules of rewriting and who reads queries; a catalogue has kinds and brands."""
    from evalkit.constraints.parsing import RuleParser
    from evalkit.engines import open_engine
    from evalkit.rewriting.rules import filter_rule

    if shop is None:
        return filter_rule(None), None
    with open_engine(chosen["memory_limit"], chosen["threads"]) as connection:
        catalogue, graph = shop.open(connection)
    return filter_rule(graph), RuleParser(catalogue, graph).parse
