"""`evalkit score` with several treatments: one Δ over the seeds, of a system that has several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Score = Callable[..., Any]

# q1 and q2 are negative, q3 and q4 knowledge queries; of 3 items a list shows
OTHER = [("q1", "n1"), ("q2", "n2"), ("q3", "n3"), ("q4", "n4")]


@pytest.fixture
def seeds(files: Path) -> list[str]:
    """Three treatments: the worked one, the control once more, and one that finds nothing good."""
    Path("nothing.csv").write_text(
        "query_id,product_id,rank\n" + "".join(f"{query},{name},1\n" for query, name in OTHER)
    )
    names = ["treatment.parquet", "control.run", "nothing.csv"]
    return [word for name in names for word in ("--treatment", name)]


def test_several_treatments_give_one_delta_with_that_of_each_seed(
    score: Score, seeds: list[str]
) -> None:
    done = score(*seeds)
    row = done.row("item_goodrate")
    deltas = [6 / 11 - 4 / 9, 0, 0 - 4 / 9]
    assert row["seeds"] == 3
    assert row["seed_deltas"] == pytest.approx(deltas)
    assert row["delta"] == pytest.approx(sum(deltas) / 3)
    assert row["ci_low"] < row["delta"] < row["ci_high"]
    assert row["queries"] == 4
    document = done.document()
    assert {each["measure"] for each in document["results"]} == {"item_goodrate", "query_goodrate"}
    assert document["settings"]["seeds"] == 3
    assert [run["system"] for run in document["runs"]] == [
        "control", "treatment_1", "treatment_2", "treatment_3",
    ]  # fmt: skip
    part = score(*seeds, "--by", "query_type").row("query_goodrate", query_type="negative")
    assert part["seed_deltas"] == pytest.approx([1 / 2, 0, -1 / 2])


def test_the_table_and_the_page_tell_the_delta_of_each_seed(score: Score, seeds: list[str]) -> None:
    done = score(*seeds, "--format", "table")
    assert done.code == 0, done.err
    assert "Δ of 3 seeds: +10.10, +0.00, -44.44" in " ".join(done.out.split())
    done = score(*seeds, "--format", "html", "-o", "report.html", "--per-query", "values.csv")
    assert done.code == 0, done.err
    assert "Δ of 3 seeds: +10.10, +0.00, -44.44" in Path("report.html").read_text("utf-8")
    assert Path("values.csv").read_text("utf-8").count("item_goodrate") == 4


def test_one_treatment_is_compared_as_ever(score: Score) -> None:
    document = score().document()
    assert "seeds" not in document["settings"]
    assert not any("seeds" in row for row in document["results"])
    assert score().out == score("--treatment", "treatment.parquet").out


def test_controls_are_paired_with_treatments_by_place(score: Score, seeds: list[str]) -> None:
    controls = [word for name in ("control.run", "nothing.csv", "treatment.parquet")
                for word in ("--control", name)]  # fmt: skip
    row = score(*controls, *seeds).row("item_goodrate")
    assert row["seed_deltas"] == pytest.approx([6 / 11 - 4 / 9, 4 / 9, -6 / 11])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--control", "control.run"] * 2, "there are 2 --control and 3 --treatment"),
        (["--measures", "ndcg"], "ndcg is not supported over several seeds"),
        (["--ci", "bootstrap"], "--ci is for one --control and one --treatment"),
        (["--unjudged", "bounds"], "bounds are not offered over several seeds"),
        (["--record"], "--record keeps one run against another"),
    ],
)
def test_what_seeds_do_not_have_is_refused_in_one_line(
    score: Score, seeds: list[str], more: list[str], told: str
) -> None:
    done = score(*seeds, *more)
    assert done.code == 2
    assert told in done.err
    assert len(done.err.strip().splitlines()) == 1
