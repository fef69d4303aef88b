"""`evalkit drift`: is the judge still the one it was?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.database import opened
from evalkit.cli.options import column_names, map_option, memory_option, one_grade_option, words
from evalkit.cli.output import check_outputs, emit_document, output_form, output_options
from evalkit.cli.recording import (
    DEFAULT_NAME,
    called_as,
    judge_of,
    keep,
    record_options,
    recording,
)
from evalkit.cli.scoring_options import without_pandas
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["drift"]


@click.command(
    short_help="Watch a judge over weeks on a gold set.",
    epilog="Example: evalkit drift --gold gold.csv --judgments judge.csv --judge 'classifier v2' "
    "--good 2 --record --week 2026-W47",
)
@click.option("--gold", metavar="FILE", help="Judgments that are taken for right.")
@click.option(
    "--judgments",
    multiple=True,
    metavar="[WEEK=]FILE",
    help="The judge's grades of the gold pairs; repeatable with a week each.",
)
@click.option(
    "--judge",
    metavar="NAME",
    help="Which judge (default: the manifest of its judgments). Without --gold, the recorded "
    "weeks of this judge are charted.",
)
@click.option(
    "--baseline",
    metavar="WEEK,WEEK",
    help="Weeks that show the judge as it should be (default: the first).",
)
@click.option("--good", type=float, metavar="GRADE",
              help="Smallest grade that is good (default: as recorded, else 1).")  # fmt: skip
@click.option("--good-labels", metavar="E,S", help="Labels that are good, for text grades.")
@click.option("--judge-good", type=float, metavar="GRADE",
              help="Smallest grade of the judge that is good (default: as --good).")  # fmt: skip
@click.option("--source", help="Source of the judge's grades, where a file has several.")
@one_grade_option
@map_option("The files' name for a column: product_id=asin.")
@output_options(page=True)
@memory_option
@record_options
def drift(
    gold: str | None,
    judgments: tuple[str, ...],
    form: str | None,
    output: str | None,
    **given: Any,
) -> None:
    """Compare a judge with the same gold set week by week, on a control chart.

    With --record, a week joins the recorded weeks of this judge. A signal says that the judge has
    changed: figures that rest on its grades then do not compare with those before. Exit code 2 on
    bad input or settings.
    """
    from evalkit.calibrating import drift_document

    form = output_form(form, output, page="drift.html")
    files = _files(gold, judgments, given)
    check_outputs(output)
    weeks, judge, inputs = _read(gold, files, given) if gold is not None else ({}, None, [])
    judge = given["judge"] or judge
    if given["record"] and judge is None:
        raise SettingsError("a record needs the name of the judge; add --judge NAME.")
    named = given["record_name"] or DEFAULT_NAME
    kept, settings, path = ({}, {}, None) if gold and not given["record"] else _recorded(
        given, judge, named
    )  # fmt: skip
    settings = {**settings, **_settings(given)}
    judge = judge or settings.pop("judge", None)
    settings.pop("judge", None)
    baseline = words(given["baseline"])
    for week in sorted(weeks) if given["record"] else ():
        sofar = {name: values for name, values in {**kept, **weeks}.items() if name <= week}
        document = drift_document(
            sofar, judge=judge, gold=gold, inputs=inputs, **settings,
            baseline=[name for name in baseline if name in sofar],
        )  # fmt: skip
        _keep(document, week, weeks[week], named, given["url"])
    every = {**kept, **weeks}
    document = drift_document(
        every, judge=judge, gold=gold or path, baseline=baseline, inputs=inputs, **settings
    )
    _print({**document, "command": called_as()}, form, output)


def _files(
    gold: str | None, judgments: tuple[str, ...], given: dict[str, Any]
) -> list[tuple[str, str]]:
    """Weeks and paths of the judgments.

    Raises:
        SettingsError: options do not go together, or a week is named twice.
    """
    if bool(gold) != bool(judgments):
        raise SettingsError("give --gold and --judgments together; or --judge for recorded weeks.")
    if not gold:
        if given["record"]:
            raise SettingsError("--record keeps what is read; add --gold and --judgments.")
        if given["week"] is not None:
            raise SettingsError("--week is the week of --judgments; add --gold and --judgments.")
        return []
    if not given["record"] and given["url"] is not None:
        raise SettingsError("--db is for --record and for recorded weeks; add --record.")
    found: list[tuple[str, str]] = []
    for text in judgments:
        week, equals, path = text.partition("=")
        if not equals or not path:
            week, path = given["week"] or "", text
        if not week and len(judgments) > 1:
            raise SettingsError(f"--judgments {text}: say the week, --judgments 2026-W47={text}.")
        found.append((_week(week), path))
    repeated = {week for week, _ in found if [name for name, _ in found].count(week) > 1}
    if repeated:
        raise SettingsError(f"two --judgments are of {min(repeated)}; give each week once.")
    return found


def _week(week: str) -> str:
    from evalkit.store import check_week, current_week

    return check_week(week) if week else current_week()


def _read(
    gold: str, files: list[tuple[str, str]], given: dict[str, Any]
) -> tuple[dict[str, pa.Table], str | None, list[dict[str, Any]]]:
    """The judge's grades beside the gold set week by week, who judged, and what was read."""
    from evalkit.calibrating import gold_week
    from evalkit.engines import open_engine
    from evalkit.tables import read

    mapping = column_names(given["mapped"]).mapping("judgments")
    weeks, names, tables = {}, set(), []
    with without_pandas(), open_engine(given["memory_limit"]) as connection:
        truth = read("judgments", gold, connection, mapping=mapping)
        tables.append(truth)
        for week, path in files:
            table = read("judgments", path, connection, mapping=mapping)
            tables.append(table)
            weeks[week] = gold_week(
                truth, table, source=given["source"], aggregate=given["aggregate"]
            )
            names.add(judge_of(path, table.fingerprint, given["judge"])[0])
    inputs = [
        {"path": table.path, "fingerprint": table.fingerprint, "rows": table.rows}
        for table in tables
    ]
    return weeks, names.pop() if len(names) == 1 else None, inputs


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """Settings that were given; the rest is as recorded, or as `metrics.judge_drift` has it."""
    found: dict[str, Any] = {
        name: given[name] for name in ("good", "judge_good") if given[name] is not None
    }
    if given["good_labels"] is not None:
        found["good_labels"] = tuple(words(given["good_labels"]))
    return found


def _recorded(
    given: dict[str, Any], judge: str | None, name: str
) -> tuple[dict[str, pa.Table], dict[str, Any], str | None]:
    """Recorded weeks of a judge, the settings of the latest, and the path of its gold set.

    Raises:
        SettingsError: nothing is recorded, or of several judges.
    """
    from evalkit.store import evaluation_values, evaluations

    if given["record"]:
        recording(given["week"] or _week(""), given["record_name"], given["url"])
    with opened(given["url"]) as store:
        records = evaluations(store, kind="judge", name=name)
        judges = sorted({str(record.judge) for record in records})
        if judge is None and len(judges) == 1:
            judge = judges[0]
        records = [record for record in records if record.judge == judge]
        if not records and not given["record"]:
            there = f"there are: {', '.join(judges)}" if judges else "nothing is recorded yet"
            asked = f"judge {judge!r}" if judge else "a judge"
            raise SettingsError(f"no week of {asked} is recorded under {name!r}; {there}.")
        values = {record.week: evaluation_values(store, record.id) for record in records}
    if not records:
        return {}, {}, None
    latest = records[-1].document
    settings = {
        key: value
        for key, value in latest["settings"].items()
        if key in ("good", "good_labels", "judge_good") and value is not None
    }
    return (
        {week: table for week, table in values.items() if table is not None},
        {**settings, "judge": judge},
        latest["gold"]["path"],
    )


def _keep(
    document: dict[str, Any], week: str, values: pa.Table, name: str, url: str | None
) -> None:
    from evalkit.calibrating import week_fingerprint
    from evalkit.store import evaluations

    with opened(url) as store:
        before = evaluations(store, kind="judge", name=name, week=week)
    if before and before[0].judge != document["judge"]:
        raise SettingsError(
            f"{name} of {week} holds the judge {before[0].judge!r}; record {document['judge']!r} "
            "under another --name."
        )
    keep(
        recording(week, name, url),
        document,
        kind="judge",
        fingerprint=week_fingerprint(values, document["judge"], document["settings"]),
        query_set=document["gold"]["fingerprint"],
        judge=document["judge"],
        values=values,
    )


def _print(document: dict[str, Any], form: str, output: str | None) -> None:
    from evalkit.reports.drift_page import write_drift_page
    from evalkit.reports.drift_table import (
        format_drift_csv,
        format_drift_markdown,
        format_drift_table,
    )

    emit_document(
        document,
        form,
        output,
        table=format_drift_table,
        csv=format_drift_csv,
        markdown=format_drift_markdown,
        page=write_drift_page,
    )
