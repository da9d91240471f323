"""Labels on machines: a signed address from which anybody at the machine can report a fault, without an account.

A token says which machine (or which report) it stands for and is signed with a key that the tenant's tables keep; a
new label of a machine makes its earlier ones void.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.unit import Unit, unit

ASSET, REPORT = "a", "r"
MAC_CHARACTERS = 24
"""144 bits of an HMAC-SHA256."""
_LONGEST = 400
_MAY = (Role.DISPATCHER, Role.ENGINEER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Token:
    """What a good token stands for."""

    tenant: str
    kind: str
    id: str
    n: int


def sign(work: Unit, kind: str, id: str, n: int = 1) -> str:
    """A token for an asset or a report."""
    work.insert_new(w.label_keys, key=secrets.token_bytes(32))
    key = _key(work.connection, work.tenant)
    payload = base64.urlsafe_b64encode(msgspec.json.encode([work.tenant, kind, id, n])).decode().rstrip("=")
    return f"{payload}.{_mac(key or b'', payload)}"


def read(connection: sa.Connection, token: str) -> Token | None:
    """What a token stands for; None when it is not ours, or void."""
    payload, _, mac = token.partition(".")
    if not mac or len(token) > _LONGEST:
        return None
    try:
        body = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        tenant, kind, id, n = msgspec.json.decode(body, type=tuple[str, str, str, int])
    except (ValueError, msgspec.DecodeError):
        return None
    key = None if "\0" in tenant else _key(connection, tenant)
    if key is None or not hmac.compare_digest(_mac(key, payload).encode(), mac.encode()):
        return None
    if kind == ASSET and n != _newest(connection, tenant, id):
        return None
    return Token(tenant, kind, id, n)


def _key(connection: sa.Connection, tenant: str) -> bytes | None:
    found = connection.execute(sa.select(w.label_keys.c.key).where(w.label_keys.c.tenant == tenant)).scalar()
    return None if found is None else bytes(found)


def _mac(key: bytes, payload: str) -> str:
    digest = hmac.new(key, payload.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()[:MAC_CHARACTERS]


def _newest(connection: sa.Connection, tenant: str, asset_id: str) -> int | None:
    c = w.labels.c
    return connection.execute(sa.select(c.n).where(c.tenant == tenant, c.asset_id == asset_id)).scalar()


def label_of(shared: Shared, tenant: str, asset_id: str, actor: Actor, *, renew: bool = False) -> str:
    """The token for the label of a machine; `renew` makes all that were printed before void."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "print a label", _MAY)
    with unit(shared, tenant, actor) as work:
        asset = work.one(t.assets, asset_id, "asset")
        n = _newest(work.connection, tenant, asset_id)
        if n is None:
            n = 1
            work.insert(w.labels, asset_id=asset_id, n=n)
            work.record("label_made", asset_id, asset_id, f"{actor.name} made a label for {asset.name}.")
        elif renew:
            n += 1
            work.update(w.labels, {"asset_id": asset_id}, n=n)
            text = f"{actor.name} made a new label for {asset.name}; earlier ones are void."
            work.record("label_renewed", asset_id, asset_id, text)
        return sign(work, ASSET, asset_id, n)
