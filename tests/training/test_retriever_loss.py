"""The loss against the library's, the batches, and the Goodrates that steer the training."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_bert import save_small_bert

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.retrieval import open_encoder
from evalkit.training.retriever import RetrieverSettings
from evalkit.training.retriever_data import LabelledPairs
from evalkit.training.retriever_evaluating import dev_queries, goodrates
from evalkit.training.retriever_examples import Examples
from evalkit.training.retriever_fitting import Collator, batch_keys, fit_retriever
from evalkit.training.retriever_loss import margin_loss, open_loss, ranking_loss

if TYPE_CHECKING:
    from pathlib import Path


def toy_pairs(queries: int, each: int, products: int) -> LabelledPairs:
    """Queries with so many products each, in turn."""
    query = np.repeat(np.arange(queries), each)
    product = np.arange(queries * each) % products
    names = tuple(f"q{number}" for number in range(queries))
    return LabelledPairs(
        names, names, ("a",) * queries, names, ("train",) * queries,
        tuple(f"p{number}" for number in range(products)),
        tuple(f"text {number}" for number in range(products)),
        np.arange(products), query, product, np.ones(len(query), dtype=bool),
    )  # fmt: skip


def test_without_known_products_it_is_the_librarys_loss() -> None:
    import torch
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    torch.manual_seed(0)
    queries, right, wrong = (torch.randn(6, 5) for _ in range(3))
    theirs: Any = MultipleNegativesRankingLoss(torch.nn.Identity(), scale=20.0)  # type: ignore[arg-type]
    expected = theirs.compute_loss_from_embeddings([queries, right, wrong], None)
    nothing = torch.zeros(6, 12, dtype=torch.bool)
    found = ranking_loss(queries, torch.cat([right, wrong]), nothing, 20.0)
    assert float(found) == pytest.approx(float(expected), abs=1e-5)


def test_a_product_known_to_be_good_is_not_pushed_away() -> None:
    import torch

    torch.manual_seed(0)
    queries = torch.randn(2, 5)
    products = torch.randn(3, 5, requires_grad=True)
    known = torch.tensor([[False, False, True], [False, False, True]])
    ranking_loss(queries, products, known, 20.0).backward()  # type: ignore[no-untyped-call]
    assert products.grad is not None
    assert products.grad[2].abs().max() == 0
    assert products.grad[1].abs().max() > 0


def test_margins_pull_the_difference_of_cosines_to_that_of_the_teachers_logits() -> None:
    import torch

    torch.manual_seed(0)
    queries = torch.randn(4, 8)
    products = torch.randn(6, 8, requires_grad=True)
    owner, margin = torch.tensor([1, 3]), torch.tensor([4.0, -2.0])
    optimiser = torch.optim.Adam([products], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        margin_loss(queries, products, owner, margin, 20.0).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    cosine = torch.nn.functional.cosine_similarity
    found = 20 * (cosine(queries[owner], products[owner]) - cosine(queries[owner], products[4:]))
    assert found.tolist() == pytest.approx([4.0, -2.0], abs=0.05)


def test_the_cached_loss_has_the_same_gradient(tmp_path: Path) -> None:
    import torch

    encoder = open_encoder(str(save_small_bert(tmp_path / "base")))
    model = encoder.model.eval()  # no dropout, which would differ between the two
    texts = [["red jacket", "blue shoe", "black lamp"],
             ["jacket red cotton", "shoe blue"], ["lamp black", "jacket blue", "shoe"]]  # fmt: skip
    labels = {
        "known": torch.zeros(3, 5, dtype=torch.bool),
        "place": torch.tensor([0, 1, 2, 4, 3]),
        "owner": torch.tensor([0, 2]),
        "margin": torch.tensor([3.0, 1.0]),
    }
    labels["known"][0, 1] = True
    found = []
    for cached in (False, True):
        model.zero_grad()
        loss = open_loss(model, scale=20.0, distil_weight=0.5, cached=cached, mini_batch=2)
        features = [dict(model.preprocess(column)) for column in texts]
        value = loss(features, labels)
        value.backward()
        grad = model[0].model.encoder.layer[0].output.dense.weight.grad
        found.append((value.item(), grad.clone()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert found[0][1].abs().max() > 0
    torch.testing.assert_close(found[0][1], found[1][1])


def test_no_batch_holds_two_pairs_of_one_query_or_one_product_twice() -> None:
    import datasets
    import torch
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    pairs = toy_pairs(queries=20, each=5, products=40)
    negative = np.where(np.arange(100) % 3 == 0, (pairs.product + 7) % 40, -1)
    keys = datasets.Dataset.from_dict(
        batch_keys(pairs, Examples(pairs.query, pairs.product, negative))
    )
    sampler = NoDuplicatesBatchSampler(keys, 8, False, generator=torch.Generator(), seed=0)
    seen: list[int] = []
    sizes = []
    for batch in sampler:
        seen += batch
        sizes.append(len(batch))
        assert len(set(pairs.query[batch])) == len(batch)
        products = [*pairs.product[batch], *(each for each in negative[batch] if each >= 0)]
        assert len(set(products)) == len(products)
    assert sorted(seen) == list(range(100))
    # Those without a hard negative do not clash with each other: nearly all batches are full.
    assert np.mean(np.array(sizes) == 8) > 0.8


def test_the_trainer_keeps_pairs_of_one_query_and_one_product_apart(tmp_path: Path) -> None:
    encoder = open_encoder(str(save_small_bert(tmp_path / "base")))
    pairs = replace(toy_pairs(queries=8, each=6, products=16), pool=np.zeros(0, dtype=np.int64))
    examples = Examples(pairs.query, pairs.product, np.full(48, -1))
    texts: dict[str, list[list[str]]] = {"query": [], "document": []}
    own = encoder.model.preprocess

    def listen(inputs: Any, *arguments: Any, task: str, **more: Any) -> Any:
        texts[task].append(list(inputs))
        return own(inputs, *arguments, task=task, **more)

    encoder.model.preprocess = listen  # type: ignore[method-assign]
    fitted = fit_retriever(
        encoder,
        pairs,
        examples,
        [frozenset()] * 8,
        dev_queries(pairs),
        RetrieverSettings(epochs=2, batch_size=4, max_length=16, device="cpu"),
        checkpoints=tmp_path / "checkpoints",
    )
    assert len(texts["query"]) == len(texts["document"]) >= fitted.steps == 24
    for batch in (*texts["query"], *texts["document"]):
        assert len(set(batch)) == len(batch)
    assert np.mean([len(batch) for batch in texts["query"]]) > 3  # of 4


def test_a_batch_marks_what_is_known_to_be_good_but_never_its_own(tmp_path: Path) -> None:
    encoder = open_encoder(str(save_small_bert(tmp_path / "base")))
    pairs = replace(
        toy_pairs(queries=3, each=1, products=4),
        texts=("red jacket cotton", "blue shoe", "lamp", "black jacket"),
    )
    examples = Examples(np.array([0, 1, 2]), np.array([0, 1, 3]), np.array([2, -1, 1]))
    known = [frozenset({0, 1, 2}), frozenset({1, 2}), frozenset({0, 1, 3})]
    margins = np.array([1.5, 0.0, -2.0], dtype=np.float32)
    batch = Collator(encoder, pairs, examples, known, margins)([{"row": row} for row in (0, 1, 2)])
    # The products are 0, 1 and 3, which are right, then the hard negatives 2 and 1.
    assert batch["label"]["known"].tolist() == [
        [False, True, False, False, True],  # 1 is known to be good; 2 is its own hard negative
        [False, False, False, True, True],
        [True, True, False, False, False],
    ]
    assert batch["label"]["owner"].tolist() == [0, 2]
    assert batch["label"]["margin"].tolist() == [1.5, -2.0]
    for product, place in zip((0, 1, 3, 2, 1), batch["label"]["place"].tolist(), strict=True):
        alone = encoder.model.preprocess([pairs.texts[product]])["input_ids"][0].tolist()
        padded = batch["product0_input_ids"][place].tolist()
        assert padded[: len(alone)] == alone
        assert not any(padded[len(alone) :])


def test_goodrates_are_those_of_the_scorer() -> None:
    import pandas as pd

    from metrics import item_goodrate, query_goodrate

    rng = np.random.default_rng(0)
    scores = rng.normal(size=(12, 40)).astype(np.float32)
    good = rng.random((12, 40)) < 0.05
    types = ["negative"] * 7 + ["general"] * 5
    found = goodrates(scores, good, types)
    table = pd.DataFrame(
        [
            (f"q{query}", f"p{product}", float(scores[query, product]), int(good[query, product]))
            for query in range(12)
            for product in range(40)
        ],
        columns=["query_id", "product_id", "score", "grade"],
    )
    top = table.sort_values("score", ascending=False).groupby("query_id").head(10)
    for name in ("negative", "general"):
        ids = {f"q{place}" for place, each in enumerate(types) if each == name}
        run, grades = (part[part["query_id"].isin(ids)] for part in (top, table))
        run, grades = run[["query_id", "product_id", "score"]], grades.drop(columns="score")
        assert found[name]["item_goodrate"] == pytest.approx(item_goodrate(run, grades))
        assert found[name]["query_goodrate"] == pytest.approx(query_goodrate(run, grades))
    assert found["mean"]["item_goodrate"] == pytest.approx(
        (found["negative"]["item_goodrate"] + found["general"]["item_goodrate"]) / 2
    )


def test_what_is_good_for_a_dev_query_is_said_by_the_catalogue_and_overruled_by_pairs() -> None:
    pairs = LabelledPairs(
        ("a", "b", "c"), ("a", "b", "c"), ("negative", "general", "general"), ("a", "b", "c"),
        ("dev", "train", "dev"), ("p4", "p3", "p2", "p1", "p0"), ("4", "3", "2", "1", "0"),
        np.array([0, 2, 3, 4]), np.array([0, 0, 1, 2]), np.array([2, 3, 4, 1]),
        np.array([True, False, True, True]),
    )  # fmt: skip
    alone = dev_queries(pairs)
    assert alone.texts == ("4", "2", "1", "0")
    assert alone.queries == ("a",)  # nothing in the pool is good for c
    assert alone.good.tolist() == [[False, True, False, False]]
    checked = dev_queries(pairs, {0: np.array([0, 1, 3]), 1: np.array([0]), 2: np.array([4])})
    assert checked.queries == ("a", "c")
    assert checked.good.tolist() == [[True, True, False, False], [False, False, False, True]]
