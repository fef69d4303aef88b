"""Queries to train on and queries that are reported: no family and no wording is of both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from jackets import write_jackets

from evalkit.cli import cli
from evalkit.constraints import Condition, Reference, Structure
from evalkit.constraints.families import PARTS, Part, families, part_of, split_families
from evalkit.errors import SettingsError
from evalkit.manifest import read_manifest
from evalkit.synthesis import QuerySettings, synthesize_queries
from evalkit.synthesis.queries_part import QueryPart

PRODUCTS = Path(__file__).parents[2] / "sample_data" / "products.jsonl"
TYPES = ("negative", "alternative", "knowledge", "general")
EACH = 60

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[Part, Rows]:
    """Both parts of the sample shop, made with different seeds and settings."""
    folder = tmp_path_factory.mktemp("parts")
    chosen = {
        "train": QuerySettings(per_type=2 * EACH, per_family=6, seed=11, part="train"),
        "test": QuerySettings(per_type=EACH, seed=3, part="test"),
    }
    for part, settings in chosen.items():
        path = folder / f"{part}.parquet"
        synthesize_queries(PRODUCTS, path, settings=settings, report=folder / f"{part}.md")
    found: dict[Part, Rows] = {
        part: pq.read_table(folder / f"{part}.parquet").to_pylist() for part in PARTS
    }
    return found


def named(row: dict[str, Any]) -> set[str]:
    stated: str = row["family"]
    structure = Structure.from_json(row["structure"])
    return {*families(structure, stated), *split_families(stated)}


def worded(row: dict[str, Any]) -> set[str]:
    template: str = row["template"]
    return set(template.partition("~")[0].split("+")) - {"tail"}


def test_the_parts_share_no_family(parts: dict[Part, Rows]) -> None:
    train, test = ({name for row in parts[part] for name in named(row)} for part in PARTS)
    assert min(len(train), len(test)) > 100
    assert not train & test


def test_the_parts_share_no_wording(parts: dict[Part, Rows]) -> None:
    train, test = ({name for row in parts[part] for name in worded(row)} for part in PARTS)
    assert min(len(train), len(test)) > 50
    assert not train & test
    assert {name[0] for name in train} == {name[0] for name in test} == set("nakgh")


def test_no_query_is_in_both_parts(parts: dict[Part, Rows]) -> None:
    train, test = ({row["query"].lower() for row in parts[part]} for part in PARTS)
    assert not train & test
    wanted: set[str] = set()
    for part, other in (("train", "test"), ("test", "train")):
        asked = [json.loads(row["structure"]) for row in parts[part]]  # type: ignore[index]
        needs = {each["need"] for each in asked}
        uses = {
            value
            for row in parts[other]  # type: ignore[index]
            if row["query_type"] == "general"
            for each in json.loads(row["structure"])["required"]
            if each["attribute"] in ("use", "suits", "suited_for", "occasion", "skin_type")
            for value in each["values"]
        }
        assert not needs & uses
        wanted |= uses
    assert wanted


def test_each_part_has_as_many_queries_of_each_type_as_asked_for(parts: dict[Part, Rows]) -> None:
    for part, wanted in (("train", 2 * EACH), ("test", EACH)):
        rows = parts[part]  # type: ignore[index]
        types = [row["query_type"] for row in rows]
        assert {name: types.count(name) for name in TYPES} == dict.fromkeys(TYPES, wanted)
        assert {row["source"] for row in rows} == {"templates", "graph"}


def test_queries_about_two_things_are_of_the_part_of_both(parts: dict[Part, Rows]) -> None:
    two = [row for row in parts["train"] if len(split_families(row["family"])) > 1]
    assert {row["query_type"] for row in two} == {"negative", "general"}
    for row in two:
        for name in split_families(row["family"]):
            assert part_of([name], 0.4) == "train"


def test_a_query_whose_families_fall_apart_is_of_no_part() -> None:
    def without(*values: str) -> Structure:
        return Structure("negative", ("jacket",), excluded=(Condition("material", values),))

    train, test = (QueryPart(part) for part in PARTS)
    wool = {part.part for part in (train, test) if part.takes(without("wool"))}
    others = [
        value
        for value in ("leather", "cotton", "nylon", "down", "fur")
        if {part.part for part in (train, test) if part.takes(without(value))} != wool
    ]
    assert others
    assert not any(part.takes(without("wool", others[0])) for part in (train, test))


def test_what_is_wanted_beside_an_exclusion_may_be_in_both_parts() -> None:
    for value in ("red", "blue", "green", "black"):
        wanted = (Condition("colour", (value,)),)
        plain = Structure("negative", ("jacket",), excluded=(Condition("hood"),))
        beside = Structure("negative", ("jacket",), wanted, (Condition("hood"),))
        for part in PARTS:
            assert QueryPart(part).takes(plain) == QueryPart(part).takes(beside)


def test_all_products_of_a_brand_in_a_kind_are_of_one_part() -> None:
    def like(text: str, product: str | None, kind: str = "sofa") -> list[bool]:
        reference = Reference(text, "Palazzo", product)
        structure = Structure("alternative", (kind,), reference=reference)
        return [QueryPart(part).takes(structure) for part in PARTS]

    assert like("palazzo laguna", "FU1") == like("palazzo rialto", "FU2") == like("palazzo", None)
    kinds = ("sofa", "table", "lamp", "rug", "desk", "shelf")
    assert {tuple(like("palazzo", None, kind)) for kind in kinds} == {(True, False), (False, True)}


def test_all_ways_to_put_a_need_are_of_one_part(parts: dict[Part, Rows]) -> None:
    needs = {f"swim in winter {number}": f"cold water {number}" for number in range(20)}
    for phrase, name in needs.items():
        part = QueryPart("test", needs=needs)
        asked = [Structure("knowledge", ("wetsuit",), need=said) for said in (phrase, name)]
        assert part.takes(asked[0]) == part.takes(asked[1])
        assert part.takes(asked[0], f"need|{name}") == part.takes(asked[1])
    told = {
        part: {json.loads(row["structure"])["need"] for row in parts[part]} - {None}
        for part in PARTS
    }
    assert any(need.startswith("my skin is ") for need in told["train"] | told["test"])
    for one, other in (("train", "test"), ("test", "train")):
        for need in told[one]:  # type: ignore[index]
            for skin in ("skin", "hair"):
                said = need.removeprefix(f"my {skin} is ")
                assert said == need or f"{said} {skin}" not in told[other]  # type: ignore[index]


def _plain(text: str) -> str:
    """A wording whatever its words are called: "{kind} not {quality}" is in the file twice."""
    return re.sub(r"\{(?!kind|kinds|a_kind)\w+\}", "{}", text.replace("{head}", "{kind}"))


@pytest.mark.parametrize("share", [0.05, 0.4, 0.5, 0.95])
def test_every_group_of_wordings_has_one_in_each_part(share: float) -> None:
    train, test = (QueryPart(part, share) for part in PARTS)
    for name in ("negative", "alternative", "knowledge", "general", "openings"):
        all_of = {frame.id for frame in QueryPart().wordings(name)}
        mine = {frame.id for frame in train.wordings(name)}
        yours = {frame.id for frame in test.wordings(name)}
        assert mine | yours == all_of
        assert not mine & yours
        if name != "general":  # there {head} has a wanted word in front, or none
            said = {_plain(frame.text) for frame in train.wordings(name)}
            assert not said & {_plain(frame.text) for frame in test.wordings(name)}
    for part in (train, test):
        negative = [frame for frame in part.wordings("negative") if not frame.more.get("allergy")]
        for group in ("substance", "ingredient", "part", "with"):
            for two in (False, True):
                assert any(
                    group in frame.more["fits"] and bool(frame.more.get("two")) == two
                    for frame in negative
                    if frame.has("thing") or frame.has("a_thing")
                )
        for group in ("colour", "style", "brand"):
            for two in (False, True):
                assert any(
                    group in frame.more["fits"] and bool(frame.more.get("two")) == two
                    for frame in negative
                    if frame.has("quality") and "non" not in frame.text
                )
        alternative = part.wordings("alternative")
        for of in ("product", "brand"):
            fit = [frame for frame in alternative if of in frame.more["of"]]
            assert {None, "price"} <= {frame.more.get("limit") for frame in fit}
            assert {False, True} == {bool(frame.more.get("wanted")) for frame in fit}
        assert any(isinstance(frame.more.get("limit"), float) for frame in alternative)
        knowledge = {
            (frame.more["form"], bool(frame.more.get("kindless")))
            for frame in part.wordings("knowledge")
        }
        assert knowledge == {
            ("noun", False), ("noun", True), ("clause", False), ("clause", True),
            ("question", False), ("question", True), ("person", False), ("device", False),
        }  # fmt: skip
        general = part.wordings("general")
        forms = {tuple(frame.more["need"]) for frame in general if not frame.more.get("brand")}
        assert forms == {("before",), ("after",), *(("before", end) for end in ("before", "after")),
                         ("after", "after")}  # fmt: skip
        assert any(frame.more.get("brand") and not frame.more["need"] for frame in general)
        assert {"{kind}", "{kinds}"} & {frame.text for frame in part.wordings("openings")}


def test_the_share_moves_families_only_from_one_part_to_the_other() -> None:
    names = [f"negative|kind{number}|material=wool" for number in range(2000)]
    reported = {
        share: {name for name in names if part_of([name], share) == "test"} for share in (0.2, 0.4)
    }
    assert reported[0.2] < reported[0.4]
    assert len(reported[0.4]) == pytest.approx(800, abs=60)


def test_part_and_share_are_in_manifest_and_report_and_only_with_a_part(tmp_path: Path) -> None:
    jackets = str(write_jackets(tmp_path))
    command = ["synthesize", "queries", "--products", jackets, "--per-type", "4", "-o"]
    output, report = tmp_path / "queries.parquet", tmp_path / "report.md"
    asked = [*command, str(output), "--part", "test", "--test-share", "0.3"]
    done = CliRunner().invoke(cli, [*asked, "--report", str(report)])
    assert done.exit_code == 0, done.output
    settings = read_manifest(output).settings
    assert (settings["part"], settings["test_share"]) == ("test", 0.3)
    assert "Part `test`, with 0.3 of the families and wordings" in report.read_text("utf-8")
    whole = tmp_path / "whole.parquet"
    assert CliRunner().invoke(cli, [*command, str(whole)]).exit_code == 0
    assert not {"part", "test_share"} & set(read_manifest(whole).settings)


def test_a_part_that_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="--part is 'dev'; there are train, test"):
        QuerySettings(part="dev")  # type: ignore[arg-type]
    for share in (0.0, 1.0):
        with pytest.raises(SettingsError, match="--test-share must be above 0 and below 1"):
            QuerySettings(part="test", test_share=share)
