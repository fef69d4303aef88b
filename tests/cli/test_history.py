"""`evalkit history`: weeks are listed, followed and compared, and never silently joined."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evalkit.store import open_store, record_evaluation
from metrics.inference import paired_ratio_interval

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_database_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVALKIT_DB", raising=False)


@pytest.fixture
def record(score: Command) -> Command:
    """Record the worked figures, by query type, for a week."""

    def record(week: str, *options: object) -> Any:
        done = score("--by", "query_type", "--judge", "llm-1", "--record", "--week", week, *options)
        assert done.code == 0, done.err
        return done.document()

    return record


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database of `weeks` is kept once it is made."""
    return tmp_path_factory.mktemp("kept") / "evalkit.db"


@pytest.fixture
def weeks(record: Command, kept: Path) -> Command:
    """Four weeks: two alike, then one left out, then another threshold, then a better treatment."""
    better = Path("judgments.csv").read_text().replace("t42,0", "t42,1").replace("t43,0", "t43,1")
    Path("more.csv").write_text(better)
    if kept.exists():
        shutil.copy(kept, "evalkit.db")
        return record
    record("2026-W44")
    record("2026-W45")
    record("2026-W47", "--min-good", 2)
    record("2026-W48", "--min-good", 2, "--judgments", "more.csv")
    shutil.copy("evalkit.db", kept)
    return record


@pytest.fixture
def history(evalkit: Command, weeks: Command) -> Command:
    """Call `evalkit history` on those weeks."""

    def history(*words: object) -> Any:
        return evalkit("history", *words)

    return history


@pytest.fixture
def asked(history: Command) -> Callable[..., dict[str, Any]]:
    """The same as JSON."""

    def asked(*words: object) -> dict[str, Any]:
        found: dict[str, Any] = history(*words, "--format", "json").document()
        return found

    return asked


def lines_of(text: str, *starts: str) -> list[str]:
    """The lines that begin with one of the words, runs of blanks closed up."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line.startswith(starts)]


# the list


def test_the_list_says_of_every_week_what_was_recorded(history: Command) -> None:
    done = history()
    assert (done.code, done.err) == (0, "")
    first, second, third, fourth = lines_of(done.out, "2026-")
    assert first.startswith(
        "2026-W44 score weekly today → treatment 4 +10.10 [−72.36, +92.57] +25.00 "
    )
    assert " llm-1 20" in first
    assert second.replace("W45", "W44") == first
    assert third.startswith("2026-W47 ≠ score")
    assert fourth.startswith("2026-W48 score")


def test_a_week_that_cannot_be_compared_is_marked_and_the_reason_stands_below(
    history: Command,
) -> None:
    lines = history().out.splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("2026-W47"))
    assert lines[at + 1] == ("    ≠ 2026-W47 against 2026-W45: settings changed: min-good 1 → 2")
    assert sum("≠ 2026" in line for line in lines) == 1


def test_the_list_as_json_has_everything(asked: Command) -> None:
    document = asked()
    assert document["kind"] == "history"
    first, second, third, _ = document["evaluations"]
    assert (first["week"], first["kind"], first["name"]) == ("2026-W44", "score", "weekly")
    assert first["systems"] == {"control": "today", "treatment": "treatment"}
    assert (first["queries"], first["judge"], first["earlier"]) == (4, "llm-1", 0)
    assert first["command"].startswith("evalkit score --control")
    figure, _ = first["figures"]
    assert (figure["measure"], figure["cutoff"]) == ("item_goodrate", 3)
    assert figure["delta"] == pytest.approx(6 / 11 - 4 / 9, abs=1e-12)
    assert (first["since"], first["changes"]) == (None, [])
    assert (second["since"], second["changes"]) == ("2026-W44", [])
    assert third["changes"] == ["settings changed: min-good 1 → 2"]


def test_records_that_were_replaced_are_counted(history: Command, weeks: Command) -> None:
    weeks("2026-W48", "--min-good", 2)
    last = lines_of(history().out, "2026-W48")[0]
    assert last.endswith(" 1")
    assert len(lines_of(history().out, "2026-")) == 4


def test_another_judge_and_another_query_set_are_told(
    history: Command, weeks: Command, asked: Command
) -> None:
    text = Path("queries.tsv").read_text()
    Path("queries.tsv").write_text(text + "q5\tquery 5\tknowledge\n")
    weeks("2026-W49", "--min-good", 2, "--judge", "llm-2")
    assert asked()["evaluations"][-1]["changes"] == [
        "the query set changed: 4 → 5 queries",
        "the judge changed: llm-1 → llm-2",
    ]
    assert lines_of(history().out, "2026-W49")[0].startswith("2026-W49 ≠ score")


def test_names_are_kept_apart(history: Command, weeks: Command, asked: Command) -> None:
    weeks("2026-W46", "--name", "nightly", "--min-good", 2)
    assert len(lines_of(history().out, "2026-")) == 5
    (only,) = asked("--name", "nightly")["evaluations"]
    assert (only["week"], only["since"], only["changes"]) == ("2026-W46", None, [])


# a trend


def test_a_trend_has_the_recorded_figure_of_every_week(asked: Command, weeks: Command) -> None:
    document = asked("--measure", "item_goodrate", "--at", 3, "--segment", "query_type=negative")
    (line,) = document["trends"]
    assert [point["week"] for point in line["points"]] == [
        "2026-W44",
        "2026-W45",
        "2026-W47",
        "2026-W48",
    ]
    assert line["points"][0]["control"] == pytest.approx(1 / 6)
    assert line["points"][0]["treatment"] == pytest.approx(3 / 5)
    assert line["points"][0]["queries"] == 2
    assert line["runs"] == [["2026-W44", "2026-W45"], ["2026-W47", "2026-W48"]]
    assert line["gaps"] == [["2026-W45", "2026-W47"]]


def test_a_trend_breaks_with_the_reason_and_shows_what_is_missing(history: Command) -> None:
    lines = history("--measure", "item_goodrate").out.splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("2026-W47"))
    assert lines[at - 2 : at] == [
        "  … not recorded for 2026-W46",
        "  ≠ 2026-W47: settings changed: min-good 1 → 2",
    ]
    assert lines[at].split()[1] == "≠"
    assert lines[0] == "Item Goodrate@3 of 'weekly' by week"


def test_the_first_cutoff_is_followed_where_none_is_named(asked: Command, weeks: Command) -> None:
    weeks("2026-W49", "--min-good", 2, "--at", "2,3")
    assert asked("--measure", "ndcg")["cutoff"] == 2
    assert asked("--measure", "ndcg", "--at", 3)["cutoff"] == 3


def test_single_runs_have_a_line_each(evalkit: Command, score_run: Command) -> None:
    runs = ("--run", "today=control.run", "--run", "next=treatment.parquet")
    for week in ("2026-W46", "2026-W47"):
        assert score_run(*runs, "--record", "--week", week).code == 0
    document = evalkit("history", "--measure", "mrr", "--format", "json")
    assert document.code == 2
    lines = evalkit("history", "--measure", "item_goodrate", "--format", "json").document()
    assert [(line["system"], len(line["points"])) for line in lines["trends"]] == [
        ("today", 2),
        ("next", 2),
    ]
    table = evalkit("history", "--measure", "item_goodrate").out
    assert len(lines_of(table, "2026-W46 4 44.44 ")) == 1
    listed = evalkit("history").out
    assert "Item Goodrate@3 of today" in listed


# two weeks


def test_comparable_weeks_have_the_change_of_each_run(asked: Command) -> None:
    document = asked("compare", "2026-W47", "2026-W48")
    assert (document["before"]["week"], document["after"]["week"]) == ("2026-W47", "2026-W48")
    assert document["changes"] == []
    row = next(
        row for row in document["rows"] if (row["measure"], row["segment"]) == ("item_goodrate", {})
    )
    assert row["before"]["treatment"] == pytest.approx(6 / 11)
    assert row["after"]["treatment"] == pytest.approx(8 / 11)
    assert row["change"]["control"]["value"] == 0.0
    moved = paired_ratio_interval([2, 1, 3, 0], [3, 2, 3, 3], [2, 1, 3, 2], [3, 2, 3, 3])
    assert moved is not None
    assert moved.interval is not None
    found = row["change"]["treatment"]
    assert found["value"] == pytest.approx(moved.value, abs=1e-12)
    assert found["ci_low"] == pytest.approx(moved.interval.low, abs=1e-12)
    assert found["ci_high"] == pytest.approx(moved.interval.high, abs=1e-12)
    of_type = next(
        row
        for row in document["rows"]
        if (row["measure"], row["segment"]) == ("item_goodrate", {"query_type": "knowledge"})
    )
    assert of_type["change"]["treatment"]["value"] == pytest.approx(5 / 6 - 3 / 6, abs=1e-12)


def test_the_table_of_comparable_weeks_has_a_line_of_changes(history: Command) -> None:
    done = history("compare", "2026-W47", "2026-W48")
    assert (done.code, done.err) == (0, "")
    lines = lines_of(done.out, "Item Goodrate@3", "2026-W48", "change")
    assert lines[0].startswith("2026-W48: today → treatment, 4 queries, judge llm-1, recorded 20")
    assert lines[1].startswith("Item Goodrate@3 2026-W47 4 44.44 54.55 +10.10 ")
    assert lines[2].startswith("2026-W48 4 44.44 72.73 +28.28 ")
    assert lines[3].startswith("change 0.00 [0.00, 0.00] +18.18 [")
    assert "nothing tests it" in done.out


def test_weeks_that_cannot_be_compared_stand_side_by_side_without_a_difference(
    history: Command, asked: Command
) -> None:
    document = asked("compare", "2026-W45", "2026-W47")
    assert document["changes"] == ["settings changed: min-good 1 → 2"]
    assert {row["change"] for row in document["rows"]} == {None}
    assert all(row["before"] and row["after"] for row in document["rows"])
    text = history("compare", "2026-W45", "2026-W47").out
    assert "They cannot be compared, and no difference is given:\n≠ settings changed" in text
    assert lines_of(text, "change") == []
    assert len(lines_of(text, "Item Goodrate@3 2026-W45 4 44.44 54.55")) == 1


def test_without_the_values_of_queries_the_weeks_are_shown_and_the_reason_said(
    asked: Command, weeks: Command
) -> None:
    document = weeks("2026-W48", "--min-good", 2)
    with open_store("sqlite:///evalkit.db") as store:
        record_evaluation(
            store,
            week="2026-W49",
            name="weekly",
            document=document,
            fingerprint="sha256:0",
            query_set=document["query_set"]["fingerprint"],
            judge="llm-1",
        )
    found = asked("compare", "2026-W47", "2026-W49")
    assert found["changes"] == []
    assert {row["change"] for row in found["rows"]} == {None}
    assert "values of every query are not recorded" in found["warnings"][0]


def test_weeks_whose_lists_were_judged_unlike_are_warned_of(asked: Command, weeks: Command) -> None:
    less = "\n".join(line for line in Path("more.csv").read_text().splitlines() if "t4" not in line)
    Path("less.csv").write_text(less + "\n")
    weeks("2026-W49", "--min-good", 2, "--judgments", "less.csv")
    warnings = asked("compare", "2026-W48", "2026-W49")["warnings"]
    assert warnings[0] == (
        "Item Goodrate@3: of what the treatment shows, 90.9% were judged, then 63.6%; part of its "
        "change may be that of the judgments."
    )


def test_a_run_of_another_name_has_a_difference_and_no_change(
    history: Command, asked: Command, weeks: Command
) -> None:
    shutil.copy("treatment.parquet", "dense.parquet")
    weeks("2026-W49", "--min-good", 2, "--treatment", "dense.parquet")
    said = (
        "The treatment is treatment in 2026-W47 and dense in 2026-W49: what stands between the "
        "weeks is the difference of the two, not the change of one."
    )
    assert asked("compare", "2026-W47", "2026-W49")["warnings"] == [said]
    text = history("compare", "2026-W47", "2026-W49").out
    assert " ".join(text.split()).count(said) == 1
    assert lines_of(text, "change") == []
    assert lines_of(text, "difference 0.00 [0.00, 0.00] ")
    assert asked("compare", "2026-W47", "2026-W48")["warnings"] == []


def test_weeks_of_exchanged_runs_are_not_compared(asked: Command, weeks: Command) -> None:
    weeks(
        "2026-W49", "--min-good", 2, "--control", "treatment.parquet", "--treatment", "control.run"
    )
    document = asked("compare", "2026-W48", "2026-W49")
    assert document["changes"] == [
        "control and treatment were exchanged: today → treatment in 2026-W48, "
        "treatment → today in 2026-W49"
    ]
    assert {row["change"] for row in document["rows"]} == {None}


def test_judges_without_a_name_are_not_joined_without_a_word(
    evalkit: Command, score: Command
) -> None:
    text = Path("judgments.csv").read_text()
    for week in ("2026-W46", "2026-W47"):
        assert score("--record", "--week", week).code == 0
    assert evalkit("history", "--format", "json").document()["warnings"] == []
    Path("judgments.csv").write_text(text.replace("t42,0", "t42,1"))
    assert score("--record", "--week", "2026-W48").code == 0
    said = (
        "No judge is named, and the judgments of 2026-W47 and 2026-W48 differ: they may have "
        "grown, or be another judge's. --judge names it."
    )
    for words in ((), ("--measure", "gsb"), ("compare", "2026-W47", "2026-W48")):
        assert evalkit("history", *words, "--format", "json").document()["warnings"] == [said]
        assert said in " ".join(evalkit("history", *words).out.split())
    assert score("--judge", "llm-1", "--record", "--week", "2026-W49").code == 0
    assert "the judge changed: not named → llm-1" in evalkit("history").out


def test_a_figure_that_only_one_week_has_is_shown_alone(asked: Command, weeks: Command) -> None:
    weeks("2026-W49", "--min-good", 2, "--measures", "item_goodrate,map")
    rows = asked("compare", "2026-W48", "2026-W49")["rows"]
    only = {
        row["measure"]: (row["before"] is None, row["after"] is None, row["change"])
        for row in rows
        if None in (row["before"], row["after"])
    }
    assert only["map"] == (True, False, None)
    assert only["gsb"] == (False, True, None)


# forms


def test_csv_has_a_line_each_figure_at_full_precision(history: Command) -> None:
    listed = list(csv.DictReader(io.StringIO(history("--format", "csv").out)))
    assert len(listed) == 4 * 2
    assert float(listed[0]["delta"]) == pytest.approx(6 / 11 - 4 / 9, abs=1e-15)
    assert listed[4]["changes"] == "settings changed: min-good 1 → 2"
    trend = history("--measure", "item_goodrate", "--format", "csv").out
    assert [line["week"] for line in csv.DictReader(io.StringIO(trend))] == [
        "2026-W44",
        "2026-W45",
        "2026-W47",
        "2026-W48",
    ]
    compared = history("compare", "2026-W47", "2026-W48", "--format", "csv").out
    first = next(csv.DictReader(io.StringIO(compared)))
    assert (first["week_before"], first["week_after"]) == ("2026-W47", "2026-W48")
    assert float(first["change_treatment_value"]) == pytest.approx(2 / 11, abs=1e-12)


def test_markdown_keeps_the_reasons(history: Command) -> None:
    text = history("-o", "history.md")
    assert (text.code, text.out) == (0, "")
    written = Path("history.md").read_text(encoding="utf-8")
    assert "| 2026-W47 | ≠ | score | weekly |" in written
    assert "≠ 2026-W47 against 2026-W45: settings changed: min-good 1 → 2" in written
    compared = history("compare", "2026-W47", "2026-W48", "--format", "markdown").out
    assert "|  | change |" in compared


def test_the_same_history_is_the_same_bytes(history: Command) -> None:
    for words in ((), ("--measure", "gsb"), ("compare", "2026-W44", "2026-W45")):
        for form in ("table", "json", "csv", "markdown"):
            assert history(*words, "--format", form).out == history(*words, "--format", form).out


def test_names_of_others_cannot_repaint_the_terminal(history: Command, weeks: Command) -> None:
    weeks("2026-W49", "--name", "red\x1b[31m\nname", "--judge", "j\x1b[0m")
    assert "\x1b" not in history().out
    assert "red[31m name" in history().out


# bad input


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--name", "nightly"), "no evaluation 'nightly' is recorded; there are: score 'weekly'"),
        (("--kind", "study"), "no study is recorded; there are: score 'weekly' (2026-W44 to 2026-"),
        (
            ("compare", "2026-W44", "2026-W46"),
            "for 2026-W46; recorded weeks: 2026-W44, 2026-W45, 2026-W47, 2026-W48.",
        ),
        (("compare", "2026-W44", "2026-W60"), "There is no week 2026-W60"),
        (("compare", "2026-W44", "2026-W45", "--name", "x"), "no score 'x' is recorded; there"),
        (("compare", "2026-W44"), "Missing argument"),
        (("--measure", "mrr"), "has mrr; recorded figures: item_goodrate@3, query_goodrate@3"),
        (("--measure", "gsb", "--at", 7), "has gsb@7; recorded figures: item_goodrate@3"),
        (
            ("--measure", "gsb", "--segment", "query_type=x"),
            "for query_type=x; recorded segments: query_type=knowledge, query_type=negative.",
        ),
        (("--measure", "gsb", "--segment", "negative"), "write query_type=negative"),
        (("--at", 3), "--at and --segment say which figure to follow; add --measure."),
        (("-o", "history.html"), "a history is no page"),
        (("--format", "json", "compare", "2026-W44", "2026-W45"), "stand behind compare"),
        (("--db", "missing.db"), "There is no study database at missing.db"),
    ],
)
def test_bad_input_ends_in_one_line(history: Command, words: tuple[Any, ...], said: str) -> None:
    done = history(*words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_database_without_records_says_how_to_record(evalkit: Command, shop: Path) -> None:
    open_store("sqlite:///evalkit.db", create=True).close()
    done = evalkit("history")
    assert done.code == 2
    assert done.err == (
        "evalkit: nothing is recorded yet; evalkit score --record keeps an evaluation.\n"
    )
