"""The rules, one by one."""

import pytest

from evalkit.constraints import Condition, Reference, Structure
from evalkit.knowledge import Graph
from evalkit.rewriting import TypedQuery, breaks, open_rewriter
from evalkit.rewriting.rules import filter_rule
from tests.rewriting.shop import alternative, make_graph, negative

NO_LEATHER = negative("jacket without leather", Condition("material", ("leather",)))
NO_HOOD = negative("jacket without a hood", Condition("hood"))
UNDERCUT = alternative(
    "cheaper than the maison orle atelier jacket",
    Reference("maison orle atelier", "Maison Orle"),
    kinds=("jacket",),
)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return make_graph(tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("text", ["", "  ", "?!"])
def test_a_rewrite_has_words(text: str) -> None:
    assert breaks(NO_LEATHER, text) == "is empty"


def test_a_rewrite_is_short() -> None:
    assert breaks(NO_LEATHER, "cotton jacket " * 8) == ""
    assert breaks(NO_LEATHER, "cotton jacket " * 9) == "is longer than 16 words"


@pytest.mark.parametrize(
    "text", ["black leather jacket", "Leather  jackets, BLACK", "jacket black leather"]
)
def test_the_query_in_another_order_or_ending_is_an_echo(text: str) -> None:
    query = TypedQuery("q1", "black leather jacket", Structure("general", ("jacket",)))
    assert breaks(query, text) == "repeats the query"
    assert breaks(query, "black leather biker jacket") == ""


def test_nearly_the_same_rewrite_counts_as_repeated() -> None:
    earlier = ["waxed cotton jacket"]
    assert breaks(NO_LEATHER, "jackets of waxed cotton", earlier=earlier) == (
        "repeats an earlier rewrite"
    )
    assert breaks(NO_LEATHER, "waxed cotton field jacket", earlier=earlier) == ""


@pytest.mark.parametrize(
    "text", ["leather jacket", "nappa jacket", "jacket in cowhide", "Leather-lined jacket"]
)
def test_an_excluded_thing_is_stated_by_its_name_and_its_family(text: str) -> None:
    assert breaks(NO_LEATHER, text) == "states 'leather', which the query excludes"


@pytest.mark.parametrize("text", ["leather-free jacket", "faux leather jacket", "cotton jacket"])
def test_what_denies_or_imitates_the_excluded_thing_does_not_state_it(text: str) -> None:
    assert breaks(NO_LEATHER, text) == ""


def test_an_exclusion_without_values_excludes_the_thing_itself() -> None:
    assert breaks(NO_HOOD, "jacket with hood") == "states 'hood', which the query excludes"
    assert breaks(NO_HOOD, "cotton jacket no hood") == ""
    yes = negative("drill without hammer", Condition("hammer_action", ("yes",)), kinds=("drill",))
    assert breaks(yes, "hammer action drill").startswith("states 'hammer action'")


@pytest.mark.parametrize(
    "text", ["maison orle jacket", "Maison Orlé Atelier", "atelier nappa jacket"]
)
def test_an_alternative_names_neither_brand_nor_model(text: str) -> None:
    assert "which the query wants to do without" in breaks(UNDERCUT, text)


def test_words_of_a_reference_that_are_wished_may_be_said() -> None:
    query = alternative(
        "like the dovane hair dryer",
        Reference("dovane hair dryer", "Dovane"),
        kinds=("hair dryer",),
    )
    assert breaks(query, "ionic hair dryer") == ""


def test_words_of_a_reference_that_others_use_may_be_said_where_names_are_known() -> None:
    query = alternative("like the vantrel compact", Reference("vantrel compact", "Vantrel"))
    assert breaks(query, "compact kettle") != ""
    assert breaks(query, "compact kettle", is_name=lambda word: word == "vantrel") == ""


def test_the_filter_knows_names_as_the_rewriter_does(graph: Graph) -> None:
    query = alternative(
        "cheaper than the vantrel aria glass kettle",
        Reference("vantrel aria glass", "Vantrel"),
        kinds=("kettle",),
    )

    def said(rule_graph: Graph | None, rewrite: str) -> str:
        return filter_rule(rule_graph)("q1", query.query, query.structure, rewrite, ())

    assert said(None, "hemi glass kettle") == "names 'glass', which the query wants to do without"
    assert said(graph, "hemi glass kettle") == ""
    assert said(graph, "aria kettle") == "names 'aria', which the query wants to do without"
    written = open_rewriter("catalogue", catalogue=graph.catalogue, graph=graph).rewrite([query], 5)
    assert written[0]
    assert [said(graph, rewrite.text) for rewrite in written[0]] == [""] * len(written[0])


def test_only_an_alternative_must_keep_its_reference_out() -> None:
    like = TypedQuery(
        "q1",
        "case for aurion x5",
        Structure("knowledge", reference=Reference("aurion x5", "Aurion")),
    )
    assert breaks(like, "aurion x5 leather case") == ""


def test_another_kind_is_found_at_the_end_or_before_a_connector(graph: Graph) -> None:
    assert breaks(NO_LEATHER, "oak table", graph=graph) == "asks for a table"
    assert breaks(NO_LEATHER, "glass kettle for jackets", graph=graph) == ""
    assert breaks(NO_LEATHER, "steel kettle with lid", graph=graph) == "asks for a kettle"
    assert breaks(NO_LEATHER, "table jacket", graph=graph) == ""
    assert breaks(NO_LEATHER, "waxed cotton parka", graph=graph) == ""


def test_without_a_kind_in_the_query_no_kind_is_wrong(graph: Graph) -> None:
    query = TypedQuery("q1", "for freezing wind", Structure("knowledge"))
    assert breaks(query, "oak table", graph=graph) == ""


def test_a_wish_that_is_missing_breaks_no_rule() -> None:
    query = TypedQuery(
        "q1",
        "black jacket",
        Structure("general", ("jacket",), required=(Condition("colour", ("black",)),)),
    )
    assert breaks(query, "nappa leather jacket") == ""
