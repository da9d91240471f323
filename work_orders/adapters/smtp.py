"""Mail to customers over SMTP: text and HTML with the chart inline, one Message-ID however often it is tried."""

import re
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

from work_orders.service.contacts import MAIL
from work_orders.service.sending import Bounced, Message, TryLater, lasting
from work_orders.service.wording import PAGES

TIMEOUT_S = 20.0
PORTS = {"smtp": 587, "smtps": 465}
_PICTURE = re.compile(r"<p>\s*<img[^>]*cid:chart[^>]*>\s*</p>|<img[^>]*cid:chart[^>]*>")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadAddress(ValueError):
    """The address of a mail server cannot be read."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """`smtp://user:secret@host:587` with STARTTLS, `smtps://` with TLS from the start; `?tls=none` = in the clear."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: str = "starttls"
    """none, starttls or tls."""
    ca_file: str = ""
    """Whom to trust instead of the system's authorities (`?ca=/path`)."""

    @classmethod
    def of(cls, url: str) -> "SmtpServer":
        """From an address. Raises BadAddress."""
        parts = urlsplit(url)
        try:
            port = parts.port or PORTS.get(parts.scheme, 0)
        except ValueError as no:
            raise BadAddress(f"the port: {no}") from no
        if parts.scheme not in PORTS or not parts.hostname:
            raise BadAddress("must be smtp://user:secret@host:port or smtps://...")
        asked = parse_qs(parts.query)
        tls = "tls" if parts.scheme == "smtps" else asked.get("tls", ["starttls"])[0]
        if tls not in ("none", "starttls", "tls"):
            raise BadAddress("tls must be none or starttls")
        if tls == "none" and parts.password and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise BadAddress("a password may not travel without TLS")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, port, user, password, tls, asked.get("ca", [""])[0])

    def connect(self) -> smtplib.SMTP:
        """A session that is signed in. Raises smtplib.SMTPException, OSError."""
        context = ssl.create_default_context(cafile=self.ca_file or None)
        if self.tls == "tls":
            session: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=context)
        else:
            session = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
        try:
            if self.tls == "starttls":
                session.starttls(context=context)
            if self.user:
                session.login(self.user, self.password)
        except BaseException:
            session.close()
            raise
        return session

    def check(self) -> str:
        """Empty when it can be talked to and signed in at, else why not."""
        try:
            with self.connect() as session:
                session.noop()
        except (smtplib.SMTPException, OSError) as no:
            return _words(no)
        return ""


class SmtpChannel:
    """Mail. `sender` is the From address; answers go to it with the reply token as `+tag`, or to `reply_to`."""

    name = MAIL
    leaves = True

    def __init__(self, server: SmtpServer, sender: str, pages: str, *, reply_to: str = "", tagged: bool = True) -> None:
        self._server, self._sender, self._pages = server, parseaddr(sender), pages.rstrip("/")
        self._reply_to, self._tagged = parseaddr(reply_to or sender)[1], tagged

    def send(self, message: Message) -> None:
        """Hand it to the server. Raises Bounced, TryLater."""
        try:
            made = self.compose(message)
            made.as_bytes()
        except (ValueError, LookupError, AttributeError) as no:  # what the email package raises for odd addresses
            raise Bounced(f"no mail can be made for {message.contact}: {_words(no)}", lasting=False) from no
        try:
            session = self._server.connect()
        except (smtplib.SMTPException, OSError) as no:  # whatever is wrong here is not the recipient's fault
            raise TryLater(_words(no)) from no
        try:
            _hand_over(session, made, self._sender[1], message.contact)
        finally:
            session.close()

    def compose(self, message: Message) -> EmailMessage:
        """The mail itself: the same for every attempt."""
        name, address = self._sender
        domain = address.rpartition("@")[2]
        made = EmailMessage()
        made["Message-ID"] = f"<{message.id}@{domain}>"
        made["Date"] = format_datetime(message.at or _EPOCH)
        made["From"] = formataddr((name, address))
        made["To"] = message.contact
        tag = f" [{message.reply_token}]" if message.reply_token else ""
        made["Subject"] = message.title + tag
        if message.earlier:
            made["In-Reply-To"] = f"<{message.earlier[-1]}@{domain}>"
            made["References"] = " ".join(f"<{id}@{domain}>" for id in message.earlier)
        if message.reply_token:
            local, _, at = self._reply_to.rpartition("@")
            made["Reply-To"] = f"{local}+{message.reply_token}@{at}" if self._tagged else self._reply_to
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(linked(message.text, self._pages))
        if message.html:
            html = linked(message.html, self._pages)
            made.add_alternative(html if message.chart else _PICTURE.sub("", html), subtype="html")
            if message.chart:
                (*_, page) = made.iter_parts()
                if isinstance(page, EmailMessage):
                    page.add_related(message.chart, "image", "png", cid="<chart>", filename="chart.png")
        made["Content-Language"] = message.language
        return made


def linked(text: str, pages: str) -> str:
    """With the address of the product's pages in it."""
    return text.replace(PAGES, pages.rstrip("/"))


def _hand_over(session: smtplib.SMTP, made: EmailMessage, sender: str, recipient: str) -> None:
    try:
        session.send_message(made, sender, [recipient])
    except smtplib.SMTPRecipientsRefused as no:
        code, text = next(iter(no.recipients.values()), (550, b"refused"))
        if 500 <= code < 600:
            why = f"{code} {_said(text)}"
            raise Bounced(why, lasting=lasting(why)) from no
        raise TryLater(f"{code} {_said(text)}") from no
    except smtplib.SMTPSenderRefused as no:  # our own address, not his
        raise TryLater(_words(no)) from no
    except smtplib.SMTPResponseException as no:
        if 500 <= no.smtp_code < 600:
            raise Bounced(_words(no), lasting=False) from no
        raise TryLater(_words(no)) from no
    except (smtplib.SMTPException, OSError) as no:
        raise TryLater(_words(no)) from no
    try:
        session.quit()
    except (smtplib.SMTPException, OSError):
        return  # it was taken before


def _said(text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(words.split())[:200]


def _words(no: Exception) -> str:
    if isinstance(no, smtplib.SMTPResponseException):
        return f"{no.smtp_code} {_said(no.smtp_error)}"
    return _said(str(no)) or type(no).__name__
