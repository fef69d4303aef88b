"""Who states a word, who denies it, and which words mean the same."""

import pytest

from evalkit.knowledge import Triple, broader, family, read_words, says, stem, synonyms


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("cowhide leather", "leather"),
        ("Nappa", "leather"),
        ("suede", "leather"),
        ("lambskin", "animal products"),
        ("leather upper, textile lining", "leather"),
        ("not only leather", "leather"),
        ("leather and faux leather", "leather"),
        ("solid oak", "wood"),
        ("wooden", "wood"),
        ("recycled nylon", "polyamide"),
        ("pu", "polyurethane"),
        ("synthetic rubber", "rubber"),
        ("navy", "blue"),
        ("grey", "gray"),
        ("aluminium", "aluminum"),
        ("bluetooth", "wireless"),
        ("usb type-c", "usb-c"),
        ("micro-usb cable", "usb"),
        ("aa batteries, not included", "battery"),
        ("none, pre-seasoned with oil", "oil"),
        ("milk powder", "dairy"),
        ("s/ftp (s-stp)", "s/ftp"),
        ("none", "none"),
        ("yes", "yes"),
        ("ptfe", "non-stick"),
        ("teflon coated", "non-stick"),
        ("ceramic", "non-stick"),
        ("trackball", "mouse"),
        ("2.5 mm balanced", "2.5"),
        ("2,5 mm balanced", "2.5 mm"),
        ("2.50 mm balanced", "2.5 mm"),
        ("1,400 mah pack", "1400 mah"),
        ("usb 3.0 hub", "usb 3.0"),
        ("sizes 38,39,40", "39"),
    ],
)
def test_a_value_says_a_word(value: str, wanted: str) -> None:
    assert says(value, wanted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("faux leather", "leather"),
        ("vegan leather", "leather"),
        ("imitation leather", "leather"),
        ("synthetic leather", "leather"),
        ("leather-look", "leather"),
        ("leather-free", "leather"),
        ("no leather", "leather"),
        ("without any real leather", "leather"),
        ("free of leather", "leather"),
        ("polyurethane leather", "leather"),
        ("none", "leather"),
        ("no", "hood"),
        ("wood wool", "wool"),
        ("oat milk", "milk"),
        ("cetearyl alcohol", "alcohol"),
        ("shea butter", "dairy"),
        ("no tools needed", "tools"),
        ("aa batteries, not included", "included"),
        ("coated steel", "coat"),
        ("wirelessly", "wire"),
        ("mini-usb b", "usb-b"),
        ("anti-slip", "slip"),
        ("memory foam", "ram"),
        ("charcoal", "black"),
        ("fragrance-free", "perfume"),
        ("for gas and ceramic hobs", "non-stick"),
        ("ptfe-free", "non-stick"),
        ("2.5 mm balanced", "2"),
        ("2.5 mm balanced", "5 mm"),
        ("2,5 mm balanced", "5 mm"),
        ("12,500 pages a month", "500 pages"),
        ("802.11 network", "11"),
        ("", "leather"),
        ("leather", ""),
    ],
)
def test_a_value_does_not_say_a_word(value: str, wanted: str) -> None:
    assert not says(value, wanted)


@pytest.mark.parametrize("value", ["alcohol-free", "Alcohol free", "no alcohol", "without alcohol"])
def test_what_is_denied_is_said_in_any_wording(value: str) -> None:
    assert says(value, "alcohol-free")
    assert says(value, "no alcohol")
    assert not says(value, "alcohol")


def test_a_synonym_of_a_denial_says_it() -> None:
    assert says("unscented", "fragrance free")


def test_a_text_states_denies_or_is_silent() -> None:
    words = read_words()
    assert words.states("A jacket of soft nappa. No fur.", "leather") == 1
    assert words.states("A jacket of soft nappa. No fur.", "fur") == -1
    assert words.states("A jacket of soft nappa. No fur.", "hood") == 0
    assert words.states("Soft nappa", "leather-free") == -1
    assert words.states("A warm jacket", "leather-free") == 0


def test_to_deny_a_kind_of_a_thing_does_not_deny_the_thing() -> None:
    words = read_words()
    assert words.states("no peanuts", "nuts") == 0
    assert words.states("no peanuts", "peanut") == -1
    assert words.states("no nuts", "nuts") == -1
    assert words.states("ptfe-free", "non-stick") == 0
    assert not words.says("no peanuts", "nut-free")


def test_spelling_and_names_are_synonyms_and_a_word_is_not_its_own() -> None:
    assert "color" in synonyms("colour")
    assert "colour" in synonyms("colors")
    assert "notebook" in synonyms("laptops")
    assert "laptop" not in synonyms("laptop")
    assert synonyms("zwieback") == ()


def test_families_nest_and_are_known_from_both_ends() -> None:
    assert {"nappa", "suede", "cowhide"} <= set(family("leather"))
    assert {"jacket", "raincoat"} <= set(family("clothing"))
    assert "leather" not in family("leather")
    assert broader("nappa")[0] == "leather"
    assert "animal products" in broader("nappa")


def test_words_of_two_meanings_do_not_join_their_groups() -> None:
    words = read_words()
    assert set(words.meanings("toner")) == {"toner cartridge", "toner lotion"}
    assert "facial toner" not in words.synonyms("toner cartridge")


def test_a_users_facts_add_to_the_table_and_leave_it_as_it_was() -> None:
    facts = (
        Triple("zibeline", "is a", "wool"),
        Triple("zobel", "synonym", "zibeline"),
        Triple("acme", "tier", "luxury"),
    )
    words = read_words(facts)
    assert words.says("pure zibeline", "wool")
    assert words.says("zobel", "wool")
    assert words.says("merino", "wool")
    assert not says("pure zibeline", "wool")


def test_words_are_compared_by_what_is_left_of_them() -> None:
    assert stem("Kitchen Knives") == stem("kitchen knife")
    assert stem("cushioning") == stem("cushioned")
    assert stem("coating") != stem("coats")
    assert stem("heated") != stem("heat")


def test_the_table_has_no_word_in_its_own_family_and_no_empty_entry() -> None:
    words = read_words()
    for key, names in words.narrower.items():
        assert key not in {stem(name) for name in names}
    for table in (words.same, words.narrower, words.wider, words.unlike, words.loose):
        assert all(key and all(names) for key, names in table.items())


def test_a_longer_name_of_a_model_is_another_model() -> None:
    assert says("orbix nova 12", "orbix nova 12")
    assert says("for Orbix Nova 12 and Nova 12 Pro", "nova 12")
    assert not any(
        says(f"Orbix Nova 12 {more}", "orbix nova 12")
        for more in ("Pro", "Max", "Plus", "mini", "S", "5")
    )
    assert says("Orbix Nova 12 Pro", "orbix nova 12 pro")
    assert not says("Orbix Nova 12 Pro Max", "orbix nova 12 pro")


def test_a_number_after_a_measure_is_no_model() -> None:
    assert says("size 42 mini", "size 42")
    assert says("SPF 50 plus", "spf 50")
