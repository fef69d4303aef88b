"""People vote in a real browser; what the store holds afterwards is what they did, once."""

import pytest
from annotation_studies import make_study, practice, real

from evalkit.store import invite, my_votes, open_store, progress, studies

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


@pytest.fixture(scope="module")
def world(tmp_path_factory, serve):
    """One server with one database; every test has its own study and people in it."""

    class World:
        url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'study.db'}"
        count = 0

        def study(self, **settings):
            from evalkit.store import set_state

            store = self.store()
            for other in studies(store):
                if other.state == "open":
                    set_state(store, other.id, "paused")
            store.close()
            self.count += 1
            return make_study(self.url, f"study {self.count}", **settings)

        def store(self):
            return open_store(self.url, create=True)

        def token(self, name):
            store = self.store()
            try:
                return invite(store, f"{name} {self.count}")
            finally:
                store.close()

        def votes(self, study, person):
            store = self.store()
            try:
                return list(reversed(my_votes(store, study.id, person)))
            finally:
                store.close()

    made = World()
    made.store().close()
    made.server = serve(made.url)
    return made


def test_twenty_tasks_by_keyboard_and_mouse_are_twenty_votes(world, visit):
    study = world.study(tasks=30)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    for key in "1234554321":
        ann.press(key)
    words = ["Left much better", "Left better", "About the same", "Right better", "Both bad"]
    for word in words * 2:
        ann.click(word)
    votes = world.votes(study, person)
    assert [vote.shown for vote in votes] == [
        *(-2, -1, 0, 1, 2, 2, 1, 0, -1, -2),
        *(-2, -1, 0, 1, 0) * 2,
    ]
    assert [vote.both_bad for vote in votes] == [False] * 14 + [True] + [False] * 4 + [True]
    assert ann.done == 20


def test_a_vote_carries_how_it_was_given(world, visit):
    from evalkit.store import export_votes

    study = world.study(tasks=6)
    _, token = world.token("Ann")
    ann = visit(world.server, token)
    ann.press("2")
    ann.click("Right better")
    store = world.store()
    rows = export_votes(store, study.id).to_pylist()
    store.close()
    rows = sorted(
        (row for row in rows if row["kind"] == "real"), key=lambda row: row["submitted_at"]
    )
    assert [row["input_method"] for row in rows] == ["key", "mouse"]
    assert {row["viewport"] for row in rows} == {"1366x768@1"}
    assert all(0 <= row["active_ms"] <= 60_000 for row in rows)
    assert all(row["guideline_version"] == 1 and row["app_version"] for row in rows)


def test_undo_brings_the_last_answer_back_and_the_new_one_counts(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    first = ann.task
    ann.press("5")
    ann.press("u")
    assert ann.task.split("-")[0] == first.split("-")[0]
    assert ann.task != first
    before = ann.page.locator(".st-key-votes button[kind=primary]")
    expect(before).to_have_count(1)
    expect(before).to_contain_text("Right much better")
    ann.press("1")
    votes = world.votes(study, person)
    assert [(vote.shown, vote.revision) for vote in votes] == [(-2, 2)]


def test_a_refresh_shows_the_same_task_and_the_comment_so_far(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    before = ann.task
    ann.page.get_by_role("button", name="Comment").click()
    box = ann.page.get_by_role("textbox", name="Comment")
    box.click()
    ann.page.keyboard.type("too few lamps, 4 of 10")
    expect(ann.page.get_by_role("button", name="Comment ✓")).to_be_visible()  # it is stored
    ann.page.reload()
    ann.until_ready()
    assert ann.task == before
    ann.page.get_by_role("button", name="Comment").click()
    expect(ann.page.get_by_role("textbox", name="Comment")).to_have_value("too few lamps, 4 of 10")
    ann.page.get_by_role("textbox", name="Comment").click()
    ann.page.keyboard.press("Escape")
    ann.press("2")
    assert [vote.comment for vote in world.votes(study, person)] == ["too few lamps, 4 of 10"]


def test_typing_in_the_comment_box_votes_nothing(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    before = ann.task
    ann.page.get_by_role("button", name="Comment").click()
    expect(ann.page.get_by_role("textbox", name="Comment")).to_be_focused()  # without a click
    ann.page.keyboard.type("123 bus 45 sfugb")
    expect(ann.page.get_by_role("button", name="Comment ✓")).to_be_visible()
    assert ann.task == before
    assert ann.page.locator("#ek-ask, #ek-guide").count() == 0
    assert world.votes(study, person) == []


def test_keys_vote_after_a_switch_was_clicked(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    ann.page.get_by_text("Only differences").click()
    expect(ann.page.locator(".ek-same")).to_be_visible()
    ann.press("4")
    ann.press("2")
    assert [vote.shown for vote in world.votes(study, person)] == [1, -1]


def test_somebody_with_two_studies_chooses_between_them(world, visit):
    study = world.study(tasks=2)
    _, token = world.token("Ann")
    ann = visit(world.server, token)
    ann.page.get_by_role("button", name="Menu").click()
    expect(ann.page.get_by_role("link", name="My history")).to_be_visible()
    expect(ann.page.get_by_text("Go on with")).to_have_count(0)
    second = make_study(world.url, f"second {world.count}", drafts=[real(7, query="wool socks")])
    ann.page.reload()
    ann.until_ready()
    expect(ann.page.locator("h1")).to_contain_text("lamp for desk")
    ann.page.get_by_role("button", name="Menu").click()
    ann.page.get_by_role("combobox", name="Go on with").click()
    ann.page.get_by_role("option", name=f"Study {second.id}").click()
    expect(ann.page.locator("h1")).to_contain_text("wool socks")
    assert f"study={second.id}" in ann.page.url
    ann.page.keyboard.press("Escape")
    ann.page.locator("h1").click()
    ann.press("3")
    expect(ann.page.locator("#ek-rest")).to_be_visible()
    ann.page.get_by_role("combobox", name="Go on with").click()
    expect(ann.page.get_by_role("option")).to_have_count(1)  # the other one is done
    ann.page.get_by_role("option", name=f"Study {study.id}").click()
    expect(ann.page.locator("h1")).to_contain_text("lamp for desk")


def test_two_tabs_of_one_person_are_one_vote(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    second = ann.context.new_page()
    second.goto(world.server.url)
    second.wait_for_selector("[data-ek-ready] #ek-task")
    before = ann.task
    assert second.locator("#ek-task").get_attribute("data-task") == before
    ann.press("1")
    second.keyboard.press("5")
    second.wait_for_function(
        "before => document.querySelector('#ek-task').dataset.task !== before", arg=before
    )
    expect(second.locator("#ek-saved")).to_contain_text("stored before")
    assert [vote.shown for vote in world.votes(study, person)] == [-2]


def past_dwell(page):
    """Wait until the page has stood as long as the study's minimum dwell."""
    page.evaluate("() => { window.since = performance.now(); }")
    page.wait_for_function("() => performance.now() - window.since > 800")


def test_ten_keys_at_once_are_one_vote(world, visit):
    study = world.study(tasks=12, min_dwell_ms=600)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    past_dwell(ann.page)
    before = ann.task
    for key in "4545454545":
        ann.page.keyboard.press(key)
    ann.until_task_is_not(before)
    past_dwell(ann.page)
    ann.press("2")
    assert [vote.shown for vote in world.votes(study, person)] == [1, -1]


def test_a_vote_sooner_than_the_dwell_is_not_stored_and_the_page_says_so(world, visit):
    study = world.study(tasks=12, min_dwell_ms=60_000)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    before = ann.task
    ann.key("4")
    expect(ann.page.locator("#ek-saved")).to_contain_text("Too fast, not stored")
    assert ann.task == before
    assert world.votes(study, person) == []


def test_a_held_key_is_one_vote(world, visit):
    study = world.study(tasks=12)  # without a minimum dwell: the browser alone must stop it
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    before = ann.task
    for _ in range(25):
        ann.page.keyboard.down("4")  # after the first, these are repeats
    ann.until_task_is_not(before)
    for _ in range(25):
        ann.page.keyboard.down("4")
    ann.page.keyboard.up("4")
    ann.press("2")
    assert [vote.shown for vote in world.votes(study, person)] == [1, -1]


def test_a_double_click_is_one_vote(world, visit):
    study = world.study(tasks=12)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    before = ann.task
    ann.page.get_by_role("button", name="Left better").dblclick()
    ann.until_task_is_not(before)
    ann.press("5")
    votes = world.votes(study, person)
    assert votes[0].shown == -1
    # a second click that arrives on the next task would be a vote nobody meant
    assert [vote.shown for vote in votes if vote.shown == -1] == [-1]


def test_skip_asks_why_and_frees_the_place(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    ann.key("s")
    expect(ann.page.locator("#ek-ask")).to_be_visible()
    ann.press("2")
    votes = world.votes(study, person)
    assert [vote.action for vote in votes] == ["skip"]
    assert "unclear" in votes[0].words


def test_a_problem_can_be_reported_without_a_vote(world, visit):
    from evalkit.store import flags

    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    before = ann.task
    ann.key("f")
    expect(ann.page.locator("#ek-ask")).to_be_visible()
    ann.key("1")
    expect(ann.page.locator("#ek-saved")).to_contain_text("Reported")
    assert ann.task == before
    store = world.store()
    assert [entry.reason for entry in flags(store, study.id)] == ["Broken text or image"]
    store.close()
    assert world.votes(study, person) == []


def test_reasons_stand_on_the_bar_before_the_vote(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    ann.page.locator(".st-key-extras").get_by_role("button", name="price").click()
    ann.page.locator(".st-key-extras").get_by_role("button", name="brand").click()
    ann.press("5")
    assert [set(vote.reasons) for vote in world.votes(study, person)] == [{"price", "brand"}]
    expect(ann.page.locator(".st-key-saved").get_by_role("button")).to_have_count(0)


def test_a_strong_vote_without_a_reason_offers_them_for_the_last_task(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    ann.press("5")
    now = ann.task
    chip = ann.page.locator(".st-key-saved").get_by_role("button", name="variety")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    assert ann.task == now  # it does not block, and does not vote
    ann.press("3")
    assert [vote.reasons for vote in world.votes(study, person)] == [("variety",), ()]


def test_a_guideline_is_one_key_away(world, visit):
    world.study(tasks=8)
    _, token = world.token("Ann")
    ann = visit(world.server, token)
    kind = ann.page.locator(".ek-type").first.inner_text()
    ann.key("g")
    expect(ann.page.locator("#ek-guide")).to_contain_text(
        "The feature must be there" if kind == "feature" else "Look at both lists"
    )
    ann.key("g")
    expect(ann.page.locator("#ek-guide")).to_have_count(0)


def test_practice_says_what_was_right_before_the_first_real_task(world, visit):
    world.study(drafts=[practice(90), *[real(number) for number in range(6)]])
    _, token = world.token("Ann")
    ann = visit(world.server, token)
    expect(ann.page.locator(".ek-query")).to_contain_text("Practice")
    ann.page.keyboard.press("3")
    expect(ann.page.locator("#ek-feedback")).to_contain_text("no lamps at all")
    ann.page.keyboard.press("Enter")
    expect(ann.page.locator("#ek-task")).to_be_visible()
    expect(ann.page.locator(".ek-query")).not_to_contain_text("Practice")


def test_when_nothing_is_left_the_page_says_so(world, visit):
    world.study(tasks=2)
    _, token = world.token("Ann")
    ann = visit(world.server, token)
    ann.press("3")
    ann.press("3")
    expect(ann.page.locator("#ek-rest")).to_have_attribute("data-reason", "done")
    expect(ann.page.locator("#ek-rest")).to_contain_text("2")


def test_two_people_at_once_never_take_the_same_place(world, visit):
    study = world.study(tasks=12, overlap=1)
    one, token_one = world.token("Ann")
    other, token_other = world.token("Ben")
    ann, ben = visit(world.server, token_one), visit(world.server, token_other)
    for _ in range(5):
        before = ann.task, ben.task
        ann.page.keyboard.press("4")
        ben.page.keyboard.press("2")
        ann.until_task_is_not(before[0])
        ben.until_task_is_not(before[1])
    queries = [vote.query for vote in (*world.votes(study, one), *world.votes(study, other))]
    assert len(queries) == len(set(queries)) == 10
    store = world.store()
    assert progress(store, study.id).done == 10
    store.close()


def test_history_reopens_an_answer(world, visit):
    study = world.study(tasks=8)
    person, token = world.token("Ann")
    ann = visit(world.server, token)
    for key in "145":
        ann.press(key)
    ann.page.get_by_role("button", name="Menu").click()
    ann.page.get_by_role("link", name="My history").click()
    lines = ann.page.locator(".ek-mine")
    expect(lines).to_have_count(3)
    expect(lines.last).to_contain_text("Left much better")
    ann.page.get_by_role("button", name="Change").last.click()
    expect(ann.page.locator("#ek-saved")).to_contain_text("Left much better")
    ann.press("2")
    assert [(vote.shown, vote.revision) for vote in world.votes(study, person)] == [
        (1, 1),
        (2, 1),
        (-1, 2),
    ]
