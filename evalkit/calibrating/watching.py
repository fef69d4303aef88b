"""A judge on a gold set over weeks: from files, or from what was recorded, to a document.

What is kept of a week are the grades of judge and gold set on every gold pair, so that a chart can
be drawn anew under other settings. Weeks with another gold set are never joined with the rest.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from evalkit.tables import Table

__all__ = ["drift_document", "gold_fingerprint", "gold_week", "week_fingerprint"]


def gold_week(
    gold: Table, judgments: Table, *, source: str | None = None, aggregate: Any = None
) -> pa.Table:
    """Put a judge's grades beside those of the gold set.

    Args:
        gold: judgments that are taken for right.
        judgments: the judge's of a week.
        source: the source of the judge's grades, where the file has several.
        aggregate: how several grades of a gold pair, or of the judge's, become one.

    Returns:
        `query_id, product_id, gold, grade`, a row a gold pair in the order of the ids; `grade` is
        null where the judge gave none.

    Raises:
        InputError: the two have no pair in common.
        SettingsError: a pair has several grades, and nothing says how they become one.
    """
    import narwhals as nw

    from metrics import MetricsError, one_grade

    frames = []
    for table, chosen in ((gold, None), (judgments, source)):
        try:
            one = one_grade(table.relation, source=chosen, aggregate=aggregate)
        except MetricsError as error:
            remedy = f": use --{error.setting}" if error.setting else ""
            raise SettingsError(f"{table.path}: {error}{remedy}.") from error
        frames.append(nw.from_native(one))
    keys = ["query_id", "product_id"]
    joined = frames[0].rename({"grade": "gold"}).join(frames[1], on=keys, how="left")
    found: pa.Table = (
        joined.select(*keys, "gold", "grade").sort(*keys).collect(backend="pyarrow").to_native()
    )
    if found["grade"].null_count == len(found):
        raise InputError(
            judgments.path,
            [Problem(f"grades no pair of {gold.path}")],
            remedy="Judge the gold pairs every week; check that the ids are the same.",
        )
    return found


def gold_fingerprint(values: pa.Table) -> str:
    """`sha256:...` of the gold pairs and their grades."""
    return _hash([values[name].to_pylist() for name in ("query_id", "product_id", "gold")])


def week_fingerprint(values: pa.Table, judge: str, settings: Mapping[str, Any]) -> str:
    """`sha256:...` of what a judge said of the gold pairs; tells a repetition from a change."""
    columns = [values[name].to_pylist() for name in values.column_names]
    return _hash([columns, judge, dict(settings)])


def _hash(content: Any) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def drift_document(
    weeks: Mapping[str, pa.Table],
    *,
    judge: str | None,
    gold: str | None = None,
    baseline: Sequence[str] = (),
    inputs: Sequence[Mapping[str, Any]] = (),
    **settings: Any,
) -> dict[str, Any]:
    """Chart a judge over weeks.

    Args:
        weeks: per ISO week what `gold_week` returned, in any order.
        judge: its name.
        gold: path of the gold set of the latest week.
        baseline: weeks that show the judge as it should be; the first of the latest gold set by
            default.
        inputs: path, fingerprint and rows of what was read.
        **settings: keywords of `metrics.judge_drift`.

    Returns:
        The document: `results` holds all weeks, `chart` those of the latest gold set.

    Raises:
        SettingsError: the frames cannot be charted under these settings.
    """
    from metrics import MetricsError, judge_drift

    groups: dict[str, list[str]] = {}
    for week in sorted(weeks):
        groups.setdefault(gold_fingerprint(weeks[week]), []).append(week)
    latest = gold_fingerprint(weeks[max(weeks)])
    _refuse_baseline(groups, latest, baseline)
    rows: dict[str, dict[str, Any]] = {}
    warnings: list[str] = []
    documents: dict[str, dict[str, Any]] = {}
    for fingerprint, names in groups.items():
        first = weeks[names[0]]
        frames = {week: _graded(weeks[week]) for week in names}
        try:
            found = judge_drift(
                first.select(["query_id", "product_id", "gold"]).rename_columns(
                    ["query_id", "product_id", "grade"]
                ),
                frames,
                baseline=tuple(baseline) if fingerprint == latest else (),
                check=False,
                **settings,
            ).to_dict()
        except MetricsError as error:
            remedy = f": use --{error.setting.replace('_', '-')}" if error.setting else ""
            raise SettingsError(f"{error}{remedy}.") from error
        documents[fingerprint] = found
        if fingerprint == latest:
            warnings += found["warnings"]
        for row in found["results"]:
            rows[row["week"]] = row
            if fingerprint != latest:
                other = f"another gold set ({found['pairs']:,} pairs): not joined"
                row["note"] = f"{other}; {row['note']}" if row["note"] else other
    others = [week for week in sorted(weeks) if gold_fingerprint(weeks[week]) != latest]
    if others:
        warnings.insert(
            0,
            f"The gold set changed: {', '.join(others)} had another one, and "
            f"{'is' if len(others) == 1 else 'are'} not joined with the later weeks.",
        )
    found = documents[latest]
    return {
        "kind": "judge",
        "judge": judge,
        "settings": found["settings"],
        "gold": {"pairs": found["pairs"], "fingerprint": latest, "path": gold},
        "warnings": warnings,
        "results": [rows[week] for week in sorted(rows)],
        "chart": found["chart"],
        "inputs": [dict(each) for each in inputs],
    }


def _graded(values: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    return values.filter(pc.is_valid(values["grade"])).select(["query_id", "product_id", "grade"])


def _refuse_baseline(
    groups: Mapping[str, Sequence[str]], latest: str, baseline: Sequence[str]
) -> None:
    missing = [week for week in baseline if week not in groups[latest]]
    if missing:
        elsewhere = any(missing[0] in names for names in groups.values())
        why = "had another gold set" if elsewhere else "is not among the weeks"
        raise SettingsError(
            f"--baseline {missing[0]} {why}; there are: {', '.join(groups[latest])}."
        )
