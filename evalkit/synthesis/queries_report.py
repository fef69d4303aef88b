"""What was made, for a person to look at: counts, samples, variety."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.files import write_text
from evalkit.synthesis.variety import measure_variety

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from evalkit.synthesis.queries import QuerySettings, Selection

__all__ = ["describe", "summary", "to_markdown", "write_report"]

_SAMPLES = 12
_NAMES = {
    "queries": "queries",
    "words": "words",
    "openings": "openings",
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
    "distinct_3": "distinct-3",
    "self_bleu": "self-BLEU",
}


def describe(
    selection: Selection, settings: QuerySettings, real: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the report as plain data.

    Args:
        selection: what was kept and dropped.
        settings: what was asked for.
        real: queries of people, whose variety is put beside; samples have their size at most.
    """
    generator = np.random.default_rng(settings.seed)
    size = min([200, *([len(real)] if real else [])])
    types: dict[str, Any] = {}
    for kind, queries in selection.kept.items():
        drawn = generator.permutation(len(queries))[:_SAMPLES].tolist()
        variety = measure_variety(
            [query.query for query in queries], sample=size, seed=settings.seed
        )
        types[kind] = {
            "queries": len(queries),
            "families": len({query.family for query in queries}),
            "kinds": len({name for query in queries for name in query.structure.kinds}),
            "sources": _counted(query.source for query in queries),
            "templates": _counted(
                query.template.partition("~")[0].partition("+")[0] for query in queries
            ),
            "variety": None if variety is None else asdict(variety),
            "samples": [
                {
                    "query": queries[place].query,
                    "template": queries[place].template,
                    "structure": json.loads(queries[place].structure.to_json()),
                }
                for place in drawn
            ],
        }
    pairs = selection.duplicates
    drawn = generator.permutation(len(pairs))[:_SAMPLES].tolist()
    compared = None
    if real is not None:
        found = measure_variety(real, sample=size, seed=settings.seed)
        compared = None if found is None else asdict(found)
    return {
        "settings": settings.to_manifest(),
        "types": types,
        "dropped": dict(selection.dropped),
        "duplicates": [{"query": pairs[place][0], "repeats": pairs[place][1]} for place in drawn],
        "compared": compared,
    }


def write_report(document: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the report as Markdown (.md) or JSON (.json)."""
    if Path(path).suffix == ".json":
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    else:
        text = to_markdown(document)
    write_text(text, path)


def summary(document: Mapping[str, Any]) -> str:
    """Return the counts in a line a type."""
    lines = []
    for kind, found in document["types"].items():
        sources = ", ".join(f"{number:,} {name}" for name, number in found["sources"].items())
        lines.append(
            f"{kind}: {found['queries']:,} queries, {found['families']:,} families, "
            f"{found['kinds']:,} kinds ({sources or 'none'})"
        )
    return "\n".join(lines)


def to_markdown(document: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    chosen = document["settings"]
    lines = [
        "# Typed queries",
        "",
        f"Seed {chosen['seed']}, at least {chosen['min_products']} products a query, "
        f"near-duplicates from a similarity of {chosen['similarity']:g}.",
        *_part_line(chosen),
        "",
        "| type | queries | families | kinds | wordings | sources |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for kind, found in document["types"].items():
        sources = ", ".join(f"{name} {number:,}" for name, number in found["sources"].items())
        lines.append(
            f"| {kind} | {found['queries']:,} | {found['families']:,} | {found['kinds']:,} | "
            f"{len(found['templates']):,} | {sources} |"
        )
    lines += ["", "## Variety", "", *_variety_table(document), "", "## Dropped", ""]
    lines += ["| reason | queries |", "| --- | ---: |"]
    lines += [f"| {reason} | {number:,} |" for reason, number in document["dropped"].items()]
    for kind, found in document["types"].items():
        lines += ["", f"## Samples: {kind}", "", "| query | wording | asks for |"]
        lines += ["| --- | --- | --- |"]
        lines += [
            f"| {_cell(sample['query'])} | {sample['template']} | "
            f"{_cell(_short(sample['structure']))} |"
            for sample in found["samples"]
        ]
    if document["duplicates"]:
        lines += ["", "## Near-duplicates that were removed", "", "| query | repeats |"]
        lines += ["| --- | --- |"]
        lines += [
            f"| {_cell(pair['query'])} | {_cell(pair['repeats'])} |"
            for pair in document["duplicates"]
        ]
    for kind, found in document["types"].items():
        used = ", ".join(f"{name} {number:,}" for name, number in found["templates"].items())
        lines += ["", f"## Wordings: {kind}", "", used or "none"]
    return "\n".join(lines) + "\n"


def _part_line(chosen: Mapping[str, Any]) -> list[str]:
    if "part" not in chosen:
        return []
    other = "training" if chosen["part"] == "test" else "reported queries"
    return [
        f"Part `{chosen['part']}`, with {chosen['test_share']:g} of the families and wordings for "
        f"the part `test`: shares none with the {other}."
    ]


def _variety_table(document: Mapping[str, Any]) -> list[str]:
    rows = {kind: found["variety"] for kind, found in document["types"].items()}
    if document["compared"] is not None:
        rows["compared with"] = document["compared"]
    lines = [
        f"| | {' | '.join(_NAMES.values())} |",
        f"| --- |{' ---: |' * len(_NAMES)}",
    ]
    for name, found in rows.items():
        if found is not None:
            cells = [
                f"{found[key]:,}" if key == "queries" else f"{found[key]:.3g}" for key in _NAMES
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _short(structure: Mapping[str, Any]) -> str:
    """Say a structure in a few words."""

    def said(conditions: Sequence[Mapping[str, Any]]) -> str:
        return ", ".join(
            f"{part['attribute']}={'/'.join(part['values']) or 'yes'}" for part in conditions
        )

    parts = ["/".join(structure["kinds"]), said(structure["required"])]
    if structure["excluded"]:
        parts.append(f"not {said(structure['excluded'])}")
    if structure["price_max"] is not None:
        parts.append(f"at most {structure['price_max']:g}")
    if structure["reference"]:
        share = structure["price_share"]
        limit = "" if share is None else f"{share:g} of "
        parts.append(f"cheaper than {limit}{structure['reference']['text']}")
    if structure["need"]:
        parts.append(f"need: {structure['need']}")
    return "; ".join(part for part in parts if part)


def _counted(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
