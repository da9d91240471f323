"""Commands to devices: issue, approve, cancel; who may, what stands against it, and what is on record.

Each function is one transaction, callable from any process. What is issued is a row; ingest's command post sends it.
"""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.asset_model import AssetModel
from contracts.command_kinds import BadArgs, CommandKind, check_args
from contracts.commands import APPROVERS, LONGEST_S, REFUSALS, Refusal, Risk
from contracts.records import COMMAND_RESULTS, CommandEnded, HoldReleased, HoldSet, encode
from ingest.domain.commanding import BEFORE_GRANT, State
from ingest.service.command_tables import commands, holds, rights
from ingest.service.registry import SHUT_OUT
from ingest.service.tables import devices
from plumbing import audit, log
from plumbing.boot_clock import BootClock
from plumbing.sql import Database, lock

DEFAULT_LIFETIME_S = {Risk.READ: 900.0, Risk.SAFE: 3600.0, Risk.GUARDED: 300.0}
ISSUERS = {
    Risk.READ: ("technician", "dispatcher", "engineer", "admin", "rule"),
    Risk.SAFE: ("engineer", "admin"),
    Risk.GUARDED: ("engineer", "admin"),
}
"""Roles that may issue; `rule` is the product by itself."""
RULE = "forewarn"


class CommandFault(Exception):
    """A command that the platform does not take: which field, and the rule."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.rule = field, rule


class NotAllowed(CommandFault):
    """This role, or this person, may not."""


class StoodAgainst(CommandFault):
    """A refusal that the device would give too: guarded commands are off, not approved, or something is on hold."""

    def __init__(self, reason: Refusal, more: str = "") -> None:
        super().__init__("command", f"{REFUSALS[reason]}{': ' if more else ''}{more}")
        self.reason = reason


class WrongState(CommandFault):
    """It is too late, or too early, for that."""

    def __init__(self, state: str, what: str) -> None:
        super().__init__("state", f"{what} is not possible in state {state}")
        self.state = state


class UnknownCommand(CommandFault):
    """There is no such command, or no such device."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command to issue; `lifetime_s` None = the usual one of its risk, `id` "" = a fresh one."""

    tenant: str
    device: str
    name: str
    args: dict[str, Any]
    lifetime_s: float | None = None
    case_id: str = ""
    why: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who does it: as the audit chain names him, and in which role."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A command of the ledger."""

    tenant: str
    id: str
    device: str
    name: str
    args: dict[str, Any]
    risk: str
    state: str
    reason: str
    text: str
    progress: str
    result: dict[str, Any]
    case_id: str
    why: str
    issued_by: str
    issued_at: datetime
    lifetime_s: float
    approved_by: str
    approved_at: datetime | None
    sent_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


Models = Callable[[str], AssetModel | None]


def issue(
    database: Database, wanted: Wanted, by: Person, *, models: Models, now: datetime, wall: datetime,
    boot: BootClock | None = None,
) -> str:  # fmt: skip
    """Issue a command; its id. A guarded one waits for a second person. Raises CommandFault."""
    with database.write() as connection:
        return issue_on(connection, wanted, by, models=models, now=now, wall=wall, boot=boot)


def issue_on(
    connection: sa.Connection, wanted: Wanted, by: Person, *, models: Models, now: datetime, wall: datetime,
    boot: BootClock | None = None,
) -> str:  # fmt: skip
    """The same inside the caller's transaction. An id that is on record already changes nothing."""
    lock(connection, f"ingest:commands:{wanted.tenant}")
    if wanted.id and find_on(connection, wanted.tenant, wanted.id) is not None:
        return wanted.id
    kind, model = _kind_of(connection, wanted, models)
    if by.role not in ISSUERS[kind.risk]:
        raise NotAllowed("role", f"a {kind.risk} command is for {', '.join(ISSUERS[kind.risk])}, not for {by.role}")
    lifetime = DEFAULT_LIFETIME_S[kind.risk] if wanted.lifetime_s is None else wanted.lifetime_s
    if not 1.0 <= lifetime <= LONGEST_S[kind.risk]:
        raise CommandFault("lifetime_s", f"must lie between 1 and {LONGEST_S[kind.risk]:g} for a {kind.risk} command")
    try:
        args = check_args(kind, wanted.args, list(model.signals))
    except BadArgs as no:
        raise CommandFault(f"args.{no.arg}", no.rule) from no
    if kind.risk is Risk.GUARDED:
        check_guarded(connection, wanted.tenant, wanted.device, now)
    clock = boot or BootClock()
    id = wanted.id or secrets.token_urlsafe(12)
    connection.execute(
        commands.insert().values(
            tenant=wanted.tenant, id=id, device=wanted.device, name=kind.name,
            args=msgspec.json.encode(args).decode(), risk=kind.risk.value,
            state=State.WAITING if kind.risk is Risk.GUARDED else State.QUEUED, reason="", text="", progress="",
            result="", case_id=wanted.case_id, why=wanted.why[:300], issued_by=by.name, issued_at=now,
            issued_wall=wall, issued_boot=clock.boot, issued_s=clock.seconds(), lifetime_s=lifetime, approved_by="",
            approved_role="", nonce="",
        )
    )  # fmt: skip
    text = f"{_title(kind)} was asked of {wanted.device}" + (f": {wanted.why}" if wanted.why else "") + "."
    record(connection, wanted.tenant, wanted.device, id, "command_issued", text, by.name, now, risk=kind.risk.value,
           name=kind.name, args=args, case=wanted.case_id)  # fmt: skip
    return id


def _kind_of(connection: sa.Connection, wanted: Wanted, models: Models) -> tuple[CommandKind, AssetModel]:
    row = connection.execute(
        sa.select(devices.c.model, devices.c.state).where(
            devices.c.tenant == wanted.tenant, devices.c.device == wanted.device
        )
    ).first()
    if row is None or row.state in SHUT_OUT:
        raise UnknownCommand("device", "the tenant has no device of this name that may sign in")
    model = models(row.model)
    kind = model.commands.get(wanted.name) if model is not None else None
    if model is None or kind is None:
        known = ", ".join(sorted(model.commands)) if model is not None else ""
        raise UnknownCommand("name", f"{row.model} knows {known or 'no commands'}")
    return kind, model


def _title(kind: CommandKind) -> str:
    return f"{kind.title or kind.name} ({kind.risk})"


def approve(database: Database, tenant: str, id: str, by: Person, *, now: datetime) -> None:
    """A second person agrees to a guarded command. Raises CommandFault."""
    with database.write() as connection:
        lock(connection, f"ingest:commands:{tenant}")
        row = _one(connection, tenant, id)
        if row.state != State.WAITING:
            raise WrongState(row.state, "approving")
        if by.role not in APPROVERS:
            raise NotAllowed("role", f"approving is for {', '.join(APPROVERS)}, not for {by.role}")
        if by.name == row.issued_by:
            raise NotAllowed("person", "whoever issued a command cannot approve it: a second person must")
        check_guarded(connection, tenant, row.device, now)
        change(connection, row, state=State.QUEUED, approved_by=by.name, approved_role=by.role, approved_at=now)
        record(connection, tenant, row.device, id, "command_approved", f"{row.name} of {row.device} was approved.",
               by.name, now)  # fmt: skip


def cancel(database: Database, tenant: str, id: str, by: Person, *, now: datetime, wall: datetime) -> None:
    """Take a command back that was not granted yet. Raises CommandFault."""
    with database.write() as connection:
        lock(connection, f"ingest:commands:{tenant}")
        row = _one(connection, tenant, id)
        if row.state not in BEFORE_GRANT:
            raise WrongState(row.state, "cancelling")
        end(connection, row, State.CANCELLED, now, wall, by=by.name)


def set_guarded(database: Database, tenant: str, device: str, on: bool, by: Person, *, now: datetime) -> None:
    """Switch guarded commands of a device on or off: they are off by default. Raises CommandFault."""
    if by.role not in APPROVERS:
        raise NotAllowed("role", f"switching guarded commands is for {', '.join(APPROVERS)}, not for {by.role}")
    with database.write() as connection:
        lock(connection, f"ingest:commands:{tenant}")
        known = connection.execute(
            sa.select(devices.c.device).where(devices.c.tenant == tenant, devices.c.device == device)
        ).first()
        if known is None:
            raise UnknownCommand("device", "the tenant has no device of this name")
        connection.execute(rights.delete().where(rights.c.tenant == tenant, rights.c.device == device))
        connection.execute(rights.insert().values(tenant=tenant, device=device, guarded=on, by=by.name, at=now))
        text = f"Guarded commands of {device} were switched {'on' if on else 'off'}."
        record(connection, tenant, device, device, "guarded_switched", text, by.name, now, on=on)


def is_guarded_on(connection: sa.Connection, tenant: str, device: str) -> bool:
    """Whether guarded commands are switched on for a device."""
    where = (rights.c.tenant == tenant, rights.c.device == device, rights.c.guarded.is_(True))
    return connection.execute(sa.select(rights.c.device).where(*where)).first() is not None


def held_by(connection: sa.Connection, tenant: str, device: str, now: datetime) -> list[str]:
    """What stands against guarded commands of a device now: kinds, each once."""
    where = (
        holds.c.tenant == tenant, holds.c.device == device, holds.c.released_at.is_(None),
        sa.or_(holds.c.until.is_(None), holds.c.until > now),
    )  # fmt: skip
    return sorted(set(connection.execute(sa.select(holds.c.kind).where(*where)).scalars()))


def set_hold(connection: sa.Connection, hold: HoldSet) -> None:
    """Put on record what stands against guarded commands; the same id again changes nothing."""
    where = (holds.c.tenant == hold.tenant, holds.c.device == hold.device, holds.c.id == hold.id)
    if connection.execute(sa.select(holds.c.id).where(*where)).first() is None:
        connection.execute(
            holds.insert().values(
                tenant=hold.tenant, device=hold.device, id=hold.id, kind=hold.kind, note=hold.note[:300],
                since=hold.since, until=hold.until,
            )
        )  # fmt: skip


def release_hold(connection: sa.Connection, released: HoldReleased) -> None:
    """It stands no more."""
    connection.execute(
        holds.update()
        .where(
            holds.c.tenant == released.tenant, holds.c.device == released.device, holds.c.id == released.id,
            holds.c.released_at.is_(None),
        )
        .values(released_at=released.at)
    )  # fmt: skip


def check_guarded(connection: sa.Connection, tenant: str, device: str, now: datetime) -> None:
    """Raises StoodAgainst."""
    if not is_guarded_on(connection, tenant, device):
        raise StoodAgainst("guarded_off", "switch them on for this asset first")
    against = held_by(connection, tenant, device, now)
    if against:
        raise StoodAgainst("on_hold", ", ".join(against))


def find_on(connection: sa.Connection, tenant: str, id: str) -> Recorded | None:
    """One command; None where there is none."""
    row = connection.execute(sa.select(commands).where(commands.c.tenant == tenant, commands.c.id == id)).first()
    return None if row is None else _recorded(row)


def page(
    database: Database, tenant: str, *, device: str = "", state: str = "", case_id: str = "", after: str = "",
    limit: int = 50, among: Collection[str] | None = None,
) -> tuple[list[Recorded], str | None]:  # fmt: skip
    """Commands, newest first, and the cursor of the next ones; `among` these devices (None = all of the tenant).

    Raises CommandFault for a cursor that is none: the list would begin anew.
    """
    c = commands.c
    query = sa.select(commands).where(c.tenant == tenant)
    for column, value in ((c.device, device), (c.state, state), (c.case_id, case_id)):
        if value:
            query = query.where(column == value)
    if among is not None:
        query = query.where(c.device.in_(sorted(among)))
    with database.read() as connection:
        if after:
            mark = connection.execute(sa.select(c.issued_at).where(c.tenant == tenant, c.id == after)).scalar()
            if mark is None:
                raise CommandFault("after", "must be the `next` of the page before")
            query = query.where(sa.tuple_(c.issued_at, c.id) < sa.tuple_(sa.literal(mark, c.issued_at.type), after))
        rows = connection.execute(query.order_by(c.issued_at.desc(), c.id.desc()).limit(limit + 1)).all()
    items = [_recorded(row) for row in rows[:limit]]
    return items, items[-1].id if len(rows) > limit else None


def _recorded(row: sa.Row[Any]) -> Recorded:
    values = {name: getattr(row, name) for name in Recorded.__dataclass_fields__}
    values["args"] = msgspec.json.decode(row.args)
    values["result"] = msgspec.json.decode(row.result) if row.result else {}
    return Recorded(**values)


def _one(connection: sa.Connection, tenant: str, id: str) -> sa.Row[Any]:
    row = connection.execute(sa.select(commands).where(commands.c.tenant == tenant, commands.c.id == id)).first()
    if row is None:
        raise UnknownCommand("id", "there is no such command")
    return row


def change(connection: sa.Connection, row: sa.Row[Any], **values: Any) -> None:
    """Change a command's row."""
    where = (commands.c.tenant == row.tenant, commands.c.id == row.id)
    connection.execute(commands.update().where(*where).values(**values))


def end(
    connection: sa.Connection, row: sa.Row[Any], state: State, now: datetime, wall: datetime, *, reason: str = "",
    text: str = "", data: dict[str, Any] | None = None, by: str = RULE,
) -> None:  # fmt: skip
    """End a command: row, audit entry and what other services hear, in the caller's transaction."""
    change(connection, row, state=state, reason=reason, text=text[:500], ended_at=now,
           result=msgspec.json.encode(data or {}).decode())  # fmt: skip
    words = f"{row.name} of {row.device}: {str(state).replace('_', ' ')}" + (f" ({text})" if text else "") + "."
    record(connection, row.tenant, row.device, row.id, f"command_{state}", words, by, now, reason=reason,
           case=row.case_id)  # fmt: skip
    ended = CommandEnded(1, row.id, row.tenant, row.device, row.name, str(state), reason, text, data or {}, now)
    log.append(connection, row.tenant, COMMAND_RESULTS, row.device, encode(ended), wall)


def record(
    connection: sa.Connection, tenant: str, device: str, id: str, action: str, text: str, by: str, now: datetime,
    **more: Any,
) -> None:  # fmt: skip
    """Append to the audit chain."""
    audit.append(connection, tenant, now, by, action, {"asset": device, "id": id, "text": text, **more})
