"""HTML that escapes by default: text becomes markup only through `element`.

Queries, products and file names come from outside; a page built from these functions cannot carry
a tag that we did not write.
"""

from __future__ import annotations

import html
import json
from typing import Any

__all__ = ["Html", "element", "join", "script_json"]

_VOID = {"br", "col", "hr", "img", "meta"}


class Html(str):
    """Text that is markup already and is not escaped again."""

    __slots__ = ()

    def __html__(self) -> str:
        """Tell a template that escapes by default the same."""
        return str(self)


def element(tag: str, /, *children: object, **attributes: object) -> Html:
    """One element; children that are not `Html` are escaped, attributes always.

    Underscores in attribute names become hyphens and a trailing one is dropped (`class_`,
    `aria_label`). An attribute that is None or False is left out, True stands without a value.

    Example:
        >>> element("td", "a < b", class_="number")
        '<td class="number">a &lt; b</td>'
    """
    written = ""
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        written += (
            f" {label}" if value is True else f' {label}="{html.escape(str(value), quote=True)}"'
        )
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(*children)}</{tag}>")


def join(*children: object) -> Html:
    """Children one after the other; None is nothing, lists are flattened.

    Example:
        >>> join("1 < 2", Html("<br>"), None, ["a", "&"])
        '1 &lt; 2<br>a&amp;'
    """
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, list | tuple):
            parts.append(str(join(*child)))
        else:
            parts.append(str(child) if isinstance(child, Html) else html.escape(str(child)))
    return Html("".join(parts))


def script_json(value: Any) -> Html:
    r"""JSON that may stand inside a script element: it holds no `<`, `>` or `&`.

    Example:
        >>> script_json({"query": "</script>"})
        '{"query":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Html(text)
