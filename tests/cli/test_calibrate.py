"""`evalkit calibrate`: figures, files for people, and the whole way round through a study."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from study_shop import vote

from evalkit.reports.calibration.table import format_calibration_table
from evalkit.store import Ballot, Served, evaluations, open_store
from metrics import calibrate as calibrate_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

QUERIES = [f"q{at:02}" for at in range(60)]
SAMPLE = QUERIES[::3]  # twenty
PAIR = ("--control", "control.csv", "--treatment", "treatment.csv")
FILES = (*PAIR, "--judgments", "judge.csv", "--queries", "queries.csv", "--at", "3")
DB = "study.db"


def lists(at: int) -> tuple[list[str], list[str]]:
    """Both runs show two products alike; where the query is even, the third is another."""
    shared = [f"{QUERIES[at]}-a", f"{QUERIES[at]}-b"]
    other = f"{QUERIES[at]}-{'d' if at % 2 == 0 else 'c'}"
    return [*shared, f"{QUERIES[at]}-c"], [*shared, other]


PRODUCTS = {q: sorted({*lists(at)[0], *lists(at)[1]}) for at, q in enumerate(QUERIES)}
TRUTH = {
    product: random.Random(product).choice([0, 0, 1, 2, 2])
    for q in QUERIES
    for product in PRODUCTS[q]
}
JUDGED = {
    product: grade if random.Random(f"judge {product}").random() < 0.75 else 2 - grade
    for product, grade in TRUTH.items()
}


def write_grades(path: str, grades: dict[str, int], queries: list[str], *more: str) -> None:
    """Judgments of all that is shown for some queries; further columns as `name=value`."""
    names = [text.partition("=")[0] for text in more]
    values = [text.partition("=")[2] for text in more]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["query_id", "product_id", "grade", *names])
        writer.writerows([q, p, grades[p], *values] for q in queries for p in PRODUCTS[q])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("EVALKIT_DB", raising=False)
    for name, side in (("control", 0), ("treatment", 1)):
        Path(f"{name}.csv").write_text(
            "query_id,product_id,rank\n"
            + "".join(
                f"{q},{p},{rank}\n"
                for at, q in enumerate(QUERIES)
                for rank, p in enumerate(lists(at)[side], 1)
            )
        )
    Path("queries.csv").write_text(
        "query_id,query,query_type\n"
        + "".join(
            f"{q},words of {q},{'even' if i % 2 == 0 else 'odd'}\n" for i, q in enumerate(QUERIES)
        )
    )
    write_grades("judge.csv", JUDGED, QUERIES, "source=classifier")
    write_grades("human.csv", TRUTH, SAMPLE, "source=human", "annotator=ann")
    return tmp_path


@pytest.fixture
def run(evalkit: Run, files: Path) -> Run:
    """Calibrate the two runs with good from 1 up; later options win."""

    def command(*more: object, human: str | None = "human.csv") -> Any:
        people = () if human is None else ("--human", human)
        return evalkit("calibrate", *FILES, *people, *more)

    return command


def document(done: Any) -> dict[str, Any]:
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def row(
    found: dict[str, Any], measure: str = "item_goodrate", of: str = "delta", **segment: str
) -> Any:
    return next(
        each
        for each in found["results"]
        if (each["measure"], each["of"], each["segment"]) == (measure, of, segment)
    )


def rows(path: str) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------ figures


def test_figures_are_those_of_metrics_calibrate(run: Run) -> None:
    found = document(run("--format", "json", "--by", "query_type"))

    def table(path: str) -> pa.Table:
        cells = rows(path)
        kinds = {"rank": int, "grade": int}
        names = [n for n in cells[0] if n in ("query_id", "product_id", "query_type", *kinds)]
        return pa.table({n: [kinds.get(n, str)(r[n]) for r in cells] for n in names})

    frames = [table(f"{n}.csv") for n in ("control", "treatment", "judge", "human", "queries")]
    expected = calibrate_frames(*frames, cutoffs=(3,), by=["query_type"]).to_dict()
    assert found["results"] == expected["results"]
    assert found["labelled"] == 20
    assert found["agreement"] == expected["agreement"]


def test_the_document_says_what_it_was_made_of(run: Run) -> None:
    found = document(run("--format", "json", "--judge", "tiny v2"))
    assert list(found) == [
        "kind", "settings", "query_set", "judge", "systems", "human", "labelled",
        "agreement", "warnings", "results", "plan", "sample", "inputs", "command",
    ]  # fmt: skip
    assert found["kind"] == "calibration"
    assert found["query_set"]["fingerprint"].startswith("sha256:")
    assert found["judge"]["name"] == "tiny v2"
    assert found["judge"]["source"] == "classifier"
    assert found["systems"] == {"control": "control", "treatment": "treatment"}
    assert [each["path"] for each in found["inputs"]] == [
        "control.csv", "treatment.csv", "judge.csv", "queries.csv", "human.csv",
    ]  # fmt: skip
    assert found["command"].startswith("evalkit calibrate --control control.csv")
    assert found["plan"] is found["sample"] is None


def test_the_query_set_is_the_one_that_score_names(run: Run, evalkit: Run) -> None:
    found = document(run("--format", "json", "--by", "query_type"))
    scored = evalkit("score", *FILES, "--format", "json", "--by", "query_type").document()
    assert found["query_set"]["fingerprint"] == scored["query_set"]["fingerprint"]


def test_the_table_has_the_three_figures_side_by_side(run: Run) -> None:
    done = run()
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "Query set: 60 queries (queries file)"
    assert lines[1].startswith("People: 20 labelled queries (human.csv), taken as a simple random")
    assert lines[2].startswith("Judge: agrees with people on ")
    line = next(text for text in lines if text.startswith("  Item Goodrate@3 Δ"))
    assert "20 of 60" in line
    assert "People alone would need" in done.out
    assert "corrected = both together (prediction-powered)" in done.out
    assert "about these queries" in " ".join(done.out.split())


def test_a_narrow_terminal_leaves_columns_out_and_says_so(run: Run) -> None:
    found = document(run("--format", "json"))
    text = format_calibration_table(found, width=76)
    assert all(len(line) <= 76 for line in text.splitlines())
    assert "Left out at this width: narrower" in text


def test_csv_and_markdown_hold_the_figures(run: Run) -> None:
    found = document(run("--format", "json", "--by", "query_type"))
    text = run("--format", "csv", "--by", "query_type").out
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == len(found["results"]) == 18
    assert float(table[2]["estimate"]) == found["results"][2]["estimate"]
    assert {each["query_type"] for each in table} == {"", "even", "odd"}
    assert run("-o", "found.md").code == 0
    assert "| Item Goodrate@3 Δ" in Path("found.md").read_text()


def test_a_page_is_written_by_its_name(run: Run) -> None:
    done = run("-o", "found.html", "--target-width", 4)
    assert done.code == 0, done.err
    assert "Wrote found.html" in done.err
    assert "Figures corrected by people" in Path("found.html").read_text()


def test_people_may_have_another_scale(run: Run) -> None:
    write_grades("tens.csv", {p: 10 * g for p, g in TRUTH.items()}, SAMPLE)
    found = document(run("--human-good", 10, "--format", "json", human="tens.csv"))
    assert found["results"] == document(run("--format", "json"))["results"]


def test_grades_of_several_people_become_one(run: Run) -> None:
    write_grades("bob.csv", TRUTH, SAMPLE, "source=human", "annotator=bob")
    done = run("--human", "bob.csv")
    assert done.code == 2
    assert "human.csv, bob.csv: query 'q00', product 'q00-a' has 2 grades" in done.err
    assert "use --aggregate" in done.err
    found = document(run("--human", "bob.csv", "--aggregate", "median", "--format", "json"))
    assert row(found) == row(document(run("--format", "json")))


def test_judgments_may_hold_people_and_the_judge(run: Run) -> None:
    write_grades("all.csv", JUDGED, QUERIES, "source=classifier")
    text = Path("human.csv").read_text().split("\n", 1)[1]
    with open("all.csv", "a", encoding="utf-8") as file:
        file.write(text.replace(",ann", ""))
    done = run("--judgments", "all.csv", "--source", "classifier", human="all.csv")
    assert "say which one to score with: use --human-source" in done.err
    found = document(
        run("--judgments", "all.csv", "--source", "classifier", "--human-source", "human",
            "--format", "json", human="all.csv")
    )  # fmt: skip
    assert found["results"] == document(run("--format", "json"))["results"]


def test_a_single_run_is_calibrated(evalkit: Run, files: Path) -> None:
    done = evalkit("calibrate", "--run", "control.csv", *FILES[4:], "--human", "human.csv")
    assert done.code == 0, done.err
    assert "  Item Goodrate@3 [1]  " in done.out
    assert "Δ" not in done.out


def test_the_population_is_a_wider_target(run: Run) -> None:
    narrow, wide = (
        row(document(run("--format", "json", "--target", target)))
        for target in ("queries", "population")
    )
    assert wide["ci_high"] - wide["ci_low"] > narrow["ci_high"] - narrow["ci_low"]
    assert "(population)" in run("--target", "population").out


# ------------------------------------------------------------------ probabilities


def write_probabilities(path: str, queries: list[str]) -> None:
    Path(path).write_text(
        "query_id,inclusion_probability\n"
        + "".join(f"{q},{0.2 + 0.6 * (QUERIES.index(q) % 2)}\n" for q in queries)
    )


def test_probabilities_beside_the_grades_count(run: Run) -> None:
    p = {q: 0.2 + 0.6 * (QUERIES.index(q) % 2) for q in SAMPLE}
    with open("human.csv", "w", encoding="utf-8") as file:
        file.write("query_id,product_id,grade,inclusion_probability\n")
        file.writelines(f"{q},{x},{TRUTH[x]},{p[q]}\n" for q in SAMPLE for x in PRODUCTS[q])
    beside = document(run("--format", "json"))
    assert beside["settings"]["probabilities"] == "given"
    write_grades("human.csv", TRUTH, SAMPLE)
    write_probabilities("p.csv", QUERIES)
    given = document(run("--probabilities", "p.csv", "--format", "json"))
    assert given["results"] == beside["results"]
    assert given["results"] != document(run("--format", "json"))["results"]


def test_grades_of_several_samples_need_the_probabilities_of_all(run: Run) -> None:
    write_grades("first.csv", TRUTH, SAMPLE[:10], "inclusion_probability=0.2")
    write_grades("second.csv", TRUTH, SAMPLE[10:], "inclusion_probability=0.5")
    done = run("--human", "second.csv", human="first.csv")
    assert done.code == 2
    assert "these grades come from several samples" in done.err
    write_probabilities("p.csv", QUERIES)
    assert run("--human", "second.csv", "--probabilities", "p.csv", human="first.csv").code == 0


# ------------------------------------------------------------------ plans and samples


def test_a_width_says_how_many_more_labels(run: Run) -> None:
    found = document(run("--target-width", 4, "--format", "json"))
    plan = found["plan"]
    assert (plan["measure"], plan["of"], plan["target_width"]) == ("item_goodrate", "delta", 0.04)
    assert plan["needed"] == 20 + plan["more"]
    text = " ".join(run("--target-width", 4).out.split())
    assert f"{plan['needed']} labelled queries in all, {plan['more']} more" in text


def test_the_measure_that_is_named_first_is_planned_for(run: Run) -> None:
    done = run("--target-width", 4, "--measures", "query_goodrate,item_goodrate")
    assert "For Δ Query Goodrate@3 in an interval 4.00 points wide" in done.out


def test_a_sample_is_drawn_where_the_runs_differ_and_nobody_has_graded(run: Run) -> None:
    out = ("--sample-out", "grade.csv", "--probabilities-out", "p.csv")
    found = document(run("--labels", 12, *out, "--seed", 3, "--format", "json"))
    drawn, everything = rows("grade.csv"), rows("p.csv")
    assert list(drawn[0]) == ["query_id", "query", "query_type", "inclusion_probability"]
    assert len(drawn) == 12
    assert not {each["query_id"] for each in drawn} & set(SAMPLE)
    assert len(everything) == 60
    # even queries differ in a product, odd ones in none
    even = [float(each["inclusion_probability"]) for each in everything[::2]]
    odd = [float(each["inclusion_probability"]) for each in everything[1::2]]
    assert min(even) > max(odd) > 1 / 3
    assert found["sample"] == {
        "queries": 12,
        "settings": {
            "count": 12, "cutoff": 3, "seed": 3, "evenly": 0.2, "labelled": 20, "queries": 60,
        },
        "path": "grade.csv",
        "probabilities": "p.csv",
    }  # fmt: skip


def test_an_earlier_probability_beside_the_queries_is_replaced(run: Run) -> None:
    lines = Path("queries.csv").read_text().splitlines()
    Path("queries.csv").write_text(
        "\n".join([lines[0] + ",inclusion_probability", *(f"{line},0.125" for line in lines[1:])])
    )
    assert run("--labels", 5, "--sample-out", "s.csv", "--probabilities-out", "p.csv").code == 0
    everything = {each["query_id"]: each["inclusion_probability"] for each in rows("p.csv")}
    drawn = rows("s.csv")
    assert list(drawn[0]) == ["query_id", "query", "query_type", "inclusion_probability"]
    assert all(each["inclusion_probability"] == everything[each["query_id"]] for each in drawn)


def test_the_same_seed_writes_the_same_bytes(run: Run) -> None:
    written = []
    for seed in (1, 1, 2):
        assert run("--labels", 9, "--sample-out", "s.csv", "--probabilities-out", "p.csv", "--seed",
                   seed).code == 0  # fmt: skip
        written.append(Path("s.csv").read_bytes() + Path("p.csv").read_bytes())
    assert written[0] == written[1] != written[2]


def test_a_width_draws_as_many_as_it_needs(run: Run) -> None:
    out = ("--sample-out", "s.csv", "--probabilities-out", "p.csv")
    found = document(run("--target-width", 6, *out, "--format", "json"))
    assert len(rows("s.csv")) == found["plan"]["more"] > 0
    Path("s.csv").unlink()
    done = run("--target-width", 90, *out)
    assert done.code == 0
    assert "Drew nothing: the interval is as narrow already." in done.err
    assert not Path("s.csv").exists()


def test_a_probability_of_the_judge_says_where_it_is_unsure(run: Run) -> None:
    with open("judge.csv", "w", encoding="utf-8") as file:
        file.write("query_id,product_id,grade,probability\n")
        file.writelines(
            f"{q},{p},{JUDGED[p]},{0.5 if q == 'q04' else 0.999}\n"
            for q in QUERIES
            for p in PRODUCTS[q]
        )
    assert run("--labels", 3, "--sample-out", "s.csv", "--probabilities-out", "p.csv").code == 0
    chance = {each["query_id"]: float(each["inclusion_probability"]) for each in rows("p.csv")}
    assert max(chance, key=lambda query: chance[query]) == "q04"


# ------------------------------------------------------------------ the whole way round


def people_grade(name: str) -> int:
    """Two people grade every task of a study as the truth is; how many votes they gave."""

    def truly(served: Served) -> Ballot:
        grades = {item.product_id: TRUTH[item.product_id] for item in served.pooled}
        return Ballot(items=grades, pages={"left": "good", "right": "good"})

    return vote(f"sqlite:///{DB}", name, ("ann", "bob"), truly)


def test_from_a_first_sample_through_a_study_to_corrected_figures_and_a_second_one(
    run: Run, evalkit: Run
) -> None:
    # nobody has graded yet: a first sample
    first = run("--labels", 15, "--sample-out", "s1.csv", "--probabilities-out", "p1.csv",
                "--seed", 1, human=None)  # fmt: skip
    assert first.code == 0, first.err
    assert "People: no grades yet" in first.out
    assert "Drew 15 queries to grade into s1.csv" in first.out
    create = ("study", "create", "--kind", "grade", *PAIR, "--depth", 3, "--overlap", 2, "--open",
              "--db", DB)  # fmt: skip
    made = evalkit(*create, "first", "--queries", "s1.csv")
    assert made.code == 0, made.err
    assert people_grade("first") == 30
    exported = evalkit("study", "export", "first", "--judgments", "first.csv", "--db", DB)
    assert exported.code == 0, exported.err
    told = {each["query_id"]: each["inclusion_probability"] for each in rows("first.csv")}
    overall = {each["query_id"]: each["inclusion_probability"] for each in rows("p1.csv")}
    assert {query: overall[query] for query in told} == told

    # its grades carry their probabilities
    options = ("--aggregate", "majority", "--format", "json")
    one = document(run(*options, human="first.csv"))
    assert (one["labelled"], one["settings"]["probabilities"]) == (15, "given")
    assert row(one) == row(document(run(*options, "--probabilities", "p1.csv", human="first.csv")))
    from_study = evalkit("calibrate", *FILES, "--study", "first", *options, "--db", DB)
    assert row(document(from_study)) == row(one)

    # a second sample, of queries that are not labelled
    again = run("--labels", 20, "--sample-out", "s2.csv", "--probabilities-out", "p2.csv",
                "--probabilities", "p1.csv", "--seed", 3, *options, human="first.csv")  # fmt: skip
    assert again.code == 0, again.err
    assert not set(told) & {each["query_id"] for each in rows("s2.csv")}
    assert evalkit(*create, "second", "--queries", "s2.csv").code == 0
    people_grade("second")
    assert evalkit("study", "export", "second", "--judgments", "second.csv", "--db", DB).code == 0
    both = ("--human", "second.csv", "--probabilities", "p2.csv")
    two = document(run(*both, *options, human="first.csv"))
    assert two["labelled"] == 35
    width = [row(each)["ci_high"] - row(each)["ci_low"] for each in (one, two)]
    assert width[1] < width[0]
    # what is known of all sixty queries
    truth = document(run("--format", "json", "--judgments", truth_file(), human=truth_file()))
    assert row(two)["ci_low"] <= row(truth)["human"] <= row(two)["ci_high"]


def truth_file() -> str:
    write_grades("truth.csv", TRUTH, QUERIES)
    return "truth.csv"


def test_a_calibration_is_recorded_under_its_week(run: Run) -> None:
    done = run("--record", "--week", "2026-W47", "--db", DB, "--judge", "tiny")
    assert done.code == 0, done.err
    store = open_store(f"sqlite:///{DB}")
    try:
        (kept,) = evaluations(store, kind="calibration")
    finally:
        store.close()
    assert (kept.week, kept.name, kept.judge) == ("2026-W47", "weekly", "tiny")
    assert kept.query_set == kept.document["query_set"]["fingerprint"]
    assert kept.document["results"] == document(run("--format", "json"))["results"]
    again = run("--record", "--week", "2026-W47", "--db", DB, "--judge", "tiny")
    assert "Recorded before, nothing changed" in again.err


# ------------------------------------------------------------------ refused

REFUSED = {
    "no people": ((), "give people's grades with --human FILE or --study STUDY"),
    "one run": (("--run", "control.csv", "--human", "human.csv"), "or --run for a single run"),
    "both": (("--human", "human.csv", "--study", "x"), "--human or --study, but not both"),
    "half a sample": (
        ("--human", "human.csv", "--labels", 3, "--sample-out", "s.csv"),
        "--sample-out and --probabilities-out belong together",
    ),
    "no file": (("--human", "human.csv", "--labels", 3), "add --sample-out"),
    "no number": (
        ("--human", "human.csv", "--sample-out", "s.csv", "--probabilities-out", "p.csv"),
        "say how many queries to draw",
    ),
    "too many": (
        ("--human", "human.csv", "--labels", 41, "--sample-out", "s.csv",
         "--probabilities-out", "p.csv"),
        "41 queries cannot be drawn: 40 are not labelled yet: ask for fewer",
    ),
    "ties": (("--human", "human.csv", "--ties", "bounds"), "leave --ties out"),
    "unjudged": (("--human", "human.csv", "--unjudged", "drop"), "leave --unjudged out"),
    "measure": (("--human", "human.csv", "--measures", "ndcg"), "'ndcg' cannot be calibrated"),
    "no column": (("--human", "human.csv", "--probabilities", "queries.csv"),
                  "queries.csv: no column inclusion_probability"),
    "not there": (("--human", "nothing.csv"), "nothing.csv"),
    "week": (("--human", "human.csv", "--week", "2026-W47"), "add --record"),
    "database": (("--human", "human.csv", "--db", "x.db"), "--db is for --study and --record"),
    "html": (("--human", "human.csv", "--format", "html"), "needs a file"),
    "human options": (("--labels", 3, "--human-good", 2, "--sample-out", "s.csv",
                       "--probabilities-out", "p.csv"), "--human-good is of people's grades"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_in_one_line(run: Run, case: str) -> None:
    options, said = REFUSED[case]
    done = run(*options, human=None)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


@pytest.mark.parametrize("value", ["0", "1.5", "often"])
def test_a_value_that_is_no_probability_is_refused_with_its_query(run: Run, value: str) -> None:
    write_grades("bad.csv", TRUTH, SAMPLE, f"inclusion_probability={value}")
    done = run(human="bad.csv")
    assert done.code == 2
    assert "bad.csv: 20 problems" in done.err
    assert "query 'q00': inclusion_probability is not above 0 and at most 1" in done.err
    Path("p.csv").write_text(f"query_id,inclusion_probability\nq00,{value}\n")
    done = run("--probabilities", "p.csv")
    assert "p.csv: query 'q00': inclusion_probability is not above 0 and at most 1" in done.err


def test_a_labelled_query_without_a_probability_is_named(run: Run) -> None:
    write_probabilities("p.csv", QUERIES[1:])
    done = run("--probabilities", "p.csv")
    assert done.code == 2
    assert "query 'q00' is labelled and has no inclusion_probability" in done.err
    assert "give --probabilities FILE" in done.err


def test_one_grade_in_two_files_is_refused(run: Run) -> None:
    write_grades("more.csv", TRUTH, SAMPLE[:2], "source=human", "annotator=ann")
    done = run("--human", "more.csv", "--aggregate", "median")
    assert done.code == 2
    assert "more.csv: 6 problems" in done.err or "graded in another file" in done.err


def test_help_ends_with_an_example(evalkit: Run) -> None:
    done = evalkit("calibrate", "--help")
    assert "Example: evalkit calibrate --control" in " ".join(done.out.split())
