"""Which queries are trained on and which are reported: they share no family and no wording.

A family belongs to a part by its name alone (see `evalkit.constraints.families`), all ways to put
one need go with it, and a query whose families fall into both parts is in neither. The wordings are
divided likewise, with the same share, so that what was learnt from one sentence is measured on
others; two ids for one sentence ("{kind} w/o {thing}", for materials and for parts) go together.
Where only few wordings do for a query, such as those with two excluded adjectives, each part has
one.

Names cannot tell that perfume is fragrance: to keep what means the same out of training as well,
give the reported queries to the pairs as `--held-out`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from evalkit.constraints.families import PARTS, drawn, families, part_of
from evalkit.errors import SettingsError
from evalkit.knowledge.words import stem
from evalkit.synthesis.templates_frames import frames_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.constraints import Structure
    from evalkit.constraints.families import Part
    from evalkit.knowledge import Graph
    from evalkit.synthesis.templates_frames import Frame

__all__ = [
    "DIVIDING",
    "FAMILY_OF_NEED",
    "TEST_SHARE",
    "WHOLE",
    "QueryPart",
    "check_part",
    "open_part",
]

DIVIDING = 2  # raised when a query or wording may be of the other part, for manifests
FAMILY_OF_NEED = "need|"
TEST_SHARE = 0.4
_SLOT = re.compile(r"\{[^}]*\}")
_KINDS = ("{kind}", "{kinds}", "{a_kind}")
_ONE_WORD = ("non-{", "non {", "}-free")


@dataclass(frozen=True)
class QueryPart:
    """One part of all queries that can be made, or all of them.

    Attributes:
        part: which; None is all.
        test_share: share of families and wordings that the part `test` has.
        needs: the need that a phrase puts, by the stems of the phrase.
    """

    part: Part | None = None
    test_share: float = TEST_SHARE
    needs: Mapping[str, str] = field(default_factory=dict)

    def takes(self, structure: Structure, stated: str = "") -> bool:
        """Tell whether a query is of the part.

        Args:
            structure: what it asks for.
            stated: its family as the queries table states it, or a family that it shall go with.
        """
        if self.part is None:
            return True
        names = [self._whole_need(name) for name in families(structure, stated)]
        return part_of(names, self.test_share) == self.part

    def wordings(self, name: str) -> tuple[Frame, ...]:
        """Return the frames of a file of `evalkit/synthesis/wording` that are for the part."""
        if self.part is None:
            return frames_of(name)
        return _divided(name, self.test_share)[self.part]

    def _whole_need(self, family: str) -> str:
        if not family.startswith(FAMILY_OF_NEED):
            return family
        need = stem(family.removeprefix(FAMILY_OF_NEED))
        return FAMILY_OF_NEED + self.needs.get(need, need)


WHOLE = QueryPart()


def check_part(part: str | None, test_share: float) -> None:
    """Say whether a part can be made.

    Raises:
        SettingsError: there is no such part, or one of the two would be empty.
    """
    if part is not None and part not in PARTS:
        raise SettingsError(f"--part is {part!r}; there are {', '.join(PARTS)}.")
    if not 0 < test_share < 1:
        raise SettingsError("--test-share must be above 0 and below 1.")


def open_part(part: Part | None, test_share: float, graph: Graph) -> QueryPart:
    """Return a part of the queries of a catalogue.

    Args:
        part: which; None is all.
        test_share: share of families and wordings that the part `test` has.
        graph: of the catalogue; its needs have several phrases each.
    """
    if part is None:
        return WHOLE
    # A phrase of two needs goes with the first of them.
    needs: dict[str, str] = {}
    for need in graph.needs:
        for phrase in (need.name, *need.phrases):
            needs.setdefault(stem(phrase), stem(need.name))
    return QueryPart(part, test_share, needs)


@cache
def _divided(name: str, test_share: float) -> Mapping[Part, tuple[Frame, ...]]:
    """Divide the frames of a file; the smallest groups first take one for each part.

    These do not depend on the share.
    """
    frames = frames_of(name)
    first: dict[str, str] = {}  # of the frames that say the same, one stands for all
    for frame in frames:
        first.setdefault(_sentence(frame), frame.id)
    number = {each: drawn(f"wording|{name}|{each}") for each in first.values()}
    groups: dict[tuple[object, ...], dict[str, None]] = {}
    for frame in frames:
        for group in _groups(frame):
            groups.setdefault(group, {})[first[_sentence(frame)]] = None
    place: dict[str, Part] = {}
    for _, ids in sorted(groups.items(), key=lambda item: (len(item[1]), repr(item[0]))):
        ordered = sorted(ids, key=number.__getitem__)
        for part, candidates in (("test", ordered), ("train", ordered[::-1])):
            free = [each for each in candidates if each not in place]
            if free and len(ids) > 1 and part not in {place.get(each) for each in ids}:
                place[free[0]] = "test" if part == "test" else "train"
    for each in number:
        place.setdefault(each, "test" if number[each] < test_share else "train")
    return {
        part: tuple(frame for frame in frames if place[first[_sentence(frame)]] == part)
        for part in PARTS
    }


def _sentence(frame: Frame) -> str:
    """Return a wording with one name for all words that are not the kind's."""
    wanted_first = frame.more.get("head") and frame.more["need"][:1] == ["before"]
    text = frame.text.replace("{head}", "{first} {kind}" if wanted_first else "{kind}")
    return _SLOT.sub(lambda slot: slot[0] if slot[0] in _KINDS else "{}", text)


def _groups(frame: Frame) -> list[tuple[object, ...]]:
    """Name the groups of wordings that can stand for this one, by what a wording must fit."""
    more = frame.more
    found: list[tuple[object, ...]] = []
    if not re.search("[a-z]", _SLOT.sub("", frame.text)):
        found.append(("says nothing itself", len(more.get("need", ()))))
    if "fits" in more:
        noun = frame.has("thing") or frame.has("a_thing")
        if more.get("allergy"):
            found.append(("allergy", bool(more.get("two"))))
        elif not any(joint in frame.text for joint in _ONE_WORD):
            found += [("fits", group, bool(more.get("two")), noun) for group in more["fits"]]
    elif "of" in more:
        limit = more.get("limit")
        limited = "share" if isinstance(limit, float) else limit
        said = any(frame.has(slot) for slot in ("kind", "kinds", "a_kind", "wanted"))
        for of in more["of"]:
            found += [("limit", of, limited), ("wanted", of, bool(more.get("wanted")))]
            found.append(("kind", of, said))
    elif "form" in more:
        found.append(("form", more["form"], bool(more.get("kindless"))))
    elif "need" in more:
        brand = bool(more.get("brand"))
        found += [("need", tuple(more["need"]), brand), ("price", bool(more.get("price")), brand)]
    else:
        found.append(("opening", bool(more.get("countable")), bool(more.get("single"))))
    return found
