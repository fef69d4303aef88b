"""Show what the rewards of a rewriter pay for, and what its gates let through.

Four tables, by query type where it matters:

- gates: the cosine from which a candidate is accepted, calibrated as `evalkit train rewriter` does
  it on the accepted rewrites of the queries that it learns from; and which share of the accepted
  rewrites of held-out families reaches them and breaks no rule.
- hack: what outputs earn that are accepted rewrites of their query, titles drawn at random, or
  rewrites of another query, with the gate, without it, and without it and diversity weighed as
  much as relevance. A reward is worth nothing where titles earn as much as rewrites.
- graded: how many right and wrong rewrites of `labels/rewrites.csv`, graded by hand, are accepted.
- words: cosines of what a query excludes, by its own words and by what it wants.

Queries and rewrites of the sample shop are synthesized, rewritten from the catalogue and filtered,
unless `--queries` and `--rewrites` name some (an experiment has them in `queries/` and
`rewrites/`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
from rewrite_filter import LABELS, SAMPLE, TYPES, open_graphs, read_labels

from evalkit.constraints.topic import wanted
from evalkit.engines import open_engine
from evalkit.knowledge import CatalogueFiles
from evalkit.training.policy_examples import PolicyExamples, read_policy_examples
from evalkit.training.rewarding import Rewarder, RewardSettings, calibrate_gates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.constraints import TypedQuery
    from evalkit.retrieval.embedding_cache import CachedEncoder

PLACES = 4  # candidates of an output
SETTINGS = {
    "gate": RewardSettings(),
    "no gate": RewardSettings(gated=False),
    "no gate, diversity 1": RewardSettings(gated=False, diversity=1.0),
}
NEGATED = (
    ("running shoes without leather", "leather running shoes", "mesh running shoes", "leather",
     "running shoes"),
    ("jacket without hood", "hooded jacket", "jacket with collar", "hood", "jacket"),
)  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """What rewards are computed with.

    Attributes:
        examples: of the shop, in two parts.
        encoder: rewards.
        products: unit vectors of the titles.
        gates: by query type.
    """

    examples: PolicyExamples
    encoder: CachedEncoder
    products: Any
    gates: Mapping[str, float]

    def rewarder(self, settings: RewardSettings, places: int = PLACES) -> Rewarder:
        """Return what rewards with other settings."""
        graph = self.examples.graph
        return Rewarder(self.encoder, self.products, graph, self.gates, settings, places)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python benchmarks/rewards.py -o build/benchmarks/rewards.json",
    )
    parser.add_argument("--products", type=Path, default=SAMPLE)
    parser.add_argument("--queries", type=Path, help="with --rewrites: not synthesized")
    parser.add_argument("--rewrites", type=Path, help="accepted ones of --queries")
    parser.add_argument("--per-type", type=int, default=200, help="synthesized queries of a type")
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--electronics", type=Path, metavar="PRODUCTS",
                        help="a catalogue of electronics, whose kinds the rules do not know "
                        "otherwise")  # fmt: skip
    parser.add_argument("--data", type=Path, default=Path("build/benchmarks/rewards"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, metavar="JSON")
    given = parser.parse_args()
    if (given.queries is None) != (given.rewrites is None):
        parser.error("--queries and --rewrites belong together")
    if given.queries is None:
        given.data.mkdir(parents=True, exist_ok=True)
        given.queries, given.rewrites = make_rewrites(
            given.products, given.data, given.per_type, given.seed
        )
    bench = open_bench(given.products, given.queries, given.rewrites, given.seed)
    document = {
        "seed": given.seed,
        "queries": dict(bench.examples.counts),
        "gates": gates(bench),
        "hack": hack(bench, given.seed),
        "graded": graded(bench, given.labels, given.products, given.electronics),
        "words": words(bench),
    }
    if given.output is not None:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(table(document))
    return 0


def make_rewrites(products: Path, folder: Path, per_type: int, seed: int) -> tuple[Path, Path]:
    """Synthesize queries and rewrite them from the catalogue, as an experiment does."""
    from evalkit.relevance.rewrite_filter import filter_rewrites
    from evalkit.relevance.rewrite_scorers import TOPIC_THRESHOLD, open_topic_cosine
    from evalkit.rewriting.rewriting import RewriteSettings, rewrite_queries
    from evalkit.rewriting.rules import RULES, filter_rule
    from evalkit.synthesis.queries import QuerySettings, synthesize_queries

    queries, rewrites, accepted = (
        folder / f"{name}-{per_type}-{seed}.parquet" for name in ("queries", "rewrites", "accepted")
    )
    synthesize_queries(
        products,
        queries,
        settings=QuerySettings(
            per_type=per_type, per_family=6, part="train", test_share=0.4, seed=seed
        ),
    )
    rewrite_queries(queries, products, rewrites, RewriteSettings(n=5, seed=seed))
    shop = CatalogueFiles(products, None, None, {})
    with open_engine("1GB") as connection:
        _, graph = shop.open(connection)
    cosine = open_topic_cosine()
    filter_rewrites(
        accepted,
        rewrites,
        queries,
        rule=filter_rule(graph),
        model=cosine,
        models=(cosine.to_manifest("relevance"),),
        threshold=TOPIC_THRESHOLD,
        settings={"rules": RULES},
        inputs=shop.paths(),
    )
    return queries, accepted


def open_bench(products: Path, queries: Path, rewrites: Path, seed: int) -> Bench:
    """Read everything and calibrate the gates on the queries of the training's side."""
    from evalkit.models import cache_folder
    from evalkit.retrieval import open_encoder
    from evalkit.retrieval.embedding_cache import CachedEncoder

    with open_engine("1GB") as connection:
        shop = CatalogueFiles(products, None, None, {}).open(connection)
        examples = read_policy_examples(
            connection, shop, queries, rewrites, held_out=0.2, seed=seed, reading={}
        )
    encoder = CachedEncoder(open_encoder(), cache_folder() / "embeddings")
    accepted = [examples.rewrites[query.query_id] for query in examples.learnt]
    found = calibrate_gates(encoder, examples.learnt, accepted)
    titles = encoder.encode(examples.catalogue.titles, "document")
    return Bench(examples, encoder, titles, found)


def gates(bench: Bench) -> dict[str, dict[str, float]]:
    """Return each type's gate, and how many accepted rewrites of held-out families pass it."""
    asked = rewritten(bench, bench.examples.held_out)
    one = bench.rewarder(RewardSettings(), places=1)
    found: dict[str, dict[str, float]] = {}
    for kind, gate in bench.gates.items():
        pairs = [
            (query, text)
            for query, texts in asked
            if query.structure.query_type == kind
            for text in texts
        ]
        passed = one.score([query for query, _ in pairs], [[text] for _, text in pairs]).accepted
        found[kind] = {"gate": gate, "rewrites": len(pairs), "accepted": int(passed.sum())}
    return found


def hack(bench: Bench, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return what outputs of several kinds earn on average, by setting, kind and query type."""
    asked = rewritten(bench, bench.examples.held_out)
    drawn = np.random.default_rng(seed)
    titles = [title.lower() for title in bench.examples.catalogue.titles]
    others = drawn.permutation(len(asked))
    outputs: dict[str, Sequence[Sequence[str]]] = {
        "accepted rewrites": [texts[:PLACES] for _, texts in asked],
        "random titles": [
            [titles[place] for place in drawn.choice(len(titles), PLACES, replace=False)]
            for _ in asked
        ],
        "rewrites of another query": [asked[place][1][:PLACES] for place in others],
    }
    queries = [query for query, _ in asked]
    types = [query.structure.query_type for query in queries]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, settings in SETTINGS.items():
        rewarder = bench.rewarder(settings)
        found[name] = {}
        for kind, said in outputs.items():
            rewards = rewarder.score(queries, said)
            by_type = {each: row["reward"] for each, row in rewards.means_by_type(types).items()}
            found[name][kind] = {"all": float(rewards.total.mean()), **by_type}
    return found


def rewritten(
    bench: Bench, queries: Sequence[TypedQuery]
) -> list[tuple[TypedQuery, Sequence[str]]]:
    """Return the queries that have at least as many accepted rewrites as an output has places."""
    rewrites = bench.examples.rewrites
    return [
        (query, rewrites[query.query_id])
        for query in queries
        if len(rewrites.get(query.query_id, ())) >= PLACES
    ]


def graded(
    bench: Bench, labels: Path, products: Path, electronics: Path | None
) -> dict[str, dict[str, int]]:
    """Count right and wrong rewrites that are accepted, of those graded by hand."""
    rows = read_labels(labels)
    graphs = open_graphs(products, electronics)
    accepted = np.zeros(len(rows.rows), dtype=bool)
    for catalogue in sorted({row["catalogue"] for row in rows.rows}):
        rewarder = replace(bench.rewarder(RewardSettings(), places=1), graph=graphs.get(catalogue))
        places = [at for at, row in enumerate(rows.rows) if row["catalogue"] == catalogue]
        said = [[rows.rows[at]["rewrite"]] for at in places]
        accepted[places] = rewarder.score([rows.asked[at] for at in places], said).accepted[:, 0]
    found = {}
    for kind in TYPES:
        of = rows.having("query_type", kind)
        found[kind] = {
            "right": int((of & rows.good).sum()),
            "right_accepted": int((of & rows.good & accepted).sum()),
            "wrong": int((of & ~rows.good).sum()),
            "wrong_accepted": int((of & ~rows.good & accepted).sum()),
        }
    return found


def words(bench: Bench) -> list[dict[str, Any]]:
    """Compare a query's own words, and what it wants, with a wrong and a right rewrite."""
    from evalkit.constraints import Condition, Structure

    found = []
    for query, wrong, right, value, kind in NEGATED:
        structure = Structure("negative", (kind,), excluded=(Condition(None, (value,)),))
        aim = wanted(query, structure)
        vectors = bench.encoder.encode([query, aim, wrong, right], "query").astype(np.float64)
        cosine = vectors[:2] @ vectors[2:].T
        found.append(
            {
                "query": query, "wanted": aim, "wrong": wrong, "right": right,
                "words": cosine[0].tolist(), "aim": cosine[1].tolist(),
            }
        )  # fmt: skip
    return found


def table(document: Mapping[str, Any]) -> str:
    """Return the figures as Markdown tables."""
    lines = ["\nGates, and accepted rewrites of held-out families that pass\n"]
    lines += ["| type | gate | pass |", "| --- | --- | --- |"]
    lines += [
        f"| {kind} | {row['gate']:.3f} | {row['accepted']} of {row['rewrites']} |"
        for kind, row in document["gates"].items()
    ]
    kinds = list(document["gates"])
    lines += ["\nWhat outputs earn\n", f"| setting | output | all | {' | '.join(kinds)} |"]
    lines += ["| --- | --- | --- |" + " --- |" * len(kinds)]
    for setting, outputs in document["hack"].items():
        for said, row in outputs.items():
            cells = [f"{row[kind]:.2f}" if kind in row else "–" for kind in ("all", *kinds)]
            lines += [f"| {setting} | {said} | {' | '.join(cells)} |"]
    lines += ["\nRewrites graded by hand that are accepted\n"]
    lines += ["| type | right | wrong |", "| --- | --- | --- |"]
    lines += [
        f"| {kind} | {row['right_accepted']} of {row['right']} | "
        f"{row['wrong_accepted']} of {row['wrong']} |"
        for kind, row in document["graded"].items()
    ]
    lines += ["\nCosine with a wrong and a right rewrite\n"]
    lines += [
        "| query | wrong | right | by | wrong | right |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in document["words"]:
        told = f"| {row['query']} | {row['wrong']} | {row['right']} |"
        for name, words_ in (("words", "its words"), ("aim", f'"{row["wanted"]}"')):
            lines += [f"{told} {words_} | {row[name][0]:.2f} | {row[name][1]:.2f} |"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
