"""Figures as text: shares in points, intervals, p values, counts.

Rounded for reading. Every table and page writes a figure in the same way, and so nowhere stands
a minus zero, a hyphen for a minus, or a share rounded up to all.
"""

from __future__ import annotations

import math

from evalkit.reports.terminal import plain

__all__ = [
    "MISSING",
    "coefficient",
    "coefficients",
    "count",
    "fixed",
    "interval",
    "p_value",
    "points",
    "price",
    "range_text",
    "ratio",
    "share",
    "signed",
    "signed_number",
]

MISSING = "–"
"""Stands for a number that does not exist."""


def points(value: float | None, digits: int = 2) -> str:
    """A share in points (x100); a number that does not exist is a dash.

    Example:
        >>> points(4 / 9), points(None)
        ('44.44', '–')
    """
    return MISSING if value is None else fixed(100 * value, digits)


def signed(value: float | None, digits: int = 2) -> str:
    """A difference in points with its sign; nothing and what rounds to nothing have none.

    Example:
        >>> signed(0.1010), signed(-0.25), signed(-1e-9)
        ('+10.10', '−25.00', '0.00')
    """
    if value is None:
        return MISSING
    text = fixed(100 * value, digits)
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"


def interval(low: float | None, high: float | None, *, sign: bool = True, digits: int = 2) -> str:
    """A 95% interval in points.

    Example:
        >>> interval(-0.012, 0.034)
        '[−1.20, +3.40]'
    """
    if low is None or high is None:
        return MISSING
    write = signed if sign else points
    return f"[{write(low, digits)}, {write(high, digits)}]"


def range_text(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """A range that holds for certain (bounds), unlike an interval; one number where it is one.

    Example:
        >>> range_text(0.4, 0.5), range_text(0.5, 0.5)
        ('40.00…50.00', '50.00')
    """
    if low is None or high is None:
        return MISSING
    write = signed if sign else points
    ends = dict.fromkeys((write(low), write(high)))
    return (" … " if sign else "…").join(ends)


def share(value: float | None) -> str:
    """A share of items in percent with one decimal, never rounded up to 100.

    Example:
        >>> share(8 / 9), share(0.9999)
        ('88.9', '99.9')
    """
    if value is None:
        return MISSING
    shown = fixed(100 * value, 1)
    return "99.9" if shown == "100.0" and value < 1 - 1e-12 else shown


def ratio(value: float | None) -> str:
    """A relative change in percent with its sign."""
    return MISSING if value is None else f"{signed(value, 1)}%"


def p_value(p: float | None) -> str:
    """A p value: four decimals, and `<0.0001` below what they can say."""
    if p is None:
        return MISSING
    return "<0.0001" if p < 0.00005 else f"{p:.4f}"


def coefficient(value: float | None, digits: int = 2) -> str:
    """A coefficient such as tau or kappa, which is no share.

    Example:
        >>> coefficient(0.5217), coefficient(-0.0001), coefficient(None)
        ('0.52', '0.00', '–')
    """
    return MISSING if value is None else fixed(value, digits)


def coefficients(low: float | None, high: float | None, digits: int = 2) -> str:
    """The interval of a coefficient."""
    if low is None or high is None:
        return MISSING
    return f"[{fixed(low, digits)}, {fixed(high, digits)}]"


def signed_number(value: float | None, digits: int = 2) -> str:
    """A number with its sign, such as a mean vote; nothing and what rounds to nothing have none.

    Example:
        >>> signed_number(0.667), signed_number(-1), signed_number(0.001)
        ('+0.67', '−1.00', '0.00')
    """
    if value is None:
        return MISSING
    text = fixed(value, digits)
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"


def count(value: float | None) -> str:
    """A whole number with separators; weights may make it fractional."""
    if value is None:
        return MISSING
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.2f}"


def price(value: object) -> str:
    """A price as a shop writes it: cents where it is a fraction, text as it is, nothing for none.

    Example:
        >>> price(17.9), price(68), price("from 5"), price(None)
        ('17.90', '68', 'from 5', '')
    """
    if value is None:
        return ""
    return fixed(value, 2) if isinstance(value, float) else plain(value)


def fixed(value: float, digits: int) -> str:
    """Fixed decimals with a real minus sign, and no sign on a zero."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    if text.startswith("-"):
        text = text[1:] if not text.strip("-0.") else f"−{text[1:]}"
    return text
