"""One command makes an experiment, and makes nothing twice."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from evalkit.cli import cli
from evalkit.errors import InputError, SettingsError
from evalkit.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Place

SEARCHING = """\
name: searching
catalogue: {products: products.jsonl, model: encoder}
queries:
  written: {file: queries.csv, judgments: judgments.csv, good: 2}
systems:
  control: {retriever: base}
  treatment: {retriever: bm25}
  filter: {retriever: base, filter: true}
  query_time: {retriever: bm25, rewriter: catalogue, rewrites: 2}
  as_pairs: {rewriter: catalogue, rewrites: 2, as_pairs: true}
comparisons: {cutoff: 5, depth: 20}
study: {queries: written, sample: 10, depth: 5}
"""


def run(path: Path, folder: Path, *more: str) -> Result:
    arguments = ["run", str(path), "-o", str(folder), *more]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def everything(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Return when each file was written, and its bytes."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def scored(folder: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "scores" / f"{name}.json").read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def searched(place: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    """The experiment without training, made once; its file, its folder and what was said."""
    path = place.describe(SEARCHING, "searching.yaml")
    folder = tmp_path_factory.mktemp("searched")
    return path, folder, run(path, folder)


def test_one_command_makes_runs_scores_study_and_pages(
    searched: tuple[Path, Path, Result],
) -> None:
    _, folder, done = searched
    assert done.exit_code == 0, done.output
    assert "== 1/10 catalogue\n" in done.stderr
    assert "== 10/10 reports/written\n" in done.stderr
    for name in ("control", "treatment", "filter", "query_time", "as_pairs"):
        table = pq.read_table(folder / "runs" / "written" / f"{name}.parquet")
        assert set(table.column("system").to_pylist()) == {name}
        assert max(table.column("rank").to_pylist()) <= 20
    document = scored(folder, "written-control-vs-treatment")
    assert document["systems"] == {"control": "control", "treatment": "treatment"}
    settings = document["settings"]
    assert (settings["cutoffs"], settings["good"], settings["depth"]) == ([5], 2.0, "fixed")
    assert {row["measure"] for row in document["results"]} == {"item_goodrate", "query_goodrate"}
    for name in ("filter-vs-treatment", "control-vs-filter", "query_time-vs-treatment"):
        assert scored(folder, f"written-{name}")["results"]
    page = (folder / "reports" / "written-control-vs-treatment.html").read_text("utf-8")
    assert "searching, written: control against treatment" in page


def test_the_scores_are_those_of_the_command_that_scores_two_runs(
    searched: tuple[Path, Path, Result], place: Place
) -> None:
    _, folder, _ = searched
    runs = folder / "runs" / "written"
    scoring = [
        *("score", "--control", str(runs / "control.parquet")),
        *("--treatment", str(runs / "filter.parquet")),
        *("--judgments", str(place.folder / "judgments.csv")),
        *("--queries", str(folder / "queries" / "written.parquet")),
        *("--good", "2", "--at", "5", "--by", "query_type", "--depth", "fixed"),
        *("--measures", "item_goodrate,query_goodrate", "--format", "json"),
    ]
    done = CliRunner().invoke(cli, scoring, catch_exceptions=False)
    assert (
        json.loads(done.stdout)["results"] == scored(folder, "written-control-vs-filter")["results"]
    )


def test_the_table_of_results_has_every_system_with_its_change_and_interval(
    searched: tuple[Path, Path, Result],
) -> None:
    _, folder, _ = searched
    document = json.loads((folder / "results.json").read_text("utf-8"))
    row = next(
        row
        for row in document["results"]
        if row["systems"] == ["control", "filter"]
        and (row["measure"], row["segment"]) == ("item_goodrate", "negative")
    )
    source = next(
        row
        for row in scored(folder, "written-control-vs-filter")["results"]
        if (row["measure"], row["segment"]) == ("item_goodrate", {"query_type": "negative"})
    )
    for name in ("control", "treatment", "delta", "ci_low", "ci_high"):
        assert row[name] == source[name]
    text = (folder / "results.md").read_text("utf-8")
    said = (
        f"{100 * row['treatment']:.1f} ({100 * row['delta']:+.1f} "
        f"[{100 * row['ci_low']:+.1f}, {100 * row['ci_high']:+.1f}])"
    )
    line = next(line for line in text.splitlines() if line.startswith("| filter |"))
    assert said in line
    assert text.startswith("# searching\n")
    assert "`evalkit run searching.yaml -o FOLDER`" in text
    stages = {stage["name"]: stage for stage in document["stages"]}
    assert stages["systems/filter"]["commands"] == ["evalkit retrieve"]
    run_ = read_manifest(folder / "runs" / "written" / "filter.parquet")
    assert stages["systems/filter"]["seconds"] == round(run_.wall_seconds, 1)


def test_the_study_holds_both_lists_and_no_votes(searched: tuple[Path, Path, Result]) -> None:
    _, folder, _ = searched
    with sqlite3.connect(folder / "study.db") as database:
        names = database.execute("SELECT name, state, control_system, treatment_system FROM study")
        assert names.fetchall() == [("searching", "open", "control", "treatment")]
        kinds = dict(database.execute("SELECT kind, count(*) FROM task GROUP BY kind").fetchall())
        assert kinds.get("real", 0) + kinds.get("automatic", 0) == 10
        assert database.execute("SELECT count(*) FROM vote").fetchone() == (0,)
    database.close()


def test_nothing_is_made_a_second_time(searched: tuple[Path, Path, Result]) -> None:
    path, folder, _ = searched
    before = everything(folder)
    again = run(path, folder)
    assert again.exit_code == 0, again.output
    assert "Wrote" not in again.stderr
    assert everything(folder) == before


def test_what_was_lost_is_made_again_and_nothing_else(
    searched: tuple[Path, Path, Result],
) -> None:
    path, folder, _ = searched
    before = everything(folder)
    lost = folder / "runs" / "written" / "filter.parquet"
    lost.unlink()
    assert run(path, folder).exit_code == 0
    after = everything(folder)
    assert after.keys() == before.keys()
    changed = {name.name for name in after if after[name] != before[name]}
    assert lost.read_bytes() == before[lost][1]
    assert {name for name in changed if not name.startswith("results.")} == {
        "filter.parquet",
        "filter.parquet.manifest.json",
    }


def test_a_study_is_kept_when_the_runs_have_changed(
    searched: tuple[Path, Path, Result], place: Place, tmp_path: Path
) -> None:
    path = place.describe(SEARCHING, "kept.yaml")
    assert run(path, tmp_path).exit_code == 0
    other = SEARCHING.replace("treatment: {retriever: bm25}", "treatment: {filter: true}")
    changed = run(place.describe(other, "kept.yaml"), tmp_path)
    assert changed.exit_code == 0, changed.output
    assert "the study searching-2" in changed.stderr
    with sqlite3.connect(tmp_path / "study.db") as database:
        names = database.execute("SELECT name FROM study ORDER BY id").fetchall()
        assert names == [("searching",), ("searching-2",)]
    database.close()


def test_a_plan_says_what_is_done_and_makes_nothing(
    searched: tuple[Path, Path, Result], place: Place, tmp_path: Path
) -> None:
    path, folder, _ = searched
    planned = run(path, tmp_path / "new", "--dry-run")
    assert planned.exit_code == 0
    lines = planned.stdout.splitlines()
    assert len(lines) == 10
    assert all(line.startswith("to make  ") for line in lines)
    assert lines[1] == f"to make  queries/written: {tmp_path}/new/queries/written.parquet"
    assert not (tmp_path / "new").exists()
    assert all(
        line.startswith("done ") for line in run(path, folder, "--dry-run").stdout.splitlines()
    )
    # what has been described otherwise is to be made, with all that comes of it
    text = SEARCHING.replace("filter: true", "filter: true, rewriter: catalogue")
    deeper = place.describe(text)
    to_make = {
        line.split()[2].rstrip(":")
        for line in run(deeper, folder, "--dry-run").stdout.splitlines()
        if line.startswith("to make")
    }
    assert to_make == {"systems/filter", "scores/written", "study", "reports/written"}


def test_only_what_was_asked_for_is_made(
    searched: tuple[Path, Path, Result], tmp_path: Path
) -> None:
    path, _, _ = searched
    done = run(path, tmp_path, "--only", "catalogue,queries/written")
    assert done.exit_code == 0, done.output
    assert {item.name for item in tmp_path.iterdir()} == {"indexes", "queries", "stages"}
    assert "== 2/2 queries/written" in done.stderr
    assert run(path, tmp_path, "--only", "systems/treatment").exit_code == 0
    assert [item.name for item in (tmp_path / "runs" / "written").glob("*.parquet")] == [
        "treatment.parquet"
    ]
    assert not (tmp_path / "results.md").exists()


def test_stages_that_are_unknown_or_lack_what_they_read_are_refused(
    searched: tuple[Path, Path, Result], tmp_path: Path
) -> None:
    path, _, _ = searched
    with pytest.raises(SettingsError, match=r"--only runs: there is no such stage; there are cat"):
        run(path, tmp_path, "--only", "runs")
    with pytest.raises(SettingsError, match="systems/control needs what catalogue makes"):
        run(path, tmp_path, "--only", "systems")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_is_told_before_any_work(place: Place, tmp_path: Path) -> None:
    path = place.describe(SEARCHING.replace("filter: true", "filters: true"), "wrong.yaml")
    with pytest.raises(InputError, match=r"wrong.yaml: systems.filter.filters: there is no such"):
        run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_variables_are_set_on_the_command_line(place: Place, tmp_path: Path) -> None:
    text = SEARCHING.replace("products.jsonl", '"${SHOP}"')
    path = place.describe(text, "variables.yaml")
    done = run(path, tmp_path, "--set", "SHOP=products.jsonl", "--only", "queries")
    assert done.exit_code == 0, done.output
    twice = run(path, tmp_path, "--set", "SHOP=a", "--set", "SHOP=b")
    assert twice.exit_code == 2
    assert "SHOP is set more than once" in twice.stderr
    assert "'SHOP' is not of the form NAME=VALUE" in run(path, tmp_path, "--set", "SHOP").stderr


def test_a_structure_that_the_file_states_is_taken_and_others_are_read(
    place: Place, tmp_path: Path
) -> None:
    stated = {"query_type": "negative", "excluded": [{"attribute": None, "values": ["steel"]}]}
    row = {"query_id": "k1", "query": "kettle", "structure": stated}
    (place.folder / "stated.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    text = SEARCHING.replace("systems:", "  stated: {file: stated.jsonl}\nsystems:")
    assert run(place.describe(text, "stated.yaml"), tmp_path, "--only", "queries").exit_code == 0
    taken = pq.read_table(tmp_path / "queries" / "stated.parquet").to_pylist()
    assert [each["query_type"] for each in taken] == ["negative"]
    assert json.loads(taken[0]["structure"])["excluded"] == stated["excluded"]
    read = pq.read_table(tmp_path / "queries" / "written.parquet").to_pylist()
    assert all(json.loads(each["structure"])["query_type"] == each["query_type"] for each in read)


def test_queries_of_a_family_are_no_independent_queries(place: Place, tmp_path: Path) -> None:
    text = (
        "name: families\n"
        "catalogue: {products: products.jsonl, model: encoder}\n"
        "queries:\n"
        "  asked: {per_type: 6, per_family: 3, min_products: 1}\n"
        "  written: {file: queries.csv, judgments: judgments.csv, good: 2}\n"
        "systems: {control: {retriever: base}, treatment: {retriever: bm25}}\n"
        "comparisons: {cutoff: 5, depth: 10}\n"
    )
    folder = tmp_path / "out"
    done = run(place.describe(text, "families.yaml"), folder)
    assert done.exit_code == 0, done.output
    asked = pq.read_table(folder / "queries" / "asked.parquet")
    families = len(set(asked.column("family").to_pylist()))
    assert families < asked.num_rows
    found = scored(folder, "asked-control-vs-treatment")
    assert found["settings"]["cluster"] == "family"
    assert found["results"][0]["families"] == families
    written = scored(folder, "written-control-vs-treatment")
    assert "cluster" not in written["settings"], "which has no such column"
    results = (folder / "results.md").read_text("utf-8")
    assert f"all ({asked.num_rows} in {families} families)" in results
    assert "where families are named, intervals are over them" in results
    rows = json.loads((folder / "results.json").read_text("utf-8"))["results"]
    assert {row["set"] for row in rows if "families" in row} == {"asked"}

    single = place.describe(f"{text[:-2]}, cluster: null}}\n", "families.yaml")
    again = run(single, folder, "--only", "scores/asked")
    assert again.exit_code == 0, again.output
    assert "families" not in scored(folder, "asked-control-vs-treatment")["results"][0]
    other = place.describe(f"{text[:-2]}, cluster: brand}}\n", "families.yaml")
    with pytest.raises(SettingsError, match="column 'brand' not found in queries"):
        run(other, folder, "--only", "scores/written")


def test_queries_like_those_of_a_held_out_set_are_left_out_before_anybody_learns(
    place: Place, tmp_path: Path
) -> None:
    with (place.folder / "queries.csv").open(encoding="utf-8") as stream:
        asked = stream.readlines()[:4]
    (place.folder / "held.csv").write_text("".join(asked), "utf-8")
    same = "".join(f"same-{line}" for line in asked[1:])
    other = "other,vinyl record player for a toddler\n"
    text = asked[0].split(",")
    assert text[:2] == ["query_id", "query"]
    more = "," * (len(text) - 2)
    (place.folder / "learnt.csv").write_text(
        asked[0] + same + other.replace("\n", f"{more}\n"), "utf-8"
    )
    described = (
        "name: held\n"
        "catalogue: {products: products.jsonl, model: encoder}\n"
        "queries:\n"
        "  learnt: {file: learnt.csv, held_out: [held]}\n"
        "  held: {file: held.csv}\n"
        "systems: {control: {retriever: base}, treatment: {retriever: bm25}}\n"
    )
    path = place.describe(described, "held.yaml")
    done = run(path, tmp_path, "--only", "queries")
    assert done.exit_code == 0, done.output
    left = pq.read_table(tmp_path / "queries" / "learnt.parquet")
    assert left.column("query_id").to_pylist() == ["other"]
    assert pq.read_table(tmp_path / "queries" / "held.parquet").num_rows == 3
    counts = read_manifest(tmp_path / "queries" / "learnt.parquet").counts
    assert (counts["queries"], counts["left_out"]) == (1, 3)
    assert counts["left_out: the query is held out"] == 3
    before = everything(tmp_path)
    assert "Wrote" not in run(path, tmp_path, "--only", "queries").stderr
    assert everything(tmp_path) == before


def test_what_earlier_settings_made_is_not_scored_as_if_these_had(
    place: Place, tmp_path: Path
) -> None:
    text = SEARCHING.replace("study: {queries: written, sample: 10, depth: 5}\n", "")
    assert run(place.describe(text, "stale.yaml"), tmp_path).exit_code == 0
    written = (tmp_path / "results.md").read_bytes()
    other = text.replace("treatment: {retriever: bm25}", "treatment: {filter: true}")
    path = place.describe(other, "stale.yaml")
    with pytest.raises(
        SettingsError,
        match="scores/written needs what systems/treatment makes, and that was made with other "
        "settings, files or earlier stages; add systems/treatment",
    ):
        run(path, tmp_path, "--only", "scores")
    assert (tmp_path / "results.md").read_bytes() == written
    assert run(path, tmp_path, "--only", "systems/treatment,scores").exit_code == 0
    assert (tmp_path / "results.md").read_bytes() != written


def test_rewrites_of_two_seeds_lie_beside_each_other(place: Place, tmp_path: Path) -> None:
    text = SEARCHING.replace(
        "comparisons:",
        "  other_seed: {retriever: bm25, rewriter: catalogue, rewrites: 2, seed: 1}\ncomparisons:",
    )
    path = place.describe(text, "seeds.yaml")
    assert run(path, tmp_path, "--only", "catalogue,queries,systems").exit_code == 0
    assert {item.name for item in (tmp_path / "rewrites").glob("*.parquet")} == {
        f"written-catalogue-2-seed{seed}{ending}.parquet"
        for seed in (0, 1)
        for ending in ("", "-accepted")
    }
    before = everything(tmp_path)
    assert run(path, tmp_path, "--only", "catalogue,queries,systems").exit_code == 0
    assert everything(tmp_path) == before


def test_the_results_say_with_which_numbers_they_were_made_and_no_paths(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "variables: {CUTOFF: 5, DEPTH: 20}\n"
        "name: told\n"
        'catalogue: {products: "${SHOP}/products.jsonl", model: encoder}\n'
        "queries:\n"
        "  written: {file: queries.csv, judgments: judgments.csv, good: 2}\n"
        "systems: {control: {retriever: bm25}, treatment: {}}\n"
        'comparisons: {cutoff: "${CUTOFF}", depth: "${DEPTH}"}\n'
    )
    monkeypatch.setenv("CUTOFF", "3")
    done = run(place.describe(text, "told.yaml"), tmp_path, "--set", f"SHOP={place.folder}")
    assert done.exit_code == 0, done.output
    said = (tmp_path / "results.md").read_text("utf-8")
    assert "`evalkit run told.yaml --set CUTOFF=3 --set SHOP=… -o FOLDER`" in said
    found = (tmp_path / "results.json").read_text("utf-8")
    assert str(place.folder) not in found
    document = json.loads(found)
    assert document["variables"] == {"CUTOFF": "3", "DEPTH": "20", "SHOP": "…"}
    assert document["description"]["comparisons"]["cutoff"] == 3
    assert document["description"]["catalogue"]["products"] == "products.jsonl"


def test_a_system_searches_positive_parts_and_rewrites_by_words_and_by_meaning(
    searched: tuple[Path, Path, Result],
) -> None:
    _, folder, _ = searched
    runs = folder / "runs" / "written"
    found = pq.read_table(runs / "as_pairs.parquet").to_pylist()
    accepted = {
        row["query_id"]
        for row in pq.read_table(
            folder / "rewrites" / "written-catalogue-2-seed0-accepted.parquet"
        ).to_pylist()
        if row["accepted"]
    }
    asked = pq.read_table(folder / "queries" / "written.parquet").to_pylist()
    plain = next(
        row["query_id"]
        for row in asked
        if row["query_type"] == "general" and row["query_id"] not in accepted
    )
    # without a rewrite it is the sum of reciprocal ranks of two lists: words and meaning
    ranks = [
        {
            row["product_id"]: row["rank"]
            for row in pq.read_table(runs / f"{name}.parquet").to_pylist()
            if row["query_id"] == plain
        }
        for name in ("control", "treatment")
    ]
    both = ranks[0].keys() & ranks[1].keys()
    scores = {row["product_id"]: row["score"] for row in found if row["query_id"] == plain}
    assert both & scores.keys()
    for product in both & scores.keys():
        wanted = sum(1 / (60 + each[product]) for each in ranks)
        assert scores[product] == pytest.approx(wanted, abs=1e-12)
    assert {row["query_id"] for row in found} == {row["query_id"] for row in asked}
    manifest = read_manifest(runs / "as_pairs.parquet")
    assert [item.role for item in manifest.inputs].count("index") == 2
    assert manifest.counts["texts"] > manifest.counts["queries"]
