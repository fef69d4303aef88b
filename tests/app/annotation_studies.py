"""Small studies for the tests of the app, made through the store."""

from __future__ import annotations

from evalkit.store import (
    Answer,
    Item,
    StudyDesign,
    TaskDraft,
    create_study,
    open_store,
    save_guideline,
    set_state,
)

WORDS = (
    "Acoustic guitar for beginners, full size, with bag and tuner",
    "Steel water bottle 750 ml",
    "Wool socks, three pairs",
    "Desk lamp with a very long name that goes on about its arm, its shade, its switch, its cable "
    "and the three temperatures of its light until nobody can read it on two lines",
    "مصباح مكتب",
    "Trail running shoes",
)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> $a$ :red[x] # ~~no~~ </div>"
REASONS = ("relevance", "price", "brand", "missing constraint", "duplicates", "variety")


def item(number: int, rank: int, **changes) -> Item:
    fields = {
        "product_id": f"p{number:03}",
        "rank": rank,
        "title": f"{WORDS[number % len(WORDS)]} {number}",
        "brand": ("Northwind", "Lumen & Co", None)[number % 3],
        "price": f"${9 + number}.90",
        "attributes": {"Color": "black", "Weight": f"{number} g"},
        "image": f"https://images.shop.example/{number}.png" if number % 3 else None,
        "description": "It does what it should. " * 8 if number % 2 else None,
    }
    return Item(**{**fields, **changes})


def lists(number: int, depth: int = 10) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Two lists that share some products: one at the same rank, some elsewhere."""
    one = [number * 20 + place for place in range(depth)]
    other = [one[0], one[2], one[1], *(number * 20 + 10 + place for place in range(depth - 3))]
    return (
        tuple(item(product, rank) for rank, product in enumerate(one, 1)),
        tuple(item(product, rank) for rank, product in enumerate(other, 1)),
    )


def real(number: int, *, exchanged: bool = False, **changes) -> TaskDraft:
    control, treatment = lists(number)
    if exchanged:
        control, treatment = treatment, control
    fields = {
        "kind": "real",
        "query_id": f"q{number:03}",
        "query": f"lamp for desk {number}",
        "query_type": ("brand", "feature")[number % 2],
        "segments": {"query_type": ("brand", "feature")[number % 2]},
        "control": control,
        "treatment": treatment,
        "automated_delta": 0.1 * (number % 3 - 1),
    }
    return TaskDraft(**{**fields, **changes})


def practice(number: int) -> TaskDraft:
    control, treatment = lists(number)
    return TaskDraft(
        kind="practice",
        query_id=f"practice{number}",
        query=f"practice lamp {number}",
        query_type="brand",
        control=control,
        treatment=treatment,
        answer=Answer(preferences=(1,), explanation="The other list has no lamps at all."),
    )


def make_study(url, name="lamps", *, tasks=40, drafts=None, state="open", **design):
    """A study in a new or present database; the database is opened and closed again."""
    settings = {
        "scale": 5,
        "overlap": 3,
        "min_dwell_ms": 0,
        "control_system": "oldengine",
        "treatment_system": "newengine",
        "segments": ("query_type",),
        "reasons": REASONS,
    }
    store = open_store(url, create=True)
    try:
        if drafts is None:
            drafts = [real(number) for number in range(tasks)]
        study = create_study(store, StudyDesign(name=name, **{**settings, **design}), drafts)
        save_guideline(store, study.id, None, "Look at **both** lists.\n\n- price\n- brand")
        save_guideline(store, study.id, "feature", "# Features\nThe feature must be there.")
        if state != "draft":
            set_state(store, study.id, "open")
        if state in ("paused", "closed"):
            set_state(store, study.id, state)
        return study
    finally:
        store.close()
