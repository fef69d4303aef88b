"""Time `evalkit score` against its peers: whole processes, in turn, on the same files.

Makes seeded runs of 1 M and 10 M rows (100 products a query, 70 judgments a query), lets every
program compute P@10, nDCG@10, success@10 and MRR from TREC files (evalkit and DuckDB also both
Goodrates), checks that the figures agree, and prints medians and ratios. It asserts no time.
A peer that is not installed is reported as skipped.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processes import Measured, machine, measure, versions
from tables import as_markdown, as_text, put_into_page

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
MEASURES = "item_goodrate,query_goodrate,precision,ndcg,success,mrr"
TREC_MEASURES = {"P_10": "precision", "ndcg_cut_10": "ndcg", "success_10": "success"}
TREC_MEASURES["recip_rank"] = "mrr"
SAME = 0.00005 + 1e-9  # equal to four decimals; trec_eval prints no more
QUADRATIC_ABOVE = 2_000_000  # rows from which trec_eval is timed once, and only if asked for
WARM_UP_ROWS = 2_000


@dataclass(frozen=True)
class Program:
    """One competitor.

    Attributes:
        key: its name in the JSON.
        label: its name in the tables.
        command: from the paths of a run and its judgments to program and arguments.
        figures: from standard output to measure values.
        quadratic: grows with the square of the queries.
        deviates: why its figures are known to differ; None if they have to agree.
    """

    key: str
    label: str
    command: Callable[[Path, Path], list[str]]
    figures: Callable[[str], dict[str, float]] = json.loads
    quadratic: bool = False
    deviates: str | None = None


def _evalkit_figures(output: str) -> dict[str, float]:
    return {row["measure"]: row["value"] for row in json.loads(output)["results"]}


def _trec_eval_figures(output: str) -> dict[str, float]:
    rows = (line.split() for line in output.splitlines())
    return {TREC_MEASURES[row[0]]: float(row[2]) for row in rows if row[0] in TREC_MEASURES}


def _evalkit(given: argparse.Namespace, limit: str) -> Callable[[Path, Path], list[str]]:
    def command(run: Path, judgments: Path) -> list[str]:
        return [
            *(given.evalkit, "score", "--run", f"run={run}", "--judgments", str(judgments)),
            *("--measures", MEASURES, "--memory-limit", limit, "--format", "json"),
        ]

    return command


def programs(given: argparse.Namespace) -> list[Program]:
    """List the competitors, evalkit first."""

    def peer(python: str, name: str, *options: str) -> Callable[[Path, Path], list[str]]:
        script = str(HERE / "peers" / f"with_{name}.py")
        return lambda run, judgments: [python, script, str(run), str(judgments), *options]

    def trec_eval(run: Path, judgments: Path) -> list[str]:
        wanted = ("P.10", "ndcg_cut.10", "success.10", "recip_rank")
        options = [option for name in wanted for option in ("-m", name)]
        return [given.trec_eval or "trec_eval", "-c", *options, str(judgments), str(run)]

    limit = given.memory_limit
    own, other = sys.executable, given.peer_python
    everyone = [
        Program("evalkit", "evalkit score", _evalkit(given, limit), _evalkit_figures),
        Program("trec_eval", "trec_eval", trec_eval, _trec_eval_figures, quadratic=True),
        Program("pytrec_eval", "pytrec-eval-terrier", peer(other, "pytrec_eval")),
        Program("ir_measures", "ir_measures", peer(other, "ir_measures")),
        Program(
            "ranx",
            "ranx (compiled before)",
            peer(other, "ranx"),
            deviates="keeps tied products in the order of the file, not trec_eval's",
        ),
        Program("duckdb", "DuckDB SQL", peer(own, "duckdb")),
        Program(
            "duckdb_limit",
            f"DuckDB SQL, memory_limit {limit}",
            peer(own, "duckdb", "--memory-limit", limit),
        ),
    ]
    chosen = set(given.programs.split(",")) if given.programs else {one.key for one in everyone}
    unknown = chosen - {one.key for one in everyone}
    if unknown:
        known = ", ".join(one.key for one in everyone)
        raise SystemExit(f"unknown in --programs: {', '.join(sorted(unknown))}; known: {known}.")
    return [one for one in everyone if one.key in chosen or one.key == "evalkit"]


def _reason(measured: Measured) -> str:
    lines = [line for line in measured.error.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit code {measured.code}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def make_files(given: argparse.Namespace, rows: int, form: str) -> tuple[Path, Path]:
    """Make the files in a process of its own, which may need the memory that this one must not."""
    command = [
        *(sys.executable, str(HERE / "make_runs.py"), "--rows", str(rows), "--form", form),
        *("--data", str(given.data), "--seed", str(given.seed)),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    run, judgments = map(Path, done.stdout.splitlines())
    return run, judgments


def ready(
    everyone: list[Program], given: argparse.Namespace
) -> tuple[list[Program], dict[str, str]]:
    """Run everyone once on a tiny file: who is there, and what is compiled at first use."""
    files = make_files(given, WARM_UP_ROWS, "trec")
    there: list[Program] = []
    skipped: dict[str, str] = {}
    for program in everyone:
        command = program.command(*files)
        if shutil.which(command[0]) is None:
            skipped[program.label] = f"{command[0]} is not there"
            continue
        measured = measure(command, given.data)
        if measured.code == 0:
            there.append(program)
        elif program.key == "evalkit":
            raise SystemExit(f"evalkit failed: {_reason(measured)}")
        else:
            skipped[program.label] = _reason(measured)
    return there, skipped


def _disagreements(figures: dict[str, float], ours: dict[str, float]) -> dict[str, float]:
    return {
        name: value - ours[name]
        for name, value in figures.items()
        if abs(value - ours[name]) > SAME
    }


def time_all(
    there: list[Program], skipped: dict[str, str], rows: int, given: argparse.Namespace
) -> dict[str, Any]:
    """Time everyone in turn, `--repeat` rounds; every round starts with another program."""
    run, judgments = make_files(given, rows, "trec")
    rounds: dict[str, list[Measured | None]] = {one.key: [] for one in there}
    left_out = dict(skipped)
    playing = []
    for one in there:
        if one.quadratic and rows > QUADRATIC_ABOVE and not given.quadratic:
            left_out[one.label] = "quadratic in queries; --quadratic times it once"
        else:
            playing.append(one)
    for number in range(given.repeat):
        turn = number % len(playing)
        for one in playing[turn:] + playing[:turn]:
            once = one.quadratic and rows > QUADRATIC_ABOVE and number > 0
            if one.label in left_out or once:
                rounds[one.key].append(None)
                continue
            measured = measure(one.command(run, judgments), given.data)
            _say(
                f"{rows:,} rows, round {number + 1}: {one.label}: {measured.wall:.2f} s, "
                f"CPU {measured.cpu:.2f} s, {measured.memory / 1e6:,.0f} MB"
            )
            if measured.code != 0:
                left_out[one.label] = f"failed: {_reason(measured)}"
                rounds[one.key].append(None)
            else:
                rounds[one.key].append(measured)
    return _size_result(rows, (run, judgments), playing, rounds, left_out)


def _size_result(
    rows: int,
    files: tuple[Path, Path],
    playing: list[Program],
    rounds: dict[str, list[Measured | None]],
    left_out: dict[str, str],
) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    ours: dict[str, float] = {}
    inputs: list[dict[str, Any]] = []
    for one in playing:
        done = [measured for measured in rounds[one.key] if measured is not None]
        if not done:
            continue
        figures = one.figures(done[0].output)
        if one.key == "evalkit":
            ours, inputs = figures, json.loads(done[0].output)["inputs"]
        entries[one.key] = {
            "label": one.label,
            "wall": [None if m is None else m.wall for m in rounds[one.key]],
            "cpu": [None if m is None else m.cpu for m in rounds[one.key]],
            "memory": [None if m is None else m.memory for m in rounds[one.key]],
            "spilled": [None if m is None else m.spilled for m in rounds[one.key]],
            "figures": figures,
            "disagreements": _disagreements(figures, ours) if ours else {},
            "deviates": one.deviates,
        }
    return {
        "rows": rows,
        "inputs": [
            {**each, "path": Path(each["path"]).name, "bytes": path.stat().st_size}
            for each, path in zip(inputs, files, strict=True)
        ],
        "programs": entries,
        "skipped": left_out,
    }


def score_parquet(rows: int, given: argparse.Namespace) -> dict[str, Any]:
    """Score one large Parquet run once, under a memory limit."""
    run, judgments = make_files(given, rows, "parquet")
    limit = given.parquet_memory_limit
    measured = measure(_evalkit(given, limit)(run, judgments), given.data)
    if measured.code != 0:
        raise SystemExit(f"evalkit failed on {rows:,} Parquet rows: {_reason(measured)}")
    document = json.loads(measured.output)
    return {
        "rows": rows,
        "inputs": [
            {**each, "path": Path(each["path"]).name, "bytes": path.stat().st_size}
            for each, path in zip(document["inputs"], (run, judgments), strict=True)
        ],
        "memory_limit": limit,
        "wall": measured.wall,
        "cpu": measured.cpu,
        "memory": measured.memory,
        "spilled": measured.spilled,
        "figures": _evalkit_figures(measured.output),
    }


def _rows(text: str) -> int:
    match = re.fullmatch(r"(\d+)([km]?)", text.strip().lower())
    rows = int(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2]] if match else 0
    if rows < 100 or rows % 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 100k, 1m or 10m")
    return rows


def _sizes(text: str) -> list[int]:
    return [_rows(part) for part in text.split(",") if part.strip()]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python benchmarks/score.py --size 1m,10m --repeat 5 "
        "--trec-eval ~/trec_eval/trec_eval --peer-python build/peers/bin/python "
        "--json build/benchmarks/score.json --page docs/performance.md",
    )
    add = parser.add_argument
    add("--size", type=_sizes, default=[10**6, 10**7], metavar="1m,10m", help="rows of the runs")
    add("--repeat", type=int, default=5, metavar="N", help="rounds (default 5)")
    add("--data", type=Path, default=Path("build/benchmarks"), help="where files are kept")
    add("--seed", type=int, default=7, help="seed of the files (default 7)")
    add("--programs", metavar="A,B", help="only these; evalkit is always one of them")
    add("--evalkit", default=str(Path(sys.executable).parent / "evalkit"), metavar="PATH")
    add("--trec-eval", metavar="PATH", help="the trec_eval binary")
    add("--quadratic", action="store_true", help="time trec_eval at 10 M rows too, once (minutes)")
    add("--peer-python", default=sys.executable, metavar="PATH", help="interpreter of the peers")
    add("--memory-limit", default="600MB", metavar="SIZE", help="default 600MB")
    add("--parquet", type=_rows, metavar="100m", help="score a Parquet run of this size, once")
    add("--parquet-memory-limit", default="4GB", metavar="SIZE", help="default 4GB")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--markdown", action="store_true", help="print Markdown instead of plain text")
    add("--page", type=Path, metavar="FILE", help="put the Markdown between the page's marks")
    add("--read", type=Path, nargs="+", metavar="FILE", help="show these JSON files, time nothing")
    return parser


def _shown_command(given: argparse.Namespace) -> str:
    """The command with what matters for the figures, and without the places of files."""
    options = [
        *("--size", ",".join(map(str, given.size)), "--repeat", str(given.repeat)),
        *("--seed", str(given.seed), "--memory-limit", given.memory_limit),
    ]
    for name, value in [("--programs", given.programs), ("--parquet", given.parquet)]:
        options += [name, str(value)] if value else []
    if given.parquet:
        options += ["--parquet-memory-limit", given.parquet_memory_limit]
    options += ["--trec-eval", "PATH"] if given.trec_eval else []
    options += ["--quadratic"] if given.quadratic else []
    options += ["--peer-python", "PATH"] if given.peer_python != sys.executable else []
    return shlex.join(["python", "benchmarks/score.py", *options])


def _measure_everything(given: argparse.Namespace) -> dict[str, Any]:
    given.data.mkdir(parents=True, exist_ok=True)
    given.data = given.data.resolve()
    facts = machine()
    if facts["load_average"] > 0.5:
        _say(f"The machine is busy (load {facts['load_average']}): times will be too long.")
    result: dict[str, Any] = {
        "machine": facts,
        "versions": {"own": versions(sys.executable), "peers": versions(given.peer_python)},
        "command": _shown_command(given),
        "memory_limit": given.memory_limit,
        "sizes": [],
        "parquet": [],
    }
    if given.size:
        there, skipped = ready(programs(given), given)
        for label, reason in skipped.items():
            _say(f"Skipped: {label}: {reason}")
        result["sizes"] = [time_all(there, skipped, rows, given) for rows in given.size]
    if given.parquet:
        result["parquet"] = [score_parquet(given.parquet, given)]
    return result


def main() -> int:
    """Measure, or read what was measured; show it. Exit code 1 if figures do not agree."""
    parser = _arguments()
    given = parser.parse_args()
    if given.repeat < 1:
        parser.error("--repeat has to be at least 1")
    if given.read:
        results = [json.loads(path.read_text(encoding="utf-8")) for path in given.read]
    else:
        results = [_measure_everything(given)]
        if given.json:
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps(results[0], indent=2) + "\n", encoding="utf-8")
    if given.page:
        put_into_page(given.page, "score.py", as_markdown(results))
    print(as_markdown(results) if given.markdown else as_text(results))
    wrong = [
        f"{size['rows']:,} rows: {entry['label']} differs from evalkit: {entry['disagreements']}"
        for result in results
        for size in result["sizes"]
        for entry in size["programs"].values()
        if entry["disagreements"] and not entry["deviates"]
    ]
    for line in wrong:
        _say(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
