"""Parts of the reward on vectors of two dimensions, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evalkit.training import rewards

X, Y = [1.0, 0.0], [0.0, 1.0]
NEAR = [0.8, 0.6]  # cosine .8 with X, .6 with Y
SAME = [0.96, 0.28]  # cosine .96 with X, .936 with NEAR
YES = np.array([[True, True, True]])


def each(*candidates: list[float]) -> np.ndarray:
    return np.array([candidates])


def marks(*values: int) -> np.ndarray:
    return np.array([values], dtype=bool)


def test_relevance_is_the_mean_cosine_over_all_places() -> None:
    query = np.array([X])
    assert rewards.query_semantic_relevance(query, each(X, NEAR, Y), YES)[0] == pytest.approx(0.6)


def test_a_candidate_that_is_not_accepted_costs_its_share() -> None:
    # (1 + .8) / 3 would be .6; without the first one .8 / 3, not .8 / 2
    found = rewards.query_semantic_relevance(np.array([X]), each(X, NEAR, Y), marks(0, 1, 1))
    assert found[0] == pytest.approx(0.8 / 3)


def test_the_opposite_of_a_query_is_worth_nothing_and_costs_nothing() -> None:
    found = rewards.query_semantic_relevance(np.array([X]), each(X, [-1.0, 0.0]), marks(1, 1))
    assert found[0] == pytest.approx(0.5)


def test_each_output_is_rewarded_by_its_own_query() -> None:
    queries = np.array([X, Y])
    candidates = np.array([[X, X], [X, Y]])
    found = rewards.query_semantic_relevance(queries, candidates, np.ones((2, 2), dtype=bool))
    assert found.tolist() == [1.0, 0.5]


def test_alignment_is_with_the_nearest_products_only() -> None:
    products = np.array([X, NEAR, Y, [-1.0, 0.0]])
    nearest = rewards.nearest_products(np.array([X, Y]), products, k=2)
    assert nearest.tolist() == [0.9, 0.8]  # (1 + .8) / 2 and (1 + .6) / 2
    found = rewards.product_alignment(np.array([nearest]), marks(1, 0))
    assert found[0] == pytest.approx(0.45)


def test_a_catalogue_smaller_than_k_is_averaged_whole() -> None:
    assert rewards.nearest_products(np.array([X]), np.array([X, Y]), k=5).tolist() == [0.5]


def test_a_candidate_far_from_all_products_has_no_negative_alignment() -> None:
    assert rewards.nearest_products(np.array([[-1.0, 0.0]]), np.array([X]), k=1).tolist() == [0.0]


def test_nearest_products_of_several_blocks_are_those_of_one_sorted_list() -> None:
    rng = np.random.default_rng(3)
    products = rng.normal(size=(9000, 8))
    products /= np.linalg.norm(products, axis=1, keepdims=True)
    candidates = products[[5, 4100, 8999]]
    plain = [sorted((float(p @ c) for p in products), reverse=True)[:5] for c in candidates]
    expected = [sum(best) / 5 for best in plain]
    found = rewards.nearest_products(candidates, products.astype(np.float32), k=5)
    assert found == pytest.approx(expected, abs=2e-6)


def test_the_alignment_of_a_candidate_does_not_depend_on_those_beside_it() -> None:
    rng = np.random.default_rng(4)
    products = rng.normal(size=(500, 384)).astype(np.float32)
    products /= np.linalg.norm(products, axis=1, keepdims=True)
    together = rewards.nearest_products(products[:61], products)
    alone = [rewards.nearest_products(products[[at]], products)[0] for at in range(61)]
    assert together.tolist() == alone


def test_without_products_there_is_no_alignment_to_speak_of() -> None:
    with pytest.raises(ValueError, match="at least one product"):
        rewards.nearest_products(np.array([X]), np.zeros((0, 2)))


def test_diversity_of_two_is_one_minus_their_cosine_times_their_share() -> None:
    assert rewards.diversity(each(X, NEAR), marks(1, 1))[0] == pytest.approx(0.2)
    assert rewards.diversity(each(X, NEAR, Y), marks(1, 1, 0))[0] == pytest.approx(0.2 * 2 / 3)


def test_diversity_of_three_is_of_their_three_pairs() -> None:
    # cosines .8, 0, .6: 1 - 1.4 / 3
    assert rewards.diversity(each(X, NEAR, Y), YES)[0] == pytest.approx(1 - 1.4 / 3)


def test_one_candidate_has_no_diversity() -> None:
    assert rewards.diversity(each(X, Y), marks(0, 1)).tolist() == [0.0]


def test_opposites_are_no_more_diverse_than_strangers() -> None:
    assert rewards.diversity(each(X, [-1.0, 0.0]), marks(1, 1)).tolist() == [1.0]


def test_a_repeat_does_not_count_as_a_candidate_of_its_own() -> None:
    # SAME repeats X: what is left is X and Y, two of three places
    found = rewards.diversity(each(X, SAME, Y), YES)
    assert found[0] == pytest.approx(2 / 3)
    assert rewards.diversity(each(X, SAME, Y), YES, repeat=0.97)[0] == pytest.approx(
        1 - (0.96 + 0 + 0.28) / 3
    )


def test_the_later_one_of_two_alike_is_the_repeat() -> None:
    assert rewards.repeats(each(X, Y, SAME), YES).tolist() == [[False, False, True]]
    assert rewards.repeats(each(SAME, X, Y), YES).tolist() == [[False, True, False]]


def test_what_was_not_said_is_not_repeated() -> None:
    assert not rewards.repeats(each(X, SAME, Y), marks(0, 1, 1)).any()


def test_an_unaccepted_candidate_does_not_make_an_accepted_one_a_repeat() -> None:
    assert rewards.diversity(each(X, SAME, Y), marks(0, 1, 1))[0] == pytest.approx(0.72 * 2 / 3)


def test_a_place_costs_once_however_many_faults_it_has() -> None:
    said, repeated, echoed = marks(1, 1, 0, 1), marks(0, 1, 0, 0), marks(0, 1, 0, 0)
    assert rewards.format_penalty(said, repeated, echoed).tolist() == [-0.5]


def test_nothing_said_is_the_worst_format_and_all_right_the_best() -> None:
    no = marks(0, 0)
    assert rewards.format_penalty(no, no, no).tolist() == [-1.0]
    best = rewards.format_penalty(marks(1, 1), no, no)
    assert best.tolist() == [0.0]
    assert not np.signbit(best).any()  # a log would show -0


def test_every_excluded_thing_stated_costs_its_share() -> None:
    assert rewards.constraint_penalty(marks(1, 0, 1, 0)).tolist() == [-0.5]


@pytest.mark.parametrize(
    ("keep", "gate"), [(0.8, 0.3), (0.81, 0.2), (1.0, 0.1), (0.1, 1.0), (0.05, 1.0)]
)
def test_a_gate_lets_pass_the_share_of_the_known_good_and_no_more(keep: float, gate: float) -> None:
    known_good = np.random.default_rng(0).permutation(np.arange(1, 11) / 10)
    assert rewards.calibrated_gate(known_good, keep) == gate
    assert (known_good >= gate).mean() >= keep


def test_a_gate_needs_something_to_be_calibrated_with() -> None:
    with pytest.raises(ValueError, match="known-good"):
        rewards.calibrated_gate(np.zeros(0))


VECTORS = arrays(np.float64, (3, 4, 5), elements=st.floats(-1, 1)).map(
    lambda each: (
        np.where(np.abs(each).max(axis=2, keepdims=True) < 0.01, 1.0, each)
        / np.linalg.norm(
            np.where(np.abs(each).max(axis=2, keepdims=True) < 0.01, 1.0, each),
            axis=2,
            keepdims=True,
        )
    )
)
MARKS = arrays(np.bool_, (3, 4))


@given(VECTORS, MARKS, MARKS)
def test_every_part_keeps_its_range(
    vectors: np.ndarray, accepted: np.ndarray, other: np.ndarray
) -> None:
    nearest = rewards.nearest_products(vectors.reshape(12, 5), vectors[0]).reshape(3, 4)
    positive = (
        rewards.query_semantic_relevance(vectors[:, 0], vectors, accepted),
        rewards.product_alignment(nearest, accepted),
        rewards.diversity(vectors, accepted),
    )
    for part in positive:
        assert part.dtype == np.float64
        assert ((part >= 0) & (part <= accepted.mean(axis=1) + 1e-9)).all()
    for part in (
        rewards.format_penalty(accepted, other, other),
        rewards.constraint_penalty(other),
    ):
        assert ((part >= -1) & (part <= 0)).all()


@given(VECTORS, MARKS)
def test_outputs_are_rewarded_alike_in_any_order(vectors: np.ndarray, accepted: np.ndarray) -> None:
    back = slice(None, None, -1)
    found = rewards.diversity(vectors, accepted)
    assert rewards.diversity(vectors[back], accepted[back]) == pytest.approx(found[back])
