"""`evalkit score` where the judge also filtered the training data of a run's model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.circularity import pairs_behind
from evalkit.manifest import Input, Manifest, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

TINY, OTHER = "sha256:aaaa", "sha256:bbbb"
SAID = (
    "The judge classifier:tiny also filtered the training data of run treatment (pairs.parquet): "
    "its verdict favours what it selected; judge with people or another judge."
)


def judge(mark: str) -> dict[str, Any]:
    return {"role": "relevance", "id": "classifier:tiny", "source": "path", "fingerprint": mark}


def describe(path: str, *models: dict[str, Any], inputs: tuple[Input, ...] = ()) -> None:
    """Write the manifest of a file or a folder as the command that made it would."""
    made = Manifest(command="evalkit test", settings={}, inputs=inputs, models=models)
    made.write(Path(path), started=time.monotonic())


def read_as(role: str, path: str) -> Input:
    return Input(role, path, fingerprint(path))


@pytest.fixture
def pairs(files: Path) -> Path:
    """Training pairs without a manifest, beside the files of the worked figures."""
    path = files / "pairs.parquet"
    pq.write_table(pa.table({"query_id": ["q1"], "product_id": ["t11"], "label": [1]}), path)
    return path


@pytest.fixture
def trained(pairs: Path) -> Run:
    """Make the treatment the run of an encoder that was trained on pairs some judge filtered."""

    def make(mark: str | None, *, in_pairs: bool = False) -> None:
        Path("encoder").mkdir()
        Path("encoder/config.json").write_text("{}")
        filtered = (judge(mark),) if mark else ()
        if in_pairs:
            describe("pairs.parquet", *filtered)
        describe(
            "encoder", *(() if in_pairs else filtered), inputs=(read_as("pairs", "pairs.parquet"),)
        )
        describe(
            "treatment.parquet",
            {"role": "encoder", "id": str(Path("encoder").resolve()), "source": "path",
             "fingerprint": "sha256:e"},
        )  # fmt: skip

    return make


def circular(done: Any) -> list[str]:
    return [text for text in done.document()["warnings"] if "filtered the training data" in text]


def kin(done: Any) -> list[str]:
    return [text for text in done.document()["warnings"] if "had a say in the training" in text]


def test_a_judge_that_filtered_the_pairs_behind_a_run_is_named(score: Run, trained: Run) -> None:
    trained(TINY)
    describe("judgments.csv", judge(TINY))
    assert circular(score()) == [SAID]


def test_the_pairs_themselves_may_tell_who_filtered_them(score: Run, trained: Run) -> None:
    trained(TINY, in_pairs=True)
    describe("judgments.csv", judge(TINY))
    assert circular(score()) == [SAID]


@pytest.mark.parametrize("filtered_by", [OTHER, None])
def test_another_judge_is_no_reason_to_warn(
    score: Run, trained: Run, filtered_by: str | None
) -> None:
    trained(filtered_by)
    describe("judgments.csv", judge(TINY))
    assert circular(score()) == []


def test_judgments_without_a_manifest_say_nothing(score: Run, trained: Run) -> None:
    trained(TINY)
    assert circular(score()) == []


@pytest.mark.parametrize("changed", ["judgments.csv", "treatment.parquet"])
def test_a_manifest_of_another_file_says_nothing(score: Run, trained: Run, changed: str) -> None:
    trained(TINY)
    describe("judgments.csv", judge(TINY))
    path = Path(changed)
    if changed.endswith(".csv"):
        path.write_text(path.read_text() + "q1,another,1\n")
    else:
        pq.write_table(pq.read_table(path), path, compression="none")
    assert circular(score()) == []


def test_models_of_other_roles_filter_nothing(score: Run, trained: Run) -> None:
    trained(TINY)
    describe("judgments.csv", {**judge(TINY), "role": "encoder"})
    assert circular(score()) == []


def test_a_fused_run_stands_for_the_runs_it_was_made_of(trained: Run, files: Path) -> None:
    trained(TINY)
    Path("fused.run").write_text("q1 Q0 t11 1 1.0 both\n")
    inputs = (read_as("run", "control.run"), read_as("run", "treatment.parquet"))
    describe("fused.run", inputs=inputs)
    found = pairs_behind("fused.run", fingerprint("fused.run"))
    assert [(each.path, each.models) for each in found] == [("pairs.parquet", {TINY})]


# ------------------------------------------------------------------ the same model, another judge

KIN = (
    "The model of the judge classifier:tiny also had a say in the training data of run treatment "
    "(pairs.parquet), with another prompt or calibration, or over its rewrites: its verdict may "
    "favour what it selected; judge with people or another model."
)


def accepted_by(*models: dict[str, Any], again: bool = False) -> tuple[Input, ...]:
    """Write rewrites that a model accepted (and others, later); return them as an input."""
    Path("accepted.csv").write_text("query_id,rewrite\nq1,a jacket\n")
    describe("accepted.csv", *models)
    if not again:
        return (read_as("rewrites", "accepted.csv"),)
    Path("twice.csv").write_text("query_id,rewrite\nq1,a coat\n")
    describe("twice.csv", judge(OTHER), inputs=(read_as("rewrites", "accepted.csv"),))
    return (read_as("rewrites", "twice.csv"),)


@pytest.mark.parametrize("again", [False, True])
def test_a_judge_that_accepted_the_rewrites_had_a_say(
    score: Run, trained: Run, again: bool
) -> None:
    trained(OTHER)
    describe("pairs.parquet", judge(OTHER), inputs=accepted_by(judge(TINY), again=again))
    describe("judgments.csv", judge(TINY))
    assert circular(score()) == []
    assert kin(score()) == [KIN]
    assert kin(score("--trained-on", "pairs.parquet")) == [KIN]


def test_rewrites_that_were_filtered_anew_since_say_nothing(score: Run, trained: Run) -> None:
    trained(OTHER)
    describe("pairs.parquet", judge(OTHER), inputs=accepted_by(judge(TINY)))
    describe("judgments.csv", judge(TINY))
    assert kin(score()) == [KIN]
    Path("accepted.csv").write_text("query_id,rewrite\nq1,another\n")
    describe("accepted.csv", judge(TINY))
    assert kin(score()) == []


def test_another_calibration_of_the_same_weights_is_kin(score: Run, trained: Run) -> None:
    trained(None)
    describe("pairs.parquet", {**judge(OTHER), "weights": "sha256:w"})
    describe("judgments.csv", {**judge(TINY), "weights": "sha256:w"})
    assert (circular(score()), kin(score())) == ([], [KIN])
    describe("judgments.csv", {**judge(TINY), "weights": "sha256:v"})
    assert (circular(score()), kin(score())) == ([], [])
    # the very same judge gets the stronger warning only
    describe("judgments.csv", {**judge(OTHER), "weights": "sha256:w"})
    assert (circular(score()), kin(score())) == ([SAID], [])


def test_a_language_model_is_the_same_with_another_prompt(
    score: Run, trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.llm.openai_endpoint import open_endpoint
    from evalkit.relevance.llm_judge import LanguageModelJudge

    monkeypatch.setenv("OPENAI_API_KEY", "none")

    def of(name: str) -> LanguageModelJudge:
        return LanguageModelJudge(open_endpoint(name, base_url="http://127.0.0.1:9/v1"))

    trained(OTHER)
    asked = of("small")
    rewrites = accepted_by(asked.to_manifest(asked.rewrite))
    describe("pairs.parquet", judge(OTHER), inputs=rewrites)
    describe("judgments.csv", asked.to_manifest(asked.product))
    assert circular(score()) == []
    assert len(kin(score())) == 1
    other = of("large")
    describe("judgments.csv", other.to_manifest(other.product))
    assert kin(score()) == []


# ------------------------------------------------------------------ the results themselves


def chosen(done: Any) -> list[str]:
    return [text for text in done.document()["warnings"] if "results of run" in text]


@pytest.mark.parametrize("role", ["relevance", "rerank"])
def test_a_judge_that_filtered_or_ordered_a_run_is_named(
    score: Run, files: Path, role: str
) -> None:
    describe("treatment.parquet", {**judge(TINY), "role": role, "weights": "sha256:w"})
    describe("judgments.csv", judge(TINY))
    assert chosen(score()) == [
        "The judge classifier:tiny also filtered or ordered the results of run treatment "
        "(treatment.parquet): its verdict favours what it selected; judge with people or another "
        "judge."
    ]
    describe("judgments.csv", judge(OTHER))
    assert chosen(score()) == []
    describe("judgments.csv", {**judge(OTHER), "weights": "sha256:w"})
    assert [text.split(",")[0] for text in chosen(score())] == [
        "The model of the judge classifier:tiny also had a say in the results of run treatment "
        "(treatment.parquet)"
    ]


def test_a_judge_that_accepted_the_rewrites_a_run_searched_with_had_a_say(
    score: Run, files: Path
) -> None:
    describe("treatment.parquet", inputs=accepted_by(judge(TINY), again=True))
    describe("judgments.csv", judge(TINY))
    assert len(chosen(score())) == 1
    describe("judgments.csv", judge("sha256:cccc"))
    assert chosen(score()) == []


def test_training_data_and_results_are_told_together(score: Run, trained: Run) -> None:
    trained(TINY)
    encoder = {"role": "encoder", "id": str(Path("encoder").resolve()), "source": "path",
               "fingerprint": "sha256:e"}  # fmt: skip
    describe("treatment.parquet", encoder, judge(TINY))
    describe("judgments.csv", judge(TINY))
    assert circular(score()) == [
        SAID.replace(
            "(pairs.parquet)",
            "(pairs.parquet) and filtered or ordered the results of run treatment "
            "(treatment.parquet)",
        )
    ]


# ------------------------------------------------------------------ --trained-on


def test_pairs_can_be_named_where_no_model_tells(score: Run, pairs: Path) -> None:
    describe("pairs.parquet", judge(TINY))
    describe("judgments.csv", judge(TINY))
    assert circular(score("--trained-on", "pairs.parquet")) == [SAID]
    of_control = circular(score("--trained-on", "control=pairs.parquet"))
    assert of_control == [SAID.replace("run treatment", "run control")]
    describe("judgments.csv", judge(OTHER))
    assert circular(score("--trained-on", "pairs.parquet")) == []


def test_the_name_of_the_judge_is_the_one_that_was_given(score: Run, pairs: Path) -> None:
    describe("pairs.parquet", judge(TINY))
    describe("judgments.csv", judge(TINY))
    found = circular(score("--trained-on", "pairs.parquet", "--judge", "shop v2"))
    assert found[0].startswith("The judge shop v2 also filtered")


def test_a_single_run_needs_no_name_and_one_of_several_does(score_run: Run, pairs: Path) -> None:
    describe("pairs.parquet", judge(TINY))
    describe("judgments.csv", judge(TINY))
    named = ("--trained-on", "pairs.parquet")
    assert circular(score_run("--run", "new=control.run", *named)) == [
        SAID.replace("run treatment", "run new")
    ]
    several = ("--run", "new=control.run", "--run", "treatment.parquet")
    # a run that is called treatment is the one that is meant
    assert circular(score_run(*several, *named)) == [SAID]
    done = score_run("--run", "a=control.run", "--run", "b=treatment.parquet", *named)
    assert done.code == 2
    assert "there are several runs; write --trained-on a=pairs.parquet" in done.err


def test_unknown_judges_are_said_when_pairs_are_named(score: Run, pairs: Path) -> None:
    describe("pairs.parquet", judge(TINY))
    done = score("--trained-on", "pairs.parquet")
    assert done.document()["warnings"][0] == (
        "judgments.csv has no manifest that names its judge, so nobody can tell whether that judge "
        "also filtered the training data."
    )


def test_people_are_no_judge_that_filters(score: Run, pairs: Path) -> None:
    describe("pairs.parquet", judge(TINY))
    lines = Path("judgments.csv").read_text().splitlines()
    Path("judgments.csv").write_text(
        "\n".join([f"{lines[0]},source", *(f"{line},human" for line in lines[1:])]) + "\n"
    )
    assert circular(score("--trained-on", "pairs.parquet")) == []


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("missing.parquet", "missing.parquet: cannot be read (no such file)"),
        ("pairs.parquet", "there is no manifest here"),
        ("later=pairs.parquet", "there is no run 'later'; there are control, treatment"),
    ],
)
def test_pairs_that_cannot_be_used_are_one_line(
    score: Run, pairs: Path, option: str, said: str
) -> None:
    done = score("--trained-on", option)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_pairs_that_were_changed_since_are_refused(score: Run, pairs: Path) -> None:
    describe("pairs.parquet", judge(TINY))
    pq.write_table(pa.table({"query_id": ["q2"], "product_id": ["x"], "label": [0]}), pairs)
    done = score("--trained-on", "pairs.parquet")
    assert done.code == 2
    assert "the manifest beside it is of another file" in done.err


# ------------------------------------------------------------------ where it is read


def test_terminal_and_page_say_it_too(evalkit: Run, trained: Run) -> None:
    trained(TINY)
    describe("judgments.csv", judge(TINY))
    words = ("score", "--control", "control.run", "--treatment", "treatment.parquet",
             "--judgments", "judgments.csv", "--at", "3")  # fmt: skip
    printed = evalkit(*words)
    assert printed.code == 0
    assert SAID in " ".join(printed.out.split())
    assert evalkit(*words, "-o", "page.html").code == 0
    assert SAID in Path("page.html").read_text()
