"""`--record`: what a command found is kept under a week and a name, once everything succeeded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from study_shop import FILES, for_treatment, vote

from evalkit.cli.recording import called_as
from evalkit.manifest import Manifest
from evalkit.reports.trends import changes
from evalkit.store import (
    Finished,
    audit,
    current_week,
    evaluation_values,
    evaluations,
    find_study,
    invite,
    next_task,
    open_store,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.store import Evaluation

    Command = Callable[..., Any]

PAIR = ("--control", "control.run", "--treatment", "treatment.parquet")
KEPT = ("--record", "--week", "2026-W47")


@pytest.fixture(autouse=True)
def _no_database_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVALKIT_DB", raising=False)


def recorded(url: str = "sqlite:///evalkit.db", **wanted: Any) -> list[Evaluation]:
    with closing(open_store(url)) as store:
        return evaluations(store, **wanted)


def values_of(evaluation: Evaluation) -> Any:
    with closing(open_store("sqlite:///evalkit.db")) as store:
        return evaluation_values(store, evaluation.id)


# scores


def test_a_score_is_recorded_as_it_was_printed(score: Command) -> None:
    done = score(*KEPT, "--judge", "classifier v1")
    printed = done.document()
    (made,) = recorded()
    kept = dict(made.document)
    assert kept.pop("command").startswith("evalkit score --control control.run ")
    assert set(kept.pop("lists")) == {"q1", "q2", "moves"}
    assert kept == printed
    assert (made.kind, made.week, made.name, made.earlier) == ("score", "2026-W47", "weekly", 0)
    assert (made.judge, made.query_set) == ("classifier v1", printed["query_set"]["fingerprint"])
    assert done.err.splitlines() == [
        "Made the study database sqlite:///evalkit.db.",
        "Recorded weekly of 2026-W47 in sqlite:///evalkit.db.",
    ]


def test_the_values_of_every_query_are_recorded_whether_or_not_they_are_written(
    score: Command,
) -> None:
    assert score(*KEPT, "--by", "query_type", "--per-query", "values.parquet").code == 0
    assert score("--record", "--week", "2026-W48", "--by", "query_type").code == 0
    written = pq.read_table("values.parquet")
    for made in recorded():
        kept = values_of(made)
        assert kept.column_names == written.column_names
        assert kept.to_pylist() == written.to_pylist()


def test_the_biggest_moves_are_recorded_with_both_lists(score: Command) -> None:
    Path("products.jsonl").write_text('{"product_id": "t21", "title": "Rain coat", "price": 9.5}\n')
    assert score(*KEPT, "--products", "products.jsonl").code == 0
    lists = recorded()[0].document["lists"]
    # q1 has one good item of three and then two; q2 none of three and then one of two
    assert lists.pop("moves") == [
        {"query_id": "q2", "delta": 0.5, "control": 0.0, "treatment": 0.5},
        {
            "query_id": "q1",
            "delta": pytest.approx(1 / 3),
            "control": pytest.approx(1 / 3),
            "treatment": pytest.approx(2 / 3),
        },
    ]
    assert lists["q2"]["query"] == "query 2"
    first, second = lists["q2"]["treatment"]
    assert (first["product_id"], first["title"], first["price"]) == ("t21", "Rain coat", 9.5)
    assert (second["product_id"], second["title"]) == ("t22", None)
    assert (first["good"], second["good"]) == (True, None)


def test_single_runs_are_recorded_too(score_run: Command) -> None:
    assert score_run("--run", "today=control.run", *KEPT, "--name", "nightly").code == 0
    (made,) = recorded(name="nightly")
    assert made.document["systems"] == {"today": "today"}
    assert made.document["lists"] == {"moves": []}
    assert values_of(made)["system"].unique().to_pylist() == ["today"]


def test_the_same_score_recorded_again_changes_nothing(score: Command) -> None:
    score(*KEPT)
    again = score(*KEPT, "--format", "table")
    assert (again.code, again.err) == (
        0,
        "Recorded before, nothing changed: weekly of 2026-W47 in sqlite:///evalkit.db.\n",
    )
    assert len(recorded(latest_only=False)) == 1


def test_files_that_were_moved_make_the_same_record(score: Command) -> None:
    score(*KEPT)
    os.rename("queries.tsv", "moved.tsv")
    score(*KEPT, "--queries", "moved.tsv")
    assert len(recorded(latest_only=False)) == 1


def test_another_score_of_the_week_counts_instead(score: Command) -> None:
    score(*KEPT)
    done = score(*KEPT, "--min-good", 2)
    assert done.err.endswith("it counts instead of 1 earlier record.\n")
    (counts,) = recorded()
    assert (counts.earlier, counts.document["settings"]["min_good"]) == (1, 2)
    assert len(recorded(latest_only=False)) == 2


def test_without_a_week_the_current_one_is_taken_and_told(score: Command) -> None:
    before = current_week()
    done = score("--record")
    (made,) = recorded()
    assert made.week in (before, current_week())
    assert f"Recording under this week, {made.week};" in done.err


def test_the_database_is_the_one_that_is_named(score: Command, tmp_path: Path) -> None:
    assert score(*KEPT, "--db", "history.db").code == 0
    assert not Path("evalkit.db").exists()
    assert len(recorded("sqlite:///history.db")) == 1


def test_a_password_is_not_in_the_recorded_command(
    score: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "postgresql+psycopg://ann:geheim@db.example/evalkit"
    for words in (["--db", address], [f"--db={address}"]):
        monkeypatch.setattr(sys, "argv", ["evalkit", "score", *words, "--name", "all shops"])
        assert "geheim" not in called_as()
        assert "db.example/evalkit" in called_as()
        assert called_as().endswith("--name 'all shops'")


def test_the_audit_log_has_the_record(score: Command) -> None:
    score(*KEPT)
    with closing(open_store("sqlite:///evalkit.db")) as store:
        (entry,) = audit(store)
    assert (entry.action, entry.actor) == ("evaluation recorded", None)
    assert entry.details["week"] == "2026-W47"


# nothing is recorded


def test_without_record_there_is_no_database_and_none_is_imported(files: Path) -> None:
    program = (
        "import sys; from evalkit.cli import main; main(); "
        "print(sorted({'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )
    words = ("score", *PAIR, "--judgments", "judgments.csv")
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert not list(Path().glob("*.db"))


@pytest.mark.parametrize("option", [("--week", "2026-W47"), ("--name", "nightly")])
def test_where_to_record_without_recording_is_refused(
    score: Command, option: tuple[str, str]
) -> None:
    done = score(*option)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"evalkit: {option[0]} says where a record goes; add --record.\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--week", "2026-W54"), "There is no week 2026-W54; the weeks of 2026 go from W01 to"),
        (("--week", "2025-W53"), "There is no week 2025-W53; the weeks of 2025 go from W01 to W52"),
        (("--week", "47"), "The week '47' is not understood; write it as in 2026-W07."),
        (("--name", " "), "--name is empty"),
        (("--db", "missing/evalkit.db"), "missing/evalkit.db cannot be used"),
        (("--db", "judgments.csv"), "name the file that evalkit study create made"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_any_file_is_read(
    score: Command, options: tuple[str, ...], said: str
) -> None:
    done = score("--judgments", "missing.csv", "--record", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "missing.csv" not in done.err


@pytest.mark.parametrize(
    "broken", [("--judgments", "missing.csv"), ("--good", 7, "--primary", "map")]
)
def test_a_score_that_fails_is_not_recorded(score: Command, broken: tuple[Any, ...]) -> None:
    done = score(*KEPT, *broken)
    assert done.code == 2
    assert "Made the study database" not in done.err
    assert not Path("evalkit.db").exists()
    assert score(*KEPT).code == 0
    assert score(*KEPT, *broken).code == 2
    assert len(recorded(latest_only=False)) == 1


# who judged, and which systems


def write_manifest(judgments: str, model: str, fingerprint: str = "sha256:0") -> None:
    models = ({"role": "judge", "id": model, "fingerprint": fingerprint},)
    Manifest("evalkit judge", {}, (), models).write(Path(judgments), started=0.0)


def test_the_judge_is_the_model_in_the_manifest_of_the_judgments(score: Command) -> None:
    write_manifest("judgments.csv", "esci-classifier")
    judge = score(*KEPT).document()["judge"]
    assert (judge["name"], judge["model"]) == ("esci-classifier", "sha256:0")
    assert recorded()[0].judge == "esci-classifier"


def test_a_judge_that_is_named_is_believed_and_its_model_still_known(score: Command) -> None:
    write_manifest("judgments.csv", "esci-classifier")
    judge = score("--judge", "our judge").document()["judge"]
    assert (judge["name"], judge["model"]) == ("our judge", "sha256:0")
    with open("judgments.csv", "a") as file:
        file.write("q4,t49,1\n")
    judge = score("--judge", "our judge").document()["judge"]
    assert (judge["name"], judge["model"]) == ("our judge", None)


def test_another_model_under_a_given_name_breaks_the_trend(score: Command) -> None:
    for week, fingerprint in (("2026-W46", "sha256:0"), ("2026-W47", "sha256:1")):
        write_manifest("judgments.csv", "esci-classifier", fingerprint)
        done = score("--judge", "clf", "--record", "--week", week)
        assert done.code == 0, done.err
    assert changes(*recorded()) == ["the judge changed: clf is another model under the same name"]


def test_the_manifest_of_judgments_that_were_changed_since_says_nothing(score: Command) -> None:
    write_manifest("judgments.csv", "esci-classifier")
    with open("judgments.csv", "a") as file:
        file.write("q4,t49,1\n")
    assert score().document()["judge"]["name"] is None


def test_a_manifest_of_somebody_else_says_nothing(score: Command) -> None:
    Path("judgments.csv.manifest.json").write_text("[]")
    assert score().document()["judge"]["name"] is None


def test_the_judgments_of_one_source_say_their_source(score: Command) -> None:
    text = Path("judgments.csv").read_text().splitlines()
    one = [text[0] + ",source", *(f"{line},llm" for line in text[1:])]
    Path("one.csv").write_text("\n".join(one) + "\n")
    judge = score("--judgments", "one.csv").document()["judge"]
    assert (judge["source"], judge["aggregate"]) == ("llm", None)
    assert judge["judgments"].startswith("sha256:")
    assert score().document()["judge"]["source"] is None


def test_systems_are_called_as_their_runs_say_else_as_their_files(score: Command) -> None:
    assert score().document()["systems"] == {"control": "today", "treatment": "treatment"}


# studies


@pytest.fixture
def study(evalkit: Command, shop: Path) -> Command:
    """A study of the shop with two voters in the current folder; calls `evalkit study record`."""
    made = evalkit("study", "create", "shoes", *FILES, "--overlap", 2, "--open")
    assert made.code == 0, made.err
    vote("sqlite:///evalkit.db", "shoes", ("ann", "ben"), for_treatment(1), limit=10)

    def record(*options: object) -> Any:
        return evalkit("study", "record", "shoes", "--week", "2026-W47", *options)

    return record


def test_a_study_is_recorded_as_it_stands(study: Command, evalkit: Command) -> None:
    done = study()
    assert (done.code, done.out) == (0, "")
    assert done.err == "Recorded weekly of 2026-W47 in sqlite:///evalkit.db.\n"
    (made,) = recorded(kind="study")
    assert (made.week, made.name, made.judge) == ("2026-W47", "weekly", "people")
    status = json.loads(evalkit("study", "status", "shoes", "--format", "json").out)
    for key in ("study", "gsb", "position_bias", "agreement", "annotators", "quality"):
        assert made.document[key] == status[key]
    assert (made.document["kind"], made.document["study"]["name"]) == ("study", "shoes")
    assert "path" not in made.document["sequential"]
    assert made.document["sequential"]["gsb"] == status["sequential"]["gsb"]
    assert made.document["command"] == "evalkit study record shoes --week 2026-W47"


def test_the_same_votes_recorded_again_change_nothing_and_new_ones_do(study: Command) -> None:
    study()
    assert "Recorded before, nothing changed" in study().err
    vote("sqlite:///evalkit.db", "shoes", ("ann", "ben"), for_treatment(1), limit=2)
    assert "counts instead of 1 earlier record" in study().err
    first, second = recorded(kind="study", latest_only=False)
    assert first.query_set == second.query_set
    assert second.document["progress"]["votes"] == first.document["progress"]["votes"] + 2


def test_who_looks_at_a_task_at_the_moment_makes_no_other_record(study: Command) -> None:
    study()
    with closing(open_store("sqlite:///evalkit.db")) as store:
        person, _ = invite(store, "cleo")
        assert not isinstance(next_task(store, find_study(store, "shoes").id, person), Finished)
    assert "Recorded before, nothing changed" in study().err


def test_a_study_and_a_score_of_one_week_stand_beside_each_other(
    study: Command, evalkit: Command
) -> None:
    Path("judgments.csv").write_text("query_id,product_id,grade\nq01,tq01,1\nq02,cq02,1\n")
    pair = ("--control", "control.run", "--treatment", "treatment.csv")
    assert evalkit("score", *pair, "--judgments", "judgments.csv", *KEPT).code == 0
    assert study().code == 0
    assert sorted(each.kind for each in recorded(week="2026-W47")) == ["score", "study"]


def test_a_study_that_is_not_there_is_not_recorded(evalkit: Command, study: Command) -> None:
    done = evalkit("study", "record", "boots", "--week", "2026-W47")
    assert (done.code, done.out) == (2, "")
    assert "boots" in done.err
    assert recorded() == []


def test_two_studies_of_one_week_are_both_listed(study: Command, evalkit: Command) -> None:
    assert evalkit("study", "create", "coats", *FILES, "--overlap", 2, "--open").code == 0
    study()
    done = evalkit("study", "record", "coats", "--week", "2026-W47")
    assert done.err == "Recorded weekly of 2026-W47 in sqlite:///evalkit.db.\n"
    assert "Recorded before, nothing changed" in study().err
    listed = json.loads(evalkit("history", "--format", "json").out)["evaluations"]
    assert [(each["kind"], each["earlier"], each["since"]) for each in listed] == [
        ("study", 0, None),
        ("study", 0, None),
    ]
