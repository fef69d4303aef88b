"""`evalkit correlate`: a small study whose figures are worked out by hand, and its refusals."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from study_shop import FILES, SAME, write_shop

from evalkit.store import evaluations, open_store, record_evaluation
from evalkit.tables import write

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

DB = ("--db", "evalkit.db")
STUDY = ("--study", "shoes", *DB)
SCORES = ("--per-query", "per-query.csv")
QUICK = ("--draws", 0)

# votes of ann and bob, Δ of Item Goodrate@10: nDCG@10 goes exactly with the votes
SAID = {
    "q01": ((1, 1), 0.4),
    "q02": ((1, 1), 0.2),
    "q03": ((1, 0), 0.1),
    "q04": ((0, 0), 0.0),
    "q05": ((0, 0), 0.1),
    "q06": ((1, -1), 0.0),
    "q07": ((0, -1), -0.1),
    "q08": ((-1, -1), -0.3),
    "q09": ((-1, -1), 0.2),
    "q10": ((-1, -1), 0.0),
}


def votes_text(*more: str) -> str:
    rows = [
        f"{query},{who},{vote},real\n"
        for query, (votes, _) in SAID.items()
        for who, vote in zip(("ann", "bob"), votes, strict=True)
    ]
    return "".join(["query_id,annotator,preference,kind\n", *rows, *more])


def scores_text() -> str:
    rows = ["query_id,query_type,measure,cutoff,control,treatment,delta\n"]
    for at, (query, (votes, delta)) in enumerate(SAID.items()):
        kind = "negative" if at % 2 else "knowledge"
        rows.append(f"{query},{kind},item_goodrate,10,0.5,{0.5 + delta},{delta}\n")
        rows.append(f"{query},{kind},ndcg,10,0.5,0.5,{sum(votes) / 20}\n")
        rows.append(f"{query},{kind},ndcg,5,0.5,0.5,{delta}\n")
    return "".join(rows)


@pytest.fixture
def correlate(evalkit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `evalkit correlate` in a folder with votes, scores and the runs behind them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVALKIT_DB", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    write_shop()
    Path("votes.csv").write_text(votes_text())
    Path("per-query.csv").write_text(scores_text())

    def command(*words: object) -> Any:
        return evalkit("correlate", *words)

    return command


@pytest.fixture
def shoes(correlate: Run, evalkit: Run) -> Run:
    """The same with a study `shoes` that holds the votes."""
    options = ("--overlap", 2, "--twins", 0, "--open", *DB)
    for words in (("create", "shoes", *FILES, *options), ("import", "shoes", "votes.csv", *DB)):
        done = evalkit("study", *words)
        assert done.code == 0, done.err
    return correlate


def tau_b(pairs: list[tuple[float, float]]) -> float:
    """Kendall's τ-b, pair by pair."""
    balance = of_x = of_y = 0
    for (x, y), (v, w) in combinations(pairs, 2):
        one, other = (x > v) - (x < v), (y > w) - (y < w)
        balance += one * other
        of_x += abs(one)
        of_y += abs(other)
    found: float = balance / (of_x * of_y) ** 0.5
    return found


# ------------------------------------------------------------------ the figures


def test_the_figures_of_a_study_are_those_worked_out_by_hand(shoes: Run) -> None:
    done = shoes(*STUDY, *SCORES, *QUICK, "--format", "json")
    row = done.row("item_goodrate", 10)
    pairs = [(sum(votes) / 2, delta) for votes, delta in SAID.values()]
    assert row["queries"] == 10
    assert row["kendall"] == pytest.approx(tau_b(pairs))
    # h and Δ are both not 0 on q01, q02, q03, q07, q08, q09, and part on q09
    assert (row["sign_queries"], row["sign_agreement"]) == (6, pytest.approx(5 / 6))
    # rows people's Bad, Same, Good; columns Δ < 0, = 0, > 0; a tie of two votes is Same
    assert row["confusion"] == [[1, 1, 1], [1, 2, 2], [0, 0, 2]]
    assert row["agreement"] == pytest.approx(0.5)
    by_chance = (3 * 2 + 5 * 3 + 2 * 5) / 100
    assert row["kappa"] == pytest.approx((0.5 - by_chance) / (1 - by_chance))
    # 0.4 and 0.2 against -0.3, 0.2, 0: five wins and a tie of six
    assert row["auc"] == pytest.approx(5.5 / 6)


def test_votes_from_a_file_give_the_figures_of_the_study(shoes: Run) -> None:
    study = shoes(*STUDY, *SCORES, "--format", "json").document()
    file = shoes("--votes", "votes.csv", *SCORES, "--format", "json").document()
    assert file["results"] == study["results"]
    assert file["ranking"] == study["ranking"]
    assert study["human"]["source"] == "study shoes"
    assert file["human"]["source"] == "votes.csv"


def test_a_document_has_the_keys_that_reports_read(shoes: Run) -> None:
    document = shoes(*STUDY, *SCORES, "--format", "json").document()
    assert document["kind"] == "correlation"
    assert set(document) >= {
        "settings", "human", "automated", "warnings", "results", "ranking", "disagreements",
        "systems", "inputs", "command",
    }  # fmt: skip
    assert set(document["human"]) == {
        "source", "votes", "queries", "annotators", "automatic", "scale", "fingerprint",
    }  # fmt: skip
    assert (
        document["settings"] | {"seed": 0, "draws": 1000, "confidence": 0.95, "by": []}
        == (document["settings"])
    )
    assert document["automated"]["fingerprint"].startswith("sha256:")
    assert document["command"].startswith("evalkit correlate --study shoes")
    assert [each["path"] for each in document["inputs"]] == ["study shoes", "per-query.csv"]


def test_queries_with_identical_lists_are_told_and_left_out(shoes: Run) -> None:
    document = shoes(*STUDY, *SCORES, *QUICK, "--format", "json").document()
    assert (document["human"]["automatic"], document["human"]["queries"]) == (len(SAME), 10)
    assert "2 queries have identical lists" in " ".join(document["warnings"])


def test_gold_and_practice_votes_enter_no_figure(correlate: Run) -> None:
    plain = correlate("--votes", "votes.csv", *SCORES, "--format", "json").document()
    Path("more.csv").write_text(votes_text("q01,cy,-1,gold\n", "q02,cy,-1,practice\n"))
    more = correlate("--votes", "more.csv", *SCORES, "--format", "json").document()
    assert more["results"] == plain["results"]
    assert more["left_out"] == {"gold": 1, "practice": 1}


def test_segments_follow_all_queries(correlate: Run) -> None:
    done = correlate(
        "--votes", "votes.csv", *SCORES, "--by", "query_type", "--format", "json", *QUICK
    )
    assert done.row("ndcg", 10, query_type="negative")["queries"] == 5
    assert done.document()["results"][0]["segment"] == {}


def test_measures_and_cutoffs_can_be_chosen(correlate: Run) -> None:
    words = ("--votes", "votes.csv", *SCORES, *QUICK, "--format", "json", "--measures", "ndcg")
    document = correlate(*words, "--at", "5").document()
    assert [(row["measure"], row["cutoff"]) for row in document["results"]] == [("ndcg", 5)]
    assert document["disagreements"][0]["measure"] == "ndcg"


def test_the_first_figure_of_the_scores_is_spoken_of_first(correlate: Run) -> None:
    words = ("--votes", "votes.csv", *SCORES, *QUICK, "--format", "json")
    named = correlate(*words).document()["headline"]
    assert named == {"measure": "item_goodrate", "cutoff": 10}
    named = correlate(*words, "--measures", "ndcg").document()["headline"]
    assert named == {"measure": "ndcg", "cutoff": 10}  # 10 stands before 5 in the file
    named = correlate(*words, "--measures", "ndcg", "--at", "5,10").document()["headline"]
    assert named == {"measure": "ndcg", "cutoff": 5}


def test_the_same_votes_in_another_order_give_the_same_bytes(correlate: Run) -> None:
    words = ("--votes", "votes.csv", *SCORES, "--format", "csv")
    first = correlate(*words)
    assert first.code == 0, first.err
    header, *rows = Path("votes.csv").read_text().splitlines(keepends=True)
    Path("votes.csv").write_text("".join([header, *reversed(rows)]))
    assert correlate(*words).out == first.out
    assert correlate(*words, "--seed", 1).out != first.out


# ------------------------------------------------------------------ disagreements


def test_what_people_and_measure_part_on_comes_with_text_and_both_lists(shoes: Run) -> None:
    document = shoes(*STUDY, *SCORES, *QUICK, "--top", 3, "--format", "json").document()
    assert len(document["disagreements"]) == 3
    first = document["disagreements"][0]
    assert (first["query_id"], first["human"], first["delta"]) == ("q09", -1.0, 0.2)
    assert (first["good"], first["same"], first["bad"]) == (0, 0, 2)
    assert first["query"] == "words of q09"
    assert [item["title"] for item in first["control"]] == ["Product cq09", "Product s1"]
    assert [item["product_id"] for item in first["treatment"]] == ["tq09", "s1"]


def test_without_lists_the_ids_are_named(correlate: Run) -> None:
    document = correlate("--votes", "votes.csv", *SCORES, *QUICK, "--format", "json").document()
    first = document["disagreements"][0]
    assert first["query_id"] == "q09"
    assert (first["query"], first["control"], first["treatment"]) == (None, None, None)


def test_lists_and_texts_can_come_from_files(correlate: Run) -> None:
    done = correlate("--votes", "votes.csv", *SCORES, *QUICK, *FILES, "--format", "json")
    first = done.document()["disagreements"][0]
    assert first["query"] == "words of q09"
    assert [item["title"] for item in first["control"]] == ["Product cq09", "Product s1"]
    assert [item["rank"] for item in first["treatment"]] == [1, 2]


def test_queries_alone_give_the_texts(correlate: Run) -> None:
    words = ("--votes", "votes.csv", *SCORES, *QUICK, "--queries", "queries.csv")
    first = correlate(*words, "--format", "json").document()["disagreements"][0]
    assert (first["query"], first["control"]) == ("words of q09", None)


# ------------------------------------------------------------------ forms


def test_the_table_says_what_was_found(shoes: Run) -> None:
    done = shoes(*STUDY, *SCORES)
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "People: study shoes: 20 votes by 2 annotators on 10 queries" in said
    assert "Item Goodrate@10 and people point the same way on 83% [44, 97] of the 6 queries" in said
    assert "which chance alone could give" in said
    assert "Of the 3 measures nDCG@10 follows people most closely here" in said
    assert "words of q09" in said


def test_csv_has_a_line_a_measure_with_the_nine_counts(correlate: Run) -> None:
    done = correlate("--votes", "votes.csv", *SCORES, "--format", "csv", "--by", "query_type")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 9
    first = next(row for row in rows if row["measure"] == "item_goodrate")
    assert first["query_type"] == ""
    assert first["confusion_same_good"] == "2"
    assert first["confusion_good_bad"] == "0"
    best = next(row for row in rows if (row["measure"], row["cutoff"]) == ("ndcg", "10"))
    assert (best["behind"], best["behind_low"]) == ("0.0", "")


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.txt", "People: votes.csv"),
        ("a.json", "{"),
        ("a.csv", "measure,cutoff"),
        ("a.md", "People: votes.csv"),
        ("a.html", "<!doctype html>"),
    ],
)
def test_the_name_of_the_output_tells_its_form(correlate: Run, name: str, start: str) -> None:
    done = correlate("--votes", "votes.csv", *SCORES, *QUICK, "-o", name)
    assert (done.code, done.out) == (0, ""), done.err
    assert Path(name).read_text(encoding="utf-8").startswith(start)


def test_map_names_columns(correlate: Run) -> None:
    Path("votes.csv").write_text(votes_text().replace("query_id,annotator", "task,who"))
    names = ("--map", "votes.query_id=task", "--map", "annotator=who")
    done = correlate("--votes", "votes.csv", *SCORES, *QUICK, *names, "--format", "json")
    assert done.document()["human"]["annotators"] == 2


# ------------------------------------------------------------------ the history


def record_score(
    week: str, values: pa.Table | None = None, *, delta: float = 0.02, **about: Any
) -> None:
    results = [
        {"measure": "item_goodrate", "cutoff": 10, "segment": {}, "delta": delta},
        {"measure": "item_goodrate", "cutoff": 10, "segment": {"t": "x"}, "delta": -9.0},
    ]
    document = {"kind": "score", "results": results, **about}
    judge = (about.get("judge") or {}).get("name")
    record(week, "score", document, values=values, judge=judge)


def record_study(week: str, gsb: float, **about: Any) -> None:
    votes = {"overall": {"gsb": gsb}, "settings": {"aggregate": "majority"}}
    record(week, "study", {"kind": "study", "gsb": votes, **about})


def record(week: str, kind: Any, document: dict[str, Any], **more: Any) -> None:
    with open_store("sqlite:///evalkit.db", create=True) as store:
        record_evaluation(
            store,
            kind=kind,
            week=week,
            name="weekly",
            document=document,
            fingerprint=f"sha256:{kind}{week}",
            **more,
        )


def values() -> pa.Table:
    size = len(SAID)
    return pa.table(
        {
            "query_id": list(SAID),
            "measure": ["item_goodrate"] * size,
            "cutoff": pa.array([10] * size, pa.int64()),
            "delta": [delta for _, delta in SAID.values()],
        }
    )


def test_scores_can_come_from_the_history(correlate: Run) -> None:
    record_score("2026-W47", values(), delta=0.02)
    words = ("--votes", "votes.csv", *QUICK, "--format", "json")
    recorded = correlate(*words, "--week", "2026-W47", *DB)
    from_file = correlate(*words, *SCORES)
    assert recorded.row("item_goodrate", 10) == from_file.row("item_goodrate", 10)
    assert recorded.document()["automated"] == {
        "source": "score of 2026-W47, weekly",
        "fingerprint": "sha256:score2026-W47",
    }


def test_record_keeps_the_document_once(correlate: Run) -> None:
    words = ("--votes", "votes.csv", *SCORES, *QUICK, *DB, "--record", "--week", "2026-W47")
    first = correlate(*words)
    assert first.code == 0, first.err
    assert "Recorded weekly of 2026-W47" in first.err
    assert "nothing changed" in correlate(*words).err
    with open_store("sqlite:///evalkit.db") as store:
        (kept,) = evaluations(store, kind="correlation", latest_only=False)
    assert (kept.week, kept.name) == ("2026-W47", "weekly")
    assert kept.document["ranking"][0]["measure"] == "ndcg"
    assert kept.document["command"].startswith("evalkit correlate --votes votes.csv")


def test_systems_pair_studies_and_scores_of_a_week(correlate: Run) -> None:
    for week, delta, gsb in [("W44", 0.01, 0.1), ("W45", 0.02, 0.3), ("W46", 0.03, 0.2)]:
        record_score(f"2026-{week}", delta=delta)
        record_study(f"2026-{week}", gsb)
    record_study("2026-W47", 0.9)  # a week without a score is no point
    document = correlate("--systems", *DB, "--format", "json").document()
    (row,) = document["systems"]["results"]
    assert (row["measure"], row["studies"]) == ("item_goodrate", 3)
    assert row["kendall"] == pytest.approx(1 / 3)
    assert [point["gsb"] for point in document["systems"]["points"]] == [0.1, 0.3, 0.2]
    assert document["human"] is None
    table = correlate("--systems", *DB).out
    assert "Over 3 studies, Δ of Item Goodrate@10 and GSB go together with τ-b 0.33" in table
    assert "Over studies" in table
    rows = list(csv.DictReader(io.StringIO(correlate("--systems", *DB, "--format", "csv").out)))
    assert rows[0]["studies"] == "3"


def test_the_look_over_the_history_is_not_recorded_in_it(correlate: Run) -> None:
    done = correlate("--systems", "--record", "--week", "2026-W47", *DB)
    assert done.code == 2
    assert "--systems alone looks over what is recorded; leave out --record" in done.err


def test_systems_leave_out_studies_of_other_runs_and_those_that_go_on(correlate: Run) -> None:
    runs = {"control": "lex", "treatment": "dense"}
    swapped = {"control": "dense", "treatment": "lex"}
    for week, gsb in (("W41", 0.1), ("W42", 0.3), ("W43", 0.2)):
        record_score(f"2026-{week}", delta=gsb / 10, systems=runs)
        record_study(f"2026-{week}", gsb, study=runs, progress={"complete": 9, "tasks": 9})
    for week, about in (
        ("W44", {"study": swapped}),
        ("W45", {"study": {**runs, "control": "bm25"}}),
        ("W46", {"study": runs, "progress": {"complete": 8, "tasks": 9}}),
    ):
        record_score(f"2026-{week}", delta=-0.9, systems=runs)
        record_study(f"2026-{week}", 0.9, **about)
    record_score("2026-W47", delta=0.04, systems=runs)
    record_study("2026-W47", 0.4, study={"control": "control", "treatment": "treatment"})
    document = correlate("--systems", *DB, "--format", "json").document()
    assert [point["gsb"] for point in document["systems"]["points"]] == [0.1, 0.3, 0.2, 0.4]
    assert document["systems"]["results"][0]["kendall"] == 1.0
    assert document["warnings"] == [
        "2026-W44 weekly is left out: people compared dense → lex, the score lex → dense.",
        "2026-W45 weekly is left out: people compared bm25 → dense, the score lex → dense.",
        "2026-W46 weekly is left out: the votes of its study are not all in.",
    ]
    words = ("--votes", "votes.csv", *SCORES, *QUICK, "--systems", *DB, "--format", "json")
    assert document["warnings"][0] in correlate(*words).document()["warnings"]


def test_systems_say_what_differs_between_the_weeks(correlate: Run) -> None:
    first: dict[str, Any] = {"judge": {"name": "a"}, "settings": {"unjudged": "bad"}}
    other: dict[str, Any] = {"judge": {"name": "b"}, "settings": {"unjudged": "drop"}}
    for week, about, overlap in (("W44", first, 3), ("W45", first, 3), ("W46", other, 1)):
        record_score(f"2026-{week}", **about)
        record_study(
            f"2026-{week}", 0.1, study={"control": "a", "treatment": "b", "overlap": overlap}
        )
    (said,) = correlate("--systems", *DB, "--format", "json").document()["warnings"]
    assert said == (
        "2026-W45 and 2026-W46 are not figures of the same thing, and stand in one correlation: "
        "the judge changed: a → b; settings changed: unjudged bad → drop; settings changed: "
        "overlap 3 → 1."
    )
    assert "stand in one correlation" in " ".join(correlate("--systems", *DB).out.split())


def test_systems_say_why_no_study_is_left(correlate: Run) -> None:
    record_score("2026-W44", systems={"control": "a", "treatment": "b"})
    record_study("2026-W44", 0.1, study={"control": "b", "treatment": "a"})
    done = correlate("--systems", *DB)
    assert (done.code, done.out) == (2, "")
    assert "2026-W44 weekly is left out: people compared b → a, the score a → b." in done.err


def test_systems_can_stand_beside_the_queries(correlate: Run) -> None:
    record_score("2026-W46")
    record_study("2026-W46", 0.1)
    words = ("--votes", "votes.csv", *SCORES, *QUICK, "--systems", *DB, "--format", "json")
    document = correlate(*words).document()
    assert document["systems"]["results"][0]["note"] == "no correlation: fewer than 3 studies"
    assert document["results"]


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "say what people said"),
        (SCORES, "add --study STUDY or --votes FILE"),
        (("--votes", "votes.csv"), "add --per-query FILE, or --week WEEK"),
        (("--votes", "votes.csv", "--study", "shoes", *SCORES), "but not both"),
        (("--votes", "votes.csv", *SCORES, "--week", "2026-W47"), "add --record"),
        (("--votes", "votes.csv", *SCORES, "--name", "daily"), "add --record"),
        (("--votes", "votes.csv", *SCORES, "--control", "control.run"), "add the other"),
        (("--votes", "votes.csv", *SCORES, "--products", "p.jsonl"), "--control and --treatment"),
        (("--votes", "votes.csv", *SCORES, "--format", "html"), "needs a file"),
        (
            ("--votes", "votes.csv", *SCORES, "--measures", "dcg"),
            "--measures: measure 'dcg'",
        ),
        (("--votes", "votes.csv", *SCORES, "--at", "7"), "--at: cutoff 7 is not"),
        (("--votes", "votes.csv", *SCORES, "--by", "colour"), "'colour'"),
        (("--votes", "votes.csv", *SCORES, "-o", "nowhere/a.json"), "nowhere does not exist"),
        (("--systems", "--by", "query_type"), "is for --study or --votes"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_a_sentence(
    correlate: Run, words: tuple[str, ...], message: str
) -> None:
    done = correlate(*words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_study_without_votes_says_how_to_get_some(correlate: Run, evalkit: Run) -> None:
    evalkit("study", "create", "shoes", *FILES, *DB)
    done = correlate(*STUDY, *SCORES)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "Study 'shoes' has no votes yet" in done.err
    assert "evalkit study import shoes FILE" in done.err


def test_an_unknown_study_is_refused_with_those_there_are(shoes: Run) -> None:
    done = shoes("--study", "boots", *DB, *SCORES)
    assert done.code == 2
    assert "no study named 'boots'; the database has: shoes" in done.err


def test_votes_and_scores_of_different_queries_are_refused(correlate: Run) -> None:
    Path("votes.csv").write_text("query_id,annotator,preference\nz1,ann,1\n")
    done = correlate("--votes", "votes.csv", *SCORES)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "votes.csv against per-query.csv" in done.err
    assert "share no query" in done.err


def test_scores_of_single_runs_are_refused(correlate: Run) -> None:
    Path("per-query.csv").write_text("query_id,measure,cutoff,value\nq01,ndcg,10,0.5\n")
    done = correlate("--votes", "votes.csv", *SCORES)
    assert done.code == 2
    assert "per-query.csv: no column delta" in done.err
    assert "--treatment" in done.err


def test_a_bad_vote_is_refused_with_its_place(correlate: Run) -> None:
    Path("votes.csv").write_text("query_id,annotator,preference\nq01,ann,great\n")
    done = correlate("--votes", "votes.csv", *SCORES)
    assert done.code == 2
    assert "votes.csv: row 2, column preference" in done.err


def test_a_week_without_a_recorded_score_is_refused(correlate: Run) -> None:
    record_score("2026-W46", values())
    done = correlate("--votes", "votes.csv", "--week", "2026-W47", *DB)
    assert done.code == 2
    assert (
        "No score is recorded for 2026-W47 under 'weekly'; there are: 2026-W46 weekly" in done.err
    )
    done = correlate("--votes", "votes.csv", "--week", "2026-W54", *DB)
    assert done.code == 2
    assert "2026-W54" in done.err


def test_a_recorded_score_without_values_is_refused(correlate: Run) -> None:
    record_score("2026-W47")
    done = correlate("--votes", "votes.csv", "--week", "2026-W47", *DB)
    assert done.code == 2
    assert "recorded without the values of its queries" in done.err


def test_a_history_without_pairs_is_refused(correlate: Run) -> None:
    record_score("2026-W47")
    done = correlate("--systems", *DB)
    assert done.code == 2
    assert "evalkit study record STUDY --week WEEK" in done.err


# ------------------------------------------------------------------ what is loaded


def test_the_table_needs_no_model_library_and_no_page(correlate: Run) -> None:
    write(pa.table({"query_id": ["q01"], "annotator": ["a"], "preference": [1]}), "v.parquet",
          kind="votes")  # fmt: skip
    words = ["evalkit", "correlate", "--votes", "v.parquet", *SCORES]
    program = (
        f"import sys; sys.argv = {json.dumps(words)}\n"
        "from evalkit.cli import main\n"
        "main()\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "metrics" in loaded
    assert not loaded & {"torch", "transformers", "faiss", "streamlit", "plotly", "pandas"}
