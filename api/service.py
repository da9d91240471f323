"""Commands on people: accounts, sign-in links, sessions, passwords, API keys. Each is one transaction.

All times here are wall time, also for tenants on a scaled clock; the audit entry is dated by the tenant's clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from api import secret
from api.roles import Principal, Role
from api.tables import accounts, attempts, keys, links, sessions
from plumbing import audit
from plumbing.sql import Database

SESSION = timedelta(hours=12)
LINK = timedelta(hours=1)
TRIES, TRIES_WITHIN = 10, timedelta(minutes=15)
PASSWORD_LENGTH = (10, 200)
LINK_PATH = "/sign-in/link/"
EVERY_TENANT = "*"
At = Callable[[str], datetime]
"""The time of a tenant's clock."""
MAKER_ENDS = "."


class UnknownLink(Exception):
    """The sign-in link does not exist, was used, or is too old."""


class WrongPassword(Exception):
    """No account has this e-mail address and password."""


class TooManyTries(Exception):
    """Sign-in is closed for this account or address for a while."""


class BadAccount(Exception):
    """The account cannot be made or changed; `field`, `value` and `rule` say why."""

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.value, self.rule = field, value, rule


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in."""

    id: str
    tenant: str
    role: Role
    subject: str
    name: str
    email: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A new session: the cookie's value is shown once."""

    cookie: str
    account: Account


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    m = row._mapping
    return Account(m["id"], m["tenant"], Role(m["role"]), m["subject"], m["name"], m["email"], m["closed_at"])


def ensure_account(
    database: Database, wall: datetime, tenant: str, role: Role | str, subject: str = "", name: str = ""
) -> Account:
    """The open account of this tenant, role and subject; made if there is none."""
    role = Role(role)
    with database.write() as connection:
        found = connection.execute(
            sa.select(accounts)
            .where(
                accounts.c.tenant == tenant, accounts.c.role == role.value, accounts.c.closed_at.is_(None),
                accounts.c.subject == subject,
            )
            .order_by(accounts.c.created_at)
        ).first()  # fmt: skip
        if found is not None:
            return _account(found)
        made = Account(secret.new_id(), tenant, role, subject, name or subject or role.value.capitalize(), None, None)
        _insert(connection, made, wall)
        return made


def _insert(connection: sa.Connection, made: Account, wall: datetime) -> None:
    connection.execute(
        accounts.insert().values(
            id=made.id, tenant=made.tenant, role=made.role.value, subject=made.subject, name=made.name,
            email=made.email, password=None, created_at=wall, closed_at=None,
        )
    )  # fmt: skip


def add_account(
    database: Database, wall: datetime, by: Principal, at: datetime, role: str, subject: str, name: str, email: str
) -> Account:
    """A new person in the tenant of `by`. Raises BadAccount."""
    if role not in set(Role):
        raise BadAccount("role", role, f"must be one of {', '.join(Role)}")
    if not 1 <= len(name.strip()) <= 200:
        raise BadAccount("name", name, "1 to 200 characters")
    if "@" not in email or not 3 <= len(email) <= 200:
        raise BadAccount("email", email, "must be an e-mail address")
    if role in (Role.CUSTOMER, Role.TECHNICIAN) and not subject:
        raise BadAccount("subject", subject, f"the id of the {role} whom this account stands for")
    made = Account(secret.new_id(), by.tenant, Role(role), subject, name.strip(), email.strip().lower(), None)
    try:
        with database.write() as connection:
            _insert(connection, made, wall)
            audit.append(
                connection, by.tenant, at, by.actor, "account_added",
                {"id": made.id, "text": f"{made.name} may sign in as {role}", "role": role},
            )  # fmt: skip
    except sa.exc.IntegrityError as taken:
        raise BadAccount("email", email, "is taken") from taken
    return made


def close_account(database: Database, wall: datetime, by: Principal, at: datetime, account: str) -> bool:
    """Close an account of the same tenant and end its sessions; False when there is none."""
    with database.write() as connection:
        done = connection.execute(
            accounts.update()
            .where(accounts.c.id == account, accounts.c.tenant == by.tenant, accounts.c.closed_at.is_(None))
            .values(closed_at=wall)
        ).rowcount
        if done:
            connection.execute(sessions.delete().where(sessions.c.account == account))
            audit.append(
                connection, by.tenant, at, by.actor, "account_closed", {"id": account, "text": "An account was closed"}
            )
    return bool(done)


def list_accounts(database: Database, tenant: str, role: Role | None = None) -> list[Account]:
    """Open accounts of a tenant, oldest first."""
    query = sa.select(accounts).where(accounts.c.tenant == tenant, accounts.c.closed_at.is_(None))
    if role is not None:
        query = query.where(accounts.c.role == role.value)
    with database.read() as connection:
        return [_account(row) for row in connection.execute(query.order_by(accounts.c.created_at, accounts.c.id))]


def set_password(
    database: Database, account: str, password: str, by: Principal | None = None, at: datetime | None = None
) -> None:
    """Set a password; audited where it is said who does it and when. Raises BadAccount."""
    low, high = PASSWORD_LENGTH
    if not low <= len(password) <= high:
        raise BadAccount("password", "", f"{low} to {high} characters")
    kept = secret.hash_password(password)
    with database.write() as connection:
        connection.execute(accounts.update().where(accounts.c.id == account).values(password=kept))
        if by is not None and at is not None:
            told = {"id": account, "text": f"{by.name} set a new password"}
            audit.append(connection, by.tenant, at, by.actor, "password_set", told)


def make_link(
    database: Database, wall: datetime, tenant: str, role: Role | str, subject: str = "", *, lives: timedelta = LINK
) -> str:
    """Path of a sign-in link that works once and for a short time; the account is made if there is none."""
    return link_for(database, wall, ensure_account(database, wall, tenant, role, subject), lives=lives)


def link_for(
    database: Database, wall: datetime, account: Account, *, lives: timedelta = LINK, by: Principal | None = None,
    at: datetime | None = None,
) -> str:  # fmt: skip
    """Path of a sign-in link for an account; audited where it is said who makes it and when."""
    value = secret.token()
    with database.write() as connection:
        connection.execute(links.delete().where(links.c.expires_at < wall))
        connection.execute(
            links.insert().values(
                hash=secret.digest(value), tenant=account.tenant, account=account.id, expires_at=wall + lives
            )
        )
        if by is not None and at is not None:
            told = {"id": account.id, "text": f"A sign-in link was made for {account.name}"}
            audit.append(connection, account.tenant, at, by.actor, "link_made", told)
    return LINK_PATH + value


def use_link(database: Database, wall: datetime, value: str, at: At | None = None) -> Session:
    """Sign in by a link. Raises UnknownLink; of two who use it at once, one gets in."""
    where = links.c.hash == secret.digest(value)
    with database.write() as connection:
        done = connection.execute(
            links.update().where(where, links.c.used_at.is_(None), links.c.expires_at > wall).values(used_at=wall)
        )
        if done.rowcount != 1:
            raise UnknownLink
        account = connection.execute(sa.select(links.c.account).where(where)).scalar_one()
        return _open(connection, wall, str(account), "by a link", at)


def start_session(database: Database, wall: datetime, account: str) -> Session:
    """A session for an account (one-click switch of the demo, which tells it itself)."""
    with database.write() as connection:
        return _open(connection, wall, account)


def _open(connection: sa.Connection, wall: datetime, account: str, how: str = "", at: At | None = None) -> Session:
    row = connection.execute(
        sa.select(accounts).where(accounts.c.id == account, accounts.c.closed_at.is_(None))
    ).first()
    if row is None:
        raise UnknownLink
    of = _account(row)
    cookie = secret.token()
    connection.execute(sessions.delete().where(sessions.c.expires_at < wall))
    connection.execute(
        sessions.insert().values(
            hash=secret.digest(cookie), tenant=of.tenant, account=of.id, csrf=secret.token(),
            expires_at=wall + SESSION,
        )
    )  # fmt: skip
    if how:
        _tell(connection, of, "signed_in", f"{of.name} signed in {how}", wall, at)
    return Session(cookie, of)


def _tell(connection: sa.Connection, of: Account, action: str, text: str, wall: datetime, at: At | None) -> None:
    """Append to the tenant's chain what became of an account; `at` gives the tenant's time."""
    actor = f"{of.role}:{of.subject or of.id}"
    told = {"id": of.id, "role": of.role.value, "text": text}
    audit.append(connection, of.tenant, at(of.tenant) if at else wall, actor, action, told)


def sign_in(
    database: Database, wall: datetime, tenant: str, email: str, password: str, address: str, at: At | None = None
) -> Session:
    """Sign in by password. Raises WrongPassword, TooManyTries (per account and per address, in any process)."""
    who = (f"account:{tenant}/{email.strip().lower()}"[:300], f"address:{address}"[:300])
    with database.write() as connection:
        connection.execute(attempts.delete().where(attempts.c.at < wall - TRIES_WITHIN))
        for name in who:
            made = connection.execute(
                sa.select(sa.func.count()).select_from(attempts).where(attempts.c.who == name)
            ).scalar_one()
            if made >= TRIES:
                raise TooManyTries
        connection.execute(attempts.insert(), [{"tenant": tenant[:64], "who": name, "at": wall} for name in who])
        row = connection.execute(
            sa.select(accounts).where(
                accounts.c.tenant == tenant, accounts.c.email == email.strip().lower(), accounts.c.closed_at.is_(None)
            )
        ).first()
    if not secret.password_fits(row.password if row else None, password) or row is None:
        if row is not None:
            with database.write() as connection:
                _tell(connection, _account(row), "sign_in_refused", f"A wrong password for {row.name}", wall, at)
        raise WrongPassword
    with database.write() as connection:
        connection.execute(attempts.delete().where(attempts.c.who.in_(who)))
        return _open(connection, wall, row.id, "by password", at)


def end_session(database: Database, cookie: str, by: Principal | None = None, at: datetime | None = None) -> None:
    """Sign out; audited where it is said who does it and when."""
    with database.write() as connection:
        ended = connection.execute(sessions.delete().where(sessions.c.hash == secret.digest(cookie))).rowcount
        if ended and by is not None and at is not None:
            told = {"id": by.account, "text": f"{by.name} signed out"}
            audit.append(connection, by.tenant, at, by.actor, "signed_out", told)


def who_by_cookie(database: Database, wall: datetime, cookie: str) -> Principal | None:
    """Whose session it is; None when it has ended."""
    with database.read() as connection:
        row = connection.execute(
            sa.select(
                accounts.c.id, accounts.c.tenant, accounts.c.role, accounts.c.subject, accounts.c.name, sessions.c.csrf
            )
            .join(sessions, sessions.c.account == accounts.c.id)
            .where(
                sessions.c.hash == secret.digest(cookie), sessions.c.expires_at > wall, accounts.c.closed_at.is_(None)
            )
        ).first()
    return Principal(row.tenant, Role(row.role), row.subject, row.id, row.name, row.csrf) if row else None


def create_key(
    database: Database, wall: datetime, tenant: str, role: Role | str, subject: str = "", *, maker: str = "",
    at: datetime | None = None,
) -> str:  # fmt: skip
    """A new API key, shown once: `fw_...`.

    A key of `EVERY_TENANT` (admin alone) is the installation's own: it acts in the tenant that a request names, by
    path or `?tenant=`, else in the tenant `subject`. `maker` names a program that makes keys for itself, so that
    `revoke_keys` finds them.
    """
    if tenant == EVERY_TENANT and role != Role.ADMIN:
        raise BadAccount("role", str(role), "a key of the whole installation is an admin's")
    value = f"fw_{secret.token()}"
    id = f"{maker}{MAKER_ENDS}{secret.new_id()}" if maker else secret.new_id()
    with database.write() as connection:
        connection.execute(
            keys.insert().values(
                id=id, tenant=tenant,
                role=Role(role).value, subject=subject, hash=secret.digest(value), created_at=wall,
            )
        )  # fmt: skip
        told = {"id": id, "text": f"An API key was made for the role {Role(role).value}", "subject": subject}
        audit.append(connection, tenant, at or wall, maker or "forewarn", "key_made", told)
    return value


def revoke_keys(database: Database, wall: datetime, maker: str) -> int:
    """Revoke every key that a program made for itself; returns how many there were."""
    with database.write() as connection:
        return connection.execute(
            keys.update()
            .where(keys.c.id.startswith(maker + MAKER_ENDS, autoescape=True), keys.c.revoked_at.is_(None))
            .values(revoked_at=wall)
        ).rowcount


def who_by_key(database: Database, value: str) -> Principal | None:
    """Whose API key it is; None when it is unknown or revoked."""
    with database.read() as connection:
        row = connection.execute(
            sa.select(keys).where(keys.c.hash == secret.digest(value), keys.c.revoked_at.is_(None))
        ).first()
    return Principal(row.tenant, Role(row.role), row.subject, f"key:{row.id}", "API key", None) if row else None
