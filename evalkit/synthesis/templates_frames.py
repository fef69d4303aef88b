"""The sentences into which kinds, properties and references are put."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.synthesis.templates_grammar import agree, describe_noun, read_wording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.random import Generator

__all__ = ["Frame", "Spoken", "choose", "finish", "frames_of", "speak"]

_SLOT = re.compile(r"\{([a-z_0-9]+)\}")


@dataclass(frozen=True)
class Frame:
    """One wording.

    Attributes:
        id: stable; whether it words training or reported queries goes by it.
        text: with places for words in braces.
        weight: how often it is taken, beside the others.
        more: what else the file says about it.
    """

    id: str
    text: str
    weight: float
    more: Mapping[str, Any]

    def has(self, slot: str) -> bool:
        """Whether there is a place for a word."""
        return f"{{{slot}}}" in self.text


@dataclass(frozen=True)
class Spoken:
    """A query in words, and the wordings that made it.

    Attributes:
        text: the words.
        template: ids of the frame and of the beginning.
    """

    text: str
    template: str


@cache
def frames_of(name: str) -> tuple[Frame, ...]:
    """Return the frames of a file of `evalkit/synthesis/wording`."""
    return tuple(
        Frame(entry["id"], entry["text"], float(entry.get("weight", 1)), entry)
        for entry in read_wording(name)
    )


def choose(frames: Sequence[Frame], generator: Generator, used: Mapping[str, int]) -> Frame | None:
    """Draw a frame by weight; one that was used more than its share gets rarer."""
    if not frames:
        return None
    weights = np.array([frame.weight / (1 + used.get(frame.id, 0)) for frame in frames])
    return frames[int(generator.choice(len(frames), p=weights / weights.sum()))]


def speak(
    frame: Frame,
    kind: str,
    generator: Generator,
    used: Mapping[str, int],
    *,
    openings: Sequence[Frame],
    before: str = "",
    **words: str,
) -> Spoken:
    """Put words into a frame.

    Args:
        frame: the wording.
        kind: how the kind of product is called.
        generator: draws the beginning.
        used: how often each frame and beginning was used.
        openings: beginnings to draw from.
        before: words in front of the kind, wherever it stands.
        words: the other words, by the name of their place.
    """
    noun = describe_noun(kind)
    forms = {
        "kind": f"{before} {kind}".strip(),
        "kinds": f"{before} {noun.plural}".strip(),
        "a_kind": noun.with_article(before),
    }
    text, template, several = frame.text, frame.id, noun.is_plural
    if frame.has("head"):
        fit = [
            opening
            for opening in openings
            if not (noun.is_mass and opening.more.get("countable"))
            and not (noun.is_plural and opening.more.get("single"))
        ]
        opening = choose(fit, generator, used)
        if opening is not None:
            text = text.replace("{head}", opening.text)
            template = f"{frame.id}+{opening.id}"
            several = several or (opening.has("kinds") and not noun.is_mass)
    elif frame.has("kinds") and not noun.is_mass:
        several = True
    ready = {**words, **forms}
    text = _SLOT.sub(lambda found: ready[found[1]], agree(text, several))
    return Spoken(" ".join(text.split()), template)


def finish(
    spoken: Spoken, generator: Generator, mistyped: Callable[[str], str], *, typos: float
) -> Spoken:
    """Write a query as people do: mostly small letters, now and then neat or mistyped."""
    draw = generator.random()
    question = re.match(r"(what|which|where|is|are|do|does|can|will)\b", spoken.text) is not None
    if draw < typos:
        text = mistyped(spoken.text)
        return Spoken(text, spoken.template + ("~typo" if text != spoken.text else ""))
    if draw < typos + 0.05 and len(spoken.text.split()) > 5:
        text = re.sub(r"\bi\b(?=[' ])", "I", spoken.text)
        text = text[0].upper() + text[1:] + ("?" if question else "")
        return Spoken(text, spoken.template + "~neat")
    if question and draw > 0.7:
        return Spoken(spoken.text + "?", spoken.template)
    return spoken
