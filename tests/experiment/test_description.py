"""An experiment's file is read strictly: what is not understood is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.experiment import Experiment, read_experiment
from evalkit.experiment.leaks import possible_leaks
from evalkit.experiment.scores import comparisons

START = """\
name: small
catalogue: {products: products.jsonl}
queries:
  asked: {file: queries.csv, judgments: judgments.csv}
  training: {per_type: 4, part: train}
"""
SYSTEMS = "systems: {control: {retriever: bm25}, treatment: {}}\n"


def read(folder: Path, text: str, **variables: str) -> Experiment:
    for name in ("products.jsonl", "queries.csv", "judgments.csv"):
        (folder / name).write_text("", "utf-8")
    path = folder / "experiment.yaml"
    path.write_text(text, "utf-8")
    return read_experiment(path, variables)


def refused(folder: Path, text: str, **variables: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text, **variables)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'experiment.yaml'}: ")
    assert "\n" not in message
    return message.removeprefix(f"{folder / 'experiment.yaml'}: ")


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    found = read(tmp_path, START + SYSTEMS)
    assert found.catalogue.products == tmp_path / "products.jsonl"
    assert found.queries["asked"].file == tmp_path / "queries.csv"


def test_what_the_file_does_not_say_has_a_default(tmp_path: Path) -> None:
    found = read(tmp_path, START + SYSTEMS)
    assert found.systems["treatment"].retriever == "base"
    assert (found.comparisons.cutoff, found.comparisons.depth) == (10, 100)
    assert found.seeds("treatment") == (None,)
    assert found.study is None


def test_sets_of_part_train_are_not_compared_on_unless_they_are_named(tmp_path: Path) -> None:
    assert read(tmp_path, START + SYSTEMS).compared == ("asked",)
    named = read(tmp_path, f"{START}{SYSTEMS}comparisons: {{queries: [training]}}\n")
    assert named.compared == ("training",)


def test_the_control_meets_every_system_and_the_treatment_too(tmp_path: Path) -> None:
    text = START + "systems: {treatment: {}, bm25: {retriever: bm25}, control: {}}\n"
    assert comparisons(read(tmp_path, text)) == [
        ("control", "treatment"),
        ("control", "bm25"),
        ("bm25", "treatment"),
    ]


@pytest.mark.parametrize(
    ("more", "problem", "allowed"),
    [
        ("sytems: {}\n", "sytems: there is no such key.", "Allowed are name, catalogue, queries"),
        (
            "systems: {control: {retreiver: base}}\n",
            "systems.control.retreiver: there is no such key.",
            "Allowed are retriever, rewriter, rewrites, as_pairs, rerank, top, decompose, weight,",
        ),
        ("study: {sample: 4}\n", "study.queries: is missing.", "Allowed are queries, sample"),
    ],
)
def test_an_unknown_or_missing_key_is_told_with_what_is_allowed(
    tmp_path: Path, more: str, problem: str, allowed: str
) -> None:
    message = refused(tmp_path, START + more)
    assert message.startswith(problem)
    assert allowed in message


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("comparisons: {cutoff: ten}\n", "comparisons.cutoff: 'ten' is not a whole number"),
        ("comparisons: {cutoff: 2.5}\n", "comparisons.cutoff: 2.5 is not a whole number"),
        ("comparisons: {cutoff: true}\n", "comparisons.cutoff: True is not a whole number"),
        ("comparisons: {cutoff: 200}\n", "comparisons: cutoff is 1 or more, and depth no less"),
        ("comparisons: [3]\n", "comparisons: is not a mapping"),
        ("comparisons: {by: 3}\n", "comparisons.by: 3 is not a text"),
        ("retrievers: {one: {pairs: []}}\n", "retrievers.one: pairs names no training data"),
        (
            "retrievers: {one: {pairs: a, seeds: [1, 1]}}\n",
            "retrievers.one: seeds are one or more different numbers",
        ),
        (
            "classifiers: {one: {queries: asked, folder: encoder}}\n",
            "classifiers.one: name one of folder, queries, pairs and judgments",
        ),
        (
            "classifiers: {one: {judgments: judgments.csv}}\n",
            "classifiers.one: judgments and judged_queries belong together",
        ),
        (
            "classifiers: {one: {queries: asked, settings: {epoch: 1}}}\n",
            "classifiers.one.settings.epoch: there is no such key. Allowed are epochs, learning",
        ),
        (
            "training_data: {a: {queries: asked, classifier: b, settings: {per_query: 0}}}\n",
            "training_data.a.settings: --per-query must be 1 or more",
        ),
        (
            "rewriters: {one: {queries: asked, settings: {rewards: {relevance: much}}}}\n",
            "rewriters.one.settings.rewards.relevance: 'much' is not a number",
        ),
        ("retrievers: {base: {pairs: a}}\n", "retrievers.base: is the name of a built-in one"),
        ("rewriters: {a/b: {queries: asked}}\n", "rewriters.a/b: is no name"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_place(
    tmp_path: Path, more: str, problem: str
) -> None:
    assert refused(tmp_path, START + SYSTEMS + more).startswith(problem)


@pytest.mark.parametrize(
    ("more", "problem", "there"),
    [
        (
            "systems: {control: {retriever: tuned}, treatment: {}}\n",
            "systems.control.retriever: there is no 'tuned'",
            "There are base, bm25.",
        ),
        (
            "systems: {control: {}, treatment: {rerank: judge}}\n",
            "systems.treatment.rerank: there is no 'judge'",
            "There is none.",
        ),
        (
            "systems: {control: {}, other: {}}\n",
            "comparisons.treatment: there is no 'treatment'",
            "There are control, other.",
        ),
        (
            SYSTEMS + "training_data: {pairs: {queries: training, classifier: judge}}\n",
            "training_data.pairs.classifier: there is no 'judge'",
            "There is none.",
        ),
        (
            SYSTEMS + "retrievers: {tuned: {pairs: [pairs]}}\n",
            "retrievers.tuned.pairs: there is no 'pairs'",
            "There is none.",
        ),
        (
            SYSTEMS + "rewriters: {policy: {queries: asks}}\n",
            "rewriters.policy.queries: there is no 'asks'",
            "There are asked, training.",
        ),
        (
            SYSTEMS + "study: {queries: training}\n",
            "study.queries: there is no 'training'",
            "There are asked.",
        ),
        (
            SYSTEMS + "classifiers: {judge: {queries: training}}\n"
            "training_data: {a: {queries: training, classifier: judge}}\n"
            "retrievers: {tuned: {pairs: a, distil: teacher}}\n",
            "retrievers.tuned.distil: there is no 'teacher'",
            "There are judge.",
        ),
        (
            "systems: {control: {retriever: two}, treatment: {retriever: three}}\n"
            "classifiers: {judge: {queries: training}}\n"
            "training_data: {a: {queries: training, classifier: judge}}\n"
            "retrievers: {two: {pairs: a, seeds: [0, 1]}, three: {pairs: a, seeds: [0, 1, 2]}}\n",
            "systems.control.retriever: has 2 seeds, and that of treatment has 3",
            "Give both the same number of seeds",
        ),
        (
            "systems: {control: {}, treatment: {rewriter: catalogue, decompose: true}}\n",
            "systems.treatment: decompose and rewriter are two answers",
            "",
        ),
        (
            "systems: {control: {}, treatment: {retriever: bm25, decompose: true}}\n",
            "systems.treatment.decompose: is of vectors, and bm25 has none",
            "",
        ),
    ],
)
def test_parts_that_name_what_is_not_there_are_refused(
    tmp_path: Path, more: str, problem: str, there: str
) -> None:
    message = refused(tmp_path, START + more)
    assert message.startswith(problem)
    assert there in message


def test_a_file_that_is_not_there_is_told_with_the_key(tmp_path: Path) -> None:
    message = refused(tmp_path, START.replace("judgments.csv", "grades.csv") + SYSTEMS)
    assert message.startswith(f"queries.asked.judgments: {tmp_path / 'grades.csv'} is not there")


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    message = refused(tmp_path, START + SYSTEMS + "systems: {}\n")
    assert message.startswith("row 7: the key systems stands twice")


def test_one_section_can_be_like_another(tmp_path: Path) -> None:
    more = """\
classifiers: {judge: {queries: training}}
training_data:
  few: {like: default, rewriter: none, rewrites: 2}
  open: {like: default, settings: {filters: false}}
  default: {queries: training, classifier: judge, rewrites: 7, settings: {per_query: 3}}
"""
    found = read(tmp_path, START + SYSTEMS + more).training_data
    assert (found["few"].rewrites, found["few"].rewriter) == (2, "none")
    assert found["few"].settings.per_query == 3
    assert (found["open"].settings.per_query, found["open"].settings.filters) == (3, False)
    assert found["default"].settings.filters
    assert (found["default"].rewrites, found["default"].rewriter) == (7, "catalogue")


@pytest.mark.parametrize(
    ("other", "problem"),
    [("nothing", "there is no nothing"), ("treatment", "treatment is like itself")],
)
def test_a_section_that_is_like_nothing_or_itself_is_refused(
    tmp_path: Path, other: str, problem: str
) -> None:
    text = START + f"systems: {{control: {{}}, treatment: {{like: {other}}}}}\n"
    assert refused(tmp_path, text).startswith(f"systems.treatment.like: {problem}")


VARIABLES = """\
variables: {DEPTH: 20}
name: small
catalogue: {products: "${SHOP}/products.jsonl"}
queries: {asked: {file: queries.csv, judgments: judgments.csv}}
systems: {control: {}, treatment: {filter: "${FILTER}"}}
comparisons: {depth: "${DEPTH}"}
"""


def test_variables_are_what_is_set_then_the_environment_then_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILTER", "false")
    monkeypatch.setenv("SHOP", "/nowhere")
    found = read(tmp_path, VARIABLES, SHOP=str(tmp_path), FILTER="true")
    assert found.catalogue.products == tmp_path / "products.jsonl"
    assert found.systems["treatment"].filter is True
    assert found.comparisons.depth == 20
    monkeypatch.setenv("DEPTH", "30")
    assert read(tmp_path, VARIABLES, SHOP=".").comparisons.depth == 30
    assert read(tmp_path, VARIABLES, SHOP=".").systems["treatment"].filter is False


def test_a_variable_without_a_value_is_told(tmp_path: Path) -> None:
    message = refused(tmp_path, VARIABLES, FILTER="true")
    assert message.startswith("catalogue.products: the variable ${SHOP} has no value")
    assert "--set SHOP=VALUE" in message


def test_a_variable_that_the_file_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--set SHOPS: .* has: DEPTH, FILTER, SHOP\."):
        read(tmp_path, VARIABLES, SHOP=".", FILTER="true", SHOPS="x")


def test_a_variable_stands_for_a_number_only_where_one_is_meant(tmp_path: Path) -> None:
    message = refused(tmp_path, VARIABLES, SHOP=".", FILTER="true", DEPTH="deep")
    assert message.startswith("comparisons.depth: 'deep' is not a whole number")


def test_the_experiments_that_are_shipped_fit_together(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "experiments"
    for name in ("products.jsonl.gz", "queries.csv", "judgments.csv"):
        (tmp_path / name).write_bytes(b"")
    sample = read_experiment(folder / "sample.yaml", {"STEPS": "5"})
    assert sample.seeds("treatment") == (0, 1, 2)
    assert sample.rewriters["policy"].settings.steps == 5
    assert sample.rewriters["before_rl"].settings.steps == 0
    assert sample.training_data["no_filters"].settings.filters is False
    # an arm without filters has nothing of the checker, and one lacks the hard negatives alone
    unfiltered = sample.retrievers["no_filters"]
    assert (unfiltered.pairs, unfiltered.checked) == (("no_filters",), False)
    plain = sample.retrievers["no_hard_negatives"]
    assert (plain.pairs, plain.checked) == (("default",), True)
    assert plain.settings.hard_negatives == "none"
    assert plain.settings.batch_size == sample.retrievers["distilled"].settings.batch_size
    assert sample.training_data["raw"].settings.dev_share == 0.2
    chorus = read_experiment(folder / "chorus.yaml", {"CHORUS": str(tmp_path)})
    assert chorus.catalogue.products == tmp_path / "products.jsonl.gz"
    # nothing that is reported is trained on
    for found in (sample, chorus):
        # what re-ranks has learnt what the treatment has learnt
        judge = found.classifiers[str(found.systems["reranked"].rerank)]
        assert (judge.pairs, judge.settings.max_length) == ("default", 128)
        assert found.retrievers[found.systems["treatment"].retriever].pairs == ("default",)
        assert {data.queries for data in found.training_data.values()} == {"training"}
        for rewriter in found.rewriters.values():
            # judged by what has no part in the rewards
            assert found.classifiers[str(rewriter.classifier)].use == "rewrites"
        assert set(found.queries["training"].held_out) == set(found.compared)
        assert possible_leaks(found) == []


def test_families_are_taken_by_default_and_can_be_of_another_column_or_none(tmp_path: Path) -> None:
    assert read(tmp_path, START + SYSTEMS).comparisons.cluster == "family"
    for said, meant in (("need", "need"), ("null", None)):
        found = read(tmp_path, f"{START}{SYSTEMS}comparisons: {{cluster: {said}}}\n")
        assert found.comparisons.cluster == meant


def test_a_set_is_held_out_whole(tmp_path: Path) -> None:
    found = read(tmp_path, START.replace("part: train", "part: train, held_out: [asked]") + SYSTEMS)
    assert found.queries["training"].held_out == ("asked",)
    unknown = START.replace("part: train", "part: train, held_out: [other]") + SYSTEMS
    assert "queries.training.held_out: there is no 'other'" in refused(tmp_path, unknown)
    itself = START.replace("part: train", "part: train, held_out: [training]") + SYSTEMS
    assert "training leaves out queries itself" in refused(tmp_path, itself)


JUDGED = """\
classifiers: {weak: {queries: training}, heard: {use: rewrites, queries: training}}
rewriters: {policy: {queries: training, classifier: heard}}
"""


def test_a_rewriter_is_judged_by_a_classifier_of_rewrites(tmp_path: Path) -> None:
    assert read(tmp_path, START + JUDGED + SYSTEMS).rewriters["policy"].classifier == "heard"
    other = START + JUDGED.replace("classifier: heard", "classifier: weak") + SYSTEMS
    assert refused(tmp_path, other) == (
        "rewriters.policy.classifier: weak does not judge rewrites. Name one with use: rewrites."
    )
    unknown = START + JUDGED.replace("classifier: heard", "classifier: none") + SYSTEMS
    assert "rewriters.policy.classifier: there is no 'none'" in refused(tmp_path, unknown)
    rerank = START + JUDGED + "systems: {control: {}, treatment: {rerank: heard}}\n"
    assert "systems.treatment.rerank: heard does not judge products" in refused(tmp_path, rerank)
    graded = START + JUDGED.replace(
        "rewrites, queries: training",
        "rewrites, judgments: judgments.csv, judged_queries: queries.csv",
    )
    assert "a classifier of rewrites learns from queries" in refused(tmp_path, graded + SYSTEMS)


PAIRS = """\
classifiers: {weak: {queries: training}, fair: {pairs: made}}
training_data: {made: {queries: training, classifier: weak}}
"""


def test_a_classifier_learns_from_pairs_that_were_made_without_it(tmp_path: Path) -> None:
    assert read(tmp_path, START + PAIRS + SYSTEMS).classifiers["fair"].pairs == "made"
    circle = START + PAIRS.replace("classifier: weak", "classifier: fair") + SYSTEMS
    assert refused(tmp_path, circle) == (
        "training_data.made.classifier: fair learns from pairs, and these are made before it. "
        "Name one that learns from queries or judgments."
    )
    unknown = START + PAIRS.replace("pairs: made", "pairs: other") + SYSTEMS
    assert "classifiers.fair.pairs: there is no 'other'" in refused(tmp_path, unknown)
    both = START + PAIRS.replace("pairs: made", "pairs: made, queries: training") + SYSTEMS
    assert "name one of folder, queries, pairs and judgments" in refused(tmp_path, both)


def test_searching_as_pairs_needs_rewrites_and_both_indexes(tmp_path: Path) -> None:
    for said in ("{as_pairs: true}", "{as_pairs: true, rewriter: none, retriever: bm25}"):
        text = START + SYSTEMS.replace("treatment: {}", f"treatment: {said}")
        assert "as_pairs needs a rewriter and retriever base" in refused(tmp_path, text)


LEARNERS = """\
classifiers: {weak: {queries: training}}
rewriters: {policy: {queries: training}}
training_data: {made: {queries: training, classifier: weak, rewriter: policy}}
"""


@pytest.mark.parametrize(
    ("was", "now", "problem"),
    [
        ("weak: {queries: training", "weak: {queries: asked", "classifiers.weak.queries: asked is"),
        ("policy: {queries: training", "policy: {queries: asked", "rewriters.policy.queries: ask"),
        ("made: {queries: training", "made: {queries: asked", "training_data.made.queries: asked"),
        (
            "weak: {queries: training",
            "weak: {judgments: judgments.csv, judged_queries: queries.csv",
            "classifiers.weak.judgments: are those of asked, which is compared on",
        ),
        (
            "part: train}",
            "part: train}\n  other: {part: test, test_share: 0.6}",
            "queries.other.test_share: is 0.6, and that of training is 0.4",
        ),
    ],
)
def test_what_is_reported_is_not_learnt(tmp_path: Path, was: str, now: str, problem: str) -> None:
    text = START + LEARNERS + SYSTEMS
    read(tmp_path, text)
    assert was in text
    assert refused(tmp_path, text.replace(was, now)).startswith(problem)


def test_what_may_have_been_learnt_is_told(tmp_path: Path) -> None:
    text = START + LEARNERS + SYSTEMS
    said = possible_leaks(read(tmp_path, text))
    assert [line.partition(":")[0] for line in said] == [
        "classifiers.weak.queries",
        "rewriters.policy.queries",
        "training_data.made.queries",
    ]
    assert all(line.endswith("add asked to queries.training.held_out.") for line in said)
    guarded = text.replace("part: train", "part: train, held_out: [asked]")
    assert possible_leaks(read(tmp_path, guarded)) == []
    # of the pairs alone
    pairs = text.replace("made: {", "made: {held_out: [asked], ")
    assert len(possible_leaks(read(tmp_path, pairs))) == 2
    # two parts of one division share nothing; without parts, wordings are shared
    parts = guarded.replace("systems:", "systems:").replace(
        "queries:\n", "queries:\n  test: {part: test}\n"
    )
    assert possible_leaks(read(tmp_path, parts)) == []
    whole = parts.replace("part: train, held_out: [asked]", "held_out: [asked, test]")
    whole += "comparisons: {queries: [asked, test]}\n"
    said = possible_leaks(read(tmp_path, whole))
    assert len(said) == 3
    assert all("share wordings" in line for line in said)
