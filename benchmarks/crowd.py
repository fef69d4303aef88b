"""Many simulated people who vote at the same time, each at a steady pace with chance in it."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any

from streamlit_client import Person, Vote, cookie_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from annotation import Server

__all__ = ["crowd", "summary"]

_KEYS = "12345B"


def summary(seconds: Sequence[float]) -> dict[str, float | int]:
    """Count, median, 95th and 99th percentile and largest, in milliseconds."""
    if not seconds:
        return {"n": 0}
    ordered = sorted(seconds)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

    return {
        "n": len(ordered),
        "median_ms": 1000 * median(ordered),
        "p95_ms": 1000 * at(0.95),
        "p99_ms": 1000 * at(0.99),
        "max_ms": 1000 * ordered[-1],
    }


def _pauses(pace: float, draw: random.Random) -> Iterator[float]:
    while True:
        yield draw.uniform(0.5, 1.5) * pace


async def _annotate(
    server: Server, token: str, end: float, pace: float, draw: random.Random, votes: list[Vote]
) -> str:
    """Vote until the end; give what ended it: time, done, or an error in words."""
    await asyncio.sleep(draw.uniform(0, pace))
    person = None
    try:
        cookie = await asyncio.to_thread(cookie_of, server.url, token)
        person = Person(server.url, cookie)
        await person.enter()
        for pause in _pauses(pace, draw):
            if person.task is None:
                return "done"
            if time.perf_counter() + pause > end:
                return "time"
            await asyncio.sleep(pause)
            votes.append(await person.vote(draw.choice(_KEYS), int(1000 * pause)))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        if person is not None:
            await person.leave()
    return "time"


async def _together(
    server: Server, tokens: Sequence[str], duration: float, pace: float, seed: int
) -> dict[str, Any]:
    votes: list[Vote] = []
    before, idle = server.cpu(), server.memory()
    start = time.perf_counter()
    ends = await asyncio.gather(
        *(
            _annotate(
                server, token, start + duration, pace, random.Random(f"{seed}-{number}"), votes
            )
            for number, token in enumerate(tokens)
        )
    )
    took = time.perf_counter() - start
    after = server.cpu()
    answered = [vote for vote in votes if not vote.over]
    refused = [vote for vote in votes if vote.vote_id is None and not vote.over]
    return {
        "people": len(tokens),
        "pace_s": pace,
        "duration_s": took,
        "votes": len(votes),
        "votes_per_second": len(votes) / took,
        "refused": len(refused),
        "errors": dict(Counter(end for end in ends if end not in ("time", "done"))),
        "next_task": summary([vote.next_task for vote in answered]),
        "run_finished": summary([vote.finished for vote in votes]),
        "cpu_ms_per_vote": 1000 * (after - before) / len(votes)
        if votes and before is not None and after is not None
        else None,
        "memory_before": idle.get("now"),
        "memory_peak": server.memory().get("peak"),
        "acknowledged": [vote.vote_id for vote in votes if vote.vote_id is not None],
    }


def crowd(
    server: Server, tokens: Sequence[str], *, duration: float, pace: float, seed: int
) -> dict[str, Any]:
    """Let one person a token vote for a time.

    Args:
        server: the running app.
        tokens: one invite token a person.
        duration: seconds.
        pace: seconds from one vote of a person to the next, on average; each pause is drawn
            between half and one and a half of it.
        seed: of pauses and votes.

    Returns:
        Votes, errors, seconds from a vote to the next task and to the end of the run, processor
        time of the server for each vote (signing in included), memory of the server, and the ids
        of the votes that the pages called saved.
    """
    return asyncio.run(_together(server, tokens, duration, pace, seed))
