"""REINFORCE++ on a causal language model: sample, reward, move towards what earned more.

The paper's (arXiv 2501.03262): advantages as `evalkit.training.reinforce` computes and explains
them, the ratio of new to old probability clipped at 0.2 (PPO), the mean over all tokens of the
batch, and one or a few passes over each batch.

Ours, where the paper leaves it open or differs:

- The variant with a baseline keeps the divergence inside the reward (k1), as the main variant does;
  the paper moves it to the loss. One formula then serves both.
- Rewards are bounded (±10) before the baseline is taken, and a token's divergence too (±10).
- The rate of learning is constant, so a step does the same however many will follow.
- The main variant, too, samples two texts of a prompt or more: TRL cannot do less.

The loop is TRL's `GRPOTrainer`, which brings generation, several GPUs (`accelerate launch`),
adapters and checkpoints. It differs from GRPO in the advantages and in where the divergence counts,
and both are put in place by overriding private methods, hence the pinned version; a test compares
it with a loop written by hand. Probabilities under the policy that said a text are computed once
more after sampling, because the divergence is needed before the first update.

The reference is the model as it is given, also where that has an adapter already.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import ModelError, SettingsError
from evalkit.training.loop import (
    check_run,
    fingerprint_of_weights,
    last_checkpoint,
    loop_arguments,
    require_trainer,
    run_loop,
)
from evalkit.training.processes import is_main, number_of_processes, wait_for_all
from evalkit.training.reinforce import reinforce_pp_advantages
from evalkit.training.reinforce_rows import FIGURE, rows_callback, writing_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from evalkit.training.reinforce_rows import Log

    Reward = Callable[
        [Sequence[int], Sequence[str]], tuple[NDArray[np.float64], Mapping[str, float]]
    ]
    Look = Callable[[Any], Mapping[str, float]]

__all__ = ["ReinforceSettings", "check_reinforce", "order_of_prompts", "run_reinforce"]

_TRL = "1.16."


@dataclass(frozen=True)
class ReinforceSettings:
    """How the policy is trained.

    Attributes:
        steps: batches that are sampled.
        prompts: prompts in a batch, over all processes.
        samples: texts that are sampled of each prompt, two or more.
        baseline: whether the mean of a prompt's own texts is taken from their rewards first.
        beta: what a nat of divergence from the reference costs, in units of the reward.
        clip: how far the ratio of new to old probability counts, as a distance from 1.
        epochs_per_batch: updates from each batch.
        learning_rate: constant. 1e-4 suits adapters and a model of a million parameters; all
            weights of a large model want less.
        temperature: of sampling; 1 is the policy itself.
        max_new_tokens: longest text, in tokens.
        reward_clip: bound of a text's reward, on both sides.
        kl_clip: bound of a token's divergence, on both sides, in nats.
        rows_per_pass: texts that go through the model at once in a process, None for all; fewer
            take less memory and give the same update.
        checkpoint_every: steps between checkpoints; the last step has one, too.
        seed: of the order of prompts and of sampling.
    """

    steps: int = 60
    prompts: int = 16
    samples: int = 4
    baseline: bool = True
    beta: float = 0.03
    clip: float = 0.2
    epochs_per_batch: int = 1
    learning_rate: float = 1e-4
    temperature: float = 1.0
    max_new_tokens: int = 64
    reward_clip: float = 10.0
    kl_clip: float = 10.0
    rows_per_pass: int | None = None
    checkpoint_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            SettingsError: says which setting and what it may be.
        """
        for name in ("steps", "prompts", "epochs_per_batch", "max_new_tokens", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; give 1 or more.")
        if self.samples < 2:
            raise SettingsError(f"samples is {self.samples}; give 2 or more texts of a prompt.")
        for name in ("learning_rate", "temperature", "clip", "reward_clip", "kl_clip"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; give more than 0.")
        if not self.beta >= 0:
            raise SettingsError(f"beta is {self.beta}; give 0 or more.")
        if self.rows_per_pass is not None and self.rows_per_pass < 1:
            raise SettingsError(f"rows_per_pass is {self.rows_per_pass}; give 1 or more.")


def run_reinforce(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    reward: Reward,
    settings: ReinforceSettings,
    *,
    checkpoints: Path,
    log: Log,
    tensorboard: Path | None = None,
    look: Look | None = None,
) -> Any:
    """Train a policy, with a bar on standard error.

    Goes on from the last whole checkpoint in `checkpoints`, to what the run would have come to
    without a stop: same weights, same rows. Weights of checkpoints are safetensors; the state of
    optimizer and random numbers, which only this run needs, is read without unpickling objects.

    Args:
        model: causal language model in float32, or one with a PEFT adapter, which alone is trained
            then. It is changed.
        tokenizer: its tokenizer.
        prompts: what the policy is asked.
        reward: is given numbers of prompts (places in `prompts`) and one text for each, and returns
            the rewards, finite, and figures to be logged. With several processes each asks for its
            own part, and the figures are averaged.
        settings: how.
        checkpoints: folder of the checkpoints; it is made.
        log: is given a row a step, in order from step 1: `step`, `loss`, `reward` (mean of the
            batch), `kl` (mean divergence from the reference, nats a token), `length` (tokens a
            text), `ended` (share of texts that came to an end), `clip_share` (share of tokens whose
            ratio was clipped), `entropy` (nats a token), `seconds`, and the figures of `reward`.
            When a run goes on, the rows of steps done before come first, so a log is always whole.
        tensorboard: folder for the same rows as TensorBoard events.
        look: is given the model, in evaluation mode, every `checkpoint_every` steps and at the end,
            in the first process, and returns more figures for the row of that step. It must leave
            random numbers as they are.

    Returns:
        The model, on its device, in evaluation mode.

    Raises:
        ModelError: a package is missing or of another version.
        SettingsError: the prompts or the settings do not fit, or the checkpoints are of another
            run.
        ValueError: `reward` returned something else than a finite number for every text.
    """
    rows = check_reinforce(settings, tensorboard=tensorboard is not None)
    if not prompts:
        raise SettingsError("There are no prompts to train the policy with.")
    updates = settings.steps * settings.epochs_per_batch
    check_run(checkpoints, _run_of(model, prompts, settings))
    checkpoint, done = last_checkpoint(checkpoints, updates)
    adapted = hasattr(model, "peft_config")
    bare = model.get_base_model() if adapted else model
    name = bare.config._name_or_path

    def make(folder: str) -> Any:
        if not adapted:
            # TRL loads the reference from where the model says it came from.
            if is_main():
                bare.save_pretrained(folder)
            wait_for_all()
            bare.config._name_or_path = folder
        return _trainer_class()(
            settings=settings,
            reward=reward,
            look=look,
            model=model,
            args=_arguments(model, settings, rows, checkpoints),
            reward_funcs=[_reward_of_texts],
            train_dataset=_dataset(prompts, settings),
            processing_class=tokenizer,
            callbacks=[rows_callback(settings.epochs_per_batch, write)],
        )

    try:
        with writing_rows(log, tensorboard) as write:
            run_loop(updates, make, checkpoint=checkpoint, done=done)
    finally:
        bare.config._name_or_path = name
        bare.__dict__.pop("forward", None)  # TRL's, which is bound to this very object
        if adapted and "ref" in model.peft_config:
            model.delete_adapter("ref")
    model.eval()
    return model


def order_of_prompts(prompts: int, steps: int, per_step: int, seed: int) -> NDArray[np.int64]:
    """Return which prompts each step asks for: every prompt once before any comes again.

    More steps begin with what fewer steps have, so a run can be made longer.

    Args:
        prompts: how many there are.
        steps: how many batches.
        per_step: prompts a batch.
        seed: of the order.

    Returns:
        int64[steps, per_step], numbers from 0.

    >>> order_of_prompts(3, 2, 3, seed=0).tolist()
    [[2, 0, 1], [2, 1, 0]]
    """
    random = np.random.default_rng(seed)
    rounds = -(-steps * per_step // prompts)
    order = np.concatenate([random.permutation(prompts) for _ in range(rounds)])
    return order[: steps * per_step].reshape(steps, per_step).astype(np.int64)


def check_reinforce(settings: ReinforceSettings, *, tensorboard: bool) -> int:
    """Check before any long work that policies can be trained here, and so.

    Args:
        settings: how.
        tensorboard: whether events are written.

    Returns:
        How many texts a process samples in a step.

    Raises:
        ModelError: a package is missing or of another version.
        SettingsError: processes or passes cannot share the texts of a step.
    """
    require_trainer("Training a policy", "trl", *(["tensorboard"] if tensorboard else []))
    version = importlib.metadata.version("trl")
    if not version.startswith(_TRL):
        raise ModelError(
            f"trl {version} is installed, but the trainer builds on private parts of {_TRL}x; run: "
            "pip install 'trl>=1.16,<1.17'"
        )
    processes = number_of_processes()
    if settings.prompts % processes:
        raise SettingsError(
            f"{settings.prompts} prompts a step cannot be shared by {processes} processes; give a "
            f"multiple of {processes}."
        )
    rows = settings.prompts // processes * settings.samples
    if settings.rows_per_pass and rows % settings.rows_per_pass:
        raise SettingsError(
            f"{rows} texts a step in a process are no whole passes of {settings.rows_per_pass}; "
            f"give a divisor of {rows}."
        )
    return rows


def _arguments(model: Any, settings: ReinforceSettings, rows: int, checkpoints: Path) -> Any:
    from trl.trainer.grpo_config import GRPOConfig

    rows_per_pass = settings.rows_per_pass or rows
    return GRPOConfig(
        **(loop_arguments(model, settings.seed) | {"logging_strategy": "steps"}),
        output_dir=str(checkpoints),
        max_steps=settings.steps * settings.epochs_per_batch,
        logging_steps=settings.epochs_per_batch,
        per_device_train_batch_size=rows_per_pass,
        gradient_accumulation_steps=rows // rows_per_pass,
        num_generations=settings.samples,
        num_iterations=settings.epochs_per_batch,
        shuffle_dataset=False,  # the rows are in the order of the steps
        # The texts must be of the very distribution whose probabilities are compared.
        temperature=settings.temperature,
        top_p=1.0,
        top_k=0,
        disable_dropout=True,
        max_completion_length=settings.max_new_tokens,
        epsilon=settings.clip,
        loss_type="dapo",  # the mean over all tokens of the batch
        importance_sampling_level="token",
        scale_rewards="none",
        beta=1e-9,  # not 0, so that there is a reference; the loss never sees it
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=1.0,
        ddp_find_unused_parameters=False,
        save_strategy="steps",
        save_steps=settings.checkpoint_every * settings.epochs_per_batch,
        save_total_limit=2,
    )


def _dataset(prompts: Sequence[str], settings: ReinforceSettings) -> Any:
    """One row for each prompt of each step, in their order."""
    datasets: Any = importlib.import_module("datasets")
    order = order_of_prompts(len(prompts), settings.steps, settings.prompts, settings.seed)
    numbers = order.reshape(-1).tolist()
    return datasets.Dataset.from_dict(
        {"prompt": [prompts[number] for number in numbers], "number": numbers}
    )


def _reward_of_texts(**_: object) -> list[float]:
    """Stand where TRL wants a reward function; the trainer below asks for rewards itself."""
    raise AssertionError("TRL asked for rewards past the trainer's own way")


@cache
def _trainer_class() -> Any:
    import torch
    from trl.trainer.grpo_trainer import GRPOTrainer

    processes: Any = importlib.import_module("accelerate.utils")

    class ReinforceTrainer(GRPOTrainer):
        """GRPO's loop with the advantages of REINFORCE++."""

        def __init__(
            self, *, settings: ReinforceSettings, reward: Reward, look: Look | None, **rest: Any
        ) -> None:
            self.settings = settings
            self.reward = reward
            self.look = look
            self.started = 0.0
            super().__init__(**rest)

        def _send_telemetry(self) -> None:
            """Tell nobody outside what is trained here."""

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Write no README.md into the folder of checkpoints."""

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            if "loss" in logs:
                self._metrics["train"]["seconds"] = [time.perf_counter() - self.started]
                self._look_at_model()
            super().log(logs, start_time)

        def _look_at_model(self) -> None:
            """Add what is seen of the model where a checkpoint is made; see `run_reinforce`."""
            step = self.state.global_step // self.settings.epochs_per_batch
            due = step % self.settings.checkpoint_every == 0 or step == self.settings.steps
            if self.look is None or not due or not self.accelerator.is_main_process:
                return
            model = self.accelerator.unwrap_model(self.model)
            trained = model.training
            for name, value in self.look(model.eval()).items():
                self._metrics["train"][FIGURE + name] = [value]
            model.train(trained)

        def _calculate_rewards(
            self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
        ) -> Any:
            totals, figures = self.reward([row["number"] for row in inputs], completions)
            found = np.asarray(totals, np.float64)
            if found.shape != (len(inputs),) or not np.isfinite(found).all():
                raise ValueError(
                    f"the reward must return {len(inputs)} finite numbers, one for each text"
                )
            parts = processes.gather_object([{**figures, "reward": float(found.mean())}])
            for name in sorted({name for part in parts for name in part}):
                values = [part[name] for part in parts if name in part]
                self._metrics["train"][FIGURE + name].append(float(np.mean(values)))
            self.earned = torch.as_tensor(found, dtype=torch.float32).to(self.accelerator.device)
            return processes.gather(self.earned[:, None])

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            self.started = time.perf_counter()
            batch = super()._generate_and_score_completions(inputs)
            settings, mask = self.settings, batch["completion_mask"]
            reference = batch.pop("ref_per_token_logps")
            if "old_per_token_logps" not in batch:
                with torch.no_grad():
                    batch["old_per_token_logps"], _, _ = self._get_per_token_logps_and_entropies(
                        self.model,
                        torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1),
                        torch.cat([batch["prompt_mask"], mask], dim=1),
                        mask.size(1),
                        batch_size=self.args.per_device_train_batch_size,
                    )
            kl = (batch["old_per_token_logps"] - reference).masked_fill(mask == 0, 0.0)
            nats, tokens = self._sum(torch.stack([kl.sum(), mask.sum().to(kl.dtype)])).tolist()
            self._metrics["train"]["kl"].append(nats / max(tokens, 1.0))
            batch["advantages"] = reinforce_pp_advantages(
                self.earned.clamp(-settings.reward_clip, settings.reward_clip),
                kl.clamp(-settings.kl_clip, settings.kl_clip),
                mask,
                settings.beta,
                settings.samples if settings.baseline else None,
                self._sum,
            )
            return batch

        def _compute_loss(self, model: Any, inputs: Any) -> Any:
            parent: Any = super()
            beta, self.beta = self.beta, 0.0  # the divergence is in the advantages already
            try:
                return parent._compute_loss(model, inputs)
            finally:
                self.beta = beta

        def _sum(self, tensor: Any) -> Any:
            return self.accelerator.reduce(tensor, reduction="sum")

    return ReinforceTrainer


def _run_of(model: Any, prompts: Sequence[str], settings: ReinforceSettings) -> dict[str, Any]:
    """Return what a run must have in common with the one that it goes on from."""
    free = ("steps", "checkpoint_every", "rows_per_pass")
    kept = {name: value for name, value in asdict(settings).items() if name not in free}
    listed = hashlib.sha256(json.dumps(list(prompts)).encode()).hexdigest()
    return {"model": fingerprint_of_weights(model), "prompts": listed, "settings": kept}
