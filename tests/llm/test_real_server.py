"""A real OpenAI-compatible server: `transformers serve` on loopback, with a tiny model of ours.

The model writes nonsense, and that is what must come through: real texts, counted tokens, and the
word that they are not valid JSON.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from evalkit.llm import LanguageModel, load_prompt, open_language_model
from tests.llm.conftest import ask
from tests.llm.tiny_model import make_tiny_model

START = 60.0  # seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("served") / "tiny", positions=4096)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    for package in ("fastapi", "uvicorn"):
        pytest.importorskip(package)
    command = shutil.which("transformers", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("no command transformers beside this Python")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder.parent / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                *(command, "serve", str(folder), "--device", "cpu"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "GOMP_SPINCOUNT": "0"},
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_healthy(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            with opener.open(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"transformers serve did not come up:\n{log.read_text()[-2000:]}")


def test_a_real_server_answers_and_the_cache_keeps_it(
    address: str, folder: Path, answers: Path
) -> None:
    questions = ask("black yoga mat", "kettle", "red shoes")

    def opened() -> LanguageModel:
        return open_language_model(f"openai:{folder}", base_url=address, cache=answers)

    first = opened()
    came = first.generate(questions, n=2, max_tokens=12, seed=5)
    assert not any(answer.error for answer in came)
    assert all(len(answer.texts) == 2 and all(answer.texts) for answer in came)
    assert len({answer.texts for answer in came}) == 3
    assert all(0 < answer.usage.completion_tokens <= 24 for answer in came)
    assert all(answer.usage.prompt_tokens > 10 for answer in came)
    assert first.counts.requests == 6

    second = opened()
    again = second.generate(questions, n=2, max_tokens=12, seed=5)
    assert [answer.texts for answer in again] == [answer.texts for answer in came]
    assert all(answer.cached for answer in again)
    assert second.counts.requests == 0


def test_nonsense_of_a_real_server_is_reported_as_invalid(
    address: str, folder: Path, answers: Path
) -> None:
    model = open_language_model(f"openai:{folder}", base_url=address, cache=answers)
    prompt = load_prompt("rewrite")
    asked = [prompt.fill(n=2, query="leather jacket without polyurethane", structure="", words="")]
    [answer] = model.generate(asked, max_tokens=12, schema=prompt.schema, prompt=prompt.identity)
    assert answer.parsed == (None,)
    assert answer.error.startswith("invalid also after a repair: ")
    assert answer.texts[0]
    assert model.counts.repairs == 1
    assert model.counts.invalid == 1


def test_a_model_that_the_server_lacks_is_an_error(address: str, answers: Path) -> None:
    model = open_language_model("openai:no-such-model", base_url=address, cache=answers)
    [answer] = model.generate(ask("kettle"))
    assert answer.error.startswith("the server answered 400: Server is pinned to")
