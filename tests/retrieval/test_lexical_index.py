"""BM25 against twenty plain lines."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.retrieval.lexical_index import (
    LexicalSettings,
    build_words,
    open_words,
    save_words,
    search_words,
    split_words,
)

TEXTS = [
    "Red running shoes for runners",
    "Blue running shoe, light",
    "Electric kettle with a red lid and a long cable for the kitchen",
    "Kettle kettle kettle",
    "Crème brûlée set Ø 12 cm",
    "кофе молотый",
    "the and of",
]
QUERIES = ["red shoes", "kettle", "kettle kettle lid", "running", "brûlée", "кофе", "the", "zebra"]


def plain_bm25(texts: list[str], query: str, k1: float, b: float) -> dict[int, float]:
    documents = [Counter(words) for words in split_words(texts)]
    mean = sum(document.total() for document in documents) / len(documents)
    scores: dict[int, float] = {}
    for word in split_words([query])[0]:
        holders = sum(word in document for document in documents)
        idf = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
        for place, document in enumerate(documents):
            if word in document:
                length = k1 * (1 - b + b * document.total() / mean)
                part = idf * document[word] / (document[word] + length)
                scores[place] = scores.get(place, 0.0) + part
    return scores


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4), (2.0, 0.0)])
def test_scores_are_those_of_the_formula(k1: float, b: float) -> None:
    index = build_words(split_words(TEXTS), LexicalSettings(k1, b))
    hits = search_words(index, QUERIES, 10)
    for number, query in enumerate(QUERIES):
        own = hits.query == number
        found = dict(zip(hits.position[own].tolist(), hits.score[own].tolist(), strict=True))
        assert found == pytest.approx(plain_bm25(TEXTS, query, k1, b), rel=1e-5)


def test_best_products_come_first() -> None:
    hits = search_words(build_words(split_words(TEXTS), LexicalSettings()), QUERIES, 10)
    for number in range(len(QUERIES)):
        scores = hits.score[hits.query == number]
        assert (np.diff(scores) <= 0).all()


def test_a_product_that_shares_no_word_is_not_a_result() -> None:
    hits = search_words(build_words(split_words(TEXTS), LexicalSettings()), ["kettle"], 10)
    assert sorted(hits.position.tolist()) == [2, 3]


def test_a_query_of_stop_words_or_unknown_words_has_no_results() -> None:
    index = build_words(split_words(TEXTS), LexicalSettings())
    assert len(search_words(index, ["the", "zebra", ""], 10).query) == 0


def test_equal_scores_are_ordered_by_position_also_at_the_last_place() -> None:
    index = build_words(split_words(["red lamp"] * 9 + ["blue lamp"]), LexicalSettings())
    assert search_words(index, ["red"], 4).position.tolist() == [0, 1, 2, 3]


def test_plurals_possessives_and_ligatures_meet() -> None:
    assert split_words(["runner's", "RUNNERS", "runner’s"]) == [["runner"]] * 3
    assert split_words(["ﬁlter", "ＡＢＣ"]) == [["filter"], ["abc"]]


def test_a_word_of_one_character_counts() -> None:
    assert split_words(["iPhone 5 x-ray"]) == [["iphon", "5", "x", "ray"]]


def test_a_catalogue_of_one_product_can_be_searched() -> None:
    hits = search_words(build_words([["lamp"]], LexicalSettings()), ["lamp"], 10)
    assert hits.position.tolist() == [0]
    assert hits.score[0] == pytest.approx(math.log(1 + 0.5 / 1.5) / (1 + 1.5), rel=1e-6)


def test_a_saved_index_holds_no_pickle_and_finds_the_same(tmp_path: Path) -> None:
    index = build_words(split_words(TEXTS), LexicalSettings())
    save_words(index, tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".npy", ".json"}
    for file in tmp_path.glob("*.npy"):
        np.load(file, allow_pickle=False)
    before, after = search_words(index, QUERIES, 5), search_words(open_words(tmp_path), QUERIES, 5)
    assert before.position.tolist() == after.position.tolist()
    assert before.score.tobytes() == after.score.tobytes()


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    save_words(build_words(split_words(TEXTS), LexicalSettings()), tmp_path)
    (tmp_path / "params.index.json").write_text("{")
    with pytest.raises(InputError, match="the lexical index cannot be read"):
        open_words(tmp_path)


def test_products_without_words_are_refused() -> None:
    with pytest.raises(InputError, match="no product has a word"):
        build_words([[], []], LexicalSettings())


def test_parameters_outside_their_range_are_refused() -> None:
    with pytest.raises(SettingsError, match="--k1 above 0 and --b from 0 to 1"):
        LexicalSettings(b=1.5)
