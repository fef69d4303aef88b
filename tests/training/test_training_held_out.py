"""Queries that are kept apart, and what is said of them by those that did not see them."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.errors import SettingsError
from evalkit.training.examples import Examples
from evalkit.training.held_out import cross_fit, split_groups


def test_whole_queries_are_held_out() -> None:
    groups = [f"q{number % 20}" for number in range(200)]
    kept, out = split_groups(groups, 0.25, seed=3)
    assert len(out) == 50
    assert not {groups[place] for place in kept} & {groups[place] for place in out}
    assert sorted([*kept, *out]) == list(range(200))
    assert split_groups(groups, 0.25, seed=4)[1].tolist() != out.tolist()
    with pytest.raises(SettingsError, match="one query"):
        split_groups(["q"] * 9, 0.25, seed=0)


def test_a_pair_is_calibrated_by_other_queries_only() -> None:
    # one query's labels contradict its scores; its own probabilities must not know it
    rng = np.random.default_rng(0)
    logits = np.column_stack([np.zeros(60), rng.normal(size=60) * 3])
    label = (logits[:, 1] > 0).astype(np.int64)
    groups = tuple(f"q{number // 10}" for number in range(60))
    texts = ("x",) * 60
    plain = Examples(groups, texts, texts, label, (0.0, 1.0), 1.0)
    turned = label.copy()
    turned[:10] = 1 - turned[:10]
    other = Examples(groups, texts, texts, turned, (0.0, 1.0), 1.0)
    one, two = (cross_fit(logits, each, "temperature", 0) for each in (plain, other))
    assert one[:10] == pytest.approx(two[:10])
    assert not np.allclose(one[10:], two[10:])
