"""The table of an experiment's results: every system on every set, beside control and treatment.

Figures are those of the score documents, in points (hundredths). What a document does not say is
not worked out here, except the mean over the seeds of a system.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError
from evalkit.experiment.findings import ALL, findings, known
from evalkit.experiment.leaks import possible_leaks
from evalkit.experiment.reading import ModelName
from evalkit.experiment.scores import MEASURES, comparisons
from evalkit.experiment.stages import seconds
from evalkit.files import write_text
from evalkit.manifest import read_manifest
from evalkit.progress import say
from evalkit.reports.score_document import measure_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.experiment.folder import Work
    from evalkit.experiment.stages import Stage

    Row = Mapping[str, Any]

__all__ = ["gather", "results_markdown", "write_results"]

_FIGURES = (
    "control", "treatment", "delta", "ci_low", "ci_high", "p", "queries", "judged_control",
    "judged_treatment",
)  # fmt: skip
_LEARNT = ("learned", "learned_queries", "learned_hard_negatives", "dev_queries", "steps")
_BEST = "best_step"


def write_results(
    work: Work, stages: Sequence[Stage], command: str, variables: Mapping[str, str]
) -> None:
    """Write `results.json` and `results.md`; files that say the same already stay as they are.

    Args:
        work: the experiment.
        stages: all stages, for their times.
        command: what makes the experiment again.
        variables: what they stood for; paths are not told.
    """
    document = {
        **gather(work, stages, command),
        "variables": dict(variables),
        "description": _described(asdict(work.experiment)),
    }
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
        "trained": [row for name in experiment.retrievers for row in _trained(work, name)],
        "judged_by_checker": [
            name for name in experiment.compared if experiment.queries[name].judgments is None
        ],
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


def _described(value: Any) -> Any:
    """Return a description ready for JSON: of a path its last part, which is the same anywhere."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, dict):
        return {str(key): _described(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_described(each) for each in value]
    if isinstance(value, ModelName):
        return Path(value).name if Path(value).is_absolute() else str(value)
    return value


def _rows(work: Work, queries: str) -> Iterable[dict[str, Any]]:
    """Give a row for each comparison, measure and segment of a set."""
    experiment = work.experiment
    column = experiment.comparisons.by
    for control, treatment in comparisons(experiment):
        document = _document(work, queries, control, treatment)
        for row in document["results"]:
            yield {
                "set": queries,
                "systems": [control, treatment],
                "measure": row["measure"],
                "segment": row["segment"].get(column, ALL) or "",
                **{name: row.get(name) for name in _FIGURES},
                **({"families": row["families"]} if "families" in row else {}),
            }


def _document(work: Work, queries: str, control: str, treatment: str) -> dict[str, Any]:
    path = work.score(queries, control, treatment)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _warnings(work: Work) -> list[str]:
    found: dict[str, None] = dict.fromkeys(possible_leaks(work.experiment))
    for queries in work.experiment.compared:
        for control, treatment in comparisons(work.experiment):
            for warning in _document(work, queries, control, treatment)["warnings"]:
                found.setdefault(f"{queries}, {control} and {treatment}: {warning}")
    return list(found)


def _trained(work: Work, name: str) -> Iterable[dict[str, Any]]:
    """Give for each seed of a retriever what it has learnt from; nothing where that is not told."""
    for seed in work.experiment.retrievers[name].seeds:
        try:
            counts = read_manifest(work.retriever(name, seed)).counts
        except InputError:
            continue
        told = {key: counts.get(key) for key in (*_LEARNT, _BEST)}
        yield {"retriever": name, "seed": seed, **told}


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
    seeds = {name: len(each["seeds"]) for name, each in document["systems"].items()}
    lines = [f"# {document['name']}", "", *findings(document), ""]
    for queries in dict.fromkeys(row["set"] for row in document["results"]):
        for measure in MEASURES:
            rows = [
                row
                for row in document["results"]
                if (row["set"], row["measure"]) == (queries, measure)
            ]
            first = [row for row in rows if row["systems"][0] == control]
            others = [row for row in rows if row["systems"][0] != control]
            lines += [f"## {measure_name(measure)}@{document['cutoff']}, {queries}", ""]
            lines += _table("system", first, 1, seeds, control)
            if others:
                lines += [f"Δ of {treatment} against the other systems:", ""]
                lines += _table("against", others, 0, seeds)
        lines += _judged(document, queries)
    if document["trained"]:
        lines += ["## What was learnt", ""]
        lines += [_line(["retriever", "seed", "pairs", "queries", "hard negatives", "dev queries",
                         "steps", "best step"]), _line(["---"] * 8)]  # fmt: skip
        lines += [
            _line(["–" if value is None else str(value) for value in row.values()])
            for row in document["trained"]
        ]
        lines.append("")
    if document["warnings"]:
        lines += ["## Warnings", "", *(f"- {text}" for text in document["warnings"]), ""]
    lines += ["## How it was made", "", f"`{document['command']}`", ""]
    lines += [_line(["stage", "seconds", "commands"]), _line(["---"] * 3)]
    lines += [
        _line([stage["name"], f"{stage['seconds']:.0f}", ", ".join(stage["commands"])])
        for stage in document["stages"]
    ]
    return "\n".join(lines) + "\n"


def _table(
    heading: str,
    rows: Sequence[Row],
    place: int,
    seeds: Mapping[str, int],
    control: str | None = None,
) -> list[str]:
    """Return a table with a line a system and a column a segment.

    Args:
        heading: of the first column.
        rows: of one set and measure.
        place: which of the two systems of a row has the line.
        seeds: how many each system has.
        control: has a line of its own first, and then values stand before their Δ.
    """
    counts = {row["segment"]: _count(row) for row in rows}
    segments = sorted(counts, key=lambda name: (name == ALL, name))
    lines = [_line([heading, *(f"{name} ({counts[name]})" for name in segments)])]
    lines.append(_line(["---"] * (len(segments) + 1)))
    found: dict[str, dict[str, str]] = {}
    if control is not None:
        found[control] = {row["segment"]: _points(row["control"]) for row in rows}
    for row in rows:
        value = "" if control is None else f"{_points(row['treatment'])} "
        found.setdefault(row["systems"][place], {})[row["segment"]] = f"{value}{_change(row)}"
    for name, cells in found.items():
        called = f"{name} ({seeds[name]} seeds)" if seeds[name] > 1 else name
        lines.append(_line([called, *(cells.get(segment, "") for segment in segments)]))
    return [*lines, ""]


def _judged(document: Mapping[str, Any], queries: str) -> list[str]:
    """Say how many of the first results of each system have a judgment, in percent."""
    found: dict[str, float | None] = {}
    for row in document["results"]:
        if (row["set"], row["measure"], row["segment"]) == (queries, MEASURES[0], ALL):
            for name, side in zip(row["systems"], ("control", "treatment"), strict=True):
                found.setdefault(name, row[f"judged_{side}"])
    told = ", ".join(f"{name} {_points(share)}" for name, share in found.items())
    return [
        f"Judged@{document['cutoff']} on {queries}, in percent: {told}. What is not judged counts "
        "as bad.",
        "",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _count(row: Row) -> str:
    families = f" in {row['families']} families" if "families" in row else ""
    return f"{row['queries']}{families}"


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _change(row: Row) -> str:
    """Return Δ in points with its interval, such as `(+12.9 [+10.1, +15.7])`."""
    if row["delta"] is None:
        return "(no Δ)"
    interval = ""
    if known(row):
        interval = f" [{100 * row['ci_low']:+.1f}, {100 * row['ci_high']:+.1f}]"
    return f"({100 * row['delta']:+.1f}{interval})"
