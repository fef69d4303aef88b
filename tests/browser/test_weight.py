"""What a vote may not cost: memory for libraries that the page has no use for."""

import sys
from pathlib import Path

import pytest
from annotation_studies import make_study

from evalkit.store import invite, open_store


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_voting_loads_no_data_frame_library(tmp_path, serve, visit):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    make_study(url, tasks=5)
    make_study(url, "second", tasks=5)  # so that there is a choice in the menu
    with open_store(url) as store:
        _, token = invite(store, "Ann")
    server = serve(url)
    ann = visit(server, token)
    ann.press("2")
    ann.key("m")
    ann.page.get_by_role("button", name="Good: Left 1", exact=True).click()
    ann.click("Right better")
    loaded = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "sqlalchemy" in loaded
    for library in ("pandas", "pyarrow", "numpy", "scipy", "duckdb"):
        assert f"/{library}/" not in loaded
