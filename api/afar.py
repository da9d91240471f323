"""What is asked of a machine from afar, as its page shows it: commands and how they go, and what checks showed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api import access
from api.command_views import HINTS, DeviceCommand, Examination, Hold, Remote
from api.roles import Principal
from api.service import list_accounts
from api.views import Asset
from api.web import Web
from api.words import plain, sentence

SHOWN_COMMANDS, SHOWN_CHECKS = 6, 2
SHOWN_FACTS, SHOWN_NUMBERS = 60, 6
OVER = frozenset({"done", "failed", "refused", "expired", "no_answer", "cancelled"})
HOLDS = {
    "visit": "somebody is on site, or about to be",
    "permit": "a work permit is open",
    "lockout": "the machine is locked out",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """A form that was not taken: it is shown again as it was, with what is wrong."""

    device: str = ""
    name: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A result: names and values, and texts of several lines."""

    facts: list[tuple[str, str]]
    texts: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Afar:
    """The part of an asset's page; `remotes` are its devices that know commands."""

    remotes: Sequence[Remote]
    commands: Sequence[DeviceCommand]
    examinations: Sequence[Examination]
    tried: Tried = Tried()
    names: Mapping[str, str] = field(default_factory=dict)
    """People by how the audit chain names them."""
    holds: Sequence[Hold] = ()

    @property
    def running(self) -> bool:
        """Whether something is on the way, so that the page looks every second."""
        return any(c.state not in OVER and c.state != "waiting_approval" for c in self.commands)

    @property
    def shown(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.remotes or self.commands or self.examinations or self.holds)

    @property
    def has_guarded(self) -> bool:
        """Whether any of its devices knows commands that permits and lock-outs stand against."""
        return any(choice.risk == "guarded" for remote in self.remotes for choice in remote.choices)

    def title_of(self, command: DeviceCommand) -> str:
        """What its asset model calls it."""
        for remote in self.remotes:
            for choice in remote.choices:
                if remote.device == command.device and choice.name == command.name and choice.title:
                    return choice.title
        return sentence(command.name)

    def by(self, actor: str) -> str:
        """A person's name and role; programs and the product itself as the audit chain names them."""
        name = self.names.get(actor)
        role = actor.partition(":")[0]
        return (name if name.lower() == role else f"{name} ({role})") if name else actor

    @staticmethod
    def facts_of(command: DeviceCommand) -> "Facts":
        """Its result for people to read."""
        found = Facts([], [])
        _gather(command.result, "", found)
        return found

    @staticmethod
    def hint(reason: str) -> str:
        """What lets a command through that is refused for this."""
        return HINTS.get(reason, "")

    @staticmethod
    def against(remote: Remote) -> str:
        """Why guarded commands of a device are not taken now; empty when they are."""
        if not remote.guarded:
            return "they are switched off for this machine"
        return "; ".join(HOLDS.get(kind, kind) for kind in remote.holds)


def afar(web: Web, who: Principal, found: Asset, tried: Tried | None = None) -> Afar | None:
    """What this principal sees of it; None for those who do not work on machines."""
    if who.role not in access.CREW:
        return None
    owners = web.owners
    remotes = [r for device in found.devices if (r := owners.remote(who, device)) is not None and r.choices]
    commands = owners.commands_of(who, found.devices, SHOWN_COMMANDS)
    holds = owners.holds(who, found.id)
    return Afar(
        remotes, commands, owners.examinations(who, asset=found.id, limit=SHOWN_CHECKS), tried or Tried(),
        _names(web, who, {a for c in commands for a in (c.issued_by, c.approved_by)} | {h.by for h in holds}), holds,
    )  # fmt: skip


def _names(web: Web, who: Principal, actors: Collection[str]) -> dict[str, str]:
    """Names of people by how the audit chain names them."""
    accounts = {f"{a.role}:{a.id}": a.name for a in list_accounts(web.shared.database, who.tenant)}
    found: dict[str, str] = {}
    for actor in {a for a in actors if ":" in a}:
        name = accounts.get(actor) or web.owners.name_of(who.tenant, actor.partition(":")[2])
        if name:
            found[actor] = name
    return found


def _gather(value: Any, name: str, into: Facts) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _gather(inner, f"{name} · {plain(str(key))}" if name else sentence(str(key)), into)
    elif isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        into.texts.append((name, "\n".join(value)))
    elif len(into.facts) < SHOWN_FACTS:
        into.facts.append((name, _words(value)))


def _words(value: Any) -> str:
    if isinstance(value, list):
        more = f" … ({len(value)})" if len(value) > SHOWN_NUMBERS else ""
        if any(isinstance(v, list | dict) for v in value):
            return f"{len(value)} entries"
        return ", ".join(_words(v) for v in value[:SHOWN_NUMBERS]) + more
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)
