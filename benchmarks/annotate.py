"""Time the annotation app: from a vote to the next task, in a browser and with many people.

Makes a temporary study and starts the real server. `browser`: one person in Chromium, by key and
by mouse. `alone`: one person over the websocket without a browser, which is the server's part.
`people`: many of them at a steady pace, and then the database is asked whether every vote is there
once and no task was served too often. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sqlite3
import sys
import tempfile
from math import ceil
from pathlib import Path
from typing import Any

from annotation import ROOT, Server, check_votes, make_runs, make_study
from processes import machine, versions
from tables import aligned, markdown_table, put_into_page

PARTS = ("browser", "alone", "people")
WARM_UP = 10
ALONE_PACE = 1.5  # half of it is still beyond the minimum dwell
_PACKAGES = ("evalkit-search", "streamlit", "sqlalchemy", "starlette", "uvicorn", "websockets")
_PROBLEMS = {
    "refused": "votes refused",
    "lost": "votes lost",
    "unseen": "votes that no page called saved",
    "doubled": "votes doubled",
    "over_served": "tasks served too often",
}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _study(given: argparse.Namespace, folder: Path, overlap: int, people: int) -> dict[str, Any]:
    """Make a study in a new database."""
    runs = (given.control, given.treatment)
    if given.control is None:
        runs = make_runs(given.products, given.queries, given.seed, folder)
    database = folder / "study.db"
    names = [f"person {number}" for number in range(people)]
    tokens = make_study(
        database,
        runs,
        given.products,
        given.queries,
        overlap=overlap,
        seed=given.seed,
        people=names,
    )
    return {"database": database, "tokens": list(tokens.values())}


def measure_part(part: str, given: argparse.Namespace) -> dict[str, Any]:
    """Measure one part with a server and a database of its own."""
    from crowd import crowd

    people = given.people if part == "people" else 1
    votes = given.people * given.duration / given.pace
    with given.queries.open(encoding="utf-8") as file:
        queries = max(1, sum(1 for _ in file) - 1)
    overlap = max(3, ceil(1.3 * votes / queries)) if part == "people" else 3
    with tempfile.TemporaryDirectory(prefix="evalkit-annotate-") as name:
        folder = Path(name)
        study = _study(given, folder, overlap, people)
        load = os.getloadavg()[0]
        with Server(study["database"], folder / "server.log") as server:
            if part == "browser":
                from browser_votes import vote_in_browser

                found = vote_in_browser(
                    server,
                    study["tokens"][0],
                    votes=given.votes,
                    warm_up=WARM_UP,
                    seed=given.seed,
                )
                found["memory_peak"] = server.memory().get("peak")
            else:
                alone = part == "alone"
                found = crowd(
                    server,
                    study["tokens"],
                    duration=(given.votes + 1) * ALONE_PACE if alone else given.duration,
                    pace=ALONE_PACE if alone else given.pace,
                    seed=given.seed,
                )
                acknowledged = found.pop("acknowledged")
                found["stored"] = check_votes(study["database"], overlap, acknowledged)
                found["overlap"] = overlap
            if "Traceback" in (said := server.said()):
                raise SystemExit(f"the server had an error:\n{said}")
    return {**found, "load_before": load, "load_after": os.getloadavg()[0]}


def _row(what: str, found: dict[str, Any]) -> list[str]:
    names = ("median_ms", "p95_ms", "p99_ms", "max_ms")
    return [what, str(found["n"]), *(f"{found[name]:.0f}" if found["n"] else "–" for name in names)]


def table(result: dict[str, Any]) -> list[list[str]]:
    """Rows of everything that was timed."""
    rows = [["from a vote to …", "votes", "median ms", "p95 ms", "p99 ms", "longest ms"]]
    for method in ("key", "mouse") if "browser" in result else ():
        found = result["browser"][method]
        rows += [
            _row(f"Chromium, {method}: the next task is painted", found["next_task"]),
            _row(f"Chromium, {method}: its vote bar is ready", found["bar_ready"]),
            _row(f"of that, {method}: sent until the task came back", found["server"]),
        ]
    for part in ("alone", "people"):
        if found := result.get(part):
            who = "1 person" if found["people"] == 1 else f"{found['people']} people"
            rows += [
                _row(f"{who}, no browser: the next task is sent", found["next_task"]),
                _row(f"{who}, no browser: the script has ended", found["run_finished"]),
            ]
    return rows


def notes(result: dict[str, Any]) -> list[str]:
    """What the table does not say: votes, errors, memory, load."""
    lines = []
    if browser := result.get("browser"):
        without = browser["without_effect"]
        lines.append(
            f"One person in Chromium {browser['chromium']}: load {_load(browser)}; votes without "
            f"effect: {'; '.join(without) if without else 'none'}."
        )
    for part in ("alone", "people"):
        if part not in result:
            continue
        found = result[part]
        stored = found["stored"]
        problems = [
            f"{count} {words}"
            for name, words in _PROBLEMS.items()
            if (count := {**stored, **found}[name])
        ]
        problems += [f"{count} × {error}" for error, count in found["errors"].items()]
        who = "One person" if found["people"] == 1 else f"{found['people']} people"
        lines.append(
            f"{who}, a vote every {found['pace_s']:g} s: {stored['votes']} votes stored in "
            f"{found['duration_s']:.0f} s ({found['votes_per_second']:.1f} a second), "
            f"{', '.join(problems) or 'none lost, doubled or refused, no task served too often'}; "
            f"processor time of the server {_number(found['cpu_ms_per_vote'])} ms a vote, memory "
            f"at most {_number(found['memory_peak'], 1e6)} MB; load {_load(found)}."
        )
    return lines


def _number(value: float | None, unit: float = 1) -> str:
    return "?" if value is None else f"{value / unit:.0f}"


def _load(found: dict[str, Any]) -> str:
    return f"{found['load_before']:.1f} before, {found['load_after']:.1f} after"


def _facts(result: dict[str, Any]) -> list[str]:
    facts = result["machine"]
    named = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return [
        f"Machine: {facts['processor']}, {facts['cores']} cores, {facts['memory_gb']} GB, "
        f"{facts['system']}; load before the start {facts['load_average']}.",
        f"Versions: {named}.",
    ]


def as_text(result: dict[str, Any]) -> str:
    """For a terminal."""
    return "\n".join([*_facts(result), "", *aligned(table(result)), "", *notes(result)])


def as_markdown(result: dict[str, Any]) -> str:
    """For the page."""
    lines = [f"- {line}" for line in _facts(result)]
    lines += ["", "```sh", result["command"], "```", "", *markdown_table(table(result)), ""]
    return "\n".join([*lines, *(f"- {line}" for line in notes(result))])


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python benchmarks/annotate.py --people 50 --duration 120 "
        "--json build/benchmarks/annotate.json --page docs/performance.md",
    )
    add = parser.add_argument
    add("--parts", default=",".join(PARTS), metavar="A,B", help=f"of {', '.join(PARTS)}")
    add("--votes", type=int, default=60, metavar="N", help="timed votes of one person (default 60)")
    add("--people", type=int, default=50, metavar="N", help="people at once (default 50)")
    add("--pace", type=float, default=10, metavar="S", help="seconds a vote of each (default 10)")
    add("--duration", type=float, default=120, metavar="S", help="of `people` (default 120)")
    add("--seed", type=int, default=7, help="of runs, pauses and votes (default 7)")
    add("--control", type=Path, metavar="FILE", help="a run; default: seeded, without a model")
    add("--treatment", type=Path, metavar="FILE", help="the other run")
    add("--products", type=Path, default=ROOT / "sample_data/products.jsonl", metavar="FILE")
    add("--queries", type=Path, default=ROOT / "sample_data/queries.csv", metavar="FILE")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--markdown", action="store_true", help="print Markdown instead of plain text")
    add("--page", type=Path, metavar="FILE", help="put the Markdown between the page's marks")
    add("--read", type=Path, metavar="FILE", help="show this JSON file, time nothing")
    return parser


def _measure_everything(given: argparse.Namespace, parts: list[str]) -> dict[str, Any]:
    facts = machine()
    if facts["load_average"] > 0.5:
        _say(f"The machine is busy (load {facts['load_average']}): times will be too long.")
    own = versions(sys.executable, _PACKAGES)
    result: dict[str, Any] = {
        "machine": facts,
        "versions": {**own, "sqlite": sqlite3.sqlite_version},
        "command": shlex.join(
            [
                *("python", "benchmarks/annotate.py", "--parts", ",".join(parts)),
                *("--votes", str(given.votes), "--people", str(given.people)),
                *("--pace", f"{given.pace:g}", "--duration", f"{given.duration:g}"),
                *("--seed", str(given.seed)),
            ]
        ),
    }
    for part in parts:
        _say(f"Measuring: {part}")
        result[part] = measure_part(part, given)
    return result


def main() -> int:
    """Measure, or read what was measured; show it. Exit code 1 if a vote was lost or doubled."""
    parser = _arguments()
    given = parser.parse_args()
    parts = [part.strip() for part in given.parts.split(",")]
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"unknown in --parts: {', '.join(unknown)}; known: {', '.join(PARTS)}")
    if (given.control is None) != (given.treatment is None):
        parser.error("--control and --treatment belong together")
    if given.votes < 1 or given.people < 1 or given.pace < 1 or given.duration <= 0:
        parser.error("--votes, --people and --pace have to be at least 1, --duration above 0")
    if given.read:
        result = json.loads(given.read.read_text(encoding="utf-8"))
    else:
        result = _measure_everything(given, parts)
        if given.json:
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if given.page:
        put_into_page(given.page, "annotate.py", as_markdown(result))
    print(as_markdown(result) if given.markdown else as_text(result))
    checks = [result[part]["stored"] for part in ("alone", "people") if part in result]
    wrong = any(
        check[name] for check in checks for name in ("lost", "unseen", "doubled", "over_served")
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
