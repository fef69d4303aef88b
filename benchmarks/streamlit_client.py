"""A person at the annotation app without a browser: Streamlit's websocket protocol, by hand.

A browser sends `BackMsg` (run the script, with these widget values) and gets `ForwardMsg` (what is
on the page). This client sends what the browser sends for a vote and reads from the messages which
task is shown, which buttons give a vote, and which vote was stored.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

__all__ = ["Person", "Vote", "cookie_of"]

PATIENCE = 60.0  # seconds without an answer that count as an error
_TASK = re.compile(r'data-task="([^"]+)"')
_STORED = re.compile(r'data-vote="(\d+)"')
_CONTEXT = {"timezone": "UTC", "timezone_offset": 0, "locale": "en-US"}


@dataclass(frozen=True)
class Vote:
    """One vote, as its sender saw it.

    Attributes:
        task: assignment and revision that were voted on.
        vote_id: what the app said is stored; None if it did not say so.
        next_task: seconds from sending the vote to the message with the next task.
        finished: seconds from sending the vote to the end of the script's run.
        over: True if there was no next task.
    """

    task: str
    vote_id: int | None
    next_task: float
    finished: float
    over: bool


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def cookie_of(url: str, token: str) -> str:
    """Open an invite link and give the cookie that signs its owner in.

    Raises:
        RuntimeError: the server gave none.
    """
    opener = urllib.request.build_opener(_StayHere)
    try:
        answer: Any = opener.open(f"{url}/invite/{token}", timeout=PATIENCE)
    except urllib.error.HTTPError as redirect:
        answer = redirect
    cookie = answer.headers.get("set-cookie")
    if not cookie:
        raise RuntimeError(f"the link was not accepted: HTTP {answer.status}")
    return str(cookie.partition(";")[0])


class Person:
    """One websocket session."""

    def __init__(self, url: str, cookie: str) -> None:
        self._address = url.replace("http", "ws", 1) + "/_stcore/stream"
        self._cookie = cookie
        self._socket: Any = None
        self._page = ""
        self._known: dict[str, ForwardMsg] = {}
        self._activity: str | None = None
        self.task: str | None = None
        self.buttons: dict[str, str] = {}
        self._stored: int | None = None

    async def enter(self) -> None:
        """Connect and wait for the first task."""
        self._socket = await connect(
            self._address,
            subprotocols=["streamlit"],  # type: ignore[list-item]
            additional_headers={"Cookie": self._cookie},
            max_size=None,
            open_timeout=PATIENCE,
            ping_interval=None,
        )
        await self._run([])

    async def leave(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            await self._socket.close()

    async def vote(self, key: str, active_ms: int) -> Vote:
        """Press a key of the vote bar and wait until the script has run.

        Args:
            key: what is printed on the button.
            active_ms: how long the page was looked at, which the app stores beside the vote.
        """
        before = self.task
        if before is None:
            raise RuntimeError("there is no task to vote on")
        states: list[dict[str, Any]] = [{"id": self.buttons[key], "trigger_value": True}]
        if self._activity is not None:
            act = {
                "task": before,
                "method": "key",
                "active_ms": active_ms,
                "viewport": "1366x768@1",
            }
            states.append({"id": self._activity, "json_value": json.dumps({"act": act})})
        self._stored = None
        next_task, finished = await self._run(states)
        return Vote(before, self._stored, next_task, finished, self.task is None)

    async def _run(self, states: list[dict[str, Any]]) -> tuple[float, float]:
        """Send widget values; give the seconds until the next task came, and until the end."""
        message = BackMsg()
        script = message.rerun_script
        script.page_script_hash = self._page
        script.cached_message_hashes.extend(self._known)
        for name, value in _CONTEXT.items():
            setattr(script.context_info, name, value)
        for state in states:
            script.widget_states.widgets.add(**state)
        before, self.task = self.task, None
        start = time.perf_counter()
        shown = None
        await self._socket.send(message.SerializeToString())
        while True:
            data = await asyncio.wait_for(self._socket.recv(), PATIENCE)
            found = ForwardMsg.FromString(data)
            if self._read(found) and shown is None and self.task != before:
                shown = time.perf_counter() - start
            if found.WhichOneof("type") == "script_finished":
                end = time.perf_counter() - start
                if found.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                if found.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                    raise RuntimeError("the script could not be compiled")
                return (end if shown is None else shown), end

    def _read(self, message: ForwardMsg) -> bool:
        """Keep what matters of one message; True if it shows a task."""
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            message = self._known[message.ref_hash]
            kind = message.WhichOneof("type")
        elif message.metadata.cacheable:
            self._known[message.hash] = message
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
            self.buttons = {}
        if kind != "delta" or not message.delta.HasField("new_element"):
            return False
        element = message.delta.new_element
        what = element.WhichOneof("type")
        if what == "exception":
            raise RuntimeError(f"the page shows an error: {element.exception.message}")
        if what == "button":
            self.buttons[element.button.shortcut.upper()] = element.button.id
        elif what == "bidi_component":
            self._activity = element.bidi_component.id
        elif what == "html":
            body = element.html.body
            stored, task = _STORED.search(body), _TASK.search(body)
            if stored:
                self._stored = int(stored[1])
            if task:
                self.task = task[1]
                return True
        return False
