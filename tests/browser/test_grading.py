"""Grading products and pages, by keyboard."""

import pytest
from annotation_studies import make_study

from evalkit.store import export_judgments, export_page_grades, invite, open_store

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


@pytest.fixture
def world(tmp_path, serve):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = make_study(url, tasks=2, kind="grade", overlap=1, reasons=())
    store = open_store(url)
    _, token = invite(store, "Ann")
    yield type("World", (), {"server": serve(url), "token": token, "store": store, "study": study})
    store.close()


def step(ann):
    return ann.page.locator("#ek-step").get_attribute("data-step")


def test_products_and_then_both_pages_are_graded_by_keyboard(world, visit):
    ann = visit(world.server, world.token)
    count = ann.page.locator(".ek-row").count()
    assert count == 17  # ten and ten, three of them in both lists
    for number in range(count):
        assert step(ann) == str(number)
        ann.key("321"[number % 3])
    assert step(ann) == "left"
    ann.key("1")
    assert step(ann) == "right"
    ann.press("3")
    grades = export_judgments(world.store, world.study.id).to_pylist()
    assert sorted(row["grade"] for row in grades) == sorted((2, 1, 0)[n % 3] for n in range(17))
    pages = export_page_grades(world.store, world.study.id).to_pylist()
    assert sorted(row["page_grade"] for row in pages) == ["bad", "good"]


def test_a_refresh_goes_on_where_it_was(world, visit):
    ann = visit(world.server, world.token)
    ann.key("1")
    ann.key("2")
    ann.page.reload()
    ann.until_ready()
    assert step(ann) == "2"
    assert ann.page.locator("[data-graded]").count() == 2


def test_one_can_go_back_to_a_product_and_change_its_grade(world, visit):
    ann = visit(world.server, world.token)
    ann.key("1")
    ann.key("ArrowLeft")
    assert step(ann) == "0"
    ann.key("3")
    assert step(ann) == "1"
    assert ann.page.locator("[data-graded]").first.get_attribute("data-graded") == "Good"


def test_the_pool_does_not_say_which_list_a_product_is_from(world, visit):
    ann = visit(world.server, world.token)
    text = ann.page.locator("#ek-task").inner_html()
    assert "ek-both" not in text
    assert "ek-only" not in text


def test_a_refresh_keeps_the_grade_of_the_first_page(world, visit):
    ann = visit(world.server, world.token)
    for _ in range(17):
        ann.key("2")
    expect(ann.page.locator(".ek-side")).to_have_count(2)
    ann.key("1")
    ann.page.reload()
    ann.until_ready()
    assert step(ann) == "right"
    ann.press("3")
    pages = export_page_grades(world.store, world.study.id).to_pylist()
    assert sorted(row["page_grade"] for row in pages) == ["bad", "good"]


def test_a_key_is_as_good_for_a_page_as_for_a_product(world, visit):
    """Somebody who has given 3 to good products gives 3 to a good page."""
    ann = visit(world.server, world.token)
    for _ in range(17):
        ann.key("3")
    assert ann.page.locator(".st-key-votes button").all_inner_texts() == [
        "Left list: bad\n\n1",
        "Left list: mid\n\n2",
        "Left list: good\n\n3",
    ]
    ann.key("3")
    ann.press("3")
    pages = export_page_grades(world.store, world.study.id).to_pylist()
    assert [row["page_grade"] for row in pages] == ["good", "good"]


def test_one_can_go_back_from_page_to_page_and_to_the_products(world, visit):
    ann = visit(world.server, world.token)
    for _ in range(17):
        ann.key("2")
    ann.key("1")
    assert step(ann) == "right"
    ann.key("ArrowLeft")
    assert step(ann) == "left"
    ann.key("ArrowLeft")
    assert step(ann) == "16"
    ann.key("ArrowRight")
    ann.key("2")
    ann.press("2")
    pages = export_page_grades(world.store, world.study.id).to_pylist()
    assert [row["page_grade"] for row in pages] == ["mid", "mid"]
