"""Kinds of products from English titles."""

import numpy as np
import pytest

from evalkit.knowledge import kinds_from_titles


def kind_of(title: str, brand: str = "Acme") -> str | None:
    kinds, kind, _ = kinds_from_titles([title], [brand])
    return kinds[kind[0]] if kind[0] >= 0 else None


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Acme K200 wireless keyboard black USB", "keyboard"),
        ("Acme Cat6 Snagless Patch Cable Blue 2 m", "network cable"),
        ("Acme ProLine Laptops", "notebook"),
        ('Acme L2 Notebook PC 39.6 cm (15.6") 1920 x 1080 pixels', "notebook"),
        ("Acme 44A toner cartridge Original Black 1 pc(s)", "toner cartridge"),
        ("Acme Battery for L2 notebook", "battery"),
        ("Acme Headphones with microphone, red", "headphones"),
        ("Acme Power Strip, 6 outlets, 2 m Cord", "power strip"),
        ("Acme CSE-512 computer case Rack Black 350 W", "computer case"),
        ("Acme 540 processor 1.86 GHz Box 1 MB L2", "processor"),
        ("Acme Fixer 90x90 tablet wall mount", "wall mount"),
        ("Kitchen knives set of 3, steel", "kitchen knife"),
        ("Acme 3m USB cable USB A plug-in thing Grey", "usb cable"),
        ("Acme KVM Switch Cable w/ Microphone", "kvm cable"),
        ("Acme 126A Magenta 1 pc(s)", None),
        ("", None),
    ],
)
def test_the_noun_that_ends_the_phrase_is_the_kind(title: str, kind: str | None) -> None:
    assert kind_of(title) == kind


def test_singular_plural_and_synonyms_are_one_kind() -> None:
    kinds, kind, _ = kinds_from_titles(
        ["Acme mouse pads", "Acme mouse pad", "Acme mouse mat"], ["Acme"] * 3
    )
    assert kinds == ("mouse pad",)
    assert kind.tolist() == [0, 0, 0]


def test_a_short_name_means_what_the_catalogue_sells() -> None:
    office = ["Acme toner cartridge", "Acme Toner black", "Acme toner cartridge cyan"]
    kinds, kind, _ = kinds_from_titles(office, ["Acme"] * 3)
    assert [kinds[number] for number in kind] == ["toner cartridge"] * 3


def test_an_unknown_noun_is_a_kind_once_many_titles_end_with_it() -> None:
    titles = [f"Acme {number}X small florbinator" for number in range(8)]
    kinds, kind, confidence = kinds_from_titles(titles, ["Acme"] * 8)
    assert kinds == ("florbinator",)
    assert kind.tolist() == [0] * 8
    assert (confidence < 0.6).all()
    assert kinds_from_titles(titles[:3], ["Acme"] * 3)[0] == ()


def test_the_name_of_a_brands_line_is_no_kind() -> None:
    titles = [f"Acme Zephyrion {number}" for number in range(20)]
    assert kinds_from_titles(titles, ["Acme"] * 20)[0] == ()


def test_titles_without_a_noun_follow_what_else_they_have() -> None:
    titles = [f"Acme Zephyrion Z{number} toner cartridge" for number in range(20)]
    titles += [f"Acme K{number} keyboard" for number in range(20)]
    titles += ["Acme Zephyrion 77", "Acme 78"]
    hints = [["page_yield"]] * 20 + [["layout"]] * 20 + [[], ["layout"]]
    kinds, kind, confidence = kinds_from_titles(titles, ["Acme"] * 42, hints=hints)
    assert [kinds[number] for number in kind[-2:]] == ["toner cartridge", "keyboard"]
    assert (confidence[-2:] < confidence[:40].min()).all()
    assert kinds_from_titles(titles, ["Acme"] * 42)[1][-1] == -1


def test_a_stated_type_helps_where_the_title_names_none_and_says_a_noun() -> None:
    kinds, kind, _ = kinds_from_titles(
        ["Acme 1", "Acme 2", "Acme 3 mouse"],
        ["Acme"] * 3,
        stated=["framed privacy filter", "original", "original"],
    )
    assert [kinds[number] if number >= 0 else None for number in kind] == [
        "privacy filter",
        None,
        "mouse",
    ]


def test_confidence_lies_between_0_and_1_and_rises_with_the_number_of_titles() -> None:
    titles = ["Acme keyboard"] * 30 + ["Acme kettle", "Acme 1"]
    _, kind, confidence = kinds_from_titles(titles, ["Acme"] * 32)
    assert ((confidence > 0) == (kind >= 0)).all()
    assert (confidence < 1).all()
    assert confidence[0] > confidence[30] > confidence[31] == 0


def test_the_order_of_products_does_not_matter() -> None:
    titles = [f"Acme {noun} {n}" for n in range(6) for noun in ("mouse", "florbinator", "tv", "")]
    kinds, kind, confidence = kinds_from_titles(titles, ["Acme"] * len(titles))
    order = np.random.default_rng(3).permutation(len(titles))
    again = kinds_from_titles([titles[place] for place in order], ["Acme"] * len(titles))
    assert again[0] == kinds
    assert again[1].tolist() == kind[order].tolist()
    assert np.allclose(again[2], confidence[order])
