"""A server of chat completions on loopback that fails as it is told.

`behaviour(question, attempt)` is asked for every request: the content of the last message of the
first turn, and how often that question has come before. It gives what to do.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Say:
    text: str
    finish: str = "stop"
    usage: dict[str, int] | None = field(
        default_factory=lambda: {"prompt_tokens": 10, "completion_tokens": 5}
    )


@dataclass(frozen=True)
class Status:
    code: int
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=lambda: {"message": "told to fail"})


@dataclass(frozen=True)
class Raw:
    body: bytes


@dataclass(frozen=True)
class Hang:
    """Say nothing until the client has gone."""


@dataclass(frozen=True)
class Drip:
    """Send a right answer, a byte every 50 ms."""


@dataclass(frozen=True)
class Drop:
    """Break the connection off; in the middle of the body, or before any of it."""

    within: bool = True


Action = Say | Status | Raw | Hang | Drip | Drop
Behaviour = Callable[[str, int], Action]


def answer_to(question: str) -> str:
    return f"answer to {question}"


def well(question: str, attempt: int) -> Action:
    return Say(answer_to(question))


@dataclass
class FakeServer:
    behaviour: Behaviour = well
    delay: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    delivered: int = 0
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def requests(self) -> int:
        return len(self.bodies)

    @property
    def asked(self) -> Counter[str]:
        return Counter(self.questions)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeServer

    def do_POST(self) -> None:
        fake = self.fake
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question = next(turn for turn in body["messages"] if turn["role"] == "user")["content"]
        with fake.lock:
            attempt = fake.questions.count(question)
            fake.bodies.append(body)
            fake.headers.append(dict(self.headers))
            fake.times.append(time.monotonic())
            fake.questions.append(question)
            fake.at_once += 1
            fake.most_at_once = max(fake.most_at_once, fake.at_once)
        try:
            fake.closing.wait(fake.delay)
            self._do(fake.behaviour(question, attempt), question)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with fake.lock:
                fake.at_once -= 1

    def _do(self, action: Action, question: str) -> None:
        if isinstance(action, Say):
            self._send(200, completion(action))
            with self.fake.lock:
                self.fake.delivered += 1
        elif isinstance(action, Status):
            body = json.dumps({"error": action.error}).encode()
            self._send(action.code, body, action.headers)
        elif isinstance(action, Raw):
            self._send(200, action.body)
        elif isinstance(action, Hang):
            self.fake.closing.wait(30)
            self.close_connection = True
        elif isinstance(action, Drip):
            body = completion(Say(answer_to(question)))
            self._head(200, len(body), {})
            for at in range(len(body)):
                self.wfile.write(body[at : at + 1])
                if self.fake.closing.wait(0.05):
                    return
        else:
            body = completion(Say(answer_to(question)))
            if action.within:
                self._head(200, len(body), {})
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
            # reset instead of a polite end
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True

    def _send(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(code, len(body), headers or {})
        self.wfile.write(body)

    def _head(self, code: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that was killed


def completion(say: Say) -> bytes:
    document: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": say.text},
                "finish_reason": say.finish,
            }
        ],
    }
    if say.usage is not None:
        document["usage"] = say.usage
    return json.dumps(document).encode()


@contextmanager
def fake_server(behaviour: Behaviour = well, delay: float = 0.0) -> Iterator[FakeServer]:
    fake = FakeServer(behaviour, delay)
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = _Server(("127.0.0.1", 0), handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
