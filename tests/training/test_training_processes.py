"""Several processes that train one model: one folder, one voice, and nothing when one fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from policy_shop import write_policy_shop
from small_bert import save_small_bert

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.constraints import Structure, TypedQuery
from evalkit.manifest import read_manifest
from evalkit.rewriting.policy import locate_policy
from evalkit.training.processes import is_main, number_of_processes, per_process

if TYPE_CHECKING:
    from pathlib import Path

TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the tiny training of a rewriter, without its output."""
    shop = write_policy_shop(tmp_path_factory.mktemp("shop"))
    encoder = save_small_bert(tmp_path_factory.mktemp("models") / "encoder")
    return [
        "-m", "evalkit", "train", "rewriter",
        "--queries", str(shop["queries"]), "--rewrites", str(shop["rewrites"]),
        "--products", str(shop["products"]), "--encoder", str(encoder), "--device", "cpu",
        "--sft-epochs", "2", "--steps", "2", "--samples", "2", "--checkpoint-every", "1",
    ]  # fmt: skip


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(("several", "each"), [("1", 16), ("2", 8), ("3", 6)])
def test_processes_share_a_batch(monkeypatch: pytest.MonkeyPatch, several: str, each: int) -> None:
    monkeypatch.setenv("WORLD_SIZE", several)
    assert (number_of_processes(), per_process(16)) == (int(several), each)


def test_without_a_launcher_there_is_one_process_and_it_is_the_main_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (number_of_processes(), is_main()) == (1, True)


@pytest.mark.slow
def test_two_processes_train_one_rewriter_and_one_of_them_speaks(
    command: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = run(*TWO, *command, "--prompts", "4", "-o", str(out))
    assert ended.returncode == 0, ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert read_manifest(out).settings["processes"] == 2
    assert ended.stdout == ""
    for said in ("Warm start:", "(before the rewards)", "REINFORCE++:", "Wrote "):
        assert ended.stderr.count(said) == 1, ended.stderr
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["stage"] == "reinforce"] == [1, 2]
    assert len(list((out / "tensorboard").glob("events.*"))) == 1

    query = TypedQuery("q", "lamp without brass", Structure("general", ("lamp",)), "f")
    said_by_model = locate_policy(out).load("cpu").generate([query], n=1, seed=0)
    assert len(said_by_model[0]) == 1

    again = run(*TWO, *command, "--prompts", "4", "-o", str(out))
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("is up to date") == 1


DIES = """
import os, sys, threading, time
from pathlib import Path

def die_when_there(path):
    while not path.exists():
        time.sleep(0.005)
    os._exit(3)

if os.environ["RANK"] == "1":
    watched = Path(sys.argv.pop(1))
    threading.Thread(target=die_when_there, args=[watched], daemon=True).start()
else:
    sys.argv.pop(1)

from evalkit.cli import main
main()
"""


@pytest.mark.slow
def test_where_one_process_dies_all_end_and_no_folder_appears(
    command: list[str], tmp_path: Path
) -> None:
    script, place = tmp_path / "dies.py", tmp_path / "place"
    script.write_text(DIES)
    place.mkdir()
    warm = place / "out.checkpoints" / "supervised"
    module, options = command[:2], command[2:]
    assert module == ["-m", "evalkit"]
    ended = run(*TWO, str(script), str(warm), *options, "--prompts", "4", "-o", str(place / "out"))
    assert ended.returncode != 0
    assert "exitcode  : 3" in ended.stderr
    assert "Wrote" not in ended.stderr
    assert [path.name for path in place.iterdir()] == ["out.checkpoints"]
