"""The same change asked for twice is done once: the first answer is kept a day by the caller's `Idempotency-Key`.

The key is claimed before the change, marked in the change's own transaction (with its first entry in the audit chain)
and gets its answer after it. A process that dies leaves a claim: unmarked, nothing was changed, and whoever asks again
a minute later takes it over; marked, the change was made, and he is told which. A claim that was taken over lets the
one before it change nothing any more.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from starlette.responses import Response

from api.problems import Problem, bad_field
from api.roles import Principal
from api.tables import answers
from plumbing import audit
from plumbing.sql import Database

HEADER = "idempotency-key"
KEPT = timedelta(hours=24)
TAKEN_OVER_AFTER = timedelta(minutes=1)
LONGEST = 160
LARGEST = 1_000_000
"""Requests with a larger body cannot carry a key; of a larger answer only that there was one is kept."""


class ToldOnce(Response):
    """An answer with a secret: that the change was made is kept by its key, what was said is not."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A key of a caller, the print of what he asks with it, and when (wall time)."""

    tenant: str
    account: str
    key: str
    print: str
    at: datetime

    def mine(self) -> sa.ColumnElement[bool]:
        """The row of the key, whoever claimed it."""
        c = answers.c
        return sa.and_(c.tenant == self.tenant, c.account == self.account, c.key == self.key)

    def made(self, connection: sa.Connection, tenant: str, seq: int) -> None:
        """Mark the claim: the transaction writes this entry. Raises Problem when somebody else took it over."""
        c = answers.c
        entry = sa.func.coalesce(c.seq, seq if tenant == self.tenant else 0)
        if connection.execute(answers.update().where(self.mine(), c.at == self.at).values(seq=entry)).rowcount != 1:
            raise Problem(409, "This took so long that the same request was begun anew.")


def check_size(headers: Mapping[str, str]) -> None:
    """Raises Problem for a body that is too large to be kept, or does not say how large it is."""
    length = headers.get("content-length", "0")
    form = headers.get("content-type", "").startswith("multipart/")
    if form or "transfer-encoding" in headers or not length.isdigit() or int(length) > LARGEST:
        raise Problem(413, f"A request with an Idempotency-Key may have {LARGEST} bytes, and is no upload.")


def claim_of(who: Principal, key: str, method: str, path: str, body: bytes, wall: datetime) -> Claim:
    """The claim of a request. Raises Problem."""
    if not 0 < len(key) <= LONGEST or not key.isprintable():
        raise bad_field("Idempotency-Key", key, f"1 to {LONGEST} printable characters")
    digest = hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()
    return Claim(who.tenant, who.account[:80], key, digest, wall)


def take(database: Database, claim: Claim) -> Response | None:
    """Claim the key: None = go on; else the answer that the same request had. Raises Problem when the key was used for
    something else, its request is still being worked on, or its answer is not kept."""
    c, wall = answers.c, claim.at
    try:
        with database.write() as connection:
            connection.execute(answers.delete().where(c.at < wall - KEPT))
            connection.execute(
                answers.insert().values(
                    tenant=claim.tenant, account=claim.account, key=claim.key, print=claim.print, at=wall
                )
            )
        return None
    except IntegrityError:
        pass
    with database.write() as connection:
        row = connection.execute(sa.select(answers).where(claim.mine())).first()
        if row is None:
            raise Problem(409, "The request with this Idempotency-Key has just failed. Send it again.")
        if row.print != claim.print:
            raise bad_field("Idempotency-Key", claim.key, "was used for another request")
        if row.status is not None and row.body is not None:
            headers = {"Idempotent-Replayed": "true"}
            return Response(row.body, row.status, headers=headers, media_type=row.media_type)
        if row.status is not None:
            raise _made(connection, claim, row.seq, "it held a secret, or was too large")
        if row.seq is not None and row.at <= wall - TAKEN_OVER_AFTER:
            raise _made(connection, claim, row.seq, "it was never finished")
        taken = connection.execute(
            answers.update()
            .where(claim.mine(), c.status.is_(None), c.seq.is_(None), c.at <= wall - TAKEN_OVER_AFTER)
            .values(at=wall)
        )
        if taken.rowcount != 1:
            raise Problem(409, "The request with this Idempotency-Key is still being worked on.")
    return None


def _made(connection: sa.Connection, claim: Claim, seq: int | None, why: str) -> Problem:
    """The change was made: where it can be looked up."""
    entries = audit.read(connection, claim.tenant, seq - 1, 1) if seq else ()
    made = [
        {"seq": e.seq, "at": e.at, "action": e.action, "asset": e.diff.get("asset"), "id": e.diff.get("id")}
        for e in entries
    ]
    return Problem(409, f"This change was made. Its answer is not kept: {why}.", made=made)


def settle(database: Database, claim: Claim, response: Response | None) -> None:
    """Keep the answer of a change that was made; forget the claim of one that was not."""
    c = answers.c
    mine = sa.and_(claim.mine(), c.at == claim.at)
    body = getattr(response, "body", None)
    with database.write() as connection:
        if response is not None and response.status_code < 300:
            keeps = isinstance(body, bytes) and len(body) <= LARGEST and not isinstance(response, ToldOnce)
            connection.execute(
                answers.update()
                .where(mine)
                .values(
                    status=response.status_code, body=body if keeps else None, media_type=response.media_type or ""
                )
            )  # fmt: skip
        else:
            connection.execute(answers.delete().where(mine, c.seq.is_(None)))
