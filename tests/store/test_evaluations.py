"""What was evaluated, week by week: recorded once, replaced by later records, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from studying import NOW, annotator, rows

from evalkit.errors import StoreError
from evalkit.store import (
    audit,
    check_week,
    current_week,
    document_fingerprint,
    evaluation_values,
    evaluations,
    record_evaluation,
    weeks_between,
)

if TYPE_CHECKING:
    from evalkit.store import Evaluation, Store


def record(store: Store, **fields: Any) -> Evaluation:
    return record_evaluation(
        store,
        **{
            "week": "2026-W47",
            "name": "weekly",
            "document": {"kind": "score"},
            "fingerprint": "sha256:0",
            "now": NOW,
            **fields,
        },
    )


def test_an_evaluation_comes_back_as_it_was_recorded(store: Store) -> None:
    root = annotator(store, "root", role="analyst")
    made = record(
        store,
        document={"b": [1, 2.5, None], "a": "ü"},
        query_set="sha256:1",
        judge="classifier v1",
        actor=root,
    )
    assert evaluations(store) == [made]
    assert list(made.document.items()) == [("b", [1, 2.5, None]), ("a", "ü")]
    assert (made.week, made.name, made.kind) == ("2026-W47", "weekly", "score")
    assert (made.fingerprint, made.query_set, made.judge) == (
        "sha256:0",
        "sha256:1",
        "classifier v1",
    )
    assert (made.recorded_at, made.recorded_by, made.earlier) == (NOW, "root", 0)


def test_the_same_evaluation_a_second_time_changes_nothing(store: Store) -> None:
    made = record(store)
    assert record(store, now=NOW + 1) == made
    assert len(rows(store, "SELECT id FROM evaluation")) == 1
    assert len(audit(store)) == 1


def test_the_latest_record_counts_and_the_earlier_ones_stay(store: Store) -> None:
    first = record(store)
    second = record(store, fingerprint="sha256:1")
    third = record(store, fingerprint="sha256:2")
    assert evaluations(store) == [third]
    assert evaluations(store, latest_only=False) == [first, second, third]
    assert [each.earlier for each in (first, second, third)] == [0, 1, 2]


def test_what_was_replaced_counts_again_when_it_is_recorded_again(store: Store) -> None:
    first = record(store, document={"a": 1})
    record(store, document={"a": 2}, fingerprint="sha256:1")
    again = record(store, document={"a": 1})
    assert (again.id > first.id, again.earlier) == (True, 2)
    assert [each.document for each in evaluations(store)] == [{"a": 1}]


@pytest.mark.parametrize(
    "other", [{"week": "2026-W46"}, {"name": "monthly"}, {"kind": "calibration"}]
)
def test_records_of_another_week_name_or_kind_replace_nothing(
    store: Store, other: dict[str, Any]
) -> None:
    made, beside = record(store), record(store, **other)
    assert made.id != beside.id
    assert (made.earlier, beside.earlier) == (0, 0)
    assert len(evaluations(store)) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        [{"kind": "study", "document": {"study": {"name": name}}} for name in ("shoes", "coats")],
        [{"kind": "judge", "judge": name} for name in ("v1", "v2")],
    ],
    ids=["study", "judge"],
)
def test_every_study_and_every_judge_of_a_week_counts_for_itself(
    store: Store, one: dict[str, Any], other: dict[str, Any]
) -> None:
    first = record(store, **one)
    beside = record(store, **other, fingerprint="sha256:1")
    assert (first.earlier, beside.earlier) == (0, 0)
    assert evaluations(store) == [first, beside]
    assert record(store, **one, now=NOW + 1) == first  # still counts, so nothing changes
    again = record(store, **one, fingerprint="sha256:2")
    assert again.earlier == 1
    assert evaluations(store) == [beside, again]
    assert evaluations(store, latest_only=False) == [first, beside, again]
    assert audit(store)[0].details["instead_of"] == first.id


def test_evaluations_are_sorted_by_week(store: Store) -> None:
    for week in ("2026-W47", "2025-W52", "2027-W01", "2026-W09"):
        record(store, week=week)
    weeks = [each.week for each in evaluations(store)]
    assert weeks == ["2025-W52", "2026-W09", "2026-W47", "2027-W01"]


def test_evaluations_are_found_by_week_name_and_kind(store: Store) -> None:
    weekly = record(store)
    monthly = record(store, name="monthly")
    study = record(store, kind="study", week="2026-W48")
    assert evaluations(store, name="weekly") == [weekly, study]
    assert evaluations(store, name="monthly") == [monthly]
    assert evaluations(store, kind="study") == [study]
    assert evaluations(store, week="2026-W47", kind="score", name="weekly") == [weekly]
    assert evaluations(store, week="2026-W46") == []


def test_the_values_of_every_query_come_back_bit_for_bit(store: Store) -> None:
    table = pa.table(
        {
            "query_id": ["q1", "ü"],
            "delta": [0.1 + 0.2, None],
            "judged": pa.array([1, 2], pa.int64()),
        }
    )
    made = record(store, values=table)
    found = evaluation_values(store, made.id)
    assert found is not None
    assert found.schema == table.schema
    assert found.equals(table)


def test_values_are_stored_as_parquet_packed_with_zstd(store: Store) -> None:
    import pyarrow.parquet as pq

    record(store, values=pa.table({"query_id": ["q1"]}))
    packed = bytes(rows(store, 'SELECT "values" FROM evaluation')[0][0])
    assert pq.ParquetFile(pa.BufferReader(packed)).metadata.row_group(0).column(0).compression == (
        "ZSTD"
    )


def test_an_evaluation_without_values_has_none(store: Store) -> None:
    assert evaluation_values(store, record(store).id) is None
    with pytest.raises(StoreError, match="no recorded evaluation with the number 99"):
        evaluation_values(store, 99)


def test_the_audit_log_says_what_was_recorded_and_what_it_replaces(store: Store) -> None:
    root = annotator(store, "root", role="analyst")
    first = record(store, actor=root)
    second = record(store, fingerprint="sha256:1", actor=root, now=NOW + 5)
    found = [each for each in audit(store) if each.action == "evaluation recorded"]
    assert [(each.actor, each.at) for each in found] == [("root", NOW + 5), ("root", NOW)]
    recorded = {"kind": "score", "week": "2026-W47", "name": "weekly"}
    assert found[1].details == {**recorded, "evaluation": first.id}
    assert found[0].details == {**recorded, "evaluation": second.id, "instead_of": first.id}


def test_the_database_itself_knows_which_kinds_there_are(store: Store) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError, match="ck_evaluation_kind"),
        store.writing() as connection,
    ):
        connection.execute(
            sa.text(
                "INSERT INTO evaluation (week, name, document, fingerprint, recorded_at, kind, "
                "revision) VALUES ('2026-W47', 'n', '{}', 'f', 1, 'rumour', 1)"
            )
        )


def test_a_week_that_is_none_a_kind_and_a_name_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"There is no week 2026-W54; .* from W01 to W53"):
        record(store, week="2026-W54")
    with pytest.raises(StoreError, match="'2026-W7' is not understood"):
        record(store, week="2026-W7")
    with pytest.raises(StoreError, match="recorded under a name"):
        record(store, name=" ")
    with pytest.raises(StoreError, match="the kind 'rumour' are not recorded; there are: score,"):
        record(store, kind="rumour")
    assert evaluations(store) == []


# weeks


def test_a_year_has_the_weeks_that_it_has() -> None:
    assert check_week("2026-W53") == "2026-W53"  # 2026 begins on a Thursday
    for year, last in ((2025, 52), (2024, 52), (2020, 53)):
        assert check_week(f"{year}-W{last}")
        with pytest.raises(StoreError, match=f"from W01 to W{last}"):
            check_week(f"{year}-W{last + 1}")
    for wrong in ("2026-W00", "0000-W01", "2026-47", "2026W47", "2026-W٤٧", "", "2026-W47 "):
        with pytest.raises(StoreError):
            check_week(wrong)


def test_the_week_of_a_moment_is_that_of_utc() -> None:
    assert current_week(1_767_225_600_000) == "2026-W01"  # 2026-01-01 00:00
    assert current_week(1_767_225_600_000 - 4 * 86_400_000) == "2025-W52"
    assert check_week(current_week())


def test_weeks_are_counted_over_the_end_of_a_year() -> None:
    assert weeks_between("2026-W46", "2026-W47") == 1
    assert weeks_between("2026-W53", "2027-W01") == 1
    assert weeks_between("2027-W02", "2026-W52") == -3


# fingerprints


def test_a_document_is_known_by_its_content_not_by_how_it_was_called() -> None:
    document = {
        "results": [{"delta": 0.1}],
        "inputs": [{"path": "a.csv", "fingerprint": "sha256:0", "rows": 3}],
        "command": "evalkit score --control a.csv",
    }
    moved = {
        **document,
        "inputs": [{"path": "b/a.csv", "fingerprint": "sha256:0", "rows": 3}],
        "command": "evalkit score --control b/a.csv",
    }
    other_input = {
        **document,
        "inputs": [{"path": "a.csv", "fingerprint": "sha256:1", "rows": 3}],
    }
    other_figure = {**document, "results": [{"delta": 0.2}]}
    assert document_fingerprint(moved) == document_fingerprint(document)
    assert document_fingerprint(other_input) != document_fingerprint(document)
    assert document_fingerprint(other_figure) != document_fingerprint(document)
