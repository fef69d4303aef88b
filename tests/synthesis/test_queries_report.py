"""What the report says, beside what was made."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.synthesis import QuerySettings, synthesize_queries
from evalkit.synthesis.variety import measure_variety

SAMPLE = Path(__file__).parents[2] / "sample_data"


def test_the_report_counts_what_was_made_and_measures_it_beside_real_queries(
    tmp_path: Path,
) -> None:
    path, report = tmp_path / "queries.parquet", tmp_path / "report.json"
    settings = QuerySettings(per_type=40, seed=2)
    synthesize_queries(
        SAMPLE / "products.jsonl",
        path,
        settings=settings,
        report=report,
        compare=SAMPLE / "queries.csv",
    )
    rows = pq.read_table(path).to_pylist()
    document = json.loads(report.read_text())
    for kind, found in document["types"].items():
        own = [row for row in rows if row["query_type"] == kind]
        assert found["queries"] == len(own) == 40
        assert found["families"] == len({row["family"] for row in own})
        assert sum(found["sources"].values()) == 40
        assert sum(found["templates"].values()) == 40
        variety = measure_variety([row["query"] for row in own], sample=160, seed=2)
        assert variety is not None
        assert found["variety"]["self_bleu"] == pytest.approx(variety.self_bleu)
        texts = {row["query"] for row in own}
        assert {sample["query"] for sample in found["samples"]} <= texts
    assert document["compared"]["queries"] == 160
    assert document["dropped"]["near-duplicate of another"] >= len(document["duplicates"]) > 0


def test_the_report_is_markdown_by_its_name(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    synthesize_queries(
        SAMPLE / "products.jsonl",
        tmp_path / "queries.csv",
        settings=QuerySettings(per_type=60, types=("alternative",), similarity=0.6),
        report=report,
    )
    text = report.read_text()
    assert "| alternative | 60 |" in text
    assert "## Samples: alternative" in text
    assert "## Near-duplicates that were removed" in text
    assert "| near-duplicate of another |" in text


def test_a_report_of_an_unknown_form_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must end in \.md or \.json"):
        synthesize_queries(
            SAMPLE / "products.jsonl", tmp_path / "queries.csv", report=tmp_path / "report.html"
        )


def test_real_queries_without_words_are_refused(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_text("query_id,weight\nq1,1\n")
    with pytest.raises(InputError, match="has no column query"):
        synthesize_queries(
            SAMPLE / "products.jsonl",
            tmp_path / "queries.csv",
            settings=QuerySettings(per_type=2),
            compare=real,
        )
