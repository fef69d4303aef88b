"""`evalkit correlate`: do the automated scores agree with people?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.database import database_option, opened
from evalkit.cli.options import column_names, cutoffs, map_option, memory_option, words
from evalkit.cli.output import check_outputs, emit_document, output_form, output_options
from evalkit.cli.recording import DEFAULT_NAME, called_as, keep, recording
from evalkit.cli.scoring_options import without_pandas
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from evalkit.reports.correlation.sources import Automated, People
    from evalkit.store import Store

__all__ = ["correlate"]

_DEPTH = 10


@click.command(
    short_help="Compare votes with automated scores.",
    epilog="Example: evalkit correlate --study demo --db demo/evalkit.db "
    "--per-query demo/per-query.parquet --by query_type -o correlation.html",
)
@click.option("--study", metavar="STUDY", help="People: the votes of a study in the database.")
@click.option(
    "--votes",
    metavar="FILE",
    help="People: a file of votes instead (CSV, TSV, JSON Lines or Parquet).",
)
@click.option(
    "--per-query",
    metavar="FILE",
    help="Scores: what evalkit score --per-query wrote. Without it, the score that is recorded "
    "for --week.",
)
@click.option("--week", metavar="WEEK", help="ISO week of the recorded score, and of the record.")
@click.option(
    "--name",
    metavar="NAME",
    help=f"Name of the recorded score, and of the record (default: {DEFAULT_NAME}).",
)
@click.option(
    "--measures", metavar="NAME,NAME", help="Only these measures (default: all of the scores)."
)
@click.option("--at", metavar="N,N", help="Only these cutoffs (default: all).")
@click.option(
    "--by", metavar="COLUMN,COLUMN", help="Segment by columns of the scores or of the votes."
)
@click.option(
    "--top",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    metavar="N",
    help="List the queries on which people and the measure disagree most.",
)
@click.option(
    "--systems",
    is_flag=True,
    help="Over the history: GSB of every recorded study against the recorded score of the same "
    "week and name. Needs neither votes nor scores.",
)
@click.option("--control", metavar="FILE", help="The run of today, to show lists of --votes.")
@click.option("--treatment", metavar="FILE", help="The run of the change, likewise.")
@click.option("--products", metavar="FILE", help="The catalogue, for titles in those lists.")
@click.option("--queries", metavar="FILE", help="The queries, for their texts.")
@map_option("A file's name for a column: annotator=worker, or votes.query_id=id. Repeatable.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Seed of the bootstrap and of the halves that choose a margin.")  # fmt: skip
@click.option(
    "--draws",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Resamples of the bootstrap; 0 for no intervals.",
)
@output_options(page=True)
@click.option("--record", is_flag=True, help="Keep the result in the study database.")
@memory_option
@database_option
def correlate(
    study: str | None,
    votes: str | None,
    per_query: str | None,
    week: str | None,
    name: str | None,
    form: str | None,
    output: str | None,
    record: bool,
    systems: bool,
    memory_limit: str,
    url: str | None,
    **given: Any,
) -> None:
    """Compare what people prefer with what measures say, query by query.

    Prints, for every measure, how closely its difference between treatment and control follows
    people's votes (Kendall, Spearman, Pearson, same sign, verdicts with kappa, AUC, margin), which
    measure follows them most closely, and where the two part. Votes on queries with identical
    lists do not exist, so those queries are left out.
    """
    from contextlib import ExitStack

    from evalkit.engines import open_engine
    from evalkit.reports.correlation.document import (
        correlation_document,
        over_studies,
        studies_document,
    )

    form = output_form(form, output, page="correlation.html")
    compared = _refuse_settings(study, votes, per_query, week, name, given, systems, record)
    check_outputs(output)
    settings = {
        "measures": words(given["measures"]) if given["measures"] is not None else None,
        "cutoffs": cutoffs(given["at"]) if given["at"] is not None else None,
        "draws": given["draws"],
        "seed": given["seed"],
    }
    target = recording(week, name, url) if record else None
    found, names, automated = None, {}, None
    with without_pandas(), ExitStack() as stack:
        store = None
        if study is not None or systems or (compared and per_query is None):
            store = stack.enter_context(opened(url))
        if compared:
            connection = stack.enter_context(open_engine(memory_limit))
            people = _people(store, connection, study, votes, given)
            automated = _automated(store, connection, per_query, week, name, given)
            document, found = correlation_document(
                people, automated, by=words(given["by"]), top=given["top"], **settings
            )
            names = {
                key: str(entry["query"])
                for key, entry in (automated.lists | people.lists).items()
                if entry.get("query")
            }
            names |= _add_lists(document, connection, given)
        if systems and store is not None:
            over = over_studies(*_history(store, name if not compared else None), **settings)
            if compared:
                document["systems"] = over
                document["warnings"] = [*document["warnings"], *over["warnings"]]
            else:
                document = studies_document(over)
    if target is not None:
        keep(
            target,
            document,
            kind="correlation",
            query_set=automated.query_set if automated is not None else None,
            judge=automated.judge if automated is not None else None,
        )
    _print({**document, "command": called_as()}, found, names, form, output)


def _refuse_settings(
    study: str | None,
    votes: str | None,
    per_query: str | None,
    week: str | None,
    name: str | None,
    given: dict[str, Any],
    systems: bool,
    record: bool,
) -> bool:
    """Whether votes are compared with scores, query by query.

    Raises:
        SettingsError: options are missing, or contradict each other.
    """
    compared = bool(study or votes or per_query)
    if not compared and not systems:
        raise SettingsError(
            "say what people said, with --study STUDY or --votes FILE, and what was scored, with"
            " --per-query FILE or --week WEEK; or --systems for the whole history."
        )
    if study and votes:
        raise SettingsError("give --study or --votes, but not both.")
    if compared and not (study or votes):
        raise SettingsError("say what people said: add --study STUDY or --votes FILE.")
    if compared and per_query is None and week is None:
        raise SettingsError(
            "say what was scored: add --per-query FILE, or --week WEEK for the score that is"
            " recorded for it."
        )
    if week is not None and not record and (per_query is not None or not compared):
        raise SettingsError(
            "--week names the recorded score or, with --record, where the result goes; leave it"
            " out or add --record."
        )
    if name is not None and not record and per_query is not None and not systems:
        raise SettingsError("--name says where a record goes; add --record.")
    if (given["control"] is None) != (given["treatment"] is None):
        raise SettingsError("lists need both --control and --treatment; add the other.")
    if given["products"] is not None and given["control"] is None:
        raise SettingsError("--products are for the lists of --control and --treatment; add them.")
    if not compared:
        if record:
            raise SettingsError(
                "--systems alone looks over what is recorded; leave out --record, or add --study"
                " and a score to compare."
            )
        for option in ("by", "control", "queries"):
            if given[option] is not None:
                raise SettingsError(f"--{option} is for --study or --votes; add one of them.")
    return compared


def _people(
    store: Store | None,
    connection: DuckDBPyConnection,
    study: str | None,
    votes: str | None,
    given: dict[str, Any],
) -> People:
    from evalkit.reports.correlation.sources import people_of_file, people_of_study
    from evalkit.tables import read

    if store is not None and study is not None:
        return people_of_study(store, study)
    mapping = column_names(given["mapped"]).mapping("votes")
    return people_of_file(read("votes", str(votes), connection, mapping=mapping))


def _automated(
    store: Store | None,
    connection: DuckDBPyConnection,
    per_query: str | None,
    week: str | None,
    name: str | None,
    given: dict[str, Any],
) -> Automated:
    from evalkit.reports.correlation.sources import automated_of_file, automated_of_record
    from evalkit.tables import read

    if per_query is None and store is not None:
        return automated_of_record(store, str(week), name or DEFAULT_NAME)
    mapping = column_names(given["mapped"]).mapping("per_query")
    return automated_of_file(read("per_query", str(per_query), connection, mapping=mapping))


def _add_lists(
    document: dict[str, Any], connection: DuckDBPyConnection, given: dict[str, Any]
) -> dict[str, str]:
    """Look up texts and lists in the files that were given for them; gives the texts."""
    from evalkit.reports.correlation.document import with_lists
    from evalkit.reports.correlation.sources import Lists, lists_of_files, query_texts
    from evalkit.tables import read

    named, texts, lists = column_names(given["mapped"]), {}, Lists()
    if given["queries"] is not None:
        mapping = named.mapping("queries")
        texts = query_texts(read("queries", given["queries"], connection, mapping=mapping))
    if given["control"] is not None:
        from evalkit.store.study_files import StudyFiles

        files = StudyFiles(
            given["control"],
            given["treatment"],
            products=given["products"],
            mappings={kind: named.mapping(kind) for kind in ("run", "products")},
        )
        wanted = [row["query_id"] for row in document["disagreements"]]
        depth = max([row["cutoff"] or _DEPTH for row in document["disagreements"]], default=_DEPTH)
        lists = lists_of_files(connection, files, wanted, depth)
    with_lists(document, lists, texts)
    return texts


def _history(store: Store, name: str | None) -> tuple[Any, Any]:
    from evalkit.store import evaluations

    return (
        evaluations(store, kind="study", name=name),
        evaluations(store, kind="score", name=name),
    )


def _print(
    document: dict[str, Any], found: Any, names: dict[str, str], form: str, output: str | None
) -> None:
    from evalkit.reports.correlation.page import write_correlation_page
    from evalkit.reports.correlation.table import (
        format_correlation_csv,
        format_correlation_markdown,
        format_correlation_table,
    )

    emit_document(
        document,
        form,
        output,
        table=format_correlation_table,
        csv=format_correlation_csv,
        markdown=format_correlation_markdown,
        page=lambda document, path: write_correlation_page(document, found, path, names=names),
    )
