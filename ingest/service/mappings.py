"""Rules that mend messages, kept for a device or for all devices of an asset model: commands, each one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from contracts.asset_model import AssetModel
from contracts.units import Units, WrongDimension, conversion
from ingest.domain.mapping import FACTOR, KINDS, LONGEST, SIGNAL, UNIT, BadFactor, Mapping, Rule, read_factor
from ingest.service.book import bump
from ingest.service.registry import REGISTRY, RegistryFault
from ingest.service.tables import devices, mappings
from plumbing import audit
from plumbing.sql import Database, lock

DEVICE, MODEL = "device", "model"


class BadRule(RegistryFault):
    """A rule that cannot be."""


@dataclass(frozen=True, slots=True)
class KeptRule:
    """A rule as it is kept; `scope` is device or model, `owner` its name."""

    tenant: str
    scope: str
    owner: str
    kind: str
    name: str
    to: str
    from_now_on: bool
    made_at: datetime
    made_by: str


def keep_rules(
    database: Database,
    tenant: str,
    scope: str,
    owner: str,
    rules: Sequence[Rule],
    *,
    from_now_on: bool,
    models: Callable[[str], AssetModel | None],
    units: Units,
    now: datetime,
    actor: str = "command line",
) -> None:
    """Keep rules; one of the same kind and name is replaced. `from_now_on` = they mend what comes from then on, too.

    Raises
    ------
    BadRule
        A rule names what is not there, or cannot be; none of them is kept.
    """
    with database.write() as connection:
        lock(connection, f"ingest:mappings:{tenant}")
        model = _model_of(connection, tenant, scope, owner, models)
        renames = {r.name: r.to for r in rules_on(connection, tenant, {(scope, owner)}).get((scope, owner), [])
                   if r.kind == SIGNAL}  # fmt: skip
        renames |= {r.name: r.to for r in rules if r.kind == SIGNAL}
        for rule in rules:
            _check(rule, model, renames, units)
        for rule in rules:
            where = _where(tenant, scope, owner, rule.kind, rule.name)
            connection.execute(mappings.delete().where(*where))
            connection.execute(
                mappings.insert().values(
                    tenant=tenant, scope=scope, owner=owner, kind=rule.kind, name=rule.name, target=rule.to,
                    from_now_on=from_now_on, made_at=now, made_by=actor[:128],
                )
            )  # fmt: skip
        bump(connection, REGISTRY)
        said = "; ".join(f"{r.kind} {r.name}={r.to}" for r in rules)
        audit.append(
            connection, tenant, now, actor, "mapping_kept",
            {"asset": owner if scope == DEVICE else "", "id": owner, "scope": scope, "from_now_on": from_now_on,
             "text": f"Messages of {scope} {owner} are mended: {said}."[:1000]},
        )  # fmt: skip


def drop_rule(
    database: Database, tenant: str, scope: str, owner: str, kind: str, name: str, *, now: datetime,
    actor: str = "command line",
) -> None:  # fmt: skip
    """Let a rule go; what it mended stays. Raises BadRule."""
    with database.write() as connection:
        lock(connection, f"ingest:mappings:{tenant}")
        gone = connection.execute(mappings.delete().where(*_where(tenant, scope, owner, kind, name)))
        if not gone.rowcount:
            raise BadRule(kind, name, f"there is no such rule for {scope} {owner}")
        bump(connection, REGISTRY)
        audit.append(
            connection, tenant, now, actor, "mapping_dropped",
            {"asset": owner if scope == DEVICE else "", "id": owner, "scope": scope,
             "text": f"Messages of {scope} {owner} are no longer mended by {kind} {name}."},
        )  # fmt: skip


def list_rules(database: Database, tenant: str) -> list[KeptRule]:
    """All rules of a tenant."""
    query = sa.select(mappings).where(mappings.c.tenant == tenant).order_by(*mappings.primary_key.columns)
    with database.read() as connection:
        return [KeptRule(*row) for row in connection.execute(query)]


def rules_on(connection: sa.Connection, tenant: str, owners: set[tuple[str, str]]) -> dict[tuple[str, str], list[Rule]]:
    """The rules of each (scope, owner)."""
    query = sa.select(mappings).where(
        mappings.c.tenant == tenant, sa.tuple_(mappings.c.scope, mappings.c.owner).in_(sorted(owners))
    )
    out: dict[tuple[str, str], list[Rule]] = {}
    for r in connection.execute(query.order_by(mappings.c.kind, mappings.c.name)):
        out.setdefault((r.scope, r.owner), []).append(Rule(r.kind, r.name, r.target))
    return out


def mapping_of(connection: sa.Connection, tenant: str, device: str, model: str) -> Mapping:
    """All rules for a device: those of its model, then its own."""
    found = rules_on(connection, tenant, {(DEVICE, device), (MODEL, model)})
    return Mapping.of([*found.get((MODEL, model), []), *found.get((DEVICE, device), [])])


def live_mappings(connection: sa.Connection) -> dict[tuple[str, str, str], list[Rule]]:
    """Rules for what comes from now on, of all tenants, by (tenant, scope, owner)."""
    out: dict[tuple[str, str, str], list[Rule]] = {}
    for r in connection.execute(sa.select(mappings).where(mappings.c.from_now_on.is_(True))):
        out.setdefault((r.tenant, r.scope, r.owner), []).append(Rule(r.kind, r.name, r.target))
    return out


def _where(tenant: str, scope: str, owner: str, kind: str, name: str) -> list[sa.ColumnElement[bool]]:
    c = mappings.c
    return [c.tenant == tenant, c.scope == scope, c.owner == owner, c.kind == kind, c.name == name]


def _model_of(
    connection: sa.Connection, tenant: str, scope: str, owner: str, models: Callable[[str], AssetModel | None]
) -> AssetModel:
    name: str | None = owner
    if scope == DEVICE:
        name = connection.execute(
            sa.select(devices.c.model).where(devices.c.tenant == tenant, devices.c.device == owner)
        ).scalar()
        if name is None:
            raise BadRule("device", owner, f"tenant {tenant!r} has no device of this name")
    elif scope != MODEL:
        raise BadRule("scope", scope, "must be device or model")
    model = models(str(name))
    if model is None:
        raise BadRule("model", str(name), "there is no asset model of this name")
    return model


def _check(rule: Rule, model: AssetModel, renames: dict[str, str], units: Units) -> None:
    shown = f"{rule.name}={rule.to}"[:LONGEST]
    if rule.kind not in KINDS:
        raise BadRule("kind", rule.kind, f"must be one of {', '.join(KINDS)}")
    if not 1 <= len(rule.name) <= LONGEST or len(rule.to) > LONGEST or "\x00" in rule.name + rule.to:
        raise BadRule(rule.kind, shown, f"names are 1 to {LONGEST} characters")
    target = rule.to if rule.kind == SIGNAL else renames.get(rule.name, rule.name)
    if target and target not in model.signals:
        known = ", ".join(sorted(model.signals))
        raise BadRule(rule.kind, shown, f"asset model {model.name} has no signal {target!r}; it has {known}"[:500])
    if rule.kind == UNIT and target:
        given, wanted = units.resolve(rule.to), units.resolve(model.signals[target].unit)
        if given is None:
            raise BadRule(UNIT, shown, f"{rule.to!r} is no UCUM code that is known")
        try:
            if wanted is not None:
                conversion(given, wanted)
        except WrongDimension as no:
            unit = model.signals[target].unit
            raise BadRule(UNIT, shown, f"{rule.to} measures something else than {target} ({unit})") from no
    if rule.kind == FACTOR:
        try:
            read_factor(rule.to)
        except BadFactor as no:
            raise BadRule(FACTOR, shown, "must be FACTOR or FACTOR,OFFSET, numbers, FACTOR not 0") from no


__all__ = [
    "DEVICE", "MODEL", "BadRule", "KeptRule", "Rule", "drop_rule", "keep_rules", "list_rules", "live_mappings",
    "mapping_of",
]  # fmt: skip
