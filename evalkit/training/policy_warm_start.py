"""From a base model to the model that rewards begin with: what is learnt of rewrites and titles."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from evalkit.files import replacing_folder, write_text
from evalkit.models import locate_encoder
from evalkit.progress import say
from evalkit.rewriting.policy import load_language_model, prompt_of
from evalkit.training.policy_examples import title_examples
from evalkit.training.policy_settings import SCRATCH_BASE
from evalkit.training.processes import is_main, wait_for_all
from evalkit.training.supervised import (
    SupervisedSettings,
    add_lora,
    merge_lora,
    new_model,
    spread,
    supervise,
)

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.models import ModelFiles
    from evalkit.training.policy_examples import PolicyExamples
    from evalkit.training.policy_settings import PolicySettings
    from evalkit.training.supervised import Example

__all__ = ["save_model", "warm_start"]

_TITLES = 3  # an example; more of them say nothing new
_TITLE_PASSES = 0.375  # of the catalogue, for each pass of the queries
_CHECKPOINTS = 10  # at most
_ROWS = "rows.json"


def warm_start(
    examples: PolicyExamples, settings: PolicySettings, base: ModelFiles | None, kept: Path
) -> tuple[ModelFiles, list[dict[str, float]]]:
    """Train on accepted rewrites, unless that is done, and on titles too where the model is new.

    Args:
        examples: what is learnt and what is held out.
        settings: of the training.
        base: files of the model to begin with; None makes a new one.
        kept: the folder that survives an interruption.

    Returns:
        The files of the model, an adapter worked in, and the log's rows.

    Raises:
        ModelError: the base model cannot be loaded.
    """
    place, steps_of = kept / "supervised", kept / "supervised.steps"
    if not place.is_dir():
        pace = settings.pace(SCRATCH_BASE if base is None else base.id)
        prompts = [prompt_of(query) for query in examples.learnt]
        rewrites = [examples.rewrites[query.query_id] for query in examples.learnt]
        model, tokenizer = _first_model(examples, settings, base)
        learnt = spread(prompts, rewrites, settings.candidates, pace.epochs, settings.seed)
        if base is None:
            learnt += title_examples(
                examples.catalogue,
                examples.graph,
                min(_TITLES, settings.candidates),
                max(1, round(_TITLE_PASSES * pace.epochs)),
                settings.seed,
            )
        steps = -(-len(learnt) // pace.batch_size)
        say(f"Warm start: {len(prompts):,} queries, {pace.epochs} times.")
        rows = supervise(
            model,
            tokenizer,
            learnt,
            SupervisedSettings(
                pace.batch_size,
                pace.warm_rate,
                max(settings.checkpoint_every, steps // _CHECKPOINTS),
                settings.seed,
            ),
            steps_of,
            _held_out(examples, settings),
            whole=base is None,
        )
        if is_main():
            with replacing_folder(place) as partial:
                save_model(model, tokenizer, partial)
                write_text(json.dumps(rows), partial / _ROWS)
    wait_for_all()
    if is_main():
        shutil.rmtree(steps_of, ignore_errors=True)
    return locate_encoder(str(place)), json.loads((place / _ROWS).read_text("utf-8"))


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a model and its tokenizer; an adapter is worked into the weights."""
    from evalkit.relevance.classifier import quiet_transformers

    with quiet_transformers():
        merge_lora(model).save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _first_model(
    examples: PolicyExamples, settings: PolicySettings, base: ModelFiles | None
) -> tuple[Any, Any]:
    if base is not None:
        model, tokenizer = load_language_model(base, settings.device)
    else:
        said = [text for query in examples.learnt for text in examples.rewrites[query.query_id]]
        titles = [title.lower() for title in examples.catalogue.titles]
        prompts = [prompt_of(query) for query in examples.learnt]
        model, tokenizer = new_model([*prompts, *said, *titles], settings.seed)
    if settings.lora:
        model = add_lora(model, settings.lora, settings.seed)
    return model, tokenizer


def _held_out(examples: PolicyExamples, settings: PolicySettings) -> list[Example]:
    queries = [query for query in examples.held_out if query.query_id in examples.rewrites]
    rewrites = [examples.rewrites[query.query_id] for query in queries]
    prompts = [prompt_of(query) for query in queries]
    return spread(prompts, rewrites, settings.candidates, 1, settings.seed)
