"""A study's summary as text for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evalkit.reports.closing import legend_lines, warning_lines
from evalkit.reports.score_numbers import (
    MISSING,
    count,
    fixed,
    interval,
    p_value,
    points,
    share,
    signed,
)
from evalkit.reports.terminal import clamp, display_width, pad, paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.store import Study

__all__ = ["format_annotators", "format_draft", "format_studies", "format_study"]

_WIDTH = 100
_LABEL = 28


def format_draft(
    study: Study,
    counts: Mapping[str, int],
    warnings: Sequence[str],
    database: str,
    *,
    option: str = "",
) -> str:
    """What a new study holds, and what to do next.

    Args:
        study: the study.
        counts: tasks by kind, places and products.
        warnings: sentences to look at before it is opened.
        database: where it is.
        option: what the next commands need to find the database.
    """
    design = study.design
    form = (
        f"side by side, {design.scale} answers"
        if design.kind == "sbs"
        else f"grades {', '.join(word for _, word in design.levels)}"
    )
    out = [
        f"Study {plain(study.name)} in {plain(database)}: {form}, lists of {design.depth}, "
        f"{design.overlap} votes a query, policy {design.policy}, seed {design.seed}; "
        f"{study.state}.",
        "",
        f"  tasks      {count(counts['real']):>7}  {count(counts['slots'])} votes wanted",
    ]
    notes = {
        "automatic": "identical lists, counted as the same",
        "gold": "with known answers, among the others",
        "practice": "asked first, with feedback",
        "twin": "shown again with sides exchanged",
    }
    out += [
        f"  {kind:<10} {count(counts[kind]):>7}  {note}"
        for kind, note in notes.items()
        if counts[kind]
    ]
    missing = counts["missing_products"]
    out.append(
        f"  products   {count(counts['products']):>7}"
        + (f"  {count(missing)} without a row in the catalogue" if missing else "")
    )
    if warnings:
        out.append("")
        for warning in warnings:
            out += wrap(plain(warning), _WIDTH, first="! ", rest="  ")
    steps = [] if study.state == "open" else [f"evalkit study open {plain(study.name)}"]
    steps += ["evalkit study invite NAME", "evalkit annotate"]
    return "\n".join([*out, "", "Next:", *(f"  {step}{option}" for step in steps)]) + "\n"


def format_studies(rows: Sequence[Mapping[str, Any]]) -> str:
    """The studies of a database, one a line.

    Args:
        rows: `name, kind, state, control, treatment, created_at, progress` of each.
    """
    if not rows:
        return "There are no studies yet; make one with evalkit study create.\n"
    header = ["study", "kind", "state", "votes", "queries", "control → treatment", "made"]
    lines = [
        [
            plain(row["name"]),
            row["kind"],
            row["state"],
            f"{count(row['progress']['done'])}/{count(row['progress']['slots'])}",
            count(row["progress"]["tasks"] + row["progress"]["automatic"]),
            plain(f"{row['control']} → {row['treatment']}"),
            _day(row["created_at"]),
        ]
        for row in rows
    ]
    return "\n".join(_table(header, lines, left=3)) + "\n"


def format_study(
    summary: Mapping[str, Any], *, width: int | None = None, color: bool = False
) -> str:
    """How a study stands, ending in a newline.

    Args:
        summary: what `evalkit.reports.study.study_summary` returned.
        width: columns there are; None takes what is needed.
        color: write ANSI colours. Nothing is said by colour alone.
    """
    limit = width or _WIDTH
    out = wrap(_headline(summary["study"]), limit, rest="  ")
    out += ["", *_progress_lines(summary)]
    for title, lines in (
        ("GSB", _gsb_lines(summary)),
        ("Anytime-valid", _sequence_lines(summary)),
        ("Agreement", _agreement_lines(summary)),
        ("Grades", _grade_lines(summary)),
    ):
        if lines:
            out += ["", paint(title, "bold", color=color), *lines]
    if summary["gsb"] is not None:
        out.append("")
        out += legend_lines(_LEGEND, limit, color=color)
    aside = summary["quality"]["set_aside"]
    warnings = [
        *summary["warnings"],
        *(f"Set aside: {each['name']} ({each['reason']})." for each in aside),
    ]
    out += warning_lines(warnings, limit, color=color)
    return "\n".join(clamp(line, width).rstrip() if width else line.rstrip() for line in out) + "\n"


_LEGEND = (
    "GSB = (G − B)/(G + S + B) in points, G where the treatment is better; p from the sign test "
    "over queries on the sign of G_q − B_q, whatever became of several votes; win = G/(G + B); "
    "left = share of decided votes for the left list. The 95% interval holds for one look at the "
    "end, the anytime-valid ones for any number of looks."
)


def format_annotators(summary: Mapping[str, Any]) -> str:
    """How each person votes, one a line.

    Args:
        summary: what `evalkit.reports.study.study_summary` returned.
    """
    rows = summary["annotators"]
    if not rows:
        return "Nobody has voted yet.\n"
    header = ["annotator", "votes", "agrees", "gold", "twins", "seconds", "left", "too fast", ""]
    lines = [
        [
            plain(row["annotator"]),
            count(row["votes"]),
            _percent(row["agreement"]),
            _of(row["gold_accuracy"], row["gold_answered"]),
            _of(row["self_consistency"], row["twins"]),
            MISSING if row["median_seconds"] is None else fixed(row["median_seconds"], 1),
            _percent(row["left_share"]),
            _percent(row["too_fast"]),
            f"set aside: {plain(row['set_aside_reason'])}" if row["set_aside_reason"] else "",
        ]
        for row in rows
    ]
    legend = (
        "agrees: with the others on the same queries; gold, twins: share right, share the same "
        "both times (and how many, in products for grades); left: share of decided votes for the "
        "left list."
    )
    return "\n".join([*_table(header, lines, left=1, last_left=True), "", *wrap(legend, _WIDTH)])


def _headline(study: Mapping[str, Any]) -> str:
    form = (
        f"side by side, {study['scale']} answers"
        if study["kind"] == "sbs"
        else f"grades {', '.join(word for _, word in study['levels'])}"
    )
    runs = [f"{role} {study[role]}, " for role in ("control", "treatment") if study[role] != role]
    return plain(
        f"Study {study['name']} ({study['state']}): {form}, {''.join(runs)}lists of "
        f"{study['depth']}, {study['overlap']} votes a query, policy {study['policy']}"
    )


def _progress_lines(summary: Mapping[str, Any]) -> list[str]:
    now = summary["progress"]
    done = f"{count(now['done'])} of {count(now['slots'])}"
    lines = [
        _line("votes", done + (f" ({share(now['share'])}%)" if now["share"] is not None else "")),
        _line(
            "queries with all their votes",
            f"{count(now['complete'])} of {count(now['tasks'])}, and {count(now['automatic'])} "
            "with identical lists",
        ),
        _line("people", f"{count(now['annotators'])}, active now {count(now['active'])}"),
    ]
    if now["votes_per_hour"] is not None:
        left = (
            f", {fixed(now['hours_left'], 1)} hours left at this pace" if now["hours_left"] else ""
        )
        lines.append(_line("pace", f"{fixed(now['votes_per_hour'], 0)} votes an hour{left}"))
    if now["skips"] or now["flags"]:
        lines.append(_line("skipped, flagged", f"{count(now['skips'])}, {count(now['flags'])}"))
    if now["left_share"] is not None:
        lines.append(_line("treatment on the left", f"{share(now['left_share'])}% of votes"))
    return lines


def _gsb_lines(summary: Mapping[str, Any]) -> list[str]:
    found = summary["gsb"]
    if found is None:
        return []
    header = ["", "queries", "votes", "G:S:B", "GSB", "95% interval", "p", "win", "left"]
    lines = [_gsb_cells(row) for row in [found["overall"], *found["segments"]]]
    out = [f"  {line}" for line in _table(header, lines, left=1)]
    overall = found["overall"]
    if overall["automatic"]:
        out.append(
            f"  without the {count(overall['automatic'])} with identical lists: GSB "
            f"{signed(overall['gsb_without_automatic'])}"
        )
    if overall["both_bad"]:
        out.append(f"  both bad: {count(overall['both_bad'])} votes, counted as the same")
    if overall["left_votes"]:
        out.append(
            f"  position: left {points(overall['left_share'], 1)}% "
            f"{interval(overall['left_low'], overall['left_high'], sign=False)} of "
            f"{count(overall['left_votes'])} decided votes; GSB with sides adjusted "
            f"{signed(overall['gsb_side_adjusted'])}"
        )
    left_out = {name: n for name, n in summary["quality"]["left_out"].items() if n}
    if left_out:
        listed = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in left_out.items())
        out.append(f"  votes that do not enter: {listed}")
    return out


def _gsb_cells(row: Mapping[str, Any]) -> list[str]:
    segment = ", ".join(plain(value) or "(none)" for value in row["segment"].values())
    return [
        segment or "overall",
        count(row["queries"]),
        count(row["votes"]),
        f"{row['good']}:{row['same']}:{row['bad']}",
        signed(row["gsb"]),
        interval(row["ci_low"], row["ci_high"]),
        p_value(row["p"]),
        share(row["win_rate"]),
        share(row["left_share"]),
    ]


def _sequence_lines(summary: Mapping[str, Any]) -> list[str]:
    found = summary["sequential"]
    if summary["study"]["kind"] != "sbs":
        return []
    if not found["available"]:
        return [f"  none: {found['reason']}"]
    lines = [
        _line("complete queries", count(found["queries"])),
        _line("GSB", f"{signed(found['gsb'])} {interval(found['gsb_low'], found['gsb_high'])}"),
        _line(
            "win rate",
            f"{points(found['win_rate'])} "
            f"{interval(found['win_low'], found['win_high'], sign=False)}, "
            f"e-value {found['e_value']:.3g}"
            f" ({'decided' if found['decided'] else 'not decided'})",
        ),
    ]
    stopping = summary["stopping"]
    lines += [_line(name, text) for name, text in _left_to_do(stopping)]
    if stopping["may_stop"]:
        lines.append(_line("may stop", "; ".join(stopping["reasons"])))
    return lines


def _left_to_do(stopping: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for goal, name in (
        ("decision", "votes left to a decision"),
        ("width", f"votes left to ±{(stopping['stop_width'] or 0) / 2:g} points"),
    ):
        if goal == "width" and stopping["width"] is None:
            continue
        queries, votes = stopping[f"queries_to_{goal}"], stopping[f"votes_to_{goal}"]
        if queries == 0:
            yield name, "none"
        elif queries is None:
            yield name, "not foreseeable from the votes so far"
        else:
            beyond = queries > stopping["queries_to_come"]
            yield (
                name,
                f"about {count(votes)} on {count(queries)} queries"
                + (
                    f"; the study has {count(stopping['queries_to_come'])} to come"
                    if beyond
                    else ""
                ),
            )


def _agreement_lines(summary: Mapping[str, Any]) -> list[str]:
    found = summary["agreement"]
    if found is None:
        return []
    if not found["units"]:
        return ["  no query has two votes that count yet"]
    scale = f"{found['scale']} points"
    return [
        _line("queries with two votes", f"{count(found['units'])}, {count(found['votes'])} votes"),
        _line("pairs that say the same", f"{share(found['percent'])}%"),
        _line("α nominal (G/S/B)", _coefficient(found, "alpha_nominal")),
        _line(f"α ordinal ({scale})", _coefficient(found, "alpha_ordinal")),
    ]


def _grade_lines(summary: Mapping[str, Any]) -> list[str]:
    found = summary["grades"]
    if found is None:
        return []
    items = ", ".join(f"{plain(row['word'])} {count(row['number'])}" for row in found["items"])
    lines = [_line("items", items)]
    for row in found["pages"]:
        grades = ", ".join(f"{grade} {count(row[grade])}" for grade in ("good", "mid", "bad"))
        lines.append(_line(f"pages of {plain(row['system'])}", grades))
    agreed = found["agreement"]
    if agreed is not None and agreed["units"]:
        lines += [
            _line("items with two grades", count(agreed["units"])),
            _line("pairs that say the same", f"{share(agreed['percent'])}%"),
            _line("α nominal", _coefficient(agreed, "alpha_nominal")),
            _line("α ordinal", _coefficient(agreed, "alpha_ordinal")),
        ]
    return lines


def _coefficient(row: Mapping[str, Any], name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if value is None:
        return MISSING
    ends = "" if low is None or high is None else f" [{fixed(low, 3)}, {fixed(high, 3)}]"
    return fixed(value, 3) + ends


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{share(value)}%"


def _of(value: float | None, number: int) -> str:
    return MISSING if value is None else f"{share(value)}% ({number:,})"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def _line(name: str, text: str) -> str:
    return f"  {pad(name, _LABEL)}  {text}"


def _table(
    header: Sequence[str], lines: Sequence[Sequence[str]], *, left: int, last_left: bool = False
) -> list[str]:
    """Columns two blanks apart, the first `left` of them flush left."""
    every = [header, *lines]
    widths = [max(display_width(line[i]) for line in every) for i in range(len(header))]
    last = len(header) - 1
    return [
        "  ".join(
            pad(cell, size, right=i >= left and not (last_left and i == last))
            for i, (cell, size) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in every
    ]
