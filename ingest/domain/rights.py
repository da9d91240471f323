"""Who may publish and receive what. The broker's generated files and the embedded broker both follow this."""

from contracts import topics
from contracts.topics import DOWN, ROOT, UP

INGEST = "ingest"
LOCAL = "local"
SERVICES = (INGEST, LOCAL)
"""`ingest` reads all devices and answers them; `local` administers: everything below the root."""


def may_publish(username: str, topic: str) -> bool:
    """Whether an account may publish on a topic. The owner of `username` has signed in already."""
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


def acl(other_names: dict[str, str]) -> str:
    """Mosquitto's access list: one block for all devices, one a service, one a device with a user name of its own.

    `other_names` maps such a user name to `tenant/device`.
    """
    lines = [f"user {INGEST}"]
    lines += [f"topic read {topics.topic('+', '+', kind)}" for kind in UP]
    lines += [f"topic write {topics.topic('+', '+', kind)}" for kind in DOWN]
    lines += ["", f"user {LOCAL}", f"topic readwrite {ROOT}/#"]
    for username, account in sorted(other_names.items()):
        lines += ["", f"user {username}"]
        lines += [f"topic write {ROOT}/{account}/{kind}" for kind in UP]
        lines += [f"topic read {ROOT}/{account}/{kind}" for kind in DOWN]
    lines.append("")
    lines += [f"pattern write {ROOT}/%u/{kind}" for kind in UP]
    lines += [f"pattern read {ROOT}/%u/{kind}" for kind in DOWN]
    return "\n".join(lines) + "\n"
