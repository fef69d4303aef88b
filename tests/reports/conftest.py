from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The weekly document of a week with all there can be."""
    from weekly_records import full_history

    from evalkit.reports.weekly.document import weekly_document
    from evalkit.store import open_store

    path = tmp_path_factory.mktemp("weekly")
    with open_store(f"sqlite:///{path}/full.db", create=True) as store:
        full_history(store)
        return weekly_document(store, "2026-W47")
