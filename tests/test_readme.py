"""The README: its commands run, its outputs are what they print, its tables say what the code does.

`python docs/generate.py` writes the outputs anew.
"""

from __future__ import annotations

import doctest
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from evalkit.tables.schema import SCHEMAS
from evalkit.tables.sources import format_of_name
from metrics.measures import MEASURES

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
GENERATE = runpy.run_path(str(ROOT / "docs" / "generate.py"))
BLOCKS = GENERATE["blocks"](TEXT)


def section(title: str) -> str:
    """The text below a heading."""
    return re.split(r"^## ", TEXT.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def table(text: str, header: str) -> list[list[str]]:
    """The cells of the table whose first column has this header, without the header."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {header} |"):
            break
    else:
        pytest.fail(f"no table with the column {header!r}")
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))])
    return rows[1:]


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_commands_run_and_print_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test, since every block needs the files of those before it."""
    GENERATE["prepare"](tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = 0
    for block in BLOCKS:
        if block.language == "bash":
            printed = GENERATE["run"](block, tmp_path)
            if block.shows is not None:
                assert printed == block.shows.text, f"README.md, line {block.shows.line}, is stale"
                shown += 1
        elif block.language == "python":
            example = doctest.DocTestParser().get_doctest(
                block.text, {}, "README.md", "README.md", block.line - 1
            )
            assert example.examples
            problems: list[str] = []
            doctest.DocTestRunner().run(example, out=problems.append)
            assert not problems, "".join(problems)
    assert shown == 5


def test_only_the_named_commands_are_not_run() -> None:
    left_out = [
        command
        for block in BLOCKS
        if block.language == "bash"
        for command in re.split(r"(?<!\\)\n", block.text)
        if command and command not in list(GENERATE["commands"](block))
    ]
    assert [command.split(" \\")[0] for command in left_out] == [
        "make demo",
        "make test",
        ".venv/bin/evalkit annotate --db demo/evalkit.db",
        "pip install evalkit-search",
        "pip install 'torch>=2.4,<2.14' --index-url https://download.pytorch.org/whl/cpu",
        "pip install 'evalkit-search[models,offline]'",
        "evalkit annotate --db demo/pages.db",
        "evalkit index --products sample_data/products.jsonl --model intfloat/e5-small-v2",
        "evalkit synthesize all --products sample_data/products.jsonl --per-type 250 "
        "-o demo/training",
    ]


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    assert {block.language for block in BLOCKS} == {"bash", "text", "python"}
    outputs = sum(block.shows is not None for block in BLOCKS)
    assert sum(block.language == "text" for block in BLOCKS) == outputs


def test_every_measure_has_its_definition() -> None:
    names = [cells[0].strip("`") for cells in table(section("Measures"), "name")]
    assert names == list(MEASURES)


def test_the_aliases_are_those_of_the_schema() -> None:
    also: dict[str, set[str]] = {}
    weak: dict[str, set[str]] = {}
    for schema in SCHEMAS.values():
        for alias, name in schema.aliases.items():
            if alias != name:
                also.setdefault(name, set()).add(alias)
        for alias, name in schema.weak_aliases.items():
            weak.setdefault(name, set()).add(alias)
    told = {
        cells[0].strip("`"): (
            quoted(re.sub(r"\(`[^`]+`\)", "", cells[1])),
            {name for name in quoted(cells[1]) if f"(`{name}`)" in cells[1]},
        )
        for cells in table(section("Files"), "column")
    }
    names = sorted(also.keys() | weak.keys())
    expected = {name: (also.get(name, set()), weak.get(name, set())) for name in names}
    assert told == expected


def test_the_columns_of_every_table_are_those_of_the_schema() -> None:
    for kind, columns in table(section("Files"), "table"):
        schema = SCHEMAS[kind.replace(" ", "_")]  # type: ignore[index]
        assert quoted(columns) - {"--by", "price"} == set(schema.roles)


def test_the_endings_are_those_that_are_read() -> None:
    for name, endings in table(section("Files"), "format"):
        for ending in quoted(endings):
            found = format_of_name(f"table{ending}.gz")
            assert found is not None
            assert found in {word.lower() for word in re.findall(r"\w+", name)} | (
                {"jsonl"} if name == "JSON Lines" else set()
            )


def test_the_extras_are_those_of_the_package() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = {cells[0].strip("`[]") for cells in table(section("Install"), "extra")} - {"–"}
    assert told == set(project["optional-dependencies"]) - {"dev"}
    bound = next(
        need for need in project["optional-dependencies"]["models"] if need.startswith("torch>")
    )
    assert f"`{bound}`" in TEXT
    assert f"pip install '{bound}'" in TEXT
    assert f"pip install {project['name']}\n" in TEXT


def test_options_that_are_named_exist() -> None:
    from evalkit.cli import cli

    def options(command: click.Command) -> set[str]:
        found = {option for each in command.params for option in each.opts}
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                found |= options(inner)
        return found

    known = {"--index-url", "--help"} | options(cli)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT))
    assert named - known == set()


def test_choices_of_unjudged_and_ties_are_all_explained() -> None:
    from evalkit.cli.score import score

    text = section("Unjudged products and tied scores")
    for parameter in score.params:
        if parameter.name in ("unjudged", "ties"):
            assert isinstance(parameter.type, click.Choice)
            told = [cells[0] for cells in table(text, f"`--{parameter.name}`")]
            assert [re.findall(r"`(\w+)`", cell)[0] for cell in told] == list(
                parameter.type.choices
            )


def test_links_inside_the_repository_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
