"""Training a rewriter: what is learnt, what is held out, what the folder holds, going on."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_shop import write_policy_shop
from small_bert import save_small_bert

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.constraints import Condition, Structure, TypedQuery
from evalkit.constraints.families import families, join_families, split_families
from evalkit.engines import open_engine
from evalkit.errors import InputError, ModelError, SettingsError
from evalkit.interruption import ask_to_stop, noting_ctrl_c
from evalkit.knowledge import CatalogueFiles
from evalkit.manifest import read_manifest
from evalkit.rewriting.rewriting import RewriteSettings, rewrite_queries
from evalkit.training.policy import train_policy
from evalkit.training.policy_examples import divide, read_policy_examples, title_examples
from evalkit.training.policy_settings import PolicySettings
from evalkit.training.supervised import new_model, spread

if TYPE_CHECKING:
    from pathlib import Path

QUICK = PolicySettings(sft_epochs=2, steps=2, prompts=4, samples=2, checkpoint_every=1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_policy_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_small_bert(tmp_path_factory.mktemp("models") / "encoder"))


def of(family: str, number: int = 0) -> TypedQuery:
    return TypedQuery(f"q{number}", "x", Structure("general"), family)


# the two sides


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=2), min_size=1))
def test_no_family_is_on_both_sides(names: list[list[str]]) -> None:
    queries = [of(join_families(some), number) for number, some in enumerate(names)]
    inside, out = divide(queries, 0.4, seed=0)

    def named(side: list[TypedQuery]) -> set[str]:
        return {name for query in side for name in split_families(query.family)}

    assert not named(inside) & named(out)


def test_a_family_falls_on_the_same_side_whatever_else_is_there() -> None:
    alone = {name: divide([of(name)], 0.4, seed=1) for name in "abcdefgh"}
    inside, out = divide([of(name) for name in "abcdefgh"], 0.4, seed=1)
    assert {query.family for query in inside} == {name for name in alone if alone[name][0]}
    assert {query.family for query in out} == {name for name in alone if alone[name][1]}
    assert inside
    assert out


def test_a_query_whose_families_fall_apart_is_on_neither_side() -> None:
    inside, out = divide([of(name) for name in "abcdefgh"], 0.4, seed=1)
    torn = of(join_families([inside[0].family, out[0].family]))
    assert divide([torn], 0.4, seed=1) == ([], [])


@pytest.mark.parametrize("material", ["leather", "wool", "silk", "nylon", "fur", "hemp"])
def test_all_ways_to_say_the_same_are_on_one_side_where_no_family_is_stated(material: str) -> None:
    wanted = Structure("negative", ("jacket",), excluded=(Condition("material", (material,)),))
    ways = ("{} without {}", "{} but no {}", "no {1} {0}", "{} not of {}", "{} free of {}")
    queries = [
        TypedQuery(f"q{number}", way.format("jacket", material), wanted)
        for number, way in enumerate(ways)
    ]
    assert sorted(map(len, divide(queries, 0.4, seed=0))) == [0, len(ways)]
    stated = replace(queries[0], family=families(wanted)[0])
    assert len(divide([stated, *queries], 0.4, seed=0)[0]) in (0, len(ways) + 1)


def test_of_queries_of_which_nothing_is_known_each_stands_for_itself() -> None:
    queries = [TypedQuery(f"q{n}", f"words {n}", Structure("general")) for n in range(40)]
    inside, out = divide(queries, 0.4, seed=0)
    assert len(inside) + len(out) == 40
    assert 8 < len(out) < 24


# titles


def test_titles_are_taught_by_kind_and_by_what_their_products_state(shop: dict[str, Path]) -> None:
    with open_engine("600MB") as connection:
        known = CatalogueFiles(shop["products"], None, None, {}).open(connection)
    found = title_examples(*known, candidates=3, passes=2, seed=0)
    assert len(found) == 2 * 48
    assert len(dict(found)) > 20
    form = re.compile(r"title: (\w+) (\w+) \| kind \2 \| with (?:material|colour) \1 =>")
    for prompt, answer in found:
        words = form.fullmatch(prompt)
        assert words, prompt
        texts = [text.split() for text in answer.split(" ; ")]
        assert 1 <= len(texts) <= 3
        assert all(words[1] in text and words[2] in text for text in texts), (prompt, answer)


# what is learnt


def test_every_pass_says_each_query_once_with_rewrites_that_differ() -> None:
    examples = spread(["a =>", "b =>"], [["x", "y", "z"], ["u"]], 2, 5, seed=3)
    assert [prompt for prompt, _ in examples] == ["a =>", "b =>"] * 5
    assert {said for prompt, said in examples if prompt == "b =>"} == {" u"}
    said = [said.split(" ; ") for prompt, said in examples if prompt == "a =>"]
    assert all(len({text.strip() for text in texts}) == 2 for texts in said)
    assert len({tuple(texts) for texts in said}) > 1


def test_what_was_refused_is_not_learnt(shop: dict[str, Path], tmp_path: Path) -> None:
    table = pq.read_table(shop["rewrites"])
    refused = table.set_column(3, "accepted", pa.array([False] * table.num_rows))
    pq.write_table(refused, tmp_path / "refused.parquet")
    with pytest.raises(InputError, match="no accepted rewrite"):
        train_policy(
            tmp_path / "out", shop["queries"], tmp_path / "refused.parquet", shop["products"]
        )
    assert not (tmp_path / "out").exists()
    asked = (shop["queries"], shop["rewrites"])
    with open_engine("600MB") as connection:
        known = CatalogueFiles(shop["products"], None, None, {}).open(connection)
        found = read_policy_examples(connection, known, *asked, held_out=0.2, seed=0, reading={})
    first = pq.read_table(shop["queries"]).column("query_id")[0].as_py()
    assert len(found.rewrites[first]) == 4
    assert "leather kettle" not in found.rewrites[first]  # the table has it, refused


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"beta": float("nan")}, "--beta"),
        ({"rows_per_pass": 0}, "--rows-per-pass"),
        ({"samples": 1}, "--samples"),
        ({"held_out": 0.0}, "--held-out"),
        ({"steps": -1}, "--steps"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, int], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        PolicySettings(**wrong)  # type: ignore[arg-type]


def test_a_folder_of_somebody_else_is_not_taken_for_checkpoints(
    shop: dict[str, Path], encoder: str, tmp_path: Path
) -> None:
    (tmp_path / "out.checkpoints").mkdir()
    (tmp_path / "out.checkpoints" / "mine.txt").write_text("keep")
    with pytest.raises(SettingsError, match=r"out\.checkpoints"):
        train_policy(
            tmp_path / "out", shop["queries"], shop["rewrites"], shop["products"], encoder=encoder
        )
    assert (tmp_path / "out.checkpoints" / "mine.txt").read_text() == "keep"


# the stage


def interrupt_when(path: Path) -> threading.Thread:
    """Ask as Ctrl-C does as soon as a file is there."""

    def wait() -> None:
        until = time.monotonic() + 120
        while not path.is_file() and time.monotonic() < until:
            time.sleep(0.005)
        ask_to_stop()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_training_makes_a_folder_that_rewrites_and_goes_on_after_ctrl_c(
    shop: dict[str, Path], encoder: str, tmp_path: Path
) -> None:
    files = (shop["queries"], shop["rewrites"], shop["products"])
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    manifest = train_policy(whole, *files, encoder=encoder, settings=QUICK)

    assert {item.role for item in manifest.inputs} == {"queries", "rewrites", "products"}
    assert [model["role"] for model in manifest.models] == ["base", "encoder"]
    assert manifest.seeds == {"training": 0}
    assert not (tmp_path / "whole.checkpoints").exists()
    assert not list(whole.glob("*.bin"))
    assert list((whole / "tensorboard").glob("events.*"))
    document = json.loads((whole / "policy.json").read_text())
    assert (document["format"], document["candidates"]) == (1, 4)
    assert set(document["before"]) == {"negative", "general", "all"}
    assert document["before"]["all"]["kl"] == 0.0 != document["after"]["all"]["kl"]
    assert document["errors"]["all"]["reward"] > 0
    rows = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    steps = [row for row in rows if row["stage"] == "reinforce"]
    assert [row["step"] for row in steps] == [1, 2]
    assert {"reward", "relevance", "kl", "length", "relevance/negative"} <= set(steps[0])
    assert 0 <= steps[-1]["held_out_accepted"] <= 1

    kept = tmp_path / "stopped.checkpoints"
    for stop in (
        "supervised.steps/checkpoint-3",
        "reinforce/checkpoint-1",
        "reinforce/checkpoint-2",
    ):
        pressed = interrupt_when(kept / stop / "trainer_state.json")
        with noting_ctrl_c(), pytest.raises(KeyboardInterrupt):
            train_policy(stopped, *files, encoder=encoder, settings=QUICK)
        pressed.join()
        assert not stopped.exists()
        assert (kept / "supervised").is_dir() == stop.startswith("reinforce")
    assert not (kept / "after.json").exists()
    so_far = [json.loads(line) for line in (kept / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in so_far if row["stage"] == "reinforce"] == [1, 2]
    train_policy(stopped, *files, encoder=encoder, settings=QUICK)
    log = [json.loads(line) for line in (stopped / "log.jsonl").read_text().splitlines()]
    assert [row for row in log if row["stage"] == "supervised"] == rows[: -len(steps)]
    for name in ("model.safetensors", "tokenizer.json", "config.json", "policy.json"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name
    assert not (tmp_path / "stopped.checkpoints").exists()
    assert train_policy(whole, *files, encoder=encoder, settings=QUICK) == read_manifest(whole)

    rewritten = rewrite_queries(
        shop["queries"],
        shop["products"],
        tmp_path / "rewrites.parquet",
        RewriteSettings(rewriter=str(whole), n=2),
    )
    table = pq.read_table(tmp_path / "rewrites.parquet")
    assert table.num_rows > 0
    assert set(table.column("rewriter").to_pylist()) == {"policy:whole"}
    assert set(table.column("method").to_pylist()) == {"policy"}
    assert rewritten.models[0]["role"] == "rewriter"


def test_an_adapter_is_trained_on_a_base_model_and_worked_into_its_weights(
    shop: dict[str, Path], encoder: str, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    model, tokenizer = new_model(["oak table ; pine table", "jacket without wool =>"], seed=1)
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    manifest = train_policy(
        tmp_path / "out",
        shop["queries"],
        shop["rewrites"],
        shop["products"],
        base=str(tmp_path / "base"),
        encoder=encoder,
        settings=replace(QUICK, lora=2, sft_epochs=1, steps=1),
    )
    before = load_file(tmp_path / "base" / "model.safetensors")
    after = load_file(tmp_path / "out" / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert "model.layers.0.self_attn.q_proj.weight" in changed
    assert "model.embed_tokens.weight" not in changed
    assert manifest.models[0]["source"] == "path"


def test_without_steps_the_rewriter_is_the_warm_start(
    shop: dict[str, Path], encoder: str, tmp_path: Path
) -> None:
    train_policy(
        tmp_path / "out",
        shop["queries"],
        shop["rewrites"],
        shop["products"],
        encoder=encoder,
        settings=replace(QUICK, steps=0, sft_epochs=1),
    )
    document = json.loads((tmp_path / "out" / "policy.json").read_text())
    assert document["before"] == document["after"]
    rows = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert {row["stage"] for row in rows} == {"supervised"}
    assert "held_out_loss" in rows[-1]


def test_what_another_interrupted_training_left_is_kept_and_more_steps_go_on_from_it(
    shop: dict[str, Path], encoder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = (shop["queries"], shop["rewrites"], shop["products"])
    output, kept = tmp_path / "out", tmp_path / "out.checkpoints"
    quick = replace(QUICK, sft_epochs=1)

    def train(**changed: Any) -> None:
        train_policy(output, *files, encoder=encoder, settings=replace(quick, **changed))

    train(steps=0)
    pressed = interrupt_when(kept / "reinforce/checkpoint-1/trainer_state.json")
    with noting_ctrl_c(), pytest.raises(KeyboardInterrupt):
        train()
    pressed.join()
    weights = kept / "supervised" / "model.safetensors"
    warm = weights.stat().st_mtime_ns
    with pytest.raises(SettingsError, match=r"another beta has left; .*--force"):
        train(beta=0.5)
    train(steps=0)  # is up to date
    assert weights.stat().st_mtime_ns == warm
    capsys.readouterr()
    train(steps=3)
    said = capsys.readouterr().err
    assert "Going on with" in said
    assert "Warm start" not in said
    assert not kept.exists()
    rows = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["stage"] == "reinforce"] == [1, 2, 3]


def test_what_cannot_be_trained_is_said_before_the_warm_start(
    shop: dict[str, Path], encoder: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="give a divisor of 8"):
        train_policy(
            tmp_path / "out",
            shop["queries"],
            shop["rewrites"],
            shop["products"],
            encoder=encoder,
            settings=replace(QUICK, rows_per_pass=3),
        )
    (tmp_path / "base").mkdir()
    with pytest.raises(ModelError) as error:
        train_policy(
            tmp_path / "out", shop["queries"], shop["rewrites"], shop["products"],
            base="nobody/nothing", encoder=encoder,
        )  # fmt: skip
    assert "with --base" in str(error.value)
    assert "--model" not in str(error.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "base"]


def test_rewards_raise_what_unseen_families_earn(
    shop: dict[str, Path], encoder: str, tmp_path: Path
) -> None:
    short = PolicySettings(
        candidates=3, held_out=0.3, sft_epochs=4, steps=10, prompts=12, learning_rate=5e-4
    )
    train_policy(
        tmp_path / "out",
        shop["queries"],
        shop["rewrites"],
        shop["products"],
        encoder=encoder,
        settings=short,
    )
    document = json.loads((tmp_path / "out" / "policy.json").read_text())
    before, after = document["before"]["all"], document["after"]["all"]
    assert document["held_out"]["families"] > 10
    assert after["reward"] > before["reward"] + 0.15
    assert after["format"] > before["format"]
    assert after["accepted"] > before["accepted"]
    assert set(document["supervised"]) == {"step", "loss", "held_out_loss"}
