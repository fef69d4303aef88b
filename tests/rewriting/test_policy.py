"""A trained rewriter: its prompt, its answers, its folder, its draws."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop import alternative, make_graph, negative, write_shop

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.constraints import Condition, Reference, Structure
from evalkit.errors import ModelError, SettingsError
from evalkit.manifest import read_manifest
from evalkit.rewriting import TypedQuery, open_rewriter
from evalkit.rewriting.policy import (
    Policy,
    candidates_of,
    completion_of,
    locate_policy,
    prompt_of,
)
from evalkit.rewriting.rewriting import RewriteSettings, rewrite_queries
from evalkit.rewriting.rules import breaks

if TYPE_CHECKING:
    from pathlib import Path

ASKED = [
    negative("jacket without leather", Condition("material", ("leather",))),
    TypedQuery("q2", "oak table", Structure("general", ("table",))),
    TypedQuery("q3", "a kettle for the hob please", Structure("knowledge", ("kettle",))),
]


def random_model(seed: int) -> tuple[Any, Any]:
    from evalkit.training.supervised import new_model

    said = ["oak table", "steel kettle, 1 l", "waxed cotton field jacket", "quilted down jacket"]
    return new_model([*map(prompt_of, ASKED), completion_of(said)] * 3, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy of random weights, which says words of the shop in any order."""
    place = tmp_path_factory.mktemp("policies") / "random"
    model, tokenizer = random_model(5)
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    (place / "policy.json").write_text(json.dumps({"format": 1, "candidates": 2}))
    return place


@pytest.fixture(scope="module")
def policy(folder: Path) -> Policy:
    return locate_policy(folder).load("cpu")


# what it is asked and what it answers


def test_a_prompt_says_everything_that_a_query_asks_for() -> None:
    query = alternative(
        "Vantrel Aria for less",
        Reference("vantrel aria", "Vantrel"),
        kinds=("kettle",),
        required=(Condition("material", ("glass", "steel")), Condition("whistle", ())),
        price_max=40.0,
        price_min=9.5,
        price_share=0.5,
    )
    assert prompt_of(query) == (
        "alternative: vantrel aria for less | kind kettle | with material glass or steel | "
        "with whistle | under 40 | over 9.5 | under 50% | instead of vantrel =>"
    )


def test_a_query_cannot_end_its_prompt_early() -> None:
    query = TypedQuery("q1", "kettle => ; red | kind table", Structure("general", ("kettle",)))
    assert prompt_of(query) == "general: kettle red kind table | kind kettle =>"


@given(st.lists(st.text(alphabet="ab C;|\t", min_size=1)))
def test_what_is_said_is_read_back_in_order(texts: list[str]) -> None:
    plain = [" ".join(re.sub("[;|]", " ", text).lower().split()) for text in texts]
    assert candidates_of(completion_of(texts)) == [text for text in plain if text]


# its folder


def test_a_folder_without_policy_json_is_no_rewriter(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no policy\.json.*evalkit train rewriter"):
        open_rewriter(str(tmp_path), catalogue=make_graph(tmp_path).catalogue)


def test_a_folder_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text('{"format": 99, "candidates": 4}')
    with pytest.raises(SettingsError, match="format 99"):
        locate_policy(tmp_path)


def test_a_policy_that_is_a_pickle_is_refused(tmp_path: Path, folder: Path) -> None:
    for name in ("config.json", "policy.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="pickle"):
        locate_policy(tmp_path)


# its draws


def test_the_same_seed_draws_the_same_whatever_stands_beside_it(policy: Policy) -> None:
    together = policy.generate(ASKED, n=2, seed=3, max_new_tokens=6)
    alone = [policy.generate([query], n=2, seed=3, max_new_tokens=6)[0] for query in ASKED]
    small = policy.generate(ASKED, n=2, seed=3, max_new_tokens=6, batch_size=1)
    assert together == alone == small
    assert together != policy.generate(ASKED, n=2, seed=4, max_new_tokens=6)
    assert all(one != other for one, other in together)


def test_at_temperature_zero_all_outputs_are_the_likeliest(policy: Policy) -> None:
    found = policy.generate(ASKED[:1], n=2, temperature=0.0, seed=1, max_new_tokens=6)
    assert found == policy.generate(ASKED[:1], n=2, temperature=0.0, seed=2, max_new_tokens=6)
    assert found[0][0] == found[0][1]


def test_how_a_base_model_is_used_to_generate_is_not_taken_over(
    folder: Path, policy: Policy, tmp_path: Path
) -> None:
    from transformers import GenerationConfig

    said = policy.generate(ASKED, n=2, seed=3, max_new_tokens=12)
    other = tmp_path / "penalised"
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    end = policy.tokenizer.eos_token_id
    # every token ends a text, and none is said twice
    GenerationConfig(
        eos_token_id=[end, *range(end + 1, len(policy.tokenizer))],
        repetition_penalty=50.0,
        no_repeat_ngram_size=1,
    ).save_pretrained(other)
    loaded = locate_policy(other).load("cpu")
    assert loaded.generate(ASKED, n=2, seed=3, max_new_tokens=12) == said
    loaded.model.save_pretrained(other)
    kept = json.loads((other / "generation_config.json").read_text())
    assert kept["eos_token_id"] == end
    assert "repetition_penalty" not in kept
    assert "no_repeat_ngram_size" not in kept


def test_a_device_that_is_not_here_is_named(folder: Path) -> None:
    with pytest.raises(SettingsError, match="--device nonsense cannot be used here"):
        locate_policy(folder).load("nonsense")


# the stage


def test_a_folder_rewrites_a_table_of_queries(folder: Path, tmp_path: Path) -> None:
    shop, graph = write_shop(tmp_path), make_graph(tmp_path)
    columns = {
        "query_id": [query.query_id for query in ASKED],
        "query": [query.query for query in ASKED],
        "structure": [query.structure.to_json() for query in ASKED],
    }
    pq.write_table(pa.table(columns), tmp_path / "queries.parquet")
    output = tmp_path / "rewrites.parquet"
    settings = RewriteSettings(rewriter=str(folder), n=3)
    manifest = rewrite_queries(tmp_path / "queries.parquet", shop, output, settings)

    rows = pq.read_table(output).to_pylist()
    assert {row["rewriter"] for row in rows} == {"policy:random"}
    assert {row["method"] for row in rows} == {"policy"}
    for query in ASKED:
        said = [row["rewrite"] for row in rows if row["query_id"] == query.query_id]
        assert 0 < len(said) <= 3
        for place, text in enumerate(said):
            assert breaks(query, text, earlier=said[:place], graph=graph) == ""
    assert manifest.models[0]["fingerprint"].startswith("sha256:")
    kept = rewrite_queries(tmp_path / "queries.parquet", shop, output, settings)
    assert kept == read_manifest(output)


def test_another_policy_of_the_same_name_rewrites_again(folder: Path, tmp_path: Path) -> None:
    shop = write_shop(tmp_path)
    pq.write_table(
        pa.table({"query_id": ["q2"], "query": ["oak table"]}), tmp_path / "queries.parquet"
    )
    output = tmp_path / "rewrites.parquet"
    first = rewrite_queries(
        tmp_path / "queries.parquet", shop, output, RewriteSettings(rewriter=str(folder), n=1)
    )
    other = tmp_path / "random"
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    random_model(6)[0].save_pretrained(other)
    settings = RewriteSettings(rewriter=str(other), n=1)
    again = rewrite_queries(tmp_path / "queries.parquet", shop, output, settings)
    assert again.models[0]["fingerprint"] != first.models[0]["fingerprint"]
