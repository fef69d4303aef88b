"""Embeddings on disk, so that a text is encoded once per model.

Encoding takes milliseconds a text, everything else microseconds. Each finished group of texts is
written at once as a small Arrow file, so an interrupted run goes on where it stopped and a changed
catalogue costs only its new texts. Files are keyed by what makes a vector: the encoder's
fingerprint, the kind of text and its prefix; rows are keyed by a hash of the text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import ModelError
from evalkit.files import replacing_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from evalkit.retrieval.encoder import Encoder, TextKind

__all__ = ["CachedEncoder"]

_GROUP = 256
_KEY_BYTES = 16


@dataclass
class CachedEncoder:
    """An `Encoder` that remembers.

    Attributes:
        encoder: encodes what is not yet known.
        folder: where the embeddings are kept; it is created when needed.
        encoded: texts that were encoded so far.
        reused: texts whose vectors were already there.
        truncated_texts: texts of which the model saw only the beginning, whether encoded or reused.
    """

    encoder: Encoder
    folder: Path
    encoded: int = 0
    reused: int = 0
    truncated_texts: int = 0
    _known: dict[TextKind, _Known] = field(default_factory=dict, init=False, repr=False)

    @property
    def fingerprint(self) -> str:
        """Identify what is computed; the wrapped encoder's."""
        return self.encoder.fingerprint

    def prefix(self, kind: TextKind) -> str | None:
        """Return the chosen prefix of a kind of text; None where the encoder has no such choice.

        An encoder of the user's own answers for its prefixes with its fingerprint.
        """
        settings = getattr(self.encoder, "settings", None)
        return settings.prefix(kind) if settings is not None else None

    def truncated(self, texts: Sequence[str], kind: TextKind) -> NDArray[np.bool_]:
        """Tell for each text whether the model sees only its beginning."""
        return self.encoder.truncated(texts, kind)

    def encode(
        self,
        texts: Sequence[str],
        kind: TextKind,
        progress: Callable[[int], object] | None = None,
    ) -> NDArray[np.float32]:
        """Return one row of unit length for each text, float32[len(texts), dimension].

        Equal texts get the same bytes. Groups are cut from the texts sorted by length whether
        they are known or not, so that a run that was interrupted encodes the same batches.

        Args:
            texts: what to encode.
            kind: `query` or `document`.
            progress: called with the number of texts done each time some are.
        """
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = _Known(self._place(kind))
        keys = _keys(texts)
        _, first, where, times = np.unique(
            keys, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        where = where.reshape(-1)
        lengths = np.fromiter((len(texts[place]) for place in first), np.int64, count=len(first))
        order = np.lexsort((np.arange(len(first)), -lengths))
        vectors: NDArray[np.float32] | None = None
        flags = np.zeros(len(first), dtype=np.bool_)
        for start in range(0, len(order), _GROUP):
            group = order[start : start + _GROUP]
            group_keys = keys[first[group]]
            missing = group[~known.has(group_keys)]
            if len(missing):
                new = [texts[place] for place in first[missing]]
                known.add(
                    keys[first[missing]],
                    self.encoder.encode(new, kind),
                    self.encoder.truncated(new, kind),
                )
            rows, cut = known.get(group_keys)
            if vectors is None:
                vectors = np.empty((len(first), rows.shape[1]), dtype=np.float32)
            vectors[group] = rows
            flags[group] = cut
            self.encoded += len(missing)
            self.reused += int(times[group].sum()) - len(missing)
            if progress is not None:
                progress(int(times[group].sum()))
        self.truncated_texts += int(times[flags].sum())
        if vectors is None:
            return self.encoder.encode([], kind)
        return np.asarray(vectors[where], dtype=np.float32)

    def _place(self, kind: TextKind) -> Path:
        prefix = self.prefix(kind)
        parts = [self.encoder.fingerprint, kind, "own" if prefix is None else f"chosen {prefix}"]
        return self.folder / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class _Known:
    """The keys of all embeddings in a folder, sorted, and where their rows are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Path] = []
        self._keys = np.zeros((0, 2), dtype=np.uint64)
        self._rows = np.zeros((0, 2), dtype=np.int64)  # file, row
        self._last: tuple[int, Any] | None = None
        if folder.is_dir():
            for file in sorted(folder.glob("*.arrow")):
                self._take_in(file)
        self._sort()

    def has(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        return self._find(keys) >= 0

    def get(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        places = self._rows[self._find(keys)]
        vectors: NDArray[np.float32] | None = None
        flags = np.zeros(len(keys), dtype=np.bool_)
        for number in np.unique(places[:, 0]):
            here = places[:, 0] == number
            table = self._read(int(number))
            matrix = _matrix(table)
            if vectors is None:
                vectors = np.empty((len(keys), matrix.shape[1]), dtype=np.float32)
            vectors[here] = matrix[places[here, 1]]
            flags[here] = np.asarray(table.column("truncated"))[places[here, 1]]
        if vectors is None:
            raise ModelError("No embeddings were asked for.")
        return vectors, flags

    def add(
        self,
        keys: NDArray[np.uint64],
        vectors: NDArray[np.float32],
        truncated: NDArray[np.bool_],
    ) -> None:
        import pyarrow as pa

        table = pa.table(
            {
                "text": pa.FixedSizeBinaryArray.from_buffers(
                    pa.binary(_KEY_BYTES), len(keys), [None, pa.py_buffer(keys.tobytes())]
                ),
                "vector": pa.FixedSizeListArray.from_arrays(
                    pa.array(np.ascontiguousarray(vectors).reshape(-1)), vectors.shape[1]
                ),
                "truncated": pa.array(truncated),
            }
        )
        name = hashlib.sha256(keys.tobytes()).hexdigest()[:32]
        file = self._folder / f"{name}.arrow"
        with (
            replacing_file(file) as partial,
            pa.OSFile(str(partial), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)
        self._take_in(file)
        self._sort()

    def _take_in(self, file: Path) -> None:
        import pyarrow as pa

        number = len(self._files)
        self._files.append(file)
        try:
            table = self._read(number)
        except (OSError, pa.ArrowInvalid):
            # Damaged after it was written, by whatever: its texts are encoded again.
            file.unlink(missing_ok=True)
            return
        keys = np.frombuffer(b"".join(table.column("text").to_pylist()), dtype=np.uint64).reshape(
            -1, 2
        )
        rows = np.stack([np.full(len(keys), number), np.arange(len(keys))], axis=1)
        self._keys = np.concatenate([self._keys, keys])
        self._rows = np.concatenate([self._rows, rows])

    def _sort(self) -> None:
        order = np.lexsort((self._keys[:, 1], self._keys[:, 0]))
        self._keys, self._rows = self._keys[order], self._rows[order]

    def _find(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        if not len(self._keys):
            return np.full(len(keys), -1, dtype=np.int64)
        # Half of the hash finds the place, the other half confirms it.
        place = np.minimum(np.searchsorted(self._keys[:, 0], keys[:, 0]), len(self._keys) - 1)
        same = (self._keys[place] == keys).all(axis=1)
        return np.where(same, place, -1).astype(np.int64)

    def _read(self, number: int) -> Any:
        import pyarrow as pa

        if self._last is None or self._last[0] != number:
            with pa.OSFile(str(self._files[number]), "rb") as source:
                self._last = (number, pa.ipc.open_file(source).read_all())
        return self._last[1]


def _keys(texts: Sequence[str]) -> NDArray[np.uint64]:
    digests = [hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2)


def _matrix(table: Any) -> NDArray[np.float32]:
    column = table.column("vector").combine_chunks()
    return np.asarray(column.flatten(), dtype=np.float32).reshape(len(column), -1)
