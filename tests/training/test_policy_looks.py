"""How far a policy has moved, and the few queries that are looked at on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from evalkit.constraints import Structure, TypedQuery
from evalkit.rewriting.policy import Policy, prompt_of
from evalkit.training.divergence import Divergence
from evalkit.training.policy_looks import a_few
from evalkit.training.supervised import new_model

QUERIES = [
    TypedQuery("a", "steel kettle", Structure("general", ("kettle",))),
    TypedQuery("b", "a linen jacket for summer", Structure("general", ("jacket",))),
]
SAID = [" steel kettle ; glass kettle", " linen jacket"]


def policy(seed: int) -> Policy:
    texts = [prompt_of(query) + said for query, said in zip(QUERIES, SAID, strict=True)]
    model, tokenizer = new_model(texts, seed=seed)
    return Policy(model.eval(), tokenizer, 2)


def by_hand(model: Any, asked: list[int], said: list[int]) -> float:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([asked + said])).logits[0].double()
    table = logits.log_softmax(-1)
    return sum(float(table[len(asked) - 1 + at, token]) for at, token in enumerate(said))


def test_a_divergence_is_the_log_ratio_of_what_was_said() -> None:
    now, then = policy(1), policy(2)
    nats, tokens = Divergence(now, replace(now, model=then.model)).of(QUERIES, SAID)
    end = now.tokenizer.eos_token_id
    for place, (query, text) in enumerate(zip(QUERIES, SAID, strict=True)):
        asked = now.tokenizer(prompt_of(query))["input_ids"]
        said = [*now.tokenizer(text, add_special_tokens=False)["input_ids"], end]
        wanted = by_hand(now.model, asked, said) - by_hand(then.model, asked, said)
        assert nats[place] == pytest.approx(wanted, abs=1e-4)
        assert tokens[place] == len(said)
    assert np.abs(nats).min() > 1e-3


def test_nothing_has_moved_from_itself() -> None:
    one = policy(1)
    nats, tokens = Divergence(one, one).of(QUERIES, SAID)
    assert nats.tolist() == [0.0, 0.0]
    assert (tokens > 1).all()


def test_the_same_few_queries_are_looked_at_each_time() -> None:
    many = [TypedQuery(f"q{number}", "lamp", Structure("general")) for number in range(200)]
    chosen = a_few(many, seed=3)
    assert len(chosen) == 48
    assert chosen == a_few(many, seed=3) != a_few(many, seed=4)
    places = [many.index(query) for query in chosen]
    assert places == sorted(set(places))
    assert a_few(many[:5], seed=3) == many[:5]
