"""Fusion against numbers worked by hand."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.manifest import read_manifest
from evalkit.retrieval import fuse_runs

Row = tuple[str, str, int, float]


def fused(path: Path) -> list[Row]:
    table = pq.read_table(path).select(["query_id", "product_id", "rank", "score"])
    return [tuple(row.values()) for row in table.to_pylist()]  # type: ignore[misc]


@pytest.fixture
def lexical(tmp_path: Path) -> Path:
    path = tmp_path / "lexical.csv"
    path.write_text(
        "query_id,product_id,rank,score\nq1,a,1,12.0\nq1,b,2,8.0\nq1,c,3,4.0\nq2,x,1,3.0\n"
    )
    return path


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    """The same kind of run as a TREC file, whose order is that of its scores."""
    path = tmp_path / "dense.run"
    path.write_text("q1 Q0 c 9 0.9 d\nq1 Q0 a 9 0.7 d\nq1 Q0 e 9 0.5 d\nq3 Q0 z 9 0.1 d\n")
    return path


def test_reciprocal_rank_fusion_adds_one_over_sixty_plus_rank(
    lexical: Path, dense: Path, tmp_path: Path
) -> None:
    fuse_runs([lexical, dense], tmp_path / "f.parquet")
    expected = [
        ("q1", "a", 1, 1 / 61 + 1 / 62),
        ("q1", "c", 2, 1 / 63 + 1 / 61),
        ("q1", "b", 3, 1 / 62),
        ("q1", "e", 4, 1 / 63),
        ("q2", "x", 1, 1 / 61),
        ("q3", "z", 1, 1 / 61),
    ]
    found = fused(tmp_path / "f.parquet")
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    assert [row[3] for row in found] == pytest.approx([row[3] for row in expected], rel=1e-15)


def test_the_constant_and_the_weights_can_be_chosen(
    lexical: Path, dense: Path, tmp_path: Path
) -> None:
    fuse_runs([lexical, dense], tmp_path / "f.parquet", rrf_k=0, weights=[1, 3], k=2)
    assert fused(tmp_path / "f.parquet")[:2] == [
        ("q1", "c", 1, pytest.approx(1 / 3 + 3)),
        ("q1", "a", 2, pytest.approx(1 + 3 / 2)),
    ]


def test_the_weighted_sum_adds_scores_brought_to_zero_and_one(
    lexical: Path, dense: Path, tmp_path: Path
) -> None:
    fuse_runs([lexical, dense], tmp_path / "f.parquet", method="weighted", weights=[1, 2])
    assert fused(tmp_path / "f.parquet") == [
        ("q1", "c", 1, pytest.approx(0 + 2 * 1.0)),
        ("q1", "a", 2, pytest.approx(1.0 + 2 * 0.5)),
        ("q1", "b", 3, pytest.approx(0.5)),
        ("q1", "e", 4, pytest.approx(0.0)),
        ("q2", "x", 1, pytest.approx(1.0)),
        ("q3", "z", 1, pytest.approx(2.0)),
    ]


def test_without_normalisation_scores_are_added_as_they_are(
    lexical: Path, dense: Path, tmp_path: Path
) -> None:
    fuse_runs([lexical, dense], tmp_path / "f.parquet", method="weighted", normalise="none", k=1)
    assert fused(tmp_path / "f.parquet")[0] == ("q1", "a", 1, pytest.approx(12.7))


def test_true_ties_stay_ties_and_go_by_product_id_descending(tmp_path: Path) -> None:
    products = "abcdefghijk"
    runs = []
    for turn in range(len(products)):
        order = products[turn:] + products[:turn]  # each product has each rank once
        rows = "".join(f"q,{product},{place}\n" for place, product in enumerate(order, 1))
        runs.append(tmp_path / f"{turn}.csv")
        runs[-1].write_text("query_id,product_id,rank\n" + rows)
    fuse_runs(runs, tmp_path / "f.parquet")
    found = fused(tmp_path / "f.parquet")
    assert [row[1] for row in found] == list(reversed(products))
    assert len({row[3] for row in found}) == 1


def test_ranks_with_gaps_count_as_places(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("query_id,product_id,rank\nq,a,10\nq,b,20\n")
    (tmp_path / "b.csv").write_text("query_id,product_id,rank\nq,b,1\n")
    fuse_runs([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "f.parquet")
    assert fused(tmp_path / "f.parquet")[0] == ("q", "b", 1, pytest.approx(1 / 61 + 1 / 62))


def test_the_weighted_sum_of_a_run_without_scores_is_refused(lexical: Path, tmp_path: Path) -> None:
    (tmp_path / "ranks.csv").write_text("query_id,product_id,rank\nq1,a,1\n")
    with pytest.raises(InputError, match=r"ranks\.csv: .*has no column score\. Use --method rrf"):
        fuse_runs([lexical, tmp_path / "ranks.csv"], tmp_path / "f.parquet", method="weighted")
    assert not (tmp_path / "f.parquet").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": [1]}, "--weights has 1 values for 2 runs"),
        ({"weights": [1, 0]}, "--weights must be positive"),
        ({"rrf_k": -1}, "--rrf-k is -1"),
        ({"k": 0}, "--k is 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    settings: dict[str, object], message: str, lexical: Path, dense: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        fuse_runs([lexical, dense], tmp_path / "f.parquet", **settings)  # type: ignore[arg-type]


def test_one_run_is_nothing_to_fuse(lexical: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="two runs or more; there is 1"):
        fuse_runs([lexical], tmp_path / "f.parquet")


def test_the_same_fusion_is_not_done_twice(
    lexical: Path, dense: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.parquet"
    fuse_runs([lexical, dense], out)
    written, first = out.stat().st_mtime_ns, out.read_bytes()
    fuse_runs([lexical, dense], out)
    assert out.stat().st_mtime_ns == written
    assert "is up to date" in capsys.readouterr().err
    fuse_runs([lexical, dense], out, force=True)
    assert out.read_bytes() == first
    fuse_runs([lexical, dense], out, rrf_k=10)
    assert read_manifest(out).settings["rrf_k"] == 10
    assert out.read_bytes() != first
