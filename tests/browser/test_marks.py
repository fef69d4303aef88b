"""Good and bad of single products: only for who asks for it, kept at once, stored with the vote."""

import pytest
from annotation_studies import make_study

from evalkit.store import comparisons, export_judgments, invite, next_task, open_store

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


@pytest.fixture
def world(tmp_path, serve):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = make_study(url, tasks=6, overlap=1)
    store = open_store(url)
    person, token = invite(store, "Ann")
    served = next_task(store, study.id, person)
    made = {"server": serve(url), "token": token, "store": store, "study": study, "first": served}
    yield type("World", (), made)
    store.close()


def mark(ann, name):
    """Press one of the buttons of a product and wait until the page has been drawn again."""
    before = ann.page.evaluate("document.documentElement.dataset.ekRun")
    ann.page.get_by_role("button", name=name, exact=True).click()
    ann.page.wait_for_function(
        "before => document.documentElement.dataset.ekRun !== before", arg=before
    )


def pressed(ann):
    return ann.page.evaluate(
        "[...document.querySelectorAll('.ek-mark[aria-pressed=true]')].map(one => one.ariaLabel)"
    )


def stored(world):
    votes = [vote for task in comparisons(world.store, world.study.id) for vote in task.votes]
    return [dict(vote.items) for vote in votes]


def test_who_does_not_ask_for_marks_has_none(world, visit):
    ann = visit(world.server, world.token)
    expect(ann.page.locator(".ek-mark")).to_have_count(0)
    ann.press("4")
    assert stored(world) == [{}]


def test_marks_are_stored_with_the_vote_and_exported(world, visit):
    ann = visit(world.server, world.token)
    ann.key("m")
    mark(ann, "Good: Left 4")
    mark(ann, "Bad: Right 5")
    mark(ann, "Good: Right 6")
    mark(ann, "Good: Right 6")  # a second press takes it back
    ann.press("2")
    left, right = world.first.left[3].product_id, world.first.right[4].product_id
    assert stored(world) == [{left: "good", right: "bad"}]
    exported = export_judgments(world.store, world.study.id).to_pylist()
    assert {row["product_id"]: row["grade"] for row in exported} == {left: 1, right: 0}
    # they stay at hand on the next task, and nothing is pressed there
    expect(ann.page.locator(".ek-mark")).to_have_count(40)
    assert pressed(ann) == []


def test_a_product_in_both_lists_is_marked_once(world, visit):
    ann = visit(world.server, world.token)
    ann.key("m")
    mark(ann, "Bad: Left 2")  # the third on the right
    assert pressed(ann) == ["Bad: Left 2", "Bad: Right 3"]
    mark(ann, "Good: Right 3")
    assert pressed(ann) == ["Good: Left 2", "Good: Right 3"]
    ann.press("3")
    assert stored(world) == [{world.first.left[1].product_id: "good"}]


def test_marks_survive_a_refresh_and_can_then_be_taken_back(world, visit):
    ann = visit(world.server, world.token)
    ann.key("m")
    mark(ann, "Good: Left 4")
    mark(ann, "Bad: Left 5")
    ann.page.reload()
    ann.until_ready()
    assert pressed(ann) == ["Good: Left 4", "Bad: Left 5"]
    mark(ann, "Good: Left 4")
    ann.press("3")
    assert stored(world) == [{world.first.left[4].product_id: "bad"}]


def test_an_answer_that_is_taken_back_has_its_marks(world, visit):
    ann = visit(world.server, world.token)
    ann.key("m")
    mark(ann, "Good: Left 4")
    mark(ann, "Bad: Left 5")
    ann.press("3")
    ann.key("m")  # put away
    expect(ann.page.locator(".ek-mark")).to_have_count(0)
    ann.press("u")
    assert pressed(ann) == ["Good: Left 4", "Bad: Left 5"]
    mark(ann, "Bad: Left 5")
    ann.page.reload()
    ann.until_ready()
    assert pressed(ann) == ["Good: Left 4"]
    ann.press("1")
    products = [item.product_id for item in world.first.left]
    assert stored(world)[-1] == {products[3]: "good"}


def test_marking_leaves_the_focus_and_what_is_open_alone(world, visit):
    ann = visit(world.server, world.token)
    ann.key("m")
    box = ann.page.locator(".ek-details").first
    box.locator("summary").click()
    button = ann.page.get_by_role("button", name="Bad: Left 4", exact=True)
    button.focus()
    ann.key(" ")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(box.locator(".ek-more")).to_be_visible()
    # what was pressed stays pressed when the lists are drawn anew
    ann.page.get_by_text("Only differences").click()
    expect(ann.page.locator(".ek-same")).to_be_visible()
    expect(button).to_have_attribute("aria-pressed", "true")
    ann.press("4")
    assert stored(world) == [{world.first.left[3].product_id: "bad"}]


def test_the_lists_with_marks_are_on_one_screen(world, visit):
    ann = visit(world.server, world.token)
    ann.key("m")
    sizes = ann.page.evaluate(
        "[...document.querySelectorAll('.ek-row')].map(row => row.getBoundingClientRect().height)"
    )
    assert max(sizes) <= 54
    boxes = ann.page.evaluate(
        "[...document.querySelectorAll('.ek-mark')].map(one => one.getBoundingClientRect())"
        ".map(box => [box.width, box.height])"
    )
    assert min(min(box) for box in boxes) >= 24
