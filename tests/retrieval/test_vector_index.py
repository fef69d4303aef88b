"""FAISS indexes against plain NumPy."""

import hashlib
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from evalkit.errors import InputError, SettingsError
from evalkit.retrieval.vector_index import (
    VectorIndexSettings,
    build_vectors,
    open_vectors,
    search_vectors,
)

Vectors = NDArray[np.float32]


def unit_rows(count: int, dimension: int = 64, seed: int = 0) -> Vectors:
    """Rows around forty centres, since vectors of products are not spread evenly either."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(40, dimension))
    rows = centres[generator.integers(0, 40, count)] + generator.normal(size=(count, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def brute_force(vectors: Vectors, queries: Vectors, k: int) -> list[list[int]]:
    scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
    return [
        sorted(range(len(vectors)), key=lambda place: (-row[place], place))[:k] for row in scores
    ]


def found_by(index: object, queries: Vectors, k: int) -> list[list[int]]:
    hits = search_vectors(index, queries, k)
    return [hits.position[hits.query == number].tolist() for number in range(len(queries))]


def shared(one: list[list[int]], other: list[list[int]]) -> float:
    pairs = zip(one, other, strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs]))


def saved_digest(index: object, path: Path) -> str:
    faiss.write_index(index, str(path))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_flat_search_is_the_dot_product_with_every_product() -> None:
    vectors, queries = unit_rows(700), unit_rows(90, seed=1)
    index = build_vectors(vectors, VectorIndexSettings("flat"))
    hits = search_vectors(index, queries, 20)
    assert found_by(index, queries, 20) == brute_force(vectors, queries, 20)
    expected = (queries[hits.query].astype(float) * vectors[hits.position].astype(float)).sum(1)
    np.testing.assert_allclose(hits.score, expected, atol=1e-7)


def test_equal_scores_are_ordered_by_position_also_at_the_last_place() -> None:
    vectors = unit_rows(300)
    vectors[50:250] = vectors[50]  # far more equal products than are asked for
    index = build_vectors(vectors, VectorIndexSettings("flat"))
    hits = search_vectors(index, vectors[50:51], 30)
    assert hits.position.tolist() == list(range(50, 80))
    assert len(set(hits.score.tolist())) == 1


def test_scores_do_not_depend_on_which_queries_share_a_batch() -> None:
    index = build_vectors(unit_rows(500), VectorIndexSettings("flat"))
    queries = unit_rows(70, seed=3)
    together = search_vectors(index, queries, 10)
    alone = search_vectors(index, queries[69:], 10)
    assert together.score[together.query == 69].tobytes() == alone.score.tobytes()


def test_more_results_than_products_gives_all_products() -> None:
    index = build_vectors(unit_rows(7), VectorIndexSettings("flat"))
    assert sorted(found_by(index, unit_rows(1, seed=2), 100)[0]) == list(range(7))


def test_hnsw_finds_nearly_what_flat_finds() -> None:
    vectors, queries = unit_rows(2_000), unit_rows(50, seed=1)
    index = build_vectors(vectors, VectorIndexSettings("hnsw"))
    assert shared(found_by(index, queries, 10), brute_force(vectors, queries, 10)) > 0.97


def test_hnsw_is_built_the_same_twice(tmp_path: Path) -> None:
    settings = VectorIndexSettings("hnsw", hnsw_build_effort=40)
    built = [build_vectors(unit_rows(3_000), settings) for _ in range(3)]
    assert len({saved_digest(index, tmp_path / "i") for index in built}) == 1


def test_ivfpq_with_a_seed_is_built_the_same_twice_and_is_small(tmp_path: Path) -> None:
    vectors = unit_rows(1_500)
    one, other = (build_vectors(vectors, VectorIndexSettings("ivfpq", seed=4)) for _ in range(2))
    assert saved_digest(one, tmp_path / "1") == saved_digest(other, tmp_path / "2")
    flat = build_vectors(vectors, VectorIndexSettings("flat"))
    saved_digest(flat, tmp_path / "flat")
    assert (tmp_path / "1").stat().st_size < (tmp_path / "flat").stat().st_size / 3


def test_another_seed_gives_another_ivfpq(tmp_path: Path) -> None:
    vectors = unit_rows(1_000)
    built = [build_vectors(vectors, VectorIndexSettings("ivfpq", seed=seed)) for seed in (0, 1)]
    assert len({saved_digest(index, tmp_path / "i") for index in built}) == 2


def test_ivfpq_finds_most_of_what_flat_finds() -> None:
    vectors, queries = unit_rows(2_000), unit_rows(50, seed=1)
    index = build_vectors(vectors, VectorIndexSettings("ivfpq", code_bytes=32))
    hits = search_vectors(index, queries, 10, search_effort=1_000)
    found = [hits.position[hits.query == number].tolist() for number in range(50)]
    assert shared(found, brute_force(vectors, queries, 10)) > 0.7


def test_ivfpq_is_refused_for_a_small_catalogue() -> None:
    with pytest.raises(SettingsError, match=r"at least 1,000 products.*there are 60; use --index"):
        build_vectors(unit_rows(60), VectorIndexSettings("ivfpq"))


def test_codes_that_do_not_divide_the_dimension_are_refused() -> None:
    with pytest.raises(SettingsError, match="--code-bytes 7 does not divide the dimension 64"):
        build_vectors(unit_rows(1_000), VectorIndexSettings("ivfpq", code_bytes=7))


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivfpq"])
def test_a_saved_index_finds_what_it_found_before(kind: str, tmp_path: Path) -> None:
    index = build_vectors(unit_rows(1_000), VectorIndexSettings(kind))  # type: ignore[arg-type]
    faiss.write_index(index, str(tmp_path / "i.faiss"))
    before = search_vectors(index, unit_rows(5, seed=1), 10)
    after = search_vectors(open_vectors(tmp_path / "i.faiss"), unit_rows(5, seed=1), 10)
    assert before.position.tolist() == after.position.tolist()
    assert before.score.tobytes() == after.score.tobytes()


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "i.faiss").write_bytes(b"not an index at all")
    with pytest.raises(InputError, match="FAISS cannot read this index"):
        open_vectors(tmp_path / "i.faiss")
