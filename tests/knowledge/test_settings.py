"""The YAML file of a catalogue's settings, and what is wrong with it."""

from pathlib import Path

import pytest

from evalkit.errors import InputError
from evalkit.knowledge import CatalogueSettings, read_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.yaml"


def test_no_file_and_an_empty_file_are_the_defaults(file: Path) -> None:
    file.write_text("")
    assert read_settings(None) == CatalogueSettings()
    assert read_settings(file) == CatalogueSettings()


def test_everything_is_read(file: Path) -> None:
    file.write_text(
        "fields: {kind: category, price: price_cents}\n"
        "price_scale: 0.01\n"
        "attributes:\n"
        "  columns: [colour]\n"
        "  strip: [t_]\n"
        "  ignore: [weight]\n"
        "  same: {colour: [shade, tint]}\n"
        "brand_tiers: {Vantrel: luxury}\n"
        "tier_quantiles: [0.2, 0.5, 0.8]\n"
    )
    assert read_settings(file) == CatalogueSettings(
        {"kind": "category", "price": "price_cents"},
        0.01,
        ("colour",),
        ("t_",),
        ("weight",),
        {"colour": ("shade", "tint")},
        {"Vantrel": "luxury"},
        (0.2, 0.5, 0.8),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a, b]", "not a mapping"),
        ("colours: [a]", "colours is unknown; known are attributes, brand_tiers"),
        ("fields: {size: s}", "fields.size is unknown"),
        ("fields: [price]", "fields is not a mapping"),
        ("attributes: {drop: [a]}", "attributes.drop is unknown"),
        ("attributes: {strip: t_}", "attributes.strip must be a list"),
        ("attributes: {same: {colour: shade}}", "attributes.same.colour must be a list"),
        ("brand_tiers: {A: cheap}", "'cheap' is not one of budget, mid, premium, luxury"),
        ("price_scale: free", "price_scale is 'free'"),
        ("price_scale: 0", "a number above 0"),
        ("tier_quantiles: [0.5, 0.4, 0.9]", "three rising numbers"),
        ("tier_quantiles: 0.5", "three rising numbers"),
        ("tier_quantiles: [10, 20, 30]", "between 0 and 1"),
        ("fields: {a: [}", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_file_and_remedy(
    file: Path, text: str, message: str
) -> None:
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_settings(file)
    said = str(caught.value)
    assert message in said
    assert said.startswith(str(file))
    assert "\n" not in said
    assert caught.value.remedy


def test_a_file_that_is_not_there_is_an_input_error(file: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_settings(file)
