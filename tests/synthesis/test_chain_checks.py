"""The chain looks at all that it was given before it makes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.errors import EvalkitError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shop

FILES = {
    "judged.csv": "query_id,query\nq1,red jacket\n",
    "grades.csv": "query_id,product_id,grade\nq1,p1,2\n",
    "ungraded.csv": "query_id,product_id\nq1,p1\n",
    "textless.csv": "query_id,query_type\nq1,general\n",
    "typed.csv": "query_id,query,structure\nq1,red jacket,{odd\n",
    "shop.yaml": "colours: [red]\n",
    "facts.csv": "a,b\n1,2\n",
}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--judgments none.csv --judged-queries judged.csv", "none.csv: there is no such file"),
        ("--judgments ungraded.csv --judged-queries judged.csv", "ungraded.csv"),
        ("--judgments grades.csv --judged-queries none.csv", "none.csv: there is no such file"),
        ("--judgments grades.csv --judged-queries textless.csv", "textless.csv"),
        ("--judgments grades.csv", "--judgments and --judged-queries belong together"),
        ("--held-out none.csv", "none.csv: there is no such file"),
        ("--held-out typed.csv", "typed.csv"),
        ("--classifier none", "none is not a classifier's folder"),
        ("--rewrite-classifier none", "none is not a classifier's folder"),
        ("--classifier REWRITES", "is a classifier of rewrites, and one of products is needed"),
        ("--rewrite-classifier PRODUCTS", "is a classifier of products, and one of rewrites"),
        ("--classifier PRODUCTS --precision 0.5", "reached no precision up to 0.5"),
        ("--settings shop.yaml", "shop.yaml: colours is unknown"),
        ("--settings none.yaml", "none.yaml: cannot be read"),
        ("--triples facts.csv", "facts.csv"),
    ],
)
def test_what_a_late_step_would_refuse_is_refused_before_the_first(
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    given = options.replace("PRODUCTS", str(shop.classifier))
    given = given.replace("REWRITES", str(shop.rewrite_classifier))
    command = ["synthesize", "all", "--products", str(shop.products), "-o", "out", *given.split()]
    with pytest.raises(EvalkitError) as caught:
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
