"""Tables of what the simulations counted, for a terminal and for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.simulations.rows import ALARM, Row
from benchmarks.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["as_markdown", "as_text"]

_LITTLE = 0.02
_WORDS = {
    "interval": "holds the truth",
    "sequence": "holds the truth at all looks",
    "test": "rejects a true null",
    "power": "finds the difference",
}


def _rows(document: dict[str, Any]) -> list[Row]:
    return [Row.from_dict(row) for study in document["studies"].values() for row in study["rows"]]


def _share(value: float) -> str:
    return f"{100 * value:.1f}%"


def _measured(row: Row) -> str:
    return f"{_share(row.measured)} ± {100 * row.error:.1f}"


def _trials(row: Row) -> str:
    return f"{row.trials:,}" + (f" (none in {row.missing:,})" if row.missing else "")


def _figure(row: Row) -> list[str]:
    return [row.subject.figure, row.subject.method, row.subject.population]


def _interval_table(rows: Sequence[Row]) -> list[list[str]]:
    header = ["figure", "interval", "population", "repetitions", "nominal", "measured"]
    header += ["too low", "too high", "width", ""]
    return [
        header,
        *(
            [
                *_figure(row),
                _trials(row),
                f"{100 * row.nominal:g}%",
                _measured(row),
                _share(row.low / row.trials) if row.trials else "–",
                _share(row.high / row.trials) if row.trials else "–",
                "–" if row.width is None else f"{row.width:.3f}",
                row.verdict,
            ]
            for row in rows
        ),
    ]


def _test_table(rows: Sequence[Row]) -> list[list[str]]:
    header = ["figure", "test", "population", "repetitions", "nominal", "measured", "at 1%"]
    return [
        [*header, "power", ""],
        *(
            [
                *_figure(row),
                _trials(row),
                f"{100 * row.nominal:g}%",
                _measured(row),
                "–" if row.hits_at_01 is None else _share(row.hits_at_01 / row.trials),
                "–" if row.power is None else f"{_share(row.power)} ({row.alternative})",
                row.verdict,
            ]
            for row in rows
        ),
    ]


def _power_table(rows: Sequence[Row]) -> list[list[str]]:
    return [
        ["figure", "plan", "population", "repetitions", "planned", "measured", ""],
        *(
            [*_figure(row), _trials(row), f"{100 * row.nominal:g}%", _measured(row), row.verdict]
            for row in rows
        ),
    ]


def _table(rows: Sequence[Row]) -> list[list[str]]:
    kind = rows[0].kind
    if kind == "test":
        return _test_table(rows)
    return _power_table(rows) if kind == "power" else _interval_table(rows)


def _called(rows: Sequence[Row]) -> str:
    """Which function computed what."""
    calls: dict[str, list[str]] = {}
    for row in rows:
        methods = calls.setdefault(row.subject.call, [])
        if row.subject.method not in methods:
            methods.append(row.subject.method)
    return "Called: " + "; ".join(
        f"`{call}` ({' · '.join(methods)})" for call, methods in calls.items()
    )


def _sections(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Rows by heading, in the order in which the headings come first; tests apart."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        kind = "interval" if row.kind == "sequence" else row.kind
        groups.setdefault((row.subject.group, kind), []).append(row)
    order = {"interval": 0, "test": 1, "power": 2}
    last = [key for key, found in groups.items() if found[0].subject.contrast]
    first = [key for key in groups if key not in last]
    for key in [*sorted(first, key=lambda each: order[each[1]]), *last]:
        yield key[0], groups[key]


def _facts(document: dict[str, Any], rows: Sequence[Row]) -> list[str]:
    judged = [row for row in rows if not row.subject.contrast]
    failed = [row for row in judged if row.failed]
    little = sum(row.short < _LITTLE for row in failed)
    seconds = sum(study["seconds"] for study in document["studies"].values())
    machine = document["machine"]
    named = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return [
        f"{len(judged):,} rows: {len(judged) - len(failed):,} as promised, {len(failed):,} not"
        + (f", {little:,} of these by less than two points" if little else "")
        + ("; quick, a look only." if document["quick"] else "."),
        f"A row is called a failure when its count, or a worse one, has a chance below {ALARM:g} "
        "if the promise is kept.",
        f"{seconds / 60:.0f} minutes of one core: {machine['processor']}, {machine['system']}.",
        f"Versions: {named}.",
    ]


def _failures(rows: Sequence[Row]) -> list[list[str]]:
    failed = [row for row in rows if row.failed and not row.subject.contrast]
    return [
        ["where", "figure", "by", "population", "promised", "measured", "points short"],
        *(
            [
                row.subject.group,
                *_figure(row),
                f"{100 * row.nominal:g}%",
                f"{_measured(row)} {_WORDS[row.kind]}"
                + (
                    f", {_share(row.hits_at_01 / row.trials)} at 1%"
                    if row.kind == "test" and row.hits_at_01 is not None
                    else ""
                ),
                f"{100 * row.short:.1f}",
            ]
            for row in sorted(failed, key=lambda row: -row.short)
        ),
    ]


def _tables(rows: Sequence[Row]) -> Iterator[tuple[str, list[list[str]], str]]:
    failures = _failures(rows)
    if len(failures) > 1:
        yield "Short of the promise", failures, ""
    for title, found in _sections(rows):
        yield title, _table(found), _called(found)


def as_text(document: dict[str, Any]) -> str:
    """Aligned tables for a terminal."""
    rows = _rows(document)
    lines = [*_facts(document, rows), f"Command: {document['command']}", ""]
    for title, table, below in _tables(rows):
        lines += [title, *aligned(table), *([below] if below else []), ""]
    return "\n".join(lines).rstrip()


def as_markdown(document: dict[str, Any]) -> str:
    """The same as Markdown."""
    rows = _rows(document)
    lines = [f"- {line}" for line in _facts(document, rows)]
    lines += ["", "```sh", document["command"], "```", ""]
    for title, table, below in _tables(rows):
        header, *cells = table
        lines += [f"### {title}", "", _line(header), _line(["---"] * len(header))]
        lines += [*map(_line, cells), ""]
        lines += [below + ".", ""] if below else []
    return "\n".join(lines).rstrip()


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
