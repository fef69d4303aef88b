"""What outputs earn: an encoder with an axis for each word, so that cosines can be worked out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pytest

from evalkit.constraints import Condition, Reference, Structure, TypedQuery
from evalkit.errors import SettingsError
from evalkit.knowledge import CatalogueFiles
from evalkit.training.earned import COMPONENTS, Rewards
from evalkit.training.rewarding import (
    Rewarder,
    RewardSettings,
    calibrate_gates,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evalkit.knowledge import Graph

AXES = ("jacket", "leather", "cotton", "linen", "wool", "waxed", "field", "lined", "kettle",
        "steel", "table", "oak", "lamp", "glass")  # fmt: skip
HALF = 0.5**0.5


class Words:
    """Unit vectors of the words that a text has; what it was asked is remembered."""

    fingerprint = "words"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode(self, texts: Sequence[str], kind: str) -> np.ndarray:
        self.asked.append(list(texts))
        rows = np.array([[float(axis in text.split()) for axis in AXES] for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1)).astype(np.float32)

    def truncated(self, texts: Sequence[str], kind: str) -> np.ndarray:
        return np.zeros(len(texts), dtype=np.bool_)


NEGATIVE = TypedQuery(
    "n1",
    "jacket without leather",
    Structure("negative", ("jacket",), excluded=(Condition("material", ("leather",)),)),
)
GENERAL = TypedQuery("g1", "kettle for the hob", Structure("general", ("kettle",)))
TITLES = ("cotton jacket", "steel kettle", "oak table", "glass lamp")
GATES = {"negative": 0.4, "general": 0.4}


def make(
    settings: RewardSettings | None = None,
    *,
    candidates: int = 3,
    titles: Sequence[str] = TITLES,
    graph: Graph | None = None,
    encoder: Words | None = None,
) -> Rewarder:
    used = settings or RewardSettings(nearest=1)
    products = Words().encode(titles, "document")
    return Rewarder(encoder or Words(), products, graph, GATES, used, candidates)


def reward(*said: str, query: TypedQuery = NEGATIVE, rewarder: Rewarder | None = None) -> Rewards:
    return (rewarder or make()).score([query], [said])


def test_the_reward_is_the_weighted_sum_of_its_parts() -> None:
    found = reward("cotton jacket", "linen jacket", "wool jacket")
    # to `jacket`, which the query wants: cos(45°) each
    assert found.relevance[0] == pytest.approx(HALF)
    # the nearest title is `cotton jacket`: 1, and one word of two for the others
    assert found.alignment[0] == pytest.approx(2 / 3)
    assert found.diversity[0] == pytest.approx(0.5)
    assert (found.format[0], found.constraint[0]) == (0.0, 0.0)
    assert found.total[0] == pytest.approx(HALF + 2 / 3 + 0.25)
    weighed = make(RewardSettings(relevance=2, alignment=0, diversity=1, nearest=1))
    found = reward("cotton jacket", "linen jacket", "wool jacket", rewarder=weighed)
    assert found.total[0] == pytest.approx(2 * HALF + 0.5)


def test_what_the_query_wants_is_compared_and_not_its_words() -> None:
    # `leather` is one of the query's words; nothing of it may come near
    assert reward("cotton jacket").relevance[0] == pytest.approx(HALF / 3)


def test_stating_an_excluded_thing_earns_nothing_and_costs() -> None:
    found = reward("leather jacket", "linen jacket", "wool jacket")
    assert found.excluded.tolist() == [[True, False, False]]
    assert found.accepted.tolist() == [[False, True, True]]
    assert found.constraint[0] == pytest.approx(-1 / 3)
    assert found.relevance[0] == pytest.approx(2 * HALF / 3)


def test_the_query_itself_is_an_echo_that_costs() -> None:
    found = reward("kettles for hob", "steel kettle", "glass kettle", query=GENERAL)
    assert found.echoed.tolist() == [[True, False, False]]
    assert found.accepted.tolist() == [[False, True, True]]
    assert found.format[0] == pytest.approx(-1 / 3)


def test_an_echo_of_what_is_excluded_breaks_format_and_constraint() -> None:
    found = reward("jacket without leather", "linen jacket", "wool jacket")
    # behind `without` the thing is not stated; as bare words it is
    assert found.echoed[0, 0]
    assert not found.accepted[0, 0]
    found = reward("leather jacket without", "linen jacket", "wool jacket")
    assert found.echoed[0, 0]
    assert found.excluded[0, 0]


def test_saying_one_thing_three_times_earns_less_than_once() -> None:
    thrice = reward("linen jacket", "linen jacket", "jackets of linen")
    once = reward("linen jacket")
    assert thrice.repeated.tolist() == [[False, True, True]]
    assert thrice.total[0] == once.total[0]
    assert once.total[0] == pytest.approx((HALF + 0.5 - 2) / 3)
    assert thrice.total[0] < reward("linen jacket", "wool jacket", "cotton jacket").total[0]


def test_a_candidate_that_means_the_same_is_a_repeat_whatever_its_words() -> None:
    found = reward("linen jacket", "linen jacket comfortable stylish", "wool jacket")
    assert found.repeated.tolist() == [[False, True, False]]


def test_blank_candidates_are_missing_ones() -> None:
    found = reward(" ", "linen jacket", "")
    assert found.format[0] == pytest.approx(-2 / 3)
    assert found.accepted.tolist() == [[False, True, False]]


def test_an_output_that_says_nothing_earns_the_least_of_the_format() -> None:
    assert reward().total.tolist() == [-1.0]


def test_what_is_said_beyond_the_places_is_not_read() -> None:
    said = ["linen jacket", "wool jacket", "cotton jacket"]
    assert reward(*said, "leather jacket", "x").total[0] == reward(*said).total[0]


def test_a_candidate_below_the_gate_of_its_type_does_not_count() -> None:
    # cos(jacket, eight words with jacket) = 1/sqrt(8) = .354, below .4
    far = "waxed field lined linen wool cotton steel jacket"
    found = reward(far, "linen jacket", "wool jacket")
    assert found.accepted.tolist() == [[False, True, True]]
    low = make()
    low.gates = {"negative": 0.3}
    assert reward(far, "linen jacket", "wool jacket", rewarder=low).accepted[0, 0]


def test_the_bare_topic_of_a_negation_does_not_count_however_near() -> None:
    assert reward("jacket").accepted.tolist() == [[False, False, False]]


def test_the_name_of_a_reference_does_not_count() -> None:
    asked = Structure("alternative", ("kettle",), reference=Reference("dovane", brand="dovane"))
    rewarder = make()
    rewarder.gates = {"alternative": 0.4}
    found = rewarder.score(
        [TypedQuery("a1", "cheaper than dovane kettle", asked)],
        [["dovane glass kettle", "steel kettle"]],
    )
    assert found.accepted.tolist() == [[False, True, False]]


def test_another_kind_of_the_catalogue_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "products.jsonl"
    path.write_text(
        "".join(
            json.dumps({"product_id": f"p{at}", "title": title, "kind": title.split()[1]}) + "\n"
            for at, title in enumerate(TITLES)
        )
    )
    with duckdb.connect() as connection:
        _, graph = CatalogueFiles(path).open(connection)
    accepted = []
    for rewarder in (make(graph=graph), make()):
        rewarder.gates = {"negative": 0.0}  # so that the rule alone decides
        accepted.append(reward("oak table", "wool jacket", rewarder=rewarder).accepted.tolist())
    assert accepted == [[[False, True, False]], [[True, True, False]]]


GOOD = ("waxed cotton field jacket", "waxed cotton lined jacket", "cotton field lined jacket")
IRRELEVANT = ("steel kettle", "oak table", "glass lamp")


def test_only_the_gate_keeps_irrelevant_candidates_that_differ_from_earning_more() -> None:
    # They are titles word by word and share none, so that alignment and diversity are 1. The good
    # ones have a relevance of 1/2, half the words of a title (2 / (2 · sqrt 2)), and each pair of
    # them three words of four in common.
    open_gate = make(RewardSettings(nearest=1, gated=False))
    good, irrelevant = (reward(*said, rewarder=open_gate) for said in (GOOD, IRRELEVANT))
    assert good.total[0] == pytest.approx(0.5 + HALF + 0.5 * 0.25)
    assert irrelevant.total[0] == pytest.approx(0 + 1 + 0.5)
    assert irrelevant.total[0] > good.total[0]
    # What passes is told without the gate too: that is how the hack is seen.
    assert good.accepted.all()
    assert not irrelevant.accepted.any()
    gated = make()
    assert reward(*GOOD, rewarder=gated).total[0] == pytest.approx(good.total[0])
    assert reward(*IRRELEVANT, rewarder=gated).total[0] == 0.0


def test_one_good_candidate_does_not_carry_irrelevant_ones_through_the_gate() -> None:
    found = reward("waxed cotton field jacket", "steel kettle", "oak table")
    assert found.total[0] == pytest.approx((0.5 + HALF) / 3)


def test_a_batch_is_rewarded_as_its_outputs_are_alone() -> None:
    rewarder = make()
    outputs = [["linen jacket", "wool jacket"], ["steel kettle"], [], ["leather jacket"] * 3]
    queries = [NEGATIVE, GENERAL, GENERAL, NEGATIVE]
    together = rewarder.score(queries, outputs)
    alone = [make().score([query], [said]) for query, said in zip(queries, outputs, strict=True)]
    for name, values in together.columns().items():
        assert values.tolist() == [each.columns()[name][0] for each in alone], name


def test_every_text_is_encoded_once_and_by_itself() -> None:
    encoder = Words()
    rewarder = make(encoder=encoder)
    for _ in range(3):
        rewarder.score([NEGATIVE, GENERAL], [["linen jacket", "wool jacket"], ["linen jacket"]])
    assert sorted(encoder.asked) == [["jacket"], ["kettle"], ["linen jacket"], ["wool jacket"]]


def test_no_outputs_earn_nothing() -> None:
    found = make().score([], [])
    assert found.total.shape == (0,)
    assert found.accepted.shape == (0, 3)
    assert found.means_by_type([]) == {}


def test_a_type_without_a_gate_is_named() -> None:
    rewarder = make()
    rewarder.gates = {"general": 0.4}
    with pytest.raises(SettingsError, match="no gate for negative queries; it has gates for gene"):
        reward("linen jacket", rewarder=rewarder)


def test_every_component_is_told_by_type() -> None:
    found = make().score(
        [GENERAL, NEGATIVE, NEGATIVE], [["steel kettle"], ["linen jacket"], ["leather jacket"]]
    )
    types = ["general", "negative", "negative"]
    means = found.means_by_type(types)
    assert list(means) == ["negative", "general"]
    assert tuple(means["negative"]) == COMPONENTS
    assert means["negative"]["constraint"] == pytest.approx(-1 / 6)
    assert means["negative"]["accepted"] == pytest.approx(1 / 6)
    assert means["general"]["constraint"] == 0.0
    figures = found.figures(types)
    assert figures["constraint"] == pytest.approx(-1 / 9)
    assert figures["constraint/negative"] == means["negative"]["constraint"]
    assert len(figures) == 3 * len(COMPONENTS)
    rows = found.rows(types)
    assert [row["query_type"] for row in rows] == types
    assert rows[2]["excluded"] == pytest.approx(1 / 3)


def test_a_gate_is_the_cosine_that_the_share_of_a_types_good_rewrites_reaches() -> None:
    # sixteen of 1/sqrt(2) and four of 1/sqrt(3) for one type; 1/sqrt(2) alone for the other
    texts = [["linen jacket"] * 16 + ["waxed linen jacket"] * 4, ["steel kettle"] * 20]
    gates = calibrate_gates(Words(), [NEGATIVE, GENERAL], texts, keep=0.8)
    assert gates == {"negative": 0.7071, "general": 0.7071}
    assert calibrate_gates(Words(), [NEGATIVE, GENERAL], texts, keep=0.85)["negative"] == 0.5773
    # those at the gate pass it
    rewarder = make()
    rewarder.gates = gates
    assert reward("linen jacket", rewarder=rewarder).accepted[0, 0]
    assert not reward("waxed linen jacket", rewarder=rewarder).accepted[0, 0]


def test_a_type_with_few_good_rewrites_takes_the_gate_of_all() -> None:
    texts = [["linen jacket"] * 99, ["steel oak kettle"]]
    gates = calibrate_gates(Words(), [NEGATIVE, GENERAL], texts, keep=0.8)
    assert gates == {"negative": 0.7071, "general": 0.7071}


def test_gates_are_of_rewrites_as_a_policy_is_taught_them() -> None:
    as_said = calibrate_gates(Words(), [GENERAL], [["steel kettle", "kettle glass"]])
    assert calibrate_gates(Words(), [GENERAL], [["Steel; KETTLE", "kettle | Glass"]]) == as_said


def test_gates_need_rewrites() -> None:
    with pytest.raises(SettingsError, match="no accepted rewrites"):
        calibrate_gates(Words(), [NEGATIVE], [[]])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"relevance": -1.0}, "weight of relevance is -1.0"),
        ({"diversity": float("nan")}, "weight of diversity"),
        ({"nearest": 0}, "nearest is 0"),
        ({"repeat": 0.0}, "repeat is 0.0"),
        ({"keep": 1.5}, "keep is 1.5"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        RewardSettings(**wrong)  # type: ignore[arg-type]
