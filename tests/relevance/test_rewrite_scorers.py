"""Who scores rewrites: the cosine of what a query wants, with words and a small model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tiny_classifier import save_classifier, save_tiny_bert

from evalkit.cli import cli
from evalkit.constraints import Condition, Reference, Structure, TypedQuery
from evalkit.constraints.topic import TOPIC
from evalkit.errors import SettingsError
from evalkit.manifest import read_manifest
from evalkit.models import ModelFiles
from evalkit.relevance import open_classifier
from evalkit.relevance.rewrite_scorers import COSINE, TOPIC_THRESHOLD, TopicCosine, TrainedScorer
from evalkit.retrieval import open_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PLAIN = TypedQuery("q0", "steel kettle", Structure("general", ("kettle",)))
NEGATIVE = TypedQuery(
    "q1",
    "jacket without leather",
    Structure("negative", ("jacket",), excluded=(Condition("material", ("leather",)),)),
)


class Words:
    """An encoder with an axis for each of a few words; `antijacket` points away from a jacket."""

    axes = ("jacket", "leather", "cotton", "kettle", "steel")
    fingerprint = "words"

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], kind: str) -> NDArray[np.float32]:
        assert kind == "query"
        self.encoded += texts
        rows = np.array([[float(axis in text.split()) for axis in self.axes] for text in texts])
        rows[:, 0] -= ["antijacket" in text for text in texts]
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1)).astype(np.float32)

    def truncated(self, texts: Sequence[str], kind: str) -> NDArray[np.bool_]:
        return np.zeros(len(texts), dtype=np.bool_)


def cosine_of(encoder: Words) -> TopicCosine:
    return TopicCosine(encoder, ModelFiles("words", None, "path", Path(), "words"))


def test_the_cosine_is_of_what_the_query_wants_and_not_of_what_it_excludes() -> None:
    rewrites = ["jacket", "cotton jacket", "leather", "antijacket"]
    found = cosine_of(Words()).score([NEGATIVE] * 4, rewrites)
    # the topic is "jacket": with "without leather" the third would not be 0
    assert found == pytest.approx([1.0, 0.7071, 0.0, 0.0])


def test_what_is_wanted_is_in_the_words_of_the_structure() -> None:
    # nothing that the shop knows is left of this query without its reference
    asked = TypedQuery(
        "q2",
        "kantor k-30 substitute",
        Structure(
            "alternative",
            ("kettle",),
            required=(Condition("steel", ("yes",)), Condition("cotton", ("no",))),
            reference=Reference("kantor k-30"),
        ),
    )
    found = cosine_of(Words()).score([asked] * 3, ["steel kettle", "kettle", "cotton jacket"])
    assert found == pytest.approx([1.0, 0.7071, 0.0])


def test_every_text_is_encoded_once() -> None:
    encoder = Words()
    asked = [NEGATIVE, NEGATIVE, PLAIN, PLAIN]
    cosine_of(encoder).score(asked, ["jacket", "cotton jacket", "steel kettle", "jacket"])
    assert encoder.encoded == ["jacket", "kettle", "cotton jacket", "steel kettle"]
    assert cosine_of(encoder).score([], []).shape == (0,)


def test_a_trained_classifier_gets_the_words_of_query_and_rewrite(tmp_path: Path) -> None:
    opened = open_classifier(save_classifier(tmp_path / "classifier", use="rewrites"))
    pairs = [("jacket without leather", "cotton jacket"), ("steel kettle", "kettle")]
    found = TrainedScorer(opened).score([NEGATIVE, PLAIN], [text for _, text in pairs])
    assert found.tolist() == opened.score(pairs).tolist()


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command with two queries, their rewrites and a small encoder."""
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    rows = [
        {"query_id": each.query_id, "query": each.query, "structure": each.structure.to_json()}
        for each in (PLAIN, NEGATIVE)
    ]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rewrites.csv").write_text(
        "query_id,rewrite,place\nq0,kettle,1\nq0,black lamp,2\nq1,leather jacket,1\n"
        "q1,cotton jacket,2\n"
    )
    save_tiny_bert(tmp_path / "encoder")
    return [
        "relevance", "rewrites", "--rewrites", str(tmp_path / "rewrites.csv"), "--queries",
        str(tmp_path / "queries.jsonl"), "-o", str(tmp_path / "out.parquet"),
    ]  # fmt: skip


def test_the_command_filters_by_rules_and_the_cosine(command: list[str], tmp_path: Path) -> None:
    model = str(tmp_path / "encoder")
    given = [*command, "--cosine", "--model", model]
    done = CliRunner().invoke(cli, [*given, "--threshold", "1"], catch_exceptions=False)
    assert done.exit_code == 0
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["accepted"] for row in rows] == [True, False, False, False]
    assert "excludes" in rows[2]["reason"]
    encoder = open_encoder(model)
    said = encoder.encode(["kettle", "black lamp", "cotton jacket"], "query")
    wanted = (encoder.encode(["kettle", "kettle", "jacket"], "query") * said).sum(axis=1).clip(0, 1)
    assert [row["relevance"] for row in rows if row["relevance"] is not None] == pytest.approx(
        wanted.tolist(), abs=1e-4
    )
    CliRunner().invoke(cli, given, catch_exceptions=False)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["accepted"] for row in rows] == [
        row["relevance"] is not None and row["relevance"] >= TOPIC_THRESHOLD for row in rows
    ]
    manifest = read_manifest(tmp_path / "out.parquet")
    assert manifest.settings["threshold"] == TOPIC_THRESHOLD
    assert manifest.settings["topic"] == TOPIC
    assert [(each["role"], each["fingerprint"], each["cosine"]) for each in manifest.models] == [
        ("relevance", encoder.fingerprint, COSINE)
    ]
    again = CliRunner().invoke(cli, given, catch_exceptions=False)
    assert "is up to date" in again.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--cosine --rules-only", "Give one of --cosine, --classifier, --llm and --rules-only"),
        ("--rules-only --model x", "--model is the encoder of --cosine"),
        ("--cosine --precision 0.9", "--precision is for a classifier"),
        ("--llm smollm2 --threshold 0.5", "--threshold and --precision are for a cosine or"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(
    command: list[str], tmp_path: Path, more: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        CliRunner().invoke(cli, [*command, *more.split()], catch_exceptions=False)
    assert not (tmp_path / "out.parquet").exists()


def test_the_help_names_the_threshold_that_is_taken() -> None:
    said = CliRunner().invoke(cli, ["relevance", "rewrites", "--help"]).stdout
    assert f"{TOPIC_THRESHOLD:g} of --cosine" in " ".join(said.split())
