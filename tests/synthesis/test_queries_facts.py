"""Which products satisfy a structure, counted by hand in a catalogue of seven jackets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jackets import facts_of

from evalkit.constraints import Condition, Reference, Structure

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.synthesis.queries_facts import Facts


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    return facts_of(tmp_path)


def satisfying(facts: Facts, structure: Structure) -> list[str]:
    return [facts.catalogue.product_ids[number] for number in facts.satisfying(structure)]


def test_a_product_that_does_not_say_so_neither_has_a_thing_nor_lacks_it(facts: Facts) -> None:
    hood = Condition("hood")
    lacking = Structure("negative", ("jacket",), excluded=(hood,))
    having = Structure("general", ("jacket",), required=(hood,))
    assert satisfying(facts, lacking) == ["j1", "j2", "j3"]
    assert satisfying(facts, having) == ["j4", "j5"]


def test_a_family_counts_and_an_imitation_does_not(facts: Facts) -> None:
    leather = Condition("material", ("leather",))
    having = Structure("general", ("jacket",), required=(leather,))
    lacking = Structure("negative", ("jacket",), excluded=(leather,))
    assert satisfying(facts, having) == ["j1", "j5"]
    assert satisfying(facts, lacking) == ["j2", "j3", "j4", "j6"]
    assert [facts.catalogue.product_ids[n] for n in facts.violating(lacking)] == ["j1", "j5"]


def test_two_and_a_half_is_not_two(facts: Facts) -> None:
    two = Structure("general", ("jacket",), required=(Condition("sleeve_length", ("2",)),))
    assert satisfying(facts, two) == ["j1"]


def test_a_product_without_a_price_is_under_no_limit(facts: Facts) -> None:
    assert satisfying(facts, Structure("general", ("jacket",), price_max=40.0)) == [
        "j1",
        "j2",
        "j3",
    ]
    assert satisfying(facts, Structure("general", ("jacket",), price_min=200.0)) == ["j5", "j6"]


def test_an_alternative_to_a_product_costs_less_than_it(facts: Facts) -> None:
    named = Reference("lux modelj5", "Lux", "j5")
    cheaper = Structure("alternative", ("jacket",), reference=named)
    share = Structure("alternative", ("jacket",), reference=named, price_share=0.2)
    assert satisfying(facts, cheaper) == ["j1", "j2", "j3", "j4"]
    assert satisfying(facts, share) == ["j1", "j2", "j3"]


def test_an_alternative_to_a_brand_is_of_another_brand_and_below_its_median(facts: Facts) -> None:
    # Bru costs 45 in the middle; its own jacket at 40 is no alternative
    brand = Structure("alternative", ("jacket",), reference=Reference("bru", "Bru"))
    assert satisfying(facts, brand) == ["j1", "j2"]


def test_an_unknown_kind_or_attribute_is_satisfied_by_nothing(facts: Facts) -> None:
    assert satisfying(facts, Structure("general", ("kettle",))) == []
    unknown = Structure("negative", ("jacket",), excluded=(Condition("lining"),))
    assert satisfying(facts, unknown) == []


def test_a_brand_is_excluded_like_any_attribute(facts: Facts) -> None:
    no_lux = Structure("negative", ("jacket",), excluded=(Condition("brand", ("lux",)),))
    assert satisfying(facts, no_lux) == ["j1", "j2", "j3", "j4"]
