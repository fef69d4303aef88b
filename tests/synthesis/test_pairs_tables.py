"""What holds over all queries: candidates beside pairs, one split a family, caps of products."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conftest import QUERIES, write_queries
from making_pairs import TRAIN, ids, made, row_of

from evalkit.constraints import Condition
from evalkit.constraints.families import families, join_families, split_of
from evalkit.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from conftest import Shop
    from making_pairs import Rows


def test_pairs_say_the_same_as_candidates(both: tuple[Rows, Rows]) -> None:
    pairs, candidates = both
    of = {(row["query_id"], row["product_id"]): row for row in candidates}
    for row in pairs:
        found = of[row["query_id"], row["product_id"]]
        assert found["decision"] == ("kept" if row["label"] else "negative")
        shared = row.keys() - {"label"}
        assert {name: row[name] for name in shared} == {name: found[name] for name in shared}
    assert len(pairs) == sum(row["decision"] != "dropped" for row in candidates)


def test_a_product_is_in_its_most_probable_pair(shop: Shop, tmp_path: Path, scores: Any) -> None:
    pairs, candidates = made(shop, tmp_path, replace(TRAIN, per_product=1))
    red, glass = scores("red kettle", "k2"), scores("glass kettle", "k2")
    assert min(red, glass) >= 0.5  # both would be kept
    best, other = ("kettle", "tea") if red > glass else ("tea", "kettle")
    assert ids(pairs, product_id="k2", label=1) == {(best, "k2")}
    row = row_of(candidates, other, "k2")
    assert (row["decision"], row["reason"]) == ("dropped", "the product has 1 pairs already")


def test_a_query_without_a_pair_has_no_negatives(both: tuple[Rows, Rows], shop: Shop) -> None:
    pairs, candidates = both
    assert ids(pairs, query_id="boots") == set()
    boots = [row for row in candidates if row["query_id"] == "boots"]
    assert {row["decision"] for row in boots} == {"dropped"}
    assert all(row["reason"] == "material states rubber" for row in boots[:3])


# Splits


def test_a_family_is_in_one_split(shop: Shop, tmp_path: Path) -> None:
    twice = dict(QUERIES) | {
        f"{key}-2": (f"{query} please", structure) for key, (query, structure) in QUERIES.items()
    }
    queries = write_queries(tmp_path / "queries.jsonl", twice)
    settings = replace(TRAIN, threshold=0.2, dev_share=0.5, seed=seed_of_both(QUERIES))
    pairs, _ = made(shop, tmp_path, settings, queries=queries)
    of = defaultdict(set)
    for row in pairs:
        of[row["family"]].add(row["split"])
        expected = families(twice[row["query_id"]][1])
        assert row["family"] == join_families(expected)
        assert row["split"] == split_of(expected, dev_share=0.5, seed=settings.seed)
    assert {len(splits) for splits in of.values()} == {1}
    assert {row["split"] for row in pairs} == {"train", "dev"}
    counts = read_manifest(tmp_path / "pairs.parquet").counts
    assert counts["dev_pairs"] == len(ids(pairs, label=1, split="dev")) > 0


def seed_of_both(queries: Any) -> int:
    """Return a seed for which the first queries with pairs are in different splits."""

    def drawn(seed: int) -> set[str]:
        return {split_of(families(queries[key][1]), dev_share=0.5, seed=seed)
                for key in ("jacket", "tea")}  # fmt: skip

    return next(seed for seed in range(100) if drawn(seed) == {"train", "dev"})


def test_a_query_between_the_splits_is_left_out(shop: Shop, tmp_path: Path) -> None:
    structure = replace(
        QUERIES["jacket"][1], excluded=(Condition("material", ("leather", "wool")),)
    )
    seed = next(
        seed for seed in range(100)
        if split_of(families(structure), dev_share=0.5, seed=seed) == "none"
    )  # fmt: skip
    queries = dict(QUERIES) | {"jacket": ("jacket without leather or wool", structure)}
    pairs, candidates = made(
        shop,
        tmp_path,
        replace(TRAIN, dev_share=0.5, seed=seed),
        queries=write_queries(tmp_path / "queries.jsonl", queries),
    )
    assert ids(pairs, query_id="jacket") == set()
    assert ids(pairs, label=1)
    of = [row for row in candidates if row["query_id"] == "jacket"]
    assert {row["decision"] for row in of} == {"dropped"}
    good = [row for row in of if row["check"] == "pass" and row["probability"] >= 0.5]
    assert {row["reason"] for row in good} == {"the families fall into both splits"}


def test_families_that_are_held_out_do_not_occur(shop: Shop, tmp_path: Path) -> None:
    reported = {
        "e1": ("leather-free jackets, yellow", QUERIES["jacket"][1]),
        "e2": ("for cosy teas", QUERIES["tea"][1]),
    }
    held_out = write_queries(tmp_path / "evaluation.jsonl", reported)
    pairs, candidates = made(shop, tmp_path, held_out=held_out)
    assert {row["query_id"] for row in pairs} == {"kettle"}
    good = [
        row
        for row in candidates
        if row["query_id"] in ("jacket", "tea")
        and row["check"] == "pass"
        and row["probability"] >= 0.5
    ]
    assert good
    assert {(row["decision"], row["reason"]) for row in good} == {
        ("dropped", "the family is held out")
    }


def test_what_is_left_out_takes_no_place_of_a_product(
    shop: Shop, tmp_path: Path, scores: Any
) -> None:
    red, glass = scores("red kettle", "k2"), scores("glass kettle", "k2")
    best, other = ("kettle", "tea") if red > glass else ("tea", "kettle")
    held_out = write_queries(tmp_path / "evaluation.jsonl", {"e": QUERIES[best]})
    pairs, _ = made(shop, tmp_path, replace(TRAIN, per_product=1), held_out=held_out)
    assert ids(pairs, product_id="k2", label=1) == {(other, "k2")}


def test_types_without_pairs_for_development_are_told(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs, _ = made(shop, tmp_path, replace(TRAIN, threshold=0.2, dev_share=1e-9))
    types = sorted({row["query_type"] for row in pairs})
    assert len(types) > 1
    warning = f"no pairs for development of the types {', '.join(types)}"
    assert warning in capsys.readouterr().err
    assert warning in read_manifest(tmp_path / "pairs.parquet").warnings[0]
    made(shop, tmp_path, replace(TRAIN, threshold=0.2, dev_share=0.0))  # none is wanted
    assert "for development" not in capsys.readouterr().err


def test_only_types_that_lack_pairs_for_development_are_told(shop: Shop, tmp_path: Path) -> None:
    seed = seed_of_both(QUERIES)
    pairs, _ = made(shop, tmp_path, replace(TRAIN, threshold=0.2, dev_share=0.5, seed=seed))
    splits = {row["query_type"]: set() for row in pairs}
    for row in pairs:
        splits[row["query_type"]].add(row["split"])
    warned = " ".join(read_manifest(tmp_path / "pairs.parquet").warnings)
    for name, found in splits.items():
        assert (name in warned) == ("dev" not in found), (name, found, warned)
