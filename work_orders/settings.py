"""Settings of the service; how a tenant serves its customers is `domain.policy.Policy`, kept with the tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plumbing.settings import Reader
from work_orders.domain.webhooks import Network


def _check(read: Reader, made: "Settings") -> None:
    """What can be seen without asking any server."""
    from work_orders.adapters.apprise_channel import BadChannels, parse
    from work_orders.adapters.imap import BadMailbox, Mailbox
    from work_orders.adapters.smtp import BadAddress, SmtpServer

    try:
        if made.smtp_url:
            SmtpServer.of(made.smtp_url)
    except BadAddress as no:
        read.fault("FOREWARN_SMTP_URL", str(no))
    try:
        if made.imap_url:
            Mailbox.of(made.imap_url)
    except BadMailbox as no:
        read.fault("FOREWARN_IMAP_URL", str(no))
    try:
        parse(made.channels)
    except BadChannels as no:
        read.fault("FOREWARN_CHANNELS", str(no))
    if made.smtp_url and "@" not in made.mail_from:
        read.fault("FOREWARN_MAIL_FROM", "must be an address, such as Service <service@example.org>")


@dataclass(frozen=True, slots=True)
class Settings:
    """How often the service looks, in wall seconds, and how much it takes at once."""

    poll_seconds: float = 0.05
    tick_seconds: float = 0.2
    batch: int = 50
    audit_key: str = ""
    """Base64 of the key that signs; empty = that of the home folder."""
    webhook_networks: tuple[Network, ...] = ()
    """Private networks that webhooks may go to."""
    smtp_url: str = field(default="", repr=False)
    """Where mail leaves; empty = no mail."""
    mail_from: str = ""
    mail_reply_to: str = ""
    mail_tags: bool = True
    """Whether the mailbox takes `name+tag@`: the token that brings an answer back stands there, too."""
    channels: str = field(default="", repr=False)
    """Lines NAME=URL of other services, see `adapters.apprise_channel`."""
    imap_url: str = field(default="", repr=False)
    """Where answers come in; empty = none do."""
    imap_seconds: float = 30.0
    mail_tenant: str = "local"
    """Whose dispatcher sees mail of senders whom nobody knows."""
    pages: str = ""
    """Address of the product's pages, for links in messages."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """From the environment. Raises BadSettings."""
        read, default = Reader(environ), cls()
        made = cls(
            read.number("FOREWARN_WORK_ORDERS_POLL_SECONDS", default.poll_seconds, 0.01, 5),
            read.number("FOREWARN_WORK_ORDERS_TICK_SECONDS", default.tick_seconds, 0.05, 60),
            read.whole("FOREWARN_WORK_ORDERS_BATCH", default.batch, 1, 1000),
            read.text("FOREWARN_AUDIT_KEY"),
            read.networks("FOREWARN_WEBHOOK_NETWORKS"),
            read.text("FOREWARN_SMTP_URL"),
            read.text("FOREWARN_MAIL_FROM"),
            read.text("FOREWARN_MAIL_REPLY_TO"),
            read.whole("FOREWARN_MAIL_TAGS", 1, 0, 1) == 1,
            read.text("FOREWARN_CHANNELS"),
            read.text("FOREWARN_IMAP_URL"),
            read.number("FOREWARN_IMAP_SECONDS", default.imap_seconds, 1, 3600),
            read.text("FOREWARN_MAIL_TENANT", default.mail_tenant),
            read.text("FOREWARN_HTTP_URL"),
        )
        _check(read, made)
        read.end()
        return made
