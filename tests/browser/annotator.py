"""Somebody at a browser, and what the page tells them."""

from __future__ import annotations


class Annotator:
    """Somebody at a browser of their own."""

    def __init__(self, chromium, server, token: str, **options) -> None:
        self.server = server
        self.context = chromium.new_context(
            **{"viewport": {"width": 1366, "height": 768}, **options}
        )
        # pictures of the tests' products have no server
        self.context.route("https://images.shop.example/**", lambda route: route.abort())
        self.page = self.context.new_page()
        self.token = token

    def enter(self) -> Annotator:
        self.page.goto(f"{self.server.url}/invite/{self.token}")
        self.until_ready()
        return self

    def until_ready(self) -> None:
        """Wait until the page listens to keys."""
        self.page.wait_for_selector("[data-ek-ready] #ek-task, #ek-rest")

    @property
    def task(self) -> str:
        return self.page.locator("#ek-task").get_attribute("data-task") or ""

    @property
    def done(self) -> int:
        return int(self.page.locator("#ek-progress").get_attribute("data-done"))

    @property
    def said(self) -> str:
        return self.page.locator("#ek-saved").inner_text().strip()

    def until_task_is_not(self, before: str) -> None:
        self.page.wait_for_function(
            "before => { const ready = document.documentElement.dataset.ekReady;"
            " return document.querySelector('#ek-rest, #ek-feedback')"
            " || (ready && ready !== before"
            " && ready === document.querySelector('#ek-task')?.dataset.task); }",
            arg=before,
        )

    def key(self, key: str) -> None:
        """Press a key that does not vote, and wait until the page has dealt with it."""
        before = self.page.evaluate("document.documentElement.dataset.ekRun")
        self.page.keyboard.press(key)
        self.page.wait_for_function(
            "before => document.documentElement.dataset.ekRun !== before", arg=before
        )

    def press(self, key: str) -> None:
        """Vote with a key and wait for the next task."""
        before = self.task
        self.page.keyboard.press(key)
        self.until_task_is_not(before)

    def click(self, words: str) -> None:
        """Vote with the mouse and wait for the next task."""
        before = self.task
        self.page.get_by_role("button", name=words).click()
        self.until_task_is_not(before)
