"""The frame of a report as one HTML file: head, policy, styles, scripts and the figures' data.

A page opens without a network. It holds its own script and styles; its policy lets only those
scripts run, by their hashes, and lets nothing be fetched. What stands in the page is not decided
here. A template can take the pieces (`content_policy`, `figure_scripts`, `figure_data`, `asset`)
instead of `page`.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from evalkit.reports.figures import COLORS, Figure
from evalkit.reports.markup import Html, element, join, script_json
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "asset",
    "content_policy",
    "data_table",
    "figure_data",
    "figure_scripts",
    "page",
    "plot",
    "scrolling",
    "spanning_row",
    "terms_section",
    "warnings_section",
]


def plot(
    figure: Figure, caption: str | None, figures: dict[str, Figure], table: Html | None = None
) -> Html:
    """Give a figure a place of its final height, so that nothing moves when it is drawn.

    Args:
        figure: the figure.
        caption: a heading over it, None for none.
        figures: the figures of the page by the id of their place; this one is added.
        table: the same in numbers, folded up below the figure.
    """
    name = f"figure-{len(figures) + 1}"
    figures[name] = figure
    return element(
        "figure",
        element("figcaption", caption) if caption else None,
        element(
            "div",
            id=name,
            class_="plot",
            style=f"height: {figure.height}px",
            role="img",
            aria_label=plain(figure.summary),
        ),
        element("details", element("summary", "In numbers"), table, class_="behind")
        if table is not None
        else None,
    )


def data_table(
    caption: str, headers: Sequence[str], rows: Iterable[Sequence[object]], name: str | None = None
) -> Html:
    """Return a table that scrolls by itself where the screen is narrower.

    Args:
        caption: what the table holds, read out and not seen.
        headers: of the columns.
        rows: cells, the first of a row its label.
        name: class of the table.
    """
    return scrolling(
        element(
            "table",
            element("caption", caption, class_="hidden"),
            element("thead", element("tr", [element("th", head, scope="col") for head in headers])),
            element(
                "tbody",
                [
                    element(
                        "tr",
                        element("th", row[0], scope="row"),
                        [element("td", cell) for cell in row[1:]],
                    )
                    for row in rows
                ],
            ),
            class_=name,
        ),
        aria_label=caption,
    )


def scrolling(table: Html, **named: str) -> Html:
    """Return a wide table in a region that scrolls by itself and can be reached by key.

    Args:
        table: the table.
        named: `aria_label` or `aria_labelledby`, the name of the region.
    """
    return element("div", table, class_="scroll", tabindex=0, role="region", **named)


def spanning_row(kind: str, text: str, columns: int) -> Html:
    """Return a row that heads those below it."""
    return element("tr", element("th", text, colspan=columns, scope="colgroup"), class_=kind)


def page(title: str, body: Html, figures: Mapping[str, Figure]) -> str:
    """Return a whole page.

    Args:
        title: its title, as plain text.
        body: what stands in `main`.
        figures: the figures by the id of their place, as `plot` collects them.
    """
    scripts = figure_scripts(figures)
    return (
        "<!doctype html>\n"
        + element(
            "html",
            element(
                "head",
                element("meta", charset="utf-8"),
                element(
                    "meta", http_equiv="Content-Security-Policy", content=content_policy(scripts)
                ),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("meta", name="color-scheme", content="light dark"),
                element("meta", name="referrer", content="no-referrer"),
                element("title", title),
                Html(f"<style>\n{asset('score.css')}</style>\n"),
            ),
            "\n",
            element(
                "body",
                element("main", body),
                element(
                    "noscript",
                    element(
                        "p", "The figures need JavaScript; the tables say the same in numbers."
                    ),
                )
                if figures
                else None,
                figure_data(figures),
                [Html(f"<script>{text}</script>\n") for text in scripts],
            ),
            lang="en",
        )
        + "\n"
    )


def content_policy(scripts: Iterable[str]) -> str:
    """Return the policy that lets these scripts run and nothing else, and nothing be fetched."""
    allowed = " ".join(f"'sha256-{_digest(text)}'" for text in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def figure_scripts(figures: Mapping[str, Figure]) -> list[str]:
    """Return what draws the figures, as script elements may hold it; nothing without figures."""
    if not figures:
        return []
    from plotly.offline import get_plotlyjs

    return [_script_text(str(get_plotlyjs())), _script_text(asset("score.js"))]


def warnings_section(warnings: Sequence[str] | None) -> Html | None:
    """Return the warnings as the section that is read first; None without any."""
    if not warnings:
        return None
    return element(
        "section",
        element("h2", "Read this first", id="warnings"),
        element("ul", [element("li", plain(warning)) for warning in warnings]),
        class_="warnings",
        aria_labelledby="warnings",
    )


def terms_section(terms: Iterable[tuple[str, str]], *before: Html) -> Html:
    """Return the foot of a page: what its figures mean, by term; `before` stands above them."""
    said = [join(element("dt", term), element("dd", text)) for term, text in terms]
    heading = element("h2", "What the figures mean", id="terms")
    return element("footer", heading, *before, element("dl", said, class_="terms"))


def figure_data(figures: Mapping[str, Figure]) -> Html | None:
    """Return the data elements that `figure_scripts` reads; None without figures."""
    if not figures:
        return None
    specs = {name: figure.spec for name, figure in figures.items()}
    return Html(f"{_data('figures', specs)}{_data('colors', COLORS)}")


def asset(name: str) -> str:
    """Return a style sheet or script from `evalkit/reports/page`."""
    return (resources.files("evalkit.reports") / "page" / name).read_text(encoding="utf-8")


def _data(name: str, value: Any) -> Html:
    return Html(f'<script type="application/json" id="{name}">{script_json(value)}</script>\n')


def _script_text(text: str) -> str:
    """A script as it may stand in a page; the browser hashes it with single line feeds."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
