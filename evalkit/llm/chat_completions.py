"""What goes to and comes from a server that speaks OpenAI's chat completions; nothing is sent here.

Servers differ in what they accept, and in how they say what went wrong. This module knows it:
the parameters of a request, the text and the usage of an answer, and what a refusal means.
"""

from __future__ import annotations

import email.utils
import json
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evalkit.llm.answering import Asked, clean_text
from evalkit.llm.cache import Stored
from evalkit.llm.json_schema import is_strict, with_schema
from evalkit.llm.messages import Message, Usage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["LONGEST_RETRY_AFTER", "Failure", "most", "parameters", "read_answer", "read_refusal"]

LONGEST_RETRY_AFTER = 120.0
"""Seconds; a server that wants to be left alone for longer is not asked again in this run."""

_AGAIN = {408, 409, 429}  # and every 5xx
_HOPELESS = {401, 403, 404}  # a wrong key, model or address is wrong for every request
_REFUSALS = {400, 422}
_FINAL = _REFUSALS | {413}  # too long, or against the server's rules: it stays so
_UNPAID = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_CAN_GO = ("response_format", "max_tokens", "temperature", "seed")


@dataclass(eq=False)
class Failure(Exception):  # noqa: N818
    """Why a request gave no text.

    Attributes:
        reason: in a few words.
        again: whether it is worth another attempt.
        after: seconds that the server wants to be left alone, if it says so.
        refused: the parameter that the server does not accept, if that is the reason.
        billed: the server may have worked for it.
        silent: nothing came from the server at all.
        hopeless: every other request will fare the same.
        final: this question will fare the same whenever it is asked.
    """

    reason: str
    again: bool = False
    after: float | None = None
    refused: str = ""
    billed: bool = False
    silent: bool = False
    hopeless: bool = False
    final: bool = False


def parameters(model: str, asked: Asked, left_out: Collection[str]) -> dict[str, Any]:
    """Return the body of a request.

    Args:
        model: the model's name on the server.
        asked: the question; the i-th text of n is asked with seed + i.
        left_out: parameters that the server does not accept. Without structured output the
            schema goes into the last message; without max_tokens its newer name is used.
    """
    request = asked.request
    messages: Sequence[Message] = asked.messages
    sent: dict[str, Any] = {"model": model}
    if request.schema is not None and "response_format" in left_out:
        if not asked.repairing:
            messages = with_schema(messages, request.schema)
    elif request.schema is not None:
        sent["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": request.prompt.id if request.prompt is not None else "answer",
                "schema": request.schema,
                "strict": is_strict(request.schema),
            },
        }
    sent["messages"] = [asdict(message) for message in messages]
    limit = "max_completion_tokens" if "max_tokens" in left_out else "max_tokens"
    sent[limit] = request.max_tokens
    sent["temperature"] = request.temperature
    sent["seed"] = (request.seed + asked.index) % 2**31
    return {name: value for name, value in sent.items() if name not in left_out}


def read_answer(content: bytes, asked: Asked, seconds: float) -> Stored:
    """Read the body of an answer.

    Raises:
        Failure: it is not a chat completion.
    """
    try:
        document = json.loads(content)
        choice = document["choices"][0]
        text = choice["message"].get("content") or ""
        finish = choice.get("finish_reason") or ""
        usage = document.get("usage") or {}
        if not (isinstance(text, str) and isinstance(finish, str)):
            raise TypeError("a text is not a text")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Failure(
            f"what came is not a chat completion ({type(error).__name__})", again=True, billed=True
        ) from error
    text = clean_text(text)
    return Stored(text, _usage(usage, asked, text), clean_text(finish), seconds)


def read_refusal(
    status: int,
    message: str,
    codes: Collection[str | None],
    headers: Mapping[str, str],
    sent: Mapping[str, Any],
) -> Failure:
    """Say what an answer with an error status means.

    Args:
        status: the HTTP status.
        message: what the server says, in one line.
        codes: what it gives as code, type and parameter.
        headers: of the answer.
        sent: the body of the request.
    """
    reason = f"the server answered {status}: {message}"
    if status in _HOPELESS or _UNPAID & {code for code in codes if code}:
        return Failure(reason, hopeless=True)
    if status in _AGAIN or status >= 500:
        after = _retry_after(headers)
        if after is not None and after > LONGEST_RETRY_AFTER:
            return Failure(f"{reason} (and wants {after:.0f} s of rest)")
        return Failure(reason, again=True, after=after)
    if status in _REFUSALS:
        named = [name for name in _CAN_GO if name in sent and (name in message or name in codes)]
        # Some servers do not say what they refuse; structured output is the likeliest.
        guess = [name for name in _CAN_GO[:1] if name in sent]
        return Failure(reason, refused=next(iter(named or guess), ""), final=True)
    return Failure(reason, final=status in _FINAL)


def most(asked: Asked) -> Usage:
    """Return the tokens that a request can take: a high guess of those read, all it may write."""
    size = sum(len(message.content.encode()) + 32 for message in asked.messages)
    if asked.request.schema is not None:
        size += len(json.dumps(asked.request.schema))
    return Usage(math.ceil(size / 3), asked.request.max_tokens)


def _usage(usage: Any, asked: Asked, text: str) -> Usage:
    found = [
        usage.get(name) if isinstance(usage, dict) else None
        for name in ("prompt_tokens", "completion_tokens")
    ]
    guess = most(asked)
    counted = [item if isinstance(item, int) and item >= 0 else None for item in found]
    return Usage(
        guess.prompt_tokens if counted[0] is None else counted[0],
        math.ceil(len(text) / 3) if counted[1] is None else counted[1],
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server wants to be left alone; a number or a date."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) / unit
        except ValueError:
            moment = email.utils.parsedate_tz(value)
            if moment is None:
                continue
            seconds = email.utils.mktime_tz(moment) - time.time()
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None
