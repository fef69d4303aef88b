"""What is seen of a policy on held-out queries, and when an alarm is raised."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from evalkit.constraints import Condition, Structure, TypedQuery
from evalkit.errors import SettingsError
from evalkit.training.policy_watch import ALL, FIGURES, Watched, alarm, changes, watch
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
    found = watch(says, QUERIES, rewarder()).figures()
    assert list(found) == ["negative", "general", ALL]
    assert [found[kind]["queries"] for kind in found] == [2, 1, 3]
    assert tuple(found[ALL]) == ("queries", *FIGURES[:-2])  # no classifier, no reference
    # places: two outputs of two queries with two each; linen + wool, linen, nothing, nothing
    assert found["negative"]["accepted"] == pytest.approx(3 / 8)
    assert found["negative"]["excluded"] == pytest.approx(1 / 8)
    assert found["negative"]["repeated"] == pytest.approx(1 / 8)
    assert found["general"]["echoed"] == pytest.approx(1 / 4)
    assert found[ALL]["accepted"] == pytest.approx((3 + 3) / 12)


def test_the_whole_outputs_reward_is_what_the_rewarder_says() -> None:
    found = watch(says, QUERIES[:1], rewarder(), outputs=1).figures()
    alone = rewarder().score(QUERIES[:1], [["linen jacket", "wool jacket"]])
    assert found[ALL]["reward"] == alone.total[0]
    assert found[ALL]["diversity"] == alone.diversity[0]


def test_candidates_that_differ_and_words_are_counted() -> None:
    found = watch(says, QUERIES, rewarder()).figures()
    # of the first two candidates: linen and wool, linen twice, leather, nothing
    assert found["negative"]["distinct"] == pytest.approx((2 + 1 + 1 + 0) / 4)
    # length goes on beyond the places that earn: 4, 6, 2 and 0 words
    assert found["negative"]["words"] == pytest.approx(12 / 4)


def test_a_classifier_is_asked_of_what_was_read() -> None:
    found = watch(says, QUERIES, rewarder(), classifier=LikesSteel()).figures()
    assert found["negative"]["kept"] == 0.0
    # the echo is disliked, steel kept twice, glass has no answer
    assert found["general"]["kept"] == pytest.approx(2 / 3)
    assert found[ALL]["kept"] == pytest.approx((0 + 0 + 2 / 3) / 3)  # a query counts once


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


class Nats:
    """A divergence of a nat for each text of negative queries, whose tokens are its words."""

    def of(
        self, queries: Sequence[TypedQuery], texts: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        nats = [float(query.structure.query_type == "negative") for query in queries]
        return np.array(nats), np.array([len(text.split()) for text in texts])


def test_the_divergence_is_told_a_token() -> None:
    found = watch(says, QUERIES, rewarder(), divergence=Nats()).figures()  # type: ignore[arg-type]
    # two texts of 5 and 8 words, and of 2 and 0
    assert found["negative"]["kl"] == pytest.approx((2 / 13 + 2 / 2) / 2)
    assert found["general"]["kl"] == 0.0


def test_what_was_seen_is_the_same_after_it_was_kept() -> None:
    seen = watch(says, QUERIES[2:], rewarder(), outputs=1, classifier=Mute())
    again = Watched.of_document(json.loads(json.dumps(seen.to_document())))
    assert again.figures() == seen.figures()
    assert "kept" not in again.figures()[ALL]
    assert (again.types, again.families) == (("general",), ("query g1",))


class Mute:
    """A classifier that has no answer to anything."""

    def score(self, asked: Sequence[TypedQuery], rewrites: Sequence[str]) -> np.ndarray:
        return np.full(len(rewrites), np.nan)


# changes and alarms

BEFORE = {"reward": 0.9, "relevance": 0.6, "accepted": 0.7, "echoed": 0.0, "excluded": 0.1,
          "repeated": 0.1, "distinct": 4.0, "words": 12.0, "kept": 0.8}  # fmt: skip
SIX = tuple("abcdef")


def seen(
    means: dict[str, float], kind: str = "negative", families: tuple[str, ...] = SIX,
    noise: tuple[float, ...] | None = None,
) -> Watched:  # fmt: skip
    spread = np.array(noise or (0.0,) * len(families))
    columns = {name: mean + spread for name, mean in means.items()}
    return Watched((kind,) * len(families), families, columns)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"relevance": 0.5}, "relevance fell from 0.600 to 0.500"),
        ({"accepted": 0.6}, "the accepted share fell from 0.700 to 0.600"),
        ({"kept": 0.5}, "the share that the classifier keeps fell from 0.800 to 0.500"),
        ({"echoed": 0.2}, "the share of echoes rose from 0.000 to 0.200"),
        ({"excluded": 0.2}, "the share that states an excluded thing rose from 0.100 to 0.200"),
        ({"repeated": 0.5}, "the share of repeats rose from 0.100 to 0.500"),
        ({"distinct": 1.5}, "the number of different candidates fell from 4.000 to 1.500"),
        ({"words": 40.0}, "the words of an output rose from 12.000 to 40.000"),
        (
            {"relevance": 0.5, "accepted": 0.6},
            "relevance fell from 0.600 to 0.500 and the accepted share fell from 0.700 to 0.600",
        ),
    ],
)
def test_a_reward_that_rises_while_its_meaning_falls_is_an_alarm(
    changed: dict[str, float], said: str
) -> None:
    found = alarm(seen(BEFORE), seen({**BEFORE, "reward": 1.2, **changed}))
    assert found == [
        f"{kind}: the reward rose from 0.900 to 1.200 while {said}."
        for kind in ("negative", "All types")
    ]


def test_training_that_went_well_or_badly_in_the_open_is_no_alarm() -> None:
    for after in (
        {"reward": 1.2, "relevance": 0.7, "accepted": 0.8, "excluded": 0.0},
        {"reward": 1.2, "words": 14.0},  # a little longer
        {"reward": 0.8, "relevance": 0.3},  # nothing was gained by it
    ):
        assert alarm(seen(BEFORE), seen({**BEFORE, **after})) == []


def test_a_change_that_chance_makes_is_no_alarm() -> None:
    # differences of -.04 on average; their deviation is .11, so the error of the mean is .045
    after = seen({"reward": 1.2, "relevance": 0.56}, noise=(0.1, -0.1, 0.1, -0.1, 0.1, -0.1))
    assert alarm(seen(BEFORE), after) == []
    (change,) = [changes(seen(BEFORE), after)["negative"]["relevance"]]
    assert change.error == pytest.approx(np.std((0.1, -0.1) * 3, ddof=1) / 6**0.5)
    calm = seen({"reward": 1.2, "relevance": 0.56}, noise=(0.01, -0.01, 0.01, -0.01, 0.01, -0.01))
    assert len(alarm(seen(BEFORE), calm)) == 2


def test_queries_of_a_family_are_one_draw() -> None:
    apart = seen({"reward": 1.2, "relevance": 0.5}, families=tuple("abcdefghijkl"),
                 noise=(0.1, 0.1, -0.1, -0.1) * 3)  # fmt: skip
    together = seen({"reward": 1.2, "relevance": 0.5}, families=tuple("aabbccddeeff"),
                    noise=(0.1, 0.1, -0.1, -0.1) * 3)  # fmt: skip
    errors = [
        changes(seen(BEFORE, families=each.families), each)["negative"]["relevance"].error
        for each in (apart, together)
    ]
    # six families of two that move together: as six queries
    assert errors[1] == pytest.approx(np.std((0.1, -0.1) * 3, ddof=1) / 6**0.5)
    assert errors[0] < 0.8 * errors[1]


def test_of_few_families_nothing_is_certain() -> None:
    few = tuple("abcd")
    worse = seen({**BEFORE, "reward": 1.2, "relevance": 0.1}, families=few)
    assert alarm(seen(BEFORE, families=few), worse) == []


def test_each_type_has_its_own_alarm() -> None:
    def both(negative: dict[str, float], general: dict[str, float]) -> Watched:
        one, other = seen(negative), seen(general, "general", tuple("ghijkl"))
        columns = {
            name: np.concatenate([one.columns[name], other.columns[name]]) for name in one.columns
        }
        return Watched(one.types + other.types, one.families + other.families, columns)

    found = alarm(
        both(BEFORE, BEFORE),
        both({**BEFORE, "reward": 1.2, "relevance": 0.2}, {**BEFORE, "reward": 1.2}),
    )
    assert found[0].startswith("negative: the reward rose")
    assert not any(sentence.startswith("general") for sentence in found)


def test_other_queries_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different queries"):
        changes(seen(BEFORE), seen(BEFORE, "general"))
