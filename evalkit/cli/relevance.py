"""`evalkit relevance`: are judges of products and of rewrites to be trusted?"""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.lazy import LazyGroup
from evalkit.cli.options import column_names, map_option, memory_option, one_grade_option, words
from evalkit.cli.output import check_outputs, emit_document, output_form, output_options
from evalkit.cli.recording import called_as, judge_of, manifest_of
from evalkit.cli.scoring_options import without_pandas
from evalkit.errors import SettingsError

__all__ = ["relevance"]

# loaded when they are called; `agreement` is here
_ELSEWHERE = {
    "rewrites": (
        "evalkit.cli.relevance_rewrites",
        "rewrites",
        "Filter rewrites that do not keep what the query wants.",
    )
}


@click.group(
    cls=LazyGroup,
    elsewhere=_ELSEWHERE,
    epilog="Example: evalkit relevance agreement --judge judgments.csv --human human.csv --good 2",
)
def relevance() -> None:
    """Compare judges with people, and filter rewrites."""


@relevance.command(
    short_help="Compare a judge's grades with people's.",
    epilog="Example: evalkit relevance agreement --judge judgments.csv --human human.csv "
    "--queries queries.csv --by query_type --products products.jsonl --good 2 -o agreement.html",
)
@click.option("--judge", "judged", required=True, metavar="FILE",
              help="The judge's judgments, with a column probability if it has one.")  # fmt: skip
@click.option("--human", required=True, metavar="FILE",
              help="People's judgments of some of the same pairs, taken for right.")  # fmt: skip
@click.option("--queries", metavar="FILE", help="The query set; other queries are left out.")
@click.option("--by", metavar="COLUMN,COLUMN", help="Segment by columns of the queries.")
@click.option("--products", metavar="FILE", help="The catalogue, for titles.")
@click.option("--good", type=float, metavar="GRADE",
              help="Smallest grade that is good (default: the classifier's, else 1).")  # fmt: skip
@click.option("--good-labels", metavar="E,S", help="Labels that are good, for text grades.")
@click.option("--judge-good", type=float, metavar="GRADE",
              help="Smallest grade of the judge that is good (default: as --good).")  # fmt: skip
@click.option(
    "--same-scale/--other-scale",
    default=None,
    help="Whether equal grades mean the same, for the weighted kappa (default: where the least "
    "and the greatest grades of both are the same).",
)
@click.option("--classifier", metavar="FOLDER",
              help="The classifier that judged: adds its own curve on held-out pairs.")  # fmt: skip
@click.option("--judge-name", metavar="NAME", help="Who judged (default: the judge's manifest).")
@click.option("--source", help="Source of the judge's grades, where the file has several.")
@click.option("--human-source", metavar="SOURCE", help="Source of people's grades, of several.")
@one_grade_option
@click.option("--bins", type=click.IntRange(1, 100), default=10, show_default=True,
              help="Ranges of the reliability curve.")  # fmt: skip
@click.option("-n", "--count", type=click.IntRange(0), default=20, show_default=True,
              help="Pairs to list on which the two differ.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Of the intervals.")  # fmt: skip
@map_option("The files' name for a column: product_id=asin.")
@output_options(page=True)
@memory_option
def agreement(
    judged: str,
    human: str,
    form: str | None,
    output: str | None,
    **given: Any,
) -> None:
    """Compare a judge with people on the pairs that both graded.

    Prints, overall and by segment, how often they agree on what is good, precision, recall and
    Cohen's kappa with intervals over queries, what always saying the same would reach, and whether
    the judge's probabilities are what they say. Those are of being good as the judge's manifest
    has it; with another --good they are left out. Exit code 2 on bad input or settings.
    """
    from evalkit.engines import open_engine
    from evalkit.relevance.agreement import agreement_document
    from evalkit.reports.judge_agreement.findings import agreement_findings
    from evalkit.tables import read

    form = output_form(form, output, page="agreement.html")
    check_outputs(output)
    if [judged, human, given["queries"], given["products"]].count("-") > 1:
        raise SettingsError("only one file can come from standard input (-).")
    names = column_names(given["mapped"])
    with without_pandas(), open_engine(given["memory_limit"]) as connection:
        paths = {"queries": given["queries"], "products": given["products"]}
        mapping = names.mapping("judgments")
        judgments = read("judgments", judged, connection, mapping=mapping)
        truth = read("judgments", human, connection, mapping=mapping)
        others = {
            kind: None
            if path is None
            else read(kind, path, connection, mapping=names.mapping(kind))  # type: ignore[arg-type]
            for kind, path in paths.items()
        }
        manifest = manifest_of(judged, judgments.fingerprint)
        document = agreement_document(
            connection,
            judgments,
            truth,
            others["queries"],
            others["products"],
            judge=judge_of(judged, judgments.fingerprint, given["judge_name"]),
            good_labels=tuple(words(given["good_labels"])) or None,
            probability_good=None if manifest is None else manifest.settings.get("good"),
            by=words(given["by"]),
            **{
                name: given[name]
                for name in ("source", "human_source", "aggregate", "classifier", "good",
                             "judge_good", "same_scale", "bins", "count", "seed")
            },
        )  # fmt: skip
    _print({**document, "command": called_as()}, form, output)
    if form == "html":
        click.echo(agreement_findings(document)[0], err=True)


def _print(document: dict[str, Any], form: str, output: str | None) -> None:
    from evalkit.reports.judge_agreement.page import write_agreement_page
    from evalkit.reports.judge_agreement.table import (
        format_agreement_csv,
        format_agreement_markdown,
        format_agreement_table,
    )

    emit_document(
        document,
        form,
        output,
        table=format_agreement_table,
        csv=format_agreement_csv,
        markdown=format_agreement_markdown,
        page=write_agreement_page,
    )
