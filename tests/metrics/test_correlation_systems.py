"""GSB against measures over a history of studies."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pandas as pd
import plain_correlation as plain
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metrics import MetricsError, correlate_systems


def history(gsb: list[float], delta: list[float], **columns: Any) -> pa.Table:
    return pa.table(
        {
            "study": [f"2026-W{at + 10}" for at in range(len(gsb))],
            "gsb": pa.array(gsb, pa.float64()),
            "delta": pa.array(delta, pa.float64()),
            **columns,
        }
    )


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=3, max_size=6))
def test_tau_and_p_are_what_going_through_all_orders_finds(pairs: list[tuple[int, int]]) -> None:
    gsb, delta = map(list, zip(*pairs, strict=True))
    row = correlate_systems(history(gsb, delta), draws=0).rows[0]
    tau = plain.kendall(gsb, delta)
    if tau is None:
        assert (row.kendall, row.p) == (None, None)
        assert row.note.startswith("no correlation: every study has the same")
        return
    assert row.kendall == pytest.approx(tau)
    others = [plain.kendall(gsb, order) or 0.0 for order in itertools.permutations(delta)]
    assert row.p == pytest.approx(np.mean([abs(other) >= abs(tau) - 1e-9 for other in others]))


@pytest.mark.parametrize("studies", [7, 8])
def test_p_without_ties_is_scipys_exact_one(studies: int) -> None:
    rng = np.random.default_rng(studies)
    gsb = rng.normal(size=studies)
    delta = gsb + rng.normal(size=studies)
    row = correlate_systems(history(gsb.tolist(), delta.tolist())).rows[0]
    theirs = stats.kendalltau(gsb, delta, method="exact")
    assert (row.kendall, row.p) == (pytest.approx(theirs[0]), pytest.approx(theirs[1]))


def test_p_of_many_studies_is_drawn_and_close_to_the_exact_one() -> None:
    rng = np.random.default_rng(4)
    gsb = rng.normal(size=20)
    delta = gsb + rng.normal(scale=2.5, size=20)
    table = history(gsb.tolist(), delta.tolist())
    row = correlate_systems(table).rows[0]
    exact = stats.kendalltau(gsb, delta, method="exact")[1]
    # three Monte-Carlo errors of 10,000 draws
    assert row.p == pytest.approx(exact, abs=3 * np.sqrt(exact * (1 - exact) / 10_000))
    assert correlate_systems(table.take([*range(19, -1, -1)])).rows == [row]
    renamed = history(gsb[::-1].tolist(), delta[::-1].tolist())
    assert correlate_systems(renamed).rows == [row]
    assert row.kendall_low < row.kendall < row.kendall_high


def test_two_studies_say_nothing_and_say_so() -> None:
    row = correlate_systems(history([0.1, 0.2], [0.01, 0.02])).rows[0]
    assert (row.studies, row.kendall, row.kendall_low, row.p) == (2, None, None, None)
    assert row.note == "no correlation: fewer than 3 studies"


def test_three_studies_have_a_p_and_no_interval() -> None:
    row = correlate_systems(history([1, 2, 3], [1, 3, 2])).rows[0]
    assert (row.kendall, row.kendall_low) == (pytest.approx(1 / 3), None)
    assert row.p == 1.0
    assert row.note == "no interval: fewer than 4 studies"


def test_five_studies_have_an_interval_that_says_how_little_that_is() -> None:
    row = correlate_systems(history([1, 2, 3, 4, 5], [1, 2, 3, 5, 4])).rows[0]
    assert (row.kendall, row.p) == (0.8, pytest.approx(10 / 120))
    assert row.kendall_low < 0 < row.kendall < row.kendall_high < 1


def test_a_perfect_history_has_no_interval_rather_than_one_without_width() -> None:
    values = [float(at) for at in range(20)]
    row = correlate_systems(history(values, values)).rows[0]
    assert (row.kendall, row.kendall_low) == (1.0, None)
    assert row.note == "no interval: no resample changes it"
    assert row.p == 1 / 10_001  # none of the orders drawn, but the observed one counts


def test_every_measure_and_cutoff_is_a_row() -> None:
    gsb = [0.1, 0.2, 0.3]
    tables = [
        history(gsb, delta, measure=[name] * 3, cutoff=pa.array([depth] * 3, pa.int64()))
        for name, depth, delta in (
            ("ndcg", 10, [1.0, 2.0, 3.0]),
            ("ndcg", 5, [3.0, 2.0, 1.0]),
            ("mrr", None, [1.0, None, 2.0]),
        )
    ]  # fmt: skip
    found = correlate_systems(pa.concat_tables(tables))
    assert [(row.measure, row.cutoff, row.studies, row.kendall) for row in found.rows] == [
        ("mrr", None, 2, None), ("ndcg", 5, 3, -1.0), ("ndcg", 10, 3, 1.0),
    ]  # fmt: skip
    assert found.points.num_rows == 8


def test_the_document_holds_settings_results_and_points() -> None:
    found = correlate_systems(pd.DataFrame(history([0.1, 0.2, 0.3], [1, 2, 4]).to_pydict()), seed=3)
    document = json.loads(found.to_json())
    assert document["settings"] == {"confidence": 0.95, "draws": 1000, "seed": 3}
    assert document["results"][0]["studies"] == 3
    assert document["points"][1] == {
        "study": "2026-W11", "measure": "delta", "cutoff": None, "gsb": 0.2, "delta": 2.0,
    }  # fmt: skip
    assert isinstance(found.table, pd.DataFrame)
    assert "delta" in repr(found)
    assert "<table>" in found._repr_html_()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (history([1], [1]).drop(["gsb"]), "column 'gsb' not found in the studies"),
        (pa.concat_tables([history([1], [1])] * 2), "study '2026-W10' has delta twice"),
        (history([float("inf")], [1]), "gsb of study '2026-W10' is not finite"),
        (history([None], [1]), "no study has both a GSB and a Δ"),  # type: ignore[list-item]
        (
            pa.table({"study": [""], "gsb": [0.1], "delta": [0.1]}),
            "the studies hold an empty name",
        ),
    ],
)
def test_a_history_that_cannot_be_meant_is_refused(table: pa.Table, message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        correlate_systems(table)
