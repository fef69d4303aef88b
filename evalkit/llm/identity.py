"""What a manifest records of a language model; nothing secret."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.llm.prompting import PromptVersion

__all__ = ["manifest_entry"]


def manifest_entry(
    role: str,
    model: str,
    revision: str | None,
    source: str,
    identity: Mapping[str, Any],
    prompts: Sequence[PromptVersion] = (),
) -> dict[str, Any]:
    """Return the entry of a model with its prompts.

    The fingerprint is over both: a stage with a changed prompt is another stage.
    """
    versions = [prompt.to_manifest() for prompt in prompts]
    whole = json.dumps([identity, versions], sort_keys=True)
    return {
        "role": role,
        "id": model,
        "revision": revision,
        "source": source,
        "fingerprint": f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}",
        "identity": dict(identity),
        "prompts": versions,
    }
