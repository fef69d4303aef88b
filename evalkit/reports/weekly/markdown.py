r"""The weekly report as Markdown for a chat: verdict, figures, wins and losses, what is needed.

Query and product text comes from outside and goes into chats where a link, a mention or a table
cell would do something. Every text is therefore escaped unless it is wrapped in `Markdown`, and
queries stand in code spans, where chats read nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evalkit.reports.terminal import clamp, plain
from evalkit.reports.weekly.words import FILTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Markdown", "code", "escape", "format_weekly_markdown"]

_MOVES = 3
_SEGMENTS = 10
_JOINER = "\N{WORD JOINER}"
_NUMBERS = ("coefficient", "coefficients", "count", "interval", "p_value", "points", "share",
            "signed")  # fmt: skip
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"([\\`*~|])"), r"\\\1"),
    (re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"), r"\\_"),
    (re.compile(r"&(?=#|\w+;)"), "&amp;"),
    (re.compile(r"<(?=[A-Za-z/!?@#])"), "&lt;"),
    (re.compile(r"\](?=[(\[])|^\["), r"\\\g<0>"),
    (re.compile(r"^(>|([-+#]|\d+[.)])(?=\s|$))"), rf"{_JOINER}\1"),
    # mentions, issues, channels and emoji of chats, and what they make links of
    (re.compile(r"(?<!\w)@(?=\S)|@(?!\d+\b)(?=\S)|[#~](?=\S)"), rf"\g<0>{_JOINER}"),
    (re.compile(r":(?=\w+:|//)|(?<=mailto):"), f":{_JOINER}"),
    (re.compile(r"(?<=\w)\.(?=[A-Za-z]{2})"), f".{_JOINER}"),
)


class Markdown(str):
    """Text that is Markdown already and is not escaped again."""

    __slots__ = ()


def escape(text: object) -> Markdown:
    r"""Text on one line that no chat takes for anything but text.

    Example:
        >>> print(escape("*free* [here](x) | a_b"))
        \*free\* [here\](x) \| a_b
    """
    found = plain(text)
    for pattern, replacement in _RULES:
        found = pattern.sub(replacement, found)
    return Markdown(found)


def code(text: object, width: int = 80) -> Markdown:
    """Text as a code span; its marks that would end the span, a cell or the code are exchanged.

    Example:
        >>> code("lamp `x` | @all <!here>")
        '`lamp ′x′ ¦ @all ‹!here›`'
    """
    shown = clamp(plain(text), width).translate(str.maketrans("`|<>", "′¦‹›"))
    return Markdown(f"`{shown}`" if shown else "–")


def format_weekly_markdown(document: Mapping[str, Any], report: str | None = None) -> str:
    """Return the report as Markdown.

    Args:
        document: what `weekly_document` gathered.
        report: where the page is, for whoever wants more.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # this is no HTML; `_finalize` escapes for Markdown
        loader=PackageLoader("evalkit.reports", "page"),
        undefined=StrictUndefined,
        finalize=_finalize,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    environment.filters |= {name: _trusted(FILTERS[name]) for name in _NUMBERS}
    environment.filters["code"] = code
    text = environment.get_template("weekly.md.j2").render(
        d=document, rows=_rows(document), shown=_MOVES, report=report
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _finalize(value: object) -> object:
    return value if isinstance(value, Markdown) else escape(value)


def _trusted(write: Callable[..., str]) -> Callable[..., Markdown]:
    return lambda *values: Markdown(write(*values))


def _rows(document: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of the primary measures: overall, and in segments; of many only those that moved."""
    figures = document["figures"]
    shown = [row for row in figures["overall"] if row["measure"] in figures["primary"]]
    segments = [
        row for block in figures["segments"] for group in block["groups"] for row in group["rows"]
    ]
    every = len(segments)
    if every > _SEGMENTS:
        moved = [row for row in segments if row["standing"] in ("better", "worse")]
        segments = moved[:_SEGMENTS]
    return {"shown": [*shown, *segments], "left_out": every - len(segments)}
