"""`evalkit parse queries` as a process, and the parser by a language model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalkit.constraints import Condition, Structure
from evalkit.constraints.parsing_model import LanguageModelParser
from evalkit.errors import ModelError
from evalkit.llm import open_cache
from evalkit.llm.openai_endpoint import EndpointSettings, open_endpoint
from tests.constraints.test_parsing_catalogue import write as write_products
from tests.llm.fake_server import Action, Say, Status, fake_server

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    code = "from evalkit.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "parse", "queries", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.csv"
    path.write_text(
        "query_id,query,query_type,department\n"
        "q2,jacket without a hood under $80,general,clothing\n"
        "q1,norrvik polaris dupe,,clothing\n"
        "q3,,general,none\n",
        encoding="utf-8",
    )
    return path


def test_queries_get_a_type_and_a_structure(tmp_path: Path, queries: Path) -> None:
    products = write_products(tmp_path / "products.jsonl")
    out = tmp_path / "typed.parquet"
    done = run("--queries", queries, "--products", products, "-o", out)
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(out).to_pylist()
    assert [row["query_id"] for row in rows] == ["q1", "q2", "q3"]
    assert [row["query_type"] for row in rows] == ["alternative", "negative", None]
    assert [row["department"] for row in rows] == ["clothing", "clothing", "none"]
    structure = Structure.from_json(rows[1]["structure"])
    assert structure.excluded == (Condition("hood"),)
    assert structure.price_max == 80.0
    assert rows[2]["structure"] is None
    manifest = json.loads((tmp_path / "typed.parquet.manifest.json").read_text("utf-8"))
    assert [item["role"] for item in manifest["inputs"]] == ["queries", "products"]
    counts = manifest["counts"]
    assert (counts["queries"], counts["with_exclusions"], counts["with_reference"]) == (3, 1, 1)
    assert counts["queries_without_text"] == 1
    assert "1 of 3 queries have no text" in done.stderr

    before = out.read_bytes()
    again = run("--queries", queries, "--products", products, "-o", out)
    assert "is up to date" in again.stderr
    forced = run("--queries", queries, "--products", products, "-o", out, "--force")
    assert "Wrote" in forced.stderr
    assert out.read_bytes() == before


def test_a_type_of_the_file_is_kept_when_asked(tmp_path: Path, queries: Path) -> None:
    out = tmp_path / "typed.parquet"
    assert run("--queries", queries, "-o", out, "--keep-type").returncode == 0
    rows = pq.read_table(out).to_pylist()
    assert rows[1]["query_type"] == "general"
    structure = Structure.from_json(rows[1]["structure"])
    assert (structure.query_type, words(structure)) == ("general", ["hood"])
    assert rows[0]["query_type"] == Structure.from_json(rows[0]["structure"]).query_type


def words(structure: Structure) -> list[str]:
    return [value for condition in structure.excluded for value in condition.values]


@pytest.mark.parametrize(
    ("options", "text", "told"),
    [
        (["--parser", "llm"], "query_id,query\nq1,mug\n", "--parser llm and --llm MODEL belong"),
        (["--llm", "openai:x"], "query_id,query\nq1,mug\n", "--parser llm and --llm MODEL belong"),
        (["--triples", "t.csv"], "query_id,query\nq1,mug\n", "--triples says something about a"),
        (["--settings", "s.yaml"], "query_id,query\nq1,mug\n", "--settings says something about"),
        (["--keep-type"], "query_id,query\nq1,mug\n", "has no column query_type"),
        (["--keep-type"], "query_id,query,query_type\nq1,mug,odd\n", "is not a type: 'odd'"),
        ([], "query_id,title\nq1,mug\n", "there is no column query"),
        (["--products", "none.jsonl"], "query_id,query\nq1,mug\n", "none.jsonl: cannot be read"),
    ],
)
def test_bad_input_is_told_in_one_line(
    tmp_path: Path, options: list[str], text: str, told: str
) -> None:
    path = tmp_path / "queries.csv"
    path.write_text(text, encoding="utf-8")
    done = run("--queries", path, "-o", tmp_path / "typed.csv", *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "typed.csv").exists()


def answer(**fields: Any) -> str:
    empty = {
        "query_type": "general", "kinds": [], "required": [], "excluded": [], "price_max": None,
        "price_min": None, "price_share": None, "reference": None, "need": None,
    }  # fmt: skip
    return json.dumps(empty | fields)


def test_a_language_model_s_answer_becomes_a_structure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    good = answer(
        query_type="negative",
        kinds=["Jacket"],
        excluded=[{"attribute": "material", "values": ["PVC"]}],
        reference={"text": "Acme One", "brand": "Acme"},
    )

    said = [good]

    def behaviour(question: str, attempt: int) -> Action:
        return Say(said.pop() if said else '{"query_type": "odd"}')

    quick = EndpointSettings(first_wait=0.02, longest_wait=0.1, timeout=5.0)
    cache = open_cache(tmp_path / "answers.sqlite")
    with fake_server(behaviour) as server:
        model = open_endpoint("fake", base_url=server.url, cache=cache, budget=None, settings=quick)
        parser = LanguageModelParser(model)
        (first,) = parser.parse(["jacket without pvc"])
        (second,) = parser.parse(["belt without buckle"])
    cache.close()
    assert first.kinds == ("jacket",)
    assert first.excluded == (Condition("material", ("pvc",)),)
    assert first.reference is not None
    assert (first.reference.text, first.reference.brand) == ("acme one", "Acme")
    assert words(second) == ["buckle"], "an answer that cannot be used leaves it to the rules"
    assert parser.fallbacks == 1


def test_queries_without_an_answer_are_not_left_to_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    quick = EndpointSettings(first_wait=0.02, longest_wait=0.05, timeout=5.0)
    cache = open_cache(tmp_path / "answers.sqlite")
    with fake_server(lambda question, attempt: Status(400)) as server:
        model = open_endpoint("fake", base_url=server.url, cache=cache, budget=None, settings=quick)
        with pytest.raises(ModelError, match="2 of 2 queries got no answer"):
            LanguageModelParser(model).parse(["red mug", "belt without buckle"])
    cache.close()
