"""The catalogue's own checker as the judge of what runs show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from evalkit.circularity import circular_warning, judge_models, pairs_behind
from evalkit.cli import cli
from evalkit.constraints import Condition, Reference, Structure
from evalkit.constraints.checking import Checker
from evalkit.knowledge import build_graph, read_catalogue
from evalkit.manifest import fingerprint, read_manifest
from evalkit.relevance.catalogue_judge import grade_by_catalogue, judge_by_catalogue
from evalkit.retrieval import LexicalSettings, index_products, retrieve_run
from evalkit.retrieval.constrained import ConstraintSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from click.testing import Result

PRODUCTS: list[dict[str, Any]] = [
    {"product_id": "j1", "kind": "jacket", "price": 40, "attributes": {"material": "leather"}},
    {"product_id": "j2", "kind": "jacket", "price": 60, "attributes": {"material": "wool"}},
    {"product_id": "j3", "kind": "jacket", "price": 90, "attributes": {}},
    {"product_id": "j4", "kind": "jacket", "price": 90, "attributes": {},
     "description": "Made of genuine leather."},
    {"product_id": "s1", "kind": "sofa", "price": 30, "attributes": {"material": "cotton"}},
]  # fmt: skip
NO_LEATHER = (Condition("material", ("leather",)),)
ASKED = {
    "without": Structure("negative", ("jacket",), excluded=NO_LEATHER),
    "cheaper": Structure("alternative", ("jacket",), reference=Reference("J2", "Bru", "j2")),
    "kindless": Structure("negative", (), excluded=NO_LEATHER),
    "like": Structure("alternative", (), reference=Reference("J2", "Bru", "j2")),
}
# worked by hand: 2 satisfies and is of the kind, 1 cannot be told, 0 breaks something
GRADES = {
    "without": {"j1": 0, "j2": 2, "j3": 1, "j4": 0, "s1": 0},
    "cheaper": {"j1": 2, "j2": 0, "j3": 0, "j4": 0, "s1": 0},
    "kindless": {"j1": 0, "j2": 1, "j3": 1, "j4": 0, "s1": 1},
    "like": {"j1": 2, "j2": 0, "j3": 0, "j4": 0, "s1": 0},
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    rows = [
        {"title": f"Model {row['product_id']} {row['kind']}", "brand": "Bru" if
         row["product_id"] == "j2" else "Ado", "description": ""} | row for row in PRODUCTS
    ]  # fmt: skip
    path = tmp_path / "products.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_asked(path: Path, asked: Mapping[str, Structure | None]) -> Path:
    rows = {
        "query_id": list(asked),
        "query": list(asked),
        "structure": [each and each.to_json() for each in asked.values()],
    }
    pq.write_table(pa.table(rows), path)
    return path


def judged(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in pq.read_table(path).to_pylist():
        found.setdefault(row["query_id"], {})[row["product_id"]] = row["grade"]
    return found


def judge(folder: Path, *options: str) -> Result:
    files = ("--queries", str(folder / "queries.parquet"), "-o", str(folder / "out.parquet"))
    products = ("--products", str(folder / "products.jsonl"))
    return CliRunner().invoke(cli, ["judge", *files, *products, *options])


def test_the_checker_grades_every_product_where_no_run_is_given(shop: Path, tmp_path: Path) -> None:
    write_asked(tmp_path / "queries.parquet", ASKED)
    done = judge(tmp_path, "--constraints")
    assert done.exit_code == 0, done.output
    assert judged(tmp_path / "out.parquet") == GRADES
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert {row["source"] for row in rows} == {row["annotator"] for row in rows} == {"checker"}
    assert {(row["grade"], row["check"]) for row in rows} == {
        (0, "fail"), (1, "unknown"), (2, "pass")
    }  # fmt: skip
    told = {row["product_id"] for row in rows if row["by_text"] and row["query_id"] == "without"}
    assert told == {"j4"}
    assert "1 of 4 queries name no kind and no product" in done.stderr
    assert "20 judgments by checker (3 pass, 4 unknown, 13 fail)" in done.stderr
    assert read_manifest(tmp_path / "out.parquet").counts["pass"] == 3
    assert "up to date" in judge(tmp_path, "--constraints").stderr


def test_of_runs_each_first_result_is_graded_once(shop: Path, tmp_path: Path) -> None:
    write_asked(tmp_path / "queries.parquet", {**ASKED, "unread": None})
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text(
        "query_id,product_id,rank\nwithout,j2,1\nwithout,j1,2\nwithout,j3,3\ngone,j1,1\n", "utf-8"
    )
    other.write_text("query_id,product_id,rank\nwithout,j2,1\nwithout,lost,2\n", "utf-8")
    runs = ("--run", str(one), "--run", str(other), "--at", "2", "--name", "the shop")
    done = judge(tmp_path, "--constraints", *runs)
    assert done.exit_code == 0, done.output
    assert judged(tmp_path / "out.parquet") == {"without": {"j1": 0, "j2": 2}}
    assert pq.read_table(tmp_path / "out.parquet")["annotator"].to_pylist() == ["the shop"] * 2
    assert "2 of 4 pairs are not judged: 1 of an unknown query, 1 of an unknown product" in (
        done.stderr
    )


def test_a_query_without_a_structure_is_named_with_the_remedy(shop: Path, tmp_path: Path) -> None:
    write_asked(tmp_path / "queries.parquet", {**ASKED, "unread": None})
    done = judge(tmp_path, "--constraints")
    assert done.exit_code != 0
    said = str(done.exception or "") + done.output
    assert "unread" in said
    assert "Make it with evalkit parse queries or evalkit synthesize queries." in said
    pq.write_table(pa.table({"query_id": ["a"], "query": ["jacket"]}), tmp_path / "queries.parquet")
    done = judge(tmp_path, "--constraints")
    assert "evalkit parse queries" in str(done.exception or "") + done.output
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "or --constraints for the catalogue itself"),
        (("--constraints", "--threshold", "0.5"), "--threshold is for a classifier"),
        (("--constraints", "--fields", "title"), "--fields is for a model"),
    ],
)
def test_what_only_a_model_can_use_is_refused(
    shop: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    write_asked(tmp_path / "queries.parquet", ASKED)
    done = judge(tmp_path, *options)
    assert message in str(done.exception or "") + done.output


def test_pairs_come_back_in_their_order_and_from_python_as_from_the_command(
    shop: Path, tmp_path: Path
) -> None:
    catalogue = read_catalogue(shop, duckdb.connect())
    checker = Checker(catalogue, build_graph(catalogue))
    pairs = [("like", "j1"), ("without", "j2"), ("like", "j2"), ("without", "j1"), ("like", "s1")]
    table = pa.table(
        {"query_id": [pair[0] for pair in pairs], "product_id": [pair[1] for pair in pairs]}
    )
    found = grade_by_catalogue(checker, ASKED, table)
    assert found["grade"].to_pylist() == [2, 2, 0, 0, 0]
    assert found.select(["query_id", "product_id"]).equals(table)
    queries = write_asked(tmp_path / "queries.parquet", ASKED)
    pq.write_table(table, tmp_path / "pairs.parquet")
    out = tmp_path / "out.parquet"
    judge_by_catalogue(out, queries, shop, pairs=tmp_path / "pairs.parquet")
    assert judged(out) == {"like": {"j1": 2, "j2": 0, "s1": 0}, "without": {"j1": 0, "j2": 2}}


def test_facts_of_the_shop_are_known_to_the_judge_and_judge_anew(
    shop: Path, tmp_path: Path
) -> None:
    write_asked(tmp_path / "queries.parquet", {"without": ASKED["without"]})
    facts = tmp_path / "facts.csv"
    facts.write_text("subject,relation,object\nwool,is a,leather\n", "utf-8")
    assert judge(tmp_path, "--constraints").exit_code == 0
    assert judged(tmp_path / "out.parquet")["without"]["j2"] == 2
    before = read_manifest(tmp_path / "out.parquet")
    done = judge(tmp_path, "--constraints", "--triples", str(facts))
    assert done.exit_code == 0, done.output
    assert judged(tmp_path / "out.parquet")["without"]["j2"] == 0
    after = read_manifest(tmp_path / "out.parquet")
    assert [item.role for item in after.inputs] == ["queries", "products", "triples"]
    # Another judge, of the same shop.
    assert before.models[0]["fingerprint"] != after.models[0]["fingerprint"]
    assert before.models[0]["identity"] == after.models[0]["identity"]
    done = judge(tmp_path, "--classifier", "none", "--triples", str(facts))
    assert "--triples is for --constraints without a model" in str(done.exception)


def test_a_run_that_the_checker_filtered_is_not_for_the_checker_to_judge(
    shop: Path, tmp_path: Path
) -> None:
    queries = write_asked(tmp_path / "queries.parquet", {"jacket": ASKED["without"]})
    index_products(shop, tmp_path / "index", LexicalSettings())
    run, out = tmp_path / "run.parquet", tmp_path / "out.parquet"

    def warned(*, filter_: bool) -> bool:
        retrieve_run(
            queries, tmp_path / "index", run, products=shop,
            constraints=ConstraintSettings(filter=filter_),
        )  # fmt: skip
        judge_by_catalogue(out, queries, shop, runs=[run])
        models = judge_models(str(out), fingerprint(out))
        behind = pairs_behind(str(run), fingerprint(run))
        return circular_warning("run", "checker", models, behind) is not None

    assert warned(filter_=True)
    assert not warned(filter_=False)
