"""Our small validator against the package jsonschema, and JSON found in what models say."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import SettingsError
from evalkit.llm.json_schema import check_schema, is_strict, problem_of, read_json

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "a", "b", ""])
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


SCHEMAS = st.recursive(
    of(type=TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True))
    | of(enum=st.lists(SCALARS, min_size=1, max_size=3))
    | of(minimum=st.integers(-2, 2), maximum=st.integers(-2, 2)),
    lambda inner: (
        of(
            type=TYPES,
            properties=st.dictionaries(NAMES, inner, max_size=3),
            required=st.lists(NAMES, max_size=2, unique=True),
            additionalProperties=st.just(False),
        )
        | of(type=TYPES, items=inner, minItems=st.integers(0, 2), maxItems=st.integers(0, 3))
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(VALUES, SCHEMAS)
def test_the_verdict_is_that_of_the_package(value: Any, schema: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    check_schema(schema)
    right = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (problem_of(value, schema) == "") is right


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"oneOf": []}, "the schema has oneOf, which evalkit does not check"),
        ({"properties": {"a": {"pattern": "x"}}}, "the schema.a has pattern"),
        ({"items": {"type": "text"}}, "the type 'text', which does not exist"),
        ({"additionalProperties": {"type": "string"}}, "can only be false"),
        ({"minItems": "2"}, "minItems of the schema is not a number"),
        ([], "the schema is not an object"),
    ],
)
def test_a_schema_that_cannot_be_checked_in_full_is_refused(schema: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check_schema(schema)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (" [1, 2]\n", [1, 2]),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Sure {thing}! Here: {"a": {"b": "}"}} Enjoy.', {"a": {"b": "}"}}),
        ("3", 3),
    ],
)
def test_json_is_found_among_words(text: str, value: Any) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize(
    "text", ["", "no", '{"a": 1', "{'a': 1}", '{"a": NaN}', "[" * 100_000, "{" * 100_000]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|nested"):
        read_json(text)


def test_only_a_schema_that_lists_everything_is_strict() -> None:
    inner = {"type": "object", "properties": {"a": {}}, "required": ["a"]}
    assert not is_strict(inner)
    assert is_strict({**inner, "additionalProperties": False})
    assert not is_strict({"type": "array", "items": inner})
    assert not is_strict({**inner, "required": [], "additionalProperties": False})
