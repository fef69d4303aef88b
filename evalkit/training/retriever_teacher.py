"""Who else has a say in what a retriever finds good: its teacher, and who judged its pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.circularity import ROLE
from evalkit.errors import InputError
from evalkit.manifest import read_manifest
from evalkit.progress import progress_bar

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.knowledge import CatalogueFiles
    from evalkit.training.retriever_data import LabelledPairs
    from evalkit.training.retriever_examples import Examples

__all__ = ["judges_behind", "teacher_margins"]

_SUREST = 0.001  # a teacher's probability is taken as at least this far from 0 and from 1


def judges_behind(
    distil: str | os.PathLike[str] | None,
    pairs: Sequence[str | os.PathLike[str]],
    checked: CatalogueFiles | None,
) -> tuple[Mapping[str, Any], ...]:
    """Name who has a say beside the labels: teacher, checker, and who filtered the pairs.

    A manifest that names one judge of a model's training is taken to name them all.

    Args:
        distil: folder of the teacher, or None.
        pairs: what is learnt.
        checked: the catalogue whose checker masks the loss and chooses the checkpoint, or None.

    Returns:
        What a manifest records of each; nothing where pairs alone decide, whose manifests tell.
    """
    found: dict[str, Mapping[str, Any]] = {}
    if distil is not None:
        from evalkit.relevance import open_classifier

        teacher = open_classifier(distil, use="products").to_manifest(ROLE)
        found[str(teacher["fingerprint"])] = teacher
    if checked is not None:
        from evalkit.constraints.as_judge import checker_as_judge

        checker = checker_as_judge(checked)
        found[checker["fingerprint"]] = checker
    for path in pairs if found else ():
        try:
            models = read_manifest(Path(path)).models
        except InputError:
            continue  # pairs of somebody else
        found |= {str(each["fingerprint"]): each for each in models if each.get("role") == ROLE}
    return tuple(found.values())


def teacher_margins(
    distil: str | os.PathLike[str], read: LabelledPairs, examples: Examples, device: str
) -> NDArray[np.float32]:
    """Return logit(right) − logit(wrong) of a teacher for every example with a hard negative."""
    from evalkit.relevance import open_classifier

    teacher = open_classifier(distil, use="products", device=device)
    has = examples.negative >= 0
    asked = np.concatenate([examples.query[has]] * 2)
    shown = np.concatenate([examples.positive[has], examples.negative[has]])
    unique, place = np.unique(np.stack([asked, shown]), axis=1, return_inverse=True)
    texts = [
        (read.queries[query], read.texts[product])
        for query, product in zip(*unique.tolist(), strict=True)
    ]
    with progress_bar(len(texts), "Asking the teacher", "pairs") as moved:
        said = teacher.score(texts, moved).astype(np.float64).clip(_SUREST, 1 - _SUREST)
    logits = np.log(said / (1 - said))[place.ravel()]
    margins = np.zeros(len(examples), dtype=np.float32)
    margins[has] = logits[: has.sum()] - logits[has.sum() :]
    return margins
