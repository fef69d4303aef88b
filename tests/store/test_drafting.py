"""From files to tasks: which queries, which lists, in which order, and what is shown of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.engines import open_engine
from evalkit.errors import InputError, SettingsError
from evalkit.store import StudyDesign, TaskDraft
from evalkit.store.drafting import StudyDraft, StudyFiles, draft_study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

# q1 differs, q2 is the same in both, q3 differs below the second place, q4 is in the control only
CONTROL = """\
q1 Q0 a 1 3.0 lexical
q1 Q0 b 2 2.0 lexical
q1 Q0 c 3 1.0 lexical
q2 Q0 d 1 3.0 lexical
q2 Q0 e 2 2.0 lexical
q3 Q0 a 1 3.0 lexical
q3 Q0 b 2 2.0 lexical
q3 Q0 c 3 1.0 lexical
q4 Q0 f 1 1.0 lexical
"""
TREATMENT = """\
query_id,product_id,rank
q1,c,1
q1,a,2
q2,d,1
q2,e,2
q3,a,1
q3,b,2
q3,d,3
"""
QUERIES = """\
query_id,query,query_type,department
q1,red shoes,negative,clothing
q2,blue shoes,negative,clothing
q3,a gift,knowledge,
q4,boots,knowledge,shoes
"""
PRODUCTS = [
    {"product_id": "a", "title": "Red <b>shoe</b>", "brand": "Pavo", "price": 19.5,
     "image_url": "https://shop.example/a.jpg", "colour": "red", "in_stock": True,
     "attributes": {"heel_height_cm": 4.0, "material": ["leather", "cork"], "vegan": False}},
    {"product_id": "b", "title": "Boot", "brand": None, "price": 20.0, "attributes": {}},
    {"product_id": "c", "title": "Sandal", "price": 7, "description": "Open at the front."},
    {"product_id": "d", "title": "Clog"},
    {"product_id": "f", "title": "Rubber boot"},
]  # fmt: skip


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with open_engine() as engine:
        yield engine


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("control.run").write_text(CONTROL)
    Path("treatment.csv").write_text(TREATMENT)
    Path("queries.csv").write_text(QUERIES)
    Path("products.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PRODUCTS))
    return tmp_path


@pytest.fixture
def draft(folder: Path, connection: DuckDBPyConnection) -> Any:
    """Draft a study from the files of the folder; keywords go where they belong."""

    def make(**options: Any) -> StudyDraft:
        files = {
            "control": "control.run",
            "treatment": "treatment.csv",
            "queries": "queries.csv",
            "products": "products.jsonl",
        }
        for name in ("queries", "products", "gold", "per_query", "fields", "mappings", "order"):
            if name in options:
                files[name] = options.pop(name)
        how = {name: options.pop(name) for name in ("twins", "sample", "measure", "by")
               if name in options}  # fmt: skip
        return draft_study(
            connection,
            StudyFiles(**files),
            StudyDesign(**({"name": "shoes"} | options)),
            **how,  # type: ignore[arg-type]
        )

    return make


def task(found: StudyDraft, query_id: str, kind: str | None = None) -> TaskDraft:
    tasks = [t for t in found.tasks if t.query_id == query_id and kind in (None, t.kind)]
    assert len(tasks) == 1
    return tasks[0]


def ids(items: Any) -> list[str]:
    return [item.product_id for item in items]


def shop_of(queries: int, folder: Path) -> None:
    """Runs that differ on every query."""
    rows = [f"q{number:03}" for number in range(queries)]
    Path("control.run").write_text("".join(f"{q} Q0 a 1 1.0 c\n" for q in rows))
    Path("treatment.csv").write_text(
        "query_id,product_id,rank\n" + "".join(f"{q},b,1\n" for q in rows)
    )
    Path("queries.csv").write_text("query_id,query\n" + "".join(f"{q},words {q}\n" for q in rows))


# lists


def test_every_query_of_the_query_set_has_both_lists(draft: Any) -> None:
    found = draft(depth=10)
    first = task(found, "q1")
    assert (first.kind, first.query, first.query_type) == ("real", "red shoes", "negative")
    assert ids(first.control) == ["a", "b", "c"]
    assert ids(first.treatment) == ["c", "a"]
    assert [item.rank for item in first.control] == [1, 2, 3]
    assert ids(task(found, "q4").treatment) == []
    assert "1 query has no results in the treatment." in found.warnings


def test_lists_are_cut_at_the_depth(draft: Any) -> None:
    assert ids(task(draft(depth=2), "q1").control) == ["a", "b"]


def test_lists_stand_in_the_order_in_which_they_are_scored(draft: Any, folder: Path) -> None:
    # equal scores: by product id, descending, byte by byte
    Path("control.run").write_text("".join(f"q1 Q0 {p} 1 1.0 c\n" for p in ("a", "Z", "b")))
    assert ids(task(draft(), "q1").control) == ["b", "a", "Z"]
    Path("treatment.csv").write_text("query_id,product_id,rank,score\nq1,a,2,9\nq1,b,1,1\n")
    assert ids(task(draft(), "q1").treatment) == ["b", "a"]
    Path("control.run").write_text(CONTROL)
    assert ids(task(draft(order="score"), "q1").treatment) == ["a", "b"]


def test_identical_lists_count_as_the_same_without_being_shown(draft: Any) -> None:
    found = draft(depth=2)
    assert task(found, "q2").kind == "automatic"
    assert task(found, "q3").kind == "automatic"  # the same down to the depth
    assert task(draft(depth=3), "q3").kind == "real"
    assert task(draft(identical="show"), "q2").kind == "real"
    assert (found.counts["real"], found.counts["automatic"], found.counts["slots"]) == (2, 2, 6)


def test_a_query_that_neither_run_answers_counts_as_the_same(draft: Any, folder: Path) -> None:
    with open("queries.csv", "a") as file:
        file.write("q5,unheard of,negative,\n")
    assert task(draft(), "q5").kind == "automatic"
    assert task(draft(identical="show"), "q5").kind == "automatic"  # there is nothing to show
    grades = draft(kind="grade")
    assert "q5" not in {t.query_id for t in grades.tasks}
    assert any("nothing to grade" in warning for warning in grades.warnings)


def test_without_a_queries_file_the_common_queries_are_taken(draft: Any) -> None:
    found = draft(queries=None)
    assert sorted(t.query_id for t in found.tasks) == ["q1", "q2", "q3"]
    assert task(found, "q1").query == "q1"
    assert any("1 query stands in one run only" in warning for warning in found.warnings)
    assert any("3 queries have no text" in warning for warning in found.warnings)


def test_systems_are_called_as_the_runs_say(draft: Any, folder: Path) -> None:
    design = draft().design
    assert (design.control_system, design.treatment_system) == ("lexical", "treatment")
    Path("treatment.csv").write_text("query_id,product_id,rank,system\nq1,a,1,lexical\n")
    found = draft()
    assert found.design.control_system == "control"
    assert found.design.treatment_system == "treatment"
    assert any("Both runs call their system 'lexical'" in text for text in found.warnings)


# products


def test_what_is_shown_of_a_product_is_kept(draft: Any) -> None:
    item = task(draft(), "q1").control[0]
    assert (item.title, item.brand, item.price) == ("Red <b>shoe</b>", "Pavo", 19.5)
    assert item.image == "https://shop.example/a.jpg"
    assert item.attributes == {
        "colour": "red",
        "in stock": "yes",
        "heel height cm": "4",
        "material": "leather, cork",
        "vegan": "no",
    }
    assert list(item.attributes)[:3] == ["heel height cm", "material", "vegan"]
    assert task(draft(), "q1").control[2].description == "Open at the front."


def test_fields_can_be_chosen(draft: Any) -> None:
    item = task(draft(fields=["title", "colour"]), "q1").control[0]
    assert (item.title, item.price, item.image) == ("Red <b>shoe</b>", None, None)
    assert item.attributes == {"colour": "red"}


def test_nested_attributes_and_vectors_of_parquet(draft: Any, folder: Path) -> None:
    table = pa.table(
        {
            "product_id": ["a"],
            "title": ["Shoe"],
            "vector": pa.array([[0.5, 0.25]], pa.list_(pa.float32())),
            "attributes": [{"colour": "red", "sizes": [38, 39]}],
            "images": [["https://shop.example/1.jpg", "https://shop.example/2.jpg"]],
        }
    )
    pq.write_table(table, "products.parquet")
    item = task(draft(products="products.parquet"), "q1").control[0]
    assert item.attributes == {"colour": "red", "sizes": "38, 39"}
    assert item.image == "https://shop.example/1.jpg"


def test_a_missing_product_is_shown_by_its_id_and_counted(draft: Any) -> None:
    found = draft()
    assert task(found, "q2").control[1].title == "e"
    assert (found.counts["products"], found.counts["missing_products"]) == (6, 1)
    assert "1 product is not in products.jsonl and shown by the id (e)." in found.warnings
    bare = draft(products=None)
    assert task(bare, "q1").control[0].title == "a"
    assert any("give --products" in warning for warning in bare.warnings)


# order, twins, samples


def test_the_seed_decides_the_order_and_nothing_else_does(draft: Any, folder: Path) -> None:
    shop_of(40, folder)
    order = [t.query_id for t in draft(seed=7).tasks]
    rows = Path("queries.csv").read_text().splitlines()
    Path("queries.csv").write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    assert [t.query_id for t in draft(seed=7).tasks] == order
    assert [t.query_id for t in draft(seed=8).tasks] != order
    assert order != sorted(order)


def test_a_share_of_the_tasks_is_doubled_as_twins(draft: Any, folder: Path) -> None:
    shop_of(100, folder)
    found = draft(twins=0.03)
    twins = [t for t in found.tasks if t.kind == "twin"]
    assert len(twins) == 3
    for twin in twins:
        original = found.tasks[twin.twin_of_index or 0]
        assert (original.kind, original.query_id) == ("real", twin.query_id)
    assert [t for t in draft(twins=0.03).tasks if t.kind == "twin"] == twins
    assert not [t for t in draft(twins=0.0).tasks if t.kind == "twin"]


def test_a_sample_has_a_known_inclusion_probability(draft: Any, folder: Path) -> None:
    shop_of(50, folder)
    found = draft(kind="grade", sample=10)
    assert len(found.tasks) == 10
    assert {t.inclusion_probability for t in found.tasks} == {0.2}
    rows = Path("queries.csv").read_text().replace("query\n", "query,inclusion_probability\n", 1)
    Path("queries.csv").write_text(
        "\n".join(f"{r},0.5" if n else r for n, r in enumerate(rows.splitlines())) + "\n"
    )
    assert {t.inclusion_probability for t in draft().tasks} == {0.5}
    assert {t.inclusion_probability for t in draft(sample=25).tasks} == {0.25}


# segments and automated scores


def test_all_columns_of_the_queries_are_kept_and_some_are_reported_by(draft: Any) -> None:
    found = draft()
    assert found.design.segments == ("query_type",)
    assert task(found, "q1").segments == {"query_type": "negative", "department": "clothing"}
    assert draft(by=["department"]).design.segments == ("department",)


def test_a_column_that_votes_have_themselves_is_no_segment(draft: Any, folder: Path) -> None:
    Path("queries.csv").write_text("query_id,query,kind\nq1,red shoes,long\n")
    assert task(draft(), "q1", "real").segments == {"kind": "long"}
    with pytest.raises(SettingsError, match="--by kind: votes have a column of that name"):
        draft(by=["kind"])


def test_the_automated_score_comes_from_the_per_query_file(draft: Any, folder: Path) -> None:
    Path("scores.csv").write_text(
        "query_id,measure,cutoff,control,treatment,delta\n"
        "q1,item_goodrate,10,0.5,0.75,0.25\nq2,item_goodrate,10,0.5,0.5,0\n"
        "q1,mrr,,1,0.5,-0.5\nq2,mrr,,1,1,\n"
    )
    found = draft(per_query="scores.csv", policy="uncertain")
    assert task(found, "q1").automated_delta == 0.25
    assert task(found, "q3").automated_delta is None
    assert "2 queries have no figure in scores.csv." in found.warnings
    assert task(draft(per_query="scores.csv", measure="mrr"), "q1").automated_delta == -0.5
    with pytest.raises(SettingsError, match=r"it has item_goodrate@10, mrr\."):
        draft(per_query="scores.csv", measure="ndcg@10")


# gold


def gold(text: str) -> None:
    Path("gold.csv").write_text(text)


def test_gold_tasks_take_the_lists_of_the_runs(draft: Any, folder: Path) -> None:
    gold("query_id,preference,explanation\nq1,good,The red ones are there.\nq3,good or same,\n")
    found = draft(gold="gold.csv")
    made = task(found, "q1", "gold")
    assert made.answer is not None
    assert (made.answer.preferences, made.answer.explanation) == ((1,), "The red ones are there.")
    assert (ids(made.control), made.query) == (["a", "b", "c"], "red shoes")
    assert task(found, "q3", "gold").answer.preferences == (1, 0)  # type: ignore[union-attr]
    # a gold query stays in the sample
    assert task(found, "q1", "real").query_type == "negative"
    assert (found.counts["gold"], found.counts["practice"]) == (2, 0)


def test_gold_tasks_may_bring_their_own_lists(draft: Any, folder: Path) -> None:
    gold("query_id,query,preference,control,treatment\ng1,green boots,bad,f;b,a;zz\n")
    made = task(draft(gold="gold.csv", depth=2), "g1")
    assert (made.kind, made.query) == ("gold", "green boots")
    assert (ids(made.control), ids(made.treatment)) == (["f", "b"], ["a", "zz"])
    assert made.control[0].title == "Rubber boot"


def test_a_practice_query_is_not_asked_as_a_real_one(draft: Any, folder: Path) -> None:
    gold("query_id,preference,practice\nq1,1,true\nq3,0,no\n")
    found = draft(gold="gold.csv")
    assert task(found, "q1").kind == "practice"
    assert any("serve for practice" in warning for warning in found.warnings)
    assert task(found, "q3", "gold").answer.preferences == (0,)  # type: ignore[union-attr]


def test_gold_of_a_grade_study_are_grades(draft: Any, folder: Path) -> None:
    gold("query_id,product_id,grade,explanation\nq1,a,2,Red.\nq1,b,0,Not red.\n")
    made = task(draft(kind="grade", gold="gold.csv"), "q1", "gold")
    assert made.answer is not None
    assert made.answer.grades == {"a": (2,), "b": (0,)}
    assert made.answer.explanation == "Red. Not red."
    gold("query_id,product_id,grade\nq1,a,good\nq1,b,Partial\n")
    words = task(draft(kind="grade", gold="gold.csv"), "q1", "gold").answer
    assert words is not None
    assert words.grades == {"a": (2,), "b": (1,)}


def test_a_grade_study_asks_for_identical_lists_too(draft: Any) -> None:
    assert {t.kind for t in draft(kind="grade").tasks} == {"real"}


# refusals


BAD_GOLD = {
    "no answer": ("query_id\nq1\n", "no column preference"),
    "an unknown answer": (
        "query_id,preference\nq1,great\n",
        "column preference, query 'q1': preference is not an answer: 'great'. Say what is right",
    ),
    "an empty answer": ("query_id,preference\nq1,\n", "query 'q1': preference is empty"),
    "an unknown flag": (
        "query_id,preference,practice\nq1,good,maybe\n",
        "practice is not true or false: 'maybe'. Write true or false.",
    ),
    "one list": ("query_id,preference,control\nq1,good,a\n", "only one of the two lists is given"),
    "identical lists": ("query_id,preference\nq2,good\n", "so only same can be right"),
    "no list": ("query_id,query,preference\nq9,x,good\n", "the query is in neither run"),
    "no text": (
        "query_id,preference,control,treatment\nq9,good,a,b\n",
        "query 'q9': the query has no text",
    ),
    "a query twice": ("query_id,preference\nq1,good\nq1,bad\n", "row 3, query 'q1'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_GOLD)
def test_a_bad_gold_file_is_refused(draft: Any, folder: Path, case: str) -> None:
    text, said = BAD_GOLD[case]
    gold(text)
    with pytest.raises(InputError) as refused:
        draft(gold="gold.csv")
    assert str(refused.value).startswith("gold.csv: ")
    assert said in str(refused.value)


BAD_GOLD_GRADES = {
    "an unknown grade": ("q1,a,3,\n", "grade is none of the study's: '3'. The study's grades"),
    "a product that is not shown": ("q1,zz,1,\n", "none of the products that it grades is shown"),
    "practice in one row only": ("q1,a,1,true\nq1,b,1,\n", "practice differs between the rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_GOLD_GRADES)
def test_a_bad_gold_file_of_grades_is_refused(draft: Any, folder: Path, case: str) -> None:
    text, said = BAD_GOLD_GRADES[case]
    gold("query_id,product_id,grade,practice\n" + text)
    with pytest.raises(InputError, match=r"^gold\.csv: ") as refused:
        draft(kind="grade", gold="gold.csv")
    assert said in str(refused.value)


BAD_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "uncertain without scores": ({"policy": "uncertain"}, "needs --per-query FILE"),
    "a measure without scores": ({"measure": "mrr"}, "add --per-query FILE"),
    "a share above 1": ({"twins": 3.0}, "--twins 3.0 is no share"),
    "twins of grades": ({"kind": "grade", "twins": 0.1}, "--twins exchange sides"),
    "disagreement of grades": (
        {"kind": "grade", "policy": "disagreement"},
        "--policy disagreement is for side-by-side",
    ),
    "fields without products": ({"fields": ["title"], "products": None}, "add --products FILE"),
    "an unknown field": ({"fields": ["size"]}, "--fields: size is not a column of the products"),
    "an unknown segment": (
        {"by": ["locale"]},
        "--by locale: the queries have no such column; they have: query_type, department.",
    ),
    "a sample that is too large": ({"sample": 5}, "--sample 5 is more than the 4 queries"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_settings_that_do_not_fit_are_refused(draft: Any, case: str) -> None:
    options, said = BAD_SETTINGS[case]
    with pytest.raises(SettingsError) as refused:
        draft(**options)
    assert said in str(refused.value)


def test_files_that_have_nothing_in_common_are_refused(draft: Any, folder: Path) -> None:
    Path("queries.csv").write_text("query_id,query\nz1,words\n")
    with pytest.raises(InputError, match="none of its queries is in either run"):
        draft()
    Path("treatment.csv").write_text("query_id,product_id,rank\nz1,a,1\n")
    with pytest.raises(InputError, match=r"no query of it is in control\.run"):
        draft(queries=None)


def test_a_probability_that_is_none_is_refused(draft: Any, folder: Path) -> None:
    Path("queries.csv").write_text("query_id,query,inclusion_probability\nq1,red shoes,1.5\n")
    with pytest.raises(InputError, match="query 'q1': inclusion_probability is not above 0"):
        draft()


def test_scores_of_single_runs_are_refused(draft: Any, folder: Path) -> None:
    Path("scores.csv").write_text("query_id,measure,cutoff,value\nq1,mrr,,1\n")
    with pytest.raises(InputError, match="no columns cutoff and delta"):
        draft(per_query="scores.csv")
