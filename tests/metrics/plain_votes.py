"""Votes counted over dicts, one after the other, from the definitions and from nothing else.

A vote is a dict with query, annotator, preference and whatever else a test needs.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

from hypothesis import strategies as st
from scipy import stats

Vote = dict[str, Any]

QUERIES = [f"q{number}" for number in range(9)]
PEOPLE = ["ann", "bob", "cy", "dan"]


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def counted(votes: list[Vote]) -> list[Vote]:
    """People's votes that enter the figures."""
    return [
        vote
        for vote in votes
        if vote.get("kind", "real") == "real"
        and vote.get("counts", True)
        and not vote.get("set_aside", False)
    ]


def by_query(votes: list[Vote]) -> dict[str, list[int]]:
    """The signs that every query got; none for identical lists."""
    found: dict[str, list[int]] = {
        vote["query_id"]: [] for vote in votes if vote.get("kind") == "automatic"
    }
    for vote in counted(votes):
        found.setdefault(vote["query_id"], []).append(sign(vote["preference"]))
    return found


def majority(signs: list[int]) -> int:
    """The most frequent verdict, Same if there is none."""
    ranked = Counter(signs).most_common()
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return 0
    return ranked[0][0]


def sign_test(votes: list[Vote]) -> float:
    signs = [sign(sum(values)) for values in by_query(votes).values()]
    won, lost = signs.count(1), signs.count(-1)
    return float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0


def trinomial(verdicts: list[int]) -> tuple[float, float]:
    """GSB and its standard error."""
    n = len(verdicts)
    good, bad = verdicts.count(1) / n, verdicts.count(-1) / n
    return good - bad, math.sqrt((good + bad - (good - bad) ** 2) / n)


def clustered(votes: list[Vote]) -> tuple[float, float | None]:
    """GSB of all votes and its standard error by the delta method; an automatic Same is one."""
    sizes = {query: len(values) or 1 for query, values in by_query(votes).items()}
    sums = {query: sum(values) for query, values in by_query(votes).items()}
    n, total = len(sizes), sum(sizes.values())
    value = sum(sums.values()) / total
    if n < 2:
        return value, None
    influence = [(sums[query] - value * sizes[query]) * n / total for query in sizes]
    mean = sum(influence) / n
    variance = sum((each - mean) ** 2 for each in influence) / (n - 1)
    return value, math.sqrt(variance / n)


def left_votes(votes: list[Vote]) -> tuple[int, int]:
    """Decided votes for the left list, and all decided ones."""
    wins = []
    for vote in counted(votes):
        side, verdict = vote.get("treatment_side"), sign(vote["preference"])
        if side is not None and verdict != 0:
            better = side if verdict > 0 else {"left": "right", "right": "left"}[side]
            wins.append(better == "left")
    return sum(wins), len(wins)


def alpha(units: list[list[float]], level: str) -> float | None:
    """Krippendorff's alpha, pair by pair."""
    units = [values for values in units if len(values) > 1]
    pool = sorted(value for values in units for value in values)
    if len(set(pool)) < 2:
        return None
    count = Counter(pool)

    def difference(a: float, b: float) -> float:
        if level == "nominal":
            return float(a != b)
        if level == "ordinal":
            low, high = min(a, b), max(a, b)
            between = sum(number for value, number in count.items() if low <= value <= high)
            return (between - (count[a] + count[b]) / 2) ** 2 if a != b else 0.0
        if level == "interval":
            return (a - b) ** 2
        return ((a - b) / (a + b)) ** 2 if a + b else 0.0

    observed = sum(
        difference(a, b) / (len(values) - 1)
        for values in units
        for a, b in itertools.permutations(values, 2)
    ) / len(pool)
    expected = sum(difference(a, b) for a, b in itertools.permutations(pool, 2)) / (
        len(pool) * (len(pool) - 1)
    )
    return 1 - observed / expected


def dawid_skene(
    votes: list[Vote], *, smoothing: float = 0.01, tolerance: float = 1e-6, most: int = 500
) -> dict[str, dict[int, float]]:
    """Probabilities of Bad, Same and Good for every voted query, by EM over dicts."""
    classes = (-1, 0, 1)
    rows = [(v["query_id"], v["annotator"], sign(v["preference"])) for v in counted(votes)]
    queries, people = sorted({q for q, _, _ in rows}), sorted({a for _, a, _ in rows})
    posterior = {}
    for query in queries:
        said = [answer for q, _, answer in rows if q == query]
        posterior[query] = {k: said.count(k) / len(said) for k in classes}
    for _ in range(most):
        prior = {k: smoothing + sum(posterior[q][k] for q in queries) for k in classes}
        total = sum(prior.values())
        confusion = {}
        for person, truth in itertools.product(people, classes):
            told = {
                answer: smoothing
                + sum(posterior[q][truth] for q, a, x in rows if a == person and x == answer)
                for answer in classes
            }
            for answer in classes:
                confusion[person, truth, answer] = told[answer] / sum(told.values())
        new = {}
        for query in queries:
            likelihood = {
                truth: prior[truth]
                / total
                * math.prod(confusion[a, truth, x] for q, a, x in rows if q == query)
                for truth in classes
            }
            whole = sum(likelihood.values())
            new[query] = {truth: value / whole for truth, value in likelihood.items()}
        moved = max(abs(new[q][k] - posterior[q][k]) for q in queries for k in classes)
        posterior = new
        if moved < tolerance:
            break
    return posterior


def mirrored(votes: list[Vote]) -> list[Vote]:
    """The same votes with control and treatment exchanged, where each list stood."""
    swap = {"left": "right", "right": "left", None: None}
    return [
        {
            **vote,
            "preference": -vote["preference"],
            **(
                {"treatment_side": swap[vote["treatment_side"]]} if "treatment_side" in vote else {}
            ),
        }
        for vote in votes
    ]


def columns(votes: list[Vote]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for vote in votes for name in vote)
    return {name: [vote.get(name) for vote in votes] for name in names}


@st.composite
def tables(draw: st.DrawFn, *, some_left_out: bool = True) -> list[Vote]:
    """A few votes by a few people, on a few queries, at least one of which counts."""
    cells = draw(
        st.lists(
            st.tuples(st.sampled_from(QUERIES), st.sampled_from(PEOPLE)),
            min_size=1,
            max_size=24,
            unique=True,
        )
    )
    kinds = ["real"] * 5 + (["gold", "twin", "practice"] if some_left_out else [])
    votes: list[Vote] = [
        {
            "query_id": query,
            "annotator": annotator,
            "preference": draw(st.sampled_from([-2, -1, 0, 1, 2])),
            "treatment_side": draw(st.sampled_from(["left", "right"])),
            "kind": draw(st.sampled_from(kinds)),
            "set_aside": some_left_out and draw(st.integers(0, 9)) == 0,
            "counts": not some_left_out or draw(st.integers(0, 9)) > 0,
            "position": QUERIES.index(query),
        }
        for query, annotator in cells
    ]
    votes[0] |= {"kind": "real", "set_aside": False, "counts": True}
    same_lists: Vote = {
        "annotator": None,
        "preference": 0,
        "treatment_side": None,
        "kind": "automatic",
        "set_aside": False,
        "counts": True,
    }
    number = draw(st.integers(0, 3))
    return votes + [
        {**same_lists, "query_id": f"same{place}", "position": 20 + place}
        for place in range(number)
    ]
