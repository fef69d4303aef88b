"""What a language model is to the rest of evalkit: messages in, answers out.

Query synthesis, parsing, rewriting and judging know this seam only; behind it is a model on this
machine (`local`), or a server (`openai_endpoint`). Whoever has another kind of model writes a
class with these two methods.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from evalkit.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.llm.prompting import PromptVersion

__all__ = ["Answer", "Counts", "LanguageModel", "Message", "Role", "Usage", "need_answers"]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: `system`, `user` or `assistant`.
        content: its text.
    """

    role: Role
    content: str


@dataclass(frozen=True)
class Usage:
    """Tokens that an answer took.

    Attributes:
        prompt_tokens: tokens read.
        completion_tokens: tokens written.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        """Add two, part by part."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True)
class Answer:
    """What came back for one conversation.

    Attributes:
        texts: the n texts as the model wrote them, in order; "" where none came.
        parsed: for each text the JSON that it holds, valid under the schema; None where it is
            not valid, none came, or no schema was asked for.
        usage: tokens of all texts and repairs, also of those that came from the cache.
        cached: nothing had to be computed or paid for it in this run.
        error: "" when everything is well, else in one line what is wrong; good texts among the n
            are there all the same.
        missing: how many of the n never came, or not their repairs, and may come when they are
            asked for again: a server was away, a budget was used up. What a model answered in a
            wrong form, or will never answer, is not among them.
    """

    texts: tuple[str, ...] = ()
    parsed: tuple[Any, ...] = ()
    usage: Usage = field(default_factory=Usage)
    cached: bool = False
    error: str = ""
    missing: int = 0


def need_answers(answers: Sequence[Answer], asked: str) -> None:
    """Refuse to go on without answers that may still come.

    Every stage calls it on what it got, so that no artefact counts as finished that lacks what the
    next run would bring. An answer that came and cannot be used, and a question that is refused,
    is the stage's own matter; but where all are refused, it is not the question's fault.

    Args:
        answers: of one call of `generate`.
        asked: what the questions were about, in the plural.

    Raises:
        ModelError: an answer never came, or several were asked for and none has a text.

    Example:
        >>> late = Answer(("",), error="out of time", missing=1)
        >>> need_answers([Answer(("yes",)), late], "pairs")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        evalkit.errors.ModelError: 1 of 2 pairs got no answer (out of time). Answers that came ...
    """
    missing = [answer.error for answer in answers if answer.missing]
    if missing:
        raise ModelError(
            f"{len(missing):,} of {len(answers):,} {asked} got no answer ({missing[0]}). Answers "
            "that came are in the cache; run it again to ask for the rest."
        )
    if len(answers) > 1 and not any(text.strip() for answer in answers for text in answer.texts):
        raise ModelError(
            f"{len(answers):,} of {len(answers):,} {asked} got no answer "
            f"({answers[0].error or 'an empty text'}). Look at the model and its settings."
        )


@dataclass
class Counts:
    """What a model has done since it was opened; goes into a manifest's counts.

    Attributes:
        asked: texts asked for.
        cached: of these, texts that the cache had.
        requests: requests sent, or texts generated, with retries and repairs.
        retries: requests that repeat one that failed.
        repairs: requests that showed the model its own invalid answer.
        invalid: texts that stayed invalid after the repair.
        failed: texts that never came.
        prompt_tokens: tokens read in this run, as the server counts them.
        completion_tokens: tokens written in this run.
    """

    asked: int = 0
    cached: int = 0
    requests: int = 0
    retries: int = 0
    repairs: int = 0
    invalid: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class LanguageModel(Protocol):
    """Anything that answers messages with texts."""

    def generate(
        self,
        messages: Sequence[Sequence[Message]],
        *,
        n: int = 1,
        temperature: float = 0.7,
        max_tokens: int = 256,
        seed: int = 0,
        schema: Mapping[str, Any] | None = None,
        prompt: PromptVersion | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[Answer]:
        """Answer every conversation, in order; one that fails has an `error` and stops no other.

        Args:
            messages: the conversations.
            n: texts a conversation.
            temperature: 0 takes the likeliest token each time.
            max_tokens: longest text.
            seed: of the sampling, as far as the model heeds one.
            schema: a JSON schema (see `json_schema`) that every text must fulfil.
            prompt: the versioned prompt that the messages were made from.
            progress: called with a number of conversations each time some are done.
        """
        ...

    def to_manifest(self, role: str, prompts: Sequence[PromptVersion] = ()) -> dict[str, Any]:
        """Return what a manifest records: role, id, revision, source, fingerprint, prompts."""
        ...
