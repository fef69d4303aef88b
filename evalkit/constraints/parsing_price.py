"""What a query says about the price: limits, shares of another price, and "free".

A number is a price where it has a currency, or where a word of price stands before or after it and
no unit follows ("under 30", not "under 30 inches"). A point or comma followed by exactly three
digits groups them, else it is the decimal point: 1.000 and 1,000 are a thousand, 100,50 and 100.50
a hundred and a half.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from evalkit.constraints.parsing_text import keys_of, plain
from evalkit.constraints.parsing_words import shop_words

__all__ = ["Prices", "find_prices"]

# never the beginning of a longer number: "under 2.5 inches" is not under 2
_NUMBER = r"(?P<{0}>\d+(?:[.,]\d{{3}}(?!\d))*(?:[.,]\d+)?)(?![.,]?\d)"
_GROUPING = re.compile(r"[.,](?=\d{3}(?!\d))")
_SIGN = r"(?:us)?[$€£]\s?"
_CURRENCY = r"(?:dollars?|dollers?|bucks?|usd|us\$|euros?|eur|quid|pounds?(?!\s+of)|gbp|[$€£])"
_BEFORE = (
    r"(?:(?:for |at |priced |price(?:s|d)? |costs? |costing |is |and )*"
    r"(?:under|below|beneath|less than|lower than|cheaper than|no more than|not more than|"
    r"not over|no higher than|up to|at most|at maximum|maximum of|maximum|max\.?|within|"
    r"smaller than|budget of|budget is|budget|(?:i'?m |am )?not paying|won'?t pay|"
    r"(?:do not|don'?t) want to (?:pay|spend)(?: more than| over)?|can spend|<=?))"
)
_ABOVE = r"(?:over|above|more than|at least|minimum of|minimum|min\.?|from|higher than|starting at)"
_MAX_AFTER = r"(?:max(?:imum)?|tops?|or (?:less|under|below|cheaper)|at most|limit|budget)\b"
_END = r"(?=\s*(?:$|[,.;!?)]|(?:and|or|with|for|but|please|in|that|if|to|which)\b))"
_SHARES = {
    "half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "tenth": 0.1, "fraction": 0.5,
    "two thirds": 2 / 3,
}  # fmt: skip
_SHARE = re.compile(
    r"(?:\b(?:for|at|but|only)\s+)*\b(?:(?:about |around )?(?:a |one |the )?"
    r"(?P<share>half|two thirds|third|quarter|fifth|tenth|fraction)"
    r"(?:\s+of)?\s+(?:the\s+|its\s+)?(?:price|cost|money)|(?P<percent>\d{1,2})\s?(?:%|percent)\s+of"
    r"\s+(?:the\s+)?(?:price|cost)|(?P<as>half)\s+as\s+(?:much|expensive))(?:\s+or\s+less)?\b"
)
_BETWEEN = re.compile(
    r"\b(?:between|from)\s+(?:" + _SIGN + r")?" + _NUMBER.format("low") + r"\s*"
    r"(?:" + _CURRENCY + r")?\s*(?:and|to|-)\s*(?P<sign>" + _SIGN + r")?"
    + _NUMBER.format("high") + r"\s*(?P<unit>" + _CURRENCY + r")?(?![\w.,]*\d)"
)  # fmt: skip
_RANGE = re.compile(
    r"(?<![\w.])" + _SIGN + _NUMBER.format("low") + r"\s*(?:-|to)\s*(?:" + _SIGN + r")?"
    + _NUMBER.format("high") + r"(?:\s*" + _CURRENCY + r")?\b"
)  # fmt: skip
_LIMIT = re.compile(
    r"(?<![\w.])(?P<cue>" + _BEFORE + r")\s*(?P<sign>" + _SIGN + r")?" + _NUMBER.format("number")
    + r"(?:\s*(?P<unit>" + _CURRENCY + r")(?!\w)|" + _END + r"|(?<=[.]00)|(?P<bare>))"
    + r"(?:\s*" + _MAX_AFTER + r")?"
)  # fmt: skip
_LEAST = re.compile(
    r"(?<!\w)(?:priced\s+|price\s+)?" + _ABOVE + r"\s*(?:(?P<sign>" + _SIGN + r")"
    + _NUMBER.format("number") + r"(?:\s*" + _CURRENCY + r")?|"
    + _NUMBER.format("other") + r"\s*" + _CURRENCY + r")(?!\w)"
)  # fmt: skip
_ALONE = re.compile(
    r"(?<![\w.])(?:(?:for|but|at|about|around|only)\s+)*(?:(?P<sign>" + _SIGN + r")"
    + _NUMBER.format("number") + r"(?:\s*" + _CURRENCY + r")?|" + _NUMBER.format("other")
    + r"\s*" + _CURRENCY + r")(?!\w)(?:\s*" + _MAX_AFTER + r")?"
)  # fmt: skip
_AFTER = re.compile(r"(?<![\w.$])" + _NUMBER.format("number") + r"\s+" + _MAX_AFTER)
_ASKED = re.compile(
    r"\b(?:similar|like\s+it|comparable|something|anything)\s+for\s+" + _NUMBER.format("number")
    + _END
)  # fmt: skip
_VALUE = re.compile(r"gift\s?cards?|gift certificate|voucher|\bbills?\b|play money")
_FREE = re.compile(r"(?<![\w-])free\s+(?:(?:amazon|prime|kindle|new|full|online)\s+)?(\w+)")


@dataclass(frozen=True)
class Prices:
    """What is said about the price.

    Attributes:
        highest: inclusive, or None.
        lowest: inclusive, or None.
        share: of a reference's price, or None.
        spans: where the query says so, by characters; first and after the last.
    """

    highest: float | None = None
    lowest: float | None = None
    share: float | None = None
    spans: tuple[tuple[int, int], ...] = ()


def find_prices(query: str) -> Prices:
    """Read the price clauses of a query.

    Example:
        >>> find_prices("kettle between $20 and $40")
        Prices(highest=40.0, lowest=20.0, share=None, spans=((7, 26),))
        >>> find_prices("sofa under 1.000 €").highest, find_prices("€100,50").highest
        (1000.0, 100.5)
        >>> find_prices("desk under 30 inches").highest is None
        True
    """
    text = plain(query)
    highest: float | None = None
    lowest: float | None = None
    share: float | None = None
    spans: list[tuple[int, int]] = []

    def free(match: re.Match[str]) -> bool:
        return all(match.end() <= start or end <= match.start() for start, end in spans)

    for match in _SHARE.finditer(text):
        percent = match["percent"]
        share = float(percent) / 100 if percent else _SHARES[match["share"] or "half"]
        spans.append(match.span())
    for pattern in (_BETWEEN, _RANGE):
        for match in pattern.finditer(text):
            priced = pattern is _RANGE or match["sign"] or match["unit"]
            if priced and free(match):
                lowest, highest = _number(match["low"]), _number(match["high"])
                spans.append(match.span())
    for match in _LIMIT.finditer(text):
        # A bare number before a noun is a measure: "under 5 lbs", "up to 20 people".
        if free(match) and (match["sign"] or match["unit"] or match["bare"] is None):
            highest = _number(match["number"])
            spans.append(match.span())
    for pattern in (_AFTER, _ASKED):
        for match in pattern.finditer(text):
            if free(match):
                highest = _number(match["number"])
                number = match.start("number")
                before = text[:number].rstrip()
                start = number - 4 if pattern is _ASKED and before.endswith("for") else number
                spans.append((start, match.end()))
    for match in _LEAST.finditer(text):
        if free(match):
            lowest = _number(match["number"] or match["other"])
            spans.append(match.span())
    for match in _ALONE.finditer(text):
        if free(match) and highest is None and lowest is None and not _VALUE.search(text):
            highest = _number(match["number"] or match["other"])
            spans.append(match.span())
    for match in _FREE.finditer(text):
        known = keys_of(match.group(1)) in shop_words("things heard or seen").meanings
        if known and free(match) and highest is None and not _free_of_something(text, match):
            highest = 0.0
            spans.append((match.start(), match.start() + len("free")))
    return Prices(highest, lowest, share, tuple(sorted(spans)))


def _number(text: str) -> float:
    return float(_GROUPING.sub("", text).replace(",", "."))


def _free_of_something(text: str, match: re.Match[str]) -> bool:
    """Tell "sugar free samples" from "frozen free movie"."""
    before = text[: match.start()].split()[-1:]
    return bool(before) and keys_of(before[0]) in shop_words("substances").meanings
