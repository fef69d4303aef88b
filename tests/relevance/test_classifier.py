"""A classifier opened from its folder, and runs judged with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tiny_classifier import save_classifier, write_shop

from evalkit.cli import cli
from evalkit.errors import InputError, ModelError, SettingsError
from evalkit.manifest import read_manifest
from evalkit.relevance import judge_identity, open_classifier
from evalkit.relevance.judging import ClassifierJudge, judge_results

PAIRS = [("red jacket", "blue jacket"), ("kettle", "steel kettle"), ("red lamp", "black boot"),
         ("jacket without leather for red shoe", "cotton jacket")]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("models") / "tiny")


def test_probabilities_of_the_grades_sum_to_one_and_give_the_score(folder: Path) -> None:
    classifier = open_classifier(folder)
    found = classifier.probabilities(PAIRS)
    assert found.shape == (4, 3)
    assert found.dtype == np.float32
    assert found.sum(axis=1) == pytest.approx(np.ones(4))
    assert classifier.score(PAIRS) == pytest.approx(found[:, 1:].sum(axis=1))
    assert len({round(float(value), 6) for value in classifier.score(PAIRS)}) == 4


def test_scores_follow_their_pairs_in_any_order_and_batch(folder: Path) -> None:
    alone = np.concatenate([open_classifier(folder).score([pair]) for pair in PAIRS])
    together = open_classifier(folder, batch_size=3).score(PAIRS[::-1])[::-1]
    assert together == pytest.approx(alone, abs=1e-5)
    again = open_classifier(folder, batch_size=3).score(PAIRS[::-1])[::-1]
    assert (again == together).all()


def test_progress_is_told_of_every_pair(folder: Path) -> None:
    told: list[int] = []
    open_classifier(folder, batch_size=3).score(PAIRS, told.append)
    assert told == [3, 1]


def test_no_pairs_are_no_scores(folder: Path) -> None:
    assert open_classifier(folder).probabilities([]).shape == (0, 3)


def test_the_calibration_is_applied(folder: Path, tmp_path: Path) -> None:
    mild = save_classifier(tmp_path / "mild", temperature=100.0)
    assert open_classifier(mild).probabilities(PAIRS) == pytest.approx(1 / 3, abs=0.02)
    assert abs(open_classifier(folder).probabilities(PAIRS) - 1 / 3).max() > 0.1


def test_the_grade_never_contradicts_the_probability_of_being_good(folder: Path) -> None:
    classifier = open_classifier(folder)
    # P(good) is 0.55 although the most probable grade is the bad one
    found = np.array([[0.45, 0.25, 0.30], [0.6, 0.3, 0.1], [0.1, 0.5, 0.4]], dtype=np.float32)
    assert classifier.grades_of(found).tolist() == [2.0, 0.0, 1.0]
    assert classifier.grades_of(found, 0.6).tolist() == [0.0, 0.0, 1.0]


def test_a_threshold_that_was_not_reached_is_not_invented(folder: Path) -> None:
    classifier = open_classifier(folder)
    assert classifier.threshold(0.8) == 0.6
    with pytest.raises(SettingsError, match=r"never reached precision 0\.95"):
        classifier.threshold(0.95)
    with pytest.raises(SettingsError, match=r"it has 0\.8, 0\.95"):
        classifier.threshold(0.7)


def test_the_identity_follows_weights_and_calibration_not_the_folder(
    folder: Path, tmp_path: Path
) -> None:
    twin = save_classifier(tmp_path / "twin")
    other = save_classifier(tmp_path / "other", temperature=0.2)
    assert judge_identity(twin)["fingerprint"] == judge_identity(folder)["fingerprint"]
    assert judge_identity(other)["fingerprint"] != judge_identity(folder)["fingerprint"]


@pytest.mark.parametrize("name", ["isotonic.joblib", "pytorch_model.bin", "1_Dense/more.pkl"])
def test_a_pickle_in_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    place = save_classifier(tmp_path / "bad")
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="pickle"):
        open_classifier(place)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"temperature": -1}, "temperature"),
        ({"grades": [2.0, 1.0]}, "format"),
        ({"calibration": 99}, "format"),
    ],
)
def test_a_damaged_calibration_is_refused(change: dict, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=problem):
        open_classifier(save_classifier(tmp_path / "bad", **change))


def test_an_encoder_is_no_classifier(tmp_path: Path) -> None:
    place = save_classifier(tmp_path / "encoder")
    (place / "calibration.json").unlink()
    with pytest.raises(ModelError, match="evalkit train classifier"):
        open_classifier(place)


def test_grades_and_scores_must_be_as_many(tmp_path: Path) -> None:
    place = save_classifier(tmp_path / "bad", grades=[0.0, 1.0])
    with pytest.raises(ModelError, match="3 scores"):
        open_classifier(place).score(PAIRS)


# judging


def test_each_pair_of_several_runs_is_judged_once_to_the_depth(
    folder: Path, tmp_path: Path
) -> None:
    shop = write_shop(tmp_path)
    other = tmp_path / "other.csv"
    other.write_text("query_id,product_id,score\nq000,p005,2.0\nq000,p000,1.0\n", "utf-8")
    judge = ClassifierJudge(open_classifier(folder))
    out = tmp_path / "judgments.parquet"
    judge_results(
        out, judge, shop["queries"], shop["products"], runs=[shop["run"], other], at=2,
        fields=["title"],
    )  # fmt: skip
    table = pq.read_table(out)
    pairs = list(zip(table["query_id"].to_pylist(), table["product_id"].to_pylist(), strict=True))
    expected = {(f"q{q:03d}", f"p{p:03d}") for q in range(4) for p in range(2)} | {("q000", "p005")}
    assert sorted(pairs) == sorted(expected)
    assert set(table["source"].to_pylist()) == {"classifier"}
    name = f"classifier:{judge.classifier.fingerprint[7:19]}"
    assert set(table["annotator"].to_pylist()) == {name}
    texts = [("red without leather", "red jacket"), ("red without leather", "blue kettle"),
             ("red without leather", "black jacket")]  # fmt: skip
    scores = dict(zip(pairs, table["probability"].to_pylist(), strict=True))
    wanted = judge.classifier.score(texts)
    found = [scores[("q000", product)] for product in ("p000", "p001", "p005")]
    assert found == pytest.approx(wanted, abs=1e-6)
    manifest = read_manifest(out)
    model = manifest.models[0]
    assert (model["role"], model["fingerprint"]) == ("relevance", judge.classifier.fingerprint)


def test_agreement_takes_for_good_what_the_judging_classifier_does(
    folder: Path, tmp_path: Path
) -> None:
    shop, strict, out = write_shop(tmp_path), tmp_path / "strict", tmp_path / "judgments.csv"
    shutil.copytree(folder, strict)
    document = json.loads((strict / "calibration.json").read_text("utf-8"))
    (strict / "calibration.json").write_text(json.dumps({**document, "good": 2.0}), "utf-8")
    command = ["judge", "--run", shop["run"], "--queries", shop["queries"], "--products",
               shop["products"], "--classifier", strict, "-o", out]  # fmt: skip
    assert CliRunner().invoke(cli, [*map(str, command)], catch_exceptions=False).exit_code == 0
    human = tmp_path / "human.csv"
    human.write_text(out.read_text("utf-8"), "utf-8")
    compare = ["relevance", "agreement", "--judge", out, "--human", human, "--format", "json"]
    found = CliRunner().invoke(cli, [*map(str, compare)], catch_exceptions=False)
    document = json.loads(found.stdout)
    assert document["settings"]["good"] == 2
    assert document["reliability"] is not None


def test_the_catalogue_overrules_the_judge_where_it_decides(folder: Path, tmp_path: Path) -> None:
    shop = write_shop(tmp_path)
    judge = ClassifierJudge(open_classifier(folder), threshold=0.0)  # everything is good
    out = tmp_path / "judgments.parquet"
    judge_results(
        out, judge, shop["queries"], shop["products"], runs=[shop["run"]], fields=["title"],
        constraints=True,
    )  # fmt: skip
    rows = pq.read_table(out).to_pylist()
    leather = [row for row in rows if row["product_id"] in ("p000", "p003")]
    others = [row for row in rows if row["product_id"] not in ("p000", "p003")]
    assert {(row["check"], row["grade"], row["probability"]) for row in leather} == {
        ("fail", 0.0, 0.0)
    }
    assert {(row["check"], row["grade"] >= 1) for row in others} == {("pass", True)}
    assert read_manifest(out).counts["overruled"] == 8


def test_what_has_no_text_is_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    shop = write_shop(tmp_path)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("query_id,product_id\nq000,p000\nq000,gone\nlost,p001\n", "utf-8")
    out = tmp_path / "judgments.csv"
    done = judge_results(
        out, ClassifierJudge(open_classifier(folder)), shop["queries"], shop["products"],
        pairs=pairs, fields=["title"],
    )  # fmt: skip
    assert (done.counts["without_query"], done.counts["without_product"]) == (1, 1)
    assert len(out.read_text("utf-8").splitlines()) == 2
    pairs.write_text("query_id,product_id\nq000,gone\nlost,p001\n", "utf-8")
    with pytest.raises(InputError, match="1 have no query"):
        judge_results(
            out, ClassifierJudge(open_classifier(folder)), shop["queries"], shop["products"],
            pairs=pairs, fields=["title"],
        )  # fmt: skip


def test_a_killed_judge_goes_on_and_writes_the_same_bytes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = write_shop(tmp_path, queries=30, products=40)
    whole, broken = tmp_path / "whole.parquet", tmp_path / "broken.parquet"

    def judge(out: Path) -> None:
        judge_results(
            out, ClassifierJudge(open_classifier(folder)), shop["queries"], shop["products"],
            runs=[shop["run"]], at=100, fields=["title"], settings={"threshold": 0.5, "good": 1.0},
        )  # fmt: skip

    words = [str(Path(sys.executable).parent / "evalkit"), "judge", "--at", "100"]
    words += ["--run", str(shop["run"]), "--queries", str(shop["queries"])]
    words += ["--products", str(shop["products"]), "--classifier", str(folder), "-o", str(broken)]
    first = tmp_path / ".broken.parquet.chunks" / "000000.arrow"
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not first.is_file() and process.poll() is None:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    assert not broken.exists()
    judge(broken)
    assert "Going on after" in capsys.readouterr().err
    judge(whole)
    assert broken.read_bytes() == whole.read_bytes()
    assert not first.parent.exists()
    judge(broken)
    assert "is up to date" in capsys.readouterr().err


def test_a_query_without_structure_is_judged_by_the_model_alone(
    folder: Path, tmp_path: Path
) -> None:
    shop = write_shop(tmp_path)
    rows = [json.loads(line) for line in shop["queries"].read_text("utf-8").splitlines()]
    rows[0]["structure"] = None
    shop["queries"].write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    out = tmp_path / "judgments.parquet"
    judge_results(
        out, ClassifierJudge(open_classifier(folder)), shop["queries"], shop["products"],
        runs=[shop["run"]], fields=["title"], constraints=True,
    )  # fmt: skip
    checks = {row["check"] for row in pq.read_table(out).to_pylist() if row["query_id"] == "q000"}
    assert checks == {"unknown"}
