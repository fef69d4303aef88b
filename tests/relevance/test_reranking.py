"""Re-ranking: what is scored comes first, in the order of the scores, and the rest behind."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.cli import main
from evalkit.errors import ModelError, SettingsError
from evalkit.manifest import read_manifest
from evalkit.relevance.classifier import open_classifier
from evalkit.relevance.reranking import open_ranking_model, rerank_run
from tests.relevance.tiny_classifier import save_classifier, save_tiny_bert, write_shop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


@dataclass
class Longest:
    """Finds long texts good; may stop after some calls, as a machine does."""

    calls: list[int] = field(default_factory=list)
    stops_at: int | None = None

    def to_manifest(self, role: str) -> dict[str, Any]:
        return {"role": role, "id": "longest", "fingerprint": "sha256:longest"}

    def score(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float64]:
        if len(self.calls) == self.stops_at:
            raise KeyboardInterrupt
        self.calls.append(len(pairs))
        return np.array([len(text) for _, text in pairs], dtype=np.float64)


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, Path]:
    """One query with five results; the texts' lengths are 3, 4, 3, 5 and, unscored, 9."""
    texts = {
        "queries.csv": "query_id,query\nq1,jacket\n",
        "products.csv": "product_id,title\na,red\nb,blue\nc,tan\nd,green\ne,turquoise\n",
        "run.csv": "query_id,product_id,rank,system\n"
        + "".join(f"q1,{name},{place},flat\n" for place, name in enumerate("abcde", start=1)),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
    return {Path(name).stem: tmp_path / name for name in texts}


def reranked(shop: dict[str, Path], out: Path, **settings: Any) -> list[tuple[Any, ...]]:
    scorer = settings.pop("scorer", Longest())
    rerank_run(out, scorer, shop["run"], shop["queries"], shop["products"], **settings)
    return [tuple(row.values()) for row in pq.read_table(out).to_pylist()]


def test_the_first_are_ordered_by_score_and_the_rest_stay_behind(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    rows = reranked(shop, tmp_path / "out.parquet", top=4)
    assert rows == [
        ("q1", "d", 1, 5.0, "flat+rerank"),
        ("q1", "b", 2, 4.0, "flat+rerank"),
        ("q1", "a", 3, 3.0, "flat+rerank"),
        ("q1", "c", 4, 3.0, "flat+rerank"),  # equal scores keep the order of the run
        ("q1", "e", 5, 2.0, "flat+rerank"),  # not scored, though its text is the longest
    ]
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("rank").type == pa.int32()
    manifest = read_manifest(tmp_path / "out.parquet")
    assert [item.role for item in manifest.inputs] == ["run", "queries", "products"]
    assert manifest.models[0]["role"] == "rerank"
    assert manifest.counts["scored"] == 4


def test_products_without_text_stay_behind_and_are_told(
    shop: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop["products"].write_text("product_id,title\na,red\nc,crimson\nd,\n", "utf-8")
    rows = reranked(shop, tmp_path / "out.parquet", top=4)
    assert [row[1] for row in rows] == ["c", "a", "b", "d", "e"]
    assert [row[3] for row in rows] == [7.0, 3.0, 2.0, 1.0, 0.0]
    assert "2 of 4 pairs have no score and stay behind" in capsys.readouterr().err


def test_a_run_without_ranks_is_taken_in_the_order_of_its_scores(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    shop["run"] = tmp_path / "trec.run"
    shop["run"].write_text("q1 Q0 a 1 0.1 x\nq1 Q0 d 2 0.3 x\nq1 Q0 b 3 0.2 x\n", "utf-8")
    rows = reranked(shop, tmp_path / "out.parquet", top=2, system="mine")
    assert [(row[1], row[4]) for row in rows] == [("d", "mine"), ("b", "mine"), ("a", "mine")]


def test_an_interrupted_re_ranking_goes_on_and_a_finished_one_is_not_made_again(
    shop: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("evalkit.relevance.reranking._CHUNK", 2)
    out, whole = tmp_path / "out.parquet", tmp_path / "whole.parquet"
    first = Longest(stops_at=1)
    with pytest.raises(KeyboardInterrupt):
        reranked(shop, out, scorer=first)
    assert not out.exists()
    second = Longest()
    rows = reranked(shop, out, scorer=second)
    assert (first.calls, second.calls) == ([2], [2, 1])
    assert rows == reranked(shop, whole)
    assert out.read_bytes() == whole.read_bytes()
    third = Longest()
    reranked(shop, out, scorer=third)
    assert third.calls == []
    assert "up to date" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*.chunks"))


def test_a_classifier_orders_by_the_probability_of_being_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, out = write_shop(tmp_path / "shop"), tmp_path / "out.parquet"
    folder = save_classifier(tmp_path / "classifier")
    files = [f"--{name}={path}" for name, path in paths.items()]
    words = ["evalkit", "rerank", *files, f"--classifier={folder}", "--top=4", f"-o{out}"]
    monkeypatch.setattr(sys, "argv", words)
    main()
    rows = [row for row in pq.read_table(out).to_pylist() if row["query_id"] == "q001"]
    titles = ["red jacket", "blue kettle", "black lamp", "red shoe"]
    good = open_classifier(folder).score([("blue without leather", title) for title in titles])
    best = np.argsort(-good, kind="stable")
    assert [row["product_id"] for row in rows] == [f"p{place:03d}" for place in (*best, 4, 5)]
    assert [row["score"] for row in rows[:4]] == pytest.approx(good[best].tolist(), abs=1e-6)
    assert {row["system"] for row in rows} == {"rerank"}


def test_any_cross_encoder_of_one_score_orders(tmp_path: Path) -> None:
    paths, out = write_shop(tmp_path / "shop"), tmp_path / "out.parquet"
    model = open_ranking_model(str(save_tiny_bert(tmp_path / "ranker", labels=1)), max_length=32)
    rerank_run(out, model, paths["run"], paths["queries"], paths["products"], fields=["title"])
    for query in ("q000", "q003"):
        rows = [row for row in pq.read_table(out).to_pylist() if row["query_id"] == query]
        scores = [row["score"] for row in rows]
        assert scores == sorted(scores, reverse=True)
        assert len(set(scores)) > 1
    assert read_manifest(out).models[0]["fingerprint"].endswith("+32 tokens")


def test_what_is_no_ranking_cross_encoder_is_refused(tmp_path: Path) -> None:
    from transformers import AutoModel

    three = save_tiny_bert(tmp_path / "three", labels=3)
    with pytest.raises(ModelError, match="gives 3 scores a pair"):
        open_ranking_model(str(three)).score([("a", "b")])
    bare = save_tiny_bert(tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    AutoModel.from_pretrained(three).save_pretrained(bare)
    with pytest.raises(ModelError, match="is not a cross-encoder"):
        open_ranking_model(str(bare))


def test_settings_that_do_not_fit_are_refused(
    shop: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SettingsError, match="--top is 0"):
        reranked(shop, tmp_path / "out.parquet", top=0)
    files = [f"--{name}={path}" for name, path in shop.items()]
    for more, told in (
        ([], "Give one cross-encoder: --classifier or --model."),
        (["--classifier=x", "--max-length=64"], "--max-length is for --model"),
    ):
        monkeypatch.setattr(sys, "argv", ["evalkit", "rerank", *files, "-o", "out.csv", *more])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        assert told in capsys.readouterr().err
