"""Artefacts appear whole, with what they were made from."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.files import replacing_file, replacing_folder, write_text
from evalkit.manifest import (
    Input,
    Manifest,
    fingerprint,
    finished_before,
    manifest_path,
    read_manifest,
)


def manifest(**changed: object) -> Manifest:
    facts: dict[str, object] = {
        "command": "evalkit retrieve",
        "settings": {"k": 10, "fields": ("title", "brand")},
        "inputs": (Input("queries", "queries.csv", "sha256:aa", 3),),
        "seeds": {"index": 0},
    }
    return Manifest(**{**facts, **changed})  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run.csv"
    path.write_text("query_id,product_id,rank\n")
    manifest(counts={"rows": 0}).write(path, started=time.monotonic())
    return path


def test_a_manifest_records_everything_and_is_read_back(run: Path) -> None:
    document = json.loads(manifest_path(run).read_text())
    assert document["outputs"] == {"run.csv": {"bytes": 25, "fingerprint": fingerprint(run)}}
    assert document["package"] == "evalkit-search"
    assert document["wall_seconds"] >= 0
    assert document["finished"].endswith("+00:00")
    assert read_manifest(run).counts == {"rows": 0}


def test_the_same_stage_is_finished(run: Path) -> None:
    moved = (Input("queries", "elsewhere/queries.csv", "sha256:aa"),)
    assert finished_before(run, manifest(inputs=moved)) == read_manifest(run)


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": {"k": 20, "fields": ("title", "brand")}},
        {"inputs": (Input("queries", "queries.csv", "sha256:bb", 3),)},
        {"seeds": {"index": 1}},
        {"models": ({"role": "encoder", "fingerprint": "sha256:cc"},)},
        {"version": "0.0.1"},
    ],
)
def test_another_stage_is_not_finished(run: Path, changed: dict[str, object]) -> None:
    assert finished_before(run, manifest(**changed)) is None


def test_an_artefact_that_was_changed_or_lost_is_not_finished(run: Path) -> None:
    run.write_text("query_id,product_id,rank!\n")
    assert finished_before(run, manifest()) is None
    run.unlink()
    assert finished_before(run, manifest()) is None


@pytest.mark.parametrize("content", ["", "[]", '{"manifest": 99}', '{"manifest": 1}'])
def test_a_damaged_manifest_is_refused_and_counts_as_unfinished(run: Path, content: str) -> None:
    manifest_path(run).write_text(content)
    with pytest.raises(InputError, match="manifest"):
        read_manifest(run)
    assert finished_before(run, manifest()) is None


def test_nothing_is_left_of_a_file_whose_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")
    with suppress(KeyboardInterrupt), replacing_file(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "before"


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    for content in ("one", "two"):
        with replacing_folder(folder) as partial:
            (partial / f"{content}.txt").write_text(content)
            manifest().write(partial, started=time.monotonic())
    with suppress(KeyboardInterrupt), replacing_folder(folder) as partial:
        (partial / "three.txt").write_text("half")
        raise KeyboardInterrupt
    assert [item.name for item in tmp_path.iterdir()] == ["index"]
    assert sorted(file.name for file in folder.iterdir()) == ["artefact.manifest.json", "two.txt"]


def test_a_folder_that_is_not_ours_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(b"")
    with (
        pytest.raises(SettingsError, match="exists and is not an evalkit index"),
        replacing_folder(tmp_path / "photos"),
    ):
        pass
    assert (tmp_path / "photos" / "me.jpg").exists()


def test_leftovers_of_a_killed_process_are_cleared(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    gone = tmp_path / f".index.partial-{int(done.stdout)}"
    alive = tmp_path / f".index.partial-{os.getppid()}"
    for leftover in (gone, alive):
        leftover.mkdir()
    with replacing_folder(tmp_path / "index") as partial:
        manifest().write(partial, started=time.monotonic())
    assert not gone.exists()
    assert alive.exists()


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        fingerprint(tmp_path / "missing.csv")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    """Whoever may replace /dev/null would otherwise make a file of it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text("a\n", pipe)
        assert os.read(reader, 9) == b"a\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
