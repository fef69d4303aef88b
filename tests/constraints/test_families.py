"""Families of queries, and the split that they fall into."""

from __future__ import annotations

import pytest

from evalkit.constraints import Condition, Reference, Structure
from evalkit.constraints.families import families, join_families, split_families, split_of


def negative(*values: str, kinds: tuple[str, ...] = ("jacket",)) -> Structure:
    return Structure("negative", kinds, excluded=(Condition("material", values),))


def test_a_negative_query_is_of_its_kind_and_every_excluded_value() -> None:
    both = Structure(
        "negative",
        ("jacket",),
        required=(Condition("colour", ("black",)),),
        excluded=(Condition("material", ("leather",)), Condition("hood")),
    )
    assert families(both) == ("negative|jacket|hood=", "negative|jacket|material=leather")


def test_a_need_and_a_reference_are_families() -> None:
    assert families(Structure("knowledge", ("boots",), need="muddy field")) == ("need|muddy field",)
    other = Structure("knowledge", ("boots",), need="walk my dog through a swamp")
    assert families(other, "need|muddy field") == ("need|muddy field",)
    named = Structure("alternative", ("sofa",), reference=Reference("laguna", "Palazzo", "FU1"))
    assert families(named) == ("reference|sofa|palazzo",)
    unknown = Structure("alternative", ("sofa",), reference=Reference("Laguna"))
    assert families(unknown) == ("reference|sofa|laguna",)


def test_a_brand_and_its_products_of_a_kind_are_one_family() -> None:
    def named(text: str, product: str | None, kind: str = "sofa") -> tuple[str, ...]:
        return families(
            Structure("alternative", (kind,), reference=Reference(text, "Palazzo", product))
        )

    assert named("laguna", "FU1") == named("rialto", "FU2") == named("palazzo", None)
    assert named("palazzo", None, "table") != named("palazzo", None)


def test_a_name_with_an_ampersand_is_one_family_in_tables_too() -> None:
    named = Structure(
        "alternative",
        ("planter",),
        excluded=(Condition("material", ("salt & pepper",)),),
        reference=Reference("kew", "Kew & Daughters"),
    )
    found = families(named)
    assert found == (
        "negative|planter|material=salt and pepper",
        "reference|planter|kew and daughters",
    )
    assert split_families(join_families(found)) == found


def test_a_general_query_is_of_its_kind_and_wanted_values() -> None:
    query = Structure("general", ("mat",), required=(Condition("colour", ("black",)),))
    assert families(query) == ("general|mat|colour=black",)
    assert families(Structure("general", ("mat",))) == ("general|mat|",)


def test_a_family_is_in_one_split_whatever_the_query() -> None:
    one = split_of(families(negative("leather")), dev_share=0.3, seed=1)
    other = Structure(
        "negative",
        ("jacket",),
        required=(Condition("colour", ("red",)),),
        excluded=(Condition("material", ("leather",)),),
    )
    assert split_of(families(other), dev_share=0.3, seed=1) == one


def test_a_query_whose_families_fall_apart_is_in_neither_split() -> None:
    values = [f"v{number}" for number in range(50)]
    alone = {value: split_of(families(negative(value)), dev_share=0.5, seed=0) for value in values}
    assert set(alone.values()) == {"train", "dev"}
    train = next(value for value in values if alone[value] == "train")
    dev = next(value for value in values if alone[value] == "dev")
    assert split_of(families(negative(train, dev)), dev_share=0.5, seed=0) == "none"
    again = next(value for value in values if alone[value] == "dev" and value != dev)
    assert split_of(families(negative(dev, again)), dev_share=0.5, seed=0) == "dev"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_share_of_families_for_dev_is_what_was_asked(share: float) -> None:
    splits = [split_of([f"need|{number}"], dev_share=share, seed=3) for number in range(4000)]
    assert abs(splits.count("dev") / 4000 - share) < 0.02
    assert splits.count("none") == 0


def test_another_seed_draws_other_families() -> None:
    def dev(seed: int) -> set[int]:
        names = range(500)
        return {n for n in names if split_of([f"need|{n}"], dev_share=0.2, seed=seed) == "dev"}

    assert dev(1) != dev(2)
    assert dev(1) == dev(1)
