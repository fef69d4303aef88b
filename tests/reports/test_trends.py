"""Weeks that may stand in one line, and those that may not; how far a run moved between two."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from scipy import stats

from evalkit.reports.trends import changes, figures, trend
from evalkit.reports.week_changes import week_change
from evalkit.store import Evaluation

SETTINGS = {"good": 1.0, "min_good": 1, "ties": "id", "weighted": False, "seed": 0, "by": ["type"]}
COLUMNS = {"query_id": "sha256:1", "query": "sha256:2", "type": "sha256:3"}
JUDGE = {"name": "classifier v1", "model": None, "source": "classifier", "judgments": "sha256:9"}


def row(delta: float, measure: str = "item_goodrate", cutoff: int | None = 10, **more: Any) -> Any:
    return {
        "measure": measure,
        "cutoff": cutoff,
        "segment": {},
        "queries": 120,
        "control": 0.4,
        "treatment": 0.4 + delta,
        "delta": delta,
        "ci_low": delta - 0.01,
        "ci_high": delta + 0.01,
        "p": 0.04,
        "p_holm": 0.08,
        "judged_control": 0.9,
        "judged_treatment": 0.8,
        **more,
    }


def week(
    number: int = 46,
    *rows: Any,
    size: int = 120,
    columns: dict[str, str] | None = None,
    judge: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    systems: dict[str, str] | None = None,
    **fields: Any,
) -> Evaluation:
    named = {**JUDGE, **(judge or {})}
    document = {
        "kind": "score",
        "settings": {**SETTINGS, **(settings or {})},
        "query_set": {
            "source": "queries file",
            "size": size,
            "columns": COLUMNS if columns is None else columns,
        },
        "judge": named,
        "systems": {"control": "bm25", "treatment": "dense"} if systems is None else systems,
        "results": list(rows) or [row(0.1)],
    }
    return Evaluation(
        **{
            "id": number,
            "week": f"2026-W{number}",
            "name": "weekly",
            "document": document,
            "fingerprint": f"sha256:{number}",
            "recorded_at": number,
            "recorded_by": None,
            "query_set": "sha256:0",
            "judge": named["name"],
            **fields,
        }
    )


# what is a change


def test_weeks_of_one_query_set_judge_and_settings_may_be_joined() -> None:
    assert changes(week(46), week(47)) == []


@pytest.mark.parametrize(
    "other",
    [
        week(47, judge={"judgments": "sha256:10"}),  # the file of judgments grew
        week(47, settings={"seed": 7}),
        week(47, settings={"by": ["type", "tier"]}, columns={**COLUMNS, "tier": "sha256:4"}),
        week(47, settings={"by": []}, columns={"query_id": "sha256:1", "query": "sha256:2"}),
        week(47, row(0.3), row(0.2, cutoff=5)),
        week(47, settings={"map": {}}),
        week(47, systems={"control": "dense", "treatment": "dense_s"}),
        week(47, systems={}),
    ],
    ids=[
        *("judgments", "seed", "one more segment", "one segment less", "figures"),
        *("nothing mapped", "the treatment became the control", "systems not known"),
    ],
)
def test_what_moves_no_figure_is_no_change(other: Evaluation) -> None:
    assert changes(week(46), other) == []


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (
            week(47, size=160, columns={**COLUMNS, "query_id": "sha256:7"}),
            "the query set changed: 120 → 160 queries",
        ),
        (
            week(47, columns={**COLUMNS, "query_id": "sha256:7"}),
            "the query set changed: other queries, 120 as before",
        ),
        (
            week(47, columns={**COLUMNS, "query": "sha256:7"}),
            "the query set changed: other texts",
        ),
        (
            week(47, columns={**COLUMNS, "type": "sha256:7"}),
            "the query set changed: other values of type",
        ),
        (
            week(47, judge={"name": "classifier v2"}),
            "the judge changed: classifier v1 → classifier v2",
        ),
        (week(47, judge={"name": None}), "the judge changed: classifier v1 → not named"),
        (
            week(47, judge={"source": "human"}),
            "the source of the judgments changed: classifier → human",
        ),
        (week(47, settings={"good": 2.0}), "settings changed: good 1 → 2"),
        (
            week(47, settings={"min_good": 2, "weighted": True}),
            "settings changed: min-good 1 → 2, weighted no → yes",
        ),
        (
            week(47, settings={"good_labels": ["E", "S"]}),
            "settings changed: good-labels none → E,S",
        ),
        (
            week(47, settings={"gains": {"E": 3.0, "S": 1.5}}),
            "settings changed: gains none → E=3,S=1.5",
        ),
        (
            week(47, settings={"map": {"title": "name", "judgments": {"grade": "g2"}}}),
            "settings changed: map none → title=name,judgments.grade=g2",
        ),
        (
            week(47, systems={"control": "dense", "treatment": "bm25"}),
            "control and treatment were exchanged: bm25 → dense in 2026-W46, dense → bm25 in "
            "2026-W47",
        ),
    ],
)
def test_a_change_is_told_in_a_sentence(other: Evaluation, sentence: str) -> None:
    assert changes(week(46), other) == [sentence]
    assert changes(other, other) == []


@pytest.mark.parametrize(
    "setting",
    [
        *("good", "good_labels", "gains", "min_good", "order", "ties", "unjudged", "average"),
        *("depth", "margin", "aggregate", "weighted", "query_goodrate_from", "map"),
    ],
)
def test_every_setting_that_moves_a_figure_is_a_change(setting: str) -> None:
    (sentence,) = changes(week(46, settings={setting: "a"}), week(47, settings={setting: "b"}))
    assert sentence == f"settings changed: {setting.replace('_', '-')} a → b"


@pytest.mark.parametrize("setting", ["target", "human_good", "human_source"])
def test_a_calibration_of_something_else_is_another_figure(setting: str) -> None:
    before, after = (
        week(n, kind="calibration", settings={setting: value})
        for n, value in ((46, "a"), (47, "b"))
    )
    (sentence,) = changes(before, after)
    assert sentence == f"settings changed: {setting.replace('_', '-')} a → b"


def test_calibrations_of_exchanged_runs_are_not_joined() -> None:
    names = [{"control": "a", "treatment": "b"}, {"control": "b", "treatment": "a"}, {}]
    first, second, older = (week(46, kind="calibration", systems=each) for each in names)
    assert len(changes(first, second)) == 1
    assert changes(first, older) == []


def test_another_model_under_the_same_name_is_another_judge() -> None:
    before, after = (week(n, judge={"model": f"sha256:{n}"}) for n in (46, 47))
    assert changes(before, after) == [
        "the judge changed: classifier v1 is another model under the same name"
    ]
    assert changes(week(46), after) == []  # it is not known which it was


def test_several_changes_are_all_told() -> None:
    other = week(47, size=99, columns={}, judge={"name": "x"}, settings={"good": 3.0})
    found = changes(week(46), Evaluation(**{**vars(other), "query_set": "sha256:5"}))
    assert [sentence.split(" changed")[0] for sentence in found] == [
        "the query set",
        "the judge",
        "settings",
    ]


def test_a_score_and_a_study_are_not_joined() -> None:
    assert changes(week(46), week(47, kind="study")) == ["the kind changed: score → study"]


# trends


def test_a_trend_has_the_figure_of_every_week_as_recorded() -> None:
    found = trend([week(46, row(0.1)), week(47, row(0.2))], measure="item_goodrate", cutoff=10)
    assert [point.week for point in found.points] == ["2026-W46", "2026-W47"]
    last = found.points[-1]
    assert (last.control, last.treatment, last.delta) == (0.4, 0.4 + 0.2, 0.2)
    assert (last.ci_low, last.ci_high) == (0.2 - 0.01, 0.2 + 0.01)
    assert (last.p, last.p_holm, last.queries) == (0.04, 0.08, 120)
    assert (last.judged_control, last.judged_treatment) == (0.9, 0.8)
    assert last.systems == {"control": "bm25", "treatment": "dense"}
    assert found.breaks == {"2026-W47": ()}
    assert (found.gaps, found.runs) == ((), (("2026-W46", "2026-W47"),))


def test_a_trend_breaks_where_weeks_may_not_be_joined_and_goes_on_after() -> None:
    weeks = [week(44), week(45), week(46, settings={"good": 2.0}), week(47, settings={"good": 2.0})]
    found = trend(weeks, measure="item_goodrate", cutoff=10)
    assert found.runs == (("2026-W44", "2026-W45"), ("2026-W46", "2026-W47"))
    assert found.breaks == {
        "2026-W45": (),
        "2026-W46": ("settings changed: good 1 → 2",),
        "2026-W47": (),
    }


def test_exchanged_systems_are_not_joined_by_a_week_of_others_between() -> None:
    weeks = [
        week(44, systems={"control": "lex", "treatment": "dense"}),
        week(45, systems={"control": "lex_s", "treatment": "dense_s"}),
        week(46, systems={"control": "dense", "treatment": "lex"}),
        week(47, systems={"control": "dense", "treatment": "lex"}),
    ]
    found = trend(weeks, measure="item_goodrate", cutoff=10)
    assert found.runs == (("2026-W44", "2026-W45"), ("2026-W46", "2026-W47"))
    assert found.breaks["2026-W46"] == (
        "control and treatment were exchanged: lex → dense in 2026-W44, dense → lex in 2026-W46",
    )


def test_page_grades_of_other_queries_break_the_trend() -> None:
    weeks = [
        week(
            number,
            row(0.1, "query_goodrate", None, note=f"from people's page grades of {many} queries"),
            row(0.1),
            settings={"query_goodrate_from": "page grades"},
        )
        for number, many in ((45, "1,060"), (46, "1,060"), (47, "12"))
    ]
    found = trend(weeks, measure="query_goodrate", cutoff=None)
    assert [point.queries for point in found.points] == [1060, 1060, 12]
    assert found.runs == (("2026-W45", "2026-W46"), ("2026-W47",))
    assert found.breaks["2026-W47"] == ("the graded pages changed: those of 1,060 → 12 queries",)
    assert len(trend(weeks, measure="item_goodrate", cutoff=10).runs) == 1


def test_a_week_that_was_left_out_is_a_gap_and_no_break() -> None:
    found = trend([week(44), week(45), week(47)], measure="item_goodrate", cutoff=10)
    assert found.gaps == (("2026-W45", "2026-W47"),)
    assert found.breaks == {"2026-W45": (), "2026-W47": ()}
    assert found.runs == (("2026-W44", "2026-W45"), ("2026-W47",))


def test_a_week_without_the_figure_has_no_point_and_hides_no_change() -> None:
    weeks = [week(45), week(46, row(0.1, cutoff=5), settings={"good": 2.0}), week(47)]
    found = trend(weeks, measure="item_goodrate", cutoff=10)
    assert [point.week for point in found.points] == ["2026-W45", "2026-W47"]
    assert found.breaks == {"2026-W47": ()}
    assert trend(weeks, measure="mrr", cutoff=None).points == ()


def test_a_segment_has_a_trend_of_its_own() -> None:
    rows = [row(0.1), row(0.3, segment={"tier": 2}), row(0.4, segment={"tier": None})]
    shown: list[tuple[Any, float]] = [(2, 0.3), ("2", 0.3), (None, 0.4), ("(none)", 0.4)]
    for value, delta in shown:
        (point,) = trend(
            [week(46, *rows)], measure="item_goodrate", cutoff=10, segment={"tier": value}
        ).points
        assert point.delta == delta


def test_single_runs_have_a_trend_each() -> None:
    rows: list[dict[str, Any]] = [
        {"measure": "mrr", "cutoff": None, "segment": {}, "queries": 4, "system": name, "value": at}
        for name, at in (("bm25", 0.5), ("dense", 0.75))
    ]
    found = trend([week(46, *rows)], measure="mrr", cutoff=None, system="dense")
    assert [(point.value, point.delta) for point in found.points] == [(0.75, None)]
    assert trend([week(46, *rows)], measure="mrr", cutoff=None).points == ()


def study(
    number: int, gsb: float, complete: int = 40, anytime: bool = False, **design: Any
) -> Evaluation:
    votes = {"queries": 50, "gsb": gsb, "ci_low": gsb - 0.1, "ci_high": gsb + 0.1, "p": 0.5}
    document = {
        "kind": "study",
        "study": {"control": "a", "treatment": "b", "scale": 3, "depth": 10, **design},
        "progress": {"tasks": 40, "automatic": 10, "complete": complete},
        "sequential": {"available": anytime, "queries": 20},
        "gsb": {
            "overall": {**votes, "segment": {}},
            "segments": [{**votes, "segment": {"type": "plain"}, "gsb": 0.9}],
            "settings": {"aggregate": "majority"},
        },
    }
    return week(number, document=document, kind="study", judge=None, query_set="sha256:8")


def test_gsb_of_studies_forms_a_trend() -> None:
    found = trend([study(46, 0.2), study(47, 0.3)], measure="gsb", cutoff=None)
    assert [(point.delta, point.ci_low) for point in found.points] == [(0.2, 0.1), (0.3, 0.3 - 0.1)]
    assert found.points[0].systems == {"control": "a", "treatment": "b"}
    assert found.runs == (("2026-W46", "2026-W47"),)
    other = trend([study(46, 0.2), study(47, 0.3, scale=5)], measure="gsb", cutoff=None)
    assert other.breaks["2026-W47"] == ("settings changed: scale 3 → 5",)


def test_of_two_studies_of_a_week_the_one_recorded_last_is_a_point() -> None:
    two = [study(46, 0.2), study(47, 0.3, name="shoes"), study(47, 0.4, name="coats")]
    found = trend(two, measure="gsb", cutoff=None)
    assert [(point.week, point.delta) for point in found.points] == [
        ("2026-W46", 0.2),
        ("2026-W47", 0.4),
    ]
    assert found.runs == (("2026-W46", "2026-W47"),)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (study(46, 0.2, overlap=3), study(47, 0.2, overlap=1), "settings changed: overlap 3 → 1"),
        (
            study(46, 0.2),
            study(47, 0.2, control="b", treatment="a"),
            "control and treatment were exchanged: a → b in 2026-W46, b → a in 2026-W47",
        ),
        (study(46, 0.2), study(47, 0.2, 39), "the votes changed: all in → not all in"),
        (
            study(46, 0.2, 39, anytime=True),
            study(47, 0.2),
            "the votes changed: not all in, figures hold at any look → all in",
        ),
        (
            study(46, 0.2, 20, policy="random"),
            study(47, 0.2, 20, policy="uncertain"),
            "the order of serving changed: random → uncertain, with votes still to come",
        ),
    ],
)
def test_studies_that_asked_otherwise_or_are_not_at_their_end_are_not_joined(
    before: Evaluation, after: Evaluation, sentence: str
) -> None:
    assert changes(before, after) == [sentence]


def test_the_order_of_serving_is_forgotten_once_all_votes_are_in() -> None:
    assert changes(study(46, 0.2, policy="random"), study(47, 0.3, policy="uncertain")) == []


def test_a_study_without_votes_has_no_figures() -> None:
    empty = study(46, 0.2)
    assert figures(Evaluation(**{**vars(empty), "document": {**empty.document, "gsb": None}})) == []


def test_estimates_of_a_calibration_form_a_trend() -> None:
    results = [
        {
            "measure": "item_goodrate",
            "cutoff": 10,
            "segment": {},
            "of": of,
            "queries": 120,
            "estimate": value,
            "ci_low": value - 0.1,
            "ci_high": value + 0.1,
        }
        for of, value in (("control", 0.4), ("treatment", 0.6), ("delta", 0.2))
    ]
    made = week(46, document={"results": results, "settings": SETTINGS}, kind="calibration")
    (point,) = trend([made], measure="item_goodrate", cutoff=10).points
    assert (point.control, point.treatment, point.delta) == (0.4, 0.6, 0.2)
    assert (point.ci_low, point.ci_high) == (0.1, 0.2 + 0.1)


# how far a run moved


def per_query(**values: Any) -> pa.Table:
    """Values of four queries; of two types."""
    size = 4
    return pa.table(
        {
            "query_id": ["q1", "q2", "q3", "q4"],
            "type": ["a", "a", "b", None],
            "measure": ["item_goodrate"] * size,
            "cutoff": pa.array([3] * size, pa.int64()),
            **values,
        }
    )


# good of shown per query: 1/3, 0/3, 3/3, nothing shown; then 2/3, 1/2, 3/3, 0/3
BEFORE = per_query(control=[1 / 3, 0.0, 1.0, None], weight_control=[3.0, 3.0, 3.0, 0.0])
AFTER = per_query(control=[2 / 3, 0.5, 1.0, 0.0], weight_control=[3.0, 2.0, 3.0, 3.0])


def moved(before: pa.Table, after: pa.Table, of: str = "control", **more: Any) -> Any:
    asked = {"measure": "item_goodrate", "cutoff": 3, "segment": {}, **more}
    return week_change(before, after, of=of, **asked)


def test_the_change_of_a_pooled_share_is_that_of_its_items() -> None:
    found = moved(BEFORE, AFTER)
    assert found["value"] == pytest.approx(6 / 11 - 4 / 9, abs=1e-12)
    old = [(g - 4 / 9 * d) / (9 / 4) for g, d in zip([1, 0, 3, 0], [3, 3, 3, 0], strict=True)]
    new = [(g - 6 / 11 * d) / (11 / 4) for g, d in zip([2, 1, 3, 0], [3, 2, 3, 3], strict=True)]
    e = [t - c for t, c in zip(new, old, strict=True)]
    error = math.sqrt(sum((x - sum(e) / 4) ** 2 for x in e) / 3 / 4)
    half = float(stats.t.ppf(0.975, 3)) * error
    assert found["ci_low"] == pytest.approx(found["value"] - half, abs=1e-9)
    assert found["ci_high"] == pytest.approx(found["value"] + half, abs=1e-9)
    assert found["queries"] == 4


def test_the_change_does_not_depend_on_the_order_of_the_rows() -> None:
    assert moved(BEFORE.take([3, 1, 0, 2]), AFTER) == moved(BEFORE, AFTER)


def test_a_run_that_stayed_as_it_was_did_not_move() -> None:
    found = moved(AFTER, AFTER)
    assert (found["value"], found["ci_low"], found["ci_high"]) == (0.0, 0.0, 0.0)


def test_the_change_in_a_segment_is_that_of_its_queries() -> None:
    found = moved(BEFORE, AFTER, segment={"type": "a"})
    assert (found["value"], found["queries"]) == (pytest.approx(3 / 5 - 1 / 6, abs=1e-12), 2)
    assert moved(BEFORE, AFTER, segment={"type": None}) is None  # nothing was shown before
    assert moved(BEFORE, AFTER, segment={"tier": "1"}) is None


def test_the_change_of_a_share_of_queries_has_tangos_interval() -> None:
    ones = {"weight_control": [1.0] * 4, "measure": ["query_goodrate"] * 4}
    before = per_query(control=[0.0, 0.0, 1.0, 1.0], **ones)
    after = per_query(control=[1.0, 0.0, 1.0, 1.0], **ones)
    found = moved(before, after, measure="query_goodrate")
    assert (found["value"], found["queries"]) == (0.25, 4)
    # Tango's limits solve |b - c - n·Δ| = z·sqrt(n(2p + Δ(1 - Δ))), p its own maximum likelihood
    for delta in (found["ci_low"], found["ci_high"]):
        a, b = 8.0, -1 - 0 + (2 * 4 - 1) * delta
        c = -0 * delta * (1 - delta)
        p = (math.sqrt(b * b - 4 * a * c) - b) / (2 * a)
        z = abs(1 - 4 * delta) / math.sqrt(4 * (2 * p + delta * (1 - delta)))
        assert z == pytest.approx(1.959964, abs=1e-3)
    still = moved(before, before, measure="query_goodrate")
    z2 = 1.959964**2
    assert still["ci_high"] == pytest.approx(z2 / (4 + z2), abs=1e-6)


def test_with_weights_a_share_has_the_linearised_interval() -> None:
    more = {"weight_control": [5.0, 1.0, 1.0, 1.0], "measure": ["query_goodrate"] * 4}
    before = per_query(control=[0.0, 0.0, 1.0, 1.0], **more)
    found = moved(before, before, measure="query_goodrate")
    assert (found["value"], found["ci_low"], found["ci_high"]) == (0.0, 0.0, 0.0)


def test_gsb_and_single_runs_move_as_well() -> None:
    lost_one, won_one = (
        per_query(measure=["gsb"] * 4, delta=values, weight_treatment=[1.0] * 4)
        for values in ([1.0, 0.0, 0.0, -1.0], [1.0, 1.0, 0.0, 0.0])
    )
    assert moved(lost_one, won_one, of="delta", measure="gsb")["value"] == 0.5
    before, after = (
        per_query(system=["today"] * 4, value=values, weight=[1.0] * 4)
        for values in ([0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5])
    )
    assert moved(before, after, of="value", system="today")["value"] == 0.25
    assert moved(before, after, of="value", system="tomorrow") is None


def test_other_queries_have_no_change() -> None:
    other = AFTER.set_column(0, "query_id", [["q1", "q2", "q3", "q5"]])
    assert moved(BEFORE, other) is None
    assert moved(BEFORE, AFTER.slice(0, 3)) is None
    assert moved(BEFORE, AFTER, cutoff=5) is None
    assert moved(BEFORE, AFTER.drop_columns(["weight_control"])) is None


def test_page_grades_of_other_queries_have_no_change() -> None:
    pages = {"measure": ["query_goodrate"] * 4, "cutoff": pa.array([None] * 4, pa.int64())}
    before, fewer, others = (
        per_query(**pages, control=[1.0, 0.0, 1.0, 1.0], weight_control=graded)
        for graded in ([1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0])
    )
    asked: Any = {"measure": "query_goodrate", "cutoff": None}
    assert moved(before, before, **asked)["queries"] == 3
    assert moved(before, fewer, **asked) is None
    assert moved(before, others, **asked) is None


def test_a_measure_that_was_not_computed_has_no_change() -> None:
    nothing = per_query(
        control=pa.array([None] * 4, pa.float64()),
        weight_control=pa.array([None] * 4, pa.float64()),
    )
    assert moved(nothing, AFTER) is None
