"""Which products satisfy a structure: one rule a test, on small catalogues."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest

from evalkit.constraints import Condition, Reference, Structure
from evalkit.constraints.checking import PLACES, Checker
from evalkit.knowledge import read_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Checker]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a checker of products; a product is a title, or fields with attributes beside."""

    def checker(*products: dict[str, Any] | str, **settings: Any) -> Checker:
        rows = []
        for number, product in enumerate(products):
            fields = {"title": product} if isinstance(product, str) else dict(product)
            row = {"product_id": f"p{number:02}", "title": "Thing", "description": "", "brand": ""}
            for name in ("title", "description", "brand", "kind", "price"):
                if name in fields:
                    row[name] = fields.pop(name)
            rows.append({**row, "attributes": {"shelf": "left", **fields}})
        file = tmp_path / "products.jsonl"
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return Checker(read_catalogue(file, duckdb.connect()), **settings)

    return checker


def without(attribute: str | None, *values: str) -> Structure:
    return Structure("negative", excluded=(Condition(attribute, values),))


def wanted(attribute: str | None, *values: str) -> Structure:
    return Structure("general", required=(Condition(attribute, values),))


def verdicts(checker: Checker, structure: Structure) -> list[int]:
    return checker.check(structure).verdict.tolist()


# -- attributes ---------------------------------------------------------------------------------


def test_a_word_that_titles_use_in_another_sense_is_not_decided_by_data(make: Make) -> None:
    called = {"title": "Wireless headphones", "kind": "headphones", "charging": "cable"}
    other = {"title": "Duo headphones", "kind": "headphones", "charging": "wireless"}
    plain = {"title": "Ode headphones", "kind": "headphones", "charging": "cable"}
    checker = make(called, called, called, other, plain)
    checks = checker.check(wanted(None, "wireless"))
    assert checks.verdict.tolist() == [1, 1, 1, 0, 0]
    assert checks.by_text.tolist() == [True, True, True, False, False]
    assert verdicts(checker, wanted("charging", "wireless")) == [-1, -1, -1, 1, -1]


def test_a_value_of_several_attributes_of_a_kind_is_denied_by_none(make: Make) -> None:
    arms = {"kind": "chair", "armrests": "adjustable", "lumbar": "fixed"}
    back = {"kind": "chair", "armrests": "adjustable", "lumbar": "adjustable"}
    neither = {"kind": "chair", "armrests": "fixed", "lumbar": "fixed"}
    checker = make(arms, arms, back, neither, {"kind": "desk", "height": "adjustable"})
    assert verdicts(checker, wanted(None, "adjustable")) == [1, 1, 1, 0, 1]


def test_cowhide_fails_no_leather_and_cotton_passes(make: Make) -> None:
    checker = make({"material": "cowhide leather"}, {"material": "cotton"})
    assert verdicts(checker, without("material", "leather")) == [-1, 1]


def test_vegan_leather_passes_no_leather_and_its_polyurethane_fails_no_polyurethane(
    make: Make,
) -> None:
    checker = make({"title": "Vegan leather jacket", "material": "pu"})
    assert verdicts(checker, without("material", "leather")) == [1]
    assert verdicts(checker, without("material", "polyurethane")) == [-1]


def test_what_is_not_stated_is_unknown_both_ways(make: Make) -> None:
    checker = make({"title": "Jacket"}, {"material": "cotton"}, {"material": "leather"})
    assert verdicts(checker, without("material", "leather"))[0] == 0
    assert verdicts(checker, wanted("material", "leather"))[0] == 0


def test_each_of_several_excluded_values_must_be_absent(make: Make) -> None:
    checker = make({"material": "leather"}, {"material": "wool"}, {"material": "cotton"})
    assert verdicts(checker, without("material", "leather", "wool")) == [-1, -1, 1]


def test_one_of_several_required_values_is_enough(make: Make) -> None:
    checker = make({"colour": "red"}, {"colour": "blue"}, {"colour": "black"})
    assert verdicts(checker, wanted("colour", "red", "blue")) == [1, 1, -1]


def test_a_product_with_two_values_has_both(make: Make) -> None:
    checker = make({"material": ["cotton", "elastane"]})
    assert verdicts(checker, wanted("material", "elastane")) == [1]
    assert verdicts(checker, without("material", "elastane")) == [-1]


def test_every_condition_must_hold(make: Make) -> None:
    checker = make(
        {"colour": "red", "material": "cotton"},
        {"colour": "red", "material": "wool"},
        {"colour": "red"},
        {"material": "wool"},
    )
    red, wool = Condition("colour", ("red",)), Condition("material", ("wool",))
    structure = Structure("negative", required=(red,), excluded=(wool,))
    # the last: not known to be red, but certainly of wool
    assert verdicts(checker, structure) == [1, -1, 0, -1]


def test_no_hood_means_that_the_attribute_says_none(make: Make) -> None:
    checker = make({"hood": "none"}, {"hood": "detachable"}, {"hood": "no"}, "Jacket")
    assert verdicts(checker, without("hood")) == [1, -1, 1, 0]


def test_not_available_and_unknown_state_nothing(make: Make) -> None:
    checker = make({"hood": "unknown"}, {"hood": "not available"}, {"hood": "fixed"})
    assert verdicts(checker, without("hood")) == [0, 0, -1]


def test_yes_and_no_are_understood_of_booleans_and_words(make: Make) -> None:
    checker = make({"hob": True}, {"hob": False}, {"hob": "y"}, {"hob": "N"})
    assert verdicts(checker, wanted("hob", "yes")) == [1, -1, 1, -1]
    assert verdicts(checker, wanted("hob", "no")) == [-1, 1, -1, 1]


def test_not_included_is_no_diffuser(make: Make) -> None:
    checker = make({"diffuser": "included"}, {"diffuser": "not included"})
    assert verdicts(checker, wanted("diffuser", "included")) == [1, -1]
    assert verdicts(checker, wanted("diffuser", "yes")) == [1, -1]


def test_quantities_are_compared_across_units(make: Make) -> None:
    checker = make({"diameter": "28 cm"}, {"diameter": "0.28 m"}, {"diameter": "30 cm"})
    assert verdicts(checker, wanted("diameter", "28 cm")) == [1, 1, -1]


def test_years_sizes_and_counts_are_met_exactly(make: Make) -> None:
    checker = make({"year": "2023"}, {"year": "2025"})
    assert verdicts(checker, wanted("year", "2025")) == [-1, 1]
    assert verdicts(checker, without("year", "2023")) == [-1, 1]
    checker = make({"storage": "256 GB"}, {"storage": "257 GB"}, {"storage": "0.256 TB"})
    assert verdicts(checker, wanted("storage", "256 gb")) == [1, -1, 1]
    checker = make({"length": "10 in"}, {"length": "10.02 inch"}, {"length": "10 inches"})
    assert verdicts(checker, wanted("length", "10 inch")) == [1, -1, 1]


def test_a_whole_number_does_not_stand_inside_another(make: Make) -> None:
    checker = make({"plug": "2.5 mm balanced"}, {"plug": "2 pins"})
    assert verdicts(checker, wanted("plug", "2")) == [-1, 1]


def test_a_number_without_a_unit_fits_any(make: Make) -> None:
    checker = make({"screen": 17.3}, {"screen": 15.6})
    assert verdicts(checker, wanted("screen", '17.3"')) == [1, -1]


def test_a_greatest_size_fits_what_is_smaller(make: Make) -> None:
    checker = make({"max_screen_size": 17.3}, {"max_screen_size": 14})
    assert verdicts(checker, wanted("max_screen_size", "15.6")) == [1, -1]


def test_required_aa_is_not_refuted_by_an_attribute_that_never_says_such_things(
    make: Make,
) -> None:
    checker = make({"battery_type": "rechargeable battery"}, {"battery_type": "single-use"})
    assert verdicts(checker, wanted("battery_type", "aa")) == [0, 0]


def test_a_coating_of_ceramic_or_ptfe_is_non_stick_and_a_ceramic_hob_says_nothing(
    make: Make,
) -> None:
    checker = make(
        {"coating": "ceramic"},
        {"coating": "PTFE"},
        {"coating": "enamel"},
        {"title": "Pan for ceramic hobs"},
        {"title": "PTFE-free pan"},
    )
    assert verdicts(checker, wanted("coating", "non-stick")) == [1, 1, -1, 0, 0]
    assert verdicts(checker, without("coating", "non-stick")) == [-1, -1, 1, 0, 0]


# -- lists --------------------------------------------------------------------------------------


def test_free_from_passes_what_it_lists_and_nothing_else(make: Make) -> None:
    checker = make({"free_from": ["alcohol", "parabens"]}, {"free_from": ["fragrance"]})
    assert verdicts(checker, without("ingredients", "alcohol")) == [1, 0]
    assert verdicts(checker, without(None, "alcohol")) == [1, 0]
    assert verdicts(checker, wanted("free_from", "alcohol")) == [1, 0]


def test_an_ingredients_list_that_lacks_the_thing_passes(make: Make) -> None:
    checker = make({"ingredients": ["water", "honey"]}, {"ingredients": ["water", "alcohol denat"]})
    assert verdicts(checker, without("ingredients", "alcohol")) == [1, -1]


def test_what_may_contain_nuts_fails_no_nuts(make: Make) -> None:
    checker = make({"allergens": ["milk", "may contain nuts"]}, {"allergens": "none"})
    assert verdicts(checker, without("allergens", "nuts")) == [-1, 1]


def test_allergens_that_never_name_an_ingredient_say_nothing_of_it(make: Make) -> None:
    checker = make({"allergens": "milk"}, {"ingredients": ["palm oil"]})
    assert verdicts(checker, without("ingredients", "palm oil")) == [0, -1]


def test_gluten_free_yes_passes_no_gluten(make: Make) -> None:
    checker = make({"gluten_free": True}, {"gluten_free": False})
    assert verdicts(checker, without("allergens", "gluten")) == [1, -1]


def test_a_yes_or_no_attribute_named_like_the_value_decides(make: Make) -> None:
    checker = make({"latex": True}, {"latex": False})
    assert verdicts(checker, without("material", "latex")) == [-1, 1]


def test_without_an_attribute_any_that_states_the_word_decides(make: Make) -> None:
    checker = make({"material": "polyester"}, {"lining": "polyester"}, {"hem": "raw"})
    assert verdicts(checker, without(None, "polyester")) == [-1, -1, 0]
    assert verdicts(checker, wanted(None, "polyester")) == [1, 1, 0]


def test_without_an_attribute_the_one_that_owns_the_word_says_otherwise(make: Make) -> None:
    checker = make({"material": "polyester"}, {"material": "cotton"}, {"hem": "raw"})
    assert verdicts(checker, without(None, "polyester")) == [-1, 1, 0]


# -- kinds, brands, prices ----------------------------------------------------------------------


def test_kinds_are_met_in_singular_and_plural(make: Make) -> None:
    checker = make({"kind": "jacket"}, {"kind": "shoes"}, {"kind": "phone case"})
    assert verdicts(checker, Structure("general", ("jackets",))) == [1, -1, -1]
    assert verdicts(checker, Structure("general", ("shoe",))) == [-1, 1, -1]


def test_a_phone_case_is_a_case_and_no_phone(make: Make) -> None:
    checker = make({"kind": "phone case"}, {"kind": "phone"})
    assert verdicts(checker, Structure("general", ("phone",))) == [-1, 1]
    assert verdicts(checker, Structure("general", ("case",))) == [1, -1]


def test_words_of_the_title_decide_where_the_catalogue_has_no_such_kind(make: Make) -> None:
    checker = make({"title": "Kaftan by Baska", "kind": "wear"}, {"title": "Coat", "kind": "wear"})
    checks = checker.check(Structure("general", ("kaftan",)))
    assert checks.verdict.tolist() == [1, 0]
    assert checks.by_text.tolist() == [True, False]


def test_a_brand_can_be_excluded_and_required(make: Make) -> None:
    checker = make({"brand": "Pavo"}, {"brand": "Baska"}, {"brand": ""})
    assert verdicts(checker, without("brand", "pavo")) == [-1, 1, 0]
    assert verdicts(checker, wanted("brand", "pavo")) == [1, -1, 0]


def test_no_brand_fails_what_has_one_and_any_brand_passes_it(make: Make) -> None:
    checker = make({"brand": "Pavo"}, {"brand": ""})
    assert verdicts(checker, without("brand")) == [-1, 0]
    assert verdicts(checker, wanted("brand")) == [1, 0]


def test_price_limits_are_inclusive_and_an_unknown_price_is_unknown(make: Make) -> None:
    checker = make({"price": 50.0}, {"price": 50.01}, {"price": None}, {"price": 20.0})
    assert verdicts(checker, Structure("general", price_max=50)) == [1, -1, 0, 1]
    assert verdicts(checker, Structure("general", price_min=50)) == [1, 1, 0, -1]


def alternative(reference: Reference, **limits: Any) -> Structure:
    return Structure("alternative", ("kettle",), reference=reference, **limits)


KETTLES = (
    {"kind": "kettle", "brand": "Dovane", "price": 100.0, "title": "Dovane Airloop kettle"},
    {"kind": "kettle", "brand": "Dovane", "price": 60.0, "title": "Dovane Basic kettle"},
    {"kind": "kettle", "brand": "Hemi", "price": 50.0},
    {"kind": "kettle", "brand": "Hemi", "price": 100.0},
    {"kind": "sofa", "brand": "Hemi", "price": 10.0},
    {"kind": "kettle", "brand": "Hemi", "price": None},
)


def test_half_the_price_is_at_most_half_of_the_product_named(make: Make) -> None:
    structure = alternative(Reference("airloop", "Dovane", "p00"), price_share=0.5)
    assert verdicts(make(*KETTLES), structure) == [-1, -1, 1, -1, -1, 0]


def test_an_alternative_is_cheaper_than_the_product_and_not_the_product(make: Make) -> None:
    structure = alternative(Reference("airloop", "Dovane", "p00"))
    assert verdicts(make(*KETTLES), structure) == [-1, 1, 1, -1, -1, 0]


def test_a_brand_alone_gives_its_median_in_the_kind_and_is_no_alternative_itself(
    make: Make,
) -> None:
    structure = alternative(Reference("dovane", "Dovane"))
    assert verdicts(make(*KETTLES), structure) == [-1, -1, 1, -1, -1, 0]


def test_cheaper_than_the_dearest_of_a_brand_is_not_cheaper_than_the_brand(make: Make) -> None:
    checker = make(*KETTLES, {"kind": "kettle", "brand": "Hemi", "price": 90.0})
    assert last_ones(checker, alternative(Reference("dovane", "Dovane")), 1) == [-1]


def test_a_product_known_by_its_words_only_is_no_alternative_to_itself(make: Make) -> None:
    structure = alternative(Reference("dovane airloop", "Dovane"), price_max=200.0)
    assert verdicts(make(*KETTLES), structure) == [-1, 1, 1, 1, -1, 0]


def test_with_a_price_limit_an_alternative_need_not_be_cheaper(make: Make) -> None:
    structure = alternative(Reference("airloop", "Dovane", "p00"), price_max=100.0)
    assert verdicts(make(*KETTLES), structure) == [-1, 1, 1, 1, -1, 0]


def test_a_negative_query_with_a_reference_must_be_cheaper_too(make: Make) -> None:
    structure = Structure(
        "negative",
        ("kettle",),
        excluded=(Condition("brand", ("nobody",)),),
        reference=Reference("airloop", "Dovane", "p00"),
    )
    assert verdicts(make(*KETTLES), structure) == [-1, 1, 1, -1, -1, 0]


def test_a_product_that_the_catalogue_does_not_know_leaves_its_brand(make: Make) -> None:
    structure = alternative(Reference("dovane", "Dovane", "gone"), price_max=200.0)
    assert verdicts(make(*KETTLES), structure) == [-1, -1, 1, 1, -1, 0]
    unknown = alternative(Reference("dovane", None, "gone"), price_max=200.0)
    assert verdicts(make(*KETTLES), unknown) == [0, 0, 0, 0, -1, 0]


def test_half_the_price_of_nothing_is_unknown(make: Make) -> None:
    checks = make(*KETTLES).check(Structure("alternative", ("kettle",), price_share=0.5))
    assert checks.verdict.tolist() == [0, 0, 0, 0, -1, 0]
    assert "0.5" in checks.explain(0)


def test_a_reference_without_a_price_leaves_unknown(make: Make) -> None:
    structure = alternative(Reference("the other one", "Nobody"))
    assert verdicts(make(*KETTLES), structure)[:4] == [0, 0, 0, 0]


# -- texts --------------------------------------------------------------------------------------


def test_a_text_decides_where_no_attribute_does_and_is_marked(make: Make) -> None:
    checker = make(
        {"title": "Leather-free jacket"},
        {"title": "Real leather jacket"},
        {"title": "Jacket", "material": "cotton"},
    )
    checks = checker.check(without("material", "leather"))
    assert checks.verdict.tolist() == [1, -1, 1]
    assert checks.by_text.tolist() == [True, True, False]


def test_ignored_attributes_decide_nothing(make: Make) -> None:
    products = ({"title": "Jacket", "material": "cotton"}, {"title": "Nappa", "material": "cotton"})
    checker = make(*products, ignore_attributes=("material",))
    assert verdicts(checker, without("material", "leather")) == [0, -1]


def test_texts_can_be_left_unread(make: Make) -> None:
    checker = make({"title": "Leather-free jacket"}, read_text=False)
    assert verdicts(checker, without("material", "leather")) == [0]


def test_a_thing_is_read_by_the_words_of_its_attribute(make: Make) -> None:
    checker = make("Raincoat with hood", "Hoodless raincoat", "Raincoat, no hood", "Raincoat")
    assert verdicts(checker, without("hood")) == [-1, 1, 1, 0]


def last_ones(checker: Checker, structure: Structure, count: int) -> list[int]:
    size = len(checker.catalogue)
    return checker.check(structure, np.arange(size - count, size)).verdict.tolist()


def test_another_colour_in_the_title_speaks_against_one_where_that_is_borne_out(
    make: Make,
) -> None:
    products: list[Any] = [{"title": f"Lead {n}, blue", "colour": "blue"} for n in range(8)]
    products += [{"title": f"Lead {n}, red", "colour": "red"} for n in range(8)]
    checker = make(*products, "Lead, blue", "Lead, red", "Lead", "Lead, red and blue")
    assert last_ones(checker, without("colour", "red"), 4) == [1, -1, 0, -1]


def test_a_material_that_goes_with_another_does_not_speak_against_it(make: Make) -> None:
    both = {"title": "Cotton shirt", "material": ["cotton", "elastane"]}
    checker = make(*[both] * 8, *[{"title": "Shirt", "material": "linen"}] * 2, "Cotton shirt")
    assert last_ones(checker, without("material", "elastane"), 1) == [0]


def test_a_word_that_attributes_do_not_bear_out_decides_nothing(make: Make) -> None:
    products: list[Any] = [{"title": f"Made in Cork {n}", "sole": "rubber"} for n in range(8)]
    assert last_ones(make(*products, "From Cork"), without("sole", "cork"), 1) == [0]
    assert last_ones(make("From Cork"), without("sole", "cork"), 1) == [-1]


def test_what_attribute_and_text_dispute_is_unknown(make: Make) -> None:
    products: list[Any] = [{"title": f"Coat {n} with hood", "hood": "fixed"} for n in range(8)]
    products += [{"title": "Coat, storm hood", "hood": "none"}, {"title": "Coat", "hood": "none"}]
    assert last_ones(make(*products), without("hood"), 2) == [0, 1]


PEANUTS = (
    {"title": "Caramel bar", "description": "Contains peanuts.", "flavour": "caramel"},
    {"title": "Peanut bar", "flavour": "peanut"},
    {"title": "Dark bar", "flavour": "dark"},
    {"title": "Nougat bar", "description": "Free of peanuts.", "flavour": "nougat"},
)


def test_another_flavour_does_not_answer_for_peanuts_in_the_text(make: Make) -> None:
    checker = make(*PEANUTS)
    assert verdicts(checker, without("flavour", "peanut")) == [0, -1, 1, 1]
    assert verdicts(checker, without(None, "peanuts")) == [0, -1, 1, 1]
    # a wish is still answered by the attribute
    assert verdicts(checker, wanted("flavour", "peanut")) == [-1, 1, -1, -1]


def test_peanuts_in_many_texts_stay_unknown_though_flavours_do_not_bear_them_out(
    make: Make,
) -> None:
    products = [{**PEANUTS[0], "title": f"Bar {number}"} for number in range(9)]
    checker = make(*products, *PEANUTS[1:3])
    assert verdicts(checker, without("flavour", "peanut")) == [*[0] * 9, -1, 1]


def test_what_attributes_deny_in_so_many_words_outweighs_a_mention(make: Make) -> None:
    cup = "Cup of Peanut"
    checker = make(
        {"title": cup, "free_from": "peanuts", "flavour": "cocoa"},
        {"title": cup, "peanut_free": True, "flavour": "cocoa"},
        {"title": cup, "flavour": "cocoa"},
        {"title": cup, "flavour": "peanut-free cocoa"},
        {"flavour": "peanut"},
    )
    assert verdicts(checker, without("flavour", "peanut")) == [1, 1, 0, 1, -1]


def test_a_text_without_peanuts_is_not_one_without_nuts(make: Make) -> None:
    checker = make("Bar, no peanuts", "Bar, no nuts")
    assert verdicts(checker, without(None, "nuts")) == [0, 1]
    assert verdicts(checker, without(None, "peanuts")) == [1, 0]


# -- answers ------------------------------------------------------------------------------------


def test_the_reason_names_what_decided(make: Make) -> None:
    checker = make(
        {"material": "cowhide leather"}, {"material": "wool"}, "Bag without any leather", "Bag"
    )
    checks = checker.check(without("material", "leather"))
    assert checks.explain(0) == "material states cowhide leather"
    assert checks.explain(1) == "material states wool"
    assert checks.explain(2) == "the text says “without any leather”"
    assert checks.explain(3) == "nothing says whether material is not leather"


def test_reasons_are_for_the_products_that_were_asked_for(make: Make) -> None:
    checker = make({"material": "wool"}, {"material": "leather"}, {"material": "cotton"})
    checks = checker.check(without("material", "leather"), np.array([2, 1]))
    assert checks.verdict.tolist() == [1, -1]
    assert checks.explain(0) == "material states cotton"


def test_reasons_stand_after_many_other_conditions(make: Make) -> None:
    checker = make({"material": "wool"})
    checks = checker.check(without("material", "leather"))
    for number in range(200):
        checker.check(without("material", f"stuff{number}"))
    assert checks.explain(0) == "material states wool"


def test_a_structure_that_states_nothing_is_unknown(make: Make) -> None:
    checks = make("Bag").check(Structure("knowledge", need="rain"))
    assert checks.verdict.tolist() == [0]
    assert "nothing that can be checked" in checks.explain(0)


def test_each_condition_says_where_it_was_decided(make: Make) -> None:
    checker = make({"kind": "bag", "price": 5.0, "title": "Leather-free bag", "lid": "yes"})
    leather = Condition("material", ("leather",))
    lid = Condition("lid", ("yes",))
    checks = checker.check(Structure("negative", ("bag",), (lid,), (leather,), price_max=9))
    places = [PLACES[int(check.place[0])] for check in checks.conditions]
    assert places == ["kind", "attribute", "text", "price"]


def test_no_products_give_no_verdicts(make: Make) -> None:
    checks = make("Bag").check(without("material", "leather"), np.zeros(0, dtype=np.int64))
    assert checks.verdict.tolist() == []


# -- models and lists ----------------------------------------------------------------------------


def test_what_fits_a_longer_name_does_not_fit_the_model(make: Make) -> None:
    checker = make(
        {"fits": "Orbix Nova 12"},
        {"fits": "Orbix Nova 12 Pro"},
        {"fits": ["Orbix Nova 12 Pro", "Orbix Nova 12"]},
        {"title": "Case for Orbix Nova 12 Pro"},
        {"title": "Case for Orbix Nova 12 Plus"},
        {"title": "Case for Orbix Nova 12"},
    )
    assert verdicts(checker, wanted("fits", "orbix nova 12")) == [1, -1, 1, 0, 0, 1]
    assert verdicts(checker, without("fits", "orbix nova 12 pro")) == [1, -1, -1, -1, 0, 0]


@pytest.mark.parametrize("name", ["tag_list", "diet"])
def test_a_list_of_tags_says_nothing_of_what_it_does_not_name(make: Make, name: str) -> None:
    checker = make(
        {name: ["vegan", "cruelty free"]},
        {name: ["gluten free", "vegan"]},
        {name: ["contains gluten", "organic"]},
    )
    assert verdicts(checker, without(name, "gluten")) == [0, 1, -1]
    assert verdicts(checker, wanted(name, "gluten free")) == [0, 1, -1]
    assert verdicts(checker, wanted(None, "gluten free")) == [0, 1, -1]
    assert verdicts(checker, wanted(name, "cruelty free")) == [1, 0, 0]
    assert verdicts(checker, wanted(name, "vegan")) == [1, 1, 0]


def test_a_list_of_ingredients_is_complete(make: Make) -> None:
    checker = make({"ingredients": ["oats", "water"]}, {"ingredients": ["wheat gluten", "water"]})
    assert verdicts(checker, without("ingredients", "gluten")) == [1, -1]
