"""Who may publish and receive what. The broker's generated files and the embedded broker both follow this."""

from collections.abc import Iterable

from contracts import topics
from contracts.topics import DOWN, ROOT, UP

INGEST = "ingest"
LOCAL = "local"
WATCH = "watch"
SERVICES = (INGEST, LOCAL, WATCH)
"""`ingest` reads all devices and answers them; `local` administers: everything below the root; `watch` reads
Mosquitto's log, to count whom it refused."""


def service_of(username: str) -> str:
    """Which service an account is of: `ingest` itself, or `ingest.` and something that nobody can guess; "" = none."""
    name = username.partition(".")[0]
    return name if name in SERVICES else ""


BROKER_LOG = "$SYS/broker/log/N"
"""Where Mosquitto publishes its notices."""


def may_publish(username: str, topic: str) -> bool:
    """Whether an account may publish on a topic. The owner of `username` has signed in already."""
    if username == WATCH:
        return False
    if username == LOCAL:
        return topic.startswith(f"{ROOT}/")
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT or "+" in topic or "#" in topic:
        return False
    if username == INGEST:
        return parts[4] in DOWN
    return "/".join(parts[2:4]) == username and parts[4] in UP


def may_receive(username: str, filter_: str) -> bool:
    """Whether an account may subscribe to a filter: only what it could never be refused in part."""
    if username == WATCH:
        return filter_ == BROKER_LOG
    if username == LOCAL:
        return filter_.startswith(f"{ROOT}/")
    parts = filter_.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT:
        return False
    if username == INGEST:
        return parts[4] in UP
    return "/".join(parts[2:4]) == username and parts[4] in DOWN


def account_of(tenant: str, device: str) -> str:
    """The user name that a device has unless another one is registered for it; rights are by this name."""
    return f"{tenant}/{device}"


def acl(other_names: dict[str, str], services: Iterable[str] = ()) -> str:
    """Mosquitto's access list: one block for all devices, one a service, one a device with a user name of its own.

    `other_names` maps such a user name to `tenant/device`; `services` are accounts of services with names besides.
    """
    given = {
        INGEST: [
            *(f"topic read {topics.topic('+', '+', kind)}" for kind in UP),
            *(f"topic write {topics.topic('+', '+', kind)}" for kind in DOWN),
        ],
        LOCAL: [f"topic readwrite {ROOT}/#"],
        WATCH: [f"topic read {BROKER_LOG}"],
    }
    lines: list[str] = []
    for name in (*SERVICES, *sorted(set(services) - set(SERVICES))):
        lines += [*([""] if lines else []), f"user {name}", *given[service_of(name)]]
    for username, account in sorted(other_names.items()):
        lines += _own(username, account)
    lines.append("")
    lines += [f"pattern write {ROOT}/%u/{kind}" for kind in UP]
    lines += [f"pattern read {ROOT}/%u/{kind}" for kind in DOWN]
    return "\n".join(lines) + "\n"


def acl_of_certificates(names: dict[str, str]) -> str:
    """Mosquitto's access list where a certificate is asked for: a block for each device that may come, none else.

    There the broker looks no account up: whoever shows a certificate of ours is let in. So a service's name has no
    rights there, and the name of a device that is suspended, revoked or unknown has none either. `names` maps user
    names to `tenant/device`.
    """
    lines = ["# devices by certificate"]
    for username, account in sorted(names.items()):
        lines += _own(username, account)
    return "\n".join(lines) + "\n"


def _own(username: str, account: str) -> list[str]:
    up = [f"topic write {ROOT}/{account}/{kind}" for kind in UP]
    return ["", f"user {username}", *up, *(f"topic read {ROOT}/{account}/{kind}" for kind in DOWN)]
