"""What a stress test is made of: the files, and how much stress."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit.errors import SettingsError
from evalkit.manifest import Input, fingerprint
from evalkit.synthesis.stress_catalogue import SHOPS
from evalkit.synthesis.stress_texts import TEXTS

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    Place = str | os.PathLike[str]

__all__ = ["PERTURBATIONS", "StressFiles", "StressSettings"]

PERTURBATIONS = (*TEXTS, *SHOPS)


@dataclass(frozen=True)
class StressSettings:
    """How much stress.

    Attributes:
        only: perturbations to measure; empty for all of `PERTURBATIONS`.
        at: results that are looked at.
        good: smallest grade that is good.
        share: share of products that vanish or get a clone, and of statements that are lost.
        rate: share of the longer words of a text that get a typo, one at least.
        n: rewrites of a query, where they are made here.
        bad: bad products of a query whose sellers attack it.
        threshold: probability from which the classifier of pairs agrees; None takes its own for
            a precision of 0.9.
        rewrite_threshold: from which what scores rewrites accepts one; None is 0.5 of a classifier,
            and `TOPIC_THRESHOLD` of the cosine.
        fields: columns that make a product's text, for an index that is built here.
        seed: of all chance.
    """

    only: tuple[str, ...] = ()
    at: int = 10
    good: float = 1.0
    share: float = 0.2
    rate: float = 0.2
    n: int = 3
    bad: int = 5
    threshold: float | None = None
    rewrite_threshold: float | None = None
    fields: tuple[str, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.only if name not in PERTURBATIONS]
        if unknown:
            raise SettingsError(
                f"--only: there is no perturbation {unknown[0]!r}; there are "
                f"{', '.join(PERTURBATIONS)}."
            )
        for name in ("at", "n", "bad"):
            if getattr(self, name) < 1:
                raise SettingsError(f"--{name} must be 1 or more.")
        if not 0 < self.share < 1:
            raise SettingsError(f"--share is {self.share:g}; it lies between 0 and 1.")
        if not 0 <= self.rate <= 1:
            raise SettingsError(f"--rate is {self.rate:g}; it is from 0 to 1.")


@dataclass(frozen=True)
class StressFiles:
    """What is measured on, and with.

    Attributes:
        products: the catalogue.
        queries: typed queries; those without a structure are read by rules.
        rewrites: their rewrites, or None: the catalogue rewriter makes them.
        indexes: folders of indexes over the catalogue; none builds one of words.
        judgments: grades, or None.
        pairs: existing training pairs, or None.
        classifier: folder of a classifier of pairs, or None.
        rewrite_classifier: folder of one of rewrites, or None.
        cosine: whether rewrites are scored by an encoder, as `evalkit relevance rewrites` can.
        model: folder or hub id of that encoder; None is the default one.
        settings: YAML file of what is special about the catalogue, or None.
        triples: CSV file of what else is known, or None.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
    """

    products: Place
    queries: Place
    rewrites: Place | None = None
    indexes: Sequence[Place] = ()
    judgments: Place | None = None
    pairs: Place | None = None
    classifier: Place | None = None
    rewrite_classifier: Place | None = None
    cosine: bool = False
    model: str | None = None
    settings: Place | None = None
    triples: Place | None = None
    reading: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cosine and self.rewrite_classifier is not None:
            raise SettingsError("Give --cosine or --rewrite-classifier, not both.")
        if self.model is not None and not self.cosine:
            raise SettingsError("--model is the encoder of --cosine.")

    def of(self, kind: str) -> dict[str, Any]:
        """Return how a kind of table is read."""
        return dict(self.reading.get(kind, {}))

    def inputs(self) -> tuple[Input, ...]:
        """Return the files with their fingerprints."""
        named = {
            role: getattr(self, role)
            for role in (
                "products", "queries", "rewrites", "judgments", "pairs", "settings", "triples",
            )
        }  # fmt: skip
        return tuple(
            Input(role, str(path), fingerprint(path)) for role, path in named.items() if path
        )
