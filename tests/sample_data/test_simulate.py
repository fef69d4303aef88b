"""Simulated people and judges: the same every time, marked as simulated, and near the truth."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from statistics import mean

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SHOP = Path(__file__).parents[2] / "sample_data"


def truth() -> dict[tuple[str, str], int]:
    with open(SHOP / "judgments.csv", encoding="utf-8") as file:
        return {
            (row["query_id"], row["product_id"]): int(row["grade"]) for row in csv.DictReader(file)
        }


def simulate(what: str, path: Path, *options: object) -> list[dict[str, str]]:
    command = [sys.executable, SHOP / "simulate.py", what, *options, "-o", path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A control that shows the worst judged products first, a treatment with the best; of the
    last query both show the same."""
    folder = tmp_path_factory.mktemp("runs")
    of_query: dict[str, list[tuple[int, str]]] = {}
    for (query, product), grade in truth().items():
        of_query.setdefault(query, []).append((grade, product))
    last = max(of_query)
    for name, best in (("control", False), ("treatment", True)):
        rows = [
            {"query_id": query, "product_id": product, "rank": rank}
            for query, items in of_query.items()
            for rank, (_, product) in enumerate(
                sorted(items, reverse=best and query != last)[:10], start=1
            )
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return (
        "--control",
        str(folder / "control.parquet"),
        "--treatment",
        str(folder / "treatment.parquet"),
    )


def test_people_prefer_the_better_list_and_see_no_identical_ones(
    runs: tuple[str, ...], tmp_path: Path
) -> None:
    votes = simulate("votes", tmp_path / "votes.csv", *runs)
    assert len(votes) == 159 * 3
    assert mean(int(vote["preference"]) for vote in votes) > 0.9
    assert all(vote["annotator"].startswith("simulated-") for vote in votes)
    left = sum(vote["treatment_side"] == "left" for vote in votes)
    assert abs(2 * left - len(votes)) <= 1
    pairs = {(vote["query_id"], vote["annotator"]) for vote in votes}
    assert len(pairs) == len(votes)


def test_labels_are_the_truth_of_all_that_is_shown_for_the_sample(
    runs: tuple[str, ...], tmp_path: Path
) -> None:
    labels = simulate("labels", tmp_path / "human.csv", *runs, "--sample", 32)
    assert len({row["query_id"] for row in labels}) == 32
    assert {row["inclusion_probability"] for row in labels} == {"0.2"}
    known = truth()
    assert all(int(row["grade"]) == known[row["query_id"], row["product_id"]] for row in labels)


@pytest.mark.parametrize(("accuracy", "low", "high"), [(1.0, 1, 1), (0.8, 0.85, 0.92)])
def test_a_judge_is_as_right_as_it_is_told_to_be(
    accuracy: float, low: float, high: float, tmp_path: Path
) -> None:
    """Mistakes below the lowest grade stay the lowest: half of those on a grade of 0."""
    rows = simulate("judge", tmp_path / "judge.csv", "--accuracy", accuracy)
    known = truth()
    assert len(rows) == len(known)
    right = mean(int(row["grade"]) == known[row["query_id"], row["product_id"]] for row in rows)
    assert low <= right <= high
    assert {row["source"] for row in rows} == {"classifier"}


def test_the_same_seed_gives_the_same_bytes(runs: tuple[str, ...], tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate("votes", tmp_path / name, *runs, "--seed", seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again != other
