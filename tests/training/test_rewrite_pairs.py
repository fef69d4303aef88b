"""Constructed rewrites: right ones keep what is asked for, each corruption breaks one thing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from small_bert import save_small_bert

from evalkit.cli import cli
from evalkit.constraints import Condition, Reference, Structure, TypedQuery
from evalkit.knowledge import Graph, build_graph, read_catalogue
from evalkit.manifest import read_manifest
from evalkit.relevance import open_classifier
from evalkit.rewriting import Rewrite, breaks, open_rewriter
from evalkit.training.rewrite_pairs import CORRUPTIONS, construct_rewrites, corruptions

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ["jacket", "kettle", "lamp", "boots"]
COLOURS = ["red", "blue", "black"]
MATERIALS = ["leather", "cotton", "steel"]


def write_products(path: Path) -> Path:
    """Products of each kind, colour and material; of Almo the cheap ones, of Vantrel the dear."""
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        for colour in COLOURS:
            for material in MATERIALS:
                for brand, price in (("Almo", 20.0), ("Vantrel", 400.0)):
                    rows.append(
                        {
                            "product_id": f"p{len(rows):03d}",
                            "title": f"{brand} {colour} {material} {kind}",
                            "brand": brand,
                            "kind": kind,
                            "price": price + len(rows) / 100,
                            "attributes": {"colour": colour, "material": material},
                        }
                    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_products(tmp_path_factory.mktemp("shop") / "products.jsonl")


@pytest.fixture(scope="module")
def graph(products: Path) -> Graph:
    with duckdb.connect() as connection:
        return build_graph(read_catalogue(products, connection))


def asked(number: int, query: str, structure: Structure) -> TypedQuery:
    return TypedQuery(f"q{number}", query, structure)


LEATHER = Condition("material", ("leather",))
NEGATIVE = asked(
    1, "red jacket without leather",
    Structure("negative", ("jacket",), (Condition("colour", ("red",)),), (LEATHER,)),
)  # fmt: skip
CHEAPER = asked(
    2, "cheaper than a vantrel kettle",
    Structure("alternative", ("kettle",), reference=Reference("vantrel", brand="Vantrel")),
)  # fmt: skip
GENERAL = asked(3, "blue lamp", Structure("general", ("lamp",), (Condition("colour", ("blue",)),)))


def found(query: TypedQuery, graph: Graph) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for seed in range(60):
        for draft in corruptions(query, graph, seed=seed):
            result.setdefault(draft.corruption, []).append(draft.text)
    return result


def test_each_query_is_corrupted_in_the_ways_that_its_structure_allows(graph: Graph) -> None:
    negative, cheaper, general = (found(each, graph) for each in (NEGATIVE, CHEAPER, GENERAL))
    assert set(negative) == {
        "negation dropped", "negation in words", "exclusion left out", "other kind", "other value",
        "property lost", "kind lost", "echo",
    }  # fmt: skip
    assert set(cheaper) == {"other kind", "names the reference", "dearer", "echo"}
    assert set(general) == {"other kind", "other value", "property lost", "kind lost", "echo"}
    assert set(negative) | set(cheaper) | set(general) == set(CORRUPTIONS)


def test_a_dropped_negation_asks_for_the_excluded_thing(graph: Graph) -> None:
    texts = found(NEGATIVE, graph)["negation dropped"]
    assert set(texts) == {"red leather jacket", "red jacket leather"}
    assert all(breaks(NEGATIVE, text) for text in texts)


def test_a_lost_property_leaves_room_for_one_that_nobody_asked_for(graph: Graph) -> None:
    texts = found(GENERAL, graph)["property lost"]
    assert {text.split()[0] for text in texts} <= set(MATERIALS)
    assert {text.split()[-1] for text in texts} == {"lamp"}


def test_a_negation_in_words_still_names_the_thing(graph: Graph) -> None:
    texts = set(found(NEGATIVE, graph)["negation in words"])
    assert texts <= {f"red jacket {word} leather" for word in ("no", "without", "not")}
    assert set(found(NEGATIVE, graph)["exclusion left out"]) == {"red jacket"}


def test_the_bare_positive_part_is_right_where_a_brand_is_excluded(graph: Graph) -> None:
    excluded = (Condition("brand", ("Almo",)),)
    query = asked(5, "kettle not almo", Structure("negative", ("kettle",), excluded=excluded))
    assert "exclusion left out" not in found(query, graph)


def test_another_kind_is_none_of_the_wanted_ones(graph: Graph) -> None:
    texts = found(GENERAL, graph)["other kind"]
    assert {text.split()[-1] for text in texts} == {"jacket", "kettle", "boots"}
    assert {text.split()[0] for text in texts} == {"blue"}


def test_another_value_is_of_the_same_attribute(graph: Graph) -> None:
    assert set(found(GENERAL, graph)["other value"]) == {"red lamp", "black lamp"}


def test_what_is_dearer_has_a_word_or_a_brand_for_it(graph: Graph) -> None:
    limited = asked(4, "kettle under 100", Structure("general", ("kettle",), price_max=100.0))
    texts = found(limited, graph)["dearer"]
    assert "vantrel kettle" in texts
    assert not any("almo" in text for text in texts)


def test_the_reference_is_named_by_the_corruption_only(graph: Graph) -> None:
    assert set(found(CHEAPER, graph)["names the reference"]) == {"vantrel kettle"}


def constructed(graph: Graph, queries: list[TypedQuery], **changes: Any) -> list[dict[str, Any]]:
    rewriter = open_rewriter("catalogue", catalogue=graph.catalogue, graph=graph)
    typed = [replace(query, family=f"family of {query.query_id}") for query in queries]
    return construct_rewrites(typed, graph, rewriter, **changes)[0].to_pylist()


def test_right_rewrites_break_no_rule_and_no_text_is_right_and_wrong(graph: Graph) -> None:
    rows = constructed(graph, [NEGATIVE, CHEAPER, GENERAL])
    queries = {query.query_id: query for query in (NEGATIVE, CHEAPER, GENERAL)}
    right = [row for row in rows if row["label"] == 1]
    wrong = [row for row in rows if row["label"] == 0]
    assert {row["query_id"] for row in right} == {row["query_id"] for row in wrong} == set(queries)
    assert not any(breaks(queries[row["query_id"]], row["rewrite"], graph=graph) for row in right)
    assert {bool(row["corruption"]) for row in right} == {False}
    assert {row["corruption"] for row in wrong} <= set(CORRUPTIONS)
    words = {(row["query_id"], frozenset(row["rewrite"].split())) for row in right}
    assert not words & {(row["query_id"], frozenset(row["rewrite"].split())) for row in wrong}
    assert {row["family"] for row in rows if row["query_id"] == "q1"} == {"family of q1"}


def test_a_text_that_is_right_is_no_corruption_too(graph: Graph) -> None:
    class Fixed:
        """A rewriter that calls a text right that would be another value."""

        name = "fixed"
        models = ()

        def rewrite(self, queries: list[TypedQuery], n: int) -> list[list[Rewrite]]:
            return [[Rewrite("red lamp", "lexical"), Rewrite("lamp black", "lexical")]]

        def counts(self) -> dict[str, int]:
            return {}

    for seed in range(10):
        table, _ = construct_rewrites([GENERAL], graph, Fixed(), seed=seed)
        wrong = {row["rewrite"] for row in table.to_pylist() if row["label"] == 0}
        assert wrong
        assert not wrong & {"red lamp", "black lamp"}


def test_a_query_has_the_same_rewrites_wherever_it_stands(graph: Graph) -> None:
    one = constructed(graph, [NEGATIVE, GENERAL])
    two = constructed(graph, [GENERAL, CHEAPER, NEGATIVE])
    for query_id in ("q1", "q3"):
        own = [[row for row in rows if row["query_id"] == query_id] for rows in (one, two)]
        assert own[0] == own[1]


def test_n_bounds_the_corruptions_of_a_query(graph: Graph) -> None:
    rows = constructed(graph, [NEGATIVE], n=2)
    wrong = [row for row in rows if row["label"] == 0]
    assert len(wrong) == 2
    assert len({row["corruption"] for row in wrong}) == 2


def test_a_classifier_is_trained_on_them_and_keeps_them(products: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    rows = [
        {
            "query_id": f"{query.query_id}-{number}",
            "query": query.query,
            "structure": query.structure.to_json(),
            "family": f"{query.query_id}-{number % 2}",
        }
        for number in range(4)
        for query in (NEGATIVE, CHEAPER, GENERAL)
    ]
    queries.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    out = tmp_path / "classifier"
    words = ["train", "classifier", "--pairs", "rewrites", "-o", str(out), "--n", "3"]
    words += ["--queries", str(queries), "--products", str(products), "--epochs", "1"]
    words += ["--max-length", "16", "--held-out", "0.3"]
    words += ["--model", str(save_small_bert(tmp_path / "base"))]
    ran = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert ran.exit_code == 0
    done = read_manifest(out)
    kept, counts = pq.read_table(out / "examples.parquet"), done.counts
    assert kept.num_rows == counts["rewrites"] == counts["learned"] + counts["heldout"]
    assert counts["learned_groups"] + counts["heldout_groups"] == 6
    assert open_classifier(out).grades == (0.0, 1.0)
