"""`evalkit calibrate`: what the automated scores come to once people have graded some queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.database import opened
from evalkit.cli.options import column_names, words
from evalkit.cli.output import check_outputs, emit_document, output_form, output_options
from evalkit.cli.recording import called_as, judge_of, keep, record_options, recording_if
from evalkit.cli.scoring_options import (
    input_options,
    read_given,
    scoring_settings,
    without_pandas,
)
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from evalkit.calibrating import HumanGrades
    from metrics import Calibration

__all__ = ["calibrate"]


@click.command(
    short_help="Correct Goodrates with human labels.",
    epilog="Example: evalkit calibrate --control bm25.parquet --treatment dense.parquet "
    "--judgments classifier.csv --human human.csv --queries queries.csv --good 2 "
    "--target-width 3 --sample-out to-grade.csv --probabilities-out probabilities.csv",
)
@click.option("--control", metavar="FILE", help="The run of today.")
@click.option("--treatment", metavar="FILE", help="The run of the change.")
@click.option("--run", "single", metavar="FILE", help="A single run instead.")
@click.option(
    "--human",
    multiple=True,
    metavar="FILE",
    help="People's grades of some queries, all products that the runs show within the cutoff; "
    "repeatable. Without any, only a sample can be drawn.",
)
@click.option("--study", metavar="STUDY", help="People's grades from a study in the database.")
@click.option("--human-good", type=float, metavar="GRADE",
              help="Smallest human grade that is good (default: as --good).")  # fmt: skip
@click.option("--human-source", metavar="SOURCE", help="Source of people's grades, of several.")
@click.option(
    "--probabilities",
    metavar="FILE",
    help="query_id, inclusion_probability: how likely each query was to be labelled (default: "
    "what the grades say, else a simple random sample).",
)
@input_options
@click.option("--judge", metavar="NAME", help="Who made the judgments (default: their manifest).")
@click.option(
    "--target",
    type=click.Choice(["queries", "population"]),
    default="queries",
    show_default=True,
    help="What the figures are about: these queries, or those of which they are a sample.",
)
@click.option(
    "--measures",
    metavar="NAME,NAME",
    default="item_goodrate,query_goodrate",
    show_default=True,
    help="item_goodrate, query_goodrate, precision, success; the first is planned for.",
)
@click.option("--at", default="10", show_default=True, metavar="N,N", help="Cutoffs.")
@click.option("--by", metavar="COLUMN,COLUMN", help="Segment by columns of the queries.")
@click.option(
    "--target-width",
    type=click.FloatRange(0, 200, min_open=True),
    metavar="POINTS",
    help="Say how many more labels make the interval this narrow.",
)
@click.option("--labels", type=click.IntRange(1), metavar="N", help="Draw N queries for people.")
@click.option(
    "--sample-out",
    metavar="FILE",
    help="Write the drawn queries here, for evalkit study create --kind grade --queries.",
)
@click.option(
    "--probabilities-out",
    metavar="FILE",
    help="Write the probabilities of all queries, all draws together, for --probabilities.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draw.")
@output_options(page=True)
@record_options
def calibrate(
    form: str | None,
    output: str | None,
    record: bool,
    week: str | None,
    record_name: str | None,
    url: str | None,
    **given: Any,
) -> None:
    """Correct automated Goodrates by people's grades of a random sample of the queries.

    Prints, for each run and their difference, the figure by the judge alone, by people alone and
    by both together with its interval, and how many labels the judge saves. Draws the queries that
    people should grade next. Exit code 2 on bad input or settings.
    """
    from evalkit.calibrating import (
        calibrate_inputs,
        draw_sample,
        sampling_probabilities,
        write_sample,
    )
    from evalkit.engines import open_engine
    from evalkit.tables import read

    runs = _runs(given)
    form = output_form(form, output, page="calibration.html")
    _refuse_settings(given)
    if not record and url is not None and given["study"] is None and week is record_name is None:
        raise SettingsError("--db is for --study and --record; add one of them, or leave it out.")
    check_outputs(output, given["sample_out"], given["probabilities_out"])
    target = recording_if(record, week, record_name, url)
    scoring = scoring_settings(given, given["at"])
    shared = {
        "source": given["source"],
        "human_source": given["human_source"],
        "aggregate": given["aggregate"],
        "human_good": given["human_good"],
    }
    with without_pandas(), open_engine(given["memory_limit"]) as connection:
        inputs = read_given(connection, runs, given, compared=len(runs) == 2)
        human = _human(connection, given, url)
        known = None
        if given["probabilities"] is not None:
            table = read("queries", given["probabilities"], connection)
            known = sampling_probabilities(connection, table)
        judgments = inputs.judgments
        document, found = calibrate_inputs(
            inputs,
            human,
            probabilities=known,
            judge=judge_of(judgments.path, judgments.fingerprint, given["judge"]),
            target_width=None if given["target_width"] is None else given["target_width"] / 100,
            target=given["target"],
            measures=words(given["measures"]),
            by=words(given["by"]),
            **shared,
            **scoring,
        )
        count = _count(document, given)
        if count:
            settings = {name: value for name, value in scoring.items() if name != "cutoffs"}
            sample = draw_sample(
                inputs, human, count, probabilities=known, seed=given["seed"],
                cutoff=max(scoring["cutoffs"]), **shared, **settings,
            )  # fmt: skip
            document["sample"] = write_sample(
                inputs, sample, given["sample_out"], given["probabilities_out"]
            )
    if target is not None:
        keep(
            target,
            document,
            kind="calibration",
            query_set=document["query_set"]["fingerprint"],
            judge=document["judge"]["name"],
        )
    _print({**document, "command": called_as()}, found, form, output)


def _runs(given: dict[str, Any]) -> dict[str, str]:
    control, treatment, single = given["control"], given["treatment"], given["single"]
    if single is not None and control is None and treatment is None:
        return {"run": single}
    if single is not None or control is None or treatment is None:
        raise SettingsError("give both --control and --treatment, or --run for a single run.")
    return {"control": control, "treatment": treatment}


def _refuse_settings(given: dict[str, Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        SettingsError: with what to do.
    """
    people = given["human"] or given["study"]
    if given["human"] and given["study"]:
        raise SettingsError("give --human or --study, but not both.")
    if not people and given["labels"] is None:
        raise SettingsError(
            "give people's grades with --human FILE or --study STUDY; or draw a first sample for "
            "them with --labels N --sample-out FILE --probabilities-out FILE."
        )
    for option in ("human_good", "human_source"):
        if given[option] is not None and not people:
            raise SettingsError(f"--{option.replace('_', '-')} is of people's grades; add --human.")
    if (given["sample_out"] is None) != (given["probabilities_out"] is None):
        raise SettingsError(
            "--sample-out and --probabilities-out belong together: without the probabilities, what "
            "people say of the sample cannot be weighted."
        )
    if given["labels"] is not None and given["sample_out"] is None:
        raise SettingsError("--labels N draws queries; add --sample-out and --probabilities-out.")
    if given["sample_out"] is not None and given["labels"] is given["target_width"] is None:
        raise SettingsError("say how many queries to draw: --labels N, or --target-width POINTS.")


def _human(
    connection: DuckDBPyConnection, given: dict[str, Any], url: str | None
) -> HumanGrades | None:
    from evalkit.calibrating import human_grades, human_table
    from evalkit.tables import read

    if given["study"] is not None:
        from evalkit.store import export_judgments, find_study

        with opened(url) as store:
            table = export_judgments(store, find_study(store, given["study"]).id)
        if not table.num_rows:
            raise SettingsError(f"study {given['study']} has no grades yet.")
        return human_table(connection, table, f"study {given['study']}")
    if not given["human"]:
        return None
    mapping = column_names(given["mapped"]).mapping("judgments")
    tables = [
        read(
            "judgments",
            path,
            connection,
            mapping={name: column for name, column in mapping.items() if name != "probability"},
        )
        for path in given["human"]
    ]
    return human_grades(connection, tables)


def _count(document: dict[str, Any], given: dict[str, Any]) -> int:
    """How many queries to draw: as asked for, or as many as the wanted width needs."""
    if given["sample_out"] is None:
        return 0
    if given["labels"] is not None:
        return int(given["labels"])
    plan = document["plan"]
    if plan["more"] is None:
        raise SettingsError(f"--target-width {given['target_width']:g}: {plan['note']}.")
    if not plan["more"]:
        click.echo("Drew nothing: the interval is as narrow already.", err=True)
    return int(plan["more"])


def _print(document: dict[str, Any], found: Calibration, form: str, output: str | None) -> None:
    from evalkit.reports.calibration.page import write_calibration_page
    from evalkit.reports.calibration.table import (
        format_calibration_csv,
        format_calibration_markdown,
        format_calibration_table,
    )

    emit_document(
        document,
        form,
        output,
        table=format_calibration_table,
        csv=format_calibration_csv,
        markdown=format_calibration_markdown,
        page=lambda document, path: write_calibration_page(document, found, path),
    )
