"""The data card: its counts, its examples, and that foreign text stays text."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from conftest import QUERIES, REWRITES, write_queries, write_rewrites, write_rows

from evalkit.constraints import Structure
from evalkit.reports.data_card import card_markdown, write_card_page
from evalkit.synthesis.data_card import make_card
from evalkit.synthesis.pairs import PairSettings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shop

HOSTILE = "<script>alert(1)</script> a|b `c` red kettle"
FALLEN = (("jacket", "leather jacket", "rule: names 'leather', which it does without"),
          ("jacket", "wool jacket", "rule: names 'wool', which it does without"),
          ("kettle", "lamp", "model: it does not keep what the query asks for"),
          ("evil", "lamp <b>", "rule: of another kind"))  # fmt: skip


class Made:
    """The files of a run, and their card."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.folder = folder
        queries = dict(QUERIES) | {"evil": (HOSTILE, QUERIES["kettle"][1])}
        self.queries = write_queries(folder / "queries.jsonl", queries)
        rewrites = dict(REWRITES) | {"evil": ("red <i>glass</i> kettle|pot",)}
        rows = [
            {"query_id": key, "rewrite": text, "place": place, "relevance": 0.75,
             "accepted": True, "reason": ""}
            for key, texts in rewrites.items() for place, text in enumerate(texts, start=1)
        ] + [
            {"query_id": key, "rewrite": text, "place": 9, "relevance": None,
             "accepted": False, "reason": reason}
            for key, text, reason in FALLEN
        ]  # fmt: skip
        self.rewrites = write_rows(folder / "rewrites.jsonl", rows)
        self.pairs, self.candidates = folder / "pairs.parquet", folder / "candidates.parquet"
        shop.pairs(
            self.pairs,
            candidates=self.candidates,
            queries=self.queries,
            rewrites=self.rewrites,
            settings=PairSettings(threshold=0.5, dev_share=0.5, per_query=3),
        )
        self.rows: list[dict[str, Any]] = pq.read_table(self.candidates).to_pylist()

    def card(self, **more: Any) -> dict[str, Any]:
        return make_card(self.queries, self.rewrites, self.candidates, self.pairs, **more)


@pytest.fixture(scope="module")
def run(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(shop, tmp_path_factory.mktemp("card"))


def test_every_count_is_that_of_the_candidates(run: Made) -> None:
    types = {row["query_type"]: row for row in run.card()["types"]}
    assert list(types) == ["alternative", "general", "knowledge", "negative"]
    assert {name: (row["queries"], row["rewrites"], row["accepted"])
            for name, row in types.items()} == {
        "alternative": (1, 2, 2), "general": (2, 4, 2), "knowledge": (1, 2, 2),
        "negative": (2, 5, 3),
    }  # fmt: skip
    for name, row in types.items():
        of = [each for each in run.rows if each["query_type"] == name]
        kept = [each for each in of if each["decision"] == "kept"]
        passed = [each for each in of if each["check"] == "pass"]
        assert row["products"] == len(of) == 29 * row["queries"]
        assert row["passed"] == len(passed)
        assert row["unknown"] == sum(each["check"] == "unknown" for each in of)
        assert row["failed"] == sum(each["check"] == "fail" for each in of)
        assert row["judged"] == sum(each["probability"] is not None for each in of)
        assert row["doubted"] == sum(each["probability"] < 0.5 for each in passed)
        assert row["kept"] == len(kept)
        assert row["kept_dev"] == sum(each["split"] == "dev" for each in kept)
        assert row["negatives"] == sum(each["decision"] == "negative" for each in of)
        assert row["queries_with_pairs"] == len({each["query_id"] for each in kept})
        assert row["products_kept"] == len({each["product_id"] for each in kept})


def test_the_types_add_up_to_the_pairs(run: Made) -> None:
    card = run.card()
    pairs = pq.read_table(run.pairs).to_pylist()
    labels = Counter(row["label"] for row in pairs)
    assert labels[0] > 0 < labels[1]
    assert sum(row["kept"] for row in card["types"]) == card["counts"]["pairs"] == labels[1]
    negatives = card["counts"]["hard_negatives"]
    assert sum(row["negatives"] for row in card["types"]) == negatives == labels[0]
    assert sum(row["doubted"] for row in card["types"]) == card["counts"]["doubted"]


def test_reasons_are_counted_without_what_differs(run: Made) -> None:
    card = run.card()
    assert [(row["query_type"], row["reason"], row["rewrites"]) for row in card["rewrites"]] == [
        ("general", "model: it does not keep what the query asks for", 1),
        ("general", "rule: of another kind", 1),
        ("negative", "rule: names …, which it does without", 2),
    ]
    found = {
        (row["query_type"], row["decision"], row["reason"]): row["products"]
        for row in card["reasons"]
    }
    dropped = [row for row in run.rows if row["decision"] != "kept"]
    assert sum(found.values()) == len(dropped)
    # four jackets pass at 0.5, and three are kept of a query
    assert found["negative", "dropped", "beyond 3 pairs of the query"] == 1
    assert found["negative", "dropped", "checker: unknown"] == 1
    assert found["negative", "negative", "checker: fail"] == 3
    doubted = [row for row in dropped if row["reason"].startswith("classifier: ")]
    assert sum(value for key, value in found.items() if key[2] == "classifier") == len(doubted)


def test_the_card_says_what_hard_negatives_violate(run: Made) -> None:
    card = run.card()
    expected = Counter(
        (row["query_type"], row["violates"]) for row in run.rows if row["decision"] == "negative"
    )
    assert expected["negative", "attribute"] == 3
    assert {
        (row["query_type"], row["violates"]): row["products"] for row in card["violations"]
    } == expected
    assert "| negative | attribute | 3 |" in card_markdown(card)


def test_the_card_says_how_much_the_classifier_doubts(run: Made) -> None:
    card = run.card()
    passed = [row for row in run.rows if row["check"] == "pass"]
    doubted = sum(row["probability"] < 0.5 for row in passed)
    share = f"{100 * doubted / len(passed):.2g}%"
    said = f"Of {len(passed)} products that the checker passed and the classifier saw, it doubted "
    text = card_markdown(card)
    assert f"{said}{doubted} ({share})." in text
    assert "gives it 0.5 or more" in text
    types = [row | {"judged_passed": 3000, "doubted": 6} for row in card["types"]]
    low = {**card, "types": types, "settings": card["settings"] | {"threshold": 0.000194097}}
    text = card_markdown(low)
    assert "gives it 0.000194 or more" in text
    assert "it doubted 24 (0.2%): in effect the checker alone decides." in text


def test_examples_are_of_their_group_and_the_same_every_time(run: Made) -> None:
    card = run.card(examples=2)
    by_group = Counter((row["query_type"], row["group"]) for row in card["examples"])
    assert max(by_group.values()) == 2
    assert by_group["negative", "kept"] == 2
    assert by_group["negative", "checker cannot tell"] == 1
    of = {(row["query"], row["product_id"]): row for row in run.rows}
    for row in card["examples"]:
        found = of[row["query"], row["product_id"]]
        assert (row["check"], row["probability"]) == (found["check"], found["probability"])
        if row["group"] in ("kept", "hard negative"):
            assert found["decision"] == {"kept": "kept", "hard negative": "negative"}[row["group"]]
    assert run.card(examples=2) == card
    other = run.card(examples=2, seed=1)
    assert [row["product_id"] for row in other["examples"]] != [
        row["product_id"] for row in card["examples"]
    ]


def test_a_filter_of_somebody_else_may_say_no_more_than_accepted(
    shop: Shop, run: Made, tmp_path: Path
) -> None:
    rewrites = write_rewrites(tmp_path / "own.jsonl", REWRITES, accepted=False)
    card = make_card(run.queries, rewrites, run.candidates, run.pairs)
    assert sum(row["rewrites"] for row in card["rewrites"]) == 8
    assert {row["accepted"] for row in card["rewrite_examples"]} == {False}
    assert "Why rewrites were dropped" in card_markdown(card)
    plain = write_rewrites(tmp_path / "plain.jsonl", REWRITES)
    card = make_card(run.queries, plain, run.candidates, run.pairs)
    assert (card["rewrites"], card["rewrite_examples"]) == ([], [])
    assert sum(row["accepted"] or 0 for row in card["types"]) == 8
    assert "Why rewrites were dropped" not in card_markdown(card)


def test_queries_without_a_type_have_the_one_that_was_read(run: Made, tmp_path: Path) -> None:
    queries = write_rows(
        tmp_path / "plain.jsonl",
        [{"query_id": key, "query": query} for key, (query, _) in QUERIES.items()],
    )
    card = make_card(queries, run.rewrites, run.candidates, run.pairs)
    assert {row["query_type"]: row["queries"] for row in card["types"]} == {
        "alternative": 1, "general": 1, "knowledge": 1, "negative": 2,
    }  # fmt: skip


def test_a_type_of_which_nothing_was_found_has_a_row(shop: Shop, run: Made, tmp_path: Path) -> None:
    one = {"tea": ("for a cosy tea", QUERIES["tea"][1])}
    queries = write_queries(tmp_path / "q.jsonl", one)
    rewrites = write_rewrites(tmp_path / "r.jsonl", {"kettle": ("red glass kettle",)})
    more = dict(one) | {"kettle": ("red kettle", Structure("general", ("kettle",)))}
    made = tmp_path / "pairs.parquet"
    files = write_queries(tmp_path / "more.jsonl", {"kettle": more["kettle"]})
    shop.pairs(
        made,
        candidates=tmp_path / "c.parquet",
        queries=files,
        rewrites=rewrites,
        settings=PairSettings(threshold=0.1, dev_share=0.0),
    )
    card = make_card(queries, rewrites, tmp_path / "c.parquet", made)
    assert [(row["query_type"], row["queries"], row["kept"]) for row in card["types"]] == [
        ("knowledge", 1, None)
    ]
    page = tmp_path / "card.html"
    write_card_page(card, page)
    assert page.is_file()
    assert "| queries | 1 |" in card_markdown(card)


def test_markdown_takes_foreign_text_literally(run: Made) -> None:
    text = card_markdown(run.card(examples=50))
    assert r"\<script\>alert(1)\</script\> a\|b \`c\` red kettle" in text
    assert re.search(r"(?<!\\)<", text) is None
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = Counter(len(re.findall(r"(?<!\\)\|", line)) - 1 for line in tables)
    assert set(widths) == {3, 4, 5, 6}  # a bar in a cell would make another column


def test_the_counts_stand_in_both_forms(run: Made, tmp_path: Path) -> None:
    from html.parser import HTMLParser

    card = run.card()
    cells: list[str] = []

    class Cells(HTMLParser):
        def handle_data(self, data: str) -> None:
            cells.append(data.strip())

    page = tmp_path / "card.html"
    write_card_page(card, page)
    Cells().feed(page.read_text("utf-8"))
    kept = [str(row["kept"]) for row in card["types"]]
    place = cells.index("pairs kept")
    assert [cell for cell in cells[place + 1 : place + 12] if cell][:4] == kept
    assert "| pairs kept | " + " | ".join(kept) + " |" in card_markdown(card)


def test_the_page_is_whole_offline_and_fits_a_phone(
    run: Made, tmp_path: Path, chromium: Any
) -> None:
    path = tmp_path / "card.html"
    write_card_page(run.card(examples=50), path)
    text = path.read_text("utf-8")
    assert "<script>alert" not in text
    data = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.S)
    assert data is not None
    assert len(json.loads(data[1])) == 1
    for width, scheme in ((1280, "light"), (390, "dark")):
        context = chromium.new_context(
            offline=True, viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        complaints: list[str] = []
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))  # noqa: B023
        page.on("pageerror", lambda error: complaints.append(str(error)))  # noqa: B023
        page.on("dialog", lambda dialog: (complaints.append("dialog"), dialog.dismiss()))  # noqa: B023
        page.goto(path.as_uri())
        assert page.evaluate(
            "[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))"
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert HOSTILE in page.inner_text("body")
        assert complaints == []
        context.close()
