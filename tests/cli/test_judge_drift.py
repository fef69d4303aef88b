"""`evalkit drift`: a judge over weeks, from files and from what was recorded."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evalkit.reports.drift_table import format_drift_table
from evalkit.store import evaluation_values, evaluations, open_store
from metrics import exchange_test

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

PAIRS = 40
GOLD = [at % 2 for at in range(PAIRS)]
# right on 36 of 40 every week, on other pairs each
WEEKS = {
    "2026-W40": [1 - good if at < 4 else good for at, good in enumerate(GOLD)],
    "2026-W41": [1 - good if 2 <= at < 6 else good for at, good in enumerate(GOLD)],
    "2026-W42": [1] * PAIRS,
}
DB = "judges.db"


def write(path: str, grades: list[int], queries: str = "q") -> None:
    Path(path).write_text(
        "query_id,product_id,grade\n"
        + "".join(f"{queries}{at % 5},p{at:02},{grade}\n" for at, grade in enumerate(grades))
    )


@pytest.fixture
def run(evalkit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `evalkit drift` beside a gold set and three weeks of a judge."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("EVALKIT_DB", raising=False)
    write("gold.csv", GOLD)
    for week, grades in WEEKS.items():
        write(f"{week}.csv", grades)

    def command(*words: object) -> Any:
        return evalkit("drift", *words)

    return command


ALL = [word for week in WEEKS for word in ("--judgments", f"{week}={week}.csv")]
FILES = ("--gold", "gold.csv", *ALL, "--judge", "tiny")


def record(run: Run, week: str, *more: object) -> Any:
    files = ("--gold", "gold.csv", "--judgments", f"{week}.csv", "--judge", "tiny")
    return run(*files, "--week", week, "--record", "--db", DB, *more)


def document(done: Any) -> dict[str, Any]:
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


# ------------------------------------------------------------------ from files


def test_every_week_is_compared_with_the_gold_set_and_the_first_week(run: Run) -> None:
    found = document(run(*FILES, "--format", "json"))
    assert list(found) == [
        "kind", "judge", "settings", "gold", "warnings", "results", "chart", "inputs", "command",
    ]  # fmt: skip
    assert (found["kind"], found["judge"]) == ("judge", "tiny")
    assert found["gold"]["pairs"] == 40
    assert found["gold"]["path"] == "gold.csv"
    first, second, third = found["results"]
    assert [row["agreement"] for row in found["results"]] == [0.9, 0.9, 0.5]
    assert (second["changed"], second["better"], second["worse"]) == (4, 2, 2)
    assert (third["better"], third["worse"], third["bias"]) == (2, 18, 0.5)
    right = [
        [one == other for one, other in zip(said, GOLD, strict=True)] for said in WEEKS.values()
    ]
    assert third["p_agreement"] == exchange_test([right[0]], right[2]).p
    assert third["signal"] == "agreement fell; finds more good"
    assert first["note"] == "baseline"
    assert found["chart"]["centre"] == 0.9
    assert len(found["inputs"]) == 4


def test_the_table_says_what_changed(run: Run) -> None:
    done = run(*FILES)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "Judge: tiny, on 40 gold pairs (gold.csv)"
    assert lines[1].startswith("Chart: agreement in 2026-W40 90.0; widest limits")
    assert lines[3].startswith("2026-W42: agreement fell: now 50.0%; 2 pairs better, 18 worse")
    line = next(text for text in lines if text.startswith("  2026-W41"))
    assert "+2 −2" in line
    assert "2026-W41:" not in done.out


def test_weeks_may_come_in_any_order(run: Run) -> None:
    turned = [word for week in reversed(WEEKS) for word in ("--judgments", f"{week}={week}.csv")]
    found = document(run("--gold", "gold.csv", *turned, "--judge", "tiny", "--format", "json"))
    assert found["results"] == document(run(*FILES, "--format", "json"))["results"]


def test_the_baseline_can_be_several_weeks(run: Run) -> None:
    found = document(run(*FILES, "--baseline", "2026-W40,2026-W41", "--format", "json"))
    assert found["chart"]["baseline"] == ["2026-W40", "2026-W41"]
    assert [row["p_bias"] is None for row in found["results"]] == [True, True, False]


def test_scales_may_differ(run: Run) -> None:
    write("gold.csv", [3 * grade for grade in GOLD])
    found = document(run(*FILES, "--good", 2, "--judge-good", 1, "--format", "json"))
    assert [row["agreement"] for row in found["results"]] == [0.9, 0.9, 0.5]
    assert (found["settings"]["good"], found["settings"]["judge_good"]) == (2, 1)


def test_csv_and_markdown_hold_the_figures(run: Run) -> None:
    table = list(csv.DictReader(io.StringIO(run(*FILES, "--format", "csv").out)))
    assert [row["week"] for row in table] == list(WEEKS)
    assert [row["p_agreement"] != "" for row in table] == [False, True, True]
    text = run(*FILES, "--format", "markdown").out
    assert "| 2026-W42 | 40 | 50.0 |" in text
    assert "- 2026-W42: agreement fell" in text


def test_a_page_is_written_by_its_name(run: Run) -> None:
    done = run(*FILES, "-o", "drift.html")
    assert done.code == 0, done.err
    assert "Is tiny still the judge it was?" in Path("drift.html").read_text()


def test_a_narrow_terminal_leaves_columns_out_and_says_so(run: Run) -> None:
    text = format_drift_table(document(run(*FILES, "--format", "json")), width=80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "Left out at this width" in text


def test_a_judge_that_did_not_change_gives_no_signal(run: Run) -> None:
    done = run("--gold", "gold.csv", "--judgments", "2026-W40=2026-W40.csv",
               "--judgments", "2026-W41=2026-W40.csv")  # fmt: skip
    assert "The week after the baseline does not differ from it" in done.out
    assert "Judge: not named" in done.out


def test_gold_pairs_that_the_judge_left_out_are_told(run: Run) -> None:
    write("2026-W41.csv", WEEKS["2026-W41"][:30])
    done = run(*FILES)
    assert "2026-W41: the judge did not grade 10 of the 40 gold pairs" in done.out


# ------------------------------------------------------------------ recorded


def test_recorded_weeks_make_the_chart(run: Run) -> None:
    for week in WEEKS:
        done = record(run, week)
        assert done.code == 0, done.err
        assert f"Recorded weekly of {week}" in done.err
    found = document(run("--judge", "tiny", "--db", DB, "--format", "json"))
    expected = document(run(*FILES, "--format", "json"))
    assert found["results"] == expected["results"]
    assert found["chart"] == expected["chart"]
    assert found["gold"] == expected["gold"]
    # with one judge in the database its name need not be said
    assert document(run("--db", DB, "--format", "json"))["judge"] == "tiny"


def test_a_record_holds_the_weeks_so_far_and_the_grades(run: Run) -> None:
    for week in list(WEEKS)[:2]:
        record(run, week)
    store = open_store(f"sqlite:///{DB}")
    try:
        first, second = evaluations(store, kind="judge")
        values = evaluation_values(store, second.id)
    finally:
        store.close()
    assert [row["week"] for row in first.document["results"]] == ["2026-W40"]
    assert [row["week"] for row in second.document["results"]] == ["2026-W40", "2026-W41"]
    assert (second.judge, second.name) == ("tiny", "weekly")
    assert second.query_set == first.query_set == second.document["gold"]["fingerprint"]
    assert values is not None
    assert values.column_names == ["query_id", "product_id", "gold", "grade"]
    assert len(values) == PAIRS


def test_settings_of_the_records_are_used_again(run: Run) -> None:
    write("gold.csv", [2 * grade for grade in GOLD])
    for week in WEEKS:
        write(f"{week}.csv", [2 * grade for grade in WEEKS[week]])
        record(run, week, "--good", 2)
    found = document(run("--db", DB, "--format", "json"))
    assert found["settings"]["good"] == 2
    again = document(run("--db", DB, "--good", 3, "--format", "json"))
    assert [row["good_judge"] for row in again["results"]] == [0, 0, 0]


def test_several_weeks_are_recorded_at_once(run: Run) -> None:
    done = run(*FILES, "--record", "--db", DB)
    assert done.code == 0, done.err
    assert done.err.count("Recorded weekly of") == 3
    assert len(document(run("--db", DB, "--format", "json"))["results"]) == 3


def test_the_same_week_again_changes_nothing_and_other_grades_count_instead(run: Run) -> None:
    record(run, "2026-W40")
    assert "Recorded before, nothing changed" in record(run, "2026-W40").err
    write("2026-W40.csv", GOLD)
    assert "it counts instead of 1 earlier record" in record(run, "2026-W40").err
    assert document(run("--db", DB, "--format", "json"))["results"][0]["agreement"] == 1


def test_a_changed_gold_set_is_flagged_and_not_joined(run: Run) -> None:
    record(run, "2026-W40")
    write("gold.csv", [1 - GOLD[0], *GOLD[1:]])
    record(run, "2026-W41")
    done = record(run, "2026-W42", "--format", "json")
    found = document(done)
    assert found["warnings"][0] == (
        "The gold set changed: 2026-W40 had another one, and is not joined with the later weeks."
    )
    assert found["chart"]["baseline"] == ["2026-W41"]
    notes = [row["note"] for row in found["results"]]
    assert notes == ["another gold set (40 pairs): not joined; baseline", "baseline", ""]
    # compared with the second week only: 40 pairs, of which it was right on 37
    assert found["results"][2]["p_agreement"] is not None
    refused = run("--db", DB, "--baseline", "2026-W40")
    assert "--baseline 2026-W40 had another gold set" in refused.err


def test_two_judges_do_not_share_a_record(run: Run) -> None:
    record(run, "2026-W40")
    done = record(run, "2026-W40", "--judge", "other")
    assert done.code == 2
    assert "weekly of 2026-W40 holds the judge 'tiny'" in done.err
    assert record(run, "2026-W40", "--judge", "other", "--name", "second").code == 0
    assert document(run("--db", DB, "--name", "second", "--format", "json"))["judge"] == "other"


# ------------------------------------------------------------------ refused

REFUSED = {
    "nothing to compare": (("--judgments", "2026-W40.csv"), "give --gold and --judgments together"),
    "no database": (("--judge", "tiny", "--db", DB), DB),
    "two files without weeks": (
        ("--gold", "gold.csv", "--judgments", "2026-W40.csv", "--judgments", "2026-W41.csv"),
        "say the week, --judgments 2026-W47=2026-W40.csv",
    ),
    "a week twice": (
        ("--gold", "gold.csv", *ALL[:2], *ALL[:2]),
        "two --judgments are of 2026-W40",
    ),
    "no such week": (
        ("--gold", "gold.csv", "--judgments", "2026-W60=2026-W40.csv"), "2026-W60",
    ),
    "a record without a name": (
        ("--gold", "gold.csv", *ALL, "--record", "--db", DB), "add --judge NAME",
    ),
    "a record of nothing": (("--record", "--db", DB), "--record keeps what is read"),
    "a week of nothing": (("--week", "2026-W40"), "--week is the week of --judgments"),
    "a database for nothing": ((*FILES, "--db", DB), "add --record"),
    "baseline": ((*FILES, "--baseline", "2026-W30"), "is not among the weeks; there are: 2026-W40"),
    "html": ((*FILES, "--format", "html"), "needs a file"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_in_one_line(run: Run, case: str) -> None:
    options, said = REFUSED[case]
    done = run(*options)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_a_judge_of_other_pairs_is_refused(run: Run) -> None:
    write("2026-W40.csv", GOLD, queries="other")
    done = run(*FILES)
    assert done.code == 2
    assert "2026-W40.csv: grades no pair of gold.csv" in done.err


def test_several_grades_of_a_gold_pair_need_a_rule(run: Run) -> None:
    rows = Path("gold.csv").read_text().splitlines()
    Path("gold.csv").write_text(
        "\n".join([rows[0] + ",annotator", *(f"{r},{who}" for r in rows[1:] for who in "ab")])
    )
    done = run(*FILES)
    assert done.code == 2
    assert "gold.csv: query 'q0', product 'p00' has 2 grades" in done.err
    assert "use --aggregate" in done.err
    assert run(*FILES, "--aggregate", "median").code == 0


def test_a_judge_that_is_not_recorded_is_refused(run: Run) -> None:
    record(run, "2026-W40")
    done = run("--judge", "other", "--db", DB)
    assert "no week of judge 'other' is recorded under 'weekly'; there are: tiny" in done.err


def test_help_ends_with_an_example(run: Run) -> None:
    assert "Example: evalkit drift --gold" in " ".join(run("--help").out.split())
