"""What a retriever learns from: pairs, hard negatives, the pool, what is known to be good."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from retriever_shop import PAIR_COLUMNS, write_rows, write_shop

from evalkit.constraints.families import join_families
from evalkit.engines import open_engine
from evalkit.errors import InputError
from evalkit.training.retriever_data import LabelledPairs, pool_fingerprint, read_pairs
from evalkit.training.retriever_evaluating import check_products, dev_queries
from evalkit.training.retriever_examples import draw_general, known_good, make_examples

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_shop(tmp_path_factory.mktemp("shop"))


def read(shop: dict[str, Path], *more: Path, pool: int = 100) -> LabelledPairs:
    with open_engine("600MB", 1) as connection:
        return read_pairs(connection, [shop["pairs"], *more], shop["products"], pool=pool)


def one_file(folder: Path, *rows: list[str]) -> Path:
    write_rows(folder / "more.tsv", PAIR_COLUMNS, [list(row) for row in rows])
    return folder / "more.tsv"


def test_pairs_are_numbered_with_the_texts_of_the_catalogue(shop: dict[str, Path]) -> None:
    pairs = read(shop)
    assert len(pairs.query_ids) == 32
    rows = {
        (pairs.query_ids[query], pairs.product_ids[product], bool(label))
        for query, product, label in zip(pairs.query, pairs.product, pairs.label, strict=True)
    }
    assert ("n-jacket-red", "jacket-red-cotton", False) in rows
    assert ("n-jacket-red", "jacket-blue-cotton", True) in rows
    place = pairs.product_ids.index("shoe-red-steel")
    assert pairs.texts[place] == "red shoe steel\nshoe\ncolour: red"
    assert pairs.types[pairs.query_ids.index("g-shoe-red")] == "general"
    assert {pairs.query_ids[query] for query in pairs.of_split("dev")} == {
        f"{kind}-{thing}" for kind in "gn" for thing in ("lamp-white", "shoe-red", "kettle-black")
    }


def test_the_pool_is_the_same_whatever_pairs_are_learnt(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    def pool(pairs: LabelledPairs) -> set[str]:
        return {pairs.product_ids[product] for product in pairs.pool}

    pairs = read(shop, pool=30)
    assert len(pool(pairs)) == 30
    others = one_file(tmp_path, ["x", "a lamp", "lamp-red-steel", "1", "general", "f", "dev"])
    other = read({**shop, "pairs": others}, pool=30)
    assert pool(other) == pool(pairs)
    assert pool_fingerprint(other) == pool_fingerprint(pairs)
    more = read(shop, pool=40)
    assert pool(more) > pool(pairs)
    assert pool_fingerprint(more) != pool_fingerprint(pairs)
    assert len(read(shop, pool=100).pool) == 48  # the whole catalogue


def test_hard_negatives_are_dealt_in_turn_to_the_pairs_of_their_query(
    shop: dict[str, Path],
) -> None:
    pairs = read(shop)

    def dealt(how: str) -> dict[str, list[str]]:
        examples = make_examples(pairs, hard_negatives=how, general_share=None, seed=0)
        found: dict[str, list[str]] = {}
        for query, negative in zip(examples.query, examples.negative, strict=True):
            name = pairs.product_ids[negative] if negative >= 0 else "-"
            found.setdefault(pairs.query_ids[query], []).append(name)
        return found

    every, once, none = dealt("every"), dealt("once"), dealt("none")
    cotton, leather = "jacket-red-cotton", "jacket-red-leather"
    assert every["n-jacket-red"] == [cotton, leather, cotton]
    assert once["n-jacket-red"] == [cotton, leather, "-"]
    assert none["n-jacket-red"] == ["-"] * 3
    assert every["g-jacket-white"] == ["-"] * 3  # it has no hard negative
    assert "g-lamp-white" not in every  # a dev query is not learnt


def test_a_query_with_several_hard_negatives_uses_them_all() -> None:
    pairs = LabelledPairs(
        ("q",), ("q",), ("negative",), ("f",), ("train",), tuple("edcba"), tuple("edcba"),
        np.zeros(0, dtype=np.int64), np.zeros(5, dtype=np.int64), np.arange(5),
        np.array([True, True, True, False, False]),
    )  # fmt: skip
    examples = make_examples(pairs, hard_negatives="every", general_share=None, seed=0)
    assert examples.positive.tolist() == [0, 1, 2]
    assert examples.negative.tolist() == [3, 4, 3]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.5])
def test_general_pairs_are_drawn_to_their_share(share: float) -> None:
    general = np.arange(100) % 5 == 0
    rows = draw_general(general, share, seed=3)
    assert general[rows].mean() == pytest.approx(share, abs=0.01)
    assert set(np.flatnonzero(~general)) <= set(rows.tolist())
    times = np.bincount(rows, minlength=100)[general]
    assert times.max() - times.min() <= 1  # whole rounds first


def test_products_of_the_family_and_those_that_pass_are_known_good_but_labels_overrule(
    shop: dict[str, Path],
) -> None:
    pairs = read(shop)
    query = pairs.query_ids.index("n-jacket-red")
    number = {name: place for place, name in enumerate(pairs.product_ids)}
    own = {number[f"jacket-{colour}-cotton"] for colour in ("blue", "black", "white")}
    assert known_good(pairs)[query] == own
    passed = {query: np.array([number["lamp-red-steel"], number["jacket-red-cotton"]])}
    assert known_good(pairs, passed)[query] == own | {number["lamp-red-steel"]}


def test_of_the_right_kind_what_the_catalogue_does_not_tell_is_not_learnt_as_wrong(
    tmp_path: Path,
) -> None:
    from evalkit.constraints import Condition, Structure
    from evalkit.constraints.checking import Checker
    from evalkit.knowledge import CatalogueFiles

    shop = write_shop(tmp_path)
    rows = [json.loads(line) for line in shop["products"].read_text("utf-8").splitlines()]
    for row in rows:
        if row["product_id"] in ("jacket-blue-steel", "lamp-blue-steel"):
            row |= {"attributes": {}, "title": row["kind"]}
    shop["products"].write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with open_engine("600MB", 1) as connection:
        pairs = read_pairs(connection, [shop["pairs"]], shop["products"], pool=100)
        checker = Checker(*CatalogueFiles(shop["products"]).open(connection))
    no_red = (Condition("colour", ("red",)),)
    asked = {
        "n-jacket-red": Structure("negative", ("jacket",), excluded=no_red),
        "n-lamp-red": Structure("negative", (), excluded=no_red),
    }
    checked = check_products(pairs, asked, checker)
    named = {
        pairs.query_ids[query]: {pairs.product_ids[product] for product in found.tolist()}
        for query, found in checked.unknown.items()
    }
    # The lamp is of another kind; where no kind is named nothing is spared.
    assert named == {"n-jacket-red": {"jacket-blue-steel"}, "n-lamp-red": set()}
    query = pairs.query_ids.index("n-jacket-red")
    unknown = pairs.product_ids.index("jacket-blue-steel")
    assert unknown not in checked.passed[query]
    assert unknown in known_good(pairs, checked.not_wrong())[query]
    dev = dev_queries(replace(pairs, splits=("dev",) * len(pairs.splits)), checked.passed)
    assert not dev.good[dev.queries.index("jacket without red"), unknown]


def test_a_product_beyond_the_catalogue_keeps_the_text_of_its_pair(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    more = tmp_path / "more.tsv"
    row = ["x", "blue thing", "new", "1", "general", "f", "train", "blue thing of felt"]
    write_rows(more, [*PAIR_COLUMNS, "text"], [row])
    pairs = read(shop, more)
    assert pairs.texts[pairs.product_ids.index("new")] == "blue thing of felt"
    assert "1 products of the pairs are not in the catalogue" in pairs.warnings[0]
    assert pairs.rows[str(more)] == 1


def test_a_pair_without_any_text_is_left_out_and_counted(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    more = one_file(tmp_path, ["x", "blue thing", "new", "1", "general", "f", "train"])
    pairs = read(shop, more)
    assert pairs.counts["pairs_without_product"] == 1
    assert "x" not in pairs.query_ids
    assert " pairs are left out: their products are not" in pairs.warnings[0]


def test_what_passes_the_check_is_no_hard_negative_whatever_a_classifier_finds(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    rows = [
        ["x", "blue thing", product, label, "general", "f", "train", check]
        for product, label, check in (
            ("lamp-blue-steel", "1", "pass"),
            ("lamp-blue-cotton", "0", "pass"),
            ("lamp-red-steel", "0", "fail"),
            ("lamp-red-cotton", "0", ""),
        )
    ]
    write_rows(tmp_path / "more.tsv", [*PAIR_COLUMNS, "check"], rows)
    pairs = read(shop, tmp_path / "more.tsv")
    own = pairs.query == pairs.query_ids.index("x")
    found = {pairs.product_ids[product] for product in pairs.product[own & ~pairs.label]}
    assert found == {"lamp-red-steel", "lamp-red-cotton"}
    assert pairs.counts["negatives_that_pass"] == 1
    assert pairs.counts["pairs_read"] == 152 + 3


def test_a_family_in_both_splits_and_labels_that_contradict_each_other_are_told(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    assert read(shop).warnings == ()
    family = join_families(("new", "general|shoe|colour=red"))
    more = one_file(
        tmp_path,
        ["x", "red shoes", "shoe-red-steel", "1", "general", family, "train"],
        ["g-lamp-red", "red lamp", "lamp-red-steel", "0", "general", "", "train"],
    )
    pairs = read(shop, more)
    assert pairs.warnings == (
        "1 families of queries are in train and in dev, such as 'general|shoe|colour=red': dev "
        "queries are about what is learnt. Make all pairs with one seed of the split.",
        "1 pairs have label 1 and label 0; the first of them counts.",
    )
    place = (pairs.query == pairs.query_ids.index("g-lamp-red")) & pairs.label
    assert "lamp-red-steel" in {pairs.product_ids[each] for each in pairs.product[place]}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            ["x", "a lamp", "lamp-red-steel", "2", "general", "f", "train"],
            "a label that is neither",
        ),
        (["x", "a lamp", "lamp-red-steel", "1", "general", "f", "test"], "a split that is neither"),
        (["x", " ", "lamp-red-steel", "1", "general", "f", "train"], "have no query"),
        (["g-lamp-red", "red lamp", "shoe-red-steel", "0", "general", "f", "dev"], "in two splits"),
        (["g-lamp-red", "a lamp", "shoe-red-steel", "0", "general", "f", "train"], "has two texts"),
    ],
)
def test_pairs_that_cannot_be_used_are_named(
    row: list[str], problem: str, shop: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=problem):
        read(shop, one_file(tmp_path, row))
