"""Queries for people to grade: drawn from what was read, and written for a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.calibrating.human import PROBABILITY, chosen_probabilities, one_human_grade, refusals

if TYPE_CHECKING:
    from evalkit.calibrating.human import HumanGrades
    from evalkit.scoring import Inputs
    from metrics import LabelSample

__all__ = ["draw_sample", "write_sample"]


def draw_sample(
    inputs: Inputs,
    human: HumanGrades | None,
    count: int,
    *,
    probabilities: Any = None,
    source: str | None = None,
    human_source: str | None = None,
    aggregate: Any = None,
    **settings: Any,
) -> LabelSample:
    """Draw queries for people to grade.

    Args:
        inputs: as in `calibrate_inputs`.
        human: as there.
        count: queries to draw.
        probabilities: as there.
        source: as there.
        human_source: as there.
        aggregate: as there.
        **settings: keywords of `metrics.queries_to_label`.

    Raises:
        SettingsError: so many cannot be drawn.
    """
    from metrics import queries_to_label

    runs = list(inputs.runs.values())
    with refusals(inputs, human):
        judgments = _with_probability(inputs, source, aggregate)
        return queries_to_label(
            runs[0].relation,
            runs[1].relation if inputs.compared else None,
            judgments,
            one_human_grade(human, human_source, aggregate),
            None if inputs.queries is None else inputs.queries.relation,
            count=count,
            probabilities=chosen_probabilities(human, probabilities),
            check=False,
            **settings,
        )


def _with_probability(inputs: Inputs, source: str | None, aggregate: Any) -> Any:
    """The automated judgments, one a pair, with the judge's probability where it gives one."""
    import narwhals as nw

    from metrics import one_grade

    plain = one_grade(inputs.judgments.relation, source=source, aggregate=aggregate)
    if "probability" not in inputs.judgments.columns:
        return plain
    rows = nw.from_native(inputs.judgments.relation)
    if source is not None:
        rows = rows.filter(nw.col("source") == source)
    keys = ["query_id", "product_id"]
    known = rows.group_by(*keys).agg(probability=nw.col("probability").cast(nw.Float64).mean())
    return nw.from_native(plain).join(known, on=keys, how="left").to_native()


def write_sample(
    inputs: Inputs, sample: LabelSample, path: str, probabilities: str
) -> dict[str, Any]:
    """Write the drawn queries for `study create --kind grade`, and the probabilities of all.

    Args:
        inputs: what was read; the columns of its queries are kept.
        sample: what was drawn.
        path: where the drawn queries go.
        probabilities: where `query_id, inclusion_probability` of every query go.

    Returns:
        What the document says of it: `queries`, `settings`, `path` and `probabilities`.

    Raises:
        InputError: a file cannot be written.
        SettingsError: a name does not tell the format.
    """
    import pyarrow as pa

    from evalkit.tables import write

    connection = inputs.connection
    everything = pa.table(
        {
            "query_id": pa.array(sample.columns["query_id"], pa.string()),
            PROBABILITY: pa.array(sample.columns[PROBABILITY], pa.float64()),
        }
    )
    drawn = everything.filter(
        pa.array([q in set(sample.drawn) for q in sample.columns["query_id"]])
    )
    if inputs.queries is not None:
        connection.register("evalkit_drawn", drawn)
        kept = [f'"{name}"' for name in inputs.queries.columns if name != PROBABILITY]
        columns = ", ".join(f"q.{name}" for name in kept)
        drawn = connection.sql(
            f"SELECT {columns}, d.{PROBABILITY} FROM {inputs.queries.name} AS q "
            "JOIN evalkit_drawn AS d ON d.query_id = q.query_id ORDER BY q.query_id"
        ).fetch_arrow_table()
        connection.unregister("evalkit_drawn")
    write(drawn, path, kind="queries", connection=connection)
    write(everything, probabilities, kind="queries", connection=connection)
    return {
        "queries": len(sample.drawn),
        "settings": dict(sample.settings),
        "path": path,
        "probabilities": probabilities,
    }
