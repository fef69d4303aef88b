"""Tables of what `score.py` measured, and where the scripts put theirs on the page."""

from __future__ import annotations

import os
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["aligned", "as_markdown", "as_text", "markdown_table", "put_into_page"]

_HEADER = ["program", "wall s", "CPU s", "peak MB", "spilled MB"]
_HEADER += ["wall ratio", "CPU ratio", "memory ratio", "figures"]


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table for a terminal; the first column stands left, the others right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def markdown_table(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of the same table in Markdown."""
    header, *rows = table
    return [
        f"| {' | '.join(header)} |",
        f"| --- |{' ---: |' * (len(header) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _present(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _ratio(ours: Sequence[float | None], theirs: Sequence[float | None]) -> float | None:
    """Median over rounds of ours : theirs, each pair from the same round."""
    pairs = zip(ours, theirs, strict=True)
    ratios = [a / b for a, b in pairs if a is not None and b is not None]
    return median(ratios) if ratios else None


def _seconds(values: Sequence[float | None]) -> str:
    there = _present(values)
    middle = f"{median(there):.2f}"
    return middle if len(there) == 1 else f"{middle} ({min(there):.2f}–{max(there):.2f})"


def _megabytes(values: Sequence[float | None]) -> str:
    return f"{median(_present(values)) / 1e6:,.0f}"


def _figures(entry: dict[str, Any]) -> str:
    wrong = entry["disagreements"]
    if not wrong:
        return "equal"
    largest = max(abs(value) for value in wrong.values())
    return f"differ by up to {largest:.4f}{', known: ties' if entry['deviates'] else ''}"


def _size_table(size: dict[str, Any]) -> list[list[str]]:
    ours = size["programs"]["evalkit"]
    rows = [_HEADER]
    for key, entry in size["programs"].items():
        ratios = ["–"] * 3
        if key != "evalkit":
            found = [_ratio(ours[what], entry[what]) for what in ("wall", "cpu", "memory")]
            ratios = ["–" if value is None else f"{value:.2f}×" for value in found]
        rows.append(
            [
                entry["label"],
                _seconds(entry["wall"]),
                _seconds(entry["cpu"]),
                _megabytes(entry["memory"]),
                _megabytes(entry["spilled"]),
                *ratios,
                "–" if key == "evalkit" else _figures(entry),
            ]
        )
    return rows


def _growth_table(small: dict[str, Any], large: dict[str, Any]) -> list[list[str]]:
    rows = [["program", "rows", "wall", "CPU", "memory"]]
    factor = f"{large['rows'] / small['rows']:g}×"
    for key, entry in large["programs"].items():
        if key in small["programs"]:
            before = small["programs"][key]
            rows.append(
                [entry["label"], factor]
                + [
                    f"{median(_present(entry[what])) / median(_present(before[what])):.1f}×"
                    for what in ("wall", "cpu", "memory")
                ]
            )
    return rows


def _parquet_table(entry: dict[str, Any]) -> list[list[str]]:
    run, judgments = entry["inputs"]
    return [
        ["run rows", "judgments", "files MB", "limit", "wall s", "CPU s", "peak MB", "spilled MB"],
        [
            f"{run['rows']:,}",
            f"{judgments['rows']:,}",
            f"{(run['bytes'] + judgments['bytes']) / 1e6:,.0f}",
            entry["memory_limit"],
            f"{entry['wall']:.1f}",
            f"{entry['cpu']:.1f}",
            f"{entry['memory'] / 1e6:,.0f}",
            f"{entry['spilled'] / 1e6:,.0f}",
        ],
    ]


def _facts(result: dict[str, Any]) -> list[str]:
    machine, own, peers = result["machine"], result["versions"]["own"], result["versions"]["peers"]
    named = [f"{name} {version}" for name, version in own.items()]
    others = [f"{name} {version}" for name, version in peers.items() if own.get(name) != version]
    lines = [
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}; load before the start {machine['load_average']}.",
        f"Versions: {', '.join(named)}.",
    ]
    if others:
        lines.append(f"Versions for the peers, where they differ: {', '.join(others)}.")
    lines.append(f"Command: {result['command']}")
    return lines


def _figure_line(size: dict[str, Any]) -> str:
    figures = size["programs"]["evalkit"]["figures"]
    return "Figures: " + ", ".join(f"{name} {value:.6f}" for name, value in figures.items()) + "."


def _sections(
    results: Sequence[dict[str, Any]],
) -> Iterator[tuple[str, list[list[str]], list[str]]]:
    """Yield (title, table, lines below) for everything that was measured."""
    for result in results:
        for size in result["sizes"]:
            counts = [f"{each['rows']:,}" for each in size["inputs"]]
            rounds = len(size["programs"]["evalkit"]["wall"])
            title = f"{counts[0]} rows and {counts[1]} judgments, TREC text, {rounds} rounds"
            below = [_figure_line(size)]
            below += [
                f"{entry['label']}: {entry['deviates']}."
                for entry in size["programs"].values()
                if entry["disagreements"] and entry["deviates"]
            ]
            below += [f"Skipped: {label}: {reason}." for label, reason in size["skipped"].items()]
            yield title, _size_table(size), below
        sizes = sorted(result["sizes"], key=lambda size: size["rows"])
        for small, large in pairwise(sizes):
            title = f"Growth from {small['rows']:,} to {large['rows']:,} rows"
            yield title, _growth_table(small, large), []
        for entry in result["parquet"]:
            title = f"{entry['rows']:,} rows from Parquet, once"
            yield title, _parquet_table(entry), []


def as_text(results: Sequence[dict[str, Any]]) -> str:
    """Aligned tables for a terminal."""
    lines: list[str] = []
    for result in results:
        lines += [*_facts(result), ""]
    for title, table, below in _sections(results):
        lines += [title, *aligned(table), *below, ""]
    return "\n".join(lines).rstrip()


def as_markdown(results: Sequence[dict[str, Any]]) -> str:
    """The same as Markdown."""
    lines: list[str] = []
    for result in results:
        *facts, command = _facts(result)
        lines += [f"- {line}" for line in facts]
        lines += ["", "```sh", command.removeprefix("Command: "), "```", ""]
    for title, table, below in _sections(results):
        lines += [f"### {title}", "", *markdown_table(table)]
        lines += ["", *(f"- {line}" for line in below)]
        lines += [""] if below else []
    return "\n".join(lines).rstrip()


def put_into_page(page: Path, script: str, markdown: str) -> None:
    """Replace what stands between a script's marks on the page.

    Raises:
        SystemExit: the page has no marks.
    """
    first, last = (f"<!-- benchmarks/{script}: {which} -->" for which in ("start", "end"))
    text = page.read_text(encoding="utf-8")
    before, start, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not start or not end:
        raise SystemExit(f"{page}: has no lines {first} and {last}; add them.")
    partial = page.with_name(page.name + ".partial")
    partial.write_text(f"{before}{first}\n\n{markdown}\n\n{last}{after}", encoding="utf-8")
    os.replace(partial, page)
