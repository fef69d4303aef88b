"""JSON in a model's answer: find it, check it against a schema, say what is wrong with it.

A small part of JSON Schema is known, the part that servers with structured output know as well:
type (one or several), properties, required, additionalProperties (false), items, enum, minItems,
maxItems, minimum, maximum. A schema with anything else is refused, so that nothing is silently
not checked. The package jsonschema would do it too; it brings three more packages, one of them
compiled, and its messages are not sentences that a small model can mend its answer by.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from evalkit.errors import SettingsError
from evalkit.llm.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["check_schema", "is_strict", "problem_of", "read_json", "repair", "with_schema"]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_LISTED = {"enum", "required"}
_COUNTED = {"minItems", "maxItems"}
_MEASURED = {"minimum", "maximum"}
_KNOWN = (
    {"type", "properties", "additionalProperties", "items", "title", "description"}
    | _LISTED
    | _COUNTED
    | _MEASURED
)


_BEGINS = 20  # braces tried as the begin of an answer's JSON


def check_schema(schema: Any, where: str = "the schema") -> None:
    """Refuse a schema that could not be checked in full.

    Raises:
        SettingsError: says what is not known, and where.
    """
    if not isinstance(schema, dict):
        raise SettingsError(f"{where} is not an object")
    unknown = sorted(schema.keys() - _KNOWN)
    if unknown:
        raise SettingsError(f"{where} has {', '.join(unknown)}, which evalkit does not check")
    for name in _types(schema):
        if name not in _TYPES:
            raise SettingsError(f"{where} has the type {name!r}, which does not exist")
    for name in _LISTED & schema.keys():
        if not isinstance(schema[name], list):
            raise SettingsError(f"{name} of {where} is not a list")
    for name in (_COUNTED | _MEASURED) & schema.keys():
        if isinstance(schema[name], bool) or not isinstance(schema[name], int | float):
            raise SettingsError(f"{name} of {where} is not a number")
    if schema.get("additionalProperties", False) is not False:
        raise SettingsError(f"additionalProperties of {where} can only be false")
    for name, inner in (schema.get("properties") or {}).items():
        check_schema(inner, f"{where}.{name}")
    if "items" in schema:
        check_schema(schema["items"], f"{where}[]")


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Tell whether servers accept the schema as a strict one: every object lists all it has."""
    inner = [*(schema.get("properties") or {}).values()]
    inner += [schema["items"]] if "items" in schema else []
    if "object" in _types(schema):
        named = set(schema.get("properties") or {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != (
            named
        ):
            return False
    return all(is_strict(item) for item in inner)


def problem_of(value: Any, schema: Mapping[str, Any], where: str = "the answer") -> str:
    """Return the first thing that is wrong with a value, as a sentence without a full stop, or "".

    Example:
        >>> schema = {"type": "object", "required": ["grade"],
        ...           "properties": {"grade": {"enum": [0, 1, 2]}}}
        >>> problem_of({"grade": 1}, schema)
        ''
        >>> problem_of({"grade": "two"}, schema)
        'the answer.grade is "two"; it must be one of 0, 1, 2'
        >>> problem_of({}, schema)
        'the answer lacks "grade"'
    """
    types = _types(schema)
    if types and not any(_is(value, name) for name in types):
        return f"{where} is {_shown(value)}; it must be {' or '.join(map(_article, types))}"
    # 1 == True and 1 == 1.0 in Python; JSON's true is not 1.
    if "enum" in schema and not any(
        value == item and isinstance(value, bool) == isinstance(item, bool)
        for item in schema["enum"]
    ):
        choices = ", ".join(json.dumps(item, ensure_ascii=False) for item in schema["enum"])
        return f"{where} is {_shown(value)}; it must be one of {choices}"
    if isinstance(value, dict):
        return _problem_of_object(value, schema, where)
    if isinstance(value, list):
        return _problem_of_list(value, schema, where)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", -math.inf):
            return f"{where} is {value}; it must be at least {schema['minimum']}"
        if value > schema.get("maximum", math.inf):
            return f"{where} is {value}; it must be at most {schema['maximum']}"
    return ""


def read_json(text: str) -> Any:
    """Return the JSON value of an answer; a code fence and words around it are left out.

    Raises:
        ValueError: there is none.

    Example:
        >>> read_json('Sure [as asked]: {"grade": 2} Anything else?')
        {'grade': 2}
    """
    decoder = json.JSONDecoder(parse_constant=_refuse)
    stripped = text.strip()
    try:
        return decoder.decode(stripped)
    except ValueError as error:
        first = error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    begins = [match.start() for match in re.finditer(r"[{\[]", stripped)][:_BEGINS]
    if not begins:
        raise ValueError("there is no JSON in it") from first
    for begin in begins:
        try:
            return decoder.raw_decode(stripped, begin)[0]
        except (ValueError, RecursionError):
            continue
    raise ValueError(f"its JSON is broken ({first})") from first


def with_schema(messages: Sequence[Message], schema: Mapping[str, Any]) -> tuple[Message, ...]:
    """Ask for JSON in words, for models without structured output."""
    wish = (
        "Answer with JSON only, without any other words. It must fulfil this JSON schema:\n"
        + json.dumps(schema, ensure_ascii=False)
    )
    *before, last = messages
    return (*before, Message(last.role, f"{last.content}\n\n{wish}"))


def repair(
    messages: Sequence[Message], answer: str, problem: str, schema: Mapping[str, Any]
) -> tuple[Message, ...]:
    """Show a model its own invalid answer and what is wrong with it."""
    wish = (
        f"That cannot be used: {problem}. Answer again, with JSON only. It must fulfil this JSON "
        f"schema:\n{json.dumps(schema, ensure_ascii=False)}"
    )
    return (*messages, Message("assistant", answer), Message("user", wish))


def _problem_of_object(value: dict[str, Any], schema: Mapping[str, Any], where: str) -> str:
    properties = schema.get("properties") or {}
    for name in schema.get("required", ()):
        if name not in value:
            return f'{where} lacks "{name}"'
    if schema.get("additionalProperties") is False:
        for name in value:
            if name not in properties:
                return f"{where} has {_shown(name)}, which must not be there"
    for name, inner in properties.items():
        problem = problem_of(value[name], inner, f"{where}.{name}") if name in value else ""
        if problem:
            return problem
    return ""


def _problem_of_list(value: list[Any], schema: Mapping[str, Any], where: str) -> str:
    if len(value) < schema.get("minItems", 0):
        return f"{where} has {len(value)} items; it must have at least {schema['minItems']}"
    if len(value) > schema.get("maxItems", math.inf):
        return f"{where} has {len(value)} items; it must have at most {schema['maxItems']}"
    for place, item in enumerate(value):
        problem = problem_of(item, schema.get("items") or {}, f"{where}[{place}]")
        if problem:
            return problem
    return ""


def _types(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("type")
    if found is None:
        return []
    return [str(item) for item in found] if isinstance(found, list) else [str(found)]


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):  # bool is an int in Python
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _article(name: str) -> str:
    if name == "null":
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
