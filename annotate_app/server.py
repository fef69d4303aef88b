"""The server: Streamlit's application, our own routes beside it, and how it is configured.

Routes: `/healthz` for monitors, `/invite/TOKEN` signs a person in, `/sign-out` ends that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from annotate_app.session import COOKIE, open_database, person_of_link
from evalkit.errors import EvalkitError, RateLimited
from evalkit.store import studies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONFIG", "create_app", "oidc_secrets", "serve"]

COOKIE_SECONDS = 60 * 60 * 24 * 60

_LIGHT = {
    "primaryColor": "#0072b2",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f5f6f8",
    "textColor": "#1c2127",
    "linkColor": "#00639b",
    "borderColor": "#d6dbe1",
}
_DARK = {
    "primaryColor": "#56b4e9",
    "backgroundColor": "#14171b",
    "secondaryBackgroundColor": "#1d2127",
    "textColor": "#e8eaed",
    "linkColor": "#7cc5f0",
    "borderColor": "#39414b",
}

CONFIG: Mapping[str, Any] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.showSidebarNavigation": False,
    "client.toolbarMode": "minimal",
    # what stays the same from vote to vote, like the style sheet, is sent once
    "global.minCachedMessageSize": 2000,
    "logger.hideWelcomeMessage": True,
    "runner.magicEnabled": False,
    # a full collection after every vote stops everybody for longer than the vote itself takes;
    # Python still collects when there is reason to
    "runner.postScriptGC": False,
    "server.enableAgentApi": False,
    "server.enableStaticServing": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 1,
    "theme.paddingTop": "0.5rem",
    "theme.paddingBottom": "0.5rem",
    # a theme of one's own turns the dark mode of the system off unless both are defined
    **{f"theme.light.{name}": value for name, value in _LIGHT.items()},
    **{f"theme.dark.{name}": value for name, value in _DARK.items()},
}

_HEADERS = [
    (b"content-security-policy", b"frame-ancestors 'none'; object-src 'none'; base-uri 'self'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


class _SafeHeaders:
    """Adds headers that keep the app out of frames and its addresses out of other sites' logs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


def healthz(request: Request) -> Response:
    """200 when the database answers, 503 when it does not."""
    try:
        count = len(studies(open_database()))
    except EvalkitError as error:
        return JSONResponse({"status": "error", "reason": str(error)}, status_code=503)
    return JSONResponse({"status": "ok", "studies": count})


def accept_invite(request: Request) -> Response:
    """Sign the owner of a link in, and leave its address."""
    token = request.path_params["token"]
    client = request.client.host if request.client else "unknown"
    try:
        person = person_of_link(token, client)
    except RateLimited as error:
        return PlainTextResponse(str(error), status_code=429)
    if person is None:
        return RedirectResponse("/?link=unknown", status_code=303)
    response = RedirectResponse("/", status_code=303)
    response.headers["cache-control"] = "no-store"
    response.set_cookie(
        COOKIE,
        token,
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def sign_out(request: Request) -> Response:
    """Forget who this browser is."""
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie(COOKIE)
    return response


def oidc_secrets(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Streamlit's `[auth]` secrets from the environment, or None where they are not set.

    `EVALKIT_OIDC_METADATA_URL`, `_CLIENT_ID`, `_CLIENT_SECRET`, `_REDIRECT_URI` and
    `_COOKIE_SECRET` are all needed; a `.streamlit/secrets.toml` works as well.
    """
    names = {
        "server_metadata_url": "METADATA_URL",
        "client_id": "CLIENT_ID",
        "client_secret": "CLIENT_SECRET",
        "redirect_uri": "REDIRECT_URI",
        "cookie_secret": "COOKIE_SECRET",
    }
    found = {key: environment.get(f"EVALKIT_OIDC_{name}", "") for key, name in names.items()}
    return {"auth": found} if all(found.values()) else None


def create_app() -> st.App:
    """The ASGI application."""
    return st.App(
        Path(__file__).parent / "main.py",
        secrets=oidc_secrets(os.environ),
        routes=[
            Route("/healthz", healthz),
            Route("/invite/{token}", accept_invite),
            Route("/sign-out", sign_out),
        ],
        middleware=[Middleware(_SafeHeaders)],
    )


def serve(host: str, port: int) -> None:
    """Serve until stopped; the database is the one that `EVALKIT_DB` names."""
    app = create_app()
    print(f"evalkit: annotation app on http://{host}:{port}", flush=True)
    app.run(config={**CONFIG, "server.address": host, "server.port": port})
