"""Where messages leave. Nothing leaves for a real person from demo, replay or import, whatever is configured.

`deliver` is the only caller of a channel; it refuses what must not leave before the channel sees it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from plumbing.tenants import tenants


@dataclass(frozen=True, slots=True)
class Message:
    """What a customer is told. `history` marks what rests on imported or replayed readings."""

    tenant: str
    id: str
    """The same for every attempt: a channel makes its own identifier (Message-ID) of it."""
    customer_id: str
    contact: str
    """His address in the channel."""
    title: str
    text: str
    reminder: bool
    history: bool
    html: str = ""
    chart: bytes | None = None
    """A PNG; the HTML shows it as `cid:chart`."""
    language: str = "en"
    reply_token: str = ""
    """Brings an answer back to its conversation."""
    earlier: tuple[str, ...] = ()
    """Ids of what was said before in the conversation, oldest first."""
    at: datetime | None = None
    """When it was decided."""


class Channel(Protocol):
    """A way to a customer. `leaves` = it reaches people outside the product (mail, SMS, push)."""

    name: str
    leaves: bool

    def send(self, message: Message) -> None:
        """Hand it over. Raises Bounced, TryLater; what it does not raise was taken."""
        ...


class Bounced(Exception):
    """It will never get there: the next way must be taken. `lasting` = nor will anything else by this way."""

    def __init__(self, why: str, *, lasting: bool = True) -> None:
        super().__init__(why)
        self.why, self.lasting = why, lasting


def lasting(why: str) -> bool:
    """Whether a refusal is about the address itself, so that nothing gets there any more. Of a full mailbox, a server,
    a road, a content or a rule (RFC 3463: x.2.2, x.3 to x.7) another message may know nothing."""
    return re.search(r"\b5\.(2\.2|[3-7]\.\d{1,3})\b", why) is None


class TryLater(Exception):
    """It did not get there now."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class WebInbox:
    """The customer's page inside the product: the message's row is the message, so there is nothing to hand over."""

    name = "web"
    leaves = False

    def send(self, message: Message) -> None:
        """Nothing is left to do."""


WEB = WebInbox()


class MustNotLeave(Exception):
    """The message is not about a real machine and its people; `why` says what it is about."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def why_stays(connection: sa.Connection, tenant: str, *, history: bool) -> str:
    """Why a message must stay inside; empty when it may leave. A tenant that nobody put on record stays inside."""
    simulated = connection.execute(sa.select(tenants.c.simulated).where(tenants.c.tenant == tenant)).scalar()
    if simulated is None:
        return f"tenant {tenant} is not on record"
    if simulated:
        return f"tenant {tenant} is simulated"
    return "it rests on imported or replayed readings" if history else ""


def deliver(connection: sa.Connection, channel: Channel, message: Message) -> None:
    """Give a message to a channel. Raises MustNotLeave, and what the channel raises."""
    may_leave(connection, channel, message)
    channel.send(message)


def may_leave(connection: sa.Connection, channel: Channel, message: Message) -> None:
    """Raises MustNotLeave."""
    why = why_stays(connection, message.tenant, history=message.history) if channel.leaves else ""
    if why:
        raise MustNotLeave(why)
