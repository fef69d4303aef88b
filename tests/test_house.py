"""What may know what: the arrows between the rooms, read from the imports of every module."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# a room is a package or module directly under evalkit; `metrics` is a room of its own
FOUNDATION = {
    *("chunks", "engines", "errors", "files", "interruption", "manifest", "models", "progress"),
}
READING = {"constraints", "knowledge", "llm"}
MAY_KNOW: dict[str, set[str]] = {
    "metrics": set(),
    "errors": set(),
    "engines": {"errors"},
    "interruption": set(),
    "files": {"errors", "interruption"},
    "models": {"errors"},
    "manifest": {"errors", "files"},
    "progress": {"interruption"},
    "chunks": {"errors", "files", "manifest"},
    "circularity": {"errors", "manifest"},
    "smollm2": {"errors", "files", "manifest", "models"},
    "tables": {"engines", "errors", "interruption"},
    "scoring": {"engines", "errors", "metrics", "tables"},
    "calibrating": {"engines", "errors", "metrics", "scoring", "tables"},
    "llm": FOUNDATION | {"smollm2"},
    "knowledge": FOUNDATION | {"tables"},
    "constraints": FOUNDATION | {"knowledge", "llm", "tables"},
    "retrieval": FOUNDATION | {"constraints", "knowledge", "metrics", "tables"},
    "rewriting": FOUNDATION | READING | {"metrics", "tables"},
    "relevance": FOUNDATION | READING | {"metrics", "retrieval", "tables"},
    "store": FOUNDATION | {"metrics", "tables"},
    "reports": {"errors", "files", "metrics", "store", "tables"},
    "training": FOUNDATION
    | READING
    | {"circularity", "metrics", "relevance", "reports", "retrieval", "rewriting", "tables"},
    "synthesis": FOUNDATION
    | READING
    | {"metrics", "relevance", "retrieval", "rewriting", "tables", "training"},
}
KNOW_EVERYTHING = {"__main__", "cli", "experiment"}

MODEL_LIBRARIES = {
    "faiss",
    "huggingface_hub",
    "onnxruntime",
    "optimum",
    "sentence_transformers",
    "torch",
    "transformers",
    "trl",
}
WITHOUT_MODELS = {
    "metrics", "tables", "scoring", "calibrating", "reports", "store", "engines", "errors", "files",
}  # fmt: skip
HEAVY = {"torch", "transformers", "faiss", "streamlit", "plotly", "sklearn", "pandas", "polars"}


@dataclass(frozen=True)
class Import:
    """One import statement: who imports what, and when."""

    module: str
    target: str
    line: int
    when: str  # "load", "call" (inside a function) or "typing" (for type checkers only)

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def path_of(module: str) -> Path:
    return ROOT / Path(*module.split("."))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    return path_of(name).with_suffix(".py").is_file() or (path_of(name) / "__init__.py").is_file()


class _Reader(ast.NodeVisitor):
    def __init__(self, module: str, package: str) -> None:
        self.module, self.package, self.when = module, package, "load"
        self.found: list[Import] = []

    def _add(self, target: str, line: int) -> None:
        self.found.append(Import(self.module, target, line, self.when))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            above = self.package.split(".")
            base = ".".join([*above[: len(above) - node.level + 1], *filter(None, [node.module])])
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            self._add(inner if is_module(inner) else base, node.lineno)

    def _visit_under(self, nodes: list[ast.stmt], when: str) -> None:
        before, self.when = self.when, when if self.when == "load" else self.when
        for node in nodes:
            self.visit(node)
        self.when = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_under(node.body, "call")

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_under(node.body, "call")

    def visit_If(self, node: ast.If) -> None:
        typing = "TYPE_CHECKING" in ast.dump(node.test)
        self._visit_under(node.body, "typing" if typing else self.when)
        self._visit_under(node.orelse, self.when)


def imports_in(source: str, module: str, package: str) -> list[Import]:
    reader = _Reader(module, package)
    reader.visit(ast.parse(source))
    return reader.found


@cache
def all_imports() -> tuple[Import, ...]:
    found: list[Import] = []
    for package in ("metrics", "evalkit", "annotate_app"):
        for path in sorted((ROOT / package).rglob("*.py")):
            module = name_of(path)
            inside = module if path.name == "__init__.py" else module.rpartition(".")[0]
            found += imports_in(path.read_text(encoding="utf-8"), module, inside)
    return tuple(found)


def room(module: str) -> str | None:
    """The room that a module of ours stands in; None for the front door and for others' modules."""
    first, _, rest = module.partition(".")
    if first in ("metrics", "annotate_app"):
        return first
    return rest.split(".")[0] or None if first == "evalkit" else None


def library(import_: Import) -> str:
    return import_.target.split(".")[0]


def listed(wrong: list[Import]) -> str:
    return "\n".join(map(str, wrong))


# the reader of imports itself


def test_every_kind_of_import_is_read() -> None:
    source = """
from __future__ import annotations
import os, evalkit.files as files
from evalkit import errors, EvalkitError
from . import sources
from ..engines import connect
if TYPE_CHECKING:
    import torch
def later():
    from evalkit.tables import read
    def deeper():
        import faiss
class Room:
    import metrics
"""
    found = imports_in(source, "evalkit.tables.readers", "evalkit.tables")
    assert [(import_.target, import_.when) for import_ in found] == [
        ("__future__", "load"),
        ("os", "load"),
        ("evalkit.files", "load"),
        ("evalkit.errors", "load"),
        ("evalkit", "load"),
        ("evalkit.tables.sources", "load"),
        ("evalkit.engines", "load"),
        ("torch", "typing"),
        ("evalkit.tables", "call"),
        ("faiss", "call"),
        ("metrics", "load"),
    ]


def test_every_module_is_read() -> None:
    modules = {import_.module for import_ in all_imports()}
    assert {"metrics.goodrate", "evalkit.tables.readers", "evalkit.cli.score"} <= modules
    assert len(modules) > 50


# the arrows


def test_every_room_is_on_the_plan() -> None:
    rooms = {room(name_of(path)) for path in (ROOT / "evalkit").rglob("*.py")}
    assert rooms - {None} <= MAY_KNOW.keys() | KNOW_EVERYTHING


@pytest.mark.parametrize("name", MAY_KNOW)
def test_a_room_knows_only_what_it_may(name: str) -> None:
    allowed = MAY_KNOW[name] | {name, None}
    wrong = [
        import_
        for import_ in all_imports()
        if room(import_.module) == name and room(import_.target) not in allowed
    ]
    assert not wrong, listed(wrong)


def test_metrics_import_nothing_of_evalkit() -> None:
    wrong = [
        import_
        for import_ in all_imports()
        if room(import_.module) == "metrics" and library(import_) in ("evalkit", "annotate_app")
    ]
    assert not wrong, listed(wrong)


def test_metrics_read_no_files_and_know_no_database() -> None:
    wrong = [
        import_
        for import_ in all_imports()
        if room(import_.module) == "metrics"
        and library(import_) in {"duckdb", "sqlalchemy", "sqlite3", "pathlib", "os", "io"}
    ]
    assert not wrong, listed(wrong)


def test_evalkit_never_knows_the_app() -> None:
    wrong = [
        import_
        for import_ in all_imports()
        if room(import_.module) != "annotate_app"
        and library(import_) in ("annotate_app", "streamlit")
    ]
    assert not wrong, listed(wrong)


def test_nobody_but_the_command_line_knows_the_command_line() -> None:
    wrong = [
        import_
        for import_ in all_imports()
        if room(import_.module) not in ("__main__", "cli")
        and (room(import_.target) == "cli" or library(import_) == "click")
    ]
    assert not wrong, listed(wrong)


@pytest.mark.parametrize("name", sorted(WITHOUT_MODELS))
def test_numbers_tables_and_reports_know_no_model_library(name: str) -> None:
    wrong = [
        import_
        for import_ in all_imports()
        if room(import_.module) == name and library(import_) in MODEL_LIBRARIES
    ]
    assert not wrong, listed(wrong)


def test_heavy_libraries_are_imported_when_they_are_called() -> None:
    wrong = [
        import_
        for import_ in all_imports()
        if import_.when == "load"
        and room(import_.module) != "annotate_app"
        and library(import_) in HEAVY | MODEL_LIBRARIES | {"bm25s", "openai", "scipy", "Stemmer"}
    ]
    assert not wrong, listed(wrong)


def test_the_tests_are_known_to_nobody() -> None:
    wrong = [import_ for import_ in all_imports() if library(import_) in ("tests", "sample_data")]
    assert not wrong, listed(wrong)


# no circle


def test_no_circle_runs_through_the_rooms() -> None:
    knows: dict[str, set[str]] = {}
    for import_ in all_imports():
        here, there = room(import_.module), room(import_.target)
        if here and there and here != there:
            knows.setdefault(here, set()).add(there)
    order = list(TopologicalSorter(knows).static_order())
    assert order.index("metrics") < order.index("cli")


def test_no_circle_runs_through_the_modules() -> None:
    knows: dict[str, set[str]] = {}
    for import_ in all_imports():
        if import_.when != "typing" and room(import_.target) and import_.target != import_.module:
            knows.setdefault(import_.module, set()).add(import_.target)
    assert list(TopologicalSorter(knows).static_order())


# what a process loads


def loaded(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "module",
    ["evalkit", "evalkit.cli", "metrics", "evalkit.tables", "evalkit.scoring", "evalkit.cli.score"],
)
def test_what_score_imports_loads_nothing_heavy(module: str) -> None:
    names = loaded(f"import {module}")
    assert module.split(".")[0] in names
    assert not names & (HEAVY | MODEL_LIBRARIES)


HELP = "import sys; sys.argv = ['evalkit', '--help']\nfrom evalkit.cli import main\nmain()"


def test_help_loads_nothing_heavy() -> None:
    program = HELP.replace("\nmain()", "\ntry:\n    main()\nexcept SystemExit:\n    pass")
    assert not loaded(program) & (HEAVY | MODEL_LIBRARIES | {"numpy", "duckdb", "metrics", "scipy"})


def test_help_answers_within_half_a_second() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", HELP], capture_output=True, text=True, check=True, cwd=ROOT
        )
        times.append(time.perf_counter() - start)
        assert "score" in done.stdout
    assert min(times) < 0.5
