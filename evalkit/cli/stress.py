"""`evalkit stress`."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.output import check_outputs, emit_document, output_form, output_options
from evalkit.cli.table_options import (
    catalogue_options,
    columns_option,
    fields_option,
    listed,
    machine_settings,
    reading_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.reports.grids import Grid

    Document = Mapping[str, Any]

__all__ = ["format_stress_csv", "format_stress_markdown", "format_stress_table", "stress"]

_PARTS = {
    "rewrites": "Rewrites and queries made worse",
    "catalogue": "The catalogue changes",
}
_LEGEND = (
    "Shares and differences in points; the interval is over queries, 95%. Expected: what a system "
    "that is not led astray does. Accepted: share of the rewrites that the filter lets through, "
    "each looked at by itself, over those that the perturbation changes. Goodrates: over the "
    "judged queries that it changes; unjudged products count as bad. Where all queries move alike, "
    "the interval has no width. Bad products are those that attack."
)


@click.command(
    epilog="Example: evalkit stress --products products.jsonl --queries typed.parquet --index "
    "lexical.index --judgments judgments.csv --good 2 --only typos,negation,vanished "
    "--work stress -o stress.md"
)
@click.option("--products", required=True, type=click.Path(), help="The catalogue.")
@click.option(
    "--queries", required=True, type=click.Path(), help="Typed queries (evalkit parse queries)."
)
@click.option(
    "--rewrites",
    type=click.Path(),
    help="Their rewrites, of which the accepted ones count; made from the catalogue otherwise.",
)
@click.option(
    "--index",
    "indexes",
    multiple=True,
    type=click.Path(),
    help="Folder of an index over the catalogue. Repeatable; one of words is built otherwise.",
)
@click.option("--judgments", type=click.Path(), help="Which products are good, for Goodrates.")
@click.option(
    "--good", type=float, default=1.0, show_default=True, help="Smallest grade that is good."
)
@click.option("--classifier", type=click.Path(), help="Folder of a query-product classifier.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Probability from which it agrees; its own for a precision of 0.9 otherwise.",
)
@click.option(
    "--cosine",
    is_flag=True,
    help="Filter rewrites by rules and the cosine, as evalkit relevance rewrites does.",
)
@click.option(
    "--model", help="Folder or hub id of the encoder of --cosine; all-MiniLM-L6-v2 otherwise."
)
@click.option(
    "--rewrite-classifier",
    type=click.Path(),
    help="Folder of one of rewrites, which filters them instead of the cosine.",
)
@click.option("--pairs", type=click.Path(), help="Training pairs that there are already.")
@click.option(
    "--only",
    metavar="A,B,...",
    callback=listed,
    help="Perturbations to measure: typos, negation, offer-words, named-brand, stuffing, german, "
    "french, spanish; injection, vanished, prices-moved, prices-up, new-brands, attributes-lost.",
)
@click.option(
    "--share",
    type=float,
    default=0.2,
    show_default=True,
    help="Of the products that vanish or get a clone, and of the statements that are lost.",
)
@click.option(
    "--rate", type=float, default=0.2, show_default=True, help="Of longer words with a typo."
)
@click.option(
    "--n", type=click.IntRange(min=1), default=3, show_default=True, help="Rewrites made a query."
)
@click.option(
    "--bad",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Bad products that attack a query with instructions in their text.",
)
@click.option(
    "--at", type=click.IntRange(min=1), default=10, show_default=True, help="Results looked at."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all chance.")
@click.option(
    "--work",
    type=click.Path(file_okay=False),
    help="Folder for changed catalogues and indexes, so that an interrupted run goes on.",
)
@catalogue_options
@fields_option("")
@columns_option
@output_options(page=True)
@click.option("--force", is_flag=True, help="Measure again what --work holds.")
@click.option("--memory-limit", default="2GB", show_default=True, help="For tables.")
@click.option("--threads", type=click.IntRange(min=1), help="For tables; all cores otherwise.")
def stress(form: str | None, output: str | None, **chosen: Any) -> None:
    """Measure what attacks on texts and changes of the catalogue do.

    Rewrites and queries get typos, lose their negation, are stuffed with words, or are said in
    another language; sellers write instructions into product texts; products vanish, prices move,
    brands appear, attributes are lost. Each is measured by itself: which rewrites the filter
    accepts, Goodrates, what the checker says, which rewrites still find something, which pairs
    still hold. What needs a file that was not given is listed.
    """
    from evalkit.cli.options import column_names
    from evalkit.cli.recording import called_as
    from evalkit.errors import SettingsError
    from evalkit.synthesis.stress import stress as measure
    from evalkit.synthesis.stress_settings import StressFiles, StressSettings

    form = output_form(form, output, page="stress.html")
    check_outputs(output, make_folders=True)
    if chosen["threshold"] is not None and chosen["classifier"] is None:
        raise SettingsError("--threshold is of a classifier; name it with --classifier.")
    kinds = ("products", "queries", "rewrites", "judgments", "pairs")
    document = measure(
        StressFiles(
            settings=chosen["catalogue_settings"],
            reading=reading_of(column_names(chosen["maps"]), *kinds),
            **{name: chosen[name] for name in (*kinds, "indexes", "classifier",
                                               "rewrite_classifier", "cosine", "model", "triples")},
        ),
        StressSettings(
            only=tuple(chosen["only"] or ()),
            **{name: chosen[name] for name in ("at", "good", "share", "rate", "n", "bad",
                                               "threshold", "fields", "seed")},
        ),
        work=chosen["work"],
        **machine_settings(chosen),
    )  # fmt: skip
    emit_document(
        {**document, "command": called_as()},
        form,
        output,
        table=format_stress_table,
        csv=format_stress_csv,
        markdown=format_stress_markdown,
        page=_write_page,
    )


def format_stress_table(
    document: Document, *, width: int | None = None, color: bool = False
) -> str:
    """Return the document for reading in a terminal, ending in a newline."""
    from evalkit.reports.closing import legend_lines
    from evalkit.reports.grids import draw_grid
    from evalkit.reports.terminal import wrap

    limit = width or 100
    out = wrap(_lead(document), limit)
    for grid in _grids(document):
        out += ["", *draw_grid(grid, width, color=color)]
    for title, lines in _remarks(document):
        out += ["", f"{title}:"]
        out += [part for line in lines for part in wrap(line, limit, first="  ", rest="    ")]
    out += ["", *legend_lines(_LEGEND, limit, color=color)]
    return "\n".join(line.rstrip() for line in out) + "\n"


def format_stress_markdown(document: Document) -> str:
    """Return the document as GitHub-flavoured Markdown with the same figures."""
    from evalkit.reports.grids import escape_markdown, markdown_grid

    out = [escape_markdown(_lead(document))]
    for grid in _grids(document):
        out += ["", *markdown_grid(grid)]
    for title, lines in _remarks(document):
        out += ["", f"### {title}", "", *(f"- {escape_markdown(line)}" for line in lines)]
    return "\n".join([*out, "", _LEGEND]) + "\n"


def format_stress_csv(document: Document) -> str:
    """Return one line a figure at full precision; what was not measured says what it needs."""
    columns = [
        "perturbation", "figure", "index", "expected", "unit", "units", "queries", "before",
        "after", "delta", "ci_low", "ci_high", "judged_before", "judged_after", "note", "needs",
    ]  # fmt: skip
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in [*document["results"], *document["not_measured"]]:
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
    return text.getvalue()


def _lead(document: Document) -> str:
    return (
        f"{document['queries']:,} queries, {document['rewrites']:,} rewrites, "
        f"searched in {', '.join(document['indexes'])}; seed {document['seeds']['stress']}."
    )


def _grids(document: Document) -> list[Grid]:
    """Return a table for each part; a line names the perturbation above its figures."""
    from evalkit.reports import score_numbers as number
    from evalkit.reports.grids import Grid
    from evalkit.reports.terminal import plain

    headers = ["index", "expected", "n", "before", "after", "difference", "interval",
               "judged before", "judged after"]  # fmt: skip
    found = []
    for part, title in _PARTS.items():
        names = {each["name"] for each in document["perturbations"] if each["part"] == part}
        lines: list[list[str]] = []
        last = None
        for row in document["results"]:
            if row["perturbation"] not in names:
                continue
            if row["perturbation"] != last:
                lines.append([row["perturbation"], *[""] * len(headers)])
            lines.append(
                [
                    f"  {plain(row['figure'])}",
                    plain(row["index"]),
                    row["expected"],
                    f"{row['units']:,} {row['unit']}",
                    number.points(row["before"], 1),
                    number.points(row["after"], 1),
                    number.signed(row["delta"], 1),
                    number.interval(row["ci_low"], row["ci_high"]),
                    number.points(row["judged_before"], 1),
                    number.points(row["judged_after"], 1),
                ]
            )
            last = row["perturbation"]
        if lines:
            dropped = ["judged before", "judged after", "expected"]
            found.append(Grid([title, *headers], lines, dropped))
    return found


def _remarks(document: Document) -> list[tuple[str, Sequence[str]]]:
    """Return what was changed, and what could not be measured."""
    from evalkit.reports.terminal import plain

    changed = []
    for each in document["perturbations"]:
        parts = []
        if "rewrites_of" in each:
            parts.append(
                f"{each['rewrites']:,} of {each['rewrites_of']:,} rewrites and "
                f"{each['queries']:,} of {each['queries_of']:,} queries"
            )
        if "changed" in each:
            parts.append(f"{each['changed']:,} {each['of']}, {each['products']:,} products")
        if each.get("words_covered") is not None:
            parts.append(f"{100 * each['words_covered']:.0f}% of the words are in the dictionary")
        if each.get("example"):
            parts.append("“{}” → “{}”".format(*map(plain, each["example"])))
        if parts:
            changed.append(f"{each['name']}: {'; '.join(parts)}")
    wanting: dict[tuple[str, str], list[str]] = {}
    for row in document["not_measured"]:
        wanting.setdefault((row["figure"], row["needs"]), []).append(row["perturbation"])
    missing = [
        f"{figure} ({', '.join(names)}): needs {needs}"
        for (figure, needs), names in wanting.items()
    ]
    notes = [
        f"{row['perturbation']}, {row['figure']}: {row['note']}"
        for row in document["results"]
        if row["note"]
    ]
    found = (("What was changed", changed), ("Notes", notes), ("Not measured", missing))
    return [(title, lines) for title, lines in found if lines]


def _write_page(document: Document, path: str) -> None:
    from evalkit.files import write_text
    from evalkit.reports.html_page import data_table, page
    from evalkit.reports.markup import element, join
    from evalkit.reports.provenance import provenance

    parts = [
        element("header", element("h1", "Under stress"),
                element("p", _lead(document), class_="lead")),
    ]  # fmt: skip
    for grid in _grids(document):
        title = grid.headers[0]
        parts.append(
            element(
                "section",
                element("h2", title),
                data_table(title, ["figure", *grid.headers[1:]], grid.lines),
            )
        )
    parts += [
        element("section", element("h2", title), element("ul", [element("li", x) for x in lines]))
        for title, lines in _remarks(document)
    ]
    parts += [element("p", _LEGEND), provenance(document, "stress test")]
    write_text(page("Under stress", join(parts), {}), path)
