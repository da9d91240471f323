"""Answers of customers, fetched over IMAP: what was taken is marked as seen, so nothing is taken twice or lost. A mail
that cannot be taken in is flagged in the mailbox, for a person to look at, and stops no other."""

import hashlib
import logging
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message as EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from plumbing.runtime import Shared
from work_orders.service.conversation import Mail, take_mail

TIMEOUT_S = 20.0
AT_ONCE = 50
MOST_TEXT = 200_000
"""Characters of a mail that are looked at."""
_TAGS = re.compile(r"<[^<>]+>")
_HIDDEN = re.compile(r"<(style|script|head)\b|</(style|script|head)\b[^<>]{0,80}>", re.IGNORECASE)
logger = logging.getLogger(__name__)


class BadMailbox(ValueError):
    """The address of a mailbox cannot be read."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`imaps://user:secret@host/FOLDER`; `imap://` = without TLS, for this computer alone."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    tls: bool = True

    @classmethod
    def of(cls, url: str) -> "Mailbox":
        """From an address. Raises BadMailbox."""
        parts = urlsplit(url)
        if parts.scheme not in ("imap", "imaps") or not parts.hostname or not parts.username:
            raise BadMailbox("must be imaps://user:secret@host/FOLDER")
        tls = parts.scheme == "imaps"
        if not tls and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise BadMailbox("imap: without TLS is for this computer alone")
        try:
            port = parts.port or (993 if tls else 143)
        except ValueError as no:
            raise BadMailbox(f"the port: {no}") from no
        user, password = unquote(parts.username), unquote(parts.password or "")
        return cls(parts.hostname, port, user, password, unquote(parts.path.strip("/")) or "INBOX", tls)

    def open(self) -> Any:
        """A session that is signed in. Raises OSError, imap_tools.ImapToolsError, imaplib.IMAP4.error."""
        from imap_tools import MailBox, MailBoxUnencrypted

        kind = MailBox if self.tls else MailBoxUnencrypted
        return kind(self.host, self.port, timeout=TIMEOUT_S).login(self.user, self.password, self.folder)

    def check(self) -> str:
        """Empty when it can be opened, else why not."""
        try:
            self.open().logout()
        except _faults() as no:
            return " ".join(str(no).split())[:200] or type(no).__name__
        return ""


def _faults() -> tuple[type[Exception], ...]:
    import imaplib

    from imap_tools import ImapToolsError

    return OSError, ImapToolsError, imaplib.IMAP4.error, SQLAlchemyError


def fetch(shared: Shared, mailbox: Mailbox, default_tenant: str) -> dict[str, int]:
    """Take in what was not seen yet; how many became what. Raises what `Mailbox.open` raises, SQLAlchemyError."""
    from imap_tools import AND, MailMessageFlags

    done: dict[str, int] = {}
    session = mailbox.open()
    try:
        wanted = AND(seen=False, flagged=False)
        for found in session.fetch(wanted, mark_seen=False, limit=AT_ONCE, bulk=False):
            try:
                became = take_mail(shared, default_tenant, mail_of(found))
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                logger.exception("mail %s cannot be taken in: it is flagged in the mailbox", found.uid)
                became = "flagged"
            done[became] = done.get(became, 0) + 1
            session.flag(found.uid, MailMessageFlags.FLAGGED if became == "flagged" else MailMessageFlags.SEEN, True)
    finally:
        session.logout()
    return done


def mail_of(found: Any) -> Mail:
    """A mail as the service takes it; one without a Message-ID is known by its content."""
    headers = {name.lower(): tuple(values) for name, values in found.headers.items()}
    named = _first(headers, "message-id").strip()
    if not named:
        named = f"<{hashlib.sha256(found.obj.as_bytes()).hexdigest()}@content>"
    references = tuple(_listed(headers, "references")) + tuple(_listed(headers, "in-reply-to"))
    automatic = (
        _first(headers, "auto-submitted").strip().lower() not in ("", "no")
        or "x-autoreply" in headers
        or found.obj.get_content_type() == "multipart/report"
    )
    return Mail(
        named, _clean(found.from_), _clean(found.subject), _clean(found.text) or _plain(_clean(found.html)),
        (*found.to, *found.cc, *headers.get("delivered-to", ()), *headers.get("x-original-to", ())), references,
        tuple((_clean(a.filename) or "file", a.payload) for a in found.attachments), automatic, _failed(found.obj),
    )  # fmt: skip


def _failed(mail: EmailMessage) -> tuple[tuple[str, str], ...]:
    """What a delivery report says has failed for good (RFC 3464): Message-IDs with the reason."""
    if mail.get_content_type() != "multipart/report":
        return ()
    why, named = "", []
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status":
            blocks = [str(block) for block in part.get_payload()]
            for text in blocks:
                status = re.search(r"^Status:\s*(5\.\d+\.\d+)", text, re.IGNORECASE | re.MULTILINE)
                if status:
                    said = re.search(r"^Diagnostic-Code:\s*[\w-]+;\s*(.+)", text, re.IGNORECASE | re.MULTILINE)
                    why = " ".join((said.group(1) if said else status.group(1)).split())[:200]
        elif part.get_content_type() in ("message/rfc822", "text/rfc822-headers"):
            named += re.findall(r"^Message-ID:\s*(<[^>\s]+>)", part.as_string(), re.IGNORECASE | re.MULTILINE)
    return tuple((name, why) for name in named) if why else ()


def _first(headers: dict[str, tuple[str, ...]], name: str) -> str:
    return next(iter(headers.get(name, ())), "")


def _listed(headers: dict[str, tuple[str, ...]], name: str) -> Iterable[str]:
    return re.findall(r"<[^<>\s]+>", " ".join(headers.get(name, ())))


def _clean(text: str | None) -> str:
    """No longer than it is looked at, without what no database takes."""
    return (text or "")[:MOST_TEXT].replace("\0", "")


def _plain(html: str) -> str:
    """The words of a mail that has no text part. In time that grows with its length alone, whatever stands in it."""
    import html as entities

    def instead(match: re.Match[str]) -> str:
        return "\n" if match.group().lower().startswith(("<br", "</p", "</div")) else ""

    shown, hidden, at = [], "", 0
    for tag in _HIDDEN.finditer(html):
        name, ends = (tag.group(1) or tag.group(2)).lower(), tag.group(2) is not None
        if not hidden and not ends:
            shown.append(html[at : tag.start()])
            hidden, at = name, tag.start()
        elif ends and name == hidden:
            hidden, at = "", tag.end()
    shown.append(html[at:])
    return entities.unescape(_TAGS.sub(instead, "".join(shown))).strip()


class MailIn:
    """Looks into the mailbox every so often: plumbing.runtime.Service. A server that is away is asked again."""

    name = "mail in"

    def __init__(self, shared: Shared, mailbox: Mailbox, tenant: str, seconds: float) -> None:
        self._shared, self._mailbox, self._tenant, self._seconds = shared, mailbox, tenant, seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mail in", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the look that runs."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def healthy(self) -> str:
        """Empty while it looks; a mail server that is away does not stop the product."""
        return "" if self._thread.is_alive() else "mail is not fetched"

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                fetch(self._shared, self._mailbox, self._tenant)
            except _faults() as failure:
                logger.warning("mail cannot be fetched: %s", str(failure).splitlines()[0] if str(failure) else failure)
            except Exception:
                logger.exception("a mail could not be taken in")
            self._stopping.wait(self._seconds)
