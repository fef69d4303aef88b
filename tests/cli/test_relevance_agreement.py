"""`evalkit relevance agreement`: a judge's file against people's, through the command line."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.metrics import cohen_kappa_score

from evalkit.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

# query by query four pairs; grades 0 to 2, good from 2 on
HUMAN = {"q1": "2200", "q2": "2100", "q3": "0020", "q4": "2221"}
JUDGE = {"q1": "2210", "q2": "2200", "q3": "0002", "q4": "2220"}
TYPES = {"q1": "negative", "q2": "negative", "q3": "knowledge", "q4": "knowledge"}
SURE = {"2": 0.9, "1": 0.4, "0": 0.1}


def write(path: str, grades: dict[str, str], *more: str) -> None:
    """Write judgments; with `probability`, the judge's own."""
    lines = [",".join(["query_id", "product_id", "grade", *more])]
    for query, marks in grades.items():
        for at, mark in enumerate(marks):
            rest = {"probability": str(SURE[mark]), "source": "classifier"}
            lines.append(",".join([query, f"p{at}", mark, *(rest[name] for name in more)]))
    Path(path).write_text("\n".join(lines) + "\n")


@pytest.fixture
def run(evalkit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    write("judge.csv", JUDGE, "source", "probability")
    write("human.csv", HUMAN)
    Path("queries.csv").write_text(
        "query_id,query,query_type\n"
        + "".join(f"{query},text of {query},{type_}\n" for query, type_ in TYPES.items())
    )
    Path("products.jsonl").write_text(
        "".join(
            json.dumps({"product_id": f"p{at}", "title": f"kettle {at}"}) + "\n" for at in range(4)
        )
    )

    def command(*more: object, judge: str = "judge.csv", human: str = "human.csv") -> Any:
        words = ("relevance", "agreement", "--judge", judge, "--human", human, "--good", "2")
        return evalkit(*words, *more)

    return command


BY = ("--queries", "queries.csv", "--by", "query_type")
JSON = ("--format", "json")


def test_figures_by_hand_and_by_scikit_learn(run: Run) -> None:
    found = run(*BY, *JSON).document()
    assert found["kind"] == "agreement"
    row = found["results"][0]
    # good by both: q1 two, q2 one, q4 three; only the judge: q2 p1, q3 p3; only people: q3 p2
    assert [row[name] for name in ("both_good", "judge_only", "human_only", "both_bad")] == [
        6, 2, 1, 7,
    ]  # fmt: skip
    assert row["agreement"] == pytest.approx(13 / 16)
    assert row["precision"] == pytest.approx(6 / 8)
    assert row["recall"] == pytest.approx(6 / 7)
    one, other = ["".join(grades.values()) for grades in (JUDGE, HUMAN)]
    good = [[mark == "2" for mark in marks] for marks in (one, other)]
    assert row["kappa"] == pytest.approx(cohen_kappa_score(*good))
    assert row["weighted_kappa"] == pytest.approx(
        cohen_kappa_score([*map(int, one)], [*map(int, other)], weights="quadratic")
    )
    assert found["grades"] == {
        "judge": [0, 1, 2], "human": [0, 1, 2], "counts": [[5, 1, 1], [1, 0, 0], [1, 1, 6]],
    }  # fmt: skip
    truth = [mark == "2" for mark in other]
    brier = sum((SURE[mark] - real) ** 2 for mark, real in zip(one, truth, strict=True)) / 16
    assert row["brier"] == pytest.approx(brier)
    assert [each["pairs"] for each in found["reliability"]["bins"]] == [7, 1, 8]
    segments = [(row["segment"], row["pairs"], row["queries"]) for row in found["results"][1:]]
    assert segments == [({"query_type": "knowledge"}, 8, 2), ({"query_type": "negative"}, 8, 2)]


def test_the_document_says_what_it_was_made_from(run: Run) -> None:
    found = run(*BY, *JSON).document()
    assert [each["path"] for each in found["inputs"]] == ["judge.csv", "human.csv", "queries.csv"]
    assert all(each["fingerprint"].startswith("sha256:") for each in found["inputs"])
    assert found["judge"]["source"] == "classifier"
    assert found["settings"]["good"] == 2
    assert "relevance agreement" in found["command"]
    assert "rest on 4 queries" in found["warnings"][0]


def test_the_judge_is_named_by_its_manifest_or_by_hand(run: Run) -> None:
    model = {"role": "relevance", "id": "classifier:tiny", "fingerprint": "sha256:a"}
    Manifest(command="evalkit judge", settings={}, inputs=(), models=(model,)).write(
        Path("judge.csv"), started=time.monotonic()
    )
    judge = run(*JSON).document()["judge"]
    assert (judge["name"], judge["model"]) == ("classifier:tiny", "sha256:a")
    named = run(*JSON, "--judge-name", "shop v2").document()["judge"]
    assert (named["name"], named["model"]) == ("shop v2", "sha256:a")


def manifest(good: float) -> None:
    model = {"role": "relevance", "id": "classifier:tiny", "fingerprint": "sha256:a"}
    Manifest(command="evalkit judge", settings={"good": good}, inputs=(), models=(model,)).write(
        Path("judge.csv"), started=time.monotonic()
    )


def test_what_the_probability_calls_good_is_good_unless_said_otherwise(
    run: Run, evalkit: Run
) -> None:
    manifest(2.0)
    files = ("--judge", "judge.csv", "--human", "human.csv")
    plain = evalkit("relevance", "agreement", *files, *JSON).document()
    assert plain["settings"]["good"] == 2
    assert plain["results"] == run(*JSON).document()["results"]
    assert plain["reliability"]["pairs"] == 16


def test_probabilities_of_another_good_are_left_out_with_one_warning(run: Run) -> None:
    classifier("own")
    manifest(1.0)
    found = run(*JSON, "--classifier", "own").document()
    assert (found["reliability"], found["classifier"]) == (None, None)
    assert found["results"][0]["brier"] is None
    assert found["results"][0]["both_good"] == 6
    said = [text for text in found["warnings"] if "probabilities" in text]
    assert said == [
        "The judge's probabilities are of a grade of 1 or more, not of 2: no Brier score, ECE and "
        "reliability curve; --good 1 has them."
    ]
    assert run(*JSON, "--judge-good", "1").document()["reliability"]["pairs"] == 16


def test_the_conclusion_of_a_page_is_said_in_the_terminal(run: Run) -> None:
    said = run("-o", "page.html").err
    assert "Judge and people agree on 81.2% of the pairs" in said
    assert "Wrote page.html" in said


def test_differences_carry_texts_and_the_surest_come_first(run: Run) -> None:
    found = run(*BY, "--products", "products.jsonl", *JSON).document()["differences"]
    assert [(pair["query_id"], pair["product_id"], pair["probability"]) for pair in found] == [
        ("q3", "p2", 0.1), ("q3", "p3", 0.9), ("q2", "p1", 0.9),
    ]  # fmt: skip
    assert (found[0]["query"], found[0]["title"]) == ("text of q3", "kettle 2")
    assert run(*JSON, "-n", "1").document()["differences"][0]["title"] is None


def test_table_markdown_and_csv_say_the_same(run: Run) -> None:
    table = run(*BY)
    assert table.code == 0
    assert "Judge and people agree on 81.2% of the pairs" in " ".join(table.out.split())
    assert "calling every pair not good would agree on 56.2%" in " ".join(table.out.split())
    assert "judge: not good" in table.out
    markdown = run(*BY, "--format", "markdown").out
    assert "| all pairs | 16 | 4 | 81.2 | 56.2 | 75.0 | 85.7 | 0.62 |" in markdown
    rows = list(csv.DictReader(io.StringIO(run(*BY, "--format", "csv").out)))
    assert [row["query_type"] for row in rows] == ["", "knowledge", "negative"]
    assert float(rows[0]["agreement"]) == 13 / 16
    assert run(*BY, "--format", "csv").out == run(*BY, "--format", "csv").out


def test_a_judge_without_probabilities_is_compared_all_the_same(run: Run) -> None:
    write("judge.csv", JUDGE)
    found = run(*JSON).document()
    assert found["reliability"] is None
    assert found["results"][0]["both_good"] == 6
    assert "Brier" not in run().out


def test_pairs_that_one_side_lacks_are_counted(run: Run) -> None:
    write("human.csv", {**HUMAN, "q1": "22", "q9": "2"})
    counts = run(*JSON).document()["counts"]
    assert counts == {"pairs": 14, "queries": 4, "judge_only": 2, "human_only": 1, "outside": 0}


def test_one_of_several_sources_judges_with_its_own_probabilities(run: Run) -> None:
    text = Path("judge.csv").read_text()
    Path("judge.csv").write_text(text + "".join(
        f"{query},p{at},0,llm,0.5\n" for query, marks in JUDGE.items() for at in range(len(marks))
    ))  # fmt: skip
    refused = run(*JSON)
    assert refused.code == 2
    assert "judge.csv: the judgments have 2 sources" in refused.err
    assert "use --source" in refused.err
    row = run(*JSON, "--source", "classifier").document()["results"][0]
    assert row["both_good"] == 6
    assert row["brier"] < 0.2
    assert run(*JSON, "--source", "llm").document()["results"][0]["brier"] == 0.25


# ------------------------------------------------------------------ the classifier's own curve


def classifier(folder: str, text: str | None = None) -> None:
    Path(folder).mkdir()
    bins = [{"low": 0.9, "high": 1.0, "pairs": 40, "probability": 0.95, "good": 0.9}]
    curve = {"pairs": 40, "brier": 0.1, "brier_base": 0.2, "ece": 0.05, "bins": bins}
    document = {"reliability": {"before": curve, "after": curve}}
    Path(folder, "calibration.json").write_text(text or json.dumps(document))


def test_a_classifiers_own_curve_stands_beside_that_of_the_pairs(run: Run) -> None:
    classifier("own")
    own = run(*JSON, "--classifier", "own").document()["classifier"]
    assert (own["path"], own["ece"], own["bins"][0]["good"]) == ("own", 0.05, 0.9)
    assert run("--classifier", "own", "-o", "page.html").code == 0
    assert "held out of its training" in Path("page.html").read_text()


@pytest.mark.parametrize("text", ["{", "[]", '{"reliability": {"after": null}}'])
def test_a_classifier_without_a_curve_is_one_line(run: Run, text: str) -> None:
    classifier("own", text)
    done = run("--classifier", "own")
    assert done.code == 2
    assert "holds no reliability curve" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_another_folder_is_no_classifier(run: Run) -> None:
    done = run("--classifier", ".")
    assert done.code == 2
    assert "is not a classifier's folder" in done.err


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize("value", ["1.5", "-0.1", "high", "nan"])
def test_what_is_no_probability_is_named(run: Run, value: str) -> None:
    text = Path("judge.csv").read_text()
    Path("judge.csv").write_text(
        text.replace("q1,p0,2,classifier,0.9", f"q1,p0,2,classifier,{value}")
    )
    done = run()
    assert done.code == 2
    assert "judge.csv" in done.err
    assert "query 'q1', product 'p0': probability is not between 0 and 1" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--by", "query_type"), "there are no queries: use --queries"),
        ((*BY[:2], "--by", "colour"), "column 'colour' not found in queries"),
        ((*BY[:2], "--by", "kappa"), "cannot be a segment"),
        (("--format", "html"), "--format html needs a file"),
        (("--human-source", "people"), "human.csv: source 'people' is asked for"),
        (("-o", "judge.csv"), "judge.csv is read by this command"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(run: Run, options: Any, said: str) -> None:
    done = run(*options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_ids_that_never_meet_are_said(run: Run) -> None:
    write("human.csv", {"x": "20"})
    done = run()
    assert done.code == 2
    assert "judge and people graded no pair in common; check the ids" in done.err


def test_text_grades_need_their_good_labels(run: Run) -> None:
    words = str.maketrans({"0": "I", "1": "S", "2": "E"})
    for path in ("judge.csv", "human.csv"):
        lines = Path(path).read_text().splitlines()
        cells = [line.split(",") for line in lines]
        for line in cells[1:]:
            line[2] = line[2].translate(words)
        Path(path).write_text("\n".join(map(",".join, cells)) + "\n")
    done = run()
    assert done.code == 2
    assert "use --good-labels" in done.err
    found = run("--good-labels", "E", *JSON).document()
    assert found["results"][0]["both_good"] == 6
    assert found["grades"]["judge"] == ["E", "I", "S"]


def test_the_group_names_both_commands(evalkit: Run) -> None:
    done = evalkit("relevance", "--help")
    assert done.code == 0
    assert "agreement" in done.out
    assert "rewrites" in done.out
