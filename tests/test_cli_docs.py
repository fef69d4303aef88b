"""docs/cli.md is what the commands say of themselves."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_of_commands_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "generate.py"))["cli_page"]()
    told = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert told == page, "stale: run python docs/generate.py --cli"
