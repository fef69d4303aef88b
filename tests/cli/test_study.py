"""`evalkit study`: from two runs to votes and back, with real files and a real database."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from study_shop import FILES, SAME, for_treatment, treatment_stands, vote

from evalkit.store import Ballot, Served, comparisons, find_study, open_store, sign_in, studies

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

DB = "sqlite:///evalkit.db"


@pytest.fixture
def run(evalkit: Run, shop: Path) -> Run:
    """Run a command of `evalkit study` in a folder with a shop."""

    def command(*words: object) -> Any:
        return evalkit("study", *words)

    return command


@pytest.fixture
def shoes(run: Run) -> Run:
    """The same, with an open study `shoes` of overlap 2 and no twins."""
    done = run("create", "shoes", *FILES, "--overlap", 2, "--twins", 0, "--open")
    assert done.code == 0, done.err
    return run


def status(run: Run, *words: object) -> dict[str, Any]:
    done = run("status", "shoes", "--format", "json", *words)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def rows(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


# create


def test_create_says_what_it_made(run: Run) -> None:
    done = run("create", "shoes", *FILES, "--twins", 0.2)
    assert done.code == 0, done.err
    assert "Study shoes in sqlite:///evalkit.db: side by side, 3 answers, lists of 10" in done.out
    assert re.search(r"tasks +10  30 votes wanted", done.out)
    assert re.search(r"automatic +2  identical lists", done.out)
    assert re.search(r"twin +2  shown again", done.out)
    assert done.out.endswith(
        "Next:\n  evalkit study open shoes\n  evalkit study invite NAME\n  evalkit annotate\n"
    )
    assert done.err == "Reading the files\nStoring 14 tasks\n"


def test_create_freezes_the_lists(run: Run) -> None:
    run("create", "shoes", *FILES)
    Path("products.jsonl").unlink()
    with open_store(DB) as store:
        study = find_study(store, "shoes")
        first = next(c for c in comparisons(store, study.id) if c.query_id == "q01")
        assert study.state == "draft"
        assert (study.design.control_system, study.design.treatment_system) == ("lexical", "dense")
        assert [item.title for item in first.treatment] == ["Product tq01", "Product s1"]
        assert [each["role"] for each in study.design.design["inputs"]] == [
            "control",
            "treatment",
            "queries",
            "products",
        ]


def test_create_can_open_at_once(run: Run) -> None:
    done = run("create", "shoes", *FILES, "--open")
    assert "; open." in done.out
    assert "Next:\n  evalkit study invite NAME\n  evalkit annotate\n" in done.out


def test_a_study_without_a_name_gets_a_number(run: Run) -> None:
    assert "Study study-1 in" in run("create", *FILES).out
    assert "Study study-2 in" in run("create", *FILES).out


def test_settings_of_a_study_are_kept(run: Run) -> None:
    done = run(
        *("create", "shoes", *FILES, "--scale", 5, "--depth", 1, "--overlap", 4, "--seed", 7),
        *("--policy", "disagreement", "--identical", "show", "--lease", 5, "--min-dwell", 100),
        *("--reasons", "price,other", "--image-hosts", "cdn.example", "--stop-width", 10),
        *("--stop-when-decided", "--by", "department,query_type"),
    )
    assert done.code == 0, done.err
    with open_store(DB) as store:
        design = find_study(store, "shoes").design
    assert (design.scale, design.depth, design.overlap, design.seed) == (5, 1, 4, 7)
    assert (design.policy, design.identical) == ("disagreement", "show")
    assert (design.lease_ms, design.min_dwell_ms) == (300_000, 100)
    assert (design.reasons, design.image_hosts) == (("price", "other"), ("cdn.example",))
    assert (design.stop_width, design.stop_when_decided) == (10.0, True)
    assert design.segments == ("department", "query_type")


def test_the_database_is_where_it_is_said_to_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("create", "one", *FILES, "--db", "one.db")
    assert "  evalkit annotate --db one.db\n" in done.out
    monkeypatch.setenv("EVALKIT_DB", "sqlite:///two.db")
    run("create", "two", *FILES)
    assert (
        run("list", "--db", "sqlite:///one.db", "--format", "json").document()[0]["name"] == "one"
    )
    assert run("list", "--format", "json").document()[0]["name"] == "two"
    assert not Path("evalkit.db").exists()


def test_gold_and_practice_are_counted(run: Run) -> None:
    Path("gold.csv").write_text("query_id,preference,practice\nq01,good,\nq02,good,true\n")
    done = run("create", "shoes", *FILES, "--gold", "gold.csv", "--twins", 0)
    assert re.search(r"tasks +9  27 votes wanted", done.out)
    assert re.search(r"gold +1  with known answers", done.out)
    assert re.search(r"practice +1  asked first", done.out)
    assert "! 1 query of the query set serve for practice" in done.out


def test_a_query_without_any_results_is_counted(run: Run) -> None:
    with open("queries.csv", "a") as file:
        file.write("q13,unheard of,negative,shoes\n")
    done = run("create", "shoes", *FILES)
    assert done.code == 0, done.err
    assert re.search(r"automatic +3 ", done.out)
    assert "! 1 query has no results in the treatment." in done.out


# votes


def test_votes_become_gsb(shoes: Run) -> None:
    given = vote(DB, "shoes", ["ann", "bob"], for_treatment(1))
    assert given == 20  # ten queries that differ, overlap 2
    found = status(shoes)
    overall = found["gsb"]["overall"]
    assert (overall["good"], overall["same"], overall["bad"]) == (10, 2, 0)
    assert overall["gsb"] == pytest.approx(10 / 12)
    assert overall["gsb_without_automatic"] == 1
    assert (overall["votes"], overall["automatic"]) == (20, 2)
    assert found["progress"]["share"] == 1
    assert found["agreement"]["percent"] == 1
    segments = {row["segment"]["query_type"]: row["good"] for row in found["gsb"]["segments"]}
    assert segments == {"negative": 5, "knowledge": 5}
    assert found["position_bias"]["left_share"] == pytest.approx(0.5)


def test_status_in_words(shoes: Run) -> None:
    vote(DB, "shoes", ["ann", "bob"], for_treatment(1))
    text = shoes("status", "shoes").out
    assert "Study shoes (open): side by side, 3 answers, control lexical, treatment dense" in text
    assert re.search(r"votes +20 of 20 \(100\.0%\)", text)
    assert re.search(r"overall +12 +20 +10:2:0 +\+83\.33 +\[", text)
    assert re.search(r"negative +6 +10 +5:1:0", text)
    assert "without the 2 with identical lists: GSB +100.00" in text
    assert re.search(r"e-value \S+ \((not )?decided\)", text)
    assert "α nominal" in text


def test_status_before_any_vote(shoes: Run) -> None:
    done = shoes("status", "shoes")
    assert done.code == 0, done.err
    assert re.search(r"votes +0 of 20 \(0\.0%\)", done.out)


def test_an_unfinished_study_warns_of_identical_lists(shoes: Run) -> None:
    vote(DB, "shoes", ["ann"], for_treatment(1), limit=3)
    warnings = " ".join(status(shoes)["warnings"])
    assert "All 2 queries with identical lists count as the same already" in warnings
    vote(DB, "shoes", ["ann", "bob"], for_treatment(1))
    assert "identical lists count" not in " ".join(status(shoes)["warnings"])


def test_only_the_left_is_seen_as_position_bias(shoes: Run) -> None:
    vote(DB, "shoes", ["ann", "bob"], lambda served: Ballot(shown=-1))
    found = status(shoes)
    assert found["position_bias"]["left_share"] == 1
    assert any("went to the left list" in warning for warning in found["warnings"])
    # the sides of a task are balanced, so the left-clickers agree on nothing
    assert found["gsb"]["overall"]["gsb"] == 0


def test_other_policies_have_no_anytime_interval(run: Run) -> None:
    run("create", "shoes", *FILES, "--policy", "disagreement", "--open")
    vote(DB, "shoes", ["ann"], for_treatment(1), limit=4)
    found = status(run)
    assert found["sequential"]["available"] is False
    assert "--policy disagreement" in found["sequential"]["reason"]
    assert any("not at random" in warning for warning in found["warnings"])
    assert "none: the serving order depends on votes" in run("status", "shoes").out


def test_the_study_may_stop(shoes: Run) -> None:
    vote(DB, "shoes", ["ann", "bob"], for_treatment(1))
    assert status(shoes)["stopping"]["may_stop"] is False
    found = status(shoes, "--stop-width", 190, "--stop-when-decided")["stopping"]
    assert found["may_stop"] is True
    assert "GSB is known within 190 points" in found["reasons"]
    text = shoes("status", "shoes", "--stop-width", 20).out
    assert "votes left to a decision" in text
    assert "votes left to ±10 points" in text


def test_the_way_of_putting_votes_together_can_be_chosen(shoes: Run) -> None:
    vote(DB, "shoes", ["ann"], for_treatment(1))
    vote(DB, "shoes", ["bob"], for_treatment(-1))
    assert status(shoes)["gsb"]["overall"]["same"] == 12
    by_votes = status(shoes, "--aggregate", "votes")["gsb"]["overall"]
    assert (by_votes["good"], by_votes["bad"]) == (10, 10)


# out and in


def test_votes_go_out_and_gsb_reads_them(shoes: Run, evalkit: Run) -> None:
    vote(DB, "shoes", ["ann", "bob"], for_treatment(1))
    done = shoes("export", "shoes", "--votes", "votes.csv")
    assert (done.code, done.out) == (0, "")
    assert done.err == "Wrote votes.csv: 22 rows\n"
    written = rows("votes.csv")
    assert {row["preference"] for row in written if row["kind"] == "real"} == {"1"}
    assert {row["query_id"] for row in written if row["kind"] == "automatic"} == set(SAME)
    sides = [row["treatment_side"] for row in written if row["kind"] == "real"]
    assert sides.count("left") == sides.count("right") == 10
    gsb = evalkit("gsb", "votes.csv", "--format", "json")
    assert gsb.code == 0, gsb.err
    overall = gsb.document()["results"][0]
    assert (overall["good"], overall["same"], overall["bad"]) == (10, 2, 0)


@pytest.mark.parametrize("name", ["votes.csv", "votes.jsonl", "votes.parquet"])
def test_what_goes_out_comes_in_again(shoes: Run, name: str) -> None:
    vote(DB, "shoes", ["ann", "bob"], for_treatment(1))
    shoes("export", "shoes", "--votes", name)
    made = shoes("create", "again", *FILES, "--overlap", 2, "--twins", 0)
    assert made.code == 0, made.err
    done = shoes("import", "again", name)
    assert done.code == 0, done.err
    assert done.out == "Added 20 votes of again.\n"
    twice = shoes("import", "again", name)
    assert twice.out == "Added 0 votes of again; 20 were there already.\n"
    one = json.loads(shoes("status", "shoes", "--format", "json").out)["gsb"]
    two = json.loads(shoes("status", "again", "--format", "json").out)["gsb"]
    assert one == two


def test_votes_of_another_tool_come_in(run: Run) -> None:
    run("create", "shoes", *FILES, "--overlap", 1)
    Path("tool.csv").write_text(
        "qid,worker,vote,treatment_side\nq01,ann,left,left\nq02,ann,Tie,right\nq03,ann,left,right\n"
    )
    done = run("import", "shoes", "tool.csv")
    assert done.code == 0, done.err
    overall = status(run)["gsb"]["overall"]
    assert (overall["good"], overall["same"], overall["bad"]) == (1, 3, 1)


def test_a_bad_file_of_votes_changes_nothing(run: Run) -> None:
    run("create", "shoes", *FILES)
    Path("tool.csv").write_text("query_id,annotator,preference\nq01,ann,good\nq02,ann,splendid\n")
    done = run("import", "shoes", "tool.csv")
    assert (done.code, done.out) == (2, "")
    assert "tool.csv: row 3, column preference" in done.err
    assert "splendid" in done.err
    Path("tool.csv").write_text("query_id,annotator,preference\nq01,ann,good\nzz,ann,good\n")
    done = run("import", "shoes", "tool.csv")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("evalkit: tool.csv: query 'zz'")
    assert status(run)["progress"]["votes"] == 0


# grades


def grade(served: Served) -> Ballot:
    """Products of the treatment are good, those of the control bad, those of both partial."""
    grades = {"t": 2, "c": 0, "s": 1}
    items = {item.product_id: grades[item.product_id[0]] for item in served.pooled}
    left = "good" if treatment_stands(served) == "left" else "bad"
    right = "good" if treatment_stands(served) == "right" else "bad"
    return Ballot(items=items, pages={"left": left, "right": right})


def test_grades_go_out_and_score_reads_them(run: Run, evalkit: Run) -> None:
    made = run("create", "grades", *FILES, "--kind", "grade", "--overlap", 2, "--open")
    assert made.code == 0, made.err
    vote(DB, "grades", ["ann", "bob"], grade)
    done = run("export", "grades", "--judgments", "j.csv", "--page-grades", "pages.csv")
    assert done.code == 0, done.err
    scored = evalkit(
        *("score", "--control", "control.run", "--treatment", "treatment.csv"),
        *("--judgments", "j.csv", "--source", "human", "--aggregate", "majority"),
        *("--page-grades", "pages.csv", "--queries", "queries.csv", "--good", 2),
        *("--measures", "item_goodrate,query_goodrate", "--format", "json"),
    )
    overall = {row["measure"]: row for row in scored.document()["results"]}
    # ten of the treatment's 24 products are good, none of the control's
    assert overall["item_goodrate"]["treatment"] == pytest.approx(10 / 24)
    assert overall["item_goodrate"]["control"] == 0
    assert overall["query_goodrate"]["treatment"] == pytest.approx(10 / 12)
    summary = json.loads(run("status", "grades", "--format", "json").out)
    assert [(row["word"], row["number"]) for row in summary["grades"]["items"]] == [
        ("Bad", 20),
        ("Partial", 28),
        ("Good", 20),
    ]
    assert summary["grades"]["agreement"]["alpha_ordinal"] == 1
    assert "items" in run("status", "grades").out


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("No,Yes", ((0, "No"), (1, "Yes"))),
        ("2", ((0, "Bad"), (1, "Good"))),
        ("4", ((0, "Bad"), (1, "Fair"), (2, "Good"), (3, "Perfect"))),
    ],
)
def test_levels_are_words_or_a_number(run: Run, text: str, levels: Any) -> None:
    run("create", "grades", *FILES, "--kind", "grade", "--levels", text)
    with open_store(DB) as store:
        assert find_study(store, "grades").design.levels == levels


# people


def test_invite_prints_a_personal_link_once(shoes: Run) -> None:
    done = shoes("invite", "Ann", "Bob", "--url", "https://votes.example/")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["Ann (annotator)", "Bob (annotator)"]
    tokens = [re.fullmatch(r".*: https://votes\.example/invite/(\S+)", line) for line in lines]
    assert all(tokens)
    with open_store(DB) as store:
        person = sign_in(store, tokens[0][1], client="test")  # type: ignore[index]
        assert person is not None
        assert person.name == "Ann"
        shoes("invite", "Ann")
        assert sign_in(store, tokens[0][1], client="test") is None  # type: ignore[index]
        shoes("revoke", "Bob")
        assert sign_in(store, tokens[1][1], client="test") is None  # type: ignore[index]
    assert tokens[0][1].encode() not in Path("evalkit.db").read_bytes()  # type: ignore[index]


def test_roles_are_kept_unless_they_are_changed(shoes: Run) -> None:
    assert "(analyst)" in shoes("invite", "Ann", "--role", "analyst").out
    assert "(analyst)" in shoes("invite", "Ann").out
    assert "http://localhost:8501/invite/" in shoes("invite", "Ann").out


def test_votes_that_are_set_aside_enter_nothing_and_come_back(shoes: Run) -> None:
    vote(DB, "shoes", ["ann", "bob"], for_treatment(1))
    done = shoes("set-aside", "shoes", "bob", "--reason", "only clicks left")
    assert done.code == 0, done.err
    found = status(shoes)
    assert found["gsb"]["overall"]["votes"] == 10
    assert found["quality"]["left_out"] == {"set_aside": 10}
    assert "Set aside: bob (only clicks left)." in shoes("status", "shoes").out
    assert "set aside: only clicks left" in shoes("annotators", "shoes").out
    shoes("restore", "shoes", "bob")
    assert status(shoes)["gsb"]["overall"]["votes"] == 20


def test_annotators_are_told_apart(run: Run) -> None:
    Path("gold.csv").write_text("query_id,preference\nq01,good\nq02,good\n")
    run("create", "shoes", *FILES, "--overlap", 2, "--gold", "gold.csv", "--open")
    vote(DB, "shoes", ["ann"], for_treatment(1))
    vote(DB, "shoes", ["bob"], for_treatment(-1))
    found = run("annotators", "shoes", "--format", "json").document()
    assert [(row["annotator"], row["gold_accuracy"]) for row in found] == [("ann", 1), ("bob", 0)]
    text = run("annotators", "shoes").out
    assert re.search(r"ann +\d+ +0\.0% +100\.0% \(2\)", text)


def test_guidelines_have_versions(shoes: Run) -> None:
    Path("all.md").write_text("Look at both lists.\n")
    Path("negative.md").write_text("Look for what is *not* wanted.\n")
    assert "version 1 for all types" in shoes("guideline", "shoes", "--file", "all.md").err
    words = ("guideline", "shoes", "--type", "negative", "--file", "negative.md")
    assert "version 1 for negative" in shoes(*words).err
    assert "version 1 for negative" in shoes(*words).err  # nothing new
    Path("negative.md").write_text("Look for what is not wanted.\n")
    assert "version 2 for negative" in shoes(*words).err
    assert shoes("guideline", "shoes", "--type", "negative").out == Path("negative.md").read_text()
    assert shoes("guideline", "shoes", "--type", "other").out == "Look at both lists.\n"


# states


def test_states_follow_each_other(run: Run) -> None:
    run("create", "shoes", *FILES)
    states = []
    for word in ("open", "pause", "open", "close"):
        assert run(word, "shoes").code == 0
        states.append(run("list", "--format", "json").document()[0]["state"])
    assert states == ["open", "paused", "open", "closed"]
    done = run("open", "shoes")
    assert (done.code, done.out) == (2, "")


def test_list_shows_every_study(run: Run) -> None:
    run("create", "one", *FILES)
    run("create", "two", *FILES, "--kind", "grade")
    text = run("list").out
    assert re.search(r"two +grade +draft +0/36 +12 +lexical → dense", text)
    assert re.search(r"one +sbs +draft +0/30 +12 +lexical → dense", text)


# refusals


BAD: dict[str, tuple[tuple[object, ...], str]] = {
    "no such file": (("--queries", "gone.csv"), "gone.csv: there is no such file."),
    "an unknown scale": (("--scale", 4), "Invalid value for '--scale'"),
    "a scale of grades": (("--kind", "grade", "--scale", 5), "a grade study has --levels."),
    "levels of votes": (("--levels", "3"), "--levels are for grade studies; add --kind grade."),
    "one level": (("--kind", "grade", "--levels", "Good"), "write Bad,Partial,Good, or 3."),
    "five levels": (("--kind", "grade", "--levels", "5"), "are not 2, 3 or 4 different words"),
    "a level twice": (("--kind", "grade", "--levels", "Good,good"), "different words"),
    "stopping grades": (("--kind", "grade", "--stop-when-decided"), "for side-by-side studies."),
    "a seed without end": (("--seed", 10**19), "at most 18 digits"),
    "a lease without end": (("--lease", 10**7), "at most 35,000 minutes"),
    "no depth": (("--depth", 0), "Invalid value for '--depth'"),
    "no overlap": (("--overlap", 0), "Invalid value for '--overlap'"),
    "too many twins": (("--twins", 1.5), "Invalid value for '--twins'"),
    "twins of grades": (("--kind", "grade", "--twins", 0.1), "--twins exchange sides"),
    "an unknown policy": (("--policy", "best"), "Invalid value for '--policy'"),
    "uncertain about what": (("--policy", "uncertain"), "needs --per-query FILE"),
    "a measure of nothing": (("--measure", "mrr"), "add --per-query FILE"),
    "an unknown segment": (("--by", "locale"), "they have: query_type, department."),
    "an unknown field": (("--fields", "size"), "they have: title."),
    "a large sample": (("--sample", 13), "--sample 13 is more than the 12 queries there are"),
    "no width": (("--stop-width", 0), "Invalid value for '--stop-width'"),
    "a column of no table": (("--map", "size=x"), "no table has a column of that name"),
    "a column that is not there": (("--map", "queries.query=text"), "no column 'text'"),
    "little memory": (("--memory-limit", "lots"), "is not a size"),
    "another database": (("--db", "mysql://localhost/x"), "SQLite or PostgreSQL, not in mysql"),
    "no database at all": (("--db", "post gres://"), "The database address cannot be read"),
    "an order that is not there": (("--order", "score"), "treatment.csv: no column score"),
    "nothing to vote on": (
        ("--treatment", "control.run", "--open"),
        "there is nothing to vote on: the lists of every query are the same",
    ),
    "a reason of two": (("--reasons", "price;brand"), "without a semicolon"),
    "an empty name": (("--", " "), "the study's name is empty"),
}


def test_a_draft_without_a_task_says_why(run: Run) -> None:
    done = run("create", *FILES, "--treatment", "control.run")
    assert done.code == 0, done.err
    assert "! There is nothing to vote on: the lists of every query are the same" in done.out


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_made_is_refused_in_one_line(run: Run, case: str) -> None:
    words, said = BAD[case]
    before = sorted(Path().iterdir())
    done = run("create", *FILES, *words)
    assert (done.code, done.out) == (2, ""), done.err
    *progress, last = done.err.splitlines()
    assert set(progress) <= {"Reading the files"}
    assert last.startswith("evalkit: ")
    assert said in last
    assert sorted(Path().iterdir()) == before


def test_a_name_that_is_taken_is_refused(shoes: Run) -> None:
    done = shoes("create", "shoes", *FILES)
    assert (done.code, done.out) == (2, "")
    assert "shoes" in done.err
    with open_store(DB) as store:
        assert len(studies(store)) == 1


MISSING: dict[str, tuple[tuple[object, ...], str]] = {
    "status": (("status", "boots"), "boots"),
    "open": (("open", "boots"), "boots"),
    "export of nothing": (("export", "shoes"), "say what to write: --votes"),
    "export without votes": (("export", "shoes", "--judgments", "j.csv"), "shoes"),
    "export to a folder": (("export", "shoes", "--votes", "."), ".: is a folder. Name a file."),
    "export to no folder": (("export", "shoes", "--votes", "no/v.csv"), "does not exist"),
    "export twice to one file": (
        ("export", "shoes", "--votes", "v.csv", "--judgments", "v.csv"),
        "v.csv is named for two outputs.",
    ),
    "revisions of nothing": (
        ("export", "shoes", "--judgments", "j.csv", "--all-revisions"),
        "add --votes FILE",
    ),
    "an unknown format": (("export", "shoes", "--votes", "votes.xyz"), "say one of"),
    "an import of nothing": (("import", "shoes", "gone.csv"), "gone.csv: there is no such file."),
    "nobody": (("set-aside", "shoes", "Zoe", "--reason", "x"), "nobody is called 'Zoe'"),
    "no reason": (("set-aside", "shoes", "Zoe", "--reason", " "), "--reason is empty"),
    "nobody to restore": (("restore", "shoes", "Zoe"), "nobody is called 'Zoe'"),
    "nobody to revoke": (("revoke", "Zoe"), "the database knows nobody yet."),
    "invited twice": (("invite", "Ann", "Ann"), "every NAME must be different"),
    "an address for two": (("invite", "Ann", "Bob", "--email", "a@b.c"), "one NAME at a time"),
    "no web address": (("invite", "Ann", "--url", "localhost"), "write http://HOST:PORT."),
    "an unknown role": (("invite", "Ann", "--role", "boss"), "Invalid value for '--role'"),
    "no guideline": (("guideline", "shoes"), "store one with --file FILE."),
    "a guideline of nothing": (("guideline", "shoes", "--file", "gone.md"), "gone.md: cannot be"),
    "a width of nothing": (("status", "shoes", "--stop-width", 0), "'--stop-width'"),
    "a segment of nothing": (("status", "shoes", "--by", "locale"), "it has: query_type."),
    "no database": (("status", "shoes", "--db", "gone.db"), "There is no study database at"),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_not_there_is_told_in_one_line(shoes: Run, case: str) -> None:
    words, said = MISSING[case]
    before = sorted(path for path in Path().iterdir() if ".db" not in path.name)
    done = shoes(*words)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.count("\n") == 1
    assert said in done.err
    assert sorted(path for path in Path().iterdir() if ".db" not in path.name) == before
    assert not Path("gone.db").exists()


@pytest.mark.parametrize(
    "word",
    ["annotators", "close", "create", "export", "guideline", "import", "invite", "list", "open",
     "pause", "restore", "revoke", "set-aside", "status"],
)  # fmt: skip
def test_every_help_ends_with_an_example(run: Run, word: str) -> None:
    done = run(word, "--help")
    assert f"Example: evalkit study {word}" in " ".join(done.out.split())


# the process


def test_studies_load_no_model_library(shoes: Run) -> None:
    vote(DB, "shoes", ["ann", "bob"], for_treatment(1))
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from evalkit.cli import main\n"
        "main()\n"
    )
    for words in (("create", "again", *FILES), ("status", "shoes"), ("list",)):
        done = subprocess.run(
            [sys.executable, "-c", program, "study", *words],
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = {name.split(".")[0] for name in done.stderr.split()}
        assert "sqlalchemy" in loaded
        assert not loaded & {"torch", "transformers", "faiss", "streamlit", "plotly"}


def test_ctrl_c_ends_with_130_and_leaves_nothing(run: Run, program: list[str]) -> None:
    os.mkfifo("never.csv")
    words = [*program, "study", "create", "shoes", *FILES, "--per-query", "never.csv"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        writer = os.open("never.csv", os.O_WRONLY)  # opens when the reader waits for the pipe
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        os.close(writer)
    assert not Path("evalkit.db").exists()
