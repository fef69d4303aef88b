"""How values of attributes are spoken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from evalkit.synthesis.queries_facts import Statements
from evalkit.synthesis.templates_phrases import phrases_of

if TYPE_CHECKING:
    from evalkit.synthesis.templates_phrases import Phrase


def spoken(attribute: str, value: str, kind: str) -> list[Phrase]:
    """The phrases of a kind whose three products all state the value."""
    products = np.arange(3)
    stated = np.ones(3, dtype=bool)
    statements = Statements(attribute, (value,), products, np.zeros(3, dtype=np.int64), stated)
    return phrases_of(statements, kind)


@pytest.mark.parametrize(
    ("attribute", "value", "kind", "said"),
    [
        ("protein", "26 g", "pasta", "with 26 g protein"),
        ("top_speed", "30 km/h", "remote control car", "with 30 km/h top speed"),
        ("cocoa", "70%", "chocolate", "70% cocoa"),
        ("width", "110 cm", "soundbar", "110 cm wide"),
        ("toe", "soft", "work shoes", "soft toe"),
        ("roast", "dark", "coffee", "dark roast"),
        ("charging", "wireless", "headphones", "wireless charging"),
    ],
)
def test_a_value_that_could_mean_something_else_goes_with_its_attribute(
    attribute: str, value: str, kind: str, said: str
) -> None:
    (phrase,) = spoken(attribute, value, kind)
    assert f"{phrase.before}{phrase.after}" == said


@pytest.mark.parametrize(
    ("attribute", "value", "kind"), [("weight", "500 g", "pasta"), ("size", "50 ml", "moisturiser")]
)
def test_a_size_needs_no_name(attribute: str, value: str, kind: str) -> None:
    assert [phrase.before for phrase in spoken(attribute, value, kind)] == [value]


def test_what_is_denied_is_said_as_what_is_wanted() -> None:
    assert [phrase.quality for phrase in spoken("toe", "soft", "work shoes")] == ["soft toe"]


@pytest.mark.parametrize("attribute", ["connector_s_", "i_o_ports"])
def test_a_name_that_nobody_says_gives_no_query(attribute: str) -> None:
    assert spoken(attribute, "3.5 mm", "portable speaker") == []


def test_a_panel_is_spoken_of_where_there_is_a_screen() -> None:
    assert [phrase.before for phrase in spoken("panel_type", "ips", "monitor")] == ["ips"]
    assert spoken("panel_type", "ips", "solid state drive") == []
