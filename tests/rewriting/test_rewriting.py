"""The stage: a table of queries becomes a table of rewrites, and goes on where it stopped."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalkit.constraints import Condition, Structure
from evalkit.errors import InputError, ModelError, SettingsError
from evalkit.llm.openai_endpoint import EndpointSettings, open_endpoint
from evalkit.manifest import read_manifest
from evalkit.rewriting import RewriteSettings, rewrite_queries
from evalkit.rewriting import rewriting as stage
from evalkit.rewriting.catalogue import CatalogueRewriter
from tests.rewriting.shop import write_shop

NO_LEATHER = Structure(
    "negative", ("jacket",), excluded=(Condition("material", ("leather",)),)
).to_json()
GLASS = Structure("general", ("kettle",), required=(Condition("material", ("glass",)),)).to_json()


NOT_LEATHER = {"polyurethane jacket", "polyester jacket", "waxed cotton jacket", "nylon jacket"}


def write_queries(folder: Path, rows: list[dict[str, str]], name: str = "queries.csv") -> Path:
    path = folder / name
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    return write_queries(
        tmp_path,
        [
            {"query_id": "b", "query": "glass kettle", "structure": GLASS},
            {"query_id": "a", "query": "jacket without leather", "structure": NO_LEATHER},
            {"query_id": "c", "query": " ", "structure": GLASS},
        ],
    )


def rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def test_rewrites_stand_by_query_and_place(queries: Path, tmp_path: Path) -> None:
    output = tmp_path / "rewrites.parquet"
    done = rewrite_queries(queries, write_shop(tmp_path), output, RewriteSettings(n=2))
    found = rows(output)
    assert [(row["query_id"], row["place"]) for row in found] == [
        ("a", 1), ("a", 2), ("b", 1), ("b", 2),
    ]  # fmt: skip
    assert list(found[0]) == ["query_id", "rewrite", "place", "method", "rewriter"]
    assert {row["rewrite"] for row in found[:2]} <= NOT_LEATHER
    assert {row["rewriter"] for row in found} == {"catalogue"}
    assert done.counts["queries"] == 2
    assert done.counts["rewrites_negative"] == 2
    assert done.counts["method_positive"] == 2
    assert done.counts["queries_with_fewer"] == 0
    assert read_manifest(output).seeds == {"rewriting": 0}


def test_queries_without_structure_are_read_by_rules(tmp_path: Path) -> None:
    path = write_queries(tmp_path, [{"query_id": "a", "query": "jacket without polyurethane"}])
    output = tmp_path / "rewrites.parquet"
    rewrite_queries(path, write_shop(tmp_path), output)
    assert "waxed cotton jacket" in {row["rewrite"] for row in rows(output)}


def test_a_type_beside_the_query_overrules_the_type_that_was_read(tmp_path: Path) -> None:
    path = write_queries(
        tmp_path,
        [{"query_id": "a", "query": "x", "structure": GLASS, "query_type": "knowledge"}],
    )
    done = rewrite_queries(path, write_shop(tmp_path), tmp_path / "rewrites.parquet")
    assert done.counts["queries_knowledge"] == 1


def test_queries_that_get_fewer_are_counted_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = Structure("knowledge", need="a gift from lisbon").to_json()
    path = write_queries(
        tmp_path, [{"query_id": "a", "query": "a gift from lisbon", "structure": nothing}]
    )
    done = rewrite_queries(path, write_shop(tmp_path), tmp_path / "rewrites.parquet")
    assert done.counts["queries_without"] == 1
    assert done.counts["queries_with_fewer_knowledge"] == 1
    assert "1 of 1 queries have fewer than 5 rewrites, 1 have none" in capsys.readouterr().err


def test_the_same_input_gives_the_same_bytes(queries: Path, tmp_path: Path) -> None:
    shop = write_shop(tmp_path)
    rewrite_queries(queries, shop, tmp_path / "one.parquet")
    rewrite_queries(queries, shop, tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_what_is_up_to_date_is_not_made_again(
    queries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, output = write_shop(tmp_path), tmp_path / "rewrites.parquet"
    first = rewrite_queries(queries, shop, output)
    capsys.readouterr()
    rewrite_queries(queries, shop, output)
    assert "is up to date" in capsys.readouterr().err
    again = rewrite_queries(queries, shop, output, force=True)
    assert again.counts == first.counts
    rewrite_queries(queries, shop, output, RewriteSettings(n=1))
    assert len(rows(output)) == 2


def test_an_interrupted_stage_goes_on_after_its_last_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = write_shop(tmp_path)
    path = write_queries(
        tmp_path,
        [
            {"query_id": f"q{number:02d}", "query": "jacket without leather",
             "structure": NO_LEATHER}
            for number in range(10)
        ],
    )  # fmt: skip
    monkeypatch.setattr(stage, "_CHUNK", 3)
    whole = tmp_path / "whole.parquet"
    rewrite_queries(path, shop, whole)
    real = CatalogueRewriter.rewrite
    seen: list[str] = []

    def stopping(self: CatalogueRewriter, asked: Any, n: int) -> Any:
        if len(seen) == 6:
            raise KeyboardInterrupt
        seen.extend(query.query_id for query in asked)
        return real(self, asked, n)

    output = tmp_path / "rewrites.parquet"
    monkeypatch.setattr(CatalogueRewriter, "rewrite", stopping)
    with pytest.raises(KeyboardInterrupt):
        rewrite_queries(path, shop, output)
    assert not output.exists()
    seen.clear()
    rewrite_queries(path, shop, output)
    assert seen == ["q06", "q07", "q08", "q09"]
    assert output.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*chunks"))


def test_a_structure_that_is_not_understood_names_its_query(tmp_path: Path) -> None:
    path = write_queries(
        tmp_path,
        [
            {"query_id": "a", "query": "x", "structure": "{}"},
            {"query_id": "b", "query": "y", "structure": GLASS},
        ],
    )
    with pytest.raises(InputError, match="query 'a': query_type is None") as found:
        rewrite_queries(path, write_shop(tmp_path), tmp_path / "rewrites.parquet")
    assert found.value.total == 1


def test_queries_need_a_column_of_text(tmp_path: Path) -> None:
    path = write_queries(tmp_path, [{"query_id": "a", "words": "x"}])
    with pytest.raises(InputError, match="there is no column query"):
        rewrite_queries(path, write_shop(tmp_path), tmp_path / "rewrites.parquet")


def test_n_must_be_positive(queries: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--n is 0"):
        rewrite_queries(queries, write_shop(tmp_path), tmp_path / "r.parquet", RewriteSettings(n=0))


def evalkit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from evalkit.cli import main; sys.argv[0] = 'evalkit'; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True
    )


def test_the_command_writes_rewrites(queries: Path, tmp_path: Path) -> None:
    output = tmp_path / "rewrites.jsonl"
    done = evalkit(
        "rewrite", "--queries", queries, "--products", write_shop(tmp_path), "--n", "2",
        "-o", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 rewrites of 2 queries (2 negative, 2 general)" in done.stderr
    assert done.stdout == ""
    first = json.loads(output.read_text().splitlines()[0])
    assert first["query_id"] == "a"
    assert first["rewrite"] in NOT_LEATHER


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--llm", "smollm2"], "--llm is for --rewriter llm"),
        (["--rewriter", "llm"], "needs one language model"),
        (["--rewriter", "magic"], "no rewriter 'magic'"),
        (["--n", "0"], "Invalid value for '--n'"),
    ],
)
def test_the_command_refuses_what_does_not_fit(
    queries: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    done = evalkit(
        "rewrite", "--queries", queries, "--products", write_shop(tmp_path),
        "-o", tmp_path / "r.parquet", *options,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_server_that_is_not_there_is_named_and_how_many_queries_there_are(tmp_path: Path) -> None:
    asked = [{"query_id": f"q{place:02}", "query": "glass kettle"} for place in range(20)]
    address = "http://127.0.0.1:9/v1"
    with pytest.raises(ModelError) as caught:
        rewrite_queries(
            write_queries(tmp_path, asked),
            write_shop(tmp_path),
            tmp_path / "rewrites.csv",
            RewriteSettings(rewriter="llm:x", n=2),
            language_model=open_endpoint(
                "x", base_url=address, settings=EndpointSettings(attempts=1)
            ),
        )
    assert str(caught.value).startswith("Queries 1 to 16 of 20: 16 of 16 queries got no answer")
    assert address in str(caught.value)
