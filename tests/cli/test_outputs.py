"""No command of the way from catalogue to classifier writes over what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.errors import EvalkitError

if TYPE_CHECKING:
    from pathlib import Path

READ = {
    "products.csv": "product_id,title,kind\np1,red jacket,jacket\n",
    "queries.csv": "query_id,query\nq1,red jacket\n",
    "rewrites.csv": "query_id,rewrite\nq1,red coat\n",
    "run.csv": "query_id,product_id,rank\nq1,p1,1\n",
    "facts.csv": "subject,relation,object\n",
}
COMMANDS = {
    "synthesize queries": ("products.csv", "--products products.csv -o products.csv"),
    "synthesize queries, report": (
        "notes.md",
        "--products products.csv --compare notes.md -o made.csv --report notes.md",
    ),
    "synthesize pairs": (
        "rewrites.csv",
        "--queries queries.csv --rewrites rewrites.csv --products products.csv --index i "
        "--classifier c -o pairs.csv --candidates rewrites.csv",
    ),
    "rewrite": ("queries.csv", "--queries queries.csv --products products.csv -o queries.csv"),
    "parse queries": ("queries.csv", "--queries queries.csv -o queries.csv"),
    "parse queries, facts": (
        "facts.csv",
        "--queries queries.csv --products products.csv --triples facts.csv -o facts.csv",
    ),
    "relevance rewrites": (
        "rewrites.csv",
        "--rewrites rewrites.csv --queries queries.csv --rules-only -o rewrites.csv",
    ),
    "retrieve": ("queries.csv", "--queries queries.csv --index i -o queries.csv"),
    "fuse": ("run.csv", "run.csv rewrites.csv -o run.csv"),
    "judge": (
        "run.csv",
        "--run dense=run.csv --queries queries.csv --products products.csv --classifier c "
        "-o run.csv",
    ),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {**READ, "notes.md": "notes\n"}.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(name: str, options: str) -> str:
    arguments = [*name.partition(",")[0].split(), *options.split()]
    with pytest.raises(EvalkitError) as caught:
        CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_that_is_read_is_refused_and_stays_as_it_was(name: str, here: Path) -> None:
    precious, options = COMMANDS[name]
    before = (here / precious).read_bytes()
    assert f"{precious} is read by this command" in refused(name, options)
    assert (here / precious).read_bytes() == before


WRITERS = {
    "synthesize queries": "--products products.csv",
    "synthesize pairs": "--queries queries.csv --rewrites rewrites.csv --products products.csv "
    "--index i --classifier c",
    "rewrite": "--queries queries.csv --products products.csv",
    "parse queries": "--queries queries.csv",
    "relevance rewrites": "--rewrites rewrites.csv --queries queries.csv --rules-only",
    "retrieve": "--queries queries.csv --index i",
    "fuse": "run.csv run.csv",
    "judge": "--run run.csv --queries queries.csv --products products.csv --classifier c",
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_whose_format_cannot_be_told_is_refused_before_any_work(
    name: str, here: Path
) -> None:
    before = sorted(here.iterdir())
    message = refused(name, f"{WRITERS[name]} -o new/made.xyz")
    assert "new/made.xyz: the name does not tell the format" in message
    assert sorted(here.iterdir()) == before


def test_a_format_that_does_not_hold_the_table_is_refused_before_any_work(here: Path) -> None:
    message = refused("rewrite", f"{WRITERS['rewrite']} -o made.csv --output-format trec")
    assert message == "TREC files hold runs and judgments, not rewrites."


def test_another_name_of_the_same_file_is_refused_too(here: Path) -> None:
    (here / "link.csv").symlink_to(here / "products.csv")
    message = refused("synthesize queries", "--products products.csv -o link.csv")
    assert "link.csv is read by this command" in message


def test_a_chain_does_not_write_over_what_it_reads_in_its_own_folder(here: Path) -> None:
    (here / "made").mkdir()
    precious = here / "made" / "pairs.parquet"
    precious.write_text(READ["products.csv"])
    message = refused("synthesize all", "--products made/pairs.parquet -o made")
    assert "pairs.parquet in made is read by this command" in message
    assert precious.read_text() == READ["products.csv"]


def test_a_chain_into_a_file_is_refused_in_one_line(here: Path) -> None:
    message = refused("synthesize all", "--products products.csv -o notes.md")
    assert message == "notes.md: is a file. Name a folder."


def test_a_classifier_is_not_trained_over_its_own_examples(here: Path) -> None:
    (here / "model").mkdir()
    (here / "model" / "examples.csv").write_text("query_id,query,rewrite,label\n")
    message = refused("train classifier", "--rewrites model/examples.csv -o model")
    assert "examples.csv in model is read by this command" in message
    message = refused("train classifier", "--rewrites rewrites.csv --model model -o model")
    assert "model is read by this command" in message


def test_missing_folders_of_outputs_are_made(here: Path) -> None:
    for options in (
        "parse queries --queries queries.csv -o a/new/typed.csv",
        "synthesize queries --products none.csv -o b/new/q.csv --report b/other/report.md",
    ):
        CliRunner().invoke(cli, options.split())
    assert (here / "a" / "new" / "typed.csv").is_file()
    assert (here / "b" / "other").is_dir()


def test_a_folder_that_cannot_be_made_is_told(here: Path) -> None:
    message = refused("parse queries", "--queries queries.csv -o notes.md/typed.csv")
    assert "notes.md/typed.csv: its folder cannot be made" in message
