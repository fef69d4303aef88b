"""Does a judge score what it has chosen itself? Read from the manifests beside the files.

A classifier, language model or checker that filtered the pairs a retriever was trained on has
taught that retriever its own taste, mistakes included. If it also judges the retriever's run, the
run looks better than people would find it; and so does a run whose results it filtered or ordered
itself. The manifests tell: those of judgments, of pairs and of filtered runs name their judge with
a fingerprint (models with the role `relevance`), that of a run names its models, what ordered it
(role `rerank`) and the rewrites that searched, that of a trained model names its pairs, and that
of pairs names the rewrites that found them.

Two judges are the same when their fingerprints are. One model judges alike, if not the same, with
another prompt or calibration, and the taste of who accepted the rewrites is in the pairs too; such
kinship gets a weaker warning.

What has no manifest says nothing, and neither does one of another file than the one there now.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import InputError, Problem
from evalkit.manifest import fingerprint, manifest_path, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.manifest import Manifest

__all__ = ["FilteredPairs", "circular_warning", "filtered_pairs", "judge_models", "pairs_behind"]

ROLE = "relevance"
"""Role of a judge among the models of a manifest."""
_ORDERS = "rerank"
"""Role of what ordered a run anew."""
_DEEPEST = 8


@dataclass(frozen=True)
class FilteredPairs:
    """Training pairs, or the results of a run, and who filtered them.

    Attributes:
        path: the pairs or the run, as a message names them.
        models: fingerprints of the judges that filtered them; empty where none did.
        kin: what tells of these judges' models without prompt and calibration, and of those that
            accepted the rewrites behind the pairs or the run.
        results: whether they are the results of a run themselves.
    """

    path: str
    models: frozenset[str]
    kin: frozenset[str] = frozenset()
    results: bool = False


def judge_models(judgments: str, written: str) -> frozenset[str]:
    """Return what identifies the models that judged, with and without prompt and calibration.

    Args:
        judgments: path of the judgments.
        written: fingerprint of the judgments as they were read.

    Returns:
        Fingerprints of the judges and of their models; empty where no manifest tells.
    """
    manifest = _manifest_of(Path(judgments), written)
    return frozenset() if manifest is None else _judges(manifest) | _own(manifest)


def filtered_pairs(path: str) -> FilteredPairs:
    """Read from the manifest beside training pairs who filtered them.

    Raises:
        InputError: there is no such file or no manifest, or the manifest is of another file.
    """
    place = Path(path)
    if not place.exists():
        raise InputError(path, [Problem("cannot be read (no such file)")], remedy="Check the path.")
    manifest = read_manifest(place)
    if place.is_file():
        written = manifest.outputs.get(place.name, {}).get("fingerprint")
        if written != fingerprint(place):
            raise InputError(
                path,
                [Problem("the manifest beside it is of another file")],
                remedy="Name the pairs as evalkit synthesize pairs wrote them.",
            )
    return _filtered(path, _judges(manifest), manifest)


def pairs_behind(run: str, written: str) -> list[FilteredPairs]:
    """Find the training pairs behind the models of a run, through its manifests.

    What filtered or ordered a run itself, or accepted the rewrites that searched for it, is told
    too, with `results`. A run of several fused ones stands for all of them. Models are looked up
    where the manifest says they were; one that was moved is not found.

    Args:
        run: path of the run.
        written: its fingerprint as it was read.
    """
    manifest = _manifest_of(Path(run), written)
    return [] if manifest is None else list(_behind(run, manifest, _DEEPEST))


def circular_warning(
    name: str, judge: str | None, models: frozenset[str], pairs: Sequence[FilteredPairs]
) -> str | None:
    """Say that the judge of a run filtered the training data of its model.

    Args:
        name: of the run.
        judge: name of the judge, where it has one.
        models: of the judge, from `judge_models`.
        pairs: what the model was trained on.

    Returns:
        The warning, or None: as far as is known, somebody else filtered them.

    Example:
        >>> pairs = [FilteredPairs("pairs.parquet", frozenset({"sha256:a"}))]
        >>> circular_warning("treatment", "tiny", frozenset({"sha256:b"}), pairs)
        >>> circular_warning("treatment", "tiny", frozenset({"sha256:a"}), pairs).split(":")[0]
        'The judge tiny also filtered the training data of run treatment (pairs.parquet)'
    """
    named = f" {judge}" if judge else ""
    own = _places([each for each in pairs if each.models & models], name)
    if own:
        did = {"training data": "filtered", "results": "filtered or ordered"}
        said = " and ".join(f"{did[what]} the {what} of {place}" for what, place in own)
        return (
            f"The judge{named} also {said}: its verdict favours what it selected; judge with "
            "people or another judge."
        )
    kin = _places([each for each in pairs if each.kin & models], name)
    if kin:
        said = " and ".join(f"in the {what} of {place}" for what, place in kin)
        return (
            f"The model of the judge{named} also had a say {said}, with another prompt or "
            "calibration, or over its rewrites: its verdict may favour what it selected; judge "
            "with people or another model."
        )
    return None


def _places(found: Sequence[FilteredPairs], run: str) -> list[tuple[str, str]]:
    """Return what was filtered, the training data of a run or its results, and where it is."""
    kinds = (("training data", False), ("results", True))
    named = [
        (what, sorted({each.path for each in found if each.results is results}))
        for what, results in kinds
    ]
    return [(what, f"run {run} ({', '.join(paths)})") for what, paths in named if paths]


def _judges(manifest: Manifest, roles: tuple[str, ...] = (ROLE,)) -> frozenset[str]:
    return frozenset(
        str(model["fingerprint"])
        for model in manifest.models
        if model.get("role") in roles and model.get("fingerprint")
    )


def _own(manifest: Manifest, roles: tuple[str, ...] = (ROLE,)) -> frozenset[str]:
    """What tells of the models of the judges, whatever their prompts and calibrations."""
    found = set()
    for model in manifest.models:
        if model.get("role") in roles:
            if model.get("weights"):
                found.add(str(model["weights"]))
            if model.get("identity"):
                found.add(json.dumps(model["identity"], sort_keys=True))
    return frozenset(found)


def _filtered(path: str, judges: frozenset[str], *manifests: Manifest | None) -> FilteredPairs:
    """Pairs with their judges, and the kin of those that the manifests tell of."""
    kin: frozenset[str] = frozenset()
    for manifest in manifests:
        if manifest is not None:
            kin |= _own(manifest) | _of_rewrites(manifest, _DEEPEST)
    return FilteredPairs(path, judges, kin)


def _of_rewrites(manifest: Manifest, deepest: int) -> frozenset[str]:
    """Who accepted the rewrites that a file was made from, one filter after the other."""
    found: frozenset[str] = frozenset()
    for item in manifest.inputs if deepest else ():
        made = _manifest_of(Path(item.path), item.fingerprint) if item.role == "rewrites" else None
        if made is not None:
            found |= _judges(made) | _own(made) | _of_rewrites(made, deepest - 1)
    return found


def _manifest_of(place: Path, written: str) -> Manifest | None:
    """The manifest of a file with this fingerprint; None where there is none."""
    manifest = _readable(place)
    if manifest is None or manifest.outputs.get(place.name, {}).get("fingerprint") != written:
        return None
    return manifest


def _readable(place: Path) -> Manifest | None:
    if str(place) == "-" or not manifest_path(place).is_file():
        return None
    try:
        return read_manifest(place)
    except InputError:
        return None


def _behind(path: str, manifest: Manifest, deepest: int) -> Iterator[FilteredPairs]:
    """Pairs of the models of a run and of the runs it was made from, and who chose its results."""
    if not deepest:
        return
    chose = (ROLE, _ORDERS)
    judges = _judges(manifest, chose)
    kin = _own(manifest, chose) | _of_rewrites(manifest, _DEEPEST)
    if judges or kin:
        yield FilteredPairs(path, judges, kin, results=True)
    for model in manifest.models:
        folder = Path(str(model.get("id", "")))
        trained = _readable(folder) if model.get("source") == "path" and folder.is_dir() else None
        if trained is not None:
            yield from _pairs_of(trained)
    for item in manifest.inputs:
        if item.role == "run":
            fused = _manifest_of(Path(item.path), item.fingerprint)
            if fused is not None:
                yield from _behind(item.path, fused, deepest - 1)


def _pairs_of(trained: Manifest) -> Iterator[FilteredPairs]:
    """Pairs that a model was trained on; its own manifest may name their judge, or theirs."""
    judges = _judges(trained)
    for item in trained.inputs:
        if item.role != "pairs":
            continue
        own = _manifest_of(Path(item.path), item.fingerprint)
        filtered = frozenset[str]() if own is None else _judges(own)
        yield _filtered(item.path, judges | filtered, trained, own)
