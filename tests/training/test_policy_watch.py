"""What is seen of a policy on held-out queries, and when an alarm is raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from evalkit.constraints import Condition, Structure, TypedQuery
from evalkit.errors import SettingsError
from evalkit.training.policy_watch import ALL, FIGURES, alarm, watch
from evalkit.training.rewarding import Rewarder, RewardSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

AXES = ("jacket", "leather", "linen", "wool", "kettle", "steel", "glass")
LEATHER = Structure("negative", ("jacket",), excluded=(Condition("material", ("leather",)),))
QUERIES = [
    TypedQuery("n1", "jacket without leather", LEATHER),
    TypedQuery("n2", "no leather jacket", LEATHER),
    TypedQuery("g1", "kettle for the hob", Structure("general", ("kettle",))),
]
SAYS = {
    "n1": [" linen jacket ; wool jacket", " linen jacket ; linen jacket ; wool jacket"],
    "n2": [" leather jacket", ""],
    "g1": [" kettle for the hob ; steel kettle", " steel kettle ; glass kettle"],
}


class Words:
    """Unit vectors of the words that a text has."""

    fingerprint = "words"

    def encode(self, texts: Sequence[str], kind: str) -> np.ndarray:
        rows = np.array([[float(axis in text.split()) for axis in AXES] for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1)).astype(np.float32)

    def truncated(self, texts: Sequence[str], kind: str) -> np.ndarray:
        return np.zeros(len(texts), dtype=np.bool_)


def says(
    queries: Sequence[TypedQuery], *, n: int, temperature: float, seed: int
) -> list[list[str]]:
    return [SAYS[query.query_id][:n] for query in queries]


def rewarder() -> Rewarder:
    products = Words().encode(["linen jacket", "steel kettle"], "document")
    gates = {"negative": 0.4, "general": 0.4}
    return Rewarder(Words(), products, None, gates, RewardSettings(nearest=1), 2)


class LikesSteel:
    """A classifier that keeps steel, cannot read glass, and dislikes the rest."""

    def score(self, asked: Sequence[TypedQuery], rewrites: Sequence[str]) -> np.ndarray:
        assert len(asked) == len(rewrites)
        return np.array(
            [np.nan if "glass" in text else float("steel" in text) for text in rewrites]
        )


def test_every_type_is_told_apart_and_together() -> None:
    found = watch(says, QUERIES, rewarder())
    assert list(found) == ["negative", "general", ALL]
    assert [found[kind]["queries"] for kind in found] == [2, 1, 3]
    assert tuple(found[ALL]) == FIGURES[:-1]  # without a classifier nothing is kept
    # places: two outputs of two queries with two each; linen + wool, linen, nothing, nothing
    assert found["negative"]["accepted"] == pytest.approx(3 / 8)
    assert found["negative"]["excluded"] == pytest.approx(1 / 8)
    assert found["negative"]["repeated"] == pytest.approx(1 / 8)
    assert found["general"]["echoed"] == pytest.approx(1 / 4)
    assert found[ALL]["accepted"] == pytest.approx((3 + 3) / 12)


def test_the_whole_outputs_reward_is_what_the_rewarder_says() -> None:
    found = watch(says, QUERIES[:1], rewarder(), outputs=1)
    alone = rewarder().score(QUERIES[:1], [["linen jacket", "wool jacket"]])
    assert found[ALL]["reward"] == alone.total[0]
    assert found[ALL]["diversity"] == alone.diversity[0]


def test_candidates_that_differ_and_words_are_counted() -> None:
    found = watch(says, QUERIES, rewarder())
    # of the first two candidates: linen and wool, linen twice, leather, nothing
    assert found["negative"]["distinct"] == pytest.approx((2 + 1 + 1 + 0) / 4)
    # length goes on beyond the places that earn: 4, 6, 2 and 0 words
    assert found["negative"]["words"] == pytest.approx(12 / 4)


def test_a_classifier_is_asked_of_what_was_read() -> None:
    found = watch(says, QUERIES, rewarder(), classifier=LikesSteel())
    assert found["negative"]["kept"] == 0.0
    # the echo is disliked, steel kept twice, glass has no answer
    assert found["general"]["kept"] == pytest.approx(2 / 3)
    assert found[ALL]["kept"] == pytest.approx(2 / 8)


def test_the_policy_is_asked_with_the_settings_of_the_watch() -> None:
    asked = []

    def remembers(
        queries: Sequence[TypedQuery], *, n: int, temperature: float, seed: int
    ) -> list[list[str]]:
        asked.append((n, temperature, seed))
        return [["steel kettle"] * n for _ in queries]

    watch(remembers, QUERIES, rewarder(), outputs=3, temperature=0.5, seed=7)
    assert asked == [(3, 0.5, 7)]


def test_a_policy_is_not_watched_on_nothing() -> None:
    with pytest.raises(SettingsError, match="one held-out query"):
        watch(says, [], rewarder())


BEFORE = {"reward": 0.9, "relevance": 0.6, "accepted": 0.7, "echoed": 0.0, "excluded": 0.1}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"relevance": 0.5}, "relevance fell from 0.600 to 0.500"),
        ({"accepted": 0.6}, "the accepted share fell from 0.700 to 0.600"),
        ({"echoed": 0.2}, "the share of echoes rose from 0.000 to 0.200"),
        ({"excluded": 0.2}, "the share that states an excluded thing rose from 0.100 to 0.200"),
        (
            {"relevance": 0.5, "accepted": 0.6},
            "relevance fell from 0.600 to 0.500 and the accepted share fell from 0.700 to 0.600",
        ),
    ],
)
def test_a_reward_that_rises_while_its_meaning_falls_is_an_alarm(
    changed: dict[str, float], said: str
) -> None:
    found = alarm({"negative": BEFORE}, {"negative": {**BEFORE, "reward": 1.2, **changed}})
    assert found == [f"negative: the reward rose from 0.900 to 1.200 while {said}."]


def test_training_that_went_well_or_badly_in_the_open_is_no_alarm() -> None:
    for after in (
        {"reward": 1.2, "relevance": 0.7, "accepted": 0.8, "excluded": 0.0},
        {"reward": 1.2, "relevance": 0.597},  # less than half a point
        {"reward": 0.8, "relevance": 0.3},  # nothing was gained by it
    ):
        assert alarm({ALL: BEFORE}, {ALL: {**BEFORE, **after}}) == []


def test_the_classifiers_share_falling_is_an_alarm() -> None:
    before, after = {"reward": 1.0, "kept": 0.8}, {"reward": 1.1, "kept": 0.5}
    assert alarm({ALL: before}, {ALL: after}) == [
        "All types: the reward rose from 1.000 to 1.100 while the share that the classifier keeps "
        "fell from 0.800 to 0.500."
    ]


def test_each_type_has_its_own_alarm() -> None:
    worse = {**BEFORE, "reward": 1.2, "relevance": 0.2}
    found = alarm(
        {"negative": BEFORE, "general": BEFORE, "knowledge": BEFORE},
        {"negative": worse, "general": {**BEFORE, "reward": 1.2}},
    )
    assert [sentence.split(":")[0] for sentence in found] == ["negative"]
