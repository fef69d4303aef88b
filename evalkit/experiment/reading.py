"""Strict reading of YAML: variables are filled in, and every section becomes a frozen dataclass.

A section is described by the fields of its dataclass and their types. A key that is not among them
is refused, and so is a value of another type, with the file, the place in it and what is allowed.
In a mapping of named sections, `like: NAME` takes over what the section of that name says.
"""

from __future__ import annotations

import os
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import (
    Any,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from evalkit.errors import InputError, Problem, SettingsError

__all__ = ["ModelName", "Reader", "read_values", "read_yaml"]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]*")
_NUMBERS = (int, float)
_Section = TypeVar("_Section")


class ModelName(str):
    """A model by hub id, or the path of its folder."""

    __slots__ = ()


class _Filled(str):
    """A text with a variable in it, which may stand for a number."""

    __slots__ = ()


def read_yaml(path: str | os.PathLike[str], variables: Mapping[str, str]) -> dict[str, Any]:
    """Read a YAML file that is a mapping, and fill in its variables.

    `${NAME}` is what `variables` say, else the environment, else the default in the file's own
    section `variables`, which is not returned. Only values are filled in, no keys.

    Args:
        path: the file.
        variables: what the user has set.

    Raises:
        InputError: it cannot be read, a key stands twice, or a variable has no value.
        SettingsError: the user has set a variable that the file does not know.
    """
    filled, values, defaults = _read(os.fspath(path), variables)
    strange = sorted(variables.keys() - values.keys() - defaults.keys())
    if strange:
        there = ", ".join(sorted(values.keys() | defaults.keys())) or "none"
        raise SettingsError(
            f"--set {strange[0]}: {os.fspath(path)} has no variable ${{{strange[0]}}}; "
            f"it has: {there}."
        )
    return filled


def read_values(
    path: str | os.PathLike[str], variables: Mapping[str, str]
) -> dict[str, tuple[str, str | None]]:
    """Return what each variable that a file uses stands for, and its default or None, by name.

    Args:
        path: the file.
        variables: what the user has set.

    Raises:
        InputError: it cannot be read, or a variable has no value.
    """
    _, values, defaults = _read(os.fspath(path), variables)
    return {name: (value, defaults.get(name)) for name, value in sorted(values.items())}


def _read(
    name: str, variables: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Return a file with its variables filled in, the values of those, and all defaults."""
    document = _parse(name)
    if not isinstance(document, dict):
        raise InputError(
            name,
            [Problem("is not a mapping of names to values")],
            remedy="experiments/sample.yaml shows one.",
        )
    defaults = document.pop("variables", None) or {}
    if not isinstance(defaults, dict):
        raise InputError(
            name,
            [Problem("variables: is not a mapping of names to values")],
            remedy="Write NAME: DEFAULT, one a line.",
        )
    used: set[str] = set()
    usual = {str(key): str(value) for key, value in defaults.items()}
    known = {**usual, **os.environ, **variables}
    filled = {key: _fill(value, known, used, name, str(key)) for key, value in document.items()}
    return filled, {key: known[key] for key in used}, usual


def _parse(name: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that stands twice, of which YAML would take the last."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise InputError(
                        name,
                        [Problem(f"the key {key.value} stands twice", row=key.start_mark.line + 1)],
                        remedy="Keep one of them.",
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        with open(name, encoding="utf-8") as stream:
            return yaml.load(stream, Loader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            name,
            [Problem(f"cannot be read ({reason})")],
            remedy='It must be a YAML file, with variables in braces in quotes: {file: "${NAME}"}.',
        ) from error


def _fill(value: Any, known: Mapping[str, str], used: set[str], file: str, where: str) -> Any:
    if isinstance(value, dict):
        return {
            key: _fill(item, known, used, file, f"{where}.{key}") for key, item in value.items()
        }
    if isinstance(value, list):
        return [_fill(item, known, used, file, where) for item in value]
    if not isinstance(value, str) or not (names := _VARIABLE.findall(value)):
        return value
    used.update(names)
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(
            file,
            [Problem(f"{where}: the variable ${{{missing[0]}}} has no value")],
            remedy=f"Give it with --set {missing[0]}=VALUE, or in the environment.",
        )
    return _Filled(_VARIABLE.sub(lambda found: known[found[1]], value))


@dataclass(frozen=True)
class Reader:
    """Makes dataclasses of what a YAML file says.

    Attributes:
        file: the file, for messages; paths in it are relative to its folder.
    """

    file: str

    def section(self, kind: type[_Section], raw: Any, where: str = "") -> _Section:
        """Make one dataclass.

        Args:
            kind: the dataclass.
            raw: what the file says; None is an empty section.
            where: the section's place in the file, for messages.

        Raises:
            InputError: a key is unknown or missing, or a value is of another type.
        """
        raw = {} if raw is None else raw
        if not isinstance(raw, dict):
            self.refuse(where, "is not a mapping of names to values", self._keys(kind))
        known = {each.name: each for each in fields(cast("Any", kind))}
        unknown = [key for key in raw if key not in known]
        if unknown:
            self.refuse(_below(where, unknown[0]), "there is no such key", self._keys(kind))
        types_ = get_type_hints(kind)
        values = {
            key: self._value(types_[key], value, _below(where, key)) for key, value in raw.items()
        }
        missing = [
            name
            for name, each in known.items()
            if each.default is MISSING and each.default_factory is MISSING and name not in values
        ]
        if missing:
            self.refuse(_below(where, missing[0]), "is missing", self._keys(kind))
        try:
            return kind(**values)
        except (ValueError, SettingsError) as error:
            self.refuse(where, str(error).rstrip("."))

    def refuse(self, where: str, problem: str, remedy: str = "") -> NoReturn:
        """Say what is wrong at a place of the file.

        Raises:
            InputError: always.
        """
        text = f"{where}: {problem}" if where else problem
        raise InputError(self.file, [Problem(text)], remedy=remedy or "Correct it.")

    def _keys(self, kind: type[Any]) -> str:
        return f"Allowed are {', '.join(each.name for each in fields(kind))}."

    def _value(self, kind: Any, value: Any, where: str) -> Any:
        """Return a value as the type of its field."""
        origin, inner = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            if value is None and type(None) in inner:
                return None
            kind = next(each for each in inner if each is not type(None))
            return self._value(kind, value, where)
        if origin is Literal:
            if value not in inner:
                self.refuse(where, f"{value!r} is not allowed", f"Allowed are {_listed(inner)}.")
            return value
        if origin is tuple:
            listed = value if isinstance(value, list) else [value]
            return tuple(self._value(inner[0], item, where) for item in listed)
        if origin is Mapping:
            return self._mapping(inner[1], value, where)
        if is_dataclass(kind):
            return self.section(cast("type[Any]", kind), value, where)
        return self._plain(kind, value, where)

    def _mapping(self, kind: Any, value: Any, where: str) -> dict[str, Any]:
        value = {} if value is None else value
        if not isinstance(value, dict):
            self.refuse(where, "is not a mapping of names to values")
        if not is_dataclass(kind):
            return {
                str(key): self._value(kind, item, _below(where, key)) for key, item in value.items()
            }
        for name in value:
            if not _NAME.fullmatch(str(name)):
                self.refuse(_below(where, name), "is no name", "Names are letters, digits, _ and .")
        return {
            str(name): self._value(kind, self._like(value, name, where), _below(where, name))
            for name in value
        }

    def _like(self, sections: Mapping[Any, Any], name: Any, where: str) -> Any:
        """Return a section with what it takes over from others by `like`."""
        found: dict[str, Any] = {}
        seen = [name]
        section = sections[name]
        while isinstance(section, dict):
            found = _over({key: each for key, each in section.items() if key != "like"}, found)
            other = section.get("like")
            if other is None:
                return found
            place = _below(_below(where, seen[-1]), "like")
            if other not in sections:
                self.refuse(place, f"there is no {other}", f"There are {_listed(sections)}.")
            if other in seen:
                self.refuse(place, f"{other} is like itself", "Name another section.")
            seen.append(other)
            section = sections[other]
        return section if len(seen) == 1 else found

    def _plain(self, kind: Any, value: Any, where: str) -> Any:
        if kind in _NUMBERS:
            if isinstance(value, _Filled):
                value = _number(value)
            fitting = int if kind is int else _NUMBERS
            if isinstance(value, fitting) and not isinstance(value, bool):
                return kind(value)
            self.refuse(where, f"{value!r} is not a {'whole ' if kind is int else ''}number")
        if kind is bool:
            value = {"true": True, "false": False}.get(value, value) if _filled(value) else value
            if not isinstance(value, bool):
                self.refuse(where, f"{value!r} is neither true nor false")
            return value
        if not isinstance(value, str) or not value:
            self.refuse(where, f"{value!r} is not a text")
        place = Path(os.path.normpath(Path(self.file).parent / Path(value).expanduser()))
        if kind is Path:
            return place
        if kind is ModelName:
            return ModelName(str(place) if place.is_dir() else value)
        return str(value)


def _over(under: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, the upper one where they disagree; settings are taken over one by one."""
    both = {**under, **upper}
    for key in under.keys() & upper.keys():
        if isinstance(under[key], dict) and isinstance(upper[key], dict):
            both[key] = _over(under[key], upper[key])
    return both


def _below(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))


def _filled(value: Any) -> bool:
    return isinstance(value, _Filled)


def _number(text: str) -> int | float | str:
    for kind in _NUMBERS:
        try:
            return kind(text)
        except ValueError:
            continue
    return text
