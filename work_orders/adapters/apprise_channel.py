"""SMS, push and chat through apprise: one address of a service a channel, with the contact's own number put in."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from work_orders.adapters.smtp import linked
from work_orders.service.sending import Bounced, Message, TryLater
from work_orders.service.wording import PAGES

TO = "{to}"
MOST_TEXT = 1000


class BadChannels(ValueError):
    """The channels' setting cannot be read; the text names the line, never what stands in it."""


def parse(text: str) -> dict[str, dict[str, str]]:
    """Channels with the addresses of their services: lines `sms=URL`, `TENANT/sms=URL`, `TENANT/CUSTOMER/chat=URL`.

    `{to}` in a URL is the contact's own address in that channel. Raises BadChannels.
    """
    found: dict[str, dict[str, str]] = {}
    for n, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, _, url = line.partition("=")
        scope, _, name = key.strip().rpartition("/")
        if not name.isidentifier() or name in ("mail", "web") or "://" not in url or scope.count("/") > 1:
            raise BadChannels(f"line {n} must be NAME=URL, TENANT/NAME=URL or TENANT/CUSTOMER/NAME=URL")
        found.setdefault(name, {})[scope] = url.strip()
    return found


class AppriseChannel:
    """One kind of service; `urls` by "", tenant or tenant/customer: the closest counts."""

    leaves = True

    def __init__(self, name: str, urls: Mapping[str, str], pages: str) -> None:
        self.name, self._urls, self._pages = name, dict(urls), pages

    def url(self, message: Message) -> str | None:
        """Where a message goes; None = nobody set that up."""
        for scope in (f"{message.tenant}/{message.customer_id}", message.tenant, ""):
            if scope in self._urls:
                return self._urls[scope].replace(TO, quote(message.contact, safe=""))
        return None

    def send(self, message: Message) -> None:
        """Hand it over. Raises Bounced where there is no service, TryLater when the service did not take it."""
        import apprise

        url = self.url(message)
        if url is None:
            raise Bounced(f"{self.name} is not set up for {message.tenant}", lasting=False)
        service = apprise.Apprise()
        if not service.add(url):
            raise Bounced(f"the address of {self.name} cannot be used", lasting=False)
        text = linked(shortened(message.text), self._pages)
        if not service.notify(title=message.title, body=text, body_format=apprise.NotifyFormat.TEXT):
            raise TryLater(f"{self.name} did not take it")


def shortened(text: str) -> str:
    """No longer than a short message may be; the way to the page stays, as without it nobody can answer."""
    link = re.search(re.escape(PAGES) + r"[\w/.~?=-]*", text)
    if len(text) <= MOST_TEXT or (link is not None and link.end() <= MOST_TEXT):
        return text[:MOST_TEXT]
    way = f"…\n{link.group()}" if link is not None else "…"
    return text[: MOST_TEXT - len(way)].rstrip() + way
