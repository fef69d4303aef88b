"""`evalkit study create`: from files to a study."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.database import database_option, opened
from evalkit.cli.options import column_names, map_option, words
from evalkit.cli.output import emit
from evalkit.cli.table_options import FORMATS
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from evalkit.store import Store, StudyDesign
    from evalkit.store.drafting import StudyFiles

__all__ = ["create"]

_LEVELS = {
    2: ("Bad", "Good"),
    3: ("Bad", "Partial", "Good"),
    4: ("Bad", "Fair", "Good", "Perfect"),
}
_REASONS = "relevance,price,brand,missing constraint,duplicates,variety"
_TWINS = 0.03


@click.command(
    short_help="Make a study from two runs.",
    epilog="Example: evalkit study create shoes --control bm25.parquet --treatment dense.parquet "
    "--queries queries.csv --products products.jsonl --overlap 3 --gold gold.csv --seed 7 --open",
)
@click.argument("name", required=False)
@click.option("--control", required=True, metavar="FILE", help="The run of today.")
@click.option("--treatment", required=True, metavar="FILE", help="The run of the change.")
@click.option(
    "--queries",
    metavar="FILE",
    help="The query set with its texts; without it, the queries of both runs. Its columns can be "
    "segments; inclusion_probability says how likely each query was to be drawn.",
)
@click.option("--products", metavar="FILE", help="The catalogue: titles, prices, images, …")
@click.option(
    "--gold",
    metavar="FILE",
    help="Tasks with known answers: query_id and preference (good, same, bad), optionally query, "
    "control and treatment (ids with ; between), explanation, practice. Grade studies: "
    "query_id, product_id, grade.",
)
@click.option("--per-query", metavar="FILE", help="What evalkit score --per-query wrote.")
@click.option(
    "--measure",
    metavar="NAME@N",
    help="Figure of --per-query that says what the automated score thinks (default: its first).",
)
@click.option(
    "--kind",
    type=click.Choice(["sbs", "grade"]),
    default="sbs",
    show_default=True,
    help="Which list is better (sbs), or a grade for every product and page (grade).",
)
@click.option(
    "--scale",
    type=click.Choice(["3", "5"]),
    help="Answers: left, same, right (3), or with much better (5). Default 3.",
)
@click.option(
    "--levels",
    metavar="A,B,C",
    help="Grades of a grade study, worst first, or how many: 2, 3 or 4. Default Bad,Partial,Good.",
)
@click.option(
    "--depth", type=click.IntRange(1, 100), default=10, show_default=True, help="Products a list."
)
@click.option(
    "--overlap", type=click.IntRange(1), default=3, show_default=True, help="Votes a query."
)
@click.option(
    "--twins",
    type=click.FloatRange(0, 1),
    help=f"Share of the queries shown twice, sides exchanged. Default {_TWINS}; not for grades.",
)
@click.option(
    "--identical",
    type=click.Choice(["skip", "show"]),
    default="skip",
    show_default=True,
    help="Queries whose lists are the same: count as the same unseen, or show.",
)
@click.option(
    "--policy",
    type=click.Choice(["random", "disagreement", "uncertain"]),
    default="random",
    show_default=True,
    help="Which queries come first. Only under random may figures be looked at before the end.",
)
@click.option(
    "--by",
    metavar="COLUMN,COLUMN",
    help="Columns of the queries that are segments (default: query_type).",
)
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Draw N queries at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
@click.option(
    "--fields", metavar="A,B", help="Columns of the products to show (default: all but vectors)."
)
@click.option(
    "--reasons", default=_REASONS, show_default=True, metavar="A,B", help="Reasons to offer."
)
@click.option(
    "--image-hosts", metavar="HOST,HOST", help="Hosts that images may come from (default: any)."
)
@click.option(
    "--lease",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    metavar="MINUTES",
    help="How long a task is kept for whoever has it open.",
)
@click.option(
    "--min-dwell",
    type=click.IntRange(0),
    default=600,
    show_default=True,
    metavar="MS",
    help="A vote sooner than this after its task was shown is ignored.",
)
@click.option(
    "--stop-width",
    type=click.FloatRange(0, 200, min_open=True),
    metavar="POINTS",
    help="The study may stop when GSB is known this closely.",
)
@click.option(
    "--stop-when-decided", is_flag=True, help="The study may stop when the win rate is decided."
)
@click.option(
    "--order",
    type=click.Choice(["rank", "score"]),
    help="What orders the runs (default: rank where there is one; TREC files by score).",
)
@click.option(
    "--on-duplicate",
    type=click.Choice(["error", "first"]),
    default="error",
    show_default=True,
    help="A product that a run repeats for a query.",
)
@map_option("A file's name for a column: product_id=asin, or products.title=name.")
@click.option("--run-format", type=FORMATS, help="Format of the runs, if the name is silent.")
@click.option("--queries-format", type=FORMATS, help="Format of the queries.")
@click.option("--products-format", type=FORMATS, help="Format of the products.")
@click.option("--memory-limit", default="600MB", show_default=True, help="Memory to aim at.")
@click.option("--open", "at_once", is_flag=True, help="Open it at once.")
@database_option
def create(name: str | None, at_once: bool, url: str | None, **given: Any) -> None:
    """Make a study from two runs; the database is made if there is none.

    The result lists are kept as they are now, with what is shown of each product. Annotators see
    neither the name of the study nor which run is which. Without NAME it is study-1, study-2, …
    """
    from evalkit.engines import open_engine
    from evalkit.reports.study_table import format_draft
    from evalkit.store import create_study, set_state
    from evalkit.store.designs import check_design, check_tasks
    from evalkit.store.drafting import draft_study
    from evalkit.store.engine import parse_url

    parse_url(url)
    twins = given["twins"]
    if twins is None:
        twins = 0.0 if given["kind"] == "grade" else _TWINS
    if name is not None and not name.strip():
        raise SettingsError("the study's name is empty; give one, or none at all.")
    design, files = _design(name or "study-1", given), _files(given)
    check_design(design)
    with open_engine(given["memory_limit"]) as connection:
        click.echo("Reading the files", err=True)
        draft = draft_study(
            connection,
            files,
            design,
            twins=twins,
            sample=given["sample"],
            measure=given["measure"],
            by=words(given["by"]) if given["by"] is not None else None,
        )
    if at_once and not draft.counts["real"]:
        raise SettingsError(
            "there is nothing to vote on: the lists of every query are the same; compare other "
            "runs, or give --identical show."
        )
    check_tasks(draft.design, draft.tasks)
    click.echo(f"Storing {len(draft.tasks):,} tasks", err=True)
    with opened(url, create=True) as store:
        design = draft.design if name is not None else _named(store, draft.design)
        made = create_study(store, design, draft.tasks)
        if at_once:
            made = set_state(store, made.id, "open")
        text = format_draft(
            made, draft.counts, draft.warnings, store.url, option=_database_words(url)
        )
    emit(text, None)


def _database_words(url: str | None) -> str:
    """What further commands must say to find the database; a password is not repeated."""
    if url is None or "EVALKIT_DB" in os.environ:
        return ""
    if url.startswith("sqlite:///"):
        return f" --db {shlex.quote(url.removeprefix('sqlite:///'))}"
    return " --db …"


def _design(name: str, given: dict[str, Any]) -> StudyDesign:
    from evalkit.store import StudyDesign

    grades = given["kind"] == "grade"
    if grades and given["scale"] is not None:
        raise SettingsError("--scale is for side-by-side studies; a grade study has --levels.")
    if not grades and given["levels"] is not None:
        raise SettingsError("--levels are for grade studies; add --kind grade.")
    if grades and (given["stop_width"] is not None or given["stop_when_decided"]):
        raise SettingsError("--stop-width and --stop-when-decided are for side-by-side studies.")
    hosts = given["image_hosts"]
    return StudyDesign(
        name,
        kind=given["kind"],
        scale=int(given["scale"] or 3),
        levels=_levels(given["levels"] or "3"),
        depth=given["depth"],
        overlap=given["overlap"],
        seed=given["seed"],
        policy=given["policy"],
        identical=given["identical"],
        lease_ms=given["lease"] * 60_000,
        min_dwell_ms=given["min_dwell"],
        stop_width=given["stop_width"],
        stop_when_decided=given["stop_when_decided"],
        image_hosts=tuple(words(hosts)) if hosts is not None else None,
        reasons=tuple(words(given["reasons"])),
    )


def _levels(text: str) -> tuple[tuple[int, str], ...]:
    """Read `Bad,Partial,Good` or the number of levels."""
    names = words(text)
    if len(names) == 1 and names[0].isdigit():
        names = list(_LEVELS.get(int(names[0]), ()))
    if len(names) not in _LEVELS or len({name.casefold() for name in names}) < len(names):
        raise SettingsError(
            f"--levels {text!r} are not 2, 3 or 4 different words; write Bad,Partial,Good, or 3."
        )
    return tuple(enumerate(names))


def _files(given: dict[str, Any]) -> StudyFiles:
    from evalkit.store.drafting import StudyFiles

    columns = column_names(given["mapped"])
    fields = given["fields"]
    return StudyFiles(
        control=given["control"],
        treatment=given["treatment"],
        queries=given["queries"],
        products=given["products"],
        gold=given["gold"],
        per_query=given["per_query"],
        mappings={
            kind: columns.mapping(kind) for kind in ("run", "queries", "products", "per_query")
        },
        formats={
            "run": given["run_format"],
            "queries": given["queries_format"],
            "products": given["products_format"],
        },
        order=given["order"],
        on_duplicate=given["on_duplicate"],
        fields=words(fields) if fields is not None else None,
    )


def _named(store: Store, design: StudyDesign) -> StudyDesign:
    from dataclasses import replace

    from evalkit.store import studies

    taken = {each.name for each in studies(store)}
    numbers = range(1, len(taken) + 2)
    return replace(design, name=next(f"study-{n}" for n in numbers if f"study-{n}" not in taken))
