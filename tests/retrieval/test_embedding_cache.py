"""Texts are encoded once, whatever happens in between."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evalkit.retrieval.embedding_cache import CachedEncoder
from evalkit.retrieval.encoder import EncoderSettings, TextKind


@dataclass
class LetterCounts:
    """An encoder of one's own: counts letters; can be told to fail after some texts."""

    fingerprint: str = "letters-1"
    fails_after: int | None = None
    settings: EncoderSettings | None = None
    seen: list[str] = field(default_factory=list)

    def encode(self, texts: Sequence[str], kind: TextKind) -> NDArray[np.float32]:
        self.seen += texts
        if self.fails_after is not None and len(self.seen) > self.fails_after:
            raise KeyboardInterrupt
        rows = np.array([[text.count(chr(97 + n)) + 0.1 for n in range(8)] for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def truncated(self, texts: Sequence[str], kind: TextKind) -> NDArray[np.bool_]:
        return np.array([len(text) > 20 for text in texts])


def words(count: int) -> list[str]:
    return [
        f"product {number} {'abcdefgh'[number % 8] * (number % 5 + 1)}" for number in range(count)
    ]


def test_the_second_time_nothing_is_encoded(tmp_path: Path) -> None:
    first = CachedEncoder(LetterCounts(), tmp_path)
    vectors = first.encode(words(700), "document")
    second = CachedEncoder(LetterCounts(), tmp_path)
    assert second.encode(words(700), "document").tobytes() == vectors.tobytes()
    assert (first.encoded, first.reused) == (700, 0)
    assert (second.encoded, second.reused) == (0, 700)
    np.testing.assert_array_equal(vectors, LetterCounts().encode(words(700), "document"))


def test_a_changed_catalogue_costs_only_its_new_texts(tmp_path: Path) -> None:
    CachedEncoder(LetterCounts(), tmp_path).encode(words(300), "document")
    inner = LetterCounts()
    CachedEncoder(inner, tmp_path).encode([*words(300), "new one", "new two"], "document")
    assert sorted(inner.seen) == ["new one", "new two"]


def test_equal_texts_are_encoded_once_and_get_the_same_bytes(tmp_path: Path) -> None:
    encoder = CachedEncoder(LetterCounts(), tmp_path)
    vectors = encoder.encode(["abc", "xyz", "abc", "abc"], "document")
    assert (encoder.encoded, encoder.reused) == (2, 2)
    assert vectors[0].tobytes() == vectors[2].tobytes() == vectors[3].tobytes()


def test_an_interrupted_run_keeps_its_finished_groups(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        CachedEncoder(LetterCounts(fails_after=600), tmp_path).encode(words(1_000), "document")
    again = CachedEncoder(LetterCounts(), tmp_path)
    again.encode(words(1_000), "document")
    assert (again.encoded, again.reused) == (1_000 - 2 * 256, 2 * 256)


def test_a_damaged_file_is_encoded_again(tmp_path: Path) -> None:
    CachedEncoder(LetterCounts(), tmp_path).encode(words(600), "document")
    largest = max(tmp_path.rglob("*.arrow"), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:100])
    again = CachedEncoder(LetterCounts(), tmp_path)
    vectors = again.encode(words(600), "document")
    assert (again.encoded, again.reused) == (256, 344)
    np.testing.assert_array_equal(vectors, LetterCounts().encode(words(600), "document"))


def test_another_model_kind_or_prefix_shares_nothing(tmp_path: Path) -> None:
    CachedEncoder(LetterCounts(), tmp_path).encode(["abc"], "document")
    prefixed = EncoderSettings(document_prefix="item: ")
    others = [
        (CachedEncoder(LetterCounts("letters-2"), tmp_path), "document"),
        (CachedEncoder(LetterCounts(), tmp_path), "query"),
        (CachedEncoder(LetterCounts(settings=prefixed), tmp_path), "document"),
    ]
    for encoder, kind in others:
        encoder.encode(["abc"], kind)  # type: ignore[arg-type]
        assert encoder.encoded == 1


def test_truncated_texts_are_counted_also_when_they_are_known(tmp_path: Path) -> None:
    texts = ["a" * 30, "b" * 30, "short", "a" * 30]
    for _ in range(2):
        encoder = CachedEncoder(LetterCounts(), tmp_path)
        encoder.encode(texts, "document")
        assert encoder.truncated_texts == 3
