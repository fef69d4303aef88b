"""Measure filters of rewrites on 300 rewrites graded by hand (benchmarks/labels/rewrites.csv).

Which rewrites keep what their query asks for? Four answers, and pairs of them:

- rules of writing: `evalkit.rewriting.breaks`, with the graph of the catalogue where there is one.
  Each rewrite is judged by itself: that one repeats another is not what was graded.
- rules: these and `evalkit.rewriting.straying.strays`, which the filter looks at, too.
- cosine: of query and rewrite, by the untrained default encoder.
- cosine of topic: of the query's positive part (`evalkit.constraints.topic`) and the rewrite.
- cosine of structure: of the required values and kinds of the query's structure (its positive part
  where it has no kind) and the rewrite. It is what `evalkit relevance rewrites --cosine` and the
  chain take, with the threshold `TOPIC_THRESHOLD`.
- classifier: a folder of `evalkit train classifier`, at 0.5 and with a threshold that is learnt.

Thresholds are learnt by leaving one query out: the rewrites of a query are judged with the
threshold that has the best kappa on all other queries, one for all types. `rules, then X` accepts
what breaks no rule and is accepted by X; its threshold is learnt on what the rules leave.

Good rewrites are positive: precision is the share of good ones among the accepted, recall the share
of accepted ones among the good. The interval of kappa draws queries anew.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np

from evalkit.constraints import Structure
from evalkit.constraints.topic import topic
from evalkit.engines import open_engine
from evalkit.relevance.rewrite_scorers import TOPIC_THRESHOLD
from evalkit.rewriting import TypedQuery, breaks
from evalkit.rewriting.straying import strays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.knowledge.graph import Graph

    Flags = NDArray[np.bool_]
    Scores = NDArray[np.float64]

HERE = Path(__file__).parent
LABELS = HERE / "labels" / "rewrites.csv"
SAMPLE = HERE.parent / "sample_data" / "products.jsonl"
TYPES = ("knowledge", "negative", "alternative", "general")
RESAMPLES = 2000
TAKEN = "cosine of structure"


@dataclass(frozen=True)
class Graded:
    """The graded rewrites, in the order of the file.

    Attributes:
        rows: of the file.
        asked: the query of every row.
        good: whether the rewrite keeps the intent, bool[n].
        group: number of the query of every row, int64[n].
    """

    rows: Sequence[Mapping[str, str]]
    asked: Sequence[TypedQuery]
    good: Flags
    group: NDArray[np.int64]

    def having(self, column: str, value: str) -> Flags:
        """Return which rows have a value, bool[n]; a source goes by its first word."""
        return np.array([row[column].split(":")[0] == value for row in self.rows])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python benchmarks/rewrite_filter.py --classifier build/rewrites -o r.json",
    )
    parser.add_argument("--classifier", action="append", default=[], metavar="FOLDER")
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="products of the sample shop")
    parser.add_argument("--electronics", type=Path, metavar="PRODUCTS",
                        help="a catalogue of electronics (id, title, brand, ...) for the rules; "
                        "without it they do not know its kinds")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the intervals")
    parser.add_argument("--wrong", metavar="SYSTEM", help="print what this system gets wrong")
    parser.add_argument("-o", "--output", type=Path, metavar="JSON")
    given = parser.parse_args()
    graded = read_labels(given.labels)
    graphs = open_graphs(given.sample, given.electronics)
    written, said = rule_reasons(graded, graphs, strict=False), rule_reasons(graded, graphs)
    scores = all_scores(graded, given.classifier)
    accepted = systems(
        graded,
        np.array([not reason for reason in written]),
        np.array([not reason for reason in said]),
        scores,
    )
    document = {
        "rewrites": len(graded.rows),
        "queries": int(graded.group.max()) + 1,
        "threshold": "best kappa on all other queries (leave one query out)",
        "electronics_catalogue": given.electronics is not None,
        "seed": given.seed,
        "systems": {name: figures(flags, graded, given.seed) for name, flags in accepted.items()},
        "auc": aucs(graded, scores),
        "rules_by_grade": rule_counts(said, graded),
    }
    if given.output is not None:
        given.output.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(table(document))
    if given.wrong is not None:
        print_wrong(accepted[given.wrong], said, graded)
    return 0


def read_labels(path: Path) -> Graded:
    """Read the graded rewrites."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    asked = [
        TypedQuery(row["query_id"], row["query"], Structure.from_json(row["structure"]))
        for row in rows
    ]
    _, group = np.unique([row["query_id"] for row in rows], return_inverse=True)
    good = np.array([row["label"] == "1" for row in rows])
    return Graded(rows, asked, good, group.astype(np.int64))


def open_graphs(sample: Path, electronics: Path | None) -> dict[str, Graph]:
    """Return what is known of each catalogue."""
    from evalkit.knowledge import read_catalogue
    from evalkit.knowledge.graph import build_graph

    found = {}
    with open_engine("1GB") as connection:
        found["sample"] = build_graph(read_catalogue(sample, connection))
        if electronics is not None:
            reading = {"mapping": {"product_id": "id"}}
            found["electronics"] = build_graph(
                read_catalogue(electronics, connection, reading=reading)
            )
    return found


def rule_reasons(graded: Graded, graphs: Mapping[str, Graph], *, strict: bool = True) -> list[str]:
    """Return which rule each rewrite breaks, or ``; not strict, of the rules of writing alone."""
    found = []
    for query, row in zip(graded.asked, graded.rows, strict=True):
        graph = graphs.get(row["catalogue"])
        broken = breaks(query, row["rewrite"], graph=graph)
        found.append(broken or (strays(query, row["rewrite"], graph) if strict else ""))
    return found


def systems(
    graded: Graded, written: Flags, unbroken: Flags, scores: Mapping[str, Scores]
) -> dict[str, Flags]:
    """Return what each system accepts."""
    found = {
        "all accepted": np.ones_like(unbroken),
        "rules of writing": written,
        "rules": unbroken,
    }
    for name, score in scores.items():
        every = np.ones_like(unbroken)
        if name.startswith("classifier"):
            found[f"{name}, 0.5"] = score >= 0.5
            found[f"rules, then {name}, 0.5"] = unbroken & (score >= 0.5)
        if name == TAKEN:
            cut = TOPIC_THRESHOLD
            found[f"rules, then {name}, {cut:g}"] = unbroken & (score >= cut)
        found[name] = left_out(score, graded, every)
        found[f"rules, then {name}"] = left_out(score, graded, unbroken)
    return found


def all_scores(graded: Graded, classifiers: Sequence[str]) -> dict[str, Scores]:
    """Return a score of every rewrite by each system that has one."""
    from evalkit.relevance.classifier import open_classifier
    from evalkit.relevance.rewrite_scorers import open_topic_cosine

    queries = [query.query for query in graded.asked]
    rewrites = [row["rewrite"] for row in graded.rows]
    topics = [topic(query.query, query.structure) for query in graded.asked]
    found = {
        "cosine": cosine(queries, rewrites),
        "cosine of topic": cosine(topics, rewrites),
        TAKEN: open_topic_cosine().score(graded.asked, rewrites),
    }
    for folder in classifiers:
        name = "classifier" if len(classifiers) == 1 else f"classifier {Path(folder).name}"
        scores = open_classifier(folder).score(list(zip(queries, rewrites, strict=True)))
        found[name] = scores.astype(np.float64)
    return found


def cosine(one: Sequence[str], other: Sequence[str]) -> Scores:
    """Return the cosine of each pair of texts, float64[n]."""
    from evalkit.retrieval import open_encoder

    texts = sorted({*one, *other})
    place = {text: number for number, text in enumerate(texts)}
    vectors = open_encoder().encode(texts, "query")
    first = vectors[[place[text] for text in one]]
    second = vectors[[place[text] for text in other]]
    return np.asarray((first * second).sum(axis=1), dtype=np.float64)


def left_out(score: Scores, graded: Graded, asked: Flags) -> Flags:
    """Accept by a threshold that was learnt on all queries but the one that is judged.

    Args:
        score: of every rewrite.
        graded: the truth.
        asked: which rewrites are asked about; the others are refused and not learnt from.
    """
    accepted = np.zeros_like(asked)
    for query in np.unique(graded.group):
        inside = graded.group == query
        learned = asked & ~inside
        cut = best_cut(score[learned], graded.good[learned])
        accepted[inside] = asked[inside] & (score[inside] >= cut)
    return accepted


def best_cut(score: Scores, good: Flags) -> float:
    """Return the threshold with the best kappa; of equal ones the lowest.

    Example:
        >>> best_cut(np.array([0.9, 0.7, 0.4, 0.2]), np.array([True, True, False, False]))
        0.7
    """
    cuts = np.unique(score)
    yes = score[None, :] >= cuts[:, None]
    return float(cuts[np.argmax(kappas(yes, good[None, :], np.ones(yes.shape)))])


def kappas(said: NDArray[Any], good: NDArray[Any], weight: NDArray[Any]) -> Scores:
    """Return Cohen's kappa of every row of 0/1 answers, float64[rows]."""
    total = weight.sum(axis=-1)
    agreed = (weight * (said == good)).sum(axis=-1) / total
    yes, truly = (weight * said).sum(axis=-1) / total, (weight * good).sum(axis=-1) / total
    chance = yes * truly + (1 - yes) * (1 - truly)
    return np.where(chance < 1, (agreed - chance) / np.maximum(1 - chance, 1e-12), 0.0)


def figures(accepted: Flags, graded: Graded, seed: int) -> dict[str, Any]:
    """Return the figures of a system: of everything, each type, catalogue and source, the sure."""
    sets: dict[str, Flags] = {"all": np.ones_like(accepted)}
    sets |= {name: graded.having("query_type", name) for name in TYPES}
    sets["sure ones"] = graded.having("doubt", "")
    for column in ("catalogue", "source"):
        values = sorted({row[column].split(":")[0] for row in graded.rows})
        sets |= {f"{column} {value}": graded.having(column, value) for value in values}
    return {
        name: part(accepted[inside], graded.good[inside], graded.group[inside], seed)
        for name, inside in sets.items()
    }


def part(accepted: Flags, good: Flags, group: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Return counts, precision, recall and kappa of some rewrites."""
    from sklearn.metrics import cohen_kappa_score, precision_score, recall_score

    names, place = np.unique(group, return_inverse=True)
    drawn = np.random.default_rng(seed).integers(0, len(names), (RESAMPLES, len(names)))
    times = np.stack([np.bincount(row, minlength=len(names)) for row in drawn])[:, place]
    low, high = np.quantile(kappas(accepted[None, :], good[None, :], times), [0.025, 0.975])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing accepted, or nothing refused
        return {
            "rewrites": len(good),
            "good": int(good.sum()),
            "accepted": int(accepted.sum()),
            "accepted_good": int((accepted & good).sum()),
            "precision": float(precision_score(good, accepted, zero_division=0)),
            "recall": float(recall_score(good, accepted, zero_division=0)),
            "kappa": float(np.nan_to_num(cohen_kappa_score(good, accepted))),
            "kappa_low": float(low),
            "kappa_high": float(high),
        }


def aucs(graded: Graded, scores: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    """Return how well each score orders the rewrites, whatever the threshold."""
    from sklearn.metrics import roc_auc_score

    sets = {"all": np.ones_like(graded.good)}
    sets |= {name: graded.having("query_type", name) for name in TYPES}
    return {
        system: {
            name: float(roc_auc_score(graded.good[inside], score[inside]))
            for name, inside in sets.items()
        }
        for system, score in scores.items()
    }


def rule_counts(said: Sequence[str], graded: Graded) -> dict[str, dict[str, int]]:
    """Count what the rules found: by rule, and by what is wrong with the rewrite."""
    found: dict[str, dict[str, int]] = {}
    for reason, row in zip(said, graded.rows, strict=True):
        told = reason.split("'")[0].split(" a ")[0].strip() or "no rule"
        each = found.setdefault(row["why"] or "good", {})
        each[told] = each.get(told, 0) + 1
    return {why: dict(sorted(each.items())) for why, each in sorted(found.items())}


def table(document: Mapping[str, Any]) -> str:
    """Return the figures as Markdown tables."""

    def told(figure: Mapping[str, Any]) -> str:
        right, accepted, good = (figure[name] for name in ("accepted_good", "accepted", "good"))
        return (
            f"{figure['precision']:.2f} ({right}/{accepted}) | {figure['recall']:.2f} "
            f"({right}/{good}) | {figure['kappa']:.2f} "
            f"[{figure['kappa_low']:.2f}, {figure['kappa_high']:.2f}]"
        )

    lines = []
    for name in ("all", *TYPES, "sure ones"):
        one = next(iter(document["systems"].values()))[name]
        lines += [f"\n{name}: {one['rewrites']} rewrites, {one['good']} good\n"]
        lines += ["| filter | precision | recall | kappa |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {system} | {told(row[name])} |" for system, row in document["systems"].items()
        ]
    lines += ["\nKappa by source and catalogue\n"]
    others = [name for name in one_of(document) if " " in name and name != "sure ones"]
    lines += [f"| filter | {' | '.join(others)} |", "| --- |" + " --- |" * len(others)]
    for system, row in document["systems"].items():
        cells = [f"{row[name]['kappa']:.2f}" for name in others]
        lines += [f"| {system} | {' | '.join(cells)} |"]
    lines += ["\nArea under the curve\n", f"| score | all | {' | '.join(TYPES)} |"]
    lines += ["| --- |" + " --- |" * 5]
    for system, row in document["auc"].items():
        lines += [f"| {system} | {' | '.join(f'{row[name]:.2f}' for name in ('all', *TYPES))} |"]
    lines += ["\nWhat the rules say, by what is wrong\n"]
    lines += [f"- {why}: {json.dumps(each)}" for why, each in document["rules_by_grade"].items()]
    return "\n".join(lines)


def one_of(document: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the sets that were measured."""
    return list(next(iter(document["systems"].values())))


def print_wrong(accepted: Flags, said: Sequence[str], graded: Graded) -> None:
    """Print every rewrite that a system accepts or refuses wrongly."""
    for number in np.flatnonzero(accepted != graded.good).tolist():
        row = graded.rows[number]
        what = "accepted" if accepted[number] else "refused"
        print(f"{what}: {row['query']} => {row['rewrite']} [{row['why'] or 'good'}] {said[number]}")


if __name__ == "__main__":
    sys.exit(main())
