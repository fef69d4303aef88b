"""Run the studies, keep what they count as it comes, and show it."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shlex
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import machine, versions
from benchmarks.simulations.catalogue import STUDIES
from benchmarks.simulations.page import as_markdown, as_text
from benchmarks.tables import put_into_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main", "measure"]

_SCRIPT = "statistics.py"
_PACKAGES = ("evalkit-search", "numpy", "scipy", "krippendorff", "scikit-learn", "pyarrow")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, write it and print it. The exit code is 0: this is a report."""
    parser = _arguments()
    given = parser.parse_args(arguments)
    names = given.only or list(STUDIES)
    unknown = [name for name in names if name not in STUDIES]
    if unknown:
        parser.error(f"unknown in --only: {', '.join(unknown)}; there are: {', '.join(STUDIES)}")
    if given.workers not in (1, 2):
        parser.error("--workers is 1 or 2")
    if given.resume and not given.json:
        parser.error("--resume goes on with the file of --json; name it")
    document = _earlier(given, names)
    missing = [name for name in names if name not in document["studies"]]
    for name, found in _measured(missing, given):
        document["studies"][name] = found
        document["studies"] = {
            each: document["studies"][each] for each in STUDIES if each in document["studies"]
        }
        _say(f"{name}: {found['repetitions']:,} repetitions, {found['seconds']:.1f} s")
        if given.json:
            _write(given.json, document)
    if given.page:
        put_into_page(given.page, _SCRIPT, as_markdown(document))
    print(as_markdown(document) if given.markdown else as_text(document))
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/statistics.py",
        description="Do the intervals and tests of evalkit keep what they promise? Simulations.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Studies: " + ", ".join(STUDIES) + ".\n\n"
        "Example: python benchmarks/statistics.py --json build/benchmarks/statistics.json "
        "--page docs/statistics.md",
    )
    add = parser.add_argument
    add("--only", type=_names, metavar="NAME,NAME", help="only these studies")
    add("--quick", action="store_true", help="few repetitions, for a look")
    add("--seed", type=int, default=7, help="of everything that is drawn (default 7)")
    add("--workers", type=int, default=1, help="processes, 1 or 2 (default 1)")
    add("--json", type=Path, metavar="FILE", help="write every count, after each study")
    add("--resume", action="store_true", help="run only what --json does not hold yet")
    add("--markdown", action="store_true", help="print Markdown instead of plain text")
    add("--page", type=Path, metavar="FILE", help="put the Markdown between the page's marks")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _earlier(given: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """What an earlier run left of the same studies, or an empty document."""
    document: dict[str, Any] = {
        "kind": "statistics",
        "command": _shown_command(given),
        "seed": given.seed,
        "quick": given.quick,
        "machine": machine(),
        "versions": versions(sys.executable, _PACKAGES),
        "studies": {},
    }
    if not given.resume or not given.json.exists():
        return document
    found = json.loads(given.json.read_text(encoding="utf-8"))
    if (found["seed"], found["quick"]) != (given.seed, given.quick):
        raise SystemExit(
            f"{given.json}: has seed {found['seed']} and quick {found['quick']}; name another file."
        )
    document["studies"] = {
        name: found["studies"][name]
        for name in names
        if name in found["studies"]
        and found["studies"][name]["repetitions"] == _repetitions(name, given.quick)
    }
    return document


def _shown_command(given: argparse.Namespace) -> str:
    """The command with what matters for the figures, and without the places of files."""
    options = ["--seed", str(given.seed)]
    options += ["--only", ",".join(given.only)] if given.only else []
    options += ["--quick"] if given.quick else []
    return shlex.join(["python", "benchmarks/statistics.py", *options])


def _repetitions(name: str, quick: bool) -> int:
    return STUDIES[name].quick if quick else STUDIES[name].repetitions


def measure(name: str, seed: int, quick: bool) -> dict[str, Any]:
    """Run one study; the seconds are of the processor."""
    start = time.process_time()
    rows = STUDIES[name].rows(seed, quick=quick)
    return {
        "repetitions": _repetitions(name, quick),
        "seconds": round(time.process_time() - start, 1),
        "rows": [row.as_dict() for row in rows],
    }


def _measured(
    names: Sequence[str], given: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the studies, in this process or in two others; give each as it is done."""
    if given.workers == 1 or len(names) < 2:
        for name in names:
            yield name, measure(name, given.seed, given.quick)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.workers, mp_context=context) as pool:
        running = {pool.submit(measure, name, given.seed, given.quick): name for name in names}
        for done in as_completed(running):
            yield running[done], done.result()


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
