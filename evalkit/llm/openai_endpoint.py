"""Any server that speaks OpenAI's chat completions, by the plain `openai` client.

The client sends; what is sent, how often and until when is decided here, since every request
counts against a budget: the client's own retries are off. The key comes from the environment
(OPENAI_API_KEY) and goes nowhere but into the request's header.

Servers differ in what they accept. A refusal (400, 422) of structured output, of max_tokens, of a
temperature or of a seed is remembered, and the request goes out again without it.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evalkit.errors import ModelError, SettingsError
from evalkit.llm.answering import Asked, Reply, answer_all, clean_text, remember
from evalkit.llm.budget import BUDGET_REACHED, Budget, Meter
from evalkit.llm.chat_completions import (
    LONGEST_RETRY_AFTER,
    Failure,
    most,
    parameters,
    read_answer,
    read_refusal,
)
from evalkit.llm.identity import manifest_entry
from evalkit.llm.messages import Counts, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    from evalkit.llm.cache import AnswerCache, Stored
    from evalkit.llm.prompting import PromptVersion

__all__ = ["EndpointSettings", "OpenAIEndpoint", "open_endpoint", "waits"]

_VENDOR = "https://api.openai.com/v1"
_PORTS = {"http": 80, "https": 443}
_POLL = 0.2


@dataclass(frozen=True)
class EndpointSettings:
    """How a server is asked.

    Attributes:
        concurrency: requests under way at once.
        timeout: seconds for one request, from sending it to the last byte of its answer.
        total_timeout: seconds for one call of `generate`; None is no limit.
        attempts: requests for one text at most, the first included.
        first_wait: seconds before the second attempt; each further wait is twice as long.
        longest_wait: seconds between two attempts at most; a server's Retry-After is kept anyway.
        give_up_after: texts without any answer from the server, one after the other, after which
            nothing more is sent.
    """

    concurrency: int = 8
    timeout: float = 120.0
    total_timeout: float | None = None
    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 30.0
    give_up_after: int = 5

    def __post_init__(self) -> None:
        for name in ("concurrency", "attempts", "give_up_after"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        for name in ("timeout", "total_timeout", "first_wait", "longest_wait"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds < math.inf:
                raise SettingsError(f"{name} is {seconds}; it must be more than 0 seconds.")


def open_endpoint(
    model: str,
    *,
    base_url: str | None = None,
    cache: AnswerCache | None = None,
    budget: Budget | None = None,
    settings: EndpointSettings | None = None,
    family: str | None = None,
) -> OpenAIEndpoint:
    """Get ready to ask a server; nothing is sent yet.

    Args:
        model: the model's name on the server.
        base_url: the server, with its /v1; None is $OPENAI_BASE_URL, else OpenAI's own.
        cache: where answers are kept.
        budget: what may be spent by this object.
        settings: how it is asked.
        family: what stands for the server in the cache's keys; None is its address. Give one to
            keep answers when the same model moves to another address.

    Raises:
        ModelError: the package openai or the key is missing.
        SettingsError: the address or the key cannot be one.
    """
    import importlib.util

    if importlib.util.find_spec("openai") is None:
        raise ModelError(
            "Asking a server needs the package openai; run: pip install 'evalkit-search[llm]'"
        )
    address = (base_url or os.environ.get("OPENAI_BASE_URL") or _VENDOR).rstrip("/")
    try:
        parts = urlsplit(address)
        port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
        host = f"{parts.hostname}{port}"
    except ValueError as error:
        raise SettingsError(f"The server's address is not one ({error}).") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            "The server's address must begin with http:// or https://, such as "
            "http://127.0.0.1:8000/v1."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError(
            f"The address of {host} holds more than an address; put a key into OPENAI_API_KEY."
        )
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and host == urlsplit(_VENDOR).hostname:
        raise ModelError("OPENAI_API_KEY is not set; OpenAI's own server needs it.")
    if not (key.isascii() and key.isprintable()):
        raise SettingsError("OPENAI_API_KEY has characters that no key has.")
    return OpenAIEndpoint(
        model,
        address,
        # Behind one host there may be several gateways, told apart by the path.
        family or f"openai-chat@{host}{parts.path}",
        cache,
        Meter(budget or Budget()),
        settings or EndpointSettings(),
    )


@dataclass
class OpenAIEndpoint:
    """A model behind a server, asked by one request a text; see `open_endpoint`.

    The i-th of n texts is asked with seed + i. Whether a server gives the same answer to the same
    seed is its own matter; the cache does.

    Attributes:
        model: its name on the server.
        base_url: the server.
        family: what stands for the server in the cache's keys.
        cache: where answers are kept.
        meter: what was spent.
        settings: how it is asked.
        counts: what was done so far.
        left_out: what the server refused, and is not sent any more.
    """

    model: str
    base_url: str
    family: str
    cache: AnswerCache | None
    meter: Meter
    settings: EndpointSettings
    counts: Counts = field(default_factory=Counts)
    left_out: set[str] = field(default_factory=set)

    @property
    def identity(self) -> Mapping[str, Any]:
        """What a text depends on besides the question."""
        return {"model": self.model, "family": self.family}

    generate = answer_all

    def to_manifest(self, role: str, prompts: Sequence[PromptVersion] = ()) -> dict[str, Any]:
        """Return what a manifest records; prompts are part of the fingerprint."""
        return manifest_entry(role, self.model, None, "endpoint", self.identity, prompts)

    def exchange(self, asked: Sequence[Asked], arrived: Callable[[int, Reply], None]) -> None:
        """Send what the cache does not know; see `answering.Backend`."""
        _run(_Round(self).all(asked, arrived))


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as pool:  # inside a notebook, where a loop is running
        pool.submit(asyncio.run, work).result()


class _Round:
    """The requests of one call: one client, one event loop, one deadline."""

    def __init__(self, endpoint: OpenAIEndpoint) -> None:
        self.endpoint = endpoint
        self.settings = endpoint.settings
        self.key = os.environ.get("OPENAI_API_KEY", "").strip()
        self.slots = asyncio.Semaphore(self.settings.concurrency)
        self.settled = asyncio.Condition()
        self.deadline = math.inf
        self.stopped = ""  # a reason why nothing more is sent
        self.silent = 0
        self.client: Any = None

    async def all(self, asked: Sequence[Asked], arrived: Callable[[int, Reply], None]) -> None:
        import openai

        if self.settings.total_timeout is not None:
            self.deadline = time.monotonic() + self.settings.total_timeout

        async def one(place: int) -> None:
            arrived(place, await self.reply(asked[place]))

        async with openai.AsyncOpenAI(
            api_key=self.key or "none",
            base_url=self.endpoint.base_url,
            max_retries=0,
            timeout=self.settings.timeout,
        ) as self.client:
            await asyncio.gather(*map(one, range(len(asked))))

    async def reply(self, asked: Asked) -> Reply:
        """Answer one question: by another process that is at it, or by the server."""
        cache = self.endpoint.cache
        while True:
            async with self.slots:
                state = cache.claim(asked.key, self.lease) if cache is not None else "ours"
                if state == "ours":
                    try:
                        return await self.persist(asked)
                    finally:
                        if cache is not None:
                            cache.release(asked.key)
            if state == "there" and cache is not None:
                return Reply(cache.get([asked.key])[asked.key], cached=True)
            if time.monotonic() > self.deadline:
                return Reply(None, error="out of time while another process asked the same")
            await asyncio.sleep(_POLL)

    @property
    def lease(self) -> float:
        """How long a claim stands: one attempt and the longest wait before it."""
        return self.settings.timeout + max(LONGEST_RETRY_AFTER, self.settings.longest_wait) + 30

    async def persist(self, asked: Asked) -> Reply:
        """Send until there is an answer, or no hope for one."""
        pauses = waits(self.settings, asked.request.seed, asked.key)
        reason, attempt, limit = "", 0, most(asked)
        without: set[str] = set()
        while True:
            if self.stopped:
                return Reply(None, error=self.stopped)
            left = self.deadline - time.monotonic()
            if left <= 0:
                return Reply(None, error=f"out of time{f' after: {reason}' if reason else ''}")
            if not await self.reserve(limit):
                return Reply(None, error=BUDGET_REACHED + (f" after: {reason}" if reason else ""))
            self.endpoint.counts.requests += 1
            self.endpoint.counts.retries += attempt > 0
            taken = limit  # a request that is broken off may have been paid
            try:
                stored = await self.send(asked, without, min(self.settings.timeout, left))
                taken = stored.usage
            except Failure as failure:
                taken = limit if failure.billed else Usage()
                found = failure
            else:
                self.silent = 0
                self.endpoint.left_out |= without
                self.endpoint.counts.prompt_tokens += taken.prompt_tokens
                self.endpoint.counts.completion_tokens += taken.completion_tokens
                remember(self.endpoint.cache, asked, stored)
                return Reply(stored)
            finally:
                await self.settle(limit, taken)
            reason = found.reason
            if found.hopeless and not self.stopped:
                self.stopped = f"not sent, since {reason}"
            if found.refused:
                without |= {found.refused}
                continue
            attempt += 1
            if not found.again or attempt >= self.settings.attempts:
                self.note(found)
                times = f" ({attempt} times)" if attempt > 1 else ""
                return Reply(None, error=f"{reason}{times}", final=found.final)
            wait = next(pauses) if found.after is None else found.after
            if time.monotonic() + wait > self.deadline:
                return Reply(None, error=f"out of time after: {reason}")
            if self.endpoint.cache is not None:
                self.endpoint.cache.claim(asked.key, self.lease)
            await asyncio.sleep(wait)

    def note(self, failure: Failure) -> None:
        """Stop everything when a server has not been heard of for several texts."""
        self.silent = self.silent + 1 if failure.silent else 0
        if self.silent >= self.settings.give_up_after and not self.stopped:
            self.stopped = f"not sent, since the server does not answer: {failure.reason}"

    async def reserve(self, limit: Usage) -> bool:
        async with self.settled:
            while (state := self.endpoint.meter.reserve(limit)) == "wait":
                await self.settled.wait()
            return state == "yes"

    async def settle(self, limit: Usage, taken: Usage) -> None:
        self.endpoint.meter.settle(limit, taken)
        async with self.settled:
            self.settled.notify_all()

    async def send(self, asked: Asked, without: set[str], seconds: float) -> Stored:
        """Send one request.

        Raises:
            Failure: there is no text.
        """
        import openai

        sent = parameters(self.endpoint.model, asked, self.endpoint.left_out | without)
        started = time.monotonic()
        try:
            # The client's own timeout is for each read; a slow stream would never end by it.
            async with asyncio.timeout(seconds):
                response = await self.client.chat.completions.with_raw_response.create(**sent)
                content = response.content
        except (TimeoutError, openai.APITimeoutError) as error:
            raise Failure(
                f"no answer from {self.endpoint.base_url} within {seconds:.3g} s",
                again=True,
                billed=_was_sent(error),
                silent=True,
            ) from error
        except openai.APIConnectionError as error:
            cause = type(error.__cause__).__name__ if error.__cause__ else "connection"
            raise Failure(
                f"no connection to {self.endpoint.base_url}, or a broken one ({cause})",
                again=True,
                billed=_was_sent(error),
                silent=True,
            ) from error
        except openai.APIStatusError as error:
            body = error.body if isinstance(error.body, dict) else {}
            said = body.get("message") or body.get("detail") or error.message
            message = self.secretless(str(said))
            codes = (error.code, error.type, error.param)
            headers = error.response.headers
            raise read_refusal(error.status_code, message, codes, headers, sent) from error
        except openai.OpenAIError as error:
            raise Failure(f"the client failed: {self.secretless(str(error))}") from error
        return read_answer(content, asked, time.monotonic() - started)

    def secretless(self, message: str) -> str:
        """Shorten what a server says to a line, without the key."""
        line = " ".join(clean_text(message).split())
        if self.key:
            line = line.replace(self.key, "***")
        return line if len(line) <= 200 else line[:197] + "..."


def _was_sent(error: Exception) -> bool:
    """Tell whether a server may have seen a request that failed, and may have worked for it."""
    # By name: which HTTP package raises it depends on the version of openai.
    return type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout")


def waits(settings: EndpointSettings, seed: int, key: str) -> Iterator[float]:
    """Give the seconds between attempts: doubling, each shortened by up to a half by a draw.

    The draws depend on the seed and the question's key, so that a run can be repeated, and that
    questions that failed together do not come back together.
    """
    draw = random.Random(f"{seed} {key}")  # noqa: S311
    wait = settings.first_wait
    while True:
        yield min(wait, settings.longest_wait) * (1 - draw.random() / 2)
        wait = min(2 * wait, settings.longest_wait)
