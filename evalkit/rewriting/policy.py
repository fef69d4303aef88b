"""A trained rewriter: a causal language model that was taught to rewrite, and nothing else.

It is not asked in a chat. It continues one line that says what the query wants, in words that are
the same for every base model, and its answer is a list of rewrites. What it was trained with stands
in `policy.json` of its folder; `evalkit train rewriter` makes the folder. Weights are safetensors
and float32.

Sampling is seeded per output: the same query with the same seed gets the same rewrites whatever
else is in the batch, up to the last bits of the logits.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ModelError, SettingsError
from evalkit.models import ModelFiles, locate_encoder, require_models_extra, usable_device
from evalkit.rewriting.rewriter import Rewrite
from evalkit.rewriting.rules import filter_rule
from evalkit.rewriting.wording import bag, split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.constraints import Structure, TypedQuery
    from evalkit.constraints.structure import Condition
    from evalkit.knowledge.graph import Graph

__all__ = [
    "FORMAT",
    "POLICY_FILE",
    "SEPARATOR",
    "Policy",
    "PolicyFiles",
    "PolicyRewriter",
    "candidates_of",
    "completion_of",
    "load_language_model",
    "locate_policy",
    "prompt_of",
    "tokens_for",
]

FORMAT = 1
"""Raised when the prompt or the reading of answers change, for manifests."""

SEPARATOR = ";"
POLICY_FILE = "policy.json"

_TOKENS_EACH = 16  # a rewrite of a title's words, with its separator
_OUTPUTS = 2  # sampled at a time while rewrites are missing
_ROUNDS = 6
_TEMPERATURE = 0.8
_MARKS = re.compile(r"[;|]|=>")


def prompt_of(query: TypedQuery) -> str:
    """Return the line that a policy continues.

    Example:
        >>> from evalkit.constraints import Condition, Structure, TypedQuery
        >>> out = (Condition("material", ("aluminum",)),)
        >>> asked = Structure("negative", ("moka pot",), excluded=out, price_max=40.0)
        >>> prompt_of(TypedQuery("q1", "Moka pot, not aluminum", asked))
        'negative: moka pot, not aluminum | kind moka pot | not material aluminum | under 40 =>'
    """
    return f"{_plain(query.structure.query_type)}: {' | '.join(_parts(query))} =>"


def completion_of(rewrites: Sequence[str]) -> str:
    """Return rewrites as a policy says them; separators inside them are removed.

    Example:
        >>> completion_of(["stainless steel moka pot", "Ceramic; moka pot"])
        ' stainless steel moka pot ; ceramic moka pot'
    """
    return " " + f" {SEPARATOR} ".join(_plain(text) for text in rewrites)


def candidates_of(completion: str) -> list[str]:
    """Return the rewrites that a completion says, in order; repeated ones stay, empty ones go.

    Example:
        >>> candidates_of(" Steel moka pot ; ; steel moka pot;ceramic pot ")
        ['steel moka pot', 'steel moka pot', 'ceramic pot']
    """
    parts = (" ".join(part.lower().split()) for part in completion.split(SEPARATOR))
    return [part for part in parts if part]


def tokens_for(candidates: int) -> int:
    """Return how many tokens an answer with so many rewrites may have."""
    return _TOKENS_EACH * candidates


@dataclass(frozen=True)
class PolicyFiles:
    """The folder of a trained rewriter; see `locate_policy`.

    Attributes:
        files: weights, tokenizer and configuration.
        candidates: rewrites that it was taught to say at a time.
    """

    files: ModelFiles
    candidates: int

    @property
    def name(self) -> str:
        """What stands in the column `rewriter`."""
        return f"policy:{self.files.folder.name}"

    def to_manifest(self, role: str) -> dict[str, Any]:
        """Return what a manifest records; prompt and reading are part of the fingerprint."""
        entry = self.files.to_manifest(role)
        fingerprint = f"{entry['fingerprint']}+policy{FORMAT}x{self.candidates}"
        return {**entry, "fingerprint": fingerprint}

    def load(self, device: str = "auto") -> Policy:
        """Load the model.

        Raises:
            ModelError: it cannot be loaded.
        """
        model, tokenizer = load_language_model(self.files, device)
        return Policy(model.eval(), tokenizer, self.candidates)


def locate_policy(folder: str | os.PathLike[str]) -> PolicyFiles:
    """Find the files of a trained rewriter and check them, without loading them.

    Raises:
        SettingsError: the folder is not of a trained rewriter, or of another format.
        ModelError: its weights are missing or not safe.
    """
    file = Path(folder) / POLICY_FILE
    try:
        document = json.loads(file.read_text("utf-8"))
        found, candidates = document["format"], int(document["candidates"])
    except FileNotFoundError:
        raise SettingsError(
            f"{folder} is a folder, but not of a trained rewriter: it has no {POLICY_FILE}. "
            "evalkit train rewriter makes one."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{file} is not what evalkit train rewriter writes ({error})."
        ) from error
    if found != FORMAT:
        raise SettingsError(f"{file} has format {found}, not {FORMAT}; train the rewriter again.")
    require_models_extra("A trained rewriter", "torch", "transformers")
    return PolicyFiles(locate_encoder(str(folder)), candidates)


def load_language_model(files: ModelFiles, device: str = "auto") -> tuple[Any, Any]:
    """Load a causal language model in float32, and its tokenizer with a token for padding.

    Of how the model is used to generate (a penalty on what was said, further tokens that end a
    text) nothing is kept: what is sampled, rewarded and used must be of one distribution.

    Args:
        files: of the model; only safetensors are loaded.
        device: `auto` (cuda, then mps, then cpu) or a torch device.

    Raises:
        ModelError: it cannot be loaded.
        SettingsError: the device cannot be used.
    """
    # Idle threads of OpenMP would spin, and take the cores from whoever shares them.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    chosen = usable_device(device)
    logging: Any = importlib.import_module("transformers.utils.logging")
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                files.folder, trust_remote_code=False, padding_side="left"
            )
            model = transformers.AutoModelForCausalLM.from_pretrained(
                files.folder, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
            )
    except Exception as error:  # loaders of all kinds of files raise all kinds of errors
        raise ModelError(
            f"{files.id} ({files.folder}) could not be loaded as a language model: {error}"
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{files.id}: its tokenizer has no token that ends a text (eos_token).")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model.to(chosen), tokenizer


@dataclass(frozen=True)
class Policy:
    """A model that rewrites, in memory.

    Attributes:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
        candidates: rewrites that it was taught to say at a time.
    """

    model: Any
    tokenizer: Any
    candidates: int

    def generate(
        self,
        queries: Sequence[TypedQuery],
        *,
        n: int = 1,
        temperature: float = 1.0,
        seed: int = 0,
        max_new_tokens: int | None = None,
        batch_size: int = 128,
    ) -> list[list[str]]:
        """Return n completions for each query.

        Args:
            queries: what is asked.
            n: outputs a query.
            temperature: 0 takes the likeliest words: all outputs of a query are the same. Others
                are drawn from the 256 likeliest tokens of each place.
            seed: of the draws; each output of a query has its own random stream.
            max_new_tokens: of an output; None takes what its candidates need.
            batch_size: outputs written side by side.
        """
        from evalkit.llm.sampling import RowSampler

        prompts = [prompt_of(query) for query in queries]
        tokens = self.tokenizer(prompts)["input_ids"] if prompts else []
        different = n if temperature > 0 else min(n, 1)
        rows = [(place, number) for place in range(len(prompts)) for number in range(different)]
        rows.sort(key=lambda row: (-len(tokens[row[0]]), row))  # equal lengths: little padding
        found = [[""] * n for _ in prompts]
        for start in range(0, len(rows), batch_size):
            some = rows[start : start + batch_size]
            sampler = None
            if temperature > 0:
                seeds = [_seed(seed, prompts[place], number) for place, number in some]
                sampler = RowSampler(seeds, temperature, 1.0)
            texts = self._continue(
                [tokens[place] for place, _ in some],
                sampler,
                max_new_tokens or tokens_for(self.candidates),
            )
            for (place, number), text in zip(some, texts, strict=True):
                found[place][number] = text
        return found if temperature > 0 else [texts[:1] * n for texts in found]

    def _continue(self, rows: Sequence[Sequence[int]], sampler: Any, longest: int) -> list[str]:
        import torch

        transformers: Any = importlib.import_module("transformers")
        pad, end = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        width = max(map(len, rows))
        tokens = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        # Likeliest token each step; the sampler adds the noise that makes it a draw.
        config = transformers.GenerationConfig(
            max_new_tokens=longest, do_sample=False, num_beams=1, pad_token_id=pad, eos_token_id=end
        )
        processors = transformers.LogitsProcessorList([sampler] if sampler is not None else [])
        device = self.model.device
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output = self.model.generate(
                input_ids=tokens.to(device),
                attention_mask=mask.to(device),
                generation_config=config,
                logits_processor=processors,
            )
        answers = output[:, width:].tolist()
        ended = [row[: row.index(end)] if end in row else row for row in answers]
        texts: list[str] = self.tokenizer.batch_decode(ended, skip_special_tokens=True)
        return texts


class PolicyRewriter:
    """Rewrites with a trained policy; see the module.

    The likeliest output comes first, then sampled ones until there are enough. What breaks a rule
    or strays, as the filter of rewrites has it, is dropped and counted.

    Args:
        files: of the policy.
        graph: of the catalogue that the rewrites shall find.
        seed: of the sampling.
        device: where the model runs.
    """

    def __init__(
        self, files: PolicyFiles, graph: Graph, *, seed: int = 0, device: str = "auto"
    ) -> None:
        self._files = files
        self._policy = files.load(device)
        self._rule = filter_rule(graph)
        self._seed = seed
        self._counts: Counter[str] = Counter(outputs=0, rewrites_dropped=0)

    @property
    def name(self) -> str:
        """`policy:` and the name of the folder."""
        return self._files.name

    @property
    def models(self) -> tuple[Mapping[str, Any], ...]:
        """The policy, for the manifest."""
        return (self._files.to_manifest("rewriter"),)

    def counts(self) -> Mapping[str, int]:
        """Count outputs, and candidates that were dropped."""
        return dict(self._counts)

    def rewrite(self, queries: Sequence[TypedQuery], n: int) -> list[list[Rewrite]]:
        """Return up to n rewrites for each query, in the policy's order."""
        kept: list[list[str]] = [[] for _ in queries]
        open_ = list(range(len(queries)))
        for round_ in range(_ROUNDS):
            if not open_:
                break
            written = self._policy.generate(
                [queries[place] for place in open_],
                n=_OUTPUTS if round_ else 1,
                temperature=_TEMPERATURE if round_ else 0.0,
                seed=self._seed + round_,
            )
            for place, outputs in zip(open_, written, strict=True):
                self._counts["outputs"] += len(outputs)
                for output in outputs:
                    self._keep(queries[place], candidates_of(output), kept[place], n)
            open_ = [place for place in open_ if len(kept[place]) < n]
        return [[Rewrite(text, "policy") for text in texts] for texts in kept]

    def _keep(self, query: TypedQuery, texts: Sequence[str], kept: list[str], n: int) -> None:
        for text in texts:
            plain = " ".join(split(text))
            if len(kept) >= n or any(bag(plain) == bag(each) for each in kept):
                continue
            if self._rule(query.query_id, query.query, query.structure, plain, kept):
                self._counts["rewrites_dropped"] += 1
            else:
                kept.append(plain)


def _parts(query: TypedQuery) -> list[str]:
    structure: Structure = query.structure
    parts = [query.query]
    if structure.kinds:
        parts.append(f"kind {', '.join(structure.kinds)}")
    parts += [f"with {_said(condition)}" for condition in structure.required]
    parts += [f"not {_said(condition)}" for condition in structure.excluded]
    if structure.price_max is not None:
        parts.append(f"under {structure.price_max:g}")
    if structure.price_min is not None:
        parts.append(f"over {structure.price_min:g}")
    if structure.price_share is not None:
        parts.append(f"under {100 * structure.price_share:g}%")
    if structure.reference is not None:
        parts.append(f"instead of {structure.reference.brand or structure.reference.text}")
    return [_plain(part) for part in parts]


def _said(condition: Condition) -> str:
    name = (condition.attribute or "").replace("_", " ")
    return f"{name} {' or '.join(condition.values)}".strip()


def _plain(text: str) -> str:
    """Return a text in lower case without the marks that mean something in a prompt."""
    return " ".join(_MARKS.sub(" ", text).lower().split())


def _seed(seed: int, prompt: str, number: int) -> int:
    digest = hashlib.sha256(f"{seed}\0{prompt}\0{number}".encode()).digest()
    return int.from_bytes(digest[:7], "big")
