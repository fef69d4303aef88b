"""Everything there is to say about people against measures, as one JSON-ready dict.

`evalkit correlate` prints it. The figures come from `metrics`; here they are put beside where the
two sides come from, and beside the lists of the queries on which they part.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evalkit.errors import SettingsError, StoreError
from evalkit.reports.comparable import changes, systems_of, unnamed
from evalkit.reports.correlation.findings import headline_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.reports.correlation.sources import Automated, Lists, People
    from evalkit.store import Evaluation
    from metrics import Correlations

__all__ = ["correlation_document", "over_studies", "studies_document", "with_lists"]

_OPTIONS = {
    "by": "--by",
    "measures": "--measures",
    "cutoffs": "--at",
    "draws": "--draws",
    "seed": "--seed",
}


def correlation_document(
    people: People,
    automated: Automated,
    *,
    by: Sequence[str] = (),
    measures: Sequence[str] | None = None,
    cutoffs: Sequence[int] | None = None,
    draws: int = 1_000,
    seed: int = 0,
    top: int = 10,
) -> tuple[dict[str, Any], Correlations]:
    """Compare votes with the Δ of measures, query by query.

    Args:
        people: the votes.
        automated: the per-query values.
        by: segment columns of the per-query values, or of the votes.
        measures: only these measures.
        cutoffs: only these cutoffs, and measures of whole lists.
        draws: resamples of the bootstrap.
        seed: of everything random.
        top: how many of the queries on which both disagree most are listed.

    Returns:
        The document and the queries behind it. The document has `kind` (`correlation`),
        `settings`, `human` (`source`, `votes`, `queries`, `annotators`, `automatic`, `scale`,
        `fingerprint`), `automated` (`source`, `fingerprint`), `left_out`, `warnings`, `results`
        (rows of `metrics.Correlated`), `ranking` (of `metrics.MeasureRanked`), `headline`
        (`measure` and `cutoff` that are spoken of first), `disagreements` (of
        `metrics.Disagreement` with `query`, `control` and `treatment`, of that measure), `systems`
        (see `over_studies`) and `inputs`. What does not exist is None.

    Raises:
        SettingsError: the two cannot be compared under these settings.
    """
    from metrics import MetricsError, correlate, disagreements

    try:
        found = correlate(
            people.votes,
            automated.values,
            by=by,
            measures=measures,
            cutoffs=cutoffs,
            draws=draws,
            seed=seed,
        )
    except MetricsError as error:
        option = _OPTIONS.get(error.setting or "")
        where = option or f"{people.source} against {automated.source}"
        raise SettingsError(f"{where}: {error}.") from error
    said = found.to_dict()
    document = {
        "kind": "correlation",
        "settings": {**said["settings"], "top": top},
        "human": {
            "source": people.source,
            **said["human"],
            "fingerprint": people.fingerprint,
        },
        "automated": {"source": automated.source, "fingerprint": automated.fingerprint},
        "left_out": said["left_out"],
        "warnings": said["warnings"],
        "results": said["results"],
        "ranking": said["ranking"],
        "headline": None,
        "disagreements": [],
        "systems": None,
        "inputs": [*people.inputs, *automated.inputs],
    }
    document["headline"] = _headline(document, automated, measures, cutoffs)
    row = headline_row(document)
    if row is not None and row["queries"]:
        document["disagreements"] = [
            {**each.to_dict(), "query": None, "control": None, "treatment": None}
            for each in disagreements(found, row["measure"], row["cutoff"], top)
        ]
    with_lists(document, people.lists)
    with_lists(document, automated.lists)
    return document, found


def with_lists(
    document: dict[str, Any], lists: Lists, texts: Mapping[str, str] | None = None
) -> None:
    """Put text and lists to the disagreements that have none yet.

    Args:
        document: a correlation document; it is changed.
        lists: both lists by query id.
        texts: query texts by id.
    """
    for row in document["disagreements"]:
        entry = lists.get(row["query_id"], {})
        if row["query"] is None:
            row["query"] = entry.get("query") or (texts or {}).get(row["query_id"])
        if row["control"] is None and row["treatment"] is None:
            row["control"], row["treatment"] = entry.get("control"), entry.get("treatment")


def over_studies(
    studies: Sequence[Evaluation],
    scores: Sequence[Evaluation],
    *,
    measures: Sequence[str] | None = None,
    cutoffs: Sequence[int] | None = None,
    draws: int = 1_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare GSB with the Δ of measures over the studies of a history.

    A recorded study and the recorded score of the same week and name are one point. Left out are
    studies whose votes are not all in, and those of other systems than the score, or of the same
    with exchanged roles.

    Args:
        studies: recorded evaluations of the kind study.
        scores: those of the kind score.
        measures: only these measures.
        cutoffs: only these cutoffs, and measures of whole lists.
        draws: resamples of the bootstrap.
        seed: of resamples and permutations.

    Returns:
        `settings`, `results` (rows of `metrics.SystemCorrelated`), `points` (`study, measure,
        cutoff, gsb, delta`) and `warnings`: which weeks are left out, and where query set, judge or
        settings of those that are not changed from one to the next.

    Raises:
        StoreError: there is no such pair.
    """
    import pyarrow as pa

    from metrics import MetricsError, correlate_systems

    by_week = {(each.week, each.name): each for each in studies}
    several = len({name for _, name in by_week}) > 1
    pairs, warnings = [], []
    for score in scores:
        study = by_week.get((score.week, score.name))
        reason = None if study is None else _not_a_pair(study, score)
        if study is not None and reason is None:
            pairs.append((study, score))
        elif reason is not None:
            warnings.append(f"{score.week} {score.name} is left out: {reason}.")
    of_study = {(study.week, study.name): _gsb(study.document) for study, _ in pairs}
    points = [
        {
            "study": f"{score.week} {score.name}" if several else score.week,
            "measure": row["measure"],
            "cutoff": row["cutoff"],
            "gsb": of_study[score.week, score.name],
            "delta": row["delta"],
        }
        for _, score in pairs
        for row in score.document["results"]
        if not row["segment"]
        and row.get("delta") is not None
        and (measures is None or row["measure"] in measures)
        and (cutoffs is None or row["cutoff"] is None or row["cutoff"] in cutoffs)
    ]
    if not any(point["gsb"] is not None for point in points):
        raise StoreError(
            " ".join(
                [
                    "no week has both a study with votes and a score of two runs recorded under one"
                    " name; record them with evalkit study record STUDY --week WEEK and evalkit"
                    " score … --record --week WEEK.",
                    *warnings,
                ]
            )
        )
    columns = {name: [point[name] for point in points] for name in points[0]}
    frame = pa.table(columns | {"cutoff": pa.array(columns["cutoff"], pa.int64())})
    try:
        found = correlate_systems(frame, draws=draws, seed=seed).to_dict()
    except MetricsError as error:
        option = _OPTIONS.get(error.setting or "")
        raise SettingsError(f"{option or 'the recorded studies'}: {error}.") from error
    return {**found, "warnings": [*warnings, *_unlike(pairs)]}


def _not_a_pair(study: Evaluation, score: Evaluation) -> str | None:
    """Why GSB of a study does not belong to the Δ of a score, None where it does."""
    progress = study.document.get("progress") or {}
    if progress.get("complete", 0) < progress.get("tasks", 0):
        return "the votes of its study are not all in"
    names = [systems_of(each) for each in (study, score)]
    # runs that do not name their system are called control and treatment in a study
    voted, scored = (tuple(each.get(role) for role in ("control", "treatment")) for each in names)
    if None in (*voted, *scored) or voted == ("control", "treatment") or voted == scored:
        return None
    return f"people compared {voted[0]} → {voted[1]}, the score {scored[0]} → {scored[1]}"


def _unlike(pairs: Sequence[tuple[Evaluation, Evaluation]]) -> Iterator[str]:
    """What differs between points that stand in one correlation, a sentence each kind."""
    several = len({study.name for study, _ in pairs}) > 1
    ordered = sorted(pairs, key=lambda pair: (pair[0].name, pair[0].week))
    for (before, scored), (after, now) in pairwise(ordered):
        told = changes(scored, now)
        # a study may ask other queries of the same set
        of_votes = [each for each in changes(before, after) if "query set" not in each]
        told += [each for each in of_votes if each not in told]
        if unnamed(scored, now):
            told.append("no judge is named, and the judgments differ")
        if told:
            weeks = [
                f"{each.week} {each.name}" if several else each.week for each in (before, after)
            ]
            yield (
                f"{' and '.join(weeks)} are not figures of the same thing, and stand in "
                f"one correlation: {'; '.join(told)}."
            )


def studies_document(systems: dict[str, Any]) -> dict[str, Any]:
    """Return a correlation document that holds the figures over studies only."""
    return {
        "kind": "correlation",
        "settings": systems["settings"],
        "human": None,
        "automated": None,
        "left_out": {},
        "warnings": list(systems.get("warnings") or ()),
        "results": [],
        "ranking": [],
        "headline": None,
        "disagreements": [],
        "systems": systems,
        "inputs": [],
    }


def _headline(
    document: Mapping[str, Any],
    automated: Automated,
    measures: Sequence[str] | None,
    cutoffs: Sequence[int] | None,
) -> dict[str, Any] | None:
    """The figure that is spoken of first: the first that was asked for, else that of the table."""
    import narwhals as nw

    values = nw.from_native(automated.values).lazy()
    there = [name for name in ("measure", "cutoff") if name in values.collect_schema().names()]
    table = values.select(there).collect(backend="pyarrow")
    depths = table["cutoff"].to_list() if "cutoff" in there else [None] * len(table)
    order = list(dict.fromkeys(zip(table["measure"].to_list(), depths, strict=True)))
    figures = [(row["measure"], row["cutoff"]) for row in document["results"] if not row["segment"]]
    first = measures[0] if measures else order[0][0]
    depth = cutoffs[0] if cutoffs else None
    # asked for before not, then as the table has them
    best = min(
        figures,
        key=lambda one: (
            one[0] != first,
            depth is not None and one[1] not in (depth, None),
            order.index(one) if one in order else len(order),
        ),
    )
    return {"measure": best[0], "cutoff": best[1]}


def _gsb(document: Mapping[str, Any]) -> float | None:
    """GSB of a recorded study; None where nobody had voted."""
    gsb = document.get("gsb")
    return gsb["overall"]["gsb"] if gsb else None
