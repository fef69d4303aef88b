"""Databases of a PostgreSQL server, for fixtures and tests."""

from __future__ import annotations

import sqlalchemy as sa


def run_sql(address: str, *statements: str) -> None:
    engine = sa.create_engine(
        sa.make_url(address).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def named(address: str, name: str) -> str:
    url = sa.make_url(address).set(drivername="postgresql+psycopg", database=name)
    return url.render_as_string(hide_password=False)
