"""`evalkit score` and `evalkit diff`: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.options import words
from evalkit.cli.output import (
    check_outputs,
    color,
    emit,
    emit_document,
    output_form,
    output_options,
    table_or_json,
    width,
)
from evalkit.cli.recording import judge_of, keep, record_options, recording_if
from evalkit.cli.scoring_options import (
    input_options,
    read_given,
    scoring_settings,
    without_pandas,
)
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from evalkit.circularity import FilteredPairs
    from evalkit.reports.query_moves import Move
    from evalkit.scoring import Inputs

__all__ = ["diff", "score"]


def _compared(controls: tuple[str, ...], treatments: tuple[str, ...]) -> dict[str, str]:
    """Name a control and a treatment, or those of several seeds by their places."""
    if not controls or not treatments:
        raise SettingsError("give both --control and --treatment, or --run for single runs.")
    if len(controls) not in (1, len(treatments)):
        raise SettingsError(
            f"there are {len(controls)} --control and {len(treatments)} --treatment; give one "
            "--control, or one for the seed of each --treatment, in the same order."
        )
    return {**_by_place("control", controls), **_by_place("treatment", treatments)}


def _by_place(name: str, paths: tuple[str, ...]) -> dict[str, str]:
    if len(paths) == 1:
        return {name: paths[0]}
    return {f"{name}_{place}": path for place, path in enumerate(paths, start=1)}


def _single(runs: tuple[str, ...]) -> dict[str, str]:
    """Name single runs: NAME=FILE, or by the file's name."""
    named: dict[str, str] = {}
    for run in runs:
        name, equals, path = run.partition("=")
        if not equals or Path(run).exists():
            name, path = Path(run).name.split(".")[0] or "run", run
        if not name or not path:
            raise SettingsError(f"--run {run!r} is not understood; write --run NAME=FILE.")
        if name in named:
            raise SettingsError(f"two runs are called {name!r}; write --run NAME=FILE.")
        named[name] = path
    return named


def _biggest(document: dict[str, Any], per_query: Any, count: int) -> list[Move]:
    """The biggest wins and then the biggest losses of the first primary measure."""
    from evalkit.reports.query_moves import biggest_moves
    from evalkit.reports.score_document import first_cutoff, primary_measures

    measures = primary_measures(document)
    if not measures:
        return []
    cutoff = first_cutoff(document, measures[0])
    wins, losses = biggest_moves(per_query, measures[0], cutoff, count=count)
    return [*wins, *losses]


@click.command(
    epilog="Example: evalkit score --control bm25.parquet --treatment dense.parquet "
    "--judgments judgments.csv --queries queries.csv --by query_type --good 2 -o report.html"
)
@click.option(
    "--control",
    "controls",
    multiple=True,
    metavar="FILE",
    help="The run of today; several are paired with the treatments by place.",
)
@click.option(
    "--treatment",
    "treatments",
    multiple=True,
    metavar="FILE",
    help="The run of the change; several are of one system, trained with other seeds.",
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="A single run, scored by itself; repeatable.",
)
@input_options
@click.option(
    "--page-grades",
    metavar="FILE",
    help="People's grades of result pages (good, mid, bad), for Query Goodrate.",
)
@click.option(
    "--at",
    default="10",
    show_default=True,
    metavar="N,N",
    help="Cutoffs; the first is the primary one.",
)
@click.option(
    "--by", default=None, metavar="COLUMN,COLUMN", help="Segment by columns of the queries."
)
@click.option(
    "--cluster",
    metavar="COLUMN",
    help="Column of the queries, such as family: queries with the same value belong together, and "
    "intervals and tests are over these families.",
)
@click.option(
    "--measures",
    metavar="NAME,NAME",
    help="item_goodrate, query_goodrate, gsb, ndcg, precision, recall, success, mrr, map, bpref, "
    "judged.",
)
@click.option("--primary", metavar="NAME,NAME", help="Measures that Holm's correction covers.")
@click.option(
    "--ci",
    type=click.Choice(["default", "bootstrap"]),
    default="default",
    show_default=True,
    help="Intervals.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the swap test and the bootstrap.",
)
@output_options(page=True)
@click.option("--per-query", metavar="FILE", help="Also write the values of every query.")
@click.option(
    "--judge",
    metavar="NAME",
    help="Who judged (default: the model in the manifest of the judgments).",
)
@click.option(
    "--trained-on",
    multiple=True,
    metavar="[RUN=]FILE",
    help="Training pairs of a run's model (default run: treatment), to warn where the judge "
    "filtered them; repeatable. What the manifests of runs and models tell is found anyway.",
)
@record_options
def score(
    controls: tuple[str, ...],
    treatments: tuple[str, ...],
    runs: tuple[str, ...],
    at: str,
    by: str | None,
    cluster: str | None,
    measures: str | None,
    primary: str | None,
    ci: str,
    seed: int,
    form: str | None,
    output: str | None,
    per_query: str | None,
    judge: str | None,
    trained_on: tuple[str, ...],
    record: bool,
    week: str | None,
    record_name: str | None,
    url: str | None,
    **given: Any,
) -> None:
    """Compare a treatment run with a control run, or score single runs.

    Prints each measure with its 95% interval, paired test, detectable difference and judged
    share, overall and by segment. Exit code 2 on bad input or settings.

    Several --treatment are one system trained with several seeds: Δ is the mean over seeds, and
    its interval holds for new queries and new seeds (Item and Query Goodrate only).
    """
    from evalkit.engines import open_engine
    from evalkit.reports.score_exports import format_csv
    from evalkit.reports.score_page import write_page
    from evalkit.reports.score_table import format_markdown, format_table
    from evalkit.scoring import moved_lists, score_inputs
    from evalkit.tables import write

    if bool(runs) == bool(controls or treatments):
        raise SettingsError("give --control and --treatment, or --run (repeatable), but not both.")
    named = _single(runs) if runs else _compared(controls, treatments)
    seeds = len(treatments) > 1
    form = output_form(form, output, page="report.html")
    check_outputs(output, per_query)
    settings: dict[str, Any] = {
        **scoring_settings(given, at),
        "by": words(by),
        "ci": ci,
        "seed": seed,
    }
    if measures is not None:
        settings["measures"] = words(measures)
    elif seeds:
        settings["measures"] = ["item_goodrate", "query_goodrate"]
    if runs and primary is not None:
        raise SettingsError("--primary is for comparisons; single runs are not tested.")
    if cluster is not None:
        if runs:
            raise SettingsError("--cluster is for comparisons; leave it out with --run.")
        settings["cluster"] = cluster
    if seeds and record:
        raise SettingsError("--record keeps one run against another; give one --treatment.")
    record_as = recording_if(record, week, record_name, url)
    trained = _trained_on(trained_on, list(named))
    with without_pandas(), open_engine(given["memory_limit"]) as connection:
        inputs = read_given(connection, named, given, compared=not runs)
        document, values = score_inputs(
            inputs,
            source=given["source"],
            aggregate=given["aggregate"],
            primary=words(primary) if primary is not None else None,
            judge=judge_of(given["judgments"], inputs.judgments.fingerprint, judge),
            **settings,
        )
        document["warnings"] = [*_circular(inputs, document, trained), *document["warnings"]]
        if per_query is not None:
            write(values, per_query, kind="per_query", connection=connection)
        lists: dict[str, Any] = {}
        moved: list[Move] = []
        if not runs and (form == "html" or record_as is not None):
            from metrics import Scoring

            moved = _biggest(document, values, 10)
            scoring = Scoring(**scoring_settings(given, at))
            if not seeds:
                lists = moved_lists(inputs, document, [move.query_id for move in moved], scoring)
        emit_document(
            document,
            form,
            output,
            table=format_table,
            csv=format_csv,
            markdown=format_markdown,
            page=lambda document, path: write_page(document, values, path, lists=lists),
        )
        if record_as is not None:
            keep(
                record_as,
                {**document, "lists": {**lists, "moves": [_described(move) for move in moved]}},
                query_set=document["query_set"]["fingerprint"],
                judge=document["judge"]["name"],
                values=values,
            )


def _trained_on(options: tuple[str, ...], names: list[str]) -> dict[str, list[FilteredPairs]]:
    """Read the manifests of training pairs, by the run whose model was trained on them.

    Raises:
        InputError: pairs without their manifest.
        SettingsError: there is no such run, or several and none is named.
    """
    from evalkit.circularity import filtered_pairs

    found: dict[str, list[FilteredPairs]] = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not equals or (name not in names and Path(option).exists()):
            name, path = names[-1], option
            if len(names) > 1 and "treatment" not in names:
                raise SettingsError(
                    f"--trained-on {option}: there are several runs; write --trained-on "
                    f"{names[0]}={option}."
                )
        if name not in names:
            raise SettingsError(
                f"--trained-on {option}: there is no run {name!r}; there are {', '.join(names)}."
            )
        found.setdefault(name, []).append(filtered_pairs(path))
    return found


def _circular(
    inputs: Inputs, document: dict[str, Any], trained: dict[str, list[FilteredPairs]]
) -> list[str]:
    """Warn of runs whose model was trained on what their judge selected."""
    from evalkit.circularity import circular_warning, judge_models, pairs_behind

    judge = document["judge"]
    models = judge_models(inputs.judgments.path, inputs.judgments.fingerprint)
    found = [
        circular_warning(
            name, judge["name"], models,
            [*trained.get(name, []), *pairs_behind(table.path, table.fingerprint)],
        )
        for name, table in inputs.runs.items()
    ]  # fmt: skip
    if trained and not models and judge["source"] != "human":
        found.append(
            f"{inputs.judgments.path} has no manifest that names its judge, so nobody can tell "
            "whether that judge also filtered the training data."
        )
    return [text for text in found if text is not None]


def _described(move: Move) -> dict[str, Any]:
    names = ("query_id", "delta", "control", "treatment")
    return {name: getattr(move, name) for name in names}


@click.command(
    epilog="Example: evalkit diff --control bm25.parquet --treatment dense.parquet "
    "--judgments judgments.csv --queries queries.csv --products products.jsonl --good 2 -n 5"
)
@click.option("--control", metavar="FILE", required=True, help="The run of today.")
@click.option("--treatment", metavar="FILE", required=True, help="The run of the change.")
@input_options
@click.option("--at", default="10", show_default=True, metavar="N", help="Cutoff.")
@click.option("--measure", default="item_goodrate", show_default=True, help="What moved.")
@click.option(
    "-n", "--count", type=click.IntRange(1), default=10, show_default=True, help="Queries to list."
)
@table_or_json
@click.option("-o", "--output", metavar="FILE", help="Write here instead of standard output.")
def diff(
    control: str,
    treatment: str,
    at: str,
    measure: str,
    count: int,
    form: str,
    output: str | None,
    **given: Any,
) -> None:
    """List the queries that moved most, with both result lists side by side.

    Exit code 2 on bad input or settings.
    """
    from evalkit.engines import open_engine
    from evalkit.reports.query_diff import diff_entries, format_diff, format_diff_json
    from evalkit.scoring import moved_lists, score_inputs
    from metrics import Scoring

    settings = scoring_settings(given, at)
    check_outputs(output)
    with without_pandas(), open_engine(given["memory_limit"]) as connection:
        inputs = read_given(connection, _compared((control,), (treatment,)), given, compared=True)
        document, values = score_inputs(
            inputs,
            source=given["source"],
            aggregate=given["aggregate"],
            measures=[measure],
            **settings,
        )
        cutoff = document["results"][0]["cutoff"]
        ids = [
            entry["query_id"] for entry in diff_entries(values, {}, measure, cutoff, count=count)
        ]
        lists = moved_lists(inputs, document, ids, Scoring(**settings))
        entries = diff_entries(values, lists, measure, cutoff, count=count)
    if form == "json":
        emit(format_diff_json(entries), output)
    else:
        emit(format_diff(entries, width=width(output) or 120, color=color(output)), output)
