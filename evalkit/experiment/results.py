"""The table of an experiment's results: every system on every set, beside control and treatment.

Figures are those of the score documents, in points (hundredths). What a document does not say is
not worked out here, except the mean over the seeds of a system.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError
from evalkit.experiment.scores import MEASURES, comparisons, runs_compared
from evalkit.experiment.stages import seconds
from evalkit.files import write_text
from evalkit.manifest import read_manifest
from evalkit.progress import say
from evalkit.reports.score_document import measure_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from evalkit.experiment.folder import Work
    from evalkit.experiment.stages import Stage

    Row = Mapping[str, Any]

__all__ = ["gather", "results_markdown", "write_results"]

_FIGURES = ("control", "treatment", "delta", "ci_low", "ci_high", "p", "queries")
_ALL = "all"


def write_results(work: Work, stages: Sequence[Stage], command: str) -> None:
    """Write `results.json` and `results.md`; files that say the same already stay as they are.

    Args:
        work: the experiment.
        stages: all stages, for their times.
        command: what makes the experiment again.
    """
    document = gather(work, stages, command)
    for name, text in (
        ("results.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n"),
        ("results.md", results_markdown(document)),
    ):
        path = work.root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(text, path)
            say(f"Wrote {path}.")


def gather(work: Work, stages: Sequence[Stage], command: str) -> dict[str, Any]:
    """Return the figures of all comparisons as one document, ready for JSON."""
    experiment = work.experiment
    chosen = experiment.comparisons
    return {
        "kind": "experiment",
        "name": experiment.name,
        "command": command,
        "control": chosen.control,
        "treatment": chosen.treatment,
        "cutoff": chosen.cutoff,
        "systems": {
            name: {"seeds": [seed for seed in experiment.seeds(name) if seed is not None]}
            for name in experiment.systems
        },
        "results": [row for queries in experiment.compared for row in _rows(work, queries)],
        "warnings": _warnings(work),
        "stages": [
            {
                "name": stage.name,
                "seconds": round(seconds(stage), 1),
                "commands": _commands(stage.makes),
            }
            for stage in stages
        ],
    }


def _rows(work: Work, queries: str) -> Iterable[dict[str, Any]]:
    """Give a row for each comparison, seed, measure and segment of a set."""
    experiment = work.experiment
    column = experiment.comparisons.by
    for control, treatment in comparisons(experiment):
        for one, other in runs_compared(experiment, control, treatment):
            path = work.score(queries, one, other)
            document = json.loads(path.read_text(encoding="utf-8"))
            for row in document["results"]:
                yield {
                    "set": queries,
                    "systems": [control, treatment],
                    "runs": [one, other],
                    "measure": row["measure"],
                    "segment": row["segment"].get(column, _ALL) or "",
                    **{name: row.get(name) for name in _FIGURES},
                }


def _warnings(work: Work) -> list[str]:
    found: dict[str, None] = {}
    for queries in work.experiment.compared:
        for control, treatment in comparisons(work.experiment):
            for one, other in runs_compared(work.experiment, control, treatment):
                path = work.score(queries, one, other)
                document = json.loads(path.read_text(encoding="utf-8"))
                for warning in document["warnings"]:
                    found.setdefault(f"{queries}, {one} and {other}: {warning}")
    return list(found)


def _commands(paths: Iterable[Path]) -> list[str]:
    """Return the commands behind files, as their manifests name them."""
    found: dict[str, None] = {}
    for path in paths:
        try:
            found[read_manifest(path).command] = None
        except InputError:
            continue
    return list(found)


def results_markdown(document: Mapping[str, Any]) -> str:
    """Return the document as Markdown: what was found, one table a set and measure, and the times.

    Args:
        document: what `gather` returned.
    """
    control, treatment = document["control"], document["treatment"]
    lines = [f"# {document['name']}", "", *_findings(document), ""]
    for queries in dict.fromkeys(row["set"] for row in document["results"]):
        here = [row for row in document["results"] if row["set"] == queries]
        for measure in MEASURES:
            rows = [row for row in here if row["measure"] == measure]
            title = f"{measure_name(measure)}@{document['cutoff']}"
            lines += [f"## {title}, {queries}", "", *_table(rows, control), ""]
            against = _against(rows, treatment, control)
            if against:
                lines += [f"Δ of {treatment} against the other systems:", "", *against, ""]
    if document["warnings"]:
        lines += ["## Warnings", "", *(f"- {text}" for text in document["warnings"]), ""]
    lines += ["## How it was made", "", f"`{document['command']}`", ""]
    lines += ["| stage | seconds | commands |", "| --- | --- | --- |"]
    lines += [
        f"| {stage['name']} | {stage['seconds']:.0f} | {', '.join(stage['commands'])} |"
        for stage in document["stages"]
    ]
    return "\n".join(lines) + "\n"


def _segments(rows: Sequence[Row]) -> list[str]:
    names = dict.fromkeys(row["segment"] for row in rows)
    return [*(name for name in names if name != _ALL), *([_ALL] if _ALL in names else [])]


def _table(rows: Sequence[Row], control: str) -> list[str]:
    """Every system: its value, and Δ to the control with its interval."""
    segments = _segments(rows)
    lines = [_line(["system", *_counted(rows, segments)]), _line(["---"] * (len(segments) + 1))]
    compared = [row for row in rows if row["systems"][0] == control]
    values = {row["segment"]: _points(row["control"]) for row in compared}
    lines.append(_line([control, *(values.get(name, "") for name in segments)]))
    lines += _system_lines(compared, segments, lambda row: row["runs"][1], value=True)
    return lines


def _against(rows: Sequence[Row], treatment: str, control: str) -> list[str]:
    segments = _segments(rows)
    compared = [
        row for row in rows if row["systems"][1] == treatment and row["systems"][0] != control
    ]
    if not compared:
        return []
    return [
        _line(["against", *segments]),
        _line(["---"] * (len(segments) + 1)),
        *_system_lines(
            compared,
            segments,
            lambda row: (
                row["runs"][0]
                if row["runs"][1] == treatment
                else f"{row['runs'][0]} ({row['runs'][1]})"
            ),
            value=False,
        ),
    ]


def _system_lines(
    rows: Sequence[Row], segments: Sequence[str], name: Any, *, value: bool
) -> list[str]:
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        text = _change(row)
        if value:
            text = f"{_points(row['treatment'])} {text}"
        found.setdefault(name(row), {})[row["segment"]] = text
    return [
        _line([called, *(cells.get(segment, "") for segment in segments)])
        for called, cells in found.items()
    ]


def _counted(rows: Sequence[Row], segments: Sequence[str]) -> list[str]:
    counts = {row["segment"]: row["queries"] for row in rows}
    return [f"{name} ({counts[name]})" for name in segments]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _change(row: Row) -> str:
    """Return Δ in points with its interval, such as `(+12.9 [+10.1, +15.7])`."""
    if row["delta"] is None:
        return "(no Δ)"
    interval = ""
    if row["ci_low"] is not None and row["ci_high"] is not None:
        interval = f" [{100 * row['ci_low']:+.1f}, {100 * row['ci_high']:+.1f}]"
    return f"({100 * row['delta']:+.1f}{interval})"


def _findings(document: Mapping[str, Any]) -> list[str]:
    """Say, first of all, which systems beat the treatment, and then where it beats the control."""
    control, treatment = document["control"], document["treatment"]
    measure = MEASURES[0]
    rows = [row for row in document["results"] if row["measure"] == measure and _known(row)]
    better = [
        f"{row['runs'][0]} on {row['set']}, {row['segment']} ({100 * row['delta']:+.1f})"
        for row in rows
        if row["systems"][1] == treatment and row["systems"][0] != control and row["ci_high"] < 0
    ]
    won = [
        f"{row['set']}, {row['segment']} ({row['runs'][1]}: {100 * row['delta']:+.1f})"
        for row in rows
        if row["systems"] == [control, treatment] and row["ci_low"] > 0
    ]
    lost = [
        f"{row['set']}, {row['segment']} ({row['runs'][1]}: {100 * row['delta']:+.1f})"
        for row in rows
        if row["systems"] == [control, treatment] and row["ci_high"] < 0
    ]
    called = f"{measure_name(measure)}@{document['cutoff']}"
    sentences = []
    if better:
        sentences.append(
            f"In {called}, {treatment} is worse than these: {'; '.join(better)} (points)."
        )
    sentences.append(
        f"In {called}, {treatment} is better than {control} on: {'; '.join(won) or 'nothing'}."
    )
    if lost:
        sentences.append(f"It is worse than {control} on: {'; '.join(lost)}.")
    sentences.append(
        "Better and worse mean that the 95% interval of Δ has no 0 in it. Figures are points; Δ "
        f"against {control} stands beside them with its interval."
    )
    return sentences


def _known(row: Row) -> bool:
    return row["ci_low"] is not None and row["ci_high"] is not None
