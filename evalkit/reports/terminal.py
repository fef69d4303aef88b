"""Writing for a terminal: how wide text is, clamping it, colour, and making foreign text safe.

Query and product text comes from outside. A control character in it could repaint the screen or
break a table, so everything that is not ours passes through `plain` first.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata

__all__ = ["clamp", "display_width", "pad", "paint", "plain", "wrap"]

_STYLES = {"bold": "1", "quiet": "2", "better": "36", "worse": "33"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def plain(text: object) -> str:
    r"""One line without control, format or surrogate characters, runs of blanks closed up.

    Example:
        >>> plain("red\x1b[2J shoes\n size 9")
        'red[2J shoes size 9'
    """
    kept = "".join(
        " " if mark in "\t\n\r\x0b\x0c\u2028\u2029" else mark
        for mark in str(text)
        if mark in "\t\n\r\x0b\x0c\u2028\u2029" or unicodedata.category(mark) not in _INVISIBLE
    )
    return " ".join(kept.split())


def display_width(text: str) -> int:
    r"""Columns the text takes: wide East Asian characters two, combining marks none.

    Example:
        >>> display_width("abc"), display_width("靴"), display_width("e\u0301")
        (3, 2, 1)
    """
    width = 0
    for mark in _ANSI.sub("", text):
        if unicodedata.combining(mark):
            continue
        width += 2 if unicodedata.east_asian_width(mark) in "WF" else 1
    return width


def clamp(text: str, width: int) -> str:
    """Cut the text to a width, the last column an ellipsis where something was cut.

    Example:
        >>> clamp("garden hose", 8), clamp("hose", 8)
        ('garden …', 'hose')
    """
    if display_width(text) <= width:
        return text
    kept, used = "", 0
    for mark in text:
        step = display_width(mark)
        if used + step > width - 1:
            break
        kept, used = kept + mark, used + step
    return f"{kept}…" if width > 0 else ""


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill up with blanks to a width, on the left for figures."""
    blanks = " " * max(0, width - display_width(text))
    return blanks + text if right else text + blanks


def paint(text: str, style: str, *, color: bool) -> str:
    """Wrap in an ANSI style where colour is on. Colour repeats what a sign or mark says already."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color and text.strip() else text


def wrap(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Break a sentence into lines of at most a width, long words kept whole."""
    lines = textwrap.wrap(
        text,
        max(20, width),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [first.rstrip()]
