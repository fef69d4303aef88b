"""One person in Chromium: from the key or the pointer to the painted next task."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any

from crowd import summary

if TYPE_CHECKING:
    from annotation import Server

__all__ = ["FLAGS", "chromium_path", "vote_in_browser"]

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# When the input happened is the browser's own time stamp of the event. A frame in whose
# animation callback the next task is in the document paints it; a message posted there is handled
# after that paint. What goes over the websocket in between says how much of it is the server.
_WATCH = """
(() => {
  const vote = {armed: false};
  window.benchmarkVote = vote;
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", () => { if (vote.armed) vote.got = performance.now(); });
    }
    send(data) {
      if (vote.armed && vote.sent === undefined) vote.sent = performance.now();
      super.send(data);
    }
  };
  const happened = event => {
    if (vote.armed && vote.start === undefined) vote.start = event.timeStamp;
  };
  window.addEventListener("keydown", happened, true);
  window.addEventListener("pointerdown", happened, true);
  const afterPaint = then => {
    const once = new MessageChannel();
    once.port1.onmessage = () => then(performance.now());
    once.port2.postMessage(0);
  };
  const look = () => {
    if (!vote.armed) return;
    const task = document.querySelector("#ek-task")?.dataset.task;
    if (task && task !== vote.before && vote.shown === undefined) {
      vote.shown = -1;
      vote.received = vote.got;
      afterPaint(now => { vote.shown = now; });
    }
    const listens = document.documentElement.dataset.ekReady === task;
    if (task && task !== vote.before && listens && vote.ready === undefined) {
      vote.ready = -1;
      afterPaint(now => { vote.ready = now; });
    }
    if (vote.shown > 0 && vote.ready > 0) vote.armed = false;
    else requestAnimationFrame(look);
  };
  window.armVote = () => {
    Object.assign(vote, {armed: true, before: document.querySelector("#ek-task").dataset.task});
    for (const name of ["start", "sent", "got", "received", "shown", "ready"]) delete vote[name];
    requestAnimationFrame(look);
  };
})();
"""


def chromium_path() -> str | None:
    """Where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def vote_in_browser(
    server: Server, token: str, *, votes: int, warm_up: int, seed: int
) -> dict[str, Any]:
    """Vote by key and by mouse in turn.

    Args:
        server: the running app.
        token: of the person's invite link.
        votes: how many are timed of each kind.
        warm_up: votes before those.
        seed: of votes and pauses.

    Returns:
        For key and mouse: milliseconds to the painted next task, to its bar being ready for the
        next vote, until the vote was sent, and from there until the next task had come back.
        `without_effect` lists votes after which no next task came within ten seconds.
    """
    from playwright.sync_api import TimeoutError, sync_playwright  # noqa: A004

    draw = random.Random(seed)
    taken: dict[str, list[dict[str, float]]] = {"key": [], "mouse": []}
    unheard: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.add_init_script(_WATCH)
        page.goto(f"{server.url}/invite/{token}")
        page.wait_for_selector("[data-ek-ready] #ek-task")
        for number in range(-warm_up, 2 * votes):
            # beyond the minimum dwell, as somebody who reads would be
            page.wait_for_timeout(draw.uniform(900, 1200))
            method = ("key", "mouse")[number % 2]
            key = draw.choice("12345")
            place = None
            if method == "mouse":
                box = page.locator(f"[class*=st-key-vote-{key}-] button").bounding_box()
                if box is None:
                    raise SystemExit(f"the button of key {key} is not visible")
                place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
                page.mouse.move(*place)
            page.evaluate("() => window.armVote()")
            if place is None:
                page.keyboard.press(key)
            else:
                page.mouse.click(*place)
            try:
                page.wait_for_function("() => !window.benchmarkVote.armed", timeout=10_000)
            except TimeoutError:
                said = page.locator("#ek-saved").inner_text().strip()
                unheard.append(f"{method} {key}: {said or 'nothing was said'}")
                continue
            if number >= 0:
                taken[method].append(page.evaluate("() => window.benchmarkVote"))
        version = browser.version
        browser.close()

    def between(method: str, first: str, last: str) -> dict[str, float | int]:
        return summary([(each[last] - each[first]) / 1000 for each in taken[method]])

    return {
        "chromium": version,
        "without_effect": unheard,
        **{
            method: {
                "next_task": between(method, "start", "shown"),
                "bar_ready": between(method, "start", "ready"),
                "before_sending": between(method, "start", "sent"),
                "server": between(method, "sent", "received"),
            }
            for method in taken
        },
    }
