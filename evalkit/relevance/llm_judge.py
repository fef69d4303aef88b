"""A language model as a judge of products and of rewrites.

A product is judged in the steps of UMBRELA (Upadhyay et al. 2024, arXiv 2406.06519): what is
wanted, how well it is matched, how far the text can be trusted, and one grade for all. The wording
is our own, made for products: four levels as shops use them, and hard rules for what a query rules
out and for its price limits. A rule that the model itself calls broken caps the grade here too,
whatever grade it gave.

The prompts are versioned files (`evalkit/llm/prompts/judge_*.md`); judgments carry the version in
the judge's name. A language model gives no probability through this seam, so there is none.
An answer of the wrong form is counted and left out; judging again asks it anew under another seed.
Where an answer never came, nothing is judged: what did come is in the model's cache, and the next
run asks only for the rest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.llm import Prompt, load_prompt, need_answers
from evalkit.progress import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from evalkit.llm import Answer, LanguageModel, Message

    Progress = Callable[[int], object]

__all__ = [
    "LEVELS",
    "SCALES",
    "Judged",
    "LanguageModelJudge",
    "judge_pairs",
    "judge_rewrites",
]

LEVELS = ("irrelevant", "mismatch", "related", "exact")
"""What the four grades of the prompt mean, from 0."""
SCALES: Mapping[str, tuple[float, ...]] = {"levels": (0, 1, 2, 3), "shop": (0, 0, 1, 2)}
"""Grades that are written for the four levels: as they are, or bad, partial and exact."""
_CAP = 1  # the best level of a product that breaks a hard rule
_BLOCK = 256  # conversations in memory at once
_LONGEST = 4_000  # characters of a product's text; a judge needs no more, and every one is paid
_MAX_TOKENS = 300
_SEEDS = 5  # of one question: how many runs may ask anew what was answered in a wrong form


@dataclass(frozen=True)
class Judged:
    """What a judge said.

    Attributes:
        table: the rows that it judged, in the order given.
        failed: rows without a valid answer, which are left out.
        reasons: why, with how often, the most frequent first.
    """

    table: pa.Table
    failed: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LanguageModelJudge:
    """A language model with the prompts by which it judges; a `Judge` of `evalkit judge`.

    Attributes:
        model: what answers.
        scale: a name of `SCALES`, or the grades to write for the four levels.
        called: its name; empty takes the model's id and the version of the prompt.
        product: prompt by which products are graded; words `query` and `product`.
        rewrite: prompt by which rewrites are judged; words `query` and `rewrite`.
        seed: of the sampling, and of the first answer to every question.
    """

    model: LanguageModel
    scale: str | Sequence[float] = "shop"
    called: str = ""
    product: Prompt = field(default_factory=lambda: load_prompt("judge_product"))
    rewrite: Prompt = field(default_factory=lambda: load_prompt("judge_rewrite"))
    seed: int = 0

    @property
    def source(self) -> str:
        """Return `llm`, for the column source."""
        return "llm"

    @property
    def name(self) -> str:
        """Return the annotator of its judgments."""
        return self.called or self.named(self.product)

    @property
    def lowest(self) -> float:
        """Return the lowest grade that it writes.

        Raises:
            SettingsError: there is no such scale.
        """
        return _scale(self.scale)[0]

    @property
    def models(self) -> tuple[Mapping[str, Any], ...]:
        """Return the model with its prompt, as a manifest of judgments records it."""
        return (self.to_manifest(self.product),)

    def named(self, prompt: Prompt) -> str:
        """Return the model's id with the version of a prompt."""
        return f"{self.to_manifest(prompt)['id']}@{prompt.id}.v{prompt.version}"

    def to_manifest(self, prompt: Prompt) -> dict[str, Any]:
        """Return the entry of a manifest's models; the prompt is part of its fingerprint."""
        return self.model.to_manifest("relevance", [prompt.identity])

    def judge_pairs(self, pairs: pa.Table, progress: Progress | None = None) -> pa.Table:
        """Grade products, a row a pair in order.

        Args:
            pairs: query_id, query, product_id and text, a row a pair.
            progress: called with a number of pairs each time some are done.

        Returns:
            grade (null where there is no valid answer) and probability (null).

        Raises:
            InputError: a column is missing.
            SettingsError: there is no such scale.
            ModelError: an answer never came.
        """
        import pyarrow as pa

        said, reasons = self._grades(pairs, progress)
        _say_failed(reasons, len(pairs), "pairs")
        return pa.table(
            {
                "grade": pa.array(said, pa.float64()),
                "probability": pa.nulls(len(said), pa.float64()),
            }
        )

    def grade(
        self,
        pairs: pa.Table,
        *,
        progress: Progress | None = None,
    ) -> Judged:
        """Grade products, without those that have no valid answer.

        Args:
            pairs: query_id, query, product_id and text (of the product), a row a pair.
            progress: called with a number of pairs each time some are done.

        Returns:
            query_id, product_id, grade, probability (null), source (`llm`) and annotator.

        Raises:
            InputError: a column is missing.
            SettingsError: there is no such scale.
            ModelError: an answer never came.
        """
        import pyarrow as pa

        every, reasons = self._grades(pairs, progress)
        kept = [at for at, grade in enumerate(every) if grade is not None]
        said = [every[at] for at in kept]
        rows = pairs.select(["query_id", "product_id"]).take(pa.array(kept, pa.int64()))
        size = len(kept)
        table = (
            rows.append_column("grade", pa.array(said, pa.float64()))
            .append_column("probability", pa.nulls(size, pa.float64()))
            .append_column("source", pa.array(["llm"] * size, pa.string()))
            .append_column("annotator", pa.array([self.name] * size, pa.string()))
        )
        return Judged(table, len(pairs) - size, reasons)

    def keeps(self, rewrites: pa.Table, *, progress: Progress | None = None) -> Judged:
        """Say of every rewrite whether it keeps what the query wants.

        Args:
            rewrites: query_id, query and rewrite, a row a rewrite.
            progress: called with a number of rewrites each time some are done.

        Returns:
            query_id, rewrite, keeps (bool), why (text) and annotator.

        Raises:
            InputError: a column is missing.
            ModelError: an answer never came.
        """
        import pyarrow as pa

        _require(rewrites, ("query_id", "query", "rewrite"))
        words = [
            {"query": query or "", "rewrite": rewrite or ""}
            for query, rewrite in zip(
                rewrites["query"].to_pylist(), rewrites["rewrite"].to_pylist(), strict=True
            )
        ]
        answers, reasons = self._ask(self.rewrite, words, progress)
        kept = [at for at, answer in enumerate(answers) if answer is not None]
        found = [answer for answer in answers if answer is not None]
        rows = rewrites.select(["query_id", "rewrite"]).take(pa.array(kept, pa.int64()))
        why = [" ".join(str(answer["why"]).split()) for answer in found]
        table = (
            rows.append_column("keeps", pa.array([answer["keeps"] for answer in found], pa.bool_()))
            .append_column("why", pa.array(why, pa.string()))
            .append_column(
                "annotator", pa.array([self.named(self.rewrite)] * len(kept), pa.string())
            )
        )
        return Judged(table, len(rewrites) - len(kept), reasons)

    def _grades(
        self, pairs: pa.Table, progress: Progress | None
    ) -> tuple[list[float | None], dict[str, int]]:
        grades = _scale(self.scale)
        _require(pairs, ("query_id", "query", "product_id", "text"))
        queries, texts = pairs["query"].to_pylist(), pairs["text"].to_pylist()
        words = [
            {"query": query or "", "product": (text or "")[:_LONGEST]}
            for query, text in zip(queries, texts, strict=True)
        ]
        answers, reasons = self._ask(self.product, words, progress)
        return [None if each is None else grades[_level(each)] for each in answers], reasons

    def _ask(
        self, prompt: Prompt, words: Sequence[Mapping[str, str]], progress: Progress | None
    ) -> tuple[list[dict[str, Any] | None], dict[str, int]]:
        """The parsed answer to every question, None where there is none; and why not."""
        found: list[dict[str, Any] | None] = []
        reasons: Counter[str] = Counter()
        for start in range(0, len(words), _BLOCK):
            block = [prompt.fill(**each) for each in words[start : start + _BLOCK]]
            answers = self._generate(prompt, block, self.seed, progress)
            seed = self.seed
            for _ in range(_SEEDS - 1):
                # What an earlier run was told in a wrong form is asked anew, once a run.
                stale = [at for at, answer in enumerate(answers) if answer.error and answer.cached]
                if not stale:
                    break
                seed += 1
                again = self._generate(prompt, [block[at] for at in stale], seed, None)
                for at, answer in zip(stale, again, strict=True):
                    answers[at] = answer
            for answer in answers:
                valid = None if answer.error or not answer.parsed else answer.parsed[0]
                found.append(valid)
                if valid is None:
                    reasons[answer.error or "no answer"] += 1
        return found, dict(reasons.most_common())

    def _generate(
        self,
        prompt: Prompt,
        messages: Sequence[Sequence[Message]],
        seed: int,
        progress: Progress | None,
    ) -> list[Answer]:
        answers = self.model.generate(
            messages,
            temperature=0.0,
            max_tokens=_MAX_TOKENS,
            seed=seed,
            schema=prompt.schema,
            prompt=prompt.identity,
            progress=progress,
        )
        need_answers(answers, "questions to the judge")
        return answers


def judge_pairs(
    pairs: pa.Table,
    model: LanguageModel,
    *,
    scale: str | Sequence[float] = "shop",
    progress: Progress | None = None,
) -> pa.Table:
    """Grade products with a language model; what failed is said and left out.

    Args:
        pairs: query_id, query, product_id and text, a row a pair.
        model: what judges.
        scale: as in `LanguageModelJudge`.
        progress: called with a number of pairs each time some are done.

    Returns:
        query_id, product_id, grade and probability (null).
    """
    judged = LanguageModelJudge(model, scale).grade(pairs, progress=progress)
    _say_failed(judged.reasons, len(pairs), "pairs")
    return judged.table.select(["query_id", "product_id", "grade", "probability"])


def judge_rewrites(
    rewrites: pa.Table, model: LanguageModel, *, progress: Progress | None = None
) -> pa.Table:
    """Judge rewrites with a language model; what failed is said and left out.

    Args:
        rewrites: query_id, query and rewrite, a row a rewrite.
        model: what judges.
        progress: called with a number of rewrites each time some are done.

    Returns:
        query_id, rewrite, keeps (bool) and why (text).
    """
    judged = LanguageModelJudge(model).keeps(rewrites, progress=progress)
    _say_failed(judged.reasons, len(rewrites), "rewrites")
    return judged.table.select(["query_id", "rewrite", "keeps", "why"])


def _say_failed(reasons: Mapping[str, int], asked: int, unit: str) -> None:
    if reasons:
        reason, times = next(iter(reasons.items()))
        say(
            f"Warning: {sum(reasons.values()):,} of {asked:,} {unit} have no valid answer and are "
            f"left out ({times:,} times: {reason}); judging again asks only for these anew."
        )


def _level(answer: Mapping[str, Any]) -> int:
    """The grade, capped where the model itself says that a hard rule is broken.

    Example:
        >>> _level({"grade": 3, "broken": "none"}), _level({"grade": 3, "broken": "price"})
        (3, 1)
    """
    grade = int(answer["grade"])
    return grade if answer["broken"] == "none" else min(grade, _CAP)


def _scale(scale: str | Sequence[float]) -> tuple[float, ...]:
    if isinstance(scale, str):
        if scale not in SCALES:
            raise SettingsError(f"there is no scale {scale!r}; there are {', '.join(SCALES)}.")
        return SCALES[scale]
    grades = tuple(float(grade) for grade in scale)
    if len(grades) != len(LEVELS) or list(grades) != sorted(grades):
        raise SettingsError(
            f"a scale has a grade for each of {', '.join(LEVELS)}, ascending, not {list(scale)}."
        )
    return grades


def _require(table: pa.Table, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise InputError(
            "pairs to judge",
            [Problem(f"no column {missing[0]}")],
            remedy=f"There are: {', '.join(table.column_names)}.",
        )
