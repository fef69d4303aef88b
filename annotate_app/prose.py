"""Guidelines as HTML: paragraphs, bullets, headings and bold, and nothing else of Markdown.

Admins write them, but they are shown to everybody, so they are escaped like any other text.
"""

from __future__ import annotations

import re

from evalkit.reports.markup import Html, element, join

__all__ = ["label_of", "prose_html"]

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_REPLACED = re.compile(r"(?<=:)(?=[\w+-])|(?<=[-<>~=])(?=[-<>=])")
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:$<>&])")


def label_of(text: str) -> str:
    r"""A text as the label of a widget, which Streamlit reads as Markdown: every mark is escaped.

    Names of icons and emoji, and arrows, are replaced after Markdown has been read, escaped or not:
    an invisible joiner keeps them as they were written.

    Example:
        >>> label_of("a *b* :red[c]")
        'a \\*b\\* \\:\u2060red\\[c\\]'
    """
    return _MARKS.sub(r"\\\1", _REPLACED.sub("\u2060", text))


def prose_html(text: str) -> Html:
    r"""Escaped HTML of a guideline.

    Example:
        >>> prose_html("**Both**\n- <b>")
        '<p dir="auto"><b>Both</b></p><ul dir="auto"><li>&lt;b&gt;</li></ul>'
    """
    blocks: list[Html] = []
    lines: list[str] = []
    bullets: list[Html] = []

    def finish() -> None:
        if lines:
            blocks.append(element("p", _inline(" ".join(lines)), dir="auto"))
            lines.clear()
        if bullets:
            blocks.append(element("ul", *bullets, dir="auto"))
            bullets.clear()

    for line in (*text.splitlines(), ""):
        stripped = line.strip()
        heading = stripped.lstrip("#")
        if not stripped:
            finish()
        elif stripped.startswith("#") and heading.startswith(" "):
            finish()
            blocks.append(element("h3", _inline(heading.strip()), dir="auto"))
        elif stripped[:2] in ("- ", "* "):
            if lines:
                finish()
            bullets.append(element("li", _inline(stripped[2:])))
        else:
            if bullets:
                finish()
            lines.append(stripped)
    return join(*blocks)


def _inline(text: str) -> Html:
    parts = _BOLD.split(text)
    return join(*[element("b", part) if place % 2 else part for place, part in enumerate(parts)])
