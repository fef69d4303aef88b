"""Which products satisfy what a query asks for: pass, fail, or unknown.

Every condition is decided by what the catalogue states (attributes, price, kind, brand) where it
does, else by the words of title and description, else not at all. Unknown is unknown, never good:
a structure passes where every condition passes, fails where one fails. Decisions by text are
weaker and marked as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.checking_facts import Facts
from evalkit.constraints.checking_finding import PLACES
from evalkit.knowledge.catalogue import normalise
from evalkit.knowledge.words import read_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints.checking_finding import Finding
    from evalkit.constraints.structure import Condition, Reference, Structure
    from evalkit.knowledge.catalogue import Catalogue
    from evalkit.knowledge.graph import Graph
    from evalkit.knowledge.words import Words

__all__ = ["CHECKS", "PLACES", "VERDICTS", "Checker", "Checks", "ConditionCheck"]

CHECKS = 5  # raised when the same structure and product may get another verdict
VERDICTS = {1: "pass", 0: "unknown", -1: "fail"}


@dataclass(frozen=True)
class ConditionCheck:
    """One condition of a structure on the products that were asked for.

    Attributes:
        label: the condition in words: "material is not leather".
        verdict: 1 pass, 0 unknown, -1 fail; int8[m].
        place: where it was decided, index of `PLACES`; int8[m].
        why: the reason in words for the product with this number in the catalogue.
    """

    label: str
    verdict: NDArray[np.int8]
    place: NDArray[np.int8]
    why: Callable[[int], str]


@dataclass(frozen=True)
class Checks:
    """What became of the products; see `Checker.check`.

    Attributes:
        numbers: the products' numbers in the catalogue, int64[m].
        verdict: 1 every condition passes, -1 one fails, else 0; int8[m].
        by_text: whether the verdict rests on words of the text: a pass with at least one
            condition decided there, or a fail that is decided only there; bool[m].
        conditions: one each, in the order kind, required, excluded, price, reference.
    """

    numbers: NDArray[np.int64]
    verdict: NDArray[np.int8]
    by_text: NDArray[np.bool_]
    conditions: tuple[ConditionCheck, ...]

    def explain(self, place: int) -> str:
        """Return in a few words why product `place` of those asked for got its verdict.

        The condition that failed, or those that are unknown, or what let it pass.
        """
        verdict = int(self.verdict[place])
        number = int(self.numbers[place])
        told = [
            check.why(number) if verdict else f"nothing says whether {check.label}"
            for check in self.conditions
            if int(check.verdict[place]) == verdict
        ]
        if not told:
            return "the query states nothing that can be checked"
        return told[0] if verdict == -1 else "; ".join(told)


class Checker:
    """Checks products of one catalogue; conditions met before are remembered.

    Args:
        catalogue: the catalogue.
        graph: its words, with the user's facts, are used.
        read_text: whether title and description may decide.
        ignore_attributes: attributes that decide nothing. What their statements teach about the
            reliability of words in texts stays.
        words: which words mean what; the project's own table by default.
        texts_of: a checker of a catalogue with the same texts, to read them only once.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        graph: Graph | None = None,
        read_text: bool = True,
        ignore_attributes: Sequence[str] = (),
        *,
        words: Words | None = None,
        texts_of: Checker | None = None,
    ) -> None:
        if words is None:
            words = graph.words if graph is not None else read_words()
        self.catalogue = catalogue
        ignored = frozenset(ignore_attributes)
        other = texts_of._facts.reading if texts_of is not None else None
        self._facts: Facts = Facts(catalogue, words, read_text, ignored, other)

    def check(self, structure: Structure, numbers: NDArray[np.int64] | None = None) -> Checks:
        """Check products against a structure.

        Args:
            structure: what a query asks for. A need is decided through the required conditions.
            numbers: product numbers of the catalogue, int64[m]; all products by default.
        """
        chosen = np.arange(len(self.catalogue), dtype=np.int64) if numbers is None else numbers
        checks = [self._taken(label, finding, chosen) for label, finding in self._parts(structure)]
        verdict = np.zeros(len(chosen), dtype=np.int8)
        by_text = np.zeros(len(chosen), dtype=np.bool_)
        if checks:
            verdicts = np.stack([check.verdict for check in checks])
            text = np.stack([check.place for check in checks]) == PLACES.index("text")
            verdict = verdicts.min(axis=0)
            deciding = verdicts == verdict
            by_text = np.where(
                verdict == 1, text.any(axis=0), (text | ~deciding).all(axis=0) & (verdict == -1)
            )
        return Checks(chosen, verdict, by_text, tuple(checks))

    def _taken(self, label: str, finding: Finding, numbers: NDArray[np.int64]) -> ConditionCheck:
        return ConditionCheck(label, finding.verdict[numbers], finding.place[numbers], finding.why)

    def _parts(self, structure: Structure) -> list[tuple[str, Finding]]:
        parts: list[tuple[str, Finding]] = []
        facts = self._facts
        if structure.kinds:
            kinds = tuple(map(normalise, structure.kinds))
            parts.append((f"the kind is {' or '.join(kinds)}", facts.kind(kinds)))
        parts += [(_label(wish, False), facts.required(wish)) for wish in structure.required]
        parts += [(_label(wish, True), facts.excluded(wish)) for wish in structure.excluded]
        limits = self._limits(structure)
        parts += [
            (label, facts.offers.price(low, high, strict)) for label, low, high, strict in limits
        ]
        if structure.reference is not None:
            found = facts.offers.another_than(structure.reference)
            parts.append((f"it is another than {structure.reference.text}", found))
        return parts

    def _limits(self, structure: Structure) -> list[tuple[str, float, float, bool]]:
        """Return label, lowest and highest price; NaN where the reference's is unknown."""
        limits = []
        if structure.price_min is not None:
            low = structure.price_min
            limits.append((f"the price is at least {low:g}", low, float("inf"), False))
        if structure.price_max is not None:
            high = structure.price_max
            limits.append((f"the price is at most {high:g}", 0.0, high, False))
        reference = structure.reference
        if structure.price_share is not None and reference is None:
            label = f"the price is at most {structure.price_share:g} of one that nobody names"
            limits.append((label, 0.0, float("nan"), False))
        elif structure.price_share is not None and reference is not None:
            most = structure.price_share * self._reference_price(reference, structure)
            label = f"the price is at most {structure.price_share:g} of that of {reference.text}"
            limits.append((label, 0.0, most, False))
        elif reference is not None and structure.price_max is None:
            most = self._reference_price(reference, structure)
            limits.append((f"it is cheaper than {reference.text}", 0.0, most, True))
        return limits

    def _reference_price(self, reference: Reference, structure: Structure) -> float:
        kinds = tuple(map(normalise, structure.kinds))
        return self._facts.offers.reference_price(reference, kinds)


def _label(condition: Condition, excluded: bool) -> str:
    name = (condition.attribute or "it").replace("_", " ")
    verb = "is not" if excluded else "is"
    if not condition.values:
        return f"there is {'no ' if excluded else ''}{name}"
    return f"{name} {verb} {' or '.join(condition.values)}"
