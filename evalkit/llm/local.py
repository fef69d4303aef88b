"""Any causal language model of transformers on this machine.

Sampling is seeded per text, not per batch: each text has its own random stream, made from the
seed and the question, and the token with the largest (log probability + Gumbel noise) is taken,
which is a draw from the model's distribution. So the same question with the same seed gets the
same answer whatever else is in the batch, up to one thing: padding and the size of a batch change
the last bits of the logits, and where two tokens are that close the other one may win. The same
batches on the same machine give the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import time
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from evalkit.errors import ModelError, SettingsError
from evalkit.llm.answering import Asked, Reply, answer_all, clean_text, remember
from evalkit.llm.budget import BUDGET_REACHED, Budget, Meter
from evalkit.llm.cache import Stored
from evalkit.llm.identity import manifest_entry
from evalkit.llm.json_schema import with_schema
from evalkit.llm.messages import Counts, Message, Usage
from evalkit.llm.sampling import RowSampler
from evalkit.models import ModelFiles, locate_encoder, require_models_extra, usable_device

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.llm.cache import AnswerCache
    from evalkit.llm.prompting import PromptVersion

__all__ = ["LocalModel", "LocalSettings", "open_local_model"]

_ALSO_COUNT = ("chat_template.jinja", "generation_config.json")


@dataclass(frozen=True)
class LocalSettings:
    """How a model on this machine writes.

    Attributes:
        batch_size: texts written side by side.
        device: `auto` (cuda, then mps, then cpu) or a torch device.
        dtype: of the weights.
        top_p: tokens are drawn from the likeliest whose probabilities sum up to this.
        allow_pickle: load weights that are pickles, which can run code.
    """

    batch_size: int = 16
    device: str = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    top_p: float = 0.95
    allow_pickle: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise SettingsError(f"--batch-size is {self.batch_size}; it must be 1 or more.")
        if not 0 < self.top_p <= 1:
            raise SettingsError(f"top_p is {self.top_p}; it must be more than 0 and at most 1.")


def open_local_model(
    model: str,
    *,
    revision: str | None = None,
    cache: AnswerCache | None = None,
    budget: Budget | None = None,
    settings: LocalSettings | None = None,
) -> LocalModel:
    """Find a model and check its files; it is loaded at the first question.

    Args:
        model: a folder, a hub id, or `smollm2` for the one that `evalkit models add` made.
        revision: branch, tag or commit on the hub.
        cache: where answers are kept.
        budget: how many texts and tokens may be written.
        settings: how it writes.

    Raises:
        ModelError: it cannot be found or trusted, or a package is missing.
    """
    chosen = settings or LocalSettings()
    require_models_extra("A language model on this machine", "torch", "transformers")
    if model == "smollm2":
        from evalkit.smollm2 import converted_folder

        folder = converted_folder()
        if folder is None:
            raise ModelError("SmolLM2 is not there yet; run: evalkit models add smollm2")
        files = locate_encoder(str(folder), allow_pickle=chosen.allow_pickle)
    else:
        files = locate_encoder(model, revision=revision, allow_pickle=chosen.allow_pickle)
    return LocalModel(model, files, cache, Meter(budget or Budget()), chosen)


@dataclass
class LocalModel:
    """A model on this machine, asked in batches; see `open_local_model`.

    A schema goes into the last message in words: nothing forces the model to keep to it.

    Attributes:
        name: as it was asked for.
        files: its files.
        cache: where answers are kept.
        meter: what was written.
        settings: how it writes.
        counts: what was done so far.
    """

    name: str
    files: ModelFiles
    cache: AnswerCache | None
    meter: Meter
    settings: LocalSettings
    counts: Counts = field(default_factory=Counts)
    _model: Any = field(default=None, init=False, repr=False)
    _tokenizer: Any = field(default=None, init=False, repr=False)

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """What a text depends on besides the question."""
        parts = [self.files.fingerprint]
        for name in _ALSO_COUNT:
            file = self.files.folder / name
            if file.is_file():
                parts.append(hashlib.sha256(file.read_bytes()).hexdigest())
        return {
            "model": f"sha256:{hashlib.sha256(' '.join(parts).encode()).hexdigest()}",
            "family": "transformers",
            "dtype": self.settings.dtype,
            "top_p": self.settings.top_p,
        }

    generate = answer_all

    def to_manifest(self, role: str, prompts: Sequence[PromptVersion] = ()) -> dict[str, Any]:
        """Return what a manifest records; prompts are part of the fingerprint."""
        source, revision = self.files.source, self.files.revision
        return manifest_entry(role, self.name, revision, source, self.identity, prompts)

    def exchange(self, asked: Sequence[Asked], arrived: Callable[[int, Reply], None]) -> None:
        """Write what the cache does not know; see `answering.Backend`."""
        self._load()
        rows = [self._tokens(item) for item in asked]
        # Equal lengths side by side: little padding, and the longest first, so that a model that
        # does not fit into memory fails at once.
        order = sorted(range(len(asked)), key=lambda place: (-len(rows[place]), place))
        batch: list[int] = []
        for place in order:
            limit = Usage(len(rows[place]), asked[place].request.max_tokens)
            refusal = too_long = self._too_long(limit)
            if not refusal:
                state = self.meter.reserve(limit)
                if state == "wait":  # what the batch leaves of its reservation may be enough
                    self._write(asked, rows, batch, arrived)
                    batch, state = [], self.meter.reserve(limit)
                refusal = "" if state == "yes" else BUDGET_REACHED
            if refusal:
                arrived(place, Reply(None, error=refusal, final=bool(too_long)))
                continue
            batch.append(place)
            if len(batch) == self.settings.batch_size:
                self._write(asked, rows, batch, arrived)
                batch = []
        if batch:
            self._write(asked, rows, batch, arrived)

    def _too_long(self, limit: Usage) -> str:
        longest = getattr(self._model.config, "max_position_embeddings", None)
        if longest is None or limit.tokens <= longest:
            return ""
        return (
            f"too long: {limit.prompt_tokens} tokens and up to {limit.completion_tokens} of the "
            f"answer; the model reads {longest}"
        )

    def _write(
        self,
        asked: Sequence[Asked],
        rows: Sequence[Sequence[int]],
        batch: Sequence[int],
        arrived: Callable[[int, Reply], None],
    ) -> None:
        started = time.monotonic()
        written = self._continue(
            [asked[place] for place in batch], [rows[place] for place in batch]
        )
        seconds = (time.monotonic() - started) / len(batch)
        for place, (tokens, finish) in zip(batch, written, strict=True):
            text = clean_text(self._tokenizer.decode(tokens, skip_special_tokens=True)).strip()
            usage = Usage(len(rows[place]), len(tokens))
            self.meter.settle(Usage(len(rows[place]), asked[place].request.max_tokens), usage)
            self.counts.requests += 1
            self.counts.prompt_tokens += usage.prompt_tokens
            self.counts.completion_tokens += usage.completion_tokens
            stored = Stored(text, usage, finish, seconds)
            remember(self.cache, asked[place], stored)
            arrived(place, Reply(stored))

    def _continue(
        self, asked: Sequence[Asked], rows: Sequence[Sequence[int]]
    ) -> list[tuple[list[int], str]]:
        """Return for each row the tokens that follow, without what ends them, and why it ended."""
        import torch

        transformers: Any = importlib.import_module("transformers")
        request = asked[0].request
        width = max(map(len, rows))
        ends = self._ends()
        pad = ends[0] if ends else 0
        tokens = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        # Likeliest token each step; the sampler adds the noise that makes it a draw.
        config = transformers.GenerationConfig(
            max_new_tokens=request.max_tokens,
            do_sample=False,
            num_beams=1,
            pad_token_id=pad,
            eos_token_id=ends or None,
        )
        processors = transformers.LogitsProcessorList()
        if request.temperature > 0:
            seeds = [int(item.key[:15], 16) for item in asked]
            processors.append(RowSampler(seeds, request.temperature, self.settings.top_p))
        device = self._model.device
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output = self._model.generate(
                input_ids=tokens.to(device),
                attention_mask=mask.to(device),
                generation_config=config,
                logits_processor=processors,
            )
        found = []
        for row in output[:, width:].tolist():
            end = next((at for at, token in enumerate(row) if token in ends), None)
            found.append((row, "length") if end is None else (row[:end], "stop"))
        return found

    def _ends(self) -> list[int]:
        """Tokens that end an answer: those of the model and of its tokenizer."""
        own = self._model.generation_config.eos_token_id
        ends = list(own) if isinstance(own, list | tuple) else [own]
        ends.append(self._tokenizer.eos_token_id)
        return list(dict.fromkeys(int(token) for token in ends if token is not None))

    def _tokens(self, asked: Asked) -> list[int]:
        messages: Sequence[Message] = asked.messages
        if asked.request.schema is not None and not asked.repairing:
            messages = with_schema(messages, asked.request.schema)
        safe = [{"role": item.role, "content": self._harmless(item.content)} for item in messages]
        tokenizer = self._tokenizer
        if not tokenizer.chat_template:
            text = "\n\n".join(item["content"] for item in safe)
            return [int(token) for token in tokenizer(text)["input_ids"]]
        text = self._templated(safe)
        return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]

    def _templated(self, messages: list[dict[str, str]]) -> str:
        from jinja2.exceptions import TemplateError

        def apply(turns: list[dict[str, str]]) -> str:
            return str(
                self._tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=True
                )
            )

        try:
            return apply(messages)
        except TemplateError as error:
            first, *rest = messages
            if first["role"] != "system" or not rest:
                raise ModelError(f"The chat template of {self.name} fails: {error}") from error
            # Some templates know no system; what it says goes before the first question.
            merged = {**rest[0], "content": f"{first['content']}\n\n{rest[0]['content']}"}
            return apply([merged, *rest[1:]])

    def _harmless(self, text: str) -> str:
        """Break tokens that end a turn, so that a text cannot begin one of its own."""
        for token in self._tokenizer.all_special_tokens:
            if len(token) > 1:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _load(self) -> None:
        if self._model is not None:
            return
        # Idle threads of OpenMP would spin, and take the cores from whoever shares them.
        os.environ.setdefault("GOMP_SPINCOUNT", "0")
        torch: Any = importlib.import_module("torch")
        transformers: Any = importlib.import_module("transformers")
        device = usable_device(self.settings.device)
        logging: Any = importlib.import_module("transformers.utils.logging")
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        weights: dict[str, Any] = {"dtype": getattr(torch, self.settings.dtype)}
        if not self.settings.allow_pickle:
            weights["use_safetensors"] = True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                    self.files.folder, trust_remote_code=False
                )
                model = transformers.AutoModelForCausalLM.from_pretrained(
                    self.files.folder, trust_remote_code=False, **weights
                )
            self._model = model.to(device).eval()
        except Exception as error:  # loaders of all kinds of files raise all kinds of errors
            raise ModelError(
                f"{self.name} ({self.files.folder}) could not be loaded as a language model: "
                f"{error}"
            ) from error
        finally:
            if bars:
                logging.enable_progress_bar()
