"""Which products become pairs and hard negatives of a query, and why the others do not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from conftest import (
    PASS,
    PRODUCTS,
    QUERIES,
    REWRITES,
    TITLES,
    UNKNOWN,
    write_queries,
    write_rewrites,
)
from making_pairs import TRAIN, ids, made, row_of

from evalkit.constraints import Condition, Structure
from evalkit.errors import SettingsError
from evalkit.synthesis.pairs import PairSettings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shop
    from making_pairs import Rows


# What is kept


def test_the_checks_are_what_the_catalogue_states(both: tuple[Rows, Rows]) -> None:
    _, candidates = both
    assert len(candidates) == len(QUERIES) * len(TITLES)  # the meaning of a text is near to any
    for query_id in QUERIES:
        of = [row for row in candidates if row["query_id"] == query_id]
        found = {row["product_id"]: row["check"] for row in of}
        assert {key for key, value in found.items() if value == "pass"} == PASS[query_id]
        assert {key for key, value in found.items() if value == "unknown"} == UNKNOWN[query_id]


def test_a_pair_passes_the_checker_and_the_classifier(both: tuple[Rows, Rows], scores: Any) -> None:
    pairs, _ = both
    asked = {"jacket": "jacket", "kettle": "red kettle"}
    expected = {
        (query_id, product)
        for query_id, text in asked.items()
        for product in PASS[query_id]
        if scores(text, product) >= 0.5
    }
    kept = ids(pairs, label=1)
    assert {pair for pair in kept if pair[0] in asked} == expected
    assert 0 < len(expected) < len(PASS["jacket"] | PASS["kettle"])
    assert all(row["probability"] >= 0.5 for row in pairs if row["label"])


def test_what_is_unknown_is_never_good(shop: Shop, tmp_path: Path) -> None:
    pairs, candidates = made(shop, tmp_path, replace(TRAIN, threshold=0.0, negatives=20))
    assert ids(pairs).isdisjoint({("jacket", "j9"), ("lamp", "l6")})
    rows = [row for row in candidates if row["check"] == "unknown"]
    assert {row["product_id"] for row in rows} == {"j9", "l6"}
    assert {row["decision"] for row in rows} == {"dropped"}
    assert {row["probability"] for row in rows} == {None}
    assert "nothing says whether material is not leather" in {row["reason"] for row in rows}
    # with no classifier to speak of, all that passes is kept
    assert ids(pairs, label=1) == {(key, each) for key, found in PASS.items() for each in found}


def test_the_classifier_reads_the_positive_part_or_the_rewrite(
    both: tuple[Rows, Rows], scores: Any
) -> None:
    judged = [row for row in both[1] if row["probability"] is not None]
    seen = defaultdict(set)
    for row in judged:
        if row["query_type"] in ("knowledge", "alternative"):
            place = row["rewrite_place"]
            text = row["rewrite"] if place else REWRITES[row["query_id"]][0]
            seen[row["query_type"]].add(place)
        else:
            text = {"jacket": "jacket", "boots": "boots", "kettle": "red kettle"}[row["query_id"]]
            seen[row["query_type"]].add(row["rewrite_place"])
        expected = scores(text, row["product_id"])
        assert row["probability"] == pytest.approx(expected, abs=1e-4), row
    assert seen["alternative"] == {0, 1, 2}  # found by its positive part: asked by the first one
    assert seen["negative"] == {0, 1, 2}  # found by a rewrite: asked by the positive part
    differ = scores("almo lamp", "l1") - scores("lamp cheaper than vantrel", "l1")
    assert abs(differ) > 0.01  # so that another text would have been noticed


def test_a_query_without_a_rewrite_is_searched_by_its_positive_part(
    shop: Shop, tmp_path: Path, scores: Any
) -> None:
    rewrites = write_rewrites(tmp_path / "some.jsonl", {"jacket": REWRITES["jacket"]})
    _, candidates = made(shop, tmp_path, rewrites=rewrites)
    tea = [row for row in candidates if row["query_id"] == "tea"]
    assert {row["rewrite"] for row in tea} == {"something for a cosy tea"}
    for row in tea:
        if row["probability"] is not None:
            expected = scores("something for a cosy tea", row["product_id"])
            assert row["probability"] == pytest.approx(expected, abs=1e-4)


def test_without_its_positive_part_a_query_is_searched_by_its_rewrites_alone(
    shop: Shop, tmp_path: Path
) -> None:
    _, both = made(shop, tmp_path)
    (tmp_path / "alone").mkdir()
    _, alone = made(shop, tmp_path / "alone", replace(TRAIN, positive_part=False))
    assert 0 in {row["rewrite_place"] for row in both}
    assert 0 not in {row["rewrite_place"] for row in alone}


def test_ranks_scores_and_rewrites_say_how_a_product_was_found(
    shop: Shop, both: tuple[Rows, Rows]
) -> None:
    from evalkit.retrieval import open_index

    topics = {"boots": "boots", "jacket": "jacket", "kettle": "red kettle", "lamp": "lamp",
              "tea": "something for a cosy tea"}  # fmt: skip
    texts = {key: [topics[key], *REWRITES[key]] for key in QUERIES}
    found: dict[tuple[str, str], dict[str, list[tuple[int, int]]]] = defaultdict(
        lambda: {"bm25": [], "dense": []}
    )
    for name, folder in (("bm25", shop.lexical), ("dense", shop.dense)):
        index = open_index(folder)
        for query_id, asked in texts.items():
            for place, text in enumerate(asked):
                table = index.search(pa.table({"query_id": ["q"], "query": [text]}), 100)
                for row in table.to_pylist():
                    found[query_id, row["product_id"]][name].append((row["rank"], place))
    assert len(both[1]) == len(found)
    for row in both[1]:
        ranks = found[row["query_id"], row["product_id"]]
        hits = ranks["bm25"] + ranks["dense"]
        assert row["fused_score"] == pytest.approx(sum(1 / (60 + rank) for rank, _ in hits))
        for name in ("bm25", "dense"):
            assert row[f"{name}_rank"] == (min(ranks[name])[0] if ranks[name] else None)
        assert row["rewrite_place"] == min(hits)[1]
        assert row["rewrite"] == texts[row["query_id"]][min(hits)[1]]
        assert row["text"] == TITLES[row["product_id"]]
        assert row["query"] == QUERIES[row["query_id"]][0]
    for query_id in QUERIES:
        of = [row for row in both[1] if row["query_id"] == query_id]
        assert [row["fused_rank"] for row in of] == list(range(1, len(of) + 1))
        assert of == sorted(of, key=lambda row: -row["fused_score"])


# Limits of a query


def test_a_query_keeps_its_most_probable_pairs(shop: Shop, tmp_path: Path, scores: Any) -> None:
    pairs, candidates = made(shop, tmp_path, replace(TRAIN, per_query=2))
    good = {each: scores("jacket", each) for each in PASS["jacket"]}
    order = [each for each in sorted(good, key=lambda each: -good[each]) if good[each] >= 0.5]
    assert len(order) > 2
    assert ids(pairs, query_id="jacket", label=1) == {("jacket", each) for each in order[:2]}
    for each in order[2:]:
        row = row_of(candidates, "jacket", each)
        assert (row["decision"], row["reason"]) == ("dropped", "beyond 2 pairs of the query")


def test_only_the_best_fused_reach_the_classifier(shop: Shop, tmp_path: Path) -> None:
    _, candidates = made(shop, tmp_path, replace(TRAIN, judged=2, negatives=0))
    jackets = [row for row in candidates if row["query_id"] == "jacket" and row["check"] == "pass"]
    assert [row["probability"] is not None for row in jackets] == [True, True, False, False, False]
    assert {row["reason"] for row in jackets[2:]} == {"beyond the best 2"}


def test_depths_cut_what_is_looked_at(shop: Shop, tmp_path: Path) -> None:
    _, candidates = made(shop, tmp_path, replace(TRAIN, each=8, fused=5))
    assert {row["fused_rank"] for row in candidates} == {1, 2, 3, 4, 5}
    ranks = [row[name] for row in candidates for name in ("bm25_rank", "dense_rank")]
    assert max(rank for rank in ranks if rank is not None) <= 8


@pytest.mark.parametrize(
    "wrong",
    [{"per_query": 0}, {"negatives": -1}, {"dev_share": 1.0}, {"threshold": 1.1}, {"judged": 0}],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong)).replace("_", "-")):
        PairSettings(**wrong)


def test_without_filters_the_best_fused_are_the_pairs_and_checks_only_tell(
    shop: Shop, tmp_path: Path
) -> None:
    pairs, candidates = made(shop, tmp_path, replace(TRAIN, filters=False, per_query=4))
    of = [row for row in candidates if row["query_id"] == "jacket"]
    assert [row["decision"] for row in of] == ["kept"] * 4 + ["dropped"] * (len(of) - 4)
    assert {row["label"] for row in pairs} == {1}
    assert "fail" in {row["check"] for row in of[:4]}
    assert {row["probability"] for row in candidates} == {None}


# Hard negatives


def test_hard_negatives_are_of_the_kind_and_break_a_constraint(
    shop: Shop, tmp_path: Path, both: tuple[Rows, Rows]
) -> None:
    pairs, candidates = both
    leather = [
        row["product_id"]
        for row in candidates
        if row["query_id"] == "jacket" and row["product_id"] in ("j1", "j2", "j3")
    ]
    assert ids(pairs, query_id="jacket", label=0) == {("jacket", each) for each in leather}
    negatives = [row for row in pairs if row["query_id"] == "jacket" and not row["label"]]
    assert {(row["check"], row["reason"]) for row in negatives} == {
        ("fail", "material states leather")
    }
    two, _ = made(shop, tmp_path, replace(TRAIN, negatives=2))
    assert ids(two, query_id="jacket", label=0) == {("jacket", each) for each in leather[:2]}
    none, _ = made(shop, tmp_path, replace(TRAIN, negatives=0))
    assert ids(none, label=0) == set()
    assert ids(none, label=1) == ids(two, label=1) == ids(pairs, label=1)


def test_hard_negatives_are_filled_with_the_classifiers_worst(
    shop: Shop, tmp_path: Path, scores: Any
) -> None:
    # of the four kettles of glass k4 and k8 are good at 0.8, and k7 is below the half of that
    good = {"k2": "glass kettle", "k4": "glass kettle", "k7": "green kettle", "k8": "glass kettle"}
    said = {each: scores(text, each) for each, text in good.items()}
    worst = min(said, key=lambda each: said[each])
    assert min(said["k4"], said["k8"]) > 0.8 > said["k2"] > 0.4 > said[worst]
    settings = replace(TRAIN, threshold=0.8, negatives=5)
    pairs, _ = made(shop, tmp_path, settings)
    steel = {"k1", "k3", "k5", "k6"}
    expected = {("tea", each) for each in steel | {worst}}
    assert ids(pairs, query_id="tea", label=0) == expected
    row = row_of(pairs, "tea", worst)
    assert (row["check"], row["reason"]) == ("pass", f"classifier: {said[worst]:.2f}")
    six, _ = made(shop, tmp_path, replace(settings, negatives=6))  # k2 is doubted, not bad
    assert ids(six, query_id="tea", label=0) == expected
    four, _ = made(shop, tmp_path, replace(settings, negatives=4))  # violators first
    assert ids(four, query_id="tea", label=0) == {("tea", each) for each in steel}


def test_what_a_product_violates_is_what_its_text_shows_best(both: tuple[Rows, Rows]) -> None:
    _, candidates = both
    violates = {
        (row["query_id"], row["product_id"]): row["violates"]
        for row in candidates
        if row["check"] == "fail"
    }
    kinds = {row[0]: row[2] for row in PRODUCTS}
    wanted = {key: structure.kinds[0] for key, (_, structure) in QUERIES.items()}
    other = {pair: what for pair, what in violates.items() if kinds[pair[1]] != wanted[pair[0]]}
    assert set(other.values()) == {"kind"}
    own = {pair: what for pair, what in violates.items() if pair not in other}
    # l1 and l2 are of the brand and as dear, l5 is dearer only
    lamps = {("lamp", "l1"): "brand", ("lamp", "l2"): "brand", ("lamp", "l5"): "price"}
    assert own == lamps | {pair: "attribute" for pair in own if pair[0] != "lamp"}
    for row in candidates:
        if row["check"] == "pass":
            doubted = row["probability"] is not None and row["probability"] < 0.5
            assert row["violates"] == ("classifier" if doubted else None)
        elif row["check"] == "unknown":
            assert row["violates"] is None


def test_what_only_its_price_makes_wrong_is_a_hard_negative_on_demand(
    shop: Shop, tmp_path: Path
) -> None:
    settings = replace(TRAIN, threshold=0.0, negatives=20)
    pairs, _ = made(shop, tmp_path, settings)
    found = ids(pairs, query_id="lamp", label=0)
    assert found >= {("lamp", "l1"), ("lamp", "l2")}  # the brand of the reference
    assert ("lamp", "l5") not in found
    for negatives, price in ((2, set()), (3, {("lamp", "l5")})):  # after the others of the kind
        more, _ = made(shop, tmp_path, replace(settings, price_negatives=True, negatives=negatives))
        found = ids(more, query_id="lamp", label=0)
        assert found == {("lamp", "l1"), ("lamp", "l2")} | price
    assert row_of(more, "lamp", "l5")["violates"] == "price"


def test_hard_negatives_are_filled_with_the_best_fused_of_other_kinds(
    shop: Shop, tmp_path: Path, both: tuple[Rows, Rows]
) -> None:
    others = [
        row["product_id"]
        for row in both[1]  # by fused rank
        if row["query_id"] == "jacket" and row["violates"] == "kind"
    ]
    pairs, _ = made(shop, tmp_path, replace(TRAIN, negatives=5))
    found = {product for _, product in ids(pairs, query_id="jacket", label=0)}
    assert found == {"j1", "j2", "j3", *others[:2]}
    # a product of another kind may serve a need
    many, _ = made(shop, tmp_path, replace(TRAIN, negatives=20))
    assert ids(many, query_id="tea", label=0)
    assert not ids(many, query_id="tea", violates="kind")


def test_what_has_the_excluded_thing_is_the_first_hard_negative(shop: Shop, tmp_path: Path) -> None:
    structure = Structure(
        "negative",
        ("kettle",),
        required=(Condition("material", ("steel",)),),
        excluded=(Condition("colour", ("red",)),),
    )
    queries = {"steel": ("steel kettle that is not red", structure)}
    rewrites = {"steel": ("green glass kettle", "yellow glass kettle")}
    pairs, candidates = made(
        shop,
        tmp_path,
        replace(TRAIN, threshold=0.0, negatives=2),
        queries=write_queries(tmp_path / "q.jsonl", queries),
        rewrites=write_rewrites(tmp_path / "r.jsonl", rewrites),
    )
    fused = [row["product_id"] for row in candidates if row["violates"] == "attribute"]
    assert set(fused) == {"k1", "k2", "k4", "k7", "k8"}
    assert not {"k1", "k2"} & set(fused[:2])  # which would be taken by their rank alone
    assert ids(pairs, label=0) == {("steel", "k1"), ("steel", "k2")}
