"""What the manifest of pairs names, so that nothing stale counts as up to date."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from evalkit.constraints.families import FAMILIES
from evalkit.constraints.parsing_stage import RULES
from evalkit.manifest import read_manifest
from evalkit.synthesis.held_out import GUARD
from evalkit.synthesis.pairs import PairSettings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shop

SETTINGS = PairSettings(threshold=0.0, dev_share=0.0)


def test_queries_of_people_are_read_by_rules_and_hold_out_their_like(
    shop: Shop, tmp_path: Path
) -> None:
    reported = tmp_path / "reported.csv"
    reported.write_text("query_id,query\ne1,jackets without any leather\ne2,Red  kettle\n")
    files = tmp_path / "pairs.parquet", tmp_path / "candidates.parquet"
    manifest = shop.pairs(files[0], candidates=files[1], settings=SETTINGS, held_out=reported)
    assert set(pq.read_table(files[0]).column("query_id").to_pylist()) == {"lamp", "tea"}
    reasons = {
        (row["query_id"], row["reason"])
        for row in pq.read_table(files[1]).to_pylist()
        if row["query_id"] in ("jacket", "kettle") and row["check"] == "pass"
    }
    assert reasons == {
        ("jacket", "the family is held out"),
        ("kettle", "the query is held out"),
    }
    assert manifest.settings["guard"] == GUARD
    assert manifest.settings["rules"] == RULES
    assert manifest.settings["families"] == FAMILIES


def test_facts_settings_and_held_out_queries_make_other_pairs(shop: Shop, tmp_path: Path) -> None:
    triples, settings = tmp_path / "facts.csv", tmp_path / "shop.yaml"
    triples.write_text("subject,relation,object\nnylon,is a,leather\n")
    settings.write_text("brand_tiers: {Vantrel: luxury}\n")
    reported = tmp_path / "reported.csv"
    reported.write_text("query_id,query\ne1,sofa bed\n")
    output = tmp_path / "pairs.parquet"
    seen = []
    for more in (
        {},
        {"triples": triples},
        {"catalogue_settings": settings},
        {"held_out": reported},
        {"settings": PairSettings(threshold=0.0, dev_share=0.0, per_query=1)},
    ):
        shop.pairs(output, **{"settings": SETTINGS, **more})
        seen.append(read_manifest(output).identity())
    assert all(seen[0] != other for other in seen[1:])

    def kept(**more: Path) -> set[str]:
        """Products that are good for a jacket without leather."""
        shop.pairs(output, settings=SETTINGS, **more)
        rows = pq.read_table(output).to_pylist()
        return {row["product_id"] for row in rows if row["query_id"] == "jacket" and row["label"]}

    # made again for what changed, and not taken from what is there
    assert kept() == {"j4", "j5", "j6", "j7", "j8"}
    assert kept(triples=triples) == {"j4", "j5", "j8"}


def test_another_calibration_is_another_judge_with_the_same_weights(
    shop: Shop, tmp_path: Path
) -> None:
    changed = tmp_path / "classifier"
    shutil.copytree(shop.classifier, changed)
    document = json.loads((changed / "calibration.json").read_text())
    (changed / "calibration.json").write_text(json.dumps({**document, "temperature": 2.0}))
    first, other = (
        shop.pairs(tmp_path / name, settings=SETTINGS, classifier=folder).models[0]
        for name, folder in (("a.parquet", shop.classifier), ("b.parquet", changed))
    )
    assert first["fingerprint"] != other["fingerprint"]
    assert first["weights"] == other["weights"]


def test_the_checker_is_a_judge_of_pairs_that_it_filtered(shop: Shop, tmp_path: Path) -> None:
    def judges(**more: bool) -> list[str]:
        settings = PairSettings(threshold=0.0, dev_share=0.0, **more)
        manifest = shop.pairs(tmp_path / "pairs.parquet", settings=settings)
        return [model["id"] for model in manifest.models if model["role"] == "relevance"]

    assert judges()[1:] == ["checker"]
    assert len(judges(filters=False)) == 1
