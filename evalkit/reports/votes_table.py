"""GSB, position bias and agreement of votes as text: for a terminal, for Markdown, as CSV.

Pure functions of the document that `vote_document` makes. The tables round for reading; CSV (and
JSON, see `score_exports`) keep every digit.
"""

from __future__ import annotations

import csv
import io
import statistics
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.closing import markdown_text, table_text
from evalkit.reports.grids import Grid, escape_markdown, note_remarks, numbered
from evalkit.reports.terminal import plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["format_votes_csv", "format_votes_markdown", "format_votes_table"]

Document = dict[str, Any]

_WRAP = 100
_ANNOTATORS = 20
_SHARED = 10
_LEFT_OUT = {"set_aside": "set aside", "surplus": "superseded or beyond the overlap"}


def format_votes_table(document: Document, *, width: int | None = None, color: bool = False) -> str:
    """The document for reading in a terminal, ending in a newline.

    Args:
        document: what `vote_document` made.
        width: columns there are; None takes what the tables need. When they do not suffice,
            columns are left out and named below the table.
        color: write ANSI colours. Nothing is said by colour alone.

    Example:
        >>> from evalkit.reports.vote_document import vote_document
        >>> import pyarrow
        >>> votes = {"query_id": ["q1", "q2"], "annotator": ["ann", "ann"], "preference": [1, 0]}
        >>> text = format_votes_table(vote_document(pyarrow.table(votes)))
        >>> print(text.splitlines()[0])
        2 queries, 2 votes by 1 annotator
    """
    limit = width or _WRAP
    out = [line for text in _header(document) for line in wrap(text, limit, rest="  ")]
    return table_text(out, _grids(document), document, _legend(document), width, color=color)


def format_votes_markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown with the same figures as the terminal tables."""
    out = [f"**{escape_markdown(text)}**  " for text in _header(document)]
    return markdown_text(out, _grids(document), document, _legend(document))


def format_votes_csv(document: Document) -> str:
    """One line per segment at full precision; a number that does not exist is empty.

    Every segment column is a column of its own, empty in the line of all queries. One that has the
    name of a figure gets the prefix `segment_`.
    """
    rows = document["results"]
    fields = [name for name in rows[0] if name != "segment"]
    columns = list(dict.fromkeys(name for row in rows for name in row["segment"]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    named = [f"segment_{name}" if name in fields else name for name in columns]
    writer.writerow([*named, *fields])
    for row in rows:
        parts = [_value(row["segment"], name) for name in columns]
        writer.writerow([*parts, *("" if row[name] is None else row[name] for name in fields)])
    return text.getvalue()


def _value(segment: Mapping[str, Any], name: str) -> str:
    if name not in segment:
        return ""
    return "(none)" if segment[name] is None else str(segment[name])


def _header(document: Document) -> Iterator[str]:
    row = document["results"][0]
    people = row["annotators"]
    yield (
        f"{_number(row['queries'], 'query', 'queries')}, {_number(row['votes'], 'vote', 'votes')} "
        f"by {_number(people, 'annotator', 'annotators')}"
    )
    left_out = [
        f"{count:,} {_LEFT_OUT.get(why, why)}" for why, count in document["left_out"].items()
    ]
    if left_out:
        yield f"Left out: {', '.join(left_out)}"
    inputs = document.get("inputs") or []
    settings = [f"votes {plain(item['path'])}" for item in inputs]
    settings.append(f"aggregate {document['settings']['aggregate']}")
    settings.append(f"seed {document['settings']['seed']}")
    yield f"Settings: {' · '.join(settings)}"


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _labels(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every row with its label; a segment's stands under the name of its column."""
    for row in document["results"]:
        named = [f"{column} {_value(row['segment'], column)}" for column in row["segment"]]
        yield (f"  {plain(named[0])}" if named else "all queries"), row


def _grids(document: Document) -> Iterator[Grid]:
    yield _gsb(document)
    yield _bias(document)
    yield _agreement(document["agreement"])
    yield _annotators(document["agreement"]["annotators"])
    if "sequential" in document:
        yield _sequential(document["sequential"], document["remaining"])


def _gsb(document: Document) -> Grid:
    notes: list[str] = []
    lines = []
    for label, row in _labels(document):
        lines.append(
            [
                numbered(label, row["note"], notes),
                f"{row['queries']:,}",
                f"{row['votes']:,}",
                f"{row['good']:,}:{row['same']:,}:{row['bad']:,}",
                figure.signed(row["gsb"]),
                figure.interval(row["ci_low"], row["ci_high"]),
                figure.p_value(row["p"]),
                figure.points(row["win_rate"], 1),
                figure.interval(row["win_low"], row["win_high"], sign=False, digits=1),
                figure.coefficient(row["ratio"]),
                figure.signed_number(row["mean_preference"]),
            ]
        )
    row = document["results"][0]
    remarks = note_remarks(notes)
    if row["automatic"]:
        remarks.append(
            f"{_number(row['automatic'], 'query', 'queries')} with identical lists: automatic "
            f"Sames; GSB without them {figure.signed(row['gsb_without_automatic'])}"
        )
    if row["both_bad"]:
        remarks.append(f"{_number(row['both_bad'], 'vote calls', 'votes call')} both lists bad")
    headers = ["GSB", "queries", "votes", "G:S:B", "GSB ", "95% interval", "p", "win rate",
               "95% interval ", "(G+S)/(B+S)", "mean"]  # fmt: skip
    return Grid(headers, lines,
        ("mean", "(G+S)/(B+S)", "95% interval ", "votes", "queries"), remarks,
    )  # fmt: skip


def _bias(document: Document) -> Grid:
    lines = [
        [
            label,
            f"{row['left_votes']:,}",
            figure.points(row["left_share"], 1),
            figure.interval(row["left_low"], row["left_high"], sign=False, digits=1),
            figure.signed(row["gsb_treatment_left"]),
            figure.signed(row["gsb_treatment_right"]),
            figure.signed(row["gsb_side_adjusted"]),
        ]
        for label, row in _labels(document)
    ]
    row, remarks = document["results"][0], []
    if row["left_low"] is not None:
        if row["left_low"] > 0.5 or row["left_high"] < 0.5:
            side = "left" if row["left_low"] > 0.5 else "right"
            remarks.append(f"Votes lean to the {side}: look at the side-adjusted GSB as well.")
        else:
            remarks.append("No lean to either side can be told from chance.")
    else:
        remarks.append("No decided vote tells on which side the treatment stood.")
    headers = ["Position bias", "decided votes", "left %", "95% interval", "GSB, treatment left",
               "right", "side-adjusted"]  # fmt: skip
    return Grid(headers, lines, ("right", "GSB, treatment left"), remarks)


def _agreement(found: Mapping[str, Any]) -> Grid:
    names = {
        "percent": "pairs of votes that say the same",
        "alpha_nominal": "Krippendorff's alpha, nominal (G/S/B)",
        "alpha_ordinal": f"Krippendorff's alpha, ordinal ({found['scale']} points)",
    }
    lines = [
        [
            text,
            figure.coefficient(found[name], 3),
            figure.coefficients(found[f"{name}_low"], found[f"{name}_high"], 3),
        ]
        for name, text in names.items()
    ]
    remarks = [
        f"over {_number(found['units'], 'query', 'queries')} with at least two votes, "
        f"{_number(found['votes'], 'vote', 'votes')}"
    ]
    known = [pair for pair in found["pairs"] if pair["shared"] >= _SHARED]
    for name, text in (("kappa", "Cohen's kappa"), ("weighted_kappa", "linearly weighted")):
        values = [pair[name] for pair in known if pair[name] is not None]
        if values:
            parts = (min, statistics.median, max)
            low, middle, high = (figure.coefficient(part(values), 3) for part in parts)
            remarks.append(
                f"{text} of {_number(len(values), 'pair', 'pairs')} of annotators with {_SHARED} "
                f"shared queries or more: median {middle}, from {low} to {high}"
            )
    if found["note"]:
        remarks.append(plain(found["note"]))
    return Grid(["Agreement", "value", "95% interval"], lines, (), remarks)


def _annotators(rows: Sequence[Mapping[str, Any]]) -> Grid:
    ordered = sorted(rows, key=lambda row: (-row["votes"], row["annotator"]))
    lines = [
        [
            plain(row["annotator"]) + (" (set aside)" if row["set_aside"] else ""),
            f"{row['votes']:,}",
            figure.points(row["agreement"], 1),
            f"{row['gold_answered']:,}" if row["gold_answered"] else figure.MISSING,
            figure.points(row["gold_accuracy"], 1),
            figure.interval(row["gold_low"], row["gold_high"], sign=False, digits=1),
            f"{row['twins']:,}" if row["twins"] else figure.MISSING,
            figure.points(row["self_consistency"], 1),
            figure.MISSING if row["median_seconds"] is None else f"{row['median_seconds']:.1f}",
            figure.points(row["too_fast"], 1),
            figure.points(row["left_share"], 1),
            figure.interval(row["left_low"], row["left_high"], sign=False, digits=1),
        ]
        for row in ordered[:_ANNOTATORS]
    ]
    headers = ["Annotators", "votes", "agree %", "gold", "right %", "95% interval", "twins",
               "consistent %", "median s", "too fast %", "left %", "95% interval "]  # fmt: skip
    more = len(ordered) - len(lines)
    remarks = [f"and {more:,} more; --format json has everybody"] if more else []
    dropped = ("95% interval ", "95% interval", "too fast %", "twins", "gold", "median s")
    return Grid(headers, lines, dropped, remarks)


def _sequential(now: Mapping[str, Any], left: Mapping[str, Any]) -> Grid:
    lines = [
        [
            "GSB",
            figure.signed(now["gsb"]),
            figure.interval(now["gsb_low"], now["gsb_high"]),
        ],
        [
            "win rate (ties left out)",
            figure.points(now["win_rate"]),
            figure.interval(now["win_low"], now["win_high"], sign=False),
        ],
    ]
    sure = f"{100 * (1 - now['alpha']):g}%"
    verdict = "decided" if now["decided"] else "not decided"
    remarks = [
        f"{_number(now['queries'], 'complete query', 'complete queries')}, {now['wins']:,} won, "
        f"{now['losses']:,} lost; {now['incomplete']:,} not complete",
        f"e-value of the win rate {_e_value(now['e_value'])}: {verdict} "
        f"(1/alpha = {1 / now['alpha']:g})",
    ]
    if left["queries_to_decision"]:
        remarks.append(
            f"about {left['queries_to_decision']:,} more queries "
            f"({left['votes_to_decision']:,} votes) to a decision, if they are like those so far"
        )
    elif not now["decided"]:
        remarks.append("no decision is in sight at the shares seen so far")
    if left["width"] is not None:
        wanted = f"a sequence of GSB {figure.points(left['width'])} points wide"
        if left["queries_to_width"] is None:
            remarks.append(f"{wanted} is not in sight within {left['limit']:,} queries")
        elif left["queries_to_width"]:
            remarks.append(
                f"about {left['queries_to_width']:,} more queries "
                f"({left['votes_to_width']:,} votes) to {wanted}"
            )
        else:
            remarks.append(f"{wanted} has been reached")
    if now["note"]:
        remarks.append(plain(now["note"]))
    headers = ["At every look", "value", f"{sure} sequence"]
    return Grid(headers, lines, (), remarks)


def _legend(document: Document) -> str:
    parts = [
        "GSB = (G − B)/(G + S + B) and shares in points",
        "win rate = G/(G + B)",
        "p: exact sign test over queries on the sign of G_q − B_q",
        "mean: mean preference over queries, −2 to 2",
        "left %: decided votes for the left list",
        "agree %: pairs with others' votes that say the same",
    ]
    if document["settings"]["aggregate"] == "votes":
        parts.insert(0, "G, S and B count votes")
    return "; ".join(parts) + "."


def _e_value(value: float) -> str:
    return f"{value:,.2f}" if value < 1e6 else f"{value:.1e}"
