"""What stands before every request: a limit on bodies, and the security headers of every answer. Plain ASGI."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem

MAX_BODY_BYTES = 1_000_000
MAX_HISTORY_BYTES = 4_000_000_000
"""A file of history is streamed to disk, never held in memory."""
MAX_PROOF_BYTES = 32_000_000
"""Files of a proof; what is larger than a part of a form goes to disk while it is read."""
PROOF = "/prove"
MAX_PHOTOS_BYTES = 10_000_000
MAX_SHEETS_BYTES = 20_000_000
"""A spreadsheet, or what the page before read out of it."""
SHEETS = ("/installed-base", "/installed-base/sheets", "/api/v1/base")
_PHOTOS = re.compile(r"/report/[^/]+|/assets/[^/]+/report|/orders/[^/]+/files")
_HISTORY = re.compile(r"/api/v1/devices/[^/]+/[^/]+/history")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class TooLarge(Exception):
    """The body went over the limit while it was read."""


class Shield:
    """Wraps the app."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_HISTORY_BYTES if _HISTORY.fullmatch(scope["path"]) else self._limit
        limit = MAX_PROOF_BYTES if scope["path"] == PROOF else limit
        limit = MAX_PHOTOS_BYTES if _PHOTOS.fullmatch(scope["path"]) else limit
        limit = MAX_SHEETS_BYTES if scope["path"] in SHEETS else limit
        problem = Problem(413, f"The body is larger than {limit} bytes.", rule=f"at most {limit} bytes")
        seen, over, replaced = 0, False, False

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        async def answered(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return
            if over and message["type"] == "http.response.start":
                replaced = True  # whatever the app made of the failed read, this is what happened
                await problem.response()(scope, receive, with_headers)
                return
            await with_headers(message)

        async def limited() -> Message:
            nonlocal seen, over
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    over = True
                    raise TooLarge
            return message

        length = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if not length.isdigit() or int(length) > limit:
            await problem.response()(scope, receive, with_headers)
            return
        try:
            await self._app(scope, limited, answered)
        except TooLarge:
            if not replaced:
                await problem.response()(scope, receive, with_headers)
