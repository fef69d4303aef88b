"""How well the constraint checker reads: against attributes it may not see, and against a person.

(a) Truth is what attributes state. The attribute of a condition is taken out of half the products
    (in their catalogue and by `ignore_attributes`), and the checker reads those products' texts.
    The other half keeps its attributes: from them it learns which words to trust.
(b) 200 pairs of benchmarks/labels/constraint_pairs.jsonl, graded by reading before the checker
    was written. Three settings: attributes and text, text only, attributes only. The grader saw
    texts only: where attributes decide, look at the pairs that the text settles.

The honest figures of (b) are the first. Reading text only, before anything was changed in view of
a pair: 35 of 37 `pass` and 56 of 59 `fail` right, 35 of 75 satisfying and 56 of 77 violating
products found (at 79e25da, when Chorus had no kinds yet). Since then wrong verdicts have been
read, and rules changed in view of them: the pairs are no longer untouched, and what this prints
now is likely somewhat too good.

A `pass` is precise when the truth is that the product satisfies the structure; recall is the share
of the satisfying products that pass. The same for `fail`. Intervals are Wilson's, 95 %.

    python benchmarks/constraints.py [--chorus DIR] [-o figures.json]

DIR holds the products.jsonl.gz of Chorus (see benchmarks/chorus.py); without it only the sample
shop is measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from evalkit.constraints.checking import VERDICTS, Checker
from evalkit.constraints.structure import Condition, Structure
from evalkit.knowledge import Catalogue, CatalogueSettings, read_catalogue, read_settings
from metrics.proportions import wilson_interval

ROOT = Path(__file__).parents[1]
LABELS = ROOT / "benchmarks" / "labels"
TRUTHS = {"satisfies": 1, "unknown": 0, "violates": -1}
# Weights of cartons and codes of customs: no query names them.
NOBODY_ASKS = (
    "package", "pallet", "master", "quantity_per", "harmonized", "last_change", "oem_code",
    "weight", "width", "height", "depth", "dimensions", "processor_ark", "status", "launch",
    "storage_temp", "storage_rel", "operating", "number_of_cartons",
)  # fmt: skip
SETTINGS = ("attributes and text", "text only", "attributes only")


def catalogues(chorus: Path | None) -> dict[str, Catalogue]:
    """Read the catalogues that are there."""
    connection = duckdb.connect()
    found = {"sample": read_catalogue(ROOT / "sample_data" / "products.jsonl", connection)}
    if chorus is not None:
        own = ROOT / "benchmarks" / "catalogues" / "chorus.yaml"
        settings = (
            read_settings(own) if own.is_file() else CatalogueSettings(strip=("t_", "n_", "b_"))
        )
        reading = {"mapping": {"product_id": "id"}}
        path = chorus / "products.jsonl.gz"
        found["chorus"] = read_catalogue(path, connection, settings, reading=reading)
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def rates(rows: list[tuple[int, int]]) -> dict[str, Any]:
    """Return confusion, precision and recall of pass and fail from (truth, verdict) pairs."""
    counts = Counter(rows)
    result: dict[str, Any] = {
        "pairs": len(rows),
        "unknown_share": sum(verdict == 0 for _, verdict in rows) / max(len(rows), 1),
        "confusion": {
            truth: {VERDICTS[verdict]: counts[number, verdict] for verdict in (1, 0, -1)}
            for truth, number in TRUTHS.items()
        },
    }
    for name, value in (("pass", 1), ("fail", -1)):
        right = counts[value, value]
        given = sum(counts[truth, value] for truth in (1, 0, -1))
        there = sum(counts[value, verdict] for verdict in (1, 0, -1))
        result[name] = {"precision": share(right, given), "recall": share(right, there)}
    return result


def share(k: int, n: int) -> dict[str, Any]:
    """Return k, n, k/n and its Wilson interval."""
    interval = wilson_interval(k, n)
    return {
        "k": k,
        "n": n,
        "share": k / n if n else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
    }


def graded_pairs(
    found: dict[str, Catalogue], wrong: list[str] | None = None
) -> dict[str, dict[str, list[tuple[int, int]]]]:
    """Return (truth, verdict) pairs by setting and by catalogue and type."""
    queries = {row["query_id"]: row for row in lines(LABELS / "constraint_queries.jsonl")}
    pairs = lines(LABELS / "constraint_pairs.jsonl")
    result: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for setting in SETTINGS:
        groups: dict[str, list[tuple[int, int]]] = {}
        for name, catalogue in found.items():
            shown = () if setting != "text only" else tuple(catalogue.attributes)
            checker = Checker(
                catalogue, read_text=setting != "attributes only", ignore_attributes=shown
            )
            for row in pairs:
                query = queries[row["query_id"]]
                if query["catalogue"] != name:
                    continue
                structure = Structure.from_json(json.dumps(query["structure"]))
                checks = checker.check(structure, catalogue.numbers_of([row["product_id"]]))
                verdict, truth = int(checks.verdict[0]), TRUTHS[row["label"]]
                named = [f"{name} {structure.query_type}", name, "all"]
                # the grader saw texts only, so an attribute may know what is unknown here
                named += ["all, settled by the text"] if truth else []
                for group in named:
                    groups.setdefault(group, []).append((truth, verdict))
                if wrong is not None and verdict and verdict != truth:
                    wrong.append(
                        f"{setting}: {row['query_id']} {row['product_id']} is {row['label']}, "
                        f"verdict {VERDICTS[verdict]}: {checks.explain(0)}"
                    )
        result[setting] = dict(sorted(groups.items()))
    return result


def without_attribute(catalogue: Catalogue, name: str, products: np.ndarray) -> Catalogue:
    """Return the catalogue in which some products do not state an attribute."""
    attribute = catalogue.attributes[name]
    keep = ~np.isin(attribute.product, products)
    thinned = replace(attribute, product=attribute.product[keep], value=attribute.value[keep])
    return replace(catalogue, attributes={**catalogue.attributes, name: thinned})


def conditions_of(catalogue: Catalogue, seed: int, most: int) -> list[tuple[str, str, str]]:
    """Draw kind, attribute and value: stated by 3 products or more, but not by nearly all.

    A catalogue without kinds gives conditions on all products, of attributes that 50 state.
    """
    drawn = []
    groups = [(kind, catalogue.of_kind(kind), 6) for kind in catalogue.kinds]
    groups = [
        (kind, numbers[catalogue.kind_confidence[numbers] >= 0.8], least)
        for kind, numbers, least in groups
    ] or [("", np.arange(len(catalogue)), 50)]
    for kind, numbers, least in groups:
        if len(numbers) < least:
            continue
        chosen = np.zeros(len(catalogue), dtype=np.bool_)
        chosen[numbers] = True
        for name, attribute in catalogue.attributes.items():
            if len(attribute.product) < least or name.startswith(NOBODY_ASKS):
                continue
            inside = chosen[attribute.product]
            stated = len(np.unique(attribute.product[inside]))
            if stated < least:
                continue
            counts = np.bincount(attribute.value[inside], minlength=len(attribute.values))
            usual = np.flatnonzero((counts >= least // 2) & (counts <= 0.8 * stated))
            drawn += [(kind, name, attribute.values[place]) for place in usual.tolist()]
    random.Random(seed).shuffle(drawn)
    return drawn[:most]


def from_attributes(
    catalogue: Catalogue, *, seed: int, most: int
) -> tuple[dict[str, list[tuple[int, int]]], Counter[str]]:
    """Return (truth, verdict) pairs by type, and how many structures each has."""
    result: dict[str, list[tuple[int, int]]] = {}
    structures: Counter[str] = Counter()
    half = np.fromiter(
        (
            hashlib.sha256(f"{seed} {name}".encode()).digest()[0] % 2
            for name in catalogue.product_ids
        ),
        np.int64,
        len(catalogue),
    )
    hidden = np.flatnonzero(half == 1)
    reader = Checker(catalogue)
    whole = Checker(catalogue, read_text=False)
    by_attribute: dict[str, list[tuple[str, str]]] = {}
    for kind, name, value in conditions_of(catalogue, seed, most):
        by_attribute.setdefault(name, []).append((kind, value))
    for name, parts in sorted(by_attribute.items()):
        thinned = without_attribute(catalogue, name, hidden)
        reader = Checker(thinned, ignore_attributes=(name,), texts_of=reader)
        for kind, value in parts:
            kinds = (kind,) if kind else ()
            of_kind = catalogue.of_kind(kind) if kind else catalogue.attributes[name].stated()
            numbers = np.intersect1d(of_kind, hidden)
            condition = (Condition(name, (value,)),)
            made = {
                "negative": Structure("negative", kinds, excluded=condition),
                "knowledge, general": Structure("general", kinds, condition),
            }
            price = np.nanmedian(np.r_[catalogue.prices[of_kind], np.inf])
            if np.isfinite(price):
                made["alternative"] = Structure(
                    "alternative", kinds, condition, price_max=float(price)
                )
            for group, structure in made.items():
                truth = whole.check(structure, numbers).verdict
                checks = reader.check(structure, numbers)
                # what the price alone decides says nothing about reading
                decided = (truth != 0) & ~((checks.verdict == -1) & ~checks.by_text)
                result.setdefault(group, []).extend(
                    zip(truth[decided].tolist(), checks.verdict[decided].tolist(), strict=True)
                )
                structures[group] += bool(decided.any())
    return result, structures


def table(title: str, groups: dict[str, dict[str, Any]]) -> str:
    """Return figures as a Markdown table."""
    head = ["", "pairs", "pass: precision", "recall", "fail: precision", "recall", "unknown"]
    rows = [f"\n{title}\n", f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for name, figures in groups.items():
        cells = [name, str(figures["pairs"])]
        for verdict in ("pass", "fail"):
            for rate in ("precision", "recall"):
                part = figures[verdict][rate]
                cells.append(
                    f"{part['share']:.2f} [{part['low']:.2f}, {part['high']:.2f}] "
                    f"({part['k']}/{part['n']})"
                    if part["n"]
                    else "–"
                )
        cells.append(f"{figures['unknown_share']:.2f}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def timings(catalogue: Catalogue, structures: int, seed: int) -> dict[str, float]:
    """Return seconds for many structures on a few hundred candidates and on all products."""
    drawn = conditions_of(catalogue, seed, structures)
    made = [
        Structure("negative", (kind,) if kind else (), excluded=(Condition(name, (value,)),))
        for kind, name, value in drawn
    ]
    made = [made[place % len(made)] for place in range(structures)]
    random_numbers = np.random.default_rng(seed)
    few = min(300, len(catalogue))
    result = {"structures": float(len(made)), "distinct": float(len(set(made)))}
    start = time.perf_counter()
    checker = Checker(catalogue)
    checker.check(made[0])
    result["first"] = time.perf_counter() - start
    for name, count in (("candidates", few), ("all", len(catalogue))):
        numbers = random_numbers.choice(len(catalogue), count, replace=False).astype(np.int64)
        fresh = Checker(catalogue, texts_of=checker)
        start = time.perf_counter()
        for structure in made:
            fresh.check(structure, numbers)
        result[f"{name} ({count})"] = time.perf_counter() - start
        start = time.perf_counter()
        for structure in made:
            fresh.check(structure, numbers)
        result[f"{name} ({count}) again"] = time.perf_counter() - start
    return result


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chorus", type=Path, help="folder of Chorus")
    parser.add_argument("--structures", type=int, default=400, help="most conditions drawn for (a)")
    parser.add_argument("--seed", type=int, default=20260728)
    parser.add_argument("--wrong", action="store_true", help="print wrong verdicts of (b)")
    parser.add_argument("--skip", choices=("a", "b", "t"), action="append", default=[])
    parser.add_argument("-o", "--output", type=Path, help="figures as JSON")
    options = parser.parse_args()
    found = catalogues(options.chorus)
    document: dict[str, Any] = {"seed": options.seed}
    if "a" not in options.skip:
        for name, catalogue in found.items():
            pairs, counts = from_attributes(catalogue, seed=options.seed, most=options.structures)
            figures = {kind: rates(rows) for kind, rows in sorted(pairs.items())}
            document.setdefault("attributes_removed", {})[name] = {
                "structures": dict(counts),
                "types": figures,
            }
            told = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
            print(table(f"(a) {name}, decisive attribute removed; structures: {told}", figures))
    if "b" not in options.skip:
        wrong: list[str] | None = [] if options.wrong else None
        graded = graded_pairs(found, wrong)
        document["graded_pairs"] = {}
        for setting, groups in graded.items():
            figures = {group: rates(rows) for group, rows in groups.items()}
            document["graded_pairs"][setting] = figures
            print(table(f"(b) graded pairs, {setting}", figures))
            print("\nconfusion: " + json.dumps(figures["all"]["confusion"]))
        print("\n".join(wrong or []))
    if "t" not in options.skip:
        document["seconds"] = {
            name: timings(catalogue, 2000, options.seed) for name, catalogue in found.items()
        }
        for name, seconds in document["seconds"].items():
            told = ", ".join(f"{what} {value:.2f}" for what, value in seconds.items())
            print(f"\nseconds, {name}: {told}")
    if options.output is not None:
        options.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
