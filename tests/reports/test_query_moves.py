"""Moves are read from per-query tables of today, and from older ones without weights."""

import pyarrow as pa

from evalkit.reports.query_moves import moves

OLD = {
    "query_id": ["b", "a"],
    "traffic": ["head", "tail"],
    "measure": ["mrr", "mrr"],
    "cutoff": pa.nulls(2, pa.int64()),
    "control": [0.5, 0.5],
    "treatment": [0.5, 1.0],
    "delta": [0.0, 0.5],
}


def test_weights_are_no_segments():
    new = {**OLD, "weight_control": [1.0, 2.0], "weight_treatment": [1.0, 2.0]}
    assert moves(new, "mrr", None) == moves(OLD, "mrr", None)
    assert [move.segment for move in moves(new, "mrr", None)] == [
        {"traffic": "tail"},
        {"traffic": "head"},
    ]
