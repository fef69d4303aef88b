"""The server is killed and comes back: nothing is lost, nothing is doubled."""

import pytest
from annotation_studies import make_study

from evalkit.store import invite, my_votes, open_store

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


@pytest.fixture
def world(tmp_path, serve):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = make_study(url, tasks=20)
    store = open_store(url)
    person, token = invite(store, "Ann")
    yield type(
        "World",
        (),
        {
            "server": serve(url),
            "token": token,
            "votes": lambda self: [
                vote.shown for vote in reversed(my_votes(store, study.id, person))
            ],
        },
    )()
    store.close()


def cut_off(ann):
    """Kill the server and wait until the page says that it has no connection."""
    ann.server.kill()
    expect(ann.page.get_by_text("Connection error")).to_be_visible(timeout=20_000)


def come_back(ann):
    ann.server.start()
    expect(ann.page.get_by_text("Connection error")).to_have_count(0, timeout=20_000)
    expect(ann.page.locator(".st-key-votes button").first).to_be_enabled(timeout=20_000)


@pytest.mark.parametrize("how", ["key", "click"])
def test_the_first_vote_after_a_restart_is_stored_once(world, visit, how):
    ann = visit(world.server, world.token)
    ann.press("4")
    ann.press("2")
    before = ann.task
    cut_off(ann)
    ann.page.keyboard.press("5")  # goes nowhere, and is not said to be saved
    assert ann.task == before
    come_back(ann)
    assert world.votes() == [1, -1]
    if how == "key":
        ann.page.keyboard.press("1")
    else:
        ann.page.get_by_role("button", name="Left much better").click()
    ann.until_task_is_not(before)
    assert world.votes() == [1, -1, -2]
    ann.press("3")
    assert world.votes() == [1, -1, -2, 0]


def test_a_restart_right_after_loading_the_page_loses_no_vote(world, visit):
    ann = visit(world.server, world.token)
    ann.press("4")
    ann.page.reload()
    ann.until_ready()
    before = ann.task
    cut_off(ann)
    come_back(ann)
    ann.page.keyboard.press("2")
    ann.until_task_is_not(before)
    assert world.votes() == [1, -1]


def test_undo_and_skip_work_as_the_first_thing_after_a_restart(world, visit):
    ann = visit(world.server, world.token)
    ann.press("4")
    before = ann.task
    cut_off(ann)
    come_back(ann)
    ann.page.keyboard.press("u")
    ann.until_task_is_not(before)
    assert ann.task.endswith("-2")
    ann.press("1")
    assert world.votes() == [-2]
