"""The filter of rewrites: rules before models, every rewrite kept with its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tiny_classifier import save_classifier

from evalkit.cli import cli
from evalkit.errors import InputError, SettingsError
from evalkit.relevance import open_classifier
from evalkit.relevance.rewrite_filter import filter_rewrites

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evalkit.constraints import Structure, TypedQuery

REWRITES = [
    ("q1", "cotton jacket", 1),
    ("q1", "brown leather jacket", 2),
    ("q1", "jacket without leather", 3),
    ("q1", "cotton jackets", 4),
    ("q2", "steel kettle", 1),
    ("q2", "black lamp", 2),
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    queries, rewrites = tmp_path / "queries.jsonl", tmp_path / "rewrites.csv"
    excluded = [{"attribute": "material", "values": ["leather"]}]
    rows = [
        {"query_id": "q1", "query": "jacket without leather", "query_type": "negative",
         "structure": json.dumps({"query_type": "negative", "excluded": excluded})},
        {"query_id": "q2", "query": "kettle", "query_type": "general", "structure": None},
    ]  # fmt: skip
    queries.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    lines = ["query_id,rewrite,place,method"]
    # not in order: the order is that of place
    lines += [f"{one},{text},{place},synonym" for one, text, place in reversed(REWRITES)]
    rewrites.write_text("\n".join(lines) + "\n", "utf-8")
    return {"queries": queries, "rewrites": rewrites}


class Words:
    """A relevance model: the share of the query's words that the rewrite has."""

    def __init__(self) -> None:
        self.seen: list[tuple[TypedQuery, str]] = []

    def score(self, asked: Sequence[TypedQuery], rewrites: Sequence[str]) -> np.ndarray:
        self.seen += zip(asked, rewrites, strict=True)
        shares = [
            len(set(query.query.split()) & set(rewrite.split())) / len(set(query.query.split()))
            for query, rewrite in zip(asked, rewrites, strict=True)
        ]
        return np.array(shares, dtype=np.float32)


def no_leather(
    query_id: str, query: str, structure: Structure | None, rewrite: str, earlier: Sequence[str]
) -> str:
    if rewrite in (query, *earlier):
        return "repeats"
    words = [value for item in structure.excluded for value in item.values] if structure else []
    return next((f"states {word!r}" for word in words if word in rewrite), "")


def test_a_rule_comes_before_the_model_and_every_rewrite_stays(
    files: dict[str, Path], tmp_path: Path
) -> None:
    model, out = Words(), tmp_path / "out.parquet"
    done, summary = filter_rewrites(
        out, files["rewrites"], files["queries"], rule=no_leather, model=model, threshold=0.3
    )
    rows = pq.read_table(out).to_pylist()
    assert [(row["query_id"], row["rewrite"]) for row in rows] == [each[:2] for each in REWRITES]
    assert [row["accepted"] for row in rows] == [True, False, False, False, True, False]
    assert [row["reason"] for row in rows] == [
        "",
        "rule: states 'leather'",
        "rule: repeats",
        "model: it does not keep what the query asks for",
        "",
        "model: it does not keep what the query asks for",
    ]
    assert [row["relevance"] for row in rows] == [pytest.approx(1 / 3), None, None, 0.0, 1.0, 0.0]
    assert {row["method"] for row in rows} == {"synonym"}
    assert not any("leather" in rewrite for _, rewrite in model.seen)
    # the model knows what a query asks for, where that is known
    excluded = [query.structure.excluded for query, _ in model.seen]
    assert [bool(each) for each in excluded] == [True, True, False, False]
    assert done.counts["accepted"] == 2
    assert {(kind, reason): count for kind, reason, count in summary.rows} == {
        ("general", ""): 1,
        ("general", "model: it does not keep what the query asks for"): 1,
        ("negative", ""): 1,
        ("negative", "model: it does not keep what the query asks for"): 1,
        ("negative", "rule: repeats"): 1,
        ("negative", "rule: states …"): 1,
    }


def test_filtering_what_was_filtered_replaces_the_old_verdict(
    files: dict[str, Path], tmp_path: Path
) -> None:
    once, twice = tmp_path / "once.parquet", tmp_path / "twice.parquet"
    filter_rewrites(once, files["rewrites"], files["queries"], rule=no_leather, model=None)
    filter_rewrites(twice, once, files["queries"], rule=no_leather, model=Words(), threshold=1.0)
    assert pq.read_table(twice).column_names == pq.read_table(once).column_names
    assert pq.read_table(once)["accepted"].to_pylist().count(True) == 4
    assert pq.read_table(twice)["accepted"].to_pylist().count(True) == 1


def test_an_answer_that_is_missing_is_no_acceptance(files: dict[str, Path], tmp_path: Path) -> None:
    class Silent:
        def score(self, asked: Sequence[TypedQuery], rewrites: Sequence[str]) -> np.ndarray:
            return np.full(len(rewrites), np.nan)

    out = tmp_path / "out.parquet"
    filter_rewrites(
        out, files["rewrites"], files["queries"], rule=no_leather, model=Silent(), threshold=0.0
    )
    rows = pq.read_table(out).to_pylist()
    assert not any(row["accepted"] for row in rows)
    assert rows[0]["reason"] == "model: it gave no valid answer"
    assert rows[0]["relevance"] is None


def test_rewrites_of_unknown_queries_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    with files["rewrites"].open("a", encoding="utf-8") as file:
        file.write("q9,what,1,synonym\n")
    with pytest.raises(InputError, match="1 of 7 rewrites are of no query"):
        filter_rewrites(
            tmp_path / "out.parquet", files["rewrites"], files["queries"],
            rule=no_leather, model=None,
        )  # fmt: skip


def test_the_command_filters_by_rules_and_a_classifier(
    files: dict[str, Path], tmp_path: Path
) -> None:
    place, out = save_classifier(tmp_path / "classifier", use="rewrites"), tmp_path / "out.parquet"
    words = ["relevance", "rewrites", "--rewrites", str(files["rewrites"])]
    words += ["--queries", str(files["queries"]), "-o", str(out)]
    done = CliRunner().invoke(
        cli, [*words, "--classifier", str(place), "--threshold", "0"], catch_exceptions=False
    )
    assert done.exit_code == 0
    rows = pq.read_table(out).to_pylist()
    assert [row["accepted"] for row in rows] == [True, False, False, False, True, True]
    assert "excludes" in rows[1]["reason"]
    assert "repeats the query" in rows[2]["reason"]
    assert "repeats an earlier rewrite" in rows[3]["reason"]
    asked = [("jacket without leather", "cotton jacket"), ("kettle", "steel kettle"),
             ("kettle", "black lamp")]  # fmt: skip
    scores = [row["relevance"] for row in rows if row["accepted"]]
    assert scores == pytest.approx(open_classifier(place).score(asked), abs=1e-6)
    assert "accepted" in done.stdout
    again = CliRunner().invoke(cli, [*words, "--classifier", str(place), "--threshold", "0"])
    assert "is up to date" in again.stderr


def test_the_command_wants_one_judge(files: dict[str, Path], tmp_path: Path) -> None:
    words = ["relevance", "rewrites", "--rewrites", str(files["rewrites"])]
    words += ["--queries", str(files["queries"]), "-o", str(tmp_path / "out.parquet")]
    for more in ([], ["--rules-only", "--classifier", "x"]):
        done = CliRunner().invoke(cli, [*words, *more])
        assert isinstance(done.exception, SettingsError)


@pytest.fixture
def plain(tmp_path: Path) -> list[str]:
    """Queries of which only the words are known, and a shop."""
    (tmp_path / "plain.csv").write_text("query_id,query\nq1,boots without leather\n", "utf-8")
    (tmp_path / "some.csv").write_text(
        "query_id,rewrite,place\nq1,leather boots,1\nq1,rubber boots,2\n", "utf-8"
    )
    rows = ["product_id,title,kind,attributes"]
    rows += [
        f'p{number},{material} boots,boots,"{{""material"": ""{material}""}}"'
        for number, material in enumerate(("leather", "rubber") * 3)
    ]
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return [
        "relevance", "rewrites", "--rewrites", str(tmp_path / "some.csv"), "--queries",
        str(tmp_path / "plain.csv"), "--rules-only", "-o", str(tmp_path / "out.parquet"),
    ]  # fmt: skip


def test_queries_without_a_structure_are_read_in_the_words_of_the_catalogue(
    plain: list[str], tmp_path: Path
) -> None:
    shop = ["--products", str(tmp_path / "shop.csv")]
    done = CliRunner().invoke(cli, [*plain, *shop], catch_exceptions=False)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["rewrite"], row["accepted"]) for row in rows] == [
        ("leather boots", False),
        ("rubber boots", True),
    ]
    assert "excludes" in rows[0]["reason"]
    assert "1 queries without a structure are read by rules" in done.stderr
    assert "negative" in done.stdout


def test_queries_without_a_structure_are_refused_without_a_catalogue(
    plain: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"plain\.csv: states no structure.*--products"):
        CliRunner().invoke(cli, plain, catch_exceptions=False)
    assert not (tmp_path / "out.parquet").exists()


def test_a_few_queries_without_a_structure_are_counted(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filter_rewrites(
        tmp_path / "out.parquet", files["rewrites"], files["queries"], rule=no_leather, model=None
    )
    assert "1 of 2 queries" in capsys.readouterr().err
