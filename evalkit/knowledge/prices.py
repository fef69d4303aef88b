"""Prices as catalogues write them: 19.99, "$1,299.00", "19,99 €", {"value": 3}."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalkit.progress import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["price_sql", "usable_prices"]

_AMOUNTS = ("value", "amount", "price")
# Currencies and spaces go, and the apostrophes of 1'299.
_NOISE = r"(?i)usd|eur|gbp|chf|cad|aud|[$€£¥''’\s]"
# How a number may be written, and the SQL that writes it plainly; the first that fits. "1.299" is
# a little over one, "1,299" is over a thousand.
_FORMS = (
    (r"\d{1,3}(,\d{3})+(\.\d+)?", "replace(plain, ',', '')"),
    (r"\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}", "replace(replace(plain, '.', ''), ',', '.')"),
    (r"\d+,\d{1,2}", "replace(plain, ',', '.')"),
)


def price_sql(column: str, kind: str) -> str:
    """Return the SQL of a price as a number; NULL where it cannot be read.

    Args:
        column: the column's name, quoted.
        kind: its type in DuckDB.
    """
    if kind in ("DOUBLE", "FLOAT") or kind.endswith("INT") or kind in ("INTEGER", "BIGINT"):
        return f"CAST({column} AS DOUBLE)"
    document = (
        f"CASE WHEN json_type(to_json({column})) = 'VARCHAR' AND starts_with(to_json({column}) ->> "
        f"'$', '{{') AND json_valid(to_json({column}) ->> '$') "
        f"THEN CAST(to_json({column}) ->> '$' AS JSON) ELSE to_json({column}) END"
    )
    inside = ", ".join(f"document ->> '$.{name}'" for name in _AMOUNTS)
    text = (
        f"list_transform([{document}], lambda document: CASE WHEN json_type(document) = 'OBJECT' "
        f"THEN coalesce({inside}) ELSE document ->> '$' END)[1]"
    )
    plain = f"regexp_replace({text}, '{_NOISE}', '', 'g')"
    forms = " ".join(
        f"WHEN regexp_full_match(plain, '{form}') THEN {written}" for form, written in _FORMS
    )
    return (
        f"list_transform([{plain}], lambda plain: "
        f"TRY_CAST(CASE {forms} ELSE plain END AS DOUBLE))[1]"
    )


def usable_prices(
    prices: NDArray[np.float64], stated: NDArray[np.bool_], path: str
) -> NDArray[np.float64]:
    """Return prices above 0, the rest NaN; tell the user what could not be read.

    Shops write 0 where they do not know the price. Taken as it stands, it would be below every
    limit, so that a product of 0 is one of unknown price.

    Args:
        prices: as read, NaN where they could not be, float64[n].
        stated: where the catalogue has something in place of the price, bool[n].
        path: the catalogue, for the message.
    """
    unread = int((stated & ~np.isfinite(prices)).sum())
    if unread:
        say(
            f"Warning: {unread:,} of {int(stated.sum()):,} prices in {path} could not be read, and "
            "count as unknown; write them as numbers."
        )
    free = int((stated & np.isfinite(prices) & (prices <= 0)).sum())
    if free:
        say(
            f"Warning: {free:,} of {int(stated.sum()):,} prices in {path} are 0 or less, and count "
            "as unknown."
        )
    return np.where(np.isfinite(prices) & (prices > 0), prices, np.nan)
