"""The stage that lays out control and treatment side by side for people's votes.

No votes are made up. A study that has been made is never replaced, since people may have voted:
when the runs have changed, another one is added beside it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from evalkit.engines import open_engine
from evalkit.experiment.scores import MEASURES
from evalkit.manifest import fingerprint
from evalkit.progress import say

if TYPE_CHECKING:
    from evalkit.experiment.folder import Work
    from evalkit.store import Store

__all__ = ["make_study"]

_TWINS = 0.03
_REASONS = ("relevance", "price", "brand", "missing constraint", "duplicates", "variety")


def make_study(work: Work) -> None:
    """Make the study of control against treatment, open for votes, unless it is there."""
    from evalkit.store import StudyDesign, create_study, set_state
    from evalkit.store.drafting import StudyFiles, draft_study
    from evalkit.store.opening import open_store

    wanted = work.experiment.study
    if wanted is None:
        return
    chosen = work.experiment.comparisons
    several = [work.runs(wanted.queries, name) for name in (chosen.control, chosen.treatment)]
    runs = [each[0] for each in several]
    values = work.score(wanted.queries, chosen.control, chosen.treatment, "-per-query.parquet")
    # What the automated score thinks is of these very lists only where there is one seed.
    scored = all(len(each) == 1 for each in several)
    measure = f"{MEASURES[0]}@{chosen.cutoff}" if scored else None
    drawn = {"twins": _TWINS, "sample": wanted.sample, "measure": measure}
    store = open_store(f"sqlite:///{work.study}", create=True)
    try:
        wanted_as = (wanted.depth, wanted.overlap, wanted.seed, drawn)
        prints = [fingerprint(run) for run in runs]
        name, there = _find(store, work.experiment.name, prints, wanted_as)
        if there:
            say(f"{work.study} has the study {name} of these runs.")
            return
        design = StudyDesign(
            name,
            depth=wanted.depth,
            overlap=wanted.overlap,
            seed=wanted.seed,
            reasons=_REASONS,
        )
        files = StudyFiles(
            str(runs[0]),
            str(runs[1]),
            queries=str(work.queries(wanted.queries)),
            products=str(work.shop.products),
            per_query=str(values) if scored else None,
            mappings={"products": dict(work.experiment.catalogue.map)},
        )
        with open_engine(work.memory_limit) as connection:
            draft = draft_study(
                connection,
                files,
                design,
                twins=_TWINS,
                sample=wanted.sample,
                measure=measure,
                by=[chosen.by],
            )
        made = create_study(store, draft.design, draft.tasks)
        if draft.counts["real"]:
            set_state(store, made.id, "open")
        for warning in draft.warnings:
            say(f"Warning: {warning}")
        say(
            f"Wrote {work.study}: the study {name} with {draft.counts['real']:,} queries to vote "
            f"on; evalkit annotate --db {work.study} serves it."
        )
    finally:
        store.close()


def _find(store: Store, name: str, runs: list[str], wanted: tuple[Any, ...]) -> tuple[str, bool]:
    """Return the study of these runs, and True; or else a name that is free, and False."""
    from evalkit.store import studies

    known = {each.name: each.design for each in studies(store)}
    called = name
    for place in itertools.count(2):
        if called not in known:
            break
        found = known[called]
        inputs = found.design.get("inputs", ())
        used = [each["fingerprint"] for each in inputs if each["role"] in ("control", "treatment")]
        made_as = (found.depth, found.overlap, found.seed, found.design.get("drawn"))
        if used == runs and made_as == wanted:
            return called, True
        called = f"{name}-{place}"
    return called, False
