"""`evalkit plan`: how many queries and votes does a difference need?"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import click

from evalkit.cli.database import database_option, opened
from evalkit.cli.options import column_names, cutoffs, map_option, memory_option, words
from evalkit.cli.output import check_outputs, emit_document, output_form, output_options
from evalkit.cli.recording import DEFAULT_NAME, called_as
from evalkit.cli.scoring_options import without_pandas
from evalkit.cli.table_options import VOTE_FORMATS
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from metrics import SamplePlan

__all__ = ["plan"]

_PILOTS = ("per_query", "votes", "study", "week", "expect")
_OF_SCORES = ("measures", "at")
_OF_VOTES = ("overlap", "agreement")
_OPTIONS = {"measures": "--measures", "cutoffs": "--at", "overlaps": "--overlap"}


@click.command(
    short_help="Queries and votes that a difference needs.",
    epilog="Example: evalkit plan --per-query demo/per-query.parquet --delta 2 --by query_type",
)
@click.option(
    "--per-query",
    metavar="FILE",
    help="Pilot of two runs: what evalkit score --per-query wrote.",
)
@click.option("--week", metavar="WEEK", help="Pilot of two runs: the score recorded for a week.")
@click.option(
    "--name", metavar="NAME", help=f"Name of the recorded score (default: {DEFAULT_NAME})."
)
@click.option("--votes", metavar="FILE", help="Pilot of people's votes: a file of votes.")
@click.option("--study", metavar="STUDY", help="Pilot of people's votes: those of a study.")
@click.option(
    "--expect",
    metavar="G,S,B",
    help="Votes without a pilot: shares of Good, Same and Bad that are expected, as 30,50,20.",
)
@click.option(
    "--delta",
    type=click.FloatRange(0.01),
    metavar="POINTS",
    help="The true difference to be found, in points; of votes in GSB.",
)
@click.option(
    "--power",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.8,
    show_default=True,
    metavar="CHANCE",
    help="Chance of finding it.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    metavar="LEVEL",
    help="Two-sided level of the test, not adjusted for several tests.",
)
@click.option(
    "--queries",
    type=click.IntRange(2),
    metavar="N",
    help="Queries there are: what do they find? (default: the pilot's)",
)
@click.option("--measures", metavar="NAME,NAME", help="Only these measures (default: all).")
@click.option("--at", metavar="N,N", help="Only these cutoffs (default: all).")
@click.option("--by", metavar="COLUMN,COLUMN", help="Also by segment: columns of the pilot.")
@click.option("--overlap", metavar="N,N", help="Votes a query to compare (default: 1,2,3,4,5).")
@click.option(
    "--agreement",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Share of pairs of votes that say the same, as evalkit gsb prints it (default: the "
    "pilot's).",
)
@click.option(
    "--simulate",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Check the power on so many samples drawn from the pilot.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of these samples."
)
@map_option("The file's name for a column: annotator=worker. Repeatable.")
@click.option(
    "--input-format",
    type=VOTE_FORMATS,
    help="Format of the pilot, where the name does not tell.",
)
@output_options(page=False)
@memory_option
@database_option
def plan(form: str | None, output: str | None, **given: Any) -> None:
    """Print how many queries, and votes on them, it takes to find a difference.

    A pilot tells how much queries vary: two runs that were scored (--per-query or --week), or
    people's votes (--votes or --study). Planned is the test that is printed; what it finds at the
    pilot's size stands beside.
    """
    from evalkit.reports.plan import plan_document
    from evalkit.reports.plan_table import (
        format_plan_csv,
        format_plan_markdown,
        format_plan_table,
    )
    from metrics import MetricsError

    form = output_form(form, output, pageless="plans have no page")
    pilot = _pilot(given)
    asked: dict[str, Any] = {
        "delta": None if given["delta"] is None else given["delta"] / 100,
        **{name: given[name] for name in ("power", "alpha", "queries", "simulate", "seed")},
    }
    check_outputs(output)
    with without_pandas():
        try:
            found, source, inputs = _planned(pilot, given, asked)
        except MetricsError as error:
            source = "--expect" if pilot == "expect" else str(given[pilot])
            about = _OPTIONS.get(error.setting or "", source)
            raise SettingsError(f"{about}: {error}.") from error
    document = {**plan_document(found, source=source, inputs=inputs), "command": called_as()}
    emit_document(
        document,
        form,
        output,
        table=format_plan_table,
        csv=format_plan_csv,
        markdown=format_plan_markdown,
    )


def _pilot(given: dict[str, Any]) -> str:
    """The option that names the pilot.

    Raises:
        SettingsError: there is none or several, or options of another kind of pilot.
    """
    named = [name for name in _PILOTS if given[name] is not None]
    if len(named) != 1:
        raise SettingsError(
            "give one pilot: --per-query FILE or --week WEEK of scored runs, --votes FILE or "
            "--study STUDY of votes, or --expect G,S,B."
        )
    pilot = named[0]
    scores = pilot in ("per_query", "week")
    for name in _OF_VOTES if scores else _OF_SCORES:
        if given[name] is not None:
            what = "votes" if scores else "scored runs"
            raise SettingsError(f"--{name} is for {what}; leave it out.")
    if given["name"] is not None and pilot != "week":
        raise SettingsError("--name is of a recorded score; add --week.")
    if given["by"] is not None and pilot == "expect":
        raise SettingsError("--by needs a pilot; --expect has no segments.")
    if given["delta"] is None and given["queries"] is None and pilot != "expect":
        raise SettingsError(
            "say which difference is to be found, as --delta 2 (points), or with --queries N how "
            "many queries there are."
        )
    for name in ("mapped", "input_format"):
        if given[name] and pilot not in ("per_query", "votes"):
            option = "--map" if name == "mapped" else "--input-format"
            raise SettingsError(f"{option} is for a file; leave it out.")
    return pilot


def _planned(
    pilot: str, given: dict[str, Any], asked: dict[str, Any]
) -> tuple[SamplePlan, str, tuple[dict[str, Any], ...]]:
    """The plan, what it was made from, and what was read."""
    from evalkit.engines import open_engine
    from evalkit.reports.correlation import sources
    from evalkit.tables import read
    from metrics import plan_comparison, plan_shares, plan_votes

    by = words(given["by"])
    scored: dict[str, Any] = {**asked, "by": by, "measures": words(given["measures"])}
    if given["at"] is not None:
        scored["cutoffs"] = cutoffs(given["at"])
    voted: dict[str, Any] = {**asked, "agreement": given["agreement"]}
    if given["overlap"] is not None:
        voted["overlaps"] = _numbers(given["overlap"])
    if pilot == "expect":
        good, same, bad = _shares(given["expect"])
        return plan_shares(good, same, bad, **voted), f"expected shares {given['expect']}", ()
    found: sources.People | sources.Automated
    with ExitStack() as stack:
        if pilot in ("week", "study"):
            store = stack.enter_context(opened(given["url"]))
            if pilot == "study":
                found = sources.people_of_study(store, given["study"])
            else:
                name = given["name"] or DEFAULT_NAME
                found = sources.automated_of_record(store, given["week"], name)
        else:
            connection = stack.enter_context(open_engine(given["memory_limit"]))
            kind: Literal["votes", "per_query"] = "votes" if pilot == "votes" else "per_query"
            table = read(
                kind,
                given[pilot],
                connection,
                format=given["input_format"],
                mapping=column_names(given["mapped"]).mapping(kind),
            )
            of_file = sources.people_of_file if kind == "votes" else sources.automated_of_file
            found = of_file(table)
        if isinstance(found, sources.People):
            plan = plan_votes(found.votes, by=by, **voted)
        else:
            plan = plan_comparison(found.values, **scored)
        return plan, found.source, found.inputs


def _numbers(text: str) -> list[int]:
    try:
        found = [int(word) for word in words(text)]
    except ValueError:
        found = []
    if not found:
        raise SettingsError(f"--overlap {text!r} is not a list of whole numbers; write 1,3,5.")
    return found


def _shares(text: str) -> list[float]:
    try:
        found = [float(word) for word in words(text)]
    except ValueError:
        found = []
    if len(found) != 3:
        raise SettingsError(f"--expect {text!r} is not understood; write G,S,B as 30,50,20.")
    return found
