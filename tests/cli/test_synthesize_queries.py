"""`evalkit synthesize queries` as a process."""

from __future__ import annotations

import csv
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Spawn = Callable[..., subprocess.CompletedProcess[str]]

PRODUCTS = Path(__file__).parents[2] / "sample_data" / "products.jsonl"


def test_queries_are_made_with_a_manifest_and_a_report(spawn: Spawn, tmp_path: Path) -> None:
    output, report = tmp_path / "queries.csv", tmp_path / "report.md"
    options = ("--per-type", 25, "--seed", 7, "-o", output, "--report", report)
    done = spawn("synthesize", "queries", "--products", PRODUCTS, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "negative: 25 queries" in done.stderr
    assert "100 queries in" in done.stderr
    with open(output, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 100
    assert json.loads(rows[0]["structure"])["query_type"] == rows[0]["query_type"]
    manifest = json.loads((tmp_path / "queries.csv.manifest.json").read_text())
    assert manifest["seeds"] == {"seed": 7}
    assert manifest["counts"]["alternative"] == 25
    assert report.read_text().startswith("# Typed queries")
    again = spawn("synthesize", "queries", "--products", PRODUCTS, *options)
    assert "up to date" in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--products", "none.jsonl"), "none.jsonl: cannot be read"),
        (("--products", PRODUCTS, "--types", "odd"), "--types names 'odd'"),
        (("--products", PRODUCTS, "--source", "llm"), "--source llm needs a model"),
        (("--products", PRODUCTS, "--report", "report.pdf"), "must end in .md or .json"),
        (("--products", PRODUCTS, "--settings", "bad.yaml"), "bad.yaml"),
        (("--products", PRODUCTS, "--triples", "bad.csv"), "bad.csv"),
        (("--products", PRODUCTS, "--per-type", 0), "--per-type"),
        (("--products", PRODUCTS, "--similarity", 2), "--similarity"),
        (("--products", PRODUCTS, "-o", "bad.yaml/queries.csv"), "folder cannot be made"),
    ],
)
def test_bad_input_is_told_in_one_line(
    spawn: Spawn, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    (tmp_path / "bad.yaml").write_text("colours: [red]\n")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    output = () if "-o" in options else ("-o", "queries.csv")
    done = spawn("synthesize", "queries", *options, *output, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "queries.csv").exists()


def test_help_ends_with_an_example(spawn: Spawn) -> None:
    done = spawn("synthesize", "queries", "--help")
    assert done.returncode == 0
    assert "Example: evalkit synthesize queries" in " ".join(done.stdout.split())
    group = spawn("synthesize", "--help")
    assert all(name in group.stdout for name in ("queries", "pairs", "all"))


class _Shopkeeper(BaseHTTPRequestHandler):
    """Answers every chat with the same two queries, one of which the catalogue does not have."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        plain = {"required": [], "price_max": None, "reference": None, "need": None}
        lid = {"query_type": "negative", "excluded": [{"attribute": "hood", "values": []}]}
        queries = [
            {"query": "coat for a bare head, no hood thing", "kind": "jacket", **lid, **plain},
            {"query": "spaceship no hood", "kind": "spaceship", **lid, **plain},
        ]
        message = {"role": "assistant", "content": json.dumps({"queries": queries})}
        body = json.dumps(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "shopkeeper",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


def test_a_server_writes_queries_that_the_catalogue_bears_out(
    spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shopkeeper)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        done = spawn(
            *("synthesize", "queries", "--products", PRODUCTS, "--types", "negative"),
            *("--per-type", 6, "--source", "templates,llm", "--llm", "openai:shopkeeper"),
            *("--base-url", f"http://127.0.0.1:{server.server_port}/v1"),
            *("--cache", tmp_path / "answers.sqlite", "-o", tmp_path / "queries.csv"),
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "queries.csv", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["source"] == "llm"]
    assert [row["query"] for row in rows] == ["coat for a bare head, no hood thing"]
    assert rows[0]["template"] == "synthesize_queries.v1"
    manifest = json.loads((tmp_path / "queries.csv.manifest.json").read_text())
    assert manifest["counts"]["dropped: llm: a kind that the catalogue has not"] >= 1
    assert manifest["models"][0]["role"] == "writer"
