"""A small shop on disk, and people who vote on its studies as the pages do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.store import (
    Ballot,
    Finished,
    Served,
    Store,
    find_study,
    invite,
    mark_shown,
    next_task,
    open_store,
    submit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

QUERIES = 12
SAME = ("q11", "q12")  # both runs answer these alike
FILES = (
    *("--control", "control.run", "--treatment", "treatment.csv"),
    *("--queries", "queries.csv", "--products", "products.jsonl"),
)
START = 1_764_000_000_000


def write_shop() -> None:
    """Two runs, queries and products in the current folder.

    Control lists hold products that begin with `c`, treatment lists with `t`; `s` is in both.
    """
    names = [f"q{number:02}" for number in range(1, QUERIES + 1)]
    control = {q: [f"c{q}", "s1"] for q in names} | {q: ["s1", "s2"] for q in SAME}
    treatment = {q: [f"t{q}", "s1"] for q in names} | {q: ["s1", "s2"] for q in SAME}
    Path("control.run").write_text(
        "".join(
            f"{q} Q0 {product} {rank} {10 - rank}.0 lexical\n"
            for q, products in control.items()
            for rank, product in enumerate(products, 1)
        )
    )
    Path("treatment.csv").write_text(
        "query_id,product_id,rank,system\n"
        + "".join(
            f"{q},{product},{rank},dense\n"
            for q, products in treatment.items()
            for rank, product in enumerate(products, 1)
        )
    )
    Path("queries.csv").write_text(
        "query_id,query,query_type,department\n"
        + "".join(
            f"{q},words of {q},{'negative' if at % 2 else 'knowledge'},shoes\n"
            for at, q in enumerate(names)
        )
    )
    products = sorted(
        {p for lists in (control, treatment) for each in lists.values() for p in each}
    )
    Path("products.jsonl").write_text(
        "".join(json.dumps({"product_id": p, "title": f"Product {p}"}) + "\n" for p in products)
    )


def treatment_stands(served: Served) -> str | None:
    """On which side the treatment is, which only this shop's product ids can tell."""
    for side, items in (("left", served.left), ("right", served.right)):
        if items and items[0].product_id.startswith("t"):
            return side
    return None


def for_treatment(preference: int) -> Callable[[Served], Ballot]:
    """Vote for the treatment (above 0), for neither, or for the control, wherever it stands."""

    def choose(served: Served) -> Ballot:
        return Ballot(shown=-preference if treatment_stands(served) == "left" else preference)

    return choose


def vote(
    url: str,
    study: str,
    people: Iterable[str],
    choose: Callable[[Served], Ballot],
    *,
    limit: int = 1000,
) -> int:
    """Let people vote in turns until nothing is left for anybody, or the limit; how many votes."""
    store = open_store(url)
    try:
        return _vote(store, find_study(store, study).id, list(people), choose, limit)
    finally:
        store.close()


def _vote(store: Store, study_id: int, names: list[str], choose: Any, limit: int) -> int:
    persons = [invite(store, name)[0] for name in names]
    now, given = START, 0
    while given < limit:
        before = given
        for person in persons:
            if given == limit:
                break
            served = next_task(store, study_id, person, now=now)
            if isinstance(served, Finished):
                continue
            mark_shown(store, served.assignment_id, person, now=now)
            now += 20_000
            done = submit(
                store, served.assignment_id, served.revision, choose(served), person, now=now
            )
            assert done.status == "stored"
            given += 1
        if given == before:
            break
    return given
