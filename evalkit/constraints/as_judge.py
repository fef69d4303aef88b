"""The checker as a judge: how manifests name it, wherever its verdicts choose something.

Judgments, training pairs, filtered runs and trained models name it as they name a model that
judges, so that `evalkit score` warns where the checker grades what it has chosen itself.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from evalkit.constraints.checking import CHECKS

if TYPE_CHECKING:
    from evalkit.knowledge import CatalogueFiles

__all__ = ["CHECKER", "checker_as_judge"]

CHECKER = "checker"


def checker_as_judge(shop: CatalogueFiles, name: str = CHECKER) -> dict[str, Any]:
    """Return the checker of a catalogue as a manifest names a model that judges.

    The same files and rules of checking are the same judge. With other settings or triples of the
    same catalogue it is another, but akin: `identity` stays.

    Args:
        shop: the catalogue and what is said about it.
        name: what it is called.

    Raises:
        InputError: a file cannot be read.
    """
    read = {item.role: item.fingerprint for item in shop.inputs()}
    told = json.dumps([CHECKS, read], sort_keys=True)
    return {
        "role": "relevance",
        "id": name,
        "source": "catalogue",
        "fingerprint": f"sha256:{hashlib.sha256(told.encode()).hexdigest()}",
        "identity": {"checker": read["products"]},
    }
