"""`evalkit plan`: what a difference needs, from a file, a study, a recorded score or shares."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from study_shop import FILES, SAME, for_treatment, vote

from metrics.power import sign_queries, swap_queries

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]

# 100 queries: 16 become good and 4 stop being so; the deltas of nDCG vary by 0.2
ROWS = 100


def per_query() -> str:
    lines = ["query_id,query_type,measure,cutoff,control,treatment,delta,weight_control,"
             "weight_treatment"]  # fmt: skip
    for at in range(ROWS):
        before, after = (0, 1) if at < 16 else (1, 0) if at < 20 else (1, 1)
        kind = "negative" if at % 4 == 0 else "general"
        lines.append(f"q{at},{kind},query_goodrate,10,{before},{after},{after - before},1,1")
        lines.append(f"q{at},{kind},ndcg,10,0.5,{0.3 + 0.4 * (at % 2)},{0.4 * (at % 2) - 0.2},1,1")
    return "\n".join(lines) + "\n"


def votes() -> str:
    """40 queries with two votes each, 12 of 20 decided, and 10 queries with identical lists."""
    said = [(1, 1), (1, 0), (0, 0), (-1, 0), (-1, -1), (-1, -1), (0, 0), (1, -1), (1, 0), (0, -1)]
    lines = ["query_id,worker,preference,kind"]
    for at in range(40):
        first, second = said[at % 10]
        lines += [f"q{at},ann,{first},real", f"q{at},bob,{second},real"]
    lines += [f"same{at},,0,automatic" for at in range(10)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def plan(evalkit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Call `evalkit plan` beside a pilot of scores and one of votes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("EVALKIT_DB", raising=False)
    Path("per-query.csv").write_text(per_query())
    Path("votes.csv").write_text(votes())

    def run(*words: object) -> Any:
        return evalkit("plan", *words)

    return run


@pytest.fixture
def asked(plan: Command) -> Callable[..., dict[str, Any]]:
    """The same as JSON."""

    def asked(*words: object) -> dict[str, Any]:
        found: dict[str, Any] = plan(*words, "--format", "json").document()
        return found

    return asked


SCORES = ("--per-query", "per-query.csv")
VOTES = ("--votes", "votes.csv", "--map", "annotator=worker")


# scores


def test_a_reader_in_a_hurry_sees_how_many_queries_first(plan: Command) -> None:
    done = plan(*SCORES, "--delta", 5)
    needed = sign_queries(0.125, 0.075)
    assert done.err == ""
    assert done.out.startswith(
        f"To find a difference of 5 points in Query Goodrate@10 with 80% power: {needed:,} queries "
        "(you have 100: 14%\npower).\n"
    )


def test_the_table_has_every_measure_with_its_test(plan: Command) -> None:
    lines = plan(*SCORES, "--delta", 5).out.splitlines()
    share = next(line.split() for line in lines if line.startswith("Query Goodrate@10"))
    mean = next(line.split() for line in lines if line.startswith("nDCG@10"))
    # 2.80 · 0.2/√100 = 5.63 with the standard deviation over 99
    assert share[2] == str(sign_queries(0.125, 0.075))
    assert (share[4], share[5], share[7]) == ("100", "12.53", "McNemar")
    assert mean[1] == str(swap_queries(0.05, 0.2 * (100 / 99) ** 0.5))
    assert (mean[3], mean[4], " ".join(mean[6:])) == ("100", "5.63", "swap, mean")


def test_the_document_has_settings_pilot_rows_and_the_command(asked: Command) -> None:
    document = asked(*SCORES, "--delta", 5, "--measures", "ndcg", "--seed", 4)
    assert document["kind"] == "plan"
    assert document["settings"] == {
        "delta": 0.05, "power": 0.8, "alpha": 0.05, "queries": None, "simulate": 0, "seed": 4,
        "measures": ["ndcg"], "cutoffs": [], "by": [],
    }  # fmt: skip
    assert document["pilot"] == {
        "source": "per-query.csv", "from": "per-query values", "queries": 100,
    }  # fmt: skip
    assert document["inputs"][0]["rows"] == 200
    assert document["inputs"][0]["fingerprint"].startswith("sha256:")
    assert document["command"].startswith("evalkit plan --per-query per-query.csv --delta 5")
    (row,) = document["results"]
    assert row["needed_queries"] == swap_queries(0.05, 0.2 * (100 / 99) ** 0.5)
    assert row["mde"] == pytest.approx(0.0563, abs=1e-4)


def test_the_number_of_queries_tells_what_they_find(plan: Command, asked: Command) -> None:
    done = plan(*SCORES, "--queries", 400)
    assert done.out.startswith("400 queries find 6.26 points in Query Goodrate@10 with 80% power.")
    (share, _) = asked(*SCORES, "--queries", 400)["results"]
    assert (share["queries"], share["needed_queries"], share["power"]) == (400, None, None)


def test_segments_stand_below_with_their_share_of_the_queries(asked: Command) -> None:
    rows = asked(*SCORES, "--delta", 5, "--queries", 400, "--by", "query_type")["results"]
    found = {row["segment"].get("query_type"): row["queries"] for row in rows}
    assert found == {None: 400, "general": 300, "negative": 100}


def test_measures_and_cutoffs_are_chosen(asked: Command) -> None:
    rows = asked(*SCORES, "--delta", 5, "--measures", "ndcg", "--at", "10")["results"]
    assert [(row["measure"], row["cutoff"]) for row in rows] == [("ndcg", 10)]


def test_power_level_and_seed_are_settings(asked: Command) -> None:
    def needed(*words: object) -> int:
        row = asked(*SCORES, "--delta", 5, "--measures", "query_goodrate", *words)["results"][0]
        return int(row["needed_queries"])

    assert needed("--power", 0.9) == sign_queries(0.125, 0.075, power=0.9)
    assert needed("--alpha", 0.01) == sign_queries(0.125, 0.075, alpha=0.01)


def test_a_simulation_stands_beside_and_has_a_seed(plan: Command, asked: Command) -> None:
    words = (*SCORES, "--delta", 10, "--simulate", 60)
    one, again, other = (asked(*words, "--seed", seed)["results"] for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert all(0.6 < row["simulated_power"] < 0.95 for row in one)
    assert "simulated %" in plan(*words).out


# votes


def test_votes_are_planned_for_every_overlap_and_the_cheapest_is_marked(plan: Command) -> None:
    lines = plan(*VOTES, "--delta", 20, "--overlap", "1,2").out.splitlines()
    # a fifth of the queries have identical lists: 25 points on the others, 60% decided
    needed = sign_queries(0.34, 0.14)
    assert needed is not None
    people = -(-needed * 4 // 5)
    assert lines[0].startswith(
        f"To find a GSB of 20 points with 80% power: {needed} queries with 1 vote each, {people} "
        "votes"
    )
    one = next(line.split() for line in lines if line.startswith("1 vote each"))
    two = next(line.split() for line in lines if line.startswith("2 votes each"))
    assert one[3:5] == [str(needed), str(people)]
    assert one[-1] == "cheapest"
    assert two[-1] != "cheapest"
    assert "Votes: G:S:B 25.0:40.0:35.0%, pairs that say the same 50.0%, identical lists 20.0%" in (
        " ".join(lines)
    )


def test_agreement_can_be_said(asked: Command) -> None:
    low, high = (
        asked(*VOTES, "--delta", 20, "--overlap", 3, "--agreement", share)["results"][0]
        for share in (0.4, 0.9)
    )
    assert low["needed_queries"] < high["needed_queries"]


def test_shares_are_planned_without_a_pilot(plan: Command, asked: Command) -> None:
    done = plan("--expect", "30,50,20", "--overlap", 1)
    assert done.out.startswith(
        "To find a GSB of 10 points with 80% power: 408 queries with 1 vote each.\n"
    )
    assert "pilot's queries" not in done.out
    document = asked("--expect", "30,50,20", "--delta", 20, "--agreement", 0.6)
    assert document["pilot"]["source"] == "expected shares 30,50,20"
    assert [row["overlap"] for row in document["results"]] == [1, 2, 3, 4, 5]


def test_a_study_is_a_pilot(plan: Command, evalkit: Command, shop: Path) -> None:
    made = evalkit("study", "create", "shoes", *FILES, "--open", "--overlap", 2, "--seed", 5)
    assert made.code == 0, made.err
    url = "sqlite:///evalkit.db"
    none = plan("--study", "shoes", "--delta", 20)
    assert (none.code, none.out) == (2, "")
    assert "'shoes' has no votes yet" in none.err
    vote(url, "shoes", ["ann"], for_treatment(1), limit=6)
    vote(url, "shoes", ["bob", "cleo"], for_treatment(-1))
    document = plan("--study", "shoes", "--delta", 20, "--format", "json").document()
    assert document["pilot"]["source"] == "study shoes"
    assert document["pilot"]["identical"] == pytest.approx(len(SAME) / 12)
    assert document["results"][0]["needed_queries"] > 12
    assert "The pilot has 12 queries" in document["warnings"][0]
    by_type = plan("--study", "shoes", "--delta", 20, "--by", "query_type", "--overlap", 1)
    assert "By query_type" in by_type.out


# a recorded score


def test_a_recorded_score_is_a_pilot(plan: Command, score: Command) -> None:
    scored = score("--record", "--week", "2026-W47").document()
    document = plan("--week", "2026-W47", "--delta", 10, "--format", "json").document()
    assert document["pilot"]["source"] == "score of 2026-W47, weekly"
    assert document["pilot"]["queries"] == 4
    planned = {(row["measure"], row["cutoff"]): row["mde"] for row in document["results"]}
    for row in scored["results"]:
        assert planned[row["measure"], row["cutoff"]] == pytest.approx(row["mde"])
    other = plan("--week", "2026-W47", "--name", "nightly", "--delta", 10)
    assert other.code == 2
    assert "No score is recorded for 2026-W47 under 'nightly'" in other.err
    assert "no week 2026-W54" in plan("--week", "2026-W54", "--delta", 10).err


def test_a_per_query_file_finds_what_its_score_says(plan: Command, score: Command) -> None:
    scored = score("--per-query", "values.parquet", "--by", "query_type").document()
    document = plan(
        "--per-query", "values.parquet", "--delta", 10, "--by", "query_type", "--format", "json"
    ).document()
    assert document["warnings"] != []  # of the four queries only
    mde = [row["mde"] for row in document["results"] if not row["segment"]]
    assert mde == [pytest.approx(row["mde"]) for row in scored["results"] if not row["segment"]]


# forms


def test_csv_has_a_line_a_row_at_full_precision(plan: Command) -> None:
    done = plan(*SCORES, "--delta", 5, "--by", "query_type", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 6
    assert rows[0]["measure"] == "query_goodrate"
    assert {row["query_type"] for row in rows} == {"", "general", "negative"}
    assert len(rows[0]["mde"]) > 10


def test_markdown_has_the_same_figures_as_the_table(plan: Command) -> None:
    table = plan(*SCORES, "--delta", 5).out
    markdown = plan(*SCORES, "--delta", 5, "--format", "markdown").out
    line = next(text for text in table.splitlines() if text.startswith("nDCG@10"))
    row = next(text for text in markdown.splitlines() if text.startswith("| nDCG@10"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    # Markdown keeps the column of simulations, in which nothing is
    assert line.split() == " ".join(cell for cell in cells if cell != "–").split()
    assert markdown.startswith("**To find a difference of 5 points in Query Goodrate@10")


def test_the_name_of_the_file_says_the_form(plan: Command) -> None:
    assert plan(*SCORES, "--delta", 5, "-o", "plan.json").code == 0
    assert json.loads(Path("plan.json").read_text())["kind"] == "plan"
    assert plan(*SCORES, "--delta", 5, "-o", "plan.md").code == 0
    assert Path("plan.md").read_text().startswith("**To find")


# what cannot be planned


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give one pilot: --per-query FILE"),
        (("--delta", 2), "give one pilot"),
        ((*SCORES, *VOTES, "--delta", 2), "give one pilot"),
        (SCORES, "say which difference is to be found, as --delta 2 (points), or with --queries N"),
        ((*SCORES, "--delta", 0), "'--delta'"),
        ((*SCORES, "--delta", 2, "--power", 80), "'--power'"),
        ((*SCORES, "--delta", 2, "--alpha", 0), "'--alpha'"),
        ((*SCORES, "--queries", 1), "'--queries'"),
        ((*SCORES, "--delta", 2, "--overlap", 3), "--overlap is for votes; leave it out"),
        (
            (*VOTES, "--delta", 2, "--measures", "gsb"),
            "--measures is for scored runs; leave it out",
        ),
        (
            (*SCORES, "--delta", 2, "--measures", "mrr"),
            "--measures: the pilot has no measure 'mrr'; it has: query_goodrate, ndcg.",
        ),
        ((*SCORES, "--delta", 2, "--at", 5), "--at: the pilot has no cutoff 5; it has: 10."),
        ((*SCORES, "--delta", 2, "--by", "size"), "per-query.csv: column 'size' not found"),
        ((*SCORES, "--delta", 2, "--name", "nightly"), "--name is of a recorded score; add --week"),
        ((*VOTES, "--delta", 2, "--overlap", "a"), "--overlap 'a' is not a list of whole numbers"),
        ((*VOTES, "--delta", 2, "--overlap", 99), "--overlap: overlap must be 1 to 25 votes"),
        (("--expect", "1,2"), "--expect '1,2' is not understood; write G,S,B as 30,50,20"),
        (("--expect", "2,5,2"), "--expect: Good and Bad are equal, so say which delta"),
        (("--expect", "2,5,3", "--by", "x"), "--by needs a pilot"),
        (("--expect", "2,5,3", "--map", "a=b"), "--map is for a file"),
        (("--week", "2026-W47", "--delta", 2), "no study database"),
        (("--study", "gone", "--delta", 2), "no study database"),
        (("--per-query", "gone.csv", "--delta", 2), "gone.csv: there is no such file"),
        ((*SCORES, "--delta", 2, "-o", "plan.html"), "plans have no page"),
    ],
    ids=lambda value: " ".join(map(str, value))[:60] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_meant_is_one_line_and_ends_with_2(
    plan: Command, words: tuple[object, ...], said: str
) -> None:
    done = plan(*words)
    assert done.code == 2
    assert done.out == ""
    assert said.lower() in done.err.lower()
    assert done.err.count("\n") == 1


def test_a_file_of_single_runs_is_refused_with_the_remedy(
    plan: Command, score_run: Command
) -> None:
    score_run("--run", "control.run", "--per-query", "single.csv")
    done = plan("--per-query", "single.csv", "--delta", 2)
    assert done.code == 2
    assert "no column delta" in done.err
    assert "--control" in done.err


def test_the_help_says_what_a_pilot_is_and_has_an_example(plan: Command) -> None:
    text = " ".join(plan("--help").out.split())
    assert "A pilot tells how much queries vary" in text
    assert "Example: evalkit plan --per-query demo/per-query.parquet --delta 2" in text
