"""Stages that compare runs: a score document for every comparison, with its page."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalkit.engines import open_engine
from evalkit.experiment.description import FAMILY
from evalkit.manifest import Input, Manifest, fingerprint, finished_before, read_manifest
from evalkit.progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from evalkit.experiment.description import Experiment
    from evalkit.experiment.folder import Work
    from evalkit.scoring import Inputs

__all__ = ["MEASURES", "comparisons", "score_files", "score_set", "write_page_of"]

MEASURES = ("item_goodrate", "query_goodrate")


def comparisons(experiment: Experiment) -> list[tuple[str, str]]:
    """Return what is compared, as pairs of systems: which is the control, which the treatment.

    Every system with the control, and then the treatment with every other one.
    """
    control, treatment = experiment.comparisons.control, experiment.comparisons.treatment
    others = [name for name in experiment.systems if name not in (control, treatment)]
    return [
        (control, treatment),
        *((control, name) for name in others),
        *((name, treatment) for name in others),
    ]


def score_set(work: Work, queries: str) -> None:
    """Score all comparisons on one set of queries."""
    for control, treatment in comparisons(work.experiment):
        _score(work, queries, control, treatment)


def score_files(work: Work, queries: str) -> list[Path]:
    """Return the score documents of a set."""
    return [work.score(queries, *systems) for systems in comparisons(work.experiment)]


def _runs(work: Work, queries: str, control: str, treatment: str) -> dict[str, Path]:
    """Return the runs that are compared: `control` and `treatment`, or those of every seed.

    A system without seeds meets each seed of the other one.
    """
    controls, treatments = work.runs(queries, control), work.runs(queries, treatment)
    if len(treatments) < len(controls):
        treatments = treatments * len(controls)
    return {**_by_place("control", controls), **_by_place("treatment", treatments)}


def _by_place(name: str, paths: list[Path]) -> dict[str, Path]:
    if len(paths) == 1:
        return {name: paths[0]}
    return {f"{name}_{place}": path for place, path in enumerate(paths, start=1)}


def _score(work: Work, queries: str, control: str, treatment: str) -> None:
    from evalkit.files import write_text
    from evalkit.reports.score_exports import format_json
    from evalkit.tables import write

    started = time.monotonic()
    output = work.score(queries, control, treatment)
    values = work.score(queries, control, treatment, "-per-query.parquet")
    output.parent.mkdir(parents=True, exist_ok=True)
    wanted = _manifest(work, queries, control, treatment, "evalkit score")
    if not work.force and all(finished_before(path, wanted) for path in (output, values)):
        say(f"{output} is up to date (same runs, judgments and settings).")
        return
    with open_engine(work.memory_limit) as connection:
        _, document, per_query = _scored(work, queries, control, treatment, connection)
        write(per_query, values, kind="per_query", connection=connection)
    write_text(format_json(document), output)
    wanted = replace(wanted, warnings=tuple(document["warnings"]))
    for path in (values, output):
        wanted.write(path, started=started)
    for warning in document["warnings"]:
        say(f"Warning: {warning}")
    say(f"Wrote {output}.")


def write_page_of(work: Work, queries: str) -> Path:
    """Write the page of control against treatment, with what moved most side by side."""
    from evalkit.reports.query_moves import biggest_moves
    from evalkit.reports.score_page import write_page
    from evalkit.scoring import moved_lists
    from metrics import Scoring

    started = time.monotonic()
    chosen = work.experiment.comparisons
    control, treatment = chosen.control, chosen.treatment
    output = work.page(queries)
    output.parent.mkdir(parents=True, exist_ok=True)
    wanted = _manifest(work, queries, control, treatment, "evalkit run: page")
    if not work.force and finished_before(output, wanted) is not None:
        say(f"{output} is up to date (same runs, judgments and settings).")
        return output
    with open_engine(work.memory_limit) as connection:
        _, document, per_query = _scored(work, queries, control, treatment, connection)
        wins, losses = biggest_moves(per_query, MEASURES[0], chosen.cutoff, count=10)
        moved = [move.query_id for move in (*wins, *losses)]
        scoring = Scoring(cutoffs=(chosen.cutoff,), good=_good(work, queries), depth="fixed")
        first = {
            "control": work.runs(queries, control)[0],
            "treatment": work.runs(queries, treatment)[0],
        }
        inputs = _read(work, queries, first, connection, products=True)
        lists = moved_lists(inputs, document, moved, scoring)
    title = f"{work.experiment.name}, {queries}: {control} against {treatment}"
    if any(len(work.runs(queries, name)) > 1 for name in (control, treatment)):
        title += " (values of all seeds, lists of the first)"
    write_page(document, per_query, output, lists=lists, title=title)
    wanted.write(output, started=started)
    say(f"Wrote {output}.")
    return output


def _manifest(work: Work, queries: str, control: str, treatment: str, command: str) -> Manifest:
    files = {
        **_runs(work, queries, control, treatment),
        "judgments": work.judgments(queries),
        "queries": work.queries(queries),
    }
    return Manifest(
        command=command,
        settings={"control": control, "treatment": treatment, **_settings(work, queries)},
        inputs=tuple(Input(role, str(path), fingerprint(path)) for role, path in files.items()),
    )


def _scored(
    work: Work, queries: str, control: str, treatment: str, connection: DuckDBPyConnection
) -> tuple[Inputs, dict[str, Any], Any]:
    """Score two systems; return what was read, the score document and every query's values."""
    from evalkit.scoring import score_inputs

    inputs = _read(work, queries, _runs(work, queries, control, treatment), connection)
    judge = _judge(work.judgments(queries), inputs.judgments.fingerprint)
    document, per_query = score_inputs(inputs, judge=judge, **_settings(work, queries))
    document["systems"] = {"control": control, "treatment": treatment}
    document["warnings"] = [*_circular(inputs, document), *document["warnings"]]
    return inputs, document, per_query


def _read(
    work: Work,
    queries: str,
    runs: Mapping[str, Path],
    connection: DuckDBPyConnection,
    *,
    products: bool = False,
) -> Inputs:
    from evalkit.scoring import Columns, read_inputs

    return read_inputs(
        connection,
        {name: str(path) for name, path in runs.items()},
        str(work.judgments(queries)),
        str(work.queries(queries)),
        str(work.shop.products) if products else None,
        compared=True,
        columns=Columns(of_kind={"products": dict(work.experiment.catalogue.map)}),
    )


def _settings(work: Work, queries: str) -> dict[str, Any]:
    """Return how a set is scored: keywords of `metrics.compare_runs`."""
    chosen = work.experiment.comparisons
    cluster = chosen.cluster
    if cluster == FAMILY and not _has_families(work.queries(queries)):
        cluster = None
    return {
        "cutoffs": (chosen.cutoff,),
        "good": _good(work, queries),
        "depth": "fixed",
        "by": [chosen.by],
        "measures": list(MEASURES),
        "seed": chosen.seed,
        **({} if cluster is None else {"cluster": cluster}),
    }


def _has_families(queries: Path) -> bool:
    """Whether two queries of a set share a family."""
    import pyarrow.parquet as pq

    if FAMILY not in pq.read_schema(queries).names:
        return False
    stated = [name for name in pq.read_table(queries, columns=[FAMILY])[FAMILY].to_pylist() if name]
    return len(set(stated)) < len(stated)


def _good(work: Work, queries: str) -> float:
    """Return the grade from which a product is good; the checker's when it passes all."""
    from evalkit.relevance.catalogue_judge import GRADES

    wanted = work.experiment.queries[queries]
    if wanted.judgments is None:
        return GRADES["pass"]
    return 1.0 if wanted.good is None else wanted.good


def _judge(judgments: Path, written: str) -> tuple[str | None, str | None]:
    """Return the judge's name and the fingerprint of its model, where a manifest tells."""
    from evalkit.errors import InputError

    try:
        manifest = read_manifest(judgments)
    except InputError:
        return None, None
    if manifest.outputs.get(judgments.name, {}).get("fingerprint") != written:
        return None, None
    if not manifest.models:
        return manifest.settings.get("judge"), None
    return manifest.models[0].get("id"), manifest.models[0].get("fingerprint")


def _circular(inputs: Inputs, document: dict[str, Any]) -> list[str]:
    """Warn of runs whose model was trained on what their judge selected."""
    from evalkit.circularity import circular_warning, judge_models, pairs_behind

    models = judge_models(inputs.judgments.path, inputs.judgments.fingerprint)
    found = [
        circular_warning(
            name, document["judge"]["name"], models, pairs_behind(run.path, run.fingerprint)
        )
        for name, run in inputs.runs.items()
    ]
    return [warning for warning in found if warning is not None]
