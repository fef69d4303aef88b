"""Training a retriever: the folder, its manifest, going on after Ctrl-C, and what it is worth."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from retriever_shop import write_shop
from small_bert import save_small_bert

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.circularity import circular_warning, judge_models, pairs_behind
from evalkit.errors import SettingsError
from evalkit.interruption import ask_to_stop, noting_ctrl_c
from evalkit.manifest import Input, Manifest, fingerprint, read_manifest
from evalkit.relevance.catalogue_judge import judge_by_catalogue
from evalkit.retrieval import VectorIndexSettings, index_products, open_encoder, retrieve_run
from evalkit.training.loop import last_checkpoint
from evalkit.training.retriever import RetrieverSettings, train_retriever

SAMPLE = Path(__file__).parents[2] / "sample_data" / "products.jsonl"
QUICK = RetrieverSettings(
    epochs=2, batch_size=8, max_length=16, learning_rate=3e-3, evaluations=4, pool=48
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bert(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_shop(tmp_path_factory.mktemp("shop"))


def train(
    out: Path,
    shop: dict[str, Path],
    base: Path,
    settings: RetrieverSettings = QUICK,
    **more: object,
) -> Manifest:
    arguments: dict[str, object] = {"queries": [shop["queries"]], "model": str(base), **more}
    return train_retriever(
        out,
        [shop["pairs"]],
        shop["products"],
        settings=settings,
        **arguments,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shop: dict[str, Path], base: Path) -> Path:
    out = tmp_path_factory.mktemp("trained") / "retriever"
    train(out, shop, base)
    return out


def log_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


def test_the_folder_holds_weights_without_pickles_and_a_log_by_type(folder: Path) -> None:
    names = {item.name for item in folder.rglob("*") if item.is_file()}
    assert {"model.safetensors", "retriever.json", "log.jsonl", "artefact.manifest.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl", ".pth"))]
    assert not Path(f"{folder}.checkpoints").exists()
    rows = log_of(folder)
    asked = [row for row in rows if "dev" in row]
    assert asked[0]["step"] == 0
    assert len(asked) >= 5  # before, and four times
    for row in asked:
        assert set(row["dev"]) == {"general", "negative", "mean"}  # type: ignore[call-overload]
    assert all(row["loss"] > 0 for row in rows if "loss" in row)  # type: ignore[operator]


def test_the_checkpoint_with_the_best_goodrates_is_kept(
    shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    from evalkit.constraints import read_typed_queries
    from evalkit.constraints.checking import Checker
    from evalkit.engines import open_engine
    from evalkit.knowledge import CatalogueFiles
    from evalkit.training.retriever_data import read_pairs
    from evalkit.training.retriever_evaluating import check_products, dev_queries, figures

    # At such a rate more is forgotten than learnt.
    folder = tmp_path / "out"
    train(folder, shop, base, replace(QUICK, learning_rate=0.5, warmup=0.9, evaluations=24))
    document = json.loads((folder / "retriever.json").read_text("utf-8"))
    asked = {row["step"]: row["dev"] for row in log_of(folder) if "dev" in row}
    steers = {
        step: dev["mean"]["item_goodrate"] + dev["mean"]["query_goodrate"]  # type: ignore[index]
        for step, dev in asked.items()
        if step
    }
    best = document["best_step"]
    assert steers[best] == max(steers.values()) > steers[max(steers)]
    # The weights that were written are those of that step.
    with open_engine("600MB", 1) as connection:
        pairs = read_pairs(connection, [shop["pairs"]], shop["products"], pool=48)
        typed = read_typed_queries(shop["queries"], connection, stated=True)
        checker = Checker(*CatalogueFiles(shop["products"]).open(connection))
    structures = {query.query_id: query.structure for query in typed}
    dev = dev_queries(pairs, check_products(pairs, structures, checker).passed)
    found = figures(dev, open_encoder(str(folder)))
    assert found == asked[best] == document["dev"]["after"]
    assert found != asked[max(steers)]


def test_the_manifest_names_pairs_so_that_a_judge_who_filtered_them_is_found(
    folder: Path, shop: dict[str, Path], tmp_path: Path
) -> None:
    manifest = read_manifest(folder)
    assert [item.role for item in manifest.inputs] == ["pairs", "queries", "products"]
    assert [item.rows for item in manifest.inputs] == [152, None, 48]
    # The catalogue's checker masks the loss and chooses the checkpoint.
    assert [(model["role"], model["id"]) for model in manifest.models[1:]] == [
        ("relevance", "checker")
    ]
    assert manifest.seeds == {"training": 0}
    assert manifest.counts["dev_queries"] == 6
    index_products(
        shop["products"],
        tmp_path / "index",
        VectorIndexSettings(),
        encoder=open_encoder(str(folder)),
    )
    run = tmp_path / "run.parquet"
    retrieve_run(shop["queries"], tmp_path / "index", run, k=10)
    behind = pairs_behind(str(run), fingerprint(run))
    assert [Path(each.path) for each in behind] == [shop["pairs"]]
    judgments = tmp_path / "judgments.parquet"
    judge_by_catalogue(judgments, shop["queries"], shop["products"], runs=[run])
    models = judge_models(str(judgments), fingerprint(judgments))
    said = circular_warning("run", "checker", models, behind) or ""
    assert said.startswith("The judge checker also filtered the training data of run run")


def test_two_trainings_with_one_seed_write_the_same_bytes(
    folder: Path, shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    train(tmp_path / "again", shop, base)
    for name in ("model.safetensors", "retriever.json", "log.jsonl", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name
    train(tmp_path / "other", shop, base, replace(QUICK, seed=1))
    other = (tmp_path / "other" / "model.safetensors").read_bytes()
    assert other != (folder / "model.safetensors").read_bytes()


def test_what_is_up_to_date_is_not_trained_again(
    folder: Path, shop: dict[str, Path], base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "model.safetensors").stat().st_mtime_ns
    train(folder, shop, base)
    assert "is up to date" in capsys.readouterr().err
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_training_goes_on_after_ctrl_c_to_the_same_weights(
    folder: Path,
    shop: dict[str, Path],
    base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "stopped"
    checkpoints = tmp_path / "stopped.checkpoints"

    def press() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and not last_checkpoint(checkpoints, 1000)[1]:
            time.sleep(0.002)
        ask_to_stop()

    thread = threading.Thread(target=press, daemon=True)
    thread.start()
    with noting_ctrl_c(), pytest.raises(KeyboardInterrupt):
        train(out, shop, base)
    thread.join()
    assert not out.exists()
    said = r"another settings \(epochs was 2, is 3\); give .* begin anew with --force"
    with pytest.raises(SettingsError, match=said):
        train(out, shop, base, replace(QUICK, epochs=3))
    with pytest.raises(SettingsError, match=r"and other inputs \(queries\)"):
        train(out, shop, base, queries=[])
    train(out, shop, base)
    assert "Went on from the checkpoint of step" in capsys.readouterr().err
    for name in ("model.safetensors", "retriever.json", "log.jsonl"):
        assert (out / name).read_bytes() == (folder / name).read_bytes(), name
    assert not checkpoints.exists()


def test_training_stops_when_dev_queries_find_no_more(
    shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    # Nothing is learnt at such a rate, so no evaluation is better than the first.
    settings = replace(QUICK, learning_rate=1e-9, epochs=4, evaluations=16, patience=2)
    manifest = train(tmp_path / "out", shop, base, settings)
    assert manifest.counts["best_step"] < manifest.counts["steps"] < 4 * 12
    assert "find no more than before" in manifest.warnings[0]


def test_seeds_search_the_same_pool_and_queries_without_a_good_product_in_it_are_told(
    shop: dict[str, Path], base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def trained(seed: int) -> dict[str, Any]:
        quick = replace(QUICK, epochs=1, evaluations=1, pool=5, seed=seed)
        manifest = train(tmp_path / str(seed), shop, base, quick)
        assert manifest.counts["dev_queries"] + manifest.counts["dev_queries_left_out"] == 6
        assert manifest.counts["dev_queries_left_out"] > 0
        assert "among the 5 of the pool and are left out" in capsys.readouterr().err
        document = json.loads((tmp_path / str(seed) / "retriever.json").read_text("utf-8"))
        return dict(document["dev"])

    first, other = trained(0), trained(1)
    assert first["pool"] == other["pool"]
    assert first["pool"]["products"] == 5
    assert first["before"] == other["before"]  # the same model, queries and products


def test_pairs_without_dev_queries_are_learnt_to_the_end(
    shop: dict[str, Path], base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shop["pairs"].read_text("utf-8").replace('"dev"', '"train"')
    (tmp_path / "pairs.tsv").write_text(text, "utf-8")
    manifest = train(tmp_path / "out", {**shop, "pairs": tmp_path / "pairs.tsv"}, base)
    assert manifest.counts["best_step"] == manifest.counts["steps"]
    assert "no dev queries" in capsys.readouterr().err


def test_the_margins_of_a_teacher_are_learnt_and_all_judges_are_named(
    folder: Path, shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    from evalkit.training.classifier import ClassifierSettings, train_rewrite_classifier

    rows = "".join(
        f"q{place},{thing} {place % 2},{thing} {(place + wrong) % 2},{1 - wrong}\n"
        for place, thing in enumerate(["lamp", "shoe", "kettle", "jacket"] * 3)
        for wrong in (0, 1)
    )
    (tmp_path / "labelled.csv").write_text("query_id,query,rewrite,label\n" + rows, "utf-8")
    train_rewrite_classifier(
        tmp_path / "teacher",
        tmp_path / "labelled.csv",
        model=str(base),
        settings=ClassifierSettings(max_length=16, heldout=0.4, calibration="none"),
    )
    # The small teacher has learnt of rewrites; that it says so of products is all that is changed.
    file = tmp_path / "teacher" / "calibration.json"
    file.write_text(file.read_text("utf-8").replace('"use": "rewrites"', '"use": "products"'))
    pairs = tmp_path / "pairs.tsv"
    pairs.write_bytes(shop["pairs"].read_bytes())
    filtered = {"role": "relevance", "id": "other", "fingerprint": "sha256:other"}
    Manifest(
        "evalkit synthesize pairs",
        {},
        (Input("products", str(shop["products"]), fingerprint(shop["products"])),),
        (filtered,),
    ).write(pairs, started=time.monotonic())
    out = tmp_path / "out"
    manifest = train(out, {**shop, "pairs": pairs}, base, distil=tmp_path / "teacher")
    judges = [model["fingerprint"] for model in manifest.models if model["role"] == "relevance"]
    assert len(judges) == 3  # the teacher, the checker, and who filtered the pairs
    assert "sha256:other" in judges
    assert (out / "model.safetensors").read_bytes() != (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"batch_size": 1}, "--batch-size"),
        ({"temperature": 0}, "--temperature"),
        ({"general_share": 1.0}, "--general-share"),
        ({"warmup": 1.0}, "--warmup"),
        ({"max_length": 4}, "--max-length"),
        ({"hard_negatives": "some"}, "--hard-negatives"),
    ],
)
def test_settings_that_do_not_fit_are_named(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        replace(QUICK, **changes)  # type: ignore[arg-type]


def constructed_pairs(folder: Path, each: int, right: int, wrong: int) -> dict[str, Path]:
    """Make pairs of the sample shop whose labels are the catalogue's, split by family.

    Each query gets some products that satisfy it and, as hard negatives, some of its kind that
    do not.
    """
    from evalkit.constraints import read_typed_queries
    from evalkit.constraints.checking import Checker
    from evalkit.constraints.families import families, join_families, split_of
    from evalkit.engines import open_engine
    from evalkit.knowledge import CatalogueFiles
    from evalkit.synthesis.queries import QuerySettings, synthesize_queries

    queries = folder / "queries.parquet"
    synthesize_queries(SAMPLE, queries, settings=QuerySettings(per_type=each, seed=0))
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    with open_engine("600MB", 1) as connection:
        catalogue, graph = CatalogueFiles(SAMPLE).open(connection)
        typed = read_typed_queries(queries, connection, stated=True)
    checker = Checker(catalogue, graph)
    for query in typed:
        structure = query.structure
        verdict = checker.check(structure).verdict
        good = np.flatnonzero(verdict == 1)
        if not 3 <= len(good) <= 200 or not structure.kinds:
            continue
        of_kind = np.concatenate([catalogue.of_kind(kind) for kind in structure.kinds])
        bad = of_kind[verdict[of_kind] == -1]
        names = families(structure, query.family)
        split = split_of(names, dev_share=0.3, seed=0)
        if split == "none":
            continue
        for label, places, most in ((1, good, right), (0, bad, wrong)):
            rows += [
                {
                    "query_id": query.query_id,
                    "query": query.query,
                    "product_id": catalogue.product_ids[place],
                    "label": label,
                    "query_type": structure.query_type,
                    "family": join_families(names),
                    "split": split,
                }
                for place in rng.permutation(places)[:most].tolist()
            ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "pairs.parquet")
    return {"pairs": folder / "pairs.parquet", "queries": queries, "products": SAMPLE}


def test_minilm_is_the_model_to_begin_with_and_reads_as_much_as_before(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    lines = shop["pairs"].read_text("utf-8").splitlines(keepends=True)
    shop["pairs"].write_text("".join(lines[:1] + lines[1::4]), "utf-8")
    settings = RetrieverSettings(batch_size=16, max_length=16, evaluations=1)
    train_retriever(tmp_path / "out", [shop["pairs"]], shop["products"], settings=settings)
    model = open_encoder(str(tmp_path / "out")).model
    assert model.max_seq_length == open_encoder().model.max_seq_length == 256
    assert json.loads((tmp_path / "out" / "retriever.json").read_text("utf-8"))["base"] == (
        "sentence-transformers/all-MiniLM-L6-v2"
    )
    vectors = open_encoder(str(tmp_path / "out")).encode(["red lamp"], "query")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0], abs=1e-5)


@pytest.mark.slow
def test_goodrates_rise_on_constraints_that_were_not_learnt(tmp_path: Path) -> None:
    shop = constructed_pairs(tmp_path, each=80, right=4, wrong=2)
    settings = RetrieverSettings(evaluations=2, pool=1000)
    train_retriever(
        tmp_path / "out",
        [shop["pairs"]],
        shop["products"],
        queries=[shop["queries"]],
        settings=settings,
    )
    dev = json.loads((tmp_path / "out" / "retriever.json").read_text("utf-8"))["dev"]
    before, after = dev["before"], dev["after"]
    assert after["mean"]["item_goodrate"] > before["mean"]["item_goodrate"] + 0.05
    assert after["negative"]["item_goodrate"] > before["negative"]["item_goodrate"] + 0.03
    assert after["mean"]["query_goodrate"] >= before["mean"]["query_goodrate"]
    assert after["general"]["item_goodrate"] > before["general"]["item_goodrate"] - 0.03
