"""The data card of synthesized pairs: as Markdown and as one HTML page.

It shows the way from queries to pairs by type, why things were dropped, and examples of each, so
that a person can see what the filters do.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from evalkit.files import write_text
from evalkit.reports.figures import BETTER, NEITHER, WORSE, Figure, axes, label
from evalkit.reports.grids import escape_markdown
from evalkit.reports.html_page import data_table, page, plot
from evalkit.reports.markup import Html, element, join
from evalkit.reports.provenance import provenance
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    Document = Mapping[str, Any]

__all__ = ["card_markdown", "write_card_page"]

_WAY = (
    ("queries", "queries"),
    ("rewrites", "rewrites"),
    ("accepted", "rewrites accepted"),
    ("products", "products looked at"),
    ("passed", "checker: pass"),
    ("unknown", "checker: unknown"),
    ("failed", "checker: fail"),
    ("judged", "seen by the classifier, hard negatives too"),
    ("doubted", "classifier doubts"),
    ("kept", "pairs kept"),
    ("kept_dev", "of these for dev"),
    ("negatives", "hard negatives"),
    ("queries_with_pairs", "queries with pairs"),
    ("products_kept", "products in pairs"),
)

_ALONE = 0.01  # a classifier that doubts less of what the checker passes decides nothing


def card_markdown(document: Document) -> str:
    """Return the card as Markdown."""
    types = document["types"]
    parts = [f"# Data card: {escape_markdown(document['pairs'])}", "", *_lead(document), ""]
    parts += _table(["", *[escape_markdown(row["query_type"]) for row in types]], _way_rows(types))
    for title, headers, rows in _sections(document):
        parts += ["", f"## {title}", "", *_table(headers, rows)]
    for title, examples in _groups(document):
        parts += ["", f"## {title}", ""]
        parts += [
            f"- **{escape_markdown(row['query'])}** ({escape_markdown(row['query_type'])}): "
            f"{escape_markdown(_example(row))}"
            for row in examples
        ]
    parts += ["", "## Settings", ""]
    parts += [
        f"- {escape_markdown(name)}: {escape_markdown(value)}"
        for name, value in document["settings"].items()
    ]
    parts += [
        f"- model ({escape_markdown(model.get('role'))}): {escape_markdown(model.get('id'))} "
        f"({escape_markdown(model.get('fingerprint'))})"
        for model in document["models"]
    ]
    return "\n".join(parts) + "\n"


def write_card_page(document: Document, path: str | os.PathLike[str]) -> None:
    """Write the card as a page; an existing file is replaced only when the new one is complete.

    Raises:
        InputError: the file cannot be written.
    """
    figures: dict[str, Figure] = {}
    types = document["types"]
    headers = ["", *[row["query_type"] for row in types]]
    body = [
        element(
            "header",
            element("h1", "What became of queries, rewrites and products"),
            [element("p", line, class_="lead") for line in _lead(document)],
        ),
        element(
            "section",
            element("h2", "The way to a pair", id="way"),
            plot(_decisions(types), None, figures),
            data_table("Counts by query type", headers, _way_rows(types)),
            aria_labelledby="way",
        ),
        [
            element(
                "section",
                element("h2", title, id=f"part-{number}"),
                data_table(title, heads, rows, "inputs"),  # words, which stand on the left
                aria_labelledby=f"part-{number}",
            )
            for number, (title, heads, rows) in enumerate(_sections(document), start=1)
        ],
        [
            element(
                "section",
                element("h2", title, id=f"group-{number}"),
                _example_list(rows),
                aria_labelledby=f"group-{number}",
            )
            for number, (title, rows) in enumerate(_groups(document), start=1)
        ],
        provenance(document, "card"),
    ]
    write_text(page("Data card of training pairs", join(body), figures), path)


def _lead(document: Document) -> list[str]:
    counts = document["counts"]
    models = ", ".join(plain(model.get("id", "")) for model in document["models"])
    return [
        f"{counts['pairs']:,} pairs and {counts['hard_negatives']:,} hard negatives of "
        f"{counts['queries_with_pairs']:,} of {counts['queries']:,} queries; "
        f"{counts['dev_pairs']:,} pairs are for development.",
        f"A pair is kept when the constraint checker passes it and the classifier ({models}) "
        f"gives it {document['settings']['threshold']:.3g} or more, which it set on held-out pairs "
        f"for a precision of {document['settings']['precision']:g} unless --threshold was given. "
        "How well it knows those says little where they were easy. That classifier must not be "
        "the only judge of what is trained on these pairs.",
        *_doubts(document["types"]),
    ]


def _doubts(types: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which share of what the checker passed the classifier doubted."""
    judged, doubted = (
        sum(int(row[name] or 0) for row in types) for name in ("judged_passed", "doubted")
    )
    if not judged:
        return []
    share = doubted / judged
    alone = ": in effect the checker alone decides" if share < _ALONE else ""
    return [
        f"Of {judged:,} products that the checker passed and the classifier saw, it doubted "
        f"{doubted:,} ({100 * share:.2g}%){alone}."
    ]


def _way_rows(types: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [text, *[f"{row[name]:,}" if row.get(name) is not None else "–" for row in types]]
        for name, text in _WAY
    ]


def _sections(document: Document) -> Iterable[tuple[str, list[str], list[list[str]]]]:
    if document["rewrites"]:
        yield (
            "Why rewrites were dropped",
            ["type", "reason", "rewrites"],
            [
                [row["query_type"], row["reason"] or "–", f"{row['rewrites']:,}"]
                for row in document["rewrites"]
            ],
        )
    yield (
        "Why products were not kept",
        ["type", "became", "reason", "products"],
        [
            [row["query_type"], row["decision"], row["reason"] or "–", f"{row['products']:,}"]
            for row in document["reasons"]
        ],
    )
    if document["violations"]:
        yield (
            "What hard negatives violate",
            ["type", "violated", "products"],
            [
                [row["query_type"], row["violates"], f"{row['products']:,}"]
                for row in document["violations"]
            ],
        )
    if document["rewrite_examples"]:
        yield (
            "Examples of rewrites",
            ["query", "type", "rewrite", "accepted", "relevance", "reason"],
            [
                [
                    row["query"],
                    row["query_type"],
                    row["rewrite"],
                    "yes" if row["accepted"] else "no",
                    _share(row["relevance"]),
                    row["reason"] or "",
                ]
                for row in document["rewrite_examples"]
            ],
        )


def _groups(document: Document) -> Iterable[tuple[str, list[Mapping[str, Any]]]]:
    examples = sorted(document["examples"], key=lambda row: str(row["group"]))
    for group, rows in groupby(examples, key=lambda row: str(row["group"])):
        yield f"Examples: {group}", list(rows)


def _example(row: Mapping[str, Any]) -> str:
    """What was decided about a product, and why, on one line."""
    parts = [f"{row['title']} ({row['product_id']})", f"checker: {row['check']}"]
    if row["probability"] is not None:
        parts.append(f"classifier: {row['probability']:.2f}")
    if row["reason"] and not str(row["reason"]).startswith("classifier"):
        parts.append(str(row["reason"]))
    return " · ".join([*parts, f"found by “{row['rewrite']}”"])


def _example_list(rows: Iterable[Mapping[str, Any]]) -> Html:
    return element(
        "ul",
        [
            element(
                "li",
                element("strong", plain(row["query"])),
                f" ({plain(row['query_type'])}): {plain(_example(row))}",
            )
            for row in rows
        ],
        class_="examples",
    )


def _decisions(types: Sequence[Mapping[str, Any]]) -> Figure:
    """Shares of the products that the checker does not refuse, by what became of them.

    It refuses nearly all that deep searches find, beside which nothing else could be seen.
    """
    import plotly.graph_objects as go

    names = [label(row["query_type"]) for row in types]
    left = [_left(row) for row in types]
    figure = go.Figure()
    for name, text, color, pattern in (
        ("kept", "kept", BETTER, ""),
        ("beyond", "passes, but beyond a limit or a split", BETTER, "/"),
        ("doubted", "classifier doubts", WORSE, "/"),
        ("unknown", "checker cannot tell", NEITHER, "."),
    ):
        shares = [100 * row[name] / max(sum(row.values()), 1) for row in left]
        figure.add_trace(
            go.Bar(
                y=names,
                x=shares,
                name=text,
                orientation="h",
                marker={"color": color, "pattern": {"shape": pattern}},
                hovertemplate="%{y}: %{x:.1f}% " + text + "<extra></extra>",
            )
        )
    axes(figure, "% of the products not refused", None)
    figure.update_layout(
        barmode="stack",
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"},
    )
    summary = "; ".join(
        f"{row['query_type']}: {found['kept']:,} of {sum(found.values()):,} kept"
        for row, found in zip(types, left, strict=True)
    )
    return Figure(figure.to_plotly_json(), 180 + 40 * len(names), summary)


def _left(row: Mapping[str, Any]) -> dict[str, int]:
    """Part the products that the checker does not refuse into what became of them."""
    passed, kept, doubted, unknown = (
        int(row.get(name) or 0) for name in ("passed", "kept", "doubted", "unknown")
    )
    return {
        "kept": kept,
        "beyond": passed - kept - doubted,
        "doubted": doubted,
        "unknown": unknown,
    }


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(escape_markdown(head) for head in headers) + " |",
        "| " + " | ".join("---" for _ in headers) + " |",
        *["| " + " | ".join(escape_markdown(cell) for cell in row) + " |" for row in rows],
    ]
