"""How many products of each kind state each value, and how useful each attribute is for it.

Only counts, over all products at once; what they mean to a reader stands in
`evalkit.knowledge.graph`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evalkit.knowledge.catalogue import Catalogue

__all__ = ["LONG", "Counts", "count_statements"]

LONG = 40  # characters; a longer text is a description, not a value

# Attributes that no customer searches by, whatever they state.
_USELESS = re.compile(
    r"(^|_)(package|packaging|pallet|master|cartons?|shipping|ean|humidity|altitude|shock|"
    r"vibration|imperial|dimensions|customs|tare|storage_temperature|operating_temperature|gtin|"
    r"upc|mpn|sku|asin|isbn|barcode|hs_code|harmonized|harmonised|tariff|commodity|part_number|"
    r"article_number|model_number|model|serial|url|link|image|warranty_card|quantity_per|id|"
    r"country_of_origin|date|certificat\w*|certification|layer|logistics?)(_|$)"
)


@dataclass(frozen=True, eq=False)
class Counts:
    """Statements by kind and attribute; a key is the kind's number · attributes + the attribute's.

    Attributes:
        key: of each distinct (kind, attribute, value), ascending, int64[statements].
        value: index of the attribute's values, the most frequent first within a key.
        count: products of the kind that state it.
        usage_key: the distinct keys, ascending, int64[usages].
        stated: products of the kind that state the attribute at all.
        usefulness: 0 to 1; see `evalkit.knowledge.graph.Graph.attributes`.
    """

    key: NDArray[np.int64]
    value: NDArray[np.int64]
    count: NDArray[np.int64]
    usage_key: NDArray[np.int64]
    stated: NDArray[np.int64]
    usefulness: NDArray[np.float64]


def count_statements(
    catalogue: Catalogue, names: Sequence[str], sizes: NDArray[np.int64]
) -> Counts:
    """Count what the products of each kind state.

    Args:
        catalogue: the products.
        names: its attributes; their place is their number.
        sizes: products of each kind.
    """
    product, attribute, value, askable = _statements(catalogue, names)
    known = catalogue.kind[product] >= 0
    product, value, askable = product[known], value[known], askable[known]
    key = catalogue.kind[product] * len(names) + attribute[known]
    order = np.lexsort((value, key))
    key, value, askable, product = key[order], value[order], askable[order], product[order]
    new = np.r_[True, (key[1:] != key[:-1]) | (value[1:] != value[:-1])][: len(key)]
    starts = np.flatnonzero(new)
    count = np.diff(np.r_[starts, len(key)]).astype(np.int64)
    usage_key, first = np.unique(key[starts], return_index=True)
    distinct = np.unique(key * len(catalogue) + product) // max(len(catalogue), 1)
    stated = np.bincount(np.searchsorted(usage_key, distinct), minlength=len(usage_key))
    usefulness = np.zeros(len(usage_key))
    if len(usage_key):
        total = np.add.reduceat(count, first)
        squares = np.add.reduceat(count.astype(np.float64) ** 2, first)
        common = np.where(count > 1, count * askable[starts], 0.0)
        useless = np.array([bool(_USELESS.search(name)) for name in names])
        usefulness = np.where(
            useless[usage_key % len(names)] | (stated < 2),
            0.0,
            stated
            / sizes[usage_key // len(names)]
            * (1.0 - squares / total.astype(np.float64) ** 2)
            * (np.add.reduceat(common, first) / total),
        )
    order = np.lexsort((value[starts], -count, key[starts]))
    return Counts(
        key[starts][order],
        value[starts][order],
        count[order],
        usage_key,
        stated.astype(np.int64),
        usefulness,
    )


def _statements(
    catalogue: Catalogue, names: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return product, attribute, value and how well it can be asked for, of every statement."""
    empty = np.zeros(0, dtype=np.int64)
    found = [catalogue.attributes[name] for name in names]
    lengths = np.array([len(attribute.product) for attribute in found], dtype=np.int64)
    # A bare number without its unit is hard to ask for.
    askable = [
        (
            np.array([len(value) <= LONG for value in attribute.values], dtype=np.float64)
            * np.where(np.isnan(attribute.number), 1.0, 0.5)
        )[attribute.value]
        for attribute in found
    ]
    return (
        np.concatenate([empty, *(attribute.product for attribute in found)]),
        np.repeat(np.arange(len(found), dtype=np.int64), lengths),
        np.concatenate([empty, *(attribute.value for attribute in found)]),
        np.concatenate([np.zeros(0), *askable]),
    )
