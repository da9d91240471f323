"""`forewarn notice test`, and what `forewarn doctor` looks at of mail and other channels."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from forewarn.environment import Failed, WrongUse
from plumbing.settings import BadSettings

LETTER = (
    "This is a test message of Forewarn. If you can read it, notices reach you this way.\n\n"
    "It was sent by `forewarn notice test`; nothing needs to be done."
)


def test(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Hand one message over, now; exit 1 when it was not taken."""
    from plumbing.system_clock import SystemClock
    from work_orders.service.sending import Bounced, Message, TryLater
    from work_orders.settings import Settings
    from work_orders.wiring import channels_of

    try:
        channels = {c.name: c for c in channels_of(Settings.of(environ)) if c.leaves}
    except BadSettings as wrong:
        raise Failed(str(wrong)) from wrong
    channel = channels.get(given.channel)
    if channel is None:
        known = ", ".join(channels) or "none: set FOREWARN_SMTP_URL and FOREWARN_MAIL_FROM, or FOREWARN_CHANNELS"
        raise WrongUse(f"channel {given.channel!r} is not set up; set up: {known}")
    now = SystemClock().now()
    message = Message(
        given.tenant, f"test-{now:%Y%m%d%H%M%S%f}", "", given.to, "Forewarn: a test message", LETTER, False, False,
        at=now,
    )  # fmt: skip
    try:
        channel.send(message)
    except (Bounced, TryLater) as no:
        raise Failed(f"{given.channel} did not take it: {no.why}") from no
    print(f"{given.channel} took it for {given.to}.")
    return 0


def mail_out(environ: Mapping[str, str], home: Path) -> tuple[bool, str, str]:
    """Whether the mail server lets us in."""
    from work_orders.adapters.smtp import SmtpServer
    from work_orders.settings import Settings

    try:
        settings = Settings.of(environ)
    except BadSettings as wrong:
        return False, f"messages: {wrong}", "mend these settings; docs/notices.md says how"
    if not settings.smtp_url:
        return True, "mail: not set up, notices stay in the web inbox", ""
    wrong_with = SmtpServer.of(settings.smtp_url).check()
    return not wrong_with, f"mail: {wrong_with or 'the server lets us in'}", "check FOREWARN_SMTP_URL and its password"


def mail_in(environ: Mapping[str, str], home: Path) -> tuple[bool, str, str]:
    """Whether the mailbox opens."""
    from work_orders.adapters.imap import BadMailbox, Mailbox

    url = environ.get("FOREWARN_IMAP_URL", "")
    if not url:
        return True, "mailbox: not set up, answers by mail are not read", ""
    try:
        wrong_with = Mailbox.of(url).check()
    except BadMailbox as no:
        wrong_with = str(no)
    return not wrong_with, f"mailbox: {wrong_with or 'opens'}", "check FOREWARN_IMAP_URL and its password"
