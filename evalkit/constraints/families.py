"""Queries that share no constraint: a family is in one split only, and in one part only.

A family is what a query is about: a kind of product and an excluded value, a need, or a kind and
the brand that is referred to, whichever of its products. A query can be of several (two
exclusions). Each family is drawn to a split by a hash of its name and the seed, so that it falls
alike in every catalogue and every week; a query whose families fall apart would leak either way and
belongs to no split.

In tables the families of a query stand joined in one column; see `join_families`.

Splits divide training queries into those that are learnt from and those that stop the learning.
Parts keep what is trained on from what is reported. They are drawn with a seed that nobody sets, so
that two commands never draw them differently, whatever their seeds.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalkit.constraints.structure import Condition, Structure

__all__ = [
    "FAMILIES",
    "PARTS",
    "Part",
    "Split",
    "drawn",
    "families",
    "join_families",
    "part_of",
    "split_families",
    "split_of",
]

FAMILIES = 3  # raised when a query may be of other families, for manifests

Split = Literal["train", "dev", "none"]
Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
_JOINED = " & "
_PART_SEED = "part"  # no number that somebody may give as the seed of a split


def families(structure: Structure, stated: str = "") -> tuple[str, ...]:
    """Name the families of a query, sorted.

    Args:
        structure: what it asks for.
        stated: the family that the queries table states; of a need it is taken, since one need is
            said in several ways.

    Example:
        >>> from evalkit.constraints import Condition, Structure
        >>> both = (Condition("material", ("leather", "wool")),)
        >>> families(Structure("negative", ("jacket",), excluded=both))
        ('negative|jacket|material=leather', 'negative|jacket|material=wool')
    """
    kinds = structure.kinds or ("",)
    found: set[str] = set()
    for condition in structure.excluded:
        found |= {f"negative|{kind}|{said}" for kind in kinds for said in _said(condition)}
    if structure.reference is not None:
        reference = structure.reference
        named = reference.brand or reference.product_id or reference.text
        found |= {f"reference|{kind}|{named.lower()}" for kind in kinds}
    if structure.need is not None:
        found.add(stated if stated.startswith("need|") else f"need|{structure.need}")
    if not found:
        found = {
            f"general|{kind}|{said}"
            for kind in kinds
            for condition in structure.required
            for said in _said(condition)
        } or {f"general|{kind}|" for kind in kinds}
    return tuple(sorted(name.replace(_JOINED, " and ") for name in found))


def join_families(names: Iterable[str]) -> str:
    """Return families as they stand in the column `family` of tables."""
    return _JOINED.join(names)


def split_families(stated: str) -> tuple[str, ...]:
    """Return the families that the column `family` states.

    Example:
        >>> split_families(join_families(["negative|hat|hood=", "need|rain"]))
        ('negative|hat|hood=', 'need|rain')
    """
    return tuple(stated.split(_JOINED)) if stated else ()


def split_of(names: Iterable[str], *, dev_share: float, seed: int | str) -> Split:
    """Return the split of a query with these families; `none` when they fall apart.

    Args:
        names: its families.
        dev_share: share of the families that are for development, 0 to 1.
        seed: of the draw.
    """
    held_back = {_drawn(name, seed) < dev_share for name in names}
    if len(held_back) != 1:
        return "none"
    return "dev" if held_back.pop() else "train"


def part_of(names: Iterable[str], test_share: float) -> Part | Literal["none"]:
    """Return the part of a query with these families; `none` when they fall apart.

    Args:
        names: its families.
        test_share: share of the families whose queries are reported, 0 to 1.

    Example:
        >>> part_of(["negative|jacket|material=leather"], 0.4)
        'train'
    """
    reported = {drawn(name) < test_share for name in names}
    if len(reported) != 1:
        return "none"
    return "test" if reported.pop() else "train"


def drawn(name: str) -> float:
    """Return the number of 0 to 1 by which a family or a wording falls into a part.

    It depends on nothing but the name.
    """
    return _drawn(name, _PART_SEED)


def _said(condition: Condition) -> list[str]:
    return [f"{condition.attribute or ''}={value}" for value in condition.values or ("",)]


def _drawn(name: str, seed: int | str) -> float:
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
