"""Training and development queries that share no constraint: a family is in one split only.

A family is what a query is about: a kind of product and an excluded value, a need, or a kind and
the brand that is referred to, whichever of its products. A query can be of several (two
exclusions). Each family is drawn to a split by a hash of its name and the seed, so that it falls
alike in every catalogue and every week; a query whose families fall apart would leak either way and
belongs to no split.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalkit.constraints import Condition, Structure

__all__ = ["FAMILIES", "Split", "families", "split_of"]

FAMILIES = 3  # raised when a query may be of other families, for manifests

Split = Literal["train", "dev", "none"]


def families(structure: Structure, stated: str = "") -> tuple[str, ...]:
    """Name the families of a query, sorted; none has " & " in it, which joins them in tables.

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
    return tuple(sorted(name.replace(" & ", " and ") for name in found))


def split_of(names: Iterable[str], *, dev_share: float, seed: int) -> Split:
    """Return the split of a query with these families; `none` when they fall apart.

    Args:
        names: its families.
        dev_share: share of the families that are for development, 0 to 1.
        seed: of the draw.
    """
    drawn = {_drawn(name, seed) < dev_share for name in names}
    if len(drawn) != 1:
        return "none"
    return "dev" if drawn.pop() else "train"


def _said(condition: Condition) -> list[str]:
    return [f"{condition.attribute or ''}={value}" for value in condition.values or ("",)]


def _drawn(name: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
