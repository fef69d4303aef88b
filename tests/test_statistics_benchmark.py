"""The report on intervals and tests: what it calls a failure, what it keeps, how it is started."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulations import catalogue
from benchmarks.simulations.of_votes import truths
from benchmarks.simulations.rows import Coverage, Planned, Rejections, Row, Subject
from benchmarks.simulations.running import main
from benchmarks.simulations.shop import MEASURES, shop
from benchmarks.simulations.study import Study
from benchmarks.simulations.voters import Classes, electorate
from metrics import compare_runs, dawid_skene, gsb_from_votes
from metrics.inference import ratio_interval

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "statistics.py"
MARKS = "<!-- benchmarks/statistics.py: start -->\n<!-- benchmarks/statistics.py: end -->\n"


def subject(figure: str = "mean", method: str = "t") -> Subject:
    return Subject("One run", figure, method, "ratio_interval", "normal, 20 queries")


def of_normal(factor: float) -> Study:
    """The t interval of a mean of normal values, its width multiplied by a factor."""

    def run(rng: np.random.Generator, repetitions: int) -> list[Row]:
        counted = Coverage(subject(method=f"t times {factor:g}"), truth=1.0)
        for _ in range(repetitions):
            estimate = ratio_interval(rng.normal(1, 1, size=20), np.ones(20))
            assert estimate is not None
            assert estimate.interval is not None
            half = factor * (estimate.interval.high - estimate.value)
            counted.add(estimate.value - half, estimate.value + half)
        return [counted.row()]

    return Study("normal", run, repetitions=2_000, quick=400)


def run_with(monkeypatch: pytest.MonkeyPatch, study: Study, *arguments: str) -> int:
    monkeypatch.setitem(catalogue.STUDIES, study.name, study)
    return main(["--only", study.name, "--quick", *arguments])


# what is called a failure


def test_an_interval_that_is_too_narrow_is_reported_as_below_nominal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, found = tmp_path / "page.md", tmp_path / "found.json"
    page.write_text(f"# Title\n\n{MARKS}\nThe end.\n")
    options = ("--page", str(page), "--json", str(found))
    assert run_with(monkeypatch, of_normal(0.7), *options) == 0
    [row] = json.loads(found.read_text())["studies"]["normal"]["rows"]
    assert 0.75 < row["measured"] < 0.9
    assert row["verdict"] == "below nominal"
    written = page.read_text()
    failures = written.partition("### Short of the promise")[2].partition("###")[0]
    assert "t times 0.7" in failures
    assert "1 rows: 0 as promised, 1 not" in written
    assert written.endswith("The end.\n")
    assert "Short of the promise" in capsys.readouterr().out


def test_an_interval_that_is_right_is_not_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, of_normal(1.0)) == 0
    printed = capsys.readouterr().out
    assert "1 rows: 1 as promised, 0 not" in printed
    assert "within error or above" in printed
    assert "Short of the promise" not in printed


def test_what_is_shown_for_contrast_is_no_failure_of_evalkit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, catalogue.STUDIES["contrast"]) == 0
    printed = capsys.readouterr().out
    assert "0 rows: 0 as promised, 0 not" in printed
    assert "above nominal" in printed
    assert "Short of the promise" not in printed


@pytest.mark.parametrize(
    ("held", "verdict"),
    # 95% of 2,000 are 1,900, with a standard error of 9.7
    [(2_000, "within error or above"), (1_870, "within error or above"), (1_860, "below nominal")],
)
def test_coverage_fails_where_chance_hardly_explains_it(held: int, verdict: str) -> None:
    counted = Coverage(subject(), truth=0.5)
    for at in range(2_000):
        counted.add(*((0.4, 0.6) if at < held else (0.6, 0.7)))
    row = counted.row()
    assert row.verdict == verdict
    assert (row.hits, row.low, row.high, row.trials) == (held, 0, 2_000 - held, 2_000)


@pytest.mark.parametrize(
    ("at_05", "at_01", "verdict"),
    # standard errors 9.7 and 4.4
    [
        (100, 20, "within error or below"),
        (0, 0, "within error or below"),
        (140, 20, "above nominal"),
        (100, 40, "above nominal"),
    ],
)
def test_a_test_fails_at_either_level(at_05: int, at_01: int, verdict: str) -> None:
    counted = Rejections(subject())
    for at in range(2_000):
        counted.add(0.005 if at < at_01 else 0.04 if at < at_05 else 0.5)
    assert counted.row().verdict == verdict


def test_a_plan_fails_that_finds_too_little() -> None:
    counted = Planned(subject())
    for at in range(1_000):
        counted.add(0.01 if at < 700 else 0.2)
    assert counted.row().verdict == "below nominal"


def test_repetitions_without_an_interval_are_counted_apart() -> None:
    counted = Coverage(subject(), truth=0.0)
    counted.add(None, None)
    counted.add(-1, 1)
    row = counted.row()
    assert (row.trials, row.missing, row.measured) == (1, 1, 1.0)


# what is kept


def test_the_same_seed_counts_the_same_and_another_does_not() -> None:
    study = catalogue.STUDIES["looks"]
    assert study.rows(7, quick=True) == study.rows(7, quick=True)
    assert study.rows(7, quick=True) != study.rows(8, quick=True)


def test_rows_come_back_from_json_as_they_were() -> None:
    for row in catalogue.STUDIES["exact-tests"].rows(7, quick=True):
        assert Row.from_dict(json.loads(json.dumps(row.as_dict()))) == row


def test_a_run_is_resumed_where_it_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = str(tmp_path / "found.json")
    ran: list[int] = []

    def counting(rng: np.random.Generator, repetitions: int) -> list[Row]:
        ran.append(repetitions)
        return of_normal(1.0).run(rng, repetitions)

    study = replace(of_normal(1.0), run=counting)
    for _ in range(2):
        assert run_with(monkeypatch, study, "--json", found, "--resume") == 0
    assert ran == [400]
    # with other repetitions it is another study
    assert run_with(monkeypatch, replace(study, quick=50), "--json", found, "--resume") == 0
    assert ran == [400, 50]
    with pytest.raises(SystemExit, match="name another file"):
        run_with(monkeypatch, study, "--json", found, "--resume", "--seed", "8")


def test_an_unknown_study_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--only", "wilson,nothing"])
    assert refused.value.code == 2
    assert "nothing; there are: ratios, means" in capsys.readouterr().err


def test_every_study_of_the_catalogue_stands_under_its_name() -> None:
    assert all(name == study.name for name, study in catalogue.STUDIES.items())


@pytest.mark.parametrize(
    "row",
    [
        "Item Goodrate | delta method, t | shop, 100 queries",
        "Item Goodrate | BCa bootstrap | shop, 100 queries",
        "Query Goodrate | exact McNemar | 10% changed, 100 queries",
        "Item Goodrate | swap test | runs alike, 100 queries",
        "GSB, automatic | trinomial | 30% Good, 20% Bad, 100 queries",
        "GSB, votes | delta method on queries, t | 150 queries, overlap 3",
        "GSB | betting sequence | no difference, 160 queries, overlap 3, 20 days",
        "Item Goodrate | prediction-powered, t | good judge; 100 of 400 labelled; of all queries",
        "any of the family | Holm over 10 p | runs alike, 100 queries",
    ],
)
def test_the_page_shows_intervals_and_tests_of_a_full_run(row: str) -> None:
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    measured = page.partition("<!-- benchmarks/statistics.py: start -->")[2]
    assert f"| {row} |" in measured
    assert "quick, a look only" not in measured


# the truth


def test_the_columns_of_the_shop_are_what_compare_runs_sees() -> None:
    chosen = np.arange(200)
    frames = shop().frames(chosen)
    rows = compare_runs(
        frames.control, frames.treatment, frames.judgments, frames.queries, measures=MEASURES
    ).rows
    for row in rows:
        control, den, treatment, den_treatment = shop().columns(row.measure).values[:, chosen]
        assert row.delta == pytest.approx(
            treatment.sum() / den_treatment.sum() - control.sum() / den.sum(), abs=1e-12
        ), row.measure


def test_runs_are_exchanged_where_asked() -> None:
    chosen = np.arange(100)
    plain, swapped = shop().frames(chosen), shop().frames(chosen, np.ones(100, dtype=bool))
    assert plain.control.equals(swapped.treatment)
    assert plain.treatment.equals(swapped.control)


def test_the_truth_about_votes_is_what_a_large_study_finds() -> None:
    votes = electorate().draw(np.random.default_rng(1), 20_000).table()
    true = truths(electorate())
    for aggregate in ("majority", "votes"):
        row = gsb_from_votes(votes, aggregate=aggregate).rows[0]
        # standard errors 0.006 and 0.004
        assert row.gsb == pytest.approx(true[aggregate], abs=0.02)
        assert row.win_rate == pytest.approx(true[f"{aggregate}_win"], abs=0.02)
        assert row.left_share == pytest.approx(true["left"], abs=0.015)


def test_answers_of_classes_are_as_often_right_as_they_should_be() -> None:
    population = Classes()
    model = dawid_skene(population.draw(np.random.default_rng(2), 20_000).table())
    assert model.prior == pytest.approx(list(population.shares), abs=0.03)
    right = [np.dot(np.diag(matrix), model.prior) for matrix in model.confusion]
    assert right == pytest.approx(list(population.right), abs=0.05)


# how it is started


@pytest.mark.parametrize("folder", [ROOT, ROOT / "benchmarks"])
def test_the_script_runs_though_it_has_the_name_of_a_standard_module(
    folder: Path, tmp_path: Path
) -> None:
    found = tmp_path / "found.json"
    command = [sys.executable, str(SCRIPT), "--quick", "--only", "wilson,ratios"]
    done = subprocess.run(
        [*command, "--json", str(found), "--workers", "2"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert "Query Goodrate" in done.stdout
    assert list(json.loads(found.read_text())["studies"]) == ["ratios", "wilson"]


@pytest.mark.parametrize("program", ["import tables", "import statistics", "import numpy, scipy"])
def test_neighbours_of_the_script_are_given_the_standard_module(program: str) -> None:
    program += "; import statistics; print(statistics.__file__, statistics.median([1, 5, 9]))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {program}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "benchmarks",
    )
    where, median = done.stdout.split()
    assert Path(where).parent != ROOT / "benchmarks"
    assert median == "5"
