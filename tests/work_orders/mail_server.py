"""A real mail server on this computer that can be told to refuse."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Post:
    """What the server took; `rcpt` and `data` are what it answers next, one after another, then 250."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    async def recipient(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt:
            return self.rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def content(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        said = self.data.pop(0) if self.data else "250 OK"
        if said.startswith("250") or said == "break":
            made = message_from_bytes(bytes(envelope.original_content or b""), policy=policy.default)
            assert isinstance(made, EmailMessage)
            self.taken.append(made)
        if said == "break":
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
            return "421 gone"
        return said

    def signed_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any) -> AuthResult:
        assert isinstance(auth, LoginPassword)
        self.users.append(auth.login.decode())
        return AuthResult(success=auth.password == b"right", handled=False)


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Post]:
    """A server that runs; with `tls` it asks for STARTTLS and a password."""
    post = Post()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        post.port = free.getsockname()[1]
    more: dict[str, Any] = {} if tls is None else {
        "tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": post.signed_in,
    }  # fmt: skip
    vars(post).update(handle_RCPT=post.recipient, handle_DATA=post.content)  # as the server calls them
    controller = Controller(post, hostname="127.0.0.1", port=post.port, **more)
    controller.start()
    try:
        yield post
    finally:
        controller.stop()
