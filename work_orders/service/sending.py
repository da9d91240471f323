"""Where messages leave. Nothing leaves for a real person from demo, replay or import, whatever is configured.

`deliver` is the only caller of a channel; it refuses what must not leave before the channel sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from plumbing.tenants import tenants


@dataclass(frozen=True, slots=True)
class Message:
    """What a customer is told. `history` marks what rests on imported or replayed readings."""

    tenant: str
    id: str
    customer_id: str
    contact: str
    title: str
    text: str
    reminder: bool
    history: bool


class Channel(Protocol):
    """A way to a customer. `leaves` = it reaches people outside the product (mail, SMS, push)."""

    name: str
    leaves: bool

    def send(self, message: Message) -> None:
        """Hand it over; raises what the channel raises when it cannot."""
        ...


class WebInbox:
    """The customer's page inside the product: the notice's row is the message, so there is nothing to hand over."""

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


def why_not_leave(connection: sa.Connection, message: Message) -> str:
    """Why the message must stay inside; empty when it may leave. A tenant that nobody put on record stays inside."""
    simulated = connection.execute(sa.select(tenants.c.simulated).where(tenants.c.tenant == message.tenant)).scalar()
    if simulated is None:
        return f"tenant {message.tenant} is not on record"
    if simulated:
        return f"tenant {message.tenant} is simulated"
    return "it rests on imported or replayed readings" if message.history else ""


def deliver(connection: sa.Connection, channel: Channel, message: Message) -> None:
    """Give a message to a channel. Raises MustNotLeave."""
    if channel.leaves:
        why = why_not_leave(connection, message)
        if why:
            raise MustNotLeave(why)
    channel.send(message)


def deliver_by_first(connection: sa.Connection, channels: Sequence[Channel], message: Message) -> tuple[str, str]:
    """Deliver by the first channel that may; returns its name and why others were refused. The web inbox is last."""
    refused = []
    for channel in channels:
        try:
            deliver(connection, channel, message)
        except MustNotLeave as no:
            refused.append(f"{channel.name}: {no.why}")
        else:
            return channel.name, "; ".join(refused)
    deliver(connection, WEB, message)
    return WEB.name, "; ".join(refused)
