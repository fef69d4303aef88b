"""Measure query parsers against hand-made labels, or against queries made from structures.

    .venv/bin/python benchmarks/parsing.py DATA_DIR [-o parsing.json] [--llm SPEC]
    .venv/bin/python benchmarks/parsing.py --synthesized QUERIES --products PRODUCTS [--markdown]

The labels are those of `benchmarks/labels/parsing.jsonl`.
DATA_DIR holds `esci_150/esci_negation_queries.txt` and `webshop/goal_query_map.json`, whose texts
the labels do not repeat; they are joined by hash. The rules were tuned on labels with an even
`line`; those with an odd one were looked at only by this script, and are reported by themselves.

How answers are compared, by sums over queries (micro):

- words without regard to plural and spelling (knives = knife, color = colour);
- a condition is one statement for each of its values; `["hood", []]` is `[null, ["hood"]]`;
- two statements agree where their words do and their attributes do; a null attribute agrees with
  any. Each statement is counted once;
- a price or a type is right where it is equal; a reference where its words are, or its brand;
- `excludes` asks only whether the query excludes anything at all.

The labelled queries hardly name a price and no reference. Queries of `evalkit synthesize queries`
do, and what they ask for is known by construction; they are parsed in the words of their catalogue.
Rows are counted by query_id from 1, and the rules may be tuned on the even ones only. Here

- `excluded` and `required` are counted again where the attribute has to be equal, too;
- what a knowledge query requires follows from its need, not from its words, and is left out;
- a kind counts as wanted also where a query only names a product of it ("dupe of ...").
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tables import aligned, markdown_table

from evalkit.constraints.parsing import RuleParser
from evalkit.constraints.parsing_text import keys_of
from evalkit.constraints.structure import Condition, Reference, Structure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LABELS = Path(__file__).parent / "labels" / "parsing.jsonl"
FIELDS = ("type", "negative", "excludes", "excluded", "kinds", "required", "price_max",
          "price_min", "reference")  # fmt: skip
SYNTHESIZED = ("type", "excluded", "excluded, attribute too", "required",
               "required, attribute too", "kinds", "price_max", "price_min", "price_share",
               "reference brand", "reference product")  # fmt: skip
_SHARE = 0.005  # between two shares of a price that are the same
Statement = tuple[str | None, tuple[str, ...]]
_NEGATION = re.compile(r"\b(?:without|w/o|not|no|non)\b[\s-]+(\w+)|(\w+)[\s-]+free\b")


def labelled(data: Path) -> list[tuple[str, dict[str, Any]]]:
    """Join the labels with the texts they are about; end if a text is not there."""
    texts = (data / "esci_150" / "esci_negation_queries.txt").read_text("utf-8").split("\n")
    texts += json.loads((data / "webshop" / "goal_query_map.json").read_text("utf-8"))
    by_hash = {hashlib.sha256(text.encode()).hexdigest()[:16]: text for text in texts}
    labels = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()]
    missing = [label for label in labels if label["sha256"] not in by_hash]
    if missing:
        sys.exit(f"{len(missing)} labels of {len(labels)} have no query in {data}")
    return [(by_hash[label["sha256"]], label) for label in labels]


def gold(label: dict[str, Any]) -> Structure:
    """Return a label as a structure."""
    text, brand = label["reference_text"], label["reference_brand"]
    return Structure(
        label["query_type"],
        tuple(label["kinds"]),
        tuple(Condition(name, tuple(values)) for name, values in label["required"]),
        tuple(Condition(name, tuple(values)) for name, values in label["excluded"]),
        label["price_max"],
        label["price_min"],
        None,
        None if text is None and brand is None else Reference(text or brand, brand),
    )


def statements(conditions: Iterable[Condition]) -> list[Statement]:
    """Return one statement for each value; an empty list of values states the attribute."""
    found: list[Statement] = []
    for condition in conditions:
        name = condition.attribute
        found += [(name, tuple(sorted(keys_of(value)))) for value in condition.values]
        if not condition.values:
            found.append((None, tuple(sorted(keys_of(str(name).replace("_", " "))))))
    return found


def agreeing(wanted: Sequence[Statement], found: Sequence[Statement]) -> int:
    """Count statements that agree, each once."""
    left = list(wanted)
    hits = 0
    for name, words in found:
        for other in left:
            if words == other[1] and (name is None or other[0] is None or name == other[0]):
                left.remove(other)
                hits += 1
                break
    return hits


def count(wanted: Structure, found: Structure) -> dict[str, tuple[int, int, int]]:
    """Return agreements, statements wanted and statements found, by field."""
    counts = {"type": (int(wanted.query_type == found.query_type), 1, 1)}
    pairs = {"negative": [item.query_type == "negative" for item in (wanted, found)]}
    pairs["excludes"] = [bool(item.excluded) for item in (wanted, found)]
    for name, (one, other) in pairs.items():
        counts[name] = (int(one and other), int(one), int(other))
    for name in ("excluded", "required"):
        one, other = (statements(getattr(item, name)) for item in (wanted, found))
        counts[name] = (agreeing(one, other), len(one), len(other))
    kinds = [[(None, keys_of(kind)) for kind in item.kinds] for item in (wanted, found)]
    counts["kinds"] = (agreeing(*kinds), len(kinds[0]), len(kinds[1]))
    for name in ("price_max", "price_min"):
        one, other = getattr(wanted, name), getattr(found, name)
        counts[name] = (int(one is not None and one == other), one is not None, other is not None)
    same = bool(wanted.reference and found.reference) and (
        keys_of(wanted.reference.text) == keys_of(found.reference.text)
    )
    counts["reference"] = (int(same), wanted.reference is not None, found.reference is not None)
    return counts


def count_synthesized(wanted: Structure, found: Structure) -> dict[str, tuple[int, int, int]]:
    """Return the same for queries whose attributes and products are known."""
    counts = {name: entry for name, entry in count(wanted, found).items() if name in SYNTHESIZED}
    for name in ("excluded", "required"):
        one, other = (
            Counter(stated for item in getattr(structure, name) for stated in _exactly(item))
            for structure in (wanted, found)
        )
        counts[f"{name}, attribute too"] = ((one & other).total(), one.total(), other.total())
    if wanted.query_type == "knowledge":
        counts["required"] = counts["required, attribute too"] = (0, 0, 0)
    one, other = wanted.price_share, found.price_share
    same = one is not None and other is not None and abs(one - other) < _SHARE
    counts["price_share"] = (int(same), one is not None, other is not None)
    for name, field in (("reference brand", "brand"), ("reference product", "product_id")):
        one, other = (
            None if item.reference is None else getattr(item.reference, field)
            for item in (wanted, found)
        )
        counts[name] = (int(one is not None and one == other), one is not None, other is not None)
    return counts


def _exactly(condition: Condition) -> list[Statement]:
    values = condition.values or ("",)
    return [(condition.attribute, tuple(sorted(keys_of(value)))) for value in values]


def figures(
    rows: Sequence[tuple[Structure, Structure]],
    counted: Callable[[Structure, Structure], dict[str, tuple[int, int, int]]] = count,
    fields: Sequence[str] = FIELDS,
) -> dict[str, dict[str, float | None]]:
    """Sum the counts of queries, and divide."""
    sums: dict[str, Counter[str]] = {name: Counter() for name in fields}
    for wanted, found in rows:
        for name, (hits, one, other) in counted(wanted, found).items():
            sums[name].update({"right": hits, "wanted": one, "found": other})
    result: dict[str, dict[str, float | None]] = {}
    for name, total in sums.items():
        precision = total["right"] / total["found"] if total["found"] else None
        recall = total["right"] / total["wanted"] if total["wanted"] else None
        both = total["found"] + total["wanted"]
        result[name] = {
            "right": total["right"], "wanted": total["wanted"], "found": total["found"],
            "precision": precision, "recall": recall,
            "f1": 2 * total["right"] / both if both else None,
        }  # fmt: skip
    return result


def next_word(queries: Sequence[str]) -> list[Structure]:
    """Baseline: every negation word excludes the word beside it."""
    found = []
    for query in queries:
        words = [one or other for one, other in _NEGATION.findall(query.lower())]
        out = tuple(Condition(None, (word,)) for word in words)
        found.append(Structure("negative" if out else "general", excluded=out))
    return found


def nothing(queries: Sequence[str]) -> list[Structure]:
    """Baseline: no query excludes anything."""
    return [Structure("general") for _ in queries]


def models(spec: str) -> Callable[[Sequence[str]], list[Structure]]:
    """Open a language model as a parser."""
    from evalkit.constraints.parsing_model import LanguageModelParser
    from evalkit.llm import open_language_model

    return LanguageModelParser(open_language_model(spec)).parse


def main() -> None:
    """Parse, compare, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("data", type=Path, nargs="?")
    arguments.add_argument("--synthesized", type=Path, metavar="QUERIES", help="typed queries")
    arguments.add_argument("--products", type=Path, help="the catalogue that they were made from")
    arguments.add_argument("--markdown", action="store_true", help="print Markdown (synthesized)")
    arguments.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    arguments.add_argument("--llm", metavar="SPEC", help="also measure a language model")
    arguments.add_argument("--show", action="store_true", help="print mistakes in the even lines")
    chosen = arguments.parse_args()
    if (chosen.data is None) == (chosen.synthesized is None) or (
        (chosen.synthesized is None) != (chosen.products is None)
    ):
        arguments.error("give DATA_DIR, or --synthesized with --products")
    document = _hand_labels(chosen) if chosen.data is not None else _synthesized(chosen)
    if chosen.output:
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        chosen.output.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _synthesized(chosen: argparse.Namespace) -> dict[str, Any]:
    """Parse queries made from structures in the words of their catalogue."""
    import duckdb

    from evalkit.constraints.typed_queries import read_typed_queries
    from evalkit.knowledge import build_graph, read_catalogue

    connection = duckdb.connect()
    asked = read_typed_queries(chosen.synthesized, connection, stated=True)
    catalogue = read_catalogue(chosen.products, connection)
    found = RuleParser(catalogue, build_graph(catalogue)).parse([row.query for row in asked])
    pairs = [(row.structure, structure) for row, structure in zip(asked, found, strict=True)]
    document: dict[str, Any] = {"queries": len(asked), "halves": {}}
    for name, first in (("untouched half (odd rows)", 0), ("tuned half (even rows)", 1)):
        made = figures(pairs[first::2], count_synthesized, SYNTHESIZED)
        document["halves"][name] = {"queries": len(pairs[first::2]), "fields": made}
        print(f"\nrules, synthesized queries, {name}: {len(pairs[first::2])} queries\n")
        print("\n".join((markdown_table if chosen.markdown else aligned)(_table(made))))
    if chosen.show:
        even = zip(asked[1::2], pairs[1::2], strict=True)
        _show([(row.query, *pair) for row, pair in even], count_synthesized)
    return document


def _hand_labels(chosen: argparse.Namespace) -> dict[str, Any]:
    rows = labelled(chosen.data)
    queries = [query for query, _ in rows]
    parsers = {"rules": RuleParser().parse, "next word": next_word, "nothing": nothing}
    if chosen.llm:
        parsers[chosen.llm] = models(chosen.llm)
    places = range(len(rows))
    halves = {
        "untouched half (odd lines)": [n for n in places if rows[n][1]["line"] % 2],
        "tuned half (even lines)": [n for n in places if rows[n][1]["line"] % 2 == 0],
    }
    sets = {f"untouched, {name}": [n for n in halves["untouched half (odd lines)"]
                                   if rows[n][1]["set"] == name]
            for name in ("esci_negation", "webshop")}  # fmt: skip
    document: dict[str, Any] = {"labels": len(rows), "parsers": {}}
    for name, parse in parsers.items():
        found = parse(queries)
        document["parsers"][name] = {}
        for part, numbers in {**halves, **sets}.items():
            made = figures([(gold(rows[n][1]), found[n]) for n in numbers])
            document["parsers"][name][part] = {"queries": len(numbers), "fields": made}
            if name in ("rules", chosen.llm) or part in halves:
                print(f"\n{name}, {part}: {len(numbers)} queries")
                print("\n".join(aligned(_table(made))))
        if chosen.show and name == "rules":
            _show([(queries[n], gold(rows[n][1]), found[n])
                   for n in halves["tuned half (even lines)"]])  # fmt: skip
    return document


def _table(made: dict[str, dict[str, float | None]]) -> list[list[str]]:
    table = [["field", "right", "wanted", "found", "precision", "recall", "F1"]]
    for name, row in made.items():
        shares = [row[key] for key in ("precision", "recall", "f1")]
        whole = [f"{row[key]:.0f}" for key in ("right", "wanted", "found")]
        table.append([name, *whole, *("–" if x is None else f"{x:.3f}" for x in shares)])
    return table


def _show(
    rows: Sequence[tuple[str, Structure, Structure]],
    counted: Callable[[Structure, Structure], dict[str, tuple[int, int, int]]] = count,
) -> None:
    for query, wanted, found in rows:
        wrong = [
            name
            for name, (hits, one, other) in counted(wanted, found).items()
            if (hits != one or hits != other) and name not in ("negative", "excludes")
        ]
        if wrong:
            print(f"\n{query}")
        for name in wrong:
            key = "query_type" if name == "type" else name.split(",")[0].split(" ")[0]
            print(f"  {name}: {_short(getattr(wanted, key))}  FOUND {_short(getattr(found, key))}")


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return str([[item.attribute, *item.values] if isinstance(item, Condition) else item
                    for item in value])  # fmt: skip
    return str(value)


if __name__ == "__main__":
    main()
