"""What a page was made from, as its last section: settings, files, the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.reports import score_document as read
from evalkit.reports.html_page import scrolling
from evalkit.reports.markup import Html, element
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    from evalkit.reports.score_document import Document

__all__ = ["provenance"]


def provenance(document: Document, what: str) -> Html:
    """The section of settings and inputs.

    Args:
        document: a document with `settings`, and `inputs` and `command` where there are any.
        what: what was made with the settings, in a word (`score`).
    """
    settings = [
        element(
            "tr", element("th", name, scope="row"), element("td", element("code", plain(value)))
        )
        for name, value in read.setting_items(document, every=True)
    ]
    inputs = [
        element(
            "tr",
            element("td", plain(item.get("path", ""))),
            element("td", read.count(item.get("rows")), class_="number"),
            element("td", element("code", plain(item.get("fingerprint", "")))),
        )
        for item in document.get("inputs") or ()
    ]
    heads = [element("th", name, scope="col") for name in ("input", "rows", "fingerprint")]
    command = document.get("command")
    return element(
        "section",
        element("h2", "Settings and inputs", id="provenance"),
        element("h3", "Settings"),
        element(
            "table",
            element("caption", f"Every setting of this {what}"),
            element("tbody", settings),
            class_="settings",
        ),
        element("h3", "Inputs") if inputs else None,
        scrolling(
            element(
                "table",
                element("caption", "What was read, with its fingerprint"),
                element("thead", element("tr", heads)),
                element("tbody", inputs),
                class_="inputs",
            ),
            aria_label="Inputs",
        )
        if inputs
        else None,
        [element("h3", "Command"), element("p", element("code", plain(command)))]
        if command
        else None,
        aria_labelledby="provenance",
    )
