"""Alembic migrations; run by `evalkit.store.upgrades`."""
