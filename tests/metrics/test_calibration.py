"""`calibrate`: which queries are labelled, and every figure against a plain scorer."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pandas as pd
import plain_scorer as plain
import pytest
from shop_runs import CONTROL, JUDGED, QUERY_IDS, TREATMENT, WEIGHTS, N, inputs, members
from small_runs import JUDGMENTS, frame, kind

from metrics import (
    MetricsError,
    calibrate,
    plan_labels,
    prediction_powered_difference,
    prediction_powered_ratio,
)

LISTS = [plain.in_order(plain.by_query(rows)) for rows in (CONTROL, TREATMENT)]
SHOWN = {q: {p for lists in LISTS for p in lists.get(q, [])[:N]} for q in QUERY_IDS}
EMPTY = {q for q in QUERY_IDS if not SHOWN[q]}
SAMPLE = sorted(random.Random(3).sample([q for q in QUERY_IDS if q not in EMPTY], 14))


def said(queries: list[str], seed: int = 7) -> list[tuple[str, str, float]]:
    """What people say of everything that both runs show for some queries."""
    rng = random.Random(seed)
    judged = plain.by_query(JUDGED)
    return [
        (q, p, rng.choice([max(0.0, judged.get(q, {}).get(p, 0.0)), 0.0, 2.0]))
        for q in queries
        for p in sorted(SHOWN[q])
    ]


PEOPLE = said(SAMPLE)


def calibrated(people: list[tuple[str, str, float]] | None = PEOPLE, **more: Any) -> Any:
    weighted, library = more.pop("weighted", False), more.pop("library", "pandas")
    control, treatment, judgments, queries = inputs(weighted=weighted, library=library)
    human = None if people is None else frame(library, people, JUDGMENTS)
    treatment = None if more.pop("single", False) else treatment
    return calibrate(
        control, treatment, judgments, human, queries, cutoffs=more.pop("cutoffs", (N,)), **more
    )


def row(found: Any, measure: str = "item_goodrate", of: str = "delta", **segment: Any) -> Any:
    rows = [r for r in found.rows if (r.measure, r.of, r.segment) == (measure, of, segment)]
    assert len(rows) == 1
    return rows[0]


def arrays(
    measure: str, grades: list[tuple[str, str, float]], run: int, queries: list[str], **how: Any
) -> tuple[Any, Any]:
    """Numerators and denominators by the plain scorer."""
    judged, weighted = plain.by_query(grades), how.pop("weighted", False)
    pairs = [
        plain.parts(measure, LISTS[run].get(q, []), judged.get(q, {}), N, **how) for q in queries
    ]
    scale = np.array([WEIGHTS[q] if weighted else 1.0 for q in queries])
    return tuple(np.array(column, dtype=float) * scale for column in zip(*pairs, strict=True))


def expected(
    measure: str, of: str, segment: dict[str, Any], p: dict[str, float] | None = None, **how: Any
) -> Any:
    """The array-level figure of numerators that the plain scorer counted."""
    queries = members(segment)
    known = np.array([q in SAMPLE or q in EMPTY for q in queries])
    asked = [q for q in queries if q not in EMPTY]
    share = sum(q in SAMPLE for q in asked) / len(asked)
    chance = [1.0 if q in EMPTY else share if p is None else p[q] for q in queries]
    target = how.pop("target", "queries")
    sides, steps = [], []
    for run in (0, 1):
        judge, den = arrays(measure, JUDGED, run, queries, **how)
        people, _ = arrays(measure, PEOPLE, run, queries, **how)
        sides.append((judge, np.where(known, people, np.nan), den))
        shown = [len(LISTS[run].get(q, [])[:N]) for q in queries]
        steps.append(1.0 if measure == "query_goodrate" else len(shown) / sum(shown))
    options: dict[str, Any] = {"probabilities": np.array(chance), "target": target}
    tops = [[set(LISTS[run].get(q, [])[:N]) for q in queries] for run in (0, 1)]
    weights = [WEIGHTS[q] if how.get("weighted") else 1.0 for q in queries]

    def allowed(step: float, parts: list[tuple[list[bool], float]]) -> float:
        """Two made-up labels in each part, counted for its share of all."""

        def left(at: list[bool]) -> float:
            n = sum(known[i] for i, there in enumerate(at) if there)
            return (1 - n / sum(at) if target == "queries" and sum(at) else 1) / (n + 1) / (n + 2)

        open_ = [target == "population" or q not in EMPTY for q in queries]
        total, found = sum(w for w, there in zip(weights, open_, strict=True) if there), 0.0
        for part, factor in parts:
            both = [one and other for one, other in zip(part, open_, strict=True)]
            share = sum(w for w, there in zip(weights, both, strict=True) if there) / total
            found += (factor * share) ** 2 * left(both)
        return float(step * np.sqrt(found / left(open_)))

    if of == "delta":
        differ = [one != other for one, other in zip(*tops, strict=True)]
        same = [not d and bool(top) for d, top in zip(differ, tops[0], strict=True)]
        sums = [sides[run][2].sum() for run in (0, 1)]
        step = allowed(max(steps), [(differ, 1.0), (same, 1 - min(sums) / max(sums))])
        return prediction_powered_difference(*sides[0], *sides[1], **options, step=step)
    run = int(of == "treatment")
    step = allowed(steps[run], [([bool(top) for top in tops[run]], 1.0)])
    return prediction_powered_ratio(*sides[run], **options, step=step)


def check(found: Any, wanted: Any) -> None:
    assert found.automated == pytest.approx(wanted.automated)
    assert found.human == pytest.approx(wanted.human)
    assert found.estimate == pytest.approx(wanted.value)
    least = -1 if found.of == "delta" else 0
    for low, high, of in (
        (found.ci_low, found.ci_high, wanted.interval),
        (found.human_low, found.human_high, wanted.human_interval),
    ):
        assert (low, high) == pytest.approx((max(least, of.low), min(1, of.high)))
    assert found.lambda_ == pytest.approx(wanted.lambda_)


# ------------------------------------------------------------------ the figures


@pytest.mark.parametrize("of", ["control", "treatment", "delta"])
@pytest.mark.parametrize("measure", ["item_goodrate", "query_goodrate", "precision"])
@pytest.mark.parametrize("target", ["queries", "population"])
def test_a_figure_equals_that_of_plainly_counted_numerators(
    measure: str, of: str, target: str
) -> None:
    found = calibrated(measures=[measure], target=target)
    check(row(found, measure, of), expected(measure, of, {}, target=target))


def test_weights_multiply_what_a_query_adds() -> None:
    found = calibrated(weighted=True)
    assert found.settings["weighted"]
    check(row(found), expected("item_goodrate", "delta", {}, weighted=True))
    check(
        row(found, "query_goodrate", "treatment"),
        expected("query_goodrate", "treatment", {}, weighted=True),
    )


@pytest.mark.parametrize("traffic", ["head", "torso", "tail"])
def test_every_segment_has_a_figure_of_its_own(traffic: str) -> None:
    found = calibrated(by=["traffic"])
    segment = {"traffic": traffic}
    check(
        row(found, "item_goodrate", "delta", **segment), expected("item_goodrate", "delta", segment)
    )
    lambdas = {r.lambda_ for r in found.rows if r.measure == "item_goodrate" and r.of == "delta"}
    assert len(lambdas) > 2


def test_given_probabilities_weight_the_labelled_queries() -> None:
    p = {q: 0.2 + 0.02 * at for at, q in enumerate(QUERY_IDS)}
    table = pd.DataFrame({"query_id": list(p), "inclusion_probability": list(p.values())})
    found = calibrated(probabilities=table)
    assert found.settings["probabilities"] == "given"
    check(row(found), expected("item_goodrate", "delta", {}, p))
    assert row(found).human != row(calibrated()).human


def test_given_probabilities_that_are_all_equal_change_nothing() -> None:
    table = pd.DataFrame({"query_id": SAMPLE, "inclusion_probability": 0.4})
    found = calibrated(probabilities=table)
    assert found.settings["probabilities"] == "equal"
    assert found.to_dict()["results"] == calibrated().to_dict()["results"]


def test_settings_of_scoring_count() -> None:
    found = calibrated(good=2, min_good=2)
    judge, den = arrays("query_goodrate", JUDGED, 1, QUERY_IDS, good=2, min_good=2)
    assert row(found, "query_goodrate", "treatment").automated == judge.sum() / den.sum()
    assert found.settings["good"] == 2


def test_people_may_have_a_scale_of_their_own() -> None:
    halved = [(q, p, grade / 2) for q, p, grade in PEOPLE]
    found = calibrated(halved, human_good=0.5)
    assert found.to_dict()["results"] == calibrated().to_dict()["results"]
    assert found.settings["human_good"] == 0.5


@pytest.mark.parametrize("library", ["pandas", "polars", "polars-lazy", "pyarrow", "duckdb"])
def test_frames_of_every_library_give_the_same(library: str) -> None:
    found = calibrated(library=library)
    assert found.to_dict() == calibrated().to_dict()
    assert kind(found.table) == library


def test_a_single_run_is_calibrated_alone() -> None:
    found = calibrated(single=True)
    assert {r.of for r in found.rows} == {"run"}
    one = row(found, of="run")
    # labelled are the queries of which people graded this run's list
    assert one.automated == row(calibrated(), of="control").automated
    assert one.labelled >= 14 - len(EMPTY)


def test_judgments_that_hold_peoples_own_grades_are_warned_of() -> None:
    said = "the judge says what people say of all"
    own = list(JUDGED)
    assert any(said in warning for warning in calibrated(own).warnings)
    assert not any(said in warning for warning in calibrated().warnings)


# ------------------------------------------------------------------ which queries are labelled


def test_a_query_counts_when_all_that_both_runs_show_is_graded() -> None:
    whole = calibrated()
    assert whole.labelled == 14
    assert row(whole).labelled == 14
    gone = next(at for at, (q, p, _) in enumerate(PEOPLE) if p in LISTS[1].get(q, [])[:N])
    part = calibrated(PEOPLE[:gone] + PEOPLE[gone + 1 :])
    assert part.labelled == 13
    assert part.warnings[0] == (
        "people have graded 1 query only in part (of the top 4 of all runs); "
        "what they said of these is not used."
    )


def test_a_pooled_product_without_a_grade_is_not_graded() -> None:
    q, p, _ = PEOPLE[0]
    assert calibrated([(q, p, -1.0), *PEOPLE[1:]]).labelled == 13


def test_every_cutoff_has_its_own_labelled_queries() -> None:
    top = [
        (q, p, g)
        for q, p, g in PEOPLE
        if any(p in lists.get(q, [])[:2] for lists in LISTS) or q in SAMPLE[:5]
    ]
    found = calibrated(top, cutoffs=(N, 2))
    labelled = {r.cutoff: r.labelled for r in found.rows}
    assert labelled[2] == 14
    assert 5 <= labelled[N] < 14
    assert found.labelled == labelled[N]


def test_queries_that_show_nothing_need_no_people() -> None:
    assert EMPTY
    found = row(calibrated())
    assert found.queries == 30
    everything = calibrated(said([q for q in QUERY_IDS if q not in EMPTY]))
    assert row(everything).labelled == 30 - len(EMPTY)
    assert row(everything).ci_low == row(everything).ci_high == row(everything).human


def test_queries_outside_the_set_are_left_out_and_named() -> None:
    found = calibrated([*PEOPLE, ("other", "p1", 1.0)])
    assert found.labelled == 14
    assert (
        "human grades: queries outside the query set are left out, 1 in all: 'other'."
        in found.warnings
    )


def test_without_people_only_the_automated_figures_are_there() -> None:
    found = calibrated(None)
    assert found.labelled == 0
    assert row(found).automated == row(calibrated()).automated
    assert (row(found).estimate, row(found).note) == (None, "no labelled query")
    assert found.agreement["pairs"] == 0


def test_a_single_labelled_query_gives_no_interval() -> None:
    one = next(q for q in SAMPLE if LISTS[0].get(q) and LISTS[1].get(q))
    found = row(calibrated([r for r in PEOPLE if r[0] == one]))
    assert found.labelled == 1
    assert (found.estimate, found.ci_low, found.human_low) == (None, None, None)
    assert found.note == "no interval: fewer than 2 labelled queries"


def test_people_on_another_scale_are_suspected() -> None:
    found = calibrated(PEOPLE, human_good=9)
    assert any("no human grade is good" in warning for warning in found.warnings)


def test_probabilities_that_stand_for_too_few_queries_are_suspected() -> None:
    p = np.linspace(0.8, 0.95, len(SAMPLE))
    found = calibrated(probabilities=pd.DataFrame({"query_id": SAMPLE, "inclusion_probability": p}))
    assert any("stand for 16 queries, and there are" in warning for warning in found.warnings)


def test_the_judge_is_compared_with_people_on_what_both_graded() -> None:
    judged, people = plain.by_query(JUDGED), plain.by_query(PEOPLE)
    pairs = [
        (people[q][p] >= 1, judged[q][p] >= 1)
        for q in SAMPLE
        for p in people[q]
        if judged.get(q, {}).get(p, -1) >= 0
    ]
    found = calibrated().agreement
    assert found["pairs"] == len(pairs)
    assert found["agreement"] == pytest.approx(np.mean([one == other for one, other in pairs]))
    assert found["good_human"] == pytest.approx(np.mean([one for one, _ in pairs]))
    assert found["good_automated"] == pytest.approx(np.mean([other for _, other in pairs]))
    from sklearn.metrics import cohen_kappa_score

    kappa = cohen_kappa_score(*zip(*pairs, strict=True))
    assert found["kappa"] == pytest.approx(kappa)


# ------------------------------------------------------------------ results


def test_a_result_is_json_a_table_and_text() -> None:
    found = calibrated(by=["traffic"])
    document = json.loads(found.to_json())
    assert set(document) == {
        "settings", "query_set", "labelled", "agreement", "warnings", "results",
    }  # fmt: skip
    assert list(document["results"][0]) == [
        "measure", "cutoff", "segment", "of", "queries", "labelled", "automated", "human",
        "human_low", "human_high", "estimate", "ci_low", "ci_high", "lambda", "narrower",
        "effective_labels", "labels_saved", "note",
    ]  # fmt: skip
    assert len(found.table) == len(found.rows) == 2 * 3 * 4
    assert "item_goodrate@4" in repr(found)
    assert "<table>" in found._repr_html_()


def test_saved_labels_are_those_that_people_alone_would_need_beyond() -> None:
    found = row(calibrated())
    assert found.labels_saved == pytest.approx(found.effective_labels - found.labelled)
    assert found.labels_saved >= 0
    narrower = 1 - (found.ci_high - found.ci_low) / (found.human_high - found.human_low)
    assert found.narrower == pytest.approx(narrower)


# ------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"unjudged": "drop"}, "counts products without an automated grade as bad"),
        ({"ties": "expected"}, "needs one list of each run"),
        ({"measures": ["ndcg"]}, "'ndcg' cannot be calibrated"),
        ({"people": [*PEOPLE, PEOPLE[0]]}, "human grades: judgments: query_id"),
        ({"by": ["nothing"]}, "column 'nothing' not found"),
        (
            {"probabilities": pd.DataFrame({"query_id": SAMPLE, "inclusion_probability": 2.0})},
            "above 0 and at most 1, not 2",
        ),
        (
            {
                "probabilities": pd.DataFrame(
                    {"query_id": [SAMPLE[0]] * 2, "inclusion_probability": [0.2, 0.3]}
                )
            },
            "must be one number above 0 and at most 1, not 0.2 and 0.3",
        ),
        (
            {
                "probabilities": pd.DataFrame(
                    {"query_id": SAMPLE[2:], "inclusion_probability": np.linspace(0.2, 0.6, 12)}
                )
            },
            "is labelled and has no inclusion_probability, 2 such queries in all",
        ),
        (
            {"probabilities": pd.DataFrame({"query_id": SAMPLE})},
            "'inclusion_probability' not found",
        ),
    ],
)
def test_what_cannot_be_calibrated_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(MetricsError, match=text):
        calibrated(**changes)


def test_text_grades_of_people_need_good_labels() -> None:
    words = [(q, p, "yes" if grade else "no") for q, p, grade in PEOPLE]
    with pytest.raises(MetricsError, match=r"human grades: .* say which labels are good") as error:
        calibrated(words)
    assert error.value.setting == "good_labels"
    found = calibrated(words, good_labels=("yes",))
    # people's words and the judge's numbers, each by its own rule
    assert found.to_dict()["results"] == calibrated().to_dict()["results"]


# ------------------------------------------------------------------ how many more


def test_a_plan_says_how_many_labels_a_width_needs() -> None:
    found = calibrated()
    now = row(found).ci_high - row(found).ci_low
    plan = plan_labels(found, now * 0.6)
    assert (plan.measure, plan.cutoff, plan.of, plan.labelled) == ("item_goodrate", N, "delta", 14)
    assert plan.width_now == pytest.approx(now)
    assert plan.needed is not None
    assert plan.more == plan.needed - 14
    assert 14 < plan.needed < 30 - len(EMPTY)
    assert plan.to_dict()["target_width"] == now * 0.6


def test_a_plan_that_is_fulfilled_asks_for_nothing() -> None:
    found = calibrated()
    plan = plan_labels(found, 2.0, of="control", measure="query_goodrate")
    assert (plan.needed, plan.more, plan.note) == (14, 0, "the interval is as narrow already")


def test_the_narrowest_interval_needs_every_query() -> None:
    plan = plan_labels(calibrated(), 1e-9)
    assert (plan.needed, plan.note) == (30 - len(EMPTY), "every query must be labelled")


def test_a_population_cannot_be_known_better_than_its_queries_tell() -> None:
    plan = plan_labels(calibrated(target="population"), 0.001)
    assert (plan.needed, plan.more) == (None, None)
    assert "more queries are needed" in plan.note


def test_a_plan_needs_some_labels_to_begin_with() -> None:
    plan = plan_labels(calibrated(None), 0.1)
    assert plan.needed is None
    assert "have some 30 queries labelled first" in plan.note
    with pytest.raises(MetricsError, match="no such figure to plan for"):
        plan_labels(calibrated(), 0.1, measure="precision")
    with pytest.raises(ValueError, match="above 0"):
        plan_labels(calibrated(), 0)


def test_the_values_of_every_query_stand_behind_the_figures() -> None:
    table = calibrated(by=["traffic"]).per_query
    assert len(table) == 2 * 30
    items = table[table["measure"] == "item_goodrate"]
    assert sorted(items["query_id"][items["human_control"].notna()]) == SAMPLE
    judge, den = arrays("item_goodrate", JUDGED, 1, QUERY_IDS)
    value = np.divide(judge, den, out=np.zeros(30), where=den > 0)
    assert items["automated_treatment"].tolist() == pytest.approx(list(value))


def test_runs_are_rough_where_labels_were_drawn_for_the_difference() -> None:
    rng = np.random.default_rng(1)
    ids = [f"q{at:03}" for at in range(120)]
    likely, labelled = ids[:50], [*ids[:45], *ids[50:57]]

    def grades(queries: list[str]) -> pd.DataFrame:
        rows = [(q, p, int(rng.random() < 0.5)) for q in queries for p in "ab"]
        return pd.DataFrame(rows, columns=list(JUDGMENTS))

    def run(product: str) -> pd.DataFrame:
        return pd.DataFrame({"query_id": ids, "product_id": product, "rank": 1})

    p = [0.9 if q in likely else 0.1 for q in ids]
    found = calibrate(
        run("a"),
        run("b"),
        grades(ids),
        grades(labelled),
        probabilities=pd.DataFrame({"query_id": ids, "inclusion_probability": p}),
        measures=["item_goodrate"],
    )
    # (50 + 70)² / (45/0.81 + 7/0.01)
    remark = (
        "by their unequal probabilities the labels count like 19 that are drawn alike: "
        "the interval is rough"
    )
    assert {each.of: each.note for each in found.rows} == {
        "control": remark, "treatment": remark, "delta": "",
    }  # fmt: skip


def two_runs(differ: int, labelled: list[int], p: list[float] | None = None, **more: Any) -> Any:
    """100 queries with one product each, of which the first differ; the judge is always right."""
    ids = [f"q{at:03}" for at in range(100)]
    judged = pd.DataFrame(
        [(q, product, (at + (product == "b")) % 3 > 0) for at, q in enumerate(ids)
         for product in "ab"],
        columns=list(JUDGMENTS),
    ).astype({"grade": int})  # fmt: skip
    lists = [
        pd.DataFrame({"query_id": ids, "product_id": products, "rank": 1})
        for products in (["a"] * 100, ["b"] * differ + ["a"] * (100 - differ))
    ]
    if p is not None:
        more["probabilities"] = pd.DataFrame({"query_id": ids, "inclusion_probability": p})
    human = judged[judged["query_id"].isin([ids[at] for at in labelled])]
    return calibrate(*lists, judged, human, measures=["query_goodrate"], **more)


def test_where_all_that_differs_was_sure_to_be_labelled_nothing_is_allowed_for() -> None:
    labelled, p = [*range(20), *range(20, 100, 4)], [1.0] * 20 + [0.25] * 80
    found = row(two_runs(20, labelled, p), "query_goodrate")
    assert found.ci_low == pytest.approx(found.automated) == pytest.approx(found.ci_high)
    assert found.note == "every query whose lists differ is labelled: of these queries it is known"
    # the runs themselves can still be wrong where they show the same
    control = row(two_runs(20, labelled, p), "query_goodrate", "control")
    assert control.ci_high - control.ci_low > 0.05
    # and others like those that were sure to be labelled are asked by users
    population = two_runs(20, labelled, p, target="population")
    assert row(population, "query_goodrate").ci_high > found.ci_high


def test_only_queries_whose_lists_differ_can_hold_a_mistake_about_the_difference() -> None:
    labelled = [*range(10), *range(20, 50)]
    some, every = (row(two_runs(differ, labelled), "query_goodrate").detail for differ in (20, 100))
    # 10 of 20 are labelled: 2·0.2²·(1 − 10/20)/(11·12), and with all 2·(1 − 40/100)/(41·42)
    assert 2 * some.step**2 * 0.6 / (41 * 42) == pytest.approx(2 * 0.04 * 0.5 / (11 * 12))
    assert every.step == 1


@pytest.mark.slow
@pytest.mark.parametrize("differ", [16, 80, 160])
def test_a_difference_is_covered_where_few_lists_differ_and_mistakes_are_few(differ: int) -> None:
    rng = np.random.default_rng(21)
    ids, hits, repeats = [f"q{at:03}" for at in range(160)], 0, 100
    lists = [
        pd.DataFrame({"query_id": ids, "product_id": products, "rank": 1})
        for products in (["a"] * 160, ["b"] * differ + ["a"] * (160 - differ))
    ]
    for _ in range(repeats):
        good = rng.random((160, 2)) < 0.7
        judge = good ^ (rng.random((160, 2)) < 0.02)
        of_people, of_judge = (
            pd.DataFrame({
                "query_id": np.repeat(ids, 2), "product_id": ["a", "b"] * 160,
                "grade": grades.ravel().astype(int),
            })
            for grades in (good, judge)
        )  # fmt: skip
        chosen = rng.choice(ids, 40, replace=False)
        human = of_people[of_people["query_id"].isin(chosen)]
        found = row(calibrate(*lists, of_judge, human, measures=["query_goodrate"]),
                    "query_goodrate")  # fmt: skip
        truth = float((good[:differ, 1].astype(int) - good[:differ, 0]).sum() / 160)
        hits += found.ci_low <= truth <= found.ci_high
    assert hits / repeats >= 0.93


def test_probabilities_count_where_only_those_of_the_labelled_happen_to_be_equal() -> None:
    labelled, p = list(range(0, 50, 5)), [0.18] * 50 + [0.02] * 50
    found = two_runs(50, labelled, p)
    assert found.settings["probabilities"] == "given"
    # the ten labels stand for 56 queries, and there are 100
    assert any("stand for 56 queries, and there are 100" in text for text in found.warnings)
    detail = row(found, "query_goodrate", "control").detail
    plain = row(two_runs(50, labelled), "query_goodrate", "control").detail
    assert detail.human == pytest.approx(plain.human)
    assert detail.human_error < plain.human_error


def test_an_interval_stays_where_its_figure_can_lie() -> None:
    ids = [f"q{at:02}" for at in range(40)]
    good = pd.DataFrame({"query_id": ids, "product_id": "a", "grade": 1})
    listed = good.drop(columns="grade").assign(rank=1)
    one = calibrate(listed, None, good, good.head(20), measures=["item_goodrate"]).rows[0]
    assert one.detail is not None
    assert one.detail.interval is not None
    assert one.detail.interval.high > 1
    assert (one.estimate, one.ci_high, one.human_high) == (1.0, 1.0, 1.0)
    both = pd.concat([good, good.assign(product_id="b", grade=0)])
    other = listed.assign(product_id="b")
    people = both[both["query_id"].isin(ids[:5])]
    delta = calibrate(listed, other, both, people, measures=["item_goodrate"]).rows[2]
    assert (delta.of, delta.estimate, delta.ci_low) == ("delta", -1.0, -1.0)
    assert delta.ci_high is not None
    assert delta.ci_high > -1


def test_labels_of_queries_that_weigh_little_count_for_little() -> None:
    ids, labelled = [f"q{at:03}" for at in range(100)], list(range(0, 100, 2))
    for heavy, warned in ((1.0, False), (10.0, True)):
        weights = [heavy if at < 6 else 1.0 for at in range(100)]
        found = two_runs(80, labelled, queries=pd.DataFrame({"query_id": ids, "weight": weights}))
        # (3·10 + 47)²/(3·100 + 47)
        notes = [each.note for each in found.rows]
        assert ["the labels count like 17 that weigh the same" in each for each in notes] == [
            warned
        ] * 3
