"""Where people and a measure part: the order of the queries, and the ROC curve."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import numpy as np
import plain_correlation as plain
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_curve

from metrics import MetricsError, correlate, disagreements, roc

if TYPE_CHECKING:
    from metrics import Correlations

Row = tuple[int, float]


def compared(rows: dict[str, Row], votes: int = 1, **columns: list[str]) -> Correlations:
    """One query a row: what everybody said, and Δ."""
    ids = list(rows)
    return correlate(
        pa.table(
            {
                "query_id": np.repeat(ids, votes),
                "annotator": np.tile([f"a{person}" for person in range(votes)], len(ids)),
                "preference": np.repeat([said for said, _ in rows.values()], votes),
            }
        ),
        pa.table(
            {
                "query_id": ids,
                "measure": ["mrr"] * len(ids),
                "delta": [delta for _, delta in rows.values()],
                **columns,
            }
        ),
        by=list(columns),
        draws=0,
    )


some_rows = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([-0.4, -0.1, 0.0, 0.1, 0.2])),
    min_size=1,
    max_size=12,
).map(lambda rows: {f"q{at:02}": row for at, row in enumerate(rows)})


def test_opposite_signs_come_before_larger_gaps() -> None:
    found = disagreements(
        compared({"a": (1, 0.0), "b": (1, 0.1), "c": (-1, 0.01), "d": (0, -0.5)}), "mrr"
    )
    assert [(row.query_id, row.opposite) for row in found] == [
        ("c", True), ("a", False), ("d", False), ("b", False),
    ]  # fmt: skip
    # h ranks: c 1, d 2, a and b 3.5; Δ ranks: d 1, a 2, c 3, b 4; scaled by 3
    assert [row.gap for row in found] == pytest.approx([-2 / 3, 0.5, 1 / 3, -1 / 6])


def test_a_row_carries_what_a_page_shows() -> None:
    row = disagreements(compared({"a": (1, -0.25), "b": (0, 0.5)}, votes=2), "mrr", count=1)[0]
    assert json.loads(json.dumps(row.to_dict())) == {
        "query_id": "a", "measure": "mrr", "cutoff": None, "segment": {}, "human": 1.0,
        "delta": -0.25, "votes": 2, "good": 2, "same": 0, "bad": 0, "verdict": 1, "automated": -1,
        "opposite": True, "gap": 1.0,
    }  # fmt: skip


def test_of_equal_gaps_the_query_with_more_votes_comes_first() -> None:
    votes = pa.table(
        {
            "query_id": ["a", "b", "b", "c", "d"],
            "annotator": ["ann", "ann", "bob", "ann", "ann"],
            "preference": [1, 1, 1, -1, 1],
        }
    )
    deltas = pa.table(
        {"query_id": list("abcd"), "measure": ["mrr"] * 4, "delta": [-0.1, -0.1, 0.2, -0.1]}
    )
    found = disagreements(correlate(votes, deltas), "mrr")
    assert [row.query_id for row in found] == ["c", "b", "a", "d"]


def test_perfect_agreement_leaves_nothing_to_show() -> None:
    assert disagreements(compared({"a": (1, 0.2), "b": (0, 0.0), "c": (-1, -0.1)}), "mrr") == []


def test_the_list_is_as_long_as_asked_and_of_the_segment_asked() -> None:
    rows: dict[str, Row] = {f"q{at}": (1 if at < 3 else -1, -0.1 * (1 if at < 3 else -1))
                            for at in range(6)}  # fmt: skip
    found = compared(rows, type=["x", "y"] * 3)
    assert len(disagreements(found, "mrr", count=4)) == 4
    of_x = disagreements(found, "mrr", segment={"type": "x"})
    assert [row.query_id for row in of_x] == ["q4", "q0", "q2"]
    assert {row.segment["type"] for row in of_x} == {"x"}
    with pytest.raises(MetricsError, match="count must be 0 or more, not -1"):
        disagreements(found, "mrr", count=-1)


@settings(deadline=None, max_examples=40)
@given(some_rows)
def test_gaps_are_differences_of_scaled_ranks(rows: dict[str, Row]) -> None:
    said, delta = zip(*rows.values(), strict=True)
    scale = max(len(rows) - 1, 1)
    gaps = (stats.rankdata(said) - stats.rankdata(delta)) / scale
    found = disagreements(compared(rows), "mrr", count=99)
    assert {row.query_id: row.gap for row in found} == {
        query: pytest.approx(gap)
        for query, gap, (h, d) in zip(rows, gaps, rows.values(), strict=True)
        if abs(gap) > 1e-12 or h * d < 0
    }
    keys = [(not row.opposite, -abs(row.gap)) for row in found]
    assert all(a <= (b[0], b[1] + 1e-12) for a, b in itertools.pairwise(keys))


@settings(deadline=None, max_examples=40)
@given(some_rows)
def test_the_curve_is_that_of_sklearn(rows: dict[str, Row]) -> None:
    found = compared(rows)
    curve = roc(found, "mrr")
    decided = [(said, delta) for said, delta in rows.values() if said]
    if len({said for said, _ in decided}) < 2:
        assert curve is None
        return
    assert curve is not None
    false, true, thresholds = roc_curve(
        [said > 0 for said, _ in decided], [delta for _, delta in decided],
        drop_intermediate=False,
    )  # fmt: skip
    assert curve.true_positive == pytest.approx(true)
    assert curve.false_positive == pytest.approx(false)
    assert curve.thresholds == [None, *thresholds[1:]]
    assert curve.auc == pytest.approx(found.rows[0].auc)
    assert curve.auc == pytest.approx(plain.auc(*map(list, zip(*decided, strict=True))))


def test_a_curve_of_a_segment_is_of_its_queries() -> None:
    rows: dict[str, Row] = {"a": (1, 0.3), "b": (-1, 0.1), "c": (1, 0.0), "d": (-1, 0.2)}
    found = compared(rows, type=["x", "x", "y", "y"])
    curves = [roc(found, "mrr", segment={"type": name}) for name in "xy"]
    assert [curve.auc for curve in curves if curve] == [1.0, 0.0]
    assert [row.auc for row in found.rows] == [0.5, 1.0, 0.0]
    assert curves[0] is not None
    assert curves[0].to_dict()["thresholds"] == [None, 0.3, 0.1]
