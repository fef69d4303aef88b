"""From conversations to answers, whatever model writes the texts.

What a model on this machine and a server have in common: questions and their keys, the cache, the
same question only once, checking against a schema, one repair, and errors that stop no others.
A backend only turns questions that the cache does not know into replies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from evalkit.errors import SettingsError
from evalkit.llm.cache import AnswerCache, Stored, canonical
from evalkit.llm.json_schema import check_schema, problem_of, read_json, repair
from evalkit.llm.messages import Answer, Counts, Message, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.llm.prompting import PromptVersion

__all__ = ["Asked", "Backend", "Reply", "Request", "answer_all", "clean_text", "remember"]


@dataclass(frozen=True)
class Request:
    """What all questions of one call share; the parameters of `LanguageModel.generate`."""

    n: int
    temperature: float
    max_tokens: int
    seed: int
    schema: Mapping[str, Any] | None
    prompt: PromptVersion | None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise SettingsError(f"n is {self.n}; it must be 1 or more.")
        if self.max_tokens < 1:
            raise SettingsError(f"max_tokens is {self.max_tokens}; it must be 1 or more.")
        if not 0 <= self.temperature <= 10:
            raise SettingsError(f"The temperature is {self.temperature}; it must be 0 to 10.")
        if not 0 <= self.seed < 2**31:
            raise SettingsError(f"The seed is {self.seed}; it must be 0 to 2147483647.")
        if self.schema is not None:
            check_schema(self.schema)


@dataclass(frozen=True)
class Asked:
    """One text to be written.

    Attributes:
        messages: the conversation so far.
        index: which of the n texts.
        request: what it shares with the others.
        document: all that the text depends on, as JSON.
        key: sha256 of the document.
        repairing: the messages end with an invalid answer, what is wrong with it, and the schema.
    """

    messages: tuple[Message, ...]
    index: int
    request: Request
    document: str
    key: str
    repairing: bool = False


@dataclass(frozen=True)
class Reply:
    """What became of a question: a text, or a reason why there is none.

    A final one is the model's last word: the same question will never get a text.
    """

    stored: Stored | None
    cached: bool = False
    error: str = ""
    final: bool = False


class Backend(Protocol):
    """What writes texts."""

    cache: AnswerCache | None
    counts: Counts

    @property
    def identity(self) -> Mapping[str, Any]:
        """What a text depends on besides the question: model and family."""
        ...

    def exchange(self, asked: Sequence[Asked], arrived: Callable[[int, Reply], None]) -> None:
        """Answer questions that are all different, in any order, and remember each answer.

        Args:
            asked: the questions.
            arrived: called once for each, with its place and reply, as soon as it is there.
        """
        ...


def answer_all(
    backend: Backend,
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
    """Answer every conversation; backends have it as their `LanguageModel.generate`."""
    request = Request(n, temperature, max_tokens, seed, schema, prompt)
    # At temperature 0 the n texts are one.
    indices = range(request.n if request.temperature > 0 else 1)
    wanted = [
        [_ask(backend, tuple(map(_clean, conversation)), index, request) for index in indices]
        for conversation in messages
    ]
    waiting = [len(row) for row in wanted]
    owners: dict[str, list[int]] = {}
    for number, row in enumerate(wanted):
        for asked in row:
            owners.setdefault(asked.key, []).append(number)

    def finished(key: str) -> None:
        for number in owners[key]:
            waiting[number] -= 1
            if not waiting[number] and progress is not None:
                progress(1)

    outcomes = _settle_all(backend, [asked for row in wanted for asked in row], finished)
    backend.counts.asked += sum(map(len, owners.values()))
    backend.counts.cached += sum(len(owners[key]) for key in owners if outcomes[key].cached)
    return [
        _answer([outcomes[asked.key] for asked in row] * (request.n // len(row))) for row in wanted
    ]


def remember(cache: AnswerCache | None, asked: Asked, stored: Stored) -> None:
    """Write a text to the cache, with the JSON that it holds."""
    if cache is not None:
        value, problem = _checked(stored.text, asked.request.schema)
        cache.put(asked.key, asked.document, stored, None if problem else value)


def clean_text(text: str) -> str:
    """Replace what is no text (halves of surrogate pairs), which files and servers refuse."""
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class _Outcome:
    text: str
    parsed: Any
    usage: Usage
    cached: bool
    error: str
    missing: bool = False


def _settle_all(
    backend: Backend, wanted: Sequence[Asked], finished: Callable[[str], None]
) -> dict[str, _Outcome]:
    """Ask, check, and ask the invalid ones once more."""
    outcomes: dict[str, _Outcome] = {}
    again: dict[str, tuple[Asked, Asked, Stored, bool]] = {}

    def first(asked: Asked, reply: Reply) -> None:
        outcome, problem = _judged(reply, asked.request.schema)
        outcomes[asked.key] = outcome
        if problem and reply.stored is not None and asked.request.schema is not None:
            mended = repair(asked.messages, reply.stored.text, problem, asked.request.schema)
            repeated = _ask(backend, mended, asked.index, asked.request, repairing=True)
            again[repeated.key] = (asked, repeated, reply.stored, reply.cached)
        else:
            finished(asked.key)

    def second(repeated: Asked, reply: Reply) -> None:
        original, _, before, cached = again[repeated.key]
        outcome, problem = _judged(reply, repeated.request.schema)
        if problem:
            outcome = replace(outcome, error=f"invalid also after a repair: {problem}")
        elif outcome.error:
            why = outcomes[original.key].error
            outcome = replace(outcome, text=before.text, error=f"{why}; repair: {outcome.error}")
        outcomes[original.key] = replace(
            outcome, usage=before.usage + outcome.usage, cached=outcome.cached and cached
        )
        finished(original.key)

    _ask_all(backend, wanted, first)
    backend.counts.repairs += _ask_all(backend, [item[1] for item in again.values()], second)
    for outcome in outcomes.values():
        backend.counts.invalid += outcome.error.startswith("invalid")
        backend.counts.failed += bool(outcome.error) and not outcome.error.startswith("invalid")
    return outcomes


def _ask_all(
    backend: Backend, wanted: Sequence[Asked], arrived: Callable[[Asked, Reply], None]
) -> int:
    """Return how many questions the cache did not know."""
    unique = {asked.key: asked for asked in wanted}
    known = backend.cache.get(list(unique)) if backend.cache is not None else {}
    for key, stored in known.items():
        arrived(unique[key], Reply(stored, cached=True))
    missing = [asked for key, asked in unique.items() if key not in known]
    if missing:
        backend.exchange(missing, lambda place, reply: arrived(missing[place], reply))
    return len(missing)


def _ask(
    backend: Backend,
    messages: tuple[Message, ...],
    index: int,
    request: Request,
    *,
    repairing: bool = False,
) -> Asked:
    document, key = canonical(
        {
            **backend.identity,
            "prompt": request.prompt.to_manifest() if request.prompt is not None else None,
            "messages": [[message.role, message.content] for message in messages],
            "temperature": float(request.temperature),
            "max_tokens": request.max_tokens,
            "seed": request.seed,
            "index": index,
            "schema": request.schema,
        }
    )
    return Asked(messages, index, request, document, key, repairing)


def _judged(reply: Reply, schema: Mapping[str, Any] | None) -> tuple[_Outcome, str]:
    """Return what a reply is worth, and what is wrong with its text, if there is one."""
    if reply.stored is None:
        return _Outcome("", None, Usage(), False, reply.error, not reply.final), ""
    stored = reply.stored
    value, problem = _checked(stored.text, schema)
    if problem and stored.finish == "length":
        problem += " (it was cut off at the longest length)"
    outcome = _Outcome(
        stored.text,
        None if problem else value,
        stored.usage,
        reply.cached,
        f"invalid: {problem}" if problem else "",
    )
    return outcome, problem


def _checked(text: str, schema: Mapping[str, Any] | None) -> tuple[Any, str]:
    if schema is None:
        return None, "" if text.strip() else "the answer is empty"
    try:
        value = read_json(text)
    except ValueError as error:
        return None, f"the answer cannot be read as JSON ({error})"
    return value, problem_of(value, schema)


def _answer(outcomes: Sequence[_Outcome]) -> Answer:
    errors = [outcome.error for outcome in outcomes if outcome.error]
    usage = Usage()
    # The n texts of temperature 0 are one and are counted once.
    for outcome in {id(outcome): outcome for outcome in outcomes}.values():
        usage += outcome.usage
    some = f"{len(errors)} of {len(outcomes)}: " if errors and len(outcomes) > 1 else ""
    return Answer(
        tuple(outcome.text for outcome in outcomes),
        tuple(outcome.parsed for outcome in outcomes),
        usage,
        all(outcome.cached for outcome in outcomes),
        f"{some}{errors[0]}" if errors else "",
        sum(outcome.missing for outcome in outcomes),
    )


def _clean(message: Message) -> Message:
    return Message(message.role, clean_text(message.content))
