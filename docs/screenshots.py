"""Take the pictures of the annotation app in docs/images/, with Chromium.

    python docs/screenshots.py                     all of them
    python docs/screenshots.py --only annotate     those whose name has this in it

They show a temporary study of the runs that `make demo` leaves in demo/, after simulated people
have voted for a while; seeded, so that the same software gives the same pictures but for times.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from annotation import Server  # noqa: E402
from browser_votes import FLAGS, chromium_path  # noqa: E402

if TYPE_CHECKING:
    from evalkit.store import Item, Person, Store, Study

SEED = 7
LARGEST = 150_000  # bytes a picture
PEOPLE = ("Ana", "Ben", "Chloe", "Dan", "Emi")
MINUTE = 60_000


@dataclass(frozen=True)
class Shot:
    """One picture.

    Attributes:
        name: of its file, without the ending.
        path: of the page.
        width: of the viewport in CSS pixels.
        height: of the viewport in CSS pixels.
        scale: device pixels a CSS pixel.
        dark: in the dark theme.
        whole: the whole page, not only what fits the viewport.
        role: of who looks.
        keys: pressed before, one after another.
    """

    name: str
    path: str = "?study=1"
    width: int = 1366
    height: int = 768
    scale: float = 1
    dark: bool = False
    whole: bool = False
    role: str = "annotator"
    keys: str = ""


SHOTS = (
    Shot("annotate-1366x768"),
    Shot("annotate-dark", dark=True),
    Shot("annotate-390", width=390, height=844, scale=1.5),
    Shot("annotate-zoom-200", width=683, height=384, scale=2),  # of a window of 1366x768
    Shot("annotate-1366x900", height=900, keys="5"),  # a strong vote; reasons are offered
    Shot("grade-1366x768", path="?study=2", keys="3132"),
    Shot("studies", path="studies?study=1", whole=True, role="analyst"),
)


def make_studies(database: Path, runs: Path) -> dict[str, str]:
    """Make a side-by-side study with votes and one of grades; give a link's token by role."""
    from evalkit.store import find_study, invite, open_store, save_guideline

    url = f"sqlite:///{database}"
    files = [
        *("--control", str(runs / "control.parquet"), "--treatment"),
        *(str(runs / "treatment.parquet"), "--queries", str(ROOT / "sample_data/queries.csv")),
        *("--products", str(ROOT / "sample_data/products.jsonl"), "--by", "query_type"),
        *("--per-query", str(runs / "per-query.parquet"), "--seed", str(SEED), "--db", url),
    ]
    program = str(Path(sys.executable).parent / "evalkit")
    for options in (["demo", "--scale", "5"], ["grades", "--kind", "grade"]):
        subprocess.run(
            [program, "study", "create", *options, *files, "--open"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    with open_store(url) as store:
        study = find_study(store, "demo")
        save_guideline(
            store,
            study.id,
            None,
            "Which list would you rather get for this query?\n\n"
            "- Look at the first five first; that is where shoppers look.\n"
            "- A product that breaks a condition of the query is wrong, however nice it is.\n"
            "- Both lists useless? That is **Both bad**, not about the same.",
        )
        _vote_for_a_while(store, study)
        mia, token = invite(store, "Mia")
        _vote(store, study, mia, 12, 0.6, int(time.time() * 1000) - 10 * MINUTE)
        return {"annotator": token, "analyst": invite(store, "Noor", role="analyst")[1]}


def _vote_for_a_while(store: Store, study: Study) -> None:
    """Let people vote, each less exactly than the one before, until a few minutes ago."""
    from evalkit.store import invite

    start = int(time.time() * 1000) - 60 * MINUTE
    for number, name in enumerate(PEOPLE):
        person, _ = invite(store, name)
        _vote(store, study, person, 85 - 10 * number, 0.6 + 0.3 * number, start + number * MINUTE)


def _vote(store: Store, study: Study, person: Person, votes: int, error: float, start: int) -> None:
    """Let a person vote by the sample judgments with an error of their own."""
    from evalkit.store import Served, flag, next_task

    grades, queries = _judgments()

    def worth(query: str, items: tuple[Item, ...]) -> float:
        return sum(
            grades[queries[query], item.product_id] / (1 + 0.3 * place)
            for place, item in enumerate(items)
        )

    draw = random.Random(f"{SEED}-{person.name}")  # noqa: S311
    now = start
    for _ in range(votes):
        task = next_task(store, study.id, person, now=now)
        if not isinstance(task, Served):
            break
        difference = worth(task.query, task.right) - worth(task.query, task.left)
        shown = round((difference + draw.gauss(0, error)) / 2)
        if draw.random() < 0.01:
            flag(store, task.assignment_id, "Wrong language", "", person, now=now)
        now = _answer(store, task, max(-2, min(2, shown)), person, draw, now)


@cache
def _judgments() -> tuple[dict[tuple[str, str], float], dict[str, str]]:
    """Grades by query and product, and ids of queries by their texts."""
    grades: dict[tuple[str, str], float] = defaultdict(float)
    with (ROOT / "sample_data/judgments.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            grades[row["query_id"], row["product_id"]] = float(row["grade"])
    with (ROOT / "sample_data/queries.csv").open(encoding="utf-8", newline="") as file:
        return grades, {row["query"]: row["query_id"] for row in csv.DictReader(file)}


def _answer(
    store: Store, task: Any, shown: int, person: Person, draw: random.Random, now: int
) -> int:
    """Vote, or seldom skip; give the time of the next task."""
    from evalkit.store import Ballot, mark_shown, skip, submit

    mark_shown(store, task.assignment_id, person, now=now)
    then = now + int(1000 * draw.uniform(12, 55))
    if draw.random() < 0.02:
        reason = "I do not know this subject"
        skip(store, task.assignment_id, task.revision, reason, person, now=then)
        return then
    tags = ("relevance", "missing constraint", "price", "variety")
    ballot = Ballot(
        shown=shown,
        reasons=(draw.choice(tags),) if abs(shown) == 2 else (),
        active_ms=then - now,
        input_method="key",
        viewport="1366x768@1",
    )
    submit(store, task.assignment_id, task.revision, ballot, person, now=then)
    return then


def compressed(picture: bytes) -> bytes:
    """The same picture with a palette of as many colours as fit the limit."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= LARGEST:
            break
    return out.getvalue()


def take(shot: Shot, browser: Any, server: Server, token: str) -> bytes:
    """Open a page, wait until it stands still, and take its picture."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        device_scale_factor=shot.scale,
        color_scheme="dark" if shot.dark else "light",
        reduced_motion="reduce",
        timezone_id="Europe/Berlin",
        locale="en-GB",
    )
    page = context.new_page()
    context.request.get(f"{server.url}/invite/{token}")
    page.goto(f"{server.url}/{shot.path}")
    page.wait_for_selector("h1")

    def still() -> None:
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")

    still()
    for key in shot.keys:
        page.wait_for_selector("[data-ek-ready] #ek-task")
        page.wait_for_timeout(900)  # the minimum dwell
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        still()
    if shot.whole:
        # Streamlit scrolls inside the page; a window as tall as its content shows all of it
        tall = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": shot.width, "height": max(shot.height, tall)})
    page.wait_for_timeout(1500)  # fonts, and charts that are drawn anew at another size
    page.wait_for_function(
        "() => [...document.querySelectorAll('.js-plotly-plot')]"
        ".every(plot => plot.querySelector('.scatterlayer .trace path'))"
    )
    picture = page.screenshot()
    context.close()
    return bytes(picture)


def main() -> int:
    """Take the pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="names with this in them")
    parser.add_argument("--runs", type=Path, default=ROOT / "demo", help="where make demo put them")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    if not (given.runs / "per-query.parquet").exists():
        parser.error(f"{given.runs} holds no runs; make demo makes them")
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="evalkit-screenshots-") as name:
        folder = Path(name)
        tokens = make_studies(folder / "study.db", given.runs.resolve())
        with Server(folder / "study.db", folder / "log") as server, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
            for shot in SHOTS:
                if given.only in shot.name:
                    picture = compressed(take(shot, browser, server, tokens[shot.role]))
                    (given.folder / f"{shot.name}.png").write_bytes(picture)
                    print(f"{shot.name}.png {len(picture):,} bytes")
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
