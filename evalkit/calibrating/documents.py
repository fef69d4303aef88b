"""From files to a calibration document: correct the automated figures, plan for a width.

The runs and the automated judgments are read as for a score (see `evalkit.scoring`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.calibrating.human import chosen_probabilities, one_human_grade, refusals

if TYPE_CHECKING:
    from evalkit.calibrating.human import HumanGrades
    from evalkit.scoring import Inputs
    from metrics import Calibration

__all__ = ["calibrate_inputs"]


def calibrate_inputs(
    inputs: Inputs,
    human: HumanGrades | None,
    *,
    probabilities: Any = None,
    source: str | None = None,
    human_source: str | None = None,
    aggregate: Any = None,
    judge: tuple[str | None, str | None] = (None, None),
    target_width: float | None = None,
    **settings: Any,
) -> tuple[dict[str, Any], Calibration]:
    """Correct what was read, and say how many more labels an interval needs.

    Args:
        inputs: what `read_inputs` returned: a control and a treatment, or a single run.
        human: people's grades; None where there are none yet.
        probabilities: `query_id, inclusion_probability` of all draws so far, as
            `sampling_probabilities` gives them; they count before what the grades tell.
        source: the source of the automated judgments.
        human_source: the source of people's grades, where they have several.
        aggregate: how several annotators' grades become one.
        judge: name of who judged, and the fingerprint of the model, where they are known.
        target_width: width of the interval to plan for, a fraction.
        **settings: keywords of `metrics.calibrate`.

    Returns:
        (the calibration document, ready for JSON; the calibration).

    Raises:
        SettingsError: the frames cannot be calibrated under these settings.
    """
    from evalkit.scoring import named_systems
    from evalkit.tables.query_sets import fingerprint_queries
    from metrics import calibrate, one_grade, plan_labels

    runs = list(inputs.runs.values())
    with refusals(inputs, human):
        judgments = one_grade(inputs.judgments.relation, source=source, aggregate=aggregate)
        found = calibrate(
            runs[0].relation,
            runs[1].relation if inputs.compared else None,
            judgments,
            one_human_grade(human, human_source, aggregate),
            None if inputs.queries is None else inputs.queries.relation,
            probabilities=chosen_probabilities(human, probabilities),
            check=False,
            **settings,
        )
        plan = None if target_width is None else plan_labels(found, target_width).to_dict()
    document = found.to_dict()
    size = document["query_set"]["size"]
    query_ids = _chunked(found.per_query_columns["query_id"])[:size]
    return {
        "kind": "calibration",
        "settings": {
            **document["settings"],
            "source": source,
            "human_source": human_source,
            "aggregate": aggregate,
            **inputs.settings,
        },
        "query_set": {
            **document["query_set"],
            **fingerprint_queries(query_ids, inputs.queries, document["settings"]["by"]),
        },
        "judge": {
            "name": judge[0],
            "model": judge[1],
            "source": source or _source(inputs),
            "aggregate": aggregate,
            "judgments": inputs.judgments.fingerprint,
        },
        "systems": named_systems(inputs),
        "human": None if human is None else {"source": human.named},
        "labelled": document["labelled"],
        "agreement": document["agreement"],
        "warnings": document["warnings"],
        "results": document["results"],
        "plan": plan,
        "sample": None,
        "inputs": [
            *inputs.describe(),
            *([] if human is None else human.inputs),
        ],
    }, found


def _chunked(ids: Any) -> Any:
    import pyarrow as pa

    return ids if isinstance(ids, pa.ChunkedArray) else pa.chunked_array([ids])


def _source(inputs: Inputs) -> str | None:
    """The source of the first judgment, as a score document has it."""
    judgments = inputs.judgments
    if "source" not in judgments.columns:
        return None
    row = inputs.connection.execute(f"SELECT source FROM {judgments.name} LIMIT 1").fetchone()
    return str(row[0]) if row and row[0] else None
