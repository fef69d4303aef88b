"""What is known of a pair without a trained model, and pairs made anew from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from small_bert import save_small_bert

from evalkit.errors import ModelError
from evalkit.models import locate_encoder
from evalkit.relevance.pair_features import PairFeatures, encoder_of, open_features
from evalkit.training.examples import Examples
from evalkit.training.soft_pairs import pair_anew

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bert(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def features(base: Path) -> PairFeatures:
    return open_features(locate_encoder(str(base)))


def test_equal_texts_have_cosine_and_shared_words_of_one(features: PairFeatures) -> None:
    found = features.of([("red jackets", "red jackets"), ("red jackets", "blue jacket lamp")])
    assert found[0].tolist() == [1.0, 1.0]
    assert found[1, 0] < 1.0
    assert found[1, 1] == 0.5  # jacket, whatever its ending
    assert features.of([]).shape == (0, 2)


def test_nearness_is_the_cosine_of_every_pair(features: PairFeatures) -> None:
    queries, texts = ["red jacket", "steel kettle"], ["blue lamp", "red jacket", "cotton shoe"]
    pairs = [(query, text) for query in queries for text in texts]
    wanted = features.of(pairs)[:, 0].reshape(2, 3)
    assert features.nearness(queries, texts) == pytest.approx(wanted, abs=2e-4)


def test_another_encoder_than_the_one_named_is_refused(features: PairFeatures) -> None:
    document = json.loads(json.dumps(features.to_json()))
    assert encoder_of(document).fingerprint == features.files.fingerprint
    document["encoder"]["fingerprint"] = "sha256:0"
    with pytest.raises(ModelError, match="another encoder"):
        encoder_of(document)
    with pytest.raises(ModelError, match="known are"):
        encoder_of({**features.to_json(), "names": ["cosine"]})


def graded() -> Examples:
    """Every thing asked for once; of the graded products the first is good."""
    things = ["jacket", "kettle", "lamp", "shoe"]
    rows = [(thing, f"{colour} {other}", int(thing == other))
            for thing in things for other in things for colour in ("red", "blue")]  # fmt: skip
    return Examples(
        tuple(f"q-{query}" for query, _, _ in rows),
        tuple(query for query, _, _ in rows),
        tuple(text if good else f"{text} for {query}" for query, text, good in rows),
        np.array([good for _, _, good in rows]),
        (0.0, 1.0),
        1.0,
    )


def test_new_pairs_were_not_graded_and_have_a_share_for_each_grade(features: PairFeatures) -> None:
    examples = graded()
    made = pair_anew(examples, features, 60, seed=0)
    pairs = list(zip(made.first, made.second, strict=True))
    assert 0 < len(pairs) <= 60
    assert not set(pairs) & set(examples.pairs())
    assert made.shares.shape == (len(pairs), 2)
    assert made.shares.sum(axis=1) == pytest.approx(np.ones(len(pairs)))
    again = pair_anew(examples, features, 60, seed=0)
    assert again.second == made.second
    assert pair_anew(examples, features, 60, seed=1).second != made.second
