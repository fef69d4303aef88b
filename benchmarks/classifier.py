"""Measure the query-product classifier on people's grades, by cross-validation over queries.

CHORUS_DIR holds `products.jsonl.gz` (id, title, brand, description), `queries.csv` (query_id,
query), `judgments.csv` (query_id, product_id, grade 0 to 3, adjudicated; good is 2 or more) and
`graders.csv` (query_id, product_id, annotator, grade: the single graders behind it).

The queries are dealt to five folds. Each fold is judged by a classifier trained on the others (a
fifth of whose queries calibrates it and sets its thresholds). Beside it, each with what it needs
learnt from the same other folds: the BM25 score, the BM25 score over the query's best one, and the
cosine of the untrained encoder. What is learnt of those is a threshold (best kappa), a rising
curve from score to probability (isotonic), and one from score to grade, rounded. "Cosine and
shared words" is the classifier's regression without its cross-encoder, learnt from all pairs of the
other folds. The threshold for a precision is one whose lower bound keeps it. The graders stand
beside them: each against the adjudicated grade, in which their own vote has a part, and against
each other.

Every finished fold is kept in OUT_DIR; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import time
import warnings
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np

from evalkit.engines import open_engine
from evalkit.models import locate_encoder
from evalkit.progress import say
from evalkit.relevance.calibrating import Calibration, fit_calibration
from evalkit.relevance.classifier import score_pairs
from evalkit.relevance.pair_features import open_features
from evalkit.relevance.thresholds import find_threshold
from evalkit.training.classifier import ClassifierSettings
from evalkit.training.cross_encoder import fit_cross_encoder
from evalkit.training.examples import read_judged_pairs
from evalkit.training.held_out import calibrate_model, cross_fit, split_groups
from metrics.reliability import reliability

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOOD = 2
TARGET = 0.9
FIELDS = ("title", "brand", "description")
READING = {"products": {"mapping": {"product_id": "id"}}}


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python benchmarks/classifier.py chorus -o build/classifier",
    )
    parser.add_argument("data", type=Path, metavar="CHORUS_DIR", help="the data")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT_DIR")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=48)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--balance", choices=["none", "weights", "sampling"], default="none")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    settings = ClassifierSettings(
        epochs=given.epochs,
        max_length=given.max_length,
        learning_rate=given.learning_rate,
        batch_size=given.batch_size,
        balance=given.balance,
        precisions=(TARGET,),
        seed=given.seed,
    )
    with open_engine("1GB") as connection:
        made = read_judged_pairs(
            connection,
            given.data / "judgments.csv",
            given.data / "queries.csv",
            given.data / "products.jsonl.gz",
            good=GOOD,
            fields=FIELDS,
            reading=READING,
        )
        catalogue = read_texts(connection, given.data / "products.jsonl.gz")
    examples = made.examples
    fold = deal(examples.group, given.folds, given.seed)
    scores = {
        "bm25": bm25_scores(examples, catalogue, given.output),
        "cosine": cosine_scores(examples),
    }
    scores["bm25 of query's best"] = scores["bm25"][:, 0] / np.maximum(scores["bm25"][:, 1], 1e-9)
    scores["bm25"] = scores["bm25"][:, 0]
    systems: dict[str, dict[str, Any]] = {}
    for name in ("bm25", "bm25 of query's best", "cosine"):
        systems[name] = judged_by_score(scores[name], examples, fold)
    systems["cosine and shared words"] = judged_by_regression(examples, fold, given.seed)
    systems["classifier"] = judged_by_classifier(examples, fold, settings, given.output)
    rows = {name: figures(each, examples) for name, each in systems.items()}
    rows |= graders(given.data)
    document = {
        "settings": {**asdict(settings), "fields": FIELDS, "good": GOOD, "folds": given.folds},
        "pairs": len(examples),
        "queries": len(set(examples.group)),
        "good_share": float(examples.is_good().mean()),
        "base": locate_encoder().fingerprint,
        "systems": rows,
    }
    (given.output / "classifier.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(table(document))


def read_texts(connection: Any, products: Path) -> tuple[list[str], list[str]]:
    """Return the ids and texts of the whole catalogue, whose words BM25 counts."""
    from evalkit.tables import read
    from evalkit.tables.product_text import store_texts

    found = read("products", products, connection, **READING["products"])
    texts, _, _ = store_texts(connection, found, FIELDS)
    table = texts.to_arrow_table()
    return table.column("product_id").to_pylist(), table.column("text").to_pylist()


def deal(groups: tuple[str, ...], folds: int, seed: int) -> NDArray[np.int64]:
    """Deal queries to folds; return the fold of every pair."""
    names, place = np.unique(np.array(groups), return_inverse=True)
    part = np.empty(len(names), dtype=np.int64)
    part[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % folds
    return part[place]


def bm25_scores(examples: Any, catalogue: Any, folder: Path) -> NDArray[np.float64]:
    """Return the score of every pair and the best score of its query in the catalogue."""
    from evalkit.retrieval.lexical_index import LexicalSettings, build_words, split_words

    _, texts = catalogue
    index = build_words(split_words(texts), LexicalSettings())
    place = {text: number for number, text in enumerate(texts)}
    of_query: dict[str, NDArray[np.float32]] = {}
    result = np.zeros((len(examples), 2))
    for number, (query, text) in enumerate(examples.pairs()):
        if query not in of_query:
            words = [index.vocab_dict[w] for w in split_words([query])[0] if w in index.vocab_dict]
            empty = np.zeros(len(texts), dtype=np.float32)
            of_query[query] = index.get_scores_from_ids(words) if words else empty
        result[number] = of_query[query][place[text]], of_query[query].max()
    return result


def cosine_scores(examples: Any) -> NDArray[np.float64]:
    """Return the cosine of every pair by the untrained default encoder."""
    from evalkit.retrieval import open_encoder

    encoder = open_encoder()
    queries, texts = sorted(set(examples.first)), sorted(set(examples.second))
    of_query = dict(zip(queries, encoder.encode(queries, "query"), strict=True))
    of_text = dict(zip(texts, encoder.encode(texts, "document"), strict=True))
    return np.array([float(of_query[q] @ of_text[t]) for q, t in examples.pairs()])


def judged_by_score(
    score: NDArray[np.float64], examples: Any, fold: NDArray[np.int64]
) -> dict[str, Any]:
    """Judge every fold by a score, with a threshold and curves from the other folds."""
    from sklearn.isotonic import IsotonicRegression

    good, grade = examples.is_good(), examples.label.astype(float)
    groups = np.array(examples.group)
    said = empty(len(score)) | {"score": score}
    for number in np.unique(fold):
        inside = fold == number
        learned, asked = score[~inside], score[inside]
        said["good"][inside] = asked >= best_cut(learned, good[~inside])
        curve = IsotonicRegression(out_of_bounds="clip").fit(learned, good[~inside])
        said["probability"][inside] = curve.predict(asked)
        steps = IsotonicRegression(out_of_bounds="clip").fit(learned, grade[~inside])
        said["label"][inside] = np.rint(steps.predict(asked))
        found = find_threshold(learned, good[~inside], TARGET, groups=groups[~inside])
        said["sure"][inside] = False if found.threshold is None else asked >= found.threshold
    return said


def judged_by_regression(examples: Any, fold: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Judge every fold by the regression of the grade on the features alone."""
    said = empty(len(examples))
    known = open_features(locate_encoder()).of(examples.pairs())
    nothing = np.zeros((len(examples), len(examples.grades)))
    wanted = np.asarray(examples.grades) >= GOOD
    for number in np.unique(fold):
        inside = np.flatnonzero(fold == number)
        others = np.flatnonzero(fold != number)
        learned = examples.take(others)
        regression = fit_calibration(nothing[others], learned.label, "stacked", known[others])
        unseen = cross_fit(nothing[others], learned, "stacked", seed, known[others])
        cut = find_threshold(
            unseen[:, wanted].sum(axis=1), learned.is_good(), TARGET, groups=learned.group
        ).threshold
        probabilities = regression.probabilities(nothing[inside], known[inside])
        fill(said, inside, probabilities, wanted, cut)
    return said


def fill(
    said: dict[str, Any],
    inside: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    cut: float | None,
) -> None:
    """Write down what probabilities of grades say of the pairs of a fold."""
    probability = probabilities[:, wanted].sum(axis=1).clip(0, 1)
    accepted = probability >= 0.5
    allowed = wanted[None, :] == accepted[:, None]
    said["probability"][inside] = said["score"][inside] = probability
    said["good"][inside] = accepted
    said["label"][inside] = np.argmax(np.where(allowed, probabilities, -1), axis=1)
    said["sure"][inside] = False if cut is None else probability >= cut


def judged_by_classifier(
    examples: Any, fold: NDArray[np.int64], settings: ClassifierSettings, folder: Path
) -> dict[str, Any]:
    """Judge every fold by a classifier that was trained on the others; keep finished folds."""
    said = empty(len(examples))
    said["plain"] = np.zeros(len(examples))
    base = locate_encoder()
    what = [asdict(settings), base.fingerprint, FIELDS, fold.tolist(), examples.second]
    key = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]
    wanted = np.asarray(examples.grades) >= GOOD
    features = open_features(base)
    for number in np.unique(fold):
        inside = np.flatnonzero(fold == number)
        asked = examples.take(inside).pairs()
        file = folder / f"fold-{key}-{number}.json"
        if not file.is_file():
            started = time.monotonic()
            others = examples.take(np.flatnonzero(fold != number))
            kept, out = split_groups(others.group, settings.heldout, settings.seed)
            learned, heldout = others.take(kept), others.take(out)
            model = fit_cross_encoder(base, learned, settings, features=features)
            calibration = calibrate_model(model, heldout, settings, features, learned)
            logits = score_pairs(model, asked, settings.batch_size)
            seconds = time.monotonic() - started
            found = {"logits": logits.tolist(), "calibration": calibration, "seconds": seconds}
            file.with_suffix(".partial").write_text(json.dumps(found), "utf-8")
            file.with_suffix(".partial").replace(file)
            say(f"Fold {number + 1} took {seconds:.0f} s.")
        found = json.loads(file.read_text("utf-8"))
        logits = np.asarray(found["logits"])
        learnt = Calibration.from_json(found["calibration"], len(examples.grades))
        plain = Calibration("none").probabilities(logits)[:, wanted].sum(axis=1).clip(0, 1)
        said["plain"][inside] = plain
        cut = found["calibration"]["thresholds"][0]["threshold"]
        fill(said, inside, learnt.probabilities(logits, features.of(asked)), wanted, cut)
    return said


def empty(pairs: int) -> dict[str, Any]:
    """Return the columns that a system fills."""
    return {
        "score": np.zeros(pairs),
        "probability": np.zeros(pairs),
        "good": np.zeros(pairs, dtype=bool),
        "label": np.zeros(pairs),
        "sure": np.zeros(pairs, dtype=bool),
    }


def best_cut(score: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Return the threshold with the highest kappa."""
    order = np.argsort(-score, kind="stable")
    hits, count = np.cumsum(good[order]), np.arange(1, len(score) + 1)
    n, goods = len(score), good.sum()
    agreed = (hits + (n - goods) - (count - hits)) / n
    chance = (count * goods + (n - count) * (n - goods)) / n**2
    kappa = np.where(chance < 1, (agreed - chance) / np.maximum(1 - chance, 1e-12), 0)
    kappa[:-1][np.diff(score[order]) == 0] = -1
    return float(score[order][np.argmax(kappa)])


def figures(said: dict[str, Any], examples: Any) -> dict[str, Any]:
    """Return the figures of a system over all pairs, each judged in its own fold."""
    from sklearn.metrics import roc_auc_score

    good = examples.is_good()
    found = reliability(said["probability"], good)
    if found is None:
        raise SystemExit("there are no pairs")
    groups = np.array(examples.group)
    within = [
        roc_auc_score(good[groups == query], said["score"][groups == query])
        for query in sorted(set(examples.group))
        if 0 < good[groups == query].mean() < 1
    ]
    sure = said["sure"]
    row = {
        **agreement(said["good"], good, said["label"], examples.label, groups),
        "auc": float(roc_auc_score(good, said["score"])),
        "auc_within_queries": float(np.mean(within)),
        "queries_with_both": len(within),
        "brier": found.brier,
        "brier_base": found.brier_base,
        "ece": found.ece,
        "sure_pairs": int(sure.sum()),
        "sure_precision": float(good[sure].mean()) if sure.any() else None,
        "sure_recall": float(sure[good].mean()),
        "bins": [each.to_dict() for each in found.bins],
    }
    if "plain" in said:
        before = reliability(said["plain"], good)
        row["uncalibrated"] = before.to_dict() if before else None
    return row


def agreement(
    said: NDArray[Any], good: NDArray[Any], label: NDArray[Any], truth: NDArray[Any],
    groups: NDArray[Any], resamples: int = 2000,
) -> dict[str, Any]:  # fmt: skip
    """Return kappas and accuracy; the interval draws queries anew."""
    from sklearn.metrics import cohen_kappa_score

    names, place = np.unique(groups, return_inverse=True)
    cells = np.zeros((len(names), 4))
    np.add.at(cells, (place, 2 * good.astype(int) + said.astype(int)), 1)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(names), (resamples, len(names)))
    tables = cells[drawn].sum(axis=1)
    n = tables.sum(axis=1)
    agreed = (tables[:, 0] + tables[:, 3]) / n
    yes, truly = (tables[:, 1] + tables[:, 3]) / n, (tables[:, 2] + tables[:, 3]) / n
    chance = yes * truly + (1 - yes) * (1 - truly)
    low, high = np.quantile((agreed - chance) / (1 - chance), [0.025, 0.975])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "pairs": len(good),
            "kappa_good": float(cohen_kappa_score(good, said)),
            "kappa_good_low": float(low),
            "kappa_good_high": float(high),
            "kappa_grades": float(
                cohen_kappa_score(truth.astype(int), label.astype(int), weights="quadratic")
            ),
            "accuracy": float((said == good).mean()),
        }


def graders(data: Path) -> dict[str, dict[str, Any]]:
    """Compare each grader with the adjudicated grade, and the graders with each other."""

    def read(name: str) -> list[dict[str, str]]:
        with (data / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    truth = {(r["query_id"], r["product_id"]): float(r["grade"]) for r in read("judgments.csv")}
    single: dict[str, dict[tuple[str, str], float]] = {}
    for row in read("graders.csv"):
        pair = (row["query_id"], row["product_id"])
        single.setdefault(row["annotator"], {})[pair] = float(row["grade"])

    def compare(one: dict[tuple[str, str], float], two: dict[tuple[str, str], float]) -> Any:
        both = sorted(one.keys() & two.keys())
        a, b = (np.array([each[pair] for pair in both]) for each in (one, two))
        return agreement(a >= GOOD, b >= GOOD, a, b, np.array([pair[0] for pair in both]))

    rows = {f"{name} : adjudicated": compare(single[name], truth) for name in sorted(single)}
    for one, two in combinations(sorted(single), 2):
        rows[f"{one} : {two}"] = compare(single[one], single[two])
    return rows


def table(document: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        f"{document['pairs']:,} pairs of {document['queries']} queries, "
        f"{100 * document['good_share']:.1f}% good; {document['settings']['folds']} folds.",
        "",
        "| judge | pairs | κ good (95%) | κ grades | accuracy | AUC | AUC in query | Brier | ECE | "
        f"precision, recall at the threshold for {TARGET:g} |",
        "| --- | --: | --- | --: | --: | --: | --: | --: | --: | --- |",
    ]
    for name, row in document["systems"].items():
        shown = [f"{row[key]:.3f}" if key in row else "–"
                 for key in ("auc", "auc_within_queries", "brier", "ece")]  # fmt: skip
        sure = "–"
        if row.get("sure_precision") is not None:
            sure = f"{row['sure_precision']:.3f}, {row['sure_recall']:.3f}"
        lines.append(
            f"| {name} | {row['pairs']:,} | {row['kappa_good']:.3f} ({row['kappa_good_low']:.3f} "
            f"to {row['kappa_good_high']:.3f}) | {row['kappa_grades']:.3f} | "
            f"{row['accuracy']:.3f} | {' | '.join(shown)} | {sure} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
