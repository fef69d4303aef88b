"""Long work in pieces that survive an interruption.

A stage that takes minutes cuts its input into chunks, and each finished chunk is written at once
into a folder beside the artefact (`.pairs.parquet.chunks/`). A stage that was killed goes on after
its last finished chunk; when the artefact stands, the folder is removed. Chunks belong to one
manifest identity: with other settings or inputs they are thrown away.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.files import replacing_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evalkit.manifest import Manifest

__all__ = ["Chunks", "open_chunks"]


@dataclass(frozen=True)
class Chunks:
    """The finished chunks of one stage; see `open_chunks`.

    Attributes:
        folder: where they lie, one Arrow file each.
        reused: how many were there when the stage began.
    """

    folder: Path
    reused: int

    def get(self, number: int, make: Callable[[], Any]) -> Any:
        """Return chunk `number`, a `pyarrow.Table`, from the folder or else made and kept."""
        import pyarrow as pa

        file = self.folder / f"{number:06d}.arrow"
        if file.is_file():
            try:
                with pa.OSFile(str(file), "rb") as source:
                    return pa.ipc.open_file(source).read_all()
            except pa.ArrowInvalid:
                file.unlink()
        table = make()
        with (
            replacing_file(file) as partial,
            pa.OSFile(str(partial), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)
        return table

    def __iter__(self) -> Iterator[Path]:
        return iter(sorted(self.folder.glob("*.arrow")))

    def remove(self) -> None:
        """Throw the chunks away, once the artefact stands."""
        shutil.rmtree(self.folder, ignore_errors=True)


def open_chunks(artefact: Path, wanted: Manifest, *, force: bool = False) -> Chunks:
    """Open the chunks of an artefact, and clear those of other settings or inputs.

    Args:
        artefact: the file or folder that the stage makes.
        wanted: the manifest that it will have.
        force: start anew in any case.
    """
    folder = artefact.with_name(f".{artefact.name}.chunks")
    identity = json.dumps(wanted.identity(), sort_keys=True)
    key = hashlib.sha256(identity.encode()).hexdigest()
    mark = folder / "identity"
    if force or not mark.is_file() or mark.read_text("utf-8") != key:
        shutil.rmtree(folder, ignore_errors=True)
        with replacing_file(mark) as partial:
            partial.write_text(key, "utf-8")
    return Chunks(folder, sum(1 for _ in folder.glob("*.arrow")))
