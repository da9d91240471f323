"""Links in messages that leave: one opens one notice, or one survey, without signing in, and ends.

A message is kept with the plain address of the page; the link takes its place when the message is handed over, so that
no colleague reads a link that answers for the customer.
"""

import re
from datetime import datetime, timedelta

import sqlalchemy as sa

from work_orders.domain import signed_link
from work_orders.domain.aftercare import ANSWER_WITHIN
from work_orders.domain.signed_link import Link
from work_orders.service.mail_keys import kept
from work_orders.service.wording import PAGES

ANSWER, SURVEY = "answer", "survey"
KINDS = {"notices": (ANSWER, timedelta(days=30)), "surveys": (SURVEY, ANSWER_WITHIN)}
_PAGE = re.compile(re.escape(PAGES) + r"/(notices|surveys)/([A-Z]+-[a-z2-7]{12})")


def signed(text: str, key: str, tenant: str, at: datetime) -> str:
    """A message's text with links in place of plain addresses; `at` (wall time) is when it was decided."""

    def link(found: re.Match[str]) -> str:
        kind, lasts = KINDS[found.group(1)]
        return f"{PAGES}/{kind}/{signed_link.make(key, kind, tenant, found.group(2), until=at + lasts)}"

    return _PAGE.sub(link, text)


def opened(connection: sa.Connection, kind: str, token: str) -> Link | None:
    """What a link opens, over or not; None = it is none of ours."""
    link = signed_link.read(token)
    if link is None or len(link.what) != 1:
        return None
    return link if signed_link.genuine(kept(connection, link.tenant) or "", kind, link) else None
