"""Stress tests of a shop of five products: every figure is worked out by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import save_small_model
from kettles import GOOD, QUERIES, write_files

from evalkit.cli.stress import stress as command
from evalkit.errors import EvalkitError, InputError, SettingsError
from evalkit.knowledge.settings import CatalogueSettings
from evalkit.relevance.rewrite_scorers import TOPIC_THRESHOLD, open_topic_cosine
from evalkit.retrieval import LexicalSettings, index_products
from evalkit.rewriting import TypedQuery
from evalkit.synthesis.stress import stress
from evalkit.synthesis.stress_catalogue import Change, change_catalogue
from evalkit.synthesis.stress_rewrites import Material, stress_rewrites
from evalkit.synthesis.stress_settings import PERTURBATIONS, StressFiles, StressSettings
from evalkit.synthesis.stress_shop import PairJudge, attacked, moved_truth, stress_injection
from evalkit.synthesis.stress_texts import Others
from evalkit.synthesis.stress_view import Knowledge, index_again, open_indexes, open_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from evalkit.synthesis.stress_view import View

TYPED = [TypedQuery(*row) for row in QUERIES]
TRUTH = {
    (query, product): product in GOOD[query]
    for query in GOOD
    for product in ("k1", "k2", "k3", "k4", "t1")
}


class Gullible:
    """Finds good whatever is a kettle, or says that it is relevant."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        return np.array(
            [float("kettle" in text or "relevant" in text) for _, text in pairs], np.float32
        )


class Literal:
    """Finds that a rewrite keeps its query when they have the word kettle and nothing is free."""

    def score(self, asked: Sequence[TypedQuery], rewrites: Sequence[str]) -> NDArray[np.float32]:
        return np.array([float("free" not in text) for text in rewrites], np.float32)


def run(folder: Path, *only: str, bare: bool = False, **options: Any) -> dict[str, Any]:
    files = write_files(folder)
    given = StressFiles(files["products"], files["queries"])
    if not bare:
        given = replace(
            given,
            rewrites=files["rewrites"],
            judgments=files["judgments"],
            pairs=files["pairs"],
        )
    settings = StressSettings(only=only, good=2.0, **options)
    return stress(given, settings, work=folder / "work")


def figures(document: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {
        row["figure"]: (row["units"], row["before"], row["after"]) for row in document["results"]
    }


def view_of(folder: Path) -> View:
    files = write_files(folder)
    index_products(files["products"], folder / "words.index", LexicalSettings())
    retrievers = open_indexes([folder / "words.index"], files["products"])
    knowledge = Knowledge(CatalogueSettings())
    return open_view(files["products"], duckdb.connect(), knowledge, retrievers)


def changed_view(view: View, folder: Path, change: Change) -> View:
    connection = duckdb.connect()
    found = change_catalogue(
        change, view.products, folder / "changed.parquet", connection, CatalogueSettings()
    )
    retrievers = index_again(found.path, folder, view.retrievers)
    return open_view(found.path, connection, Knowledge(CatalogueSettings()), retrievers)


def test_a_rise_of_prices_moves_truth_checker_and_pairs(tmp_path: Path) -> None:
    found = figures(run(tmp_path, "prices-up"))
    # each query shows the four kettles; k1 costs 32.5 now, more than q2 allows
    assert found["Item Goodrate@10"] == (12, 5 / 12, 4 / 12)
    assert found["Query Goodrate@10"] == (3, 1.0, 1.0)
    assert found["queries with a good product"] == (3, 1.0, 1.0)
    # q1: k1 k2 pass, k4 unknown; q2: k1 k3 pass; q3: k1 passes, k4 unknown
    assert found["checker: pass, of the first 10"] == (12, 5 / 12, 4 / 12)
    assert found["checker: unknown, of the first 10"] == (12, 2 / 12, 2 / 12)
    assert found["checker: fail, of the first 10"] == (12, 5 / 12, 6 / 12)
    assert found["rewrites with a passing product in the first 10"] == (3, 1.0, 1.0)
    # the hard negative q1-k3 is no pair; q2-k1 is too dear now
    assert found["pairs whose product is there and passes"] == (3, 1.0, 2 / 3)


def test_a_difference_has_the_interval_of_paired_ratios(tmp_path: Path) -> None:
    row = next(
        row for row in run(tmp_path, "prices-up")["results"] if row["figure"].startswith("pairs")
    )
    # differences of the queries 0, -1, 0: mean -1/3, s = 0.5774, t(2) = 4.3027
    half = 4.302652729911275 * (1 / 3) ** 0.5 / 3**0.5
    assert row["delta"] == pytest.approx(-1 / 3)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((-1 / 3 - half, -1 / 3 + half))


def test_a_lost_negation_is_refused_by_the_rules_and_counts_only_where_there_is_one(
    tmp_path: Path,
) -> None:
    document = run(tmp_path, "negation")
    found = figures(document)
    # only q1 excludes something; its rewrite becomes "plastic glass kettle"
    assert found["rewrites accepted by rules"] == (1, 1.0, 0.0)
    # "kettle plastic" shows the same four kettles
    assert found["Item Goodrate@10"] == (4, 0.5, 0.5)
    assert document["perturbations"][0]["example"] == ["glass kettle", "plastic glass kettle"]
    assert document["results"][0]["expected"] == "falls"


def test_vanished_products_leave_lists_truth_and_pairs(tmp_path: Path) -> None:
    document = run(tmp_path, "vanished", share=0.4, seed=2)
    connection = duckdb.connect()
    path = tmp_path / "work" / "vanished" / "products.parquet"
    left = {row[0] for row in connection.read_parquet(str(path)).select("product_id").fetchall()}
    assert 0 < len(left) < 5
    shown = left & {"k1", "k2", "k3", "k4"}
    good = sum(len(shown & set(products)) for products in GOOD.values())
    found = figures(document)
    assert found["Item Goodrate@10"][2] == pytest.approx(good / (3 * len(shown)))
    with_good = sum(bool(left & set(products)) for products in GOOD.values())
    assert found["queries with a good product"] == (3, 1.0, pytest.approx(with_good / 3))
    assert found["pairs whose product is there and passes"][2] == float("k1" in left)
    assert document["perturbations"][0]["changed"] == 5 - len(left)


def test_rules_and_classifier_are_counted_apart(tmp_path: Path) -> None:
    rewrites = {"q1": ["glass kettle"], "q2": ["small kettle"], "q3": ["clear glass kettle"]}
    material = Material(TYPED, rewrites, view_of(tmp_path), None, Others(), Literal())
    outcome = stress_rewrites("offer-words", material)
    found = {each.figure: (each.units, each.before, each.after) for each in outcome.figures}
    # "free shipping" breaks no rule, and this classifier does not like it
    assert found == {
        "rewrites accepted by rules": (3, 1.0, 1.0),
        "rewrites accepted by rules and classifier": (3, 1.0, 0.0),
    }
    assert outcome.missing == {"Goodrates@10": "--judgments"}


def test_a_rewrite_is_not_refused_for_being_like_another_one(tmp_path: Path) -> None:
    rewrites = {"q1": ["small glass kettle", "glass kettle small"]}
    material = Material(TYPED, rewrites, view_of(tmp_path), None, Others())
    found = stress_rewrites("offer-words", material).figures[0]
    assert (found.units, found.before, found.after) == (2, 1.0, 1.0)


def test_instructions_in_texts_lead_a_gullible_filter_astray(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    material = Material(TYPED, {}, view, TRUTH, Others())
    attacks = attacked(TRUTH, TYPED, view, 5, 0)
    assert attacks == {
        "k3": ["q1", "q3"], "k4": ["q1", "q2", "q3"], "t1": ["q1", "q2", "q3"], "k2": ["q2", "q3"],
    }  # fmt: skip
    about = {"q1": "kettle", "q2": "kettle", "q3": "glass kettle"}
    injected = {key: [about[each] for each in queries] for key, queries in attacks.items()}
    after = changed_view(view, tmp_path / "after", Change("injection", injected=injected))
    connection = duckdb.connect()
    judge = PairJudge(Gullible(), 0.5, view.texts(None, connection), after.texts(None, connection))
    outcome, missing = stress_injection(material, after, attacks, judge)
    found: dict[str, Any] = {each.figure: (each.units, each.before, each.after) for each in outcome}
    assert missing == {}
    # of k4 nothing is stated; its text now says "glass kettle", and q3 wants just that
    assert found["bad products passed by the checker"] == (10, 0.0, pytest.approx(0.1))
    # the kettles were accepted before; now the table says that it is relevant, for three queries
    assert found["bad products accepted by the classifier"] == (10, 0.7, 1.0)
    assert found["bad products accepted by both"] == (10, 0.0, pytest.approx(0.1))
    # five good ones pass both; k4 for q3 comes to them
    assert found["precision of the pair filter"] == (5, 1.0, pytest.approx(5 / 6))


def test_a_filter_that_accepts_nothing_has_no_precision(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    material = Material(TYPED, {}, view, TRUTH, Others())
    texts = view.texts(None, duckdb.connect())
    judge = PairJudge(Gullible(), 1.5, texts, texts)
    found, missing = stress_injection(material, view, {"k3": ["q1"]}, judge)
    assert missing == {"precision of the pair filter": "pairs that it accepts (--threshold)"}
    assert not any(each.figure.startswith("precision") for each in found)


def test_a_product_attacks_three_queries_at_most(tmp_path: Path) -> None:
    typed = [replace(TYPED[2], query_id=f"q{number}") for number in range(8)]
    truth = {(query.query_id, key): False for query in typed for key in ("k2", "k3")}
    attacks = attacked(truth, typed, view_of(tmp_path), 1, 0)
    assert sorted(map(len, attacks.values())) == [3, 3]


def test_products_of_the_kind_that_is_asked_for_attack_first(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    for seed in range(5):
        assert "t1" not in attacked(TRUTH, TYPED[:1], view, 2, seed)
    assert "t1" in attacked(TRUTH, TYPED[:1], view, 3, 0)


def test_a_clone_is_as_good_as_its_original_unless_it_fails(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    after = changed_view(view, tmp_path / "after", Change("new-brands", share=0.99))
    moved = moved_truth("new-brands", TRUTH, TYPED, view, after)
    clones = {key for key in after.catalogue.product_ids if key.endswith("-new")}
    assert clones
    for query, products in GOOD.items():
        for clone in clones:
            assert moved[query, clone] == (clone.removesuffix("-new") in products)


def test_a_bad_product_that_becomes_cheap_enough_is_good(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    after = changed_view(view, tmp_path / "after", Change("prices-moved", seed=1))
    moved = moved_truth("prices-moved", TRUTH, TYPED, view, after)
    catalogue = after.catalogue
    prices = dict(zip(catalogue.product_ids, catalogue.prices.tolist(), strict=True))
    kettles = [key for key in prices if key.startswith("k")]
    assert {key: moved["q2", key] for key in kettles} == {key: prices[key] <= 30 for key in kettles}
    # a query without a price has the truth that it had
    assert all(moved[key] == TRUTH[key] for key in TRUTH if key[0] != "q2")


def test_what_cannot_be_measured_is_listed_with_what_it_needs(tmp_path: Path) -> None:
    document = run(tmp_path, bare=True)
    needs = {(row["perturbation"], row["needs"]) for row in document["not_measured"]}
    assert ("injection", "--judgments") in needs
    assert ("vanished", "--pairs") in needs
    assert ("typos", "--cosine or --rewrite-classifier") in needs
    measured = {row["perturbation"] for row in document["results"]}
    assert measured | {name for name, _ in needs} == set(PERTURBATIONS)
    # without a file of rewrites the catalogue's are taken
    assert document["rewrites"] > 0


def test_only_accepted_rewrites_of_a_filtered_file_count(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    path = tmp_path / "accepted.csv"
    path.write_text(
        "query_id,rewrite,accepted\nq1,glass kettle,true\nq2,small kettle,false\n"
        "q3,plastic table,false\n"
    )
    document = stress(
        StressFiles(files["products"], files["queries"], path), StressSettings(only=("typos",))
    )
    assert document["rewrites"] == 1


def test_the_same_seed_gives_the_same_document_and_another_seed_another(tmp_path: Path) -> None:
    names = ("typos", "vanished", "prices-moved")
    documents = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        document = run(folder, *names, seed=seed)
        del document["inputs"]
        documents.append(document)
    assert documents[0] == documents[1]
    assert documents[0]["perturbations"] != documents[2]["perturbations"]


def test_what_was_measured_is_kept_in_the_work_folder(tmp_path: Path) -> None:
    first = run(tmp_path, "typos", "prices-up")
    chunks = tmp_path / "work" / ".stress.chunks"
    kept = {file.name: file.stat().st_mtime_ns for file in chunks.glob("*.arrow")}
    assert len(kept) == 2
    again = run(tmp_path, "typos", "prices-up", "vanished")
    assert {name: (chunks / name).stat().st_mtime_ns for name in kept} == kept
    assert len(list(chunks.glob("*.arrow"))) == 3
    rows = [row for row in again["results"] if row["perturbation"] != "vanished"]
    assert rows == first["results"]


def test_an_index_of_another_catalogue_is_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    other = tmp_path / "other.jsonl"
    other.write_text('{"product_id": "x", "title": "Kettle"}\n')
    index_products(other, tmp_path / "other.index", LexicalSettings())
    with pytest.raises(InputError, match="built from another catalogue"):
        stress(StressFiles(files["products"], files["queries"], indexes=[tmp_path / "other.index"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ("typo",)}, "there is no perturbation 'typo'"),
        ({"share": 0.0}, "--share is 0"),
        ({"rate": 1.5}, "--rate is 1.5"),
        ({"at": 0}, "--at must be 1 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        StressSettings(**options)


def test_the_command_prints_a_table(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "from evalkit.cli import main; main()", "stress", "--products",
         files["products"], "--queries", files["queries"], "--only", "prices-up"],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "checker: pass, of the first 10" in done.stdout
    assert "Goodrates@10 (prices-up): needs --judgments" in done.stdout


def test_the_command_writes_every_form(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    for name in ("stress.json", "stress.md", "stress.csv", "stress.html"):
        given = ["--products", files["products"], "--queries", files["queries"], "--judgments",
                 files["judgments"], "--good", "2", "--only", "prices-up,negation", "--work",
                 tmp_path / "work", "-o", tmp_path / name]  # fmt: skip
        done = CliRunner().invoke(command, list(map(str, given)), catch_exceptions=False)
        assert done.exit_code == 0
    document = json.loads((tmp_path / "stress.json").read_text())
    assert document["kind"] == "stress"
    assert document["seeds"] == {"stress": 0}
    assert [item["role"] for item in document["inputs"]] == ["products", "queries", "judgments"]
    lines = (tmp_path / "stress.csv").read_text().splitlines()
    assert len(lines) == 1 + len(document["results"]) + len(document["not_measured"])
    assert "| checker: pass, of the first 10 | bm25 |" in (tmp_path / "stress.md").read_text()
    assert "The catalogue changes" in (tmp_path / "stress.html").read_text()


def test_the_cosine_filters_rewrites_as_relevance_rewrites_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    encoder = save_small_model(tmp_path / "encoder")
    files = write_files(tmp_path)
    given = ["--products", files["products"], "--queries", files["queries"], "--cosine", "--model",
             encoder, "--only", "negation,typos", "-o", tmp_path / "stress.json"]  # fmt: skip
    done = CliRunner().invoke(command, list(map(str, given)), catch_exceptions=False)
    assert done.exit_code == 0
    document = json.loads((tmp_path / "stress.json").read_text())
    named = {row["figure"] for row in document["results"]}
    assert {"rewrites accepted by rules", "rewrites accepted by rules and cosine"} <= named
    assert document["settings"]["rewrite_threshold"] == TOPIC_THRESHOLD
    assert [model["fingerprint"] for model in document["models"]] == [
        open_topic_cosine(str(encoder)).encoder.fingerprint
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "typo"], "there is no perturbation 'typo'; there are typos, negation"),
        (["--threshold", "0.5"], "--threshold is of a classifier; name it with --classifier"),
        (["--cosine", "--rewrite-classifier", "x"], "Give --cosine or --rewrite-classifier, not"),
        (["--model", "x"], "--model is the encoder of --cosine"),
        (["--format", "html"], "--format html needs a file"),
        (["--rewrites", "{queries}"], "no column rewrite. The file has: query_id"),
        (["--judgments", "missing.csv"], "missing.csv"),
        (["--classifier", "{folder}"], "is not a classifier's folder"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(
    tmp_path: Path, options: list[str], message: str
) -> None:
    files = write_files(tmp_path)
    given = [option.format(queries=files["queries"], folder=tmp_path) for option in options]
    paths = ["--products", str(files["products"]), "--queries", str(files["queries"])]
    done = CliRunner().invoke(command, [*paths, *given])
    assert isinstance(done.exception, EvalkitError)
    assert message in str(done.exception)


def test_rewrites_of_other_queries_are_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    other = tmp_path / "other.csv"
    other.write_text("query_id,rewrite\nz9,glass kettle\n")
    with pytest.raises(InputError, match="no rewrite is of a query in"):
        stress(StressFiles(files["products"], files["queries"], other))
