"""Links, sessions, passwords, keys."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from api import service as identity
from api import tables
from api.guard import COOKIE
from api.live import entries_for
from api.roles import Principal, Role
from tests.api.company import TENANT, Company

ADMIN = Principal(TENANT, Role.ADMIN, "", "a", "Anna", None)
PASSWORD = "a long enough password"


def person(company: Company, email: str = "dora@example.org") -> identity.Account:
    """A dispatcher with a password."""
    now = company.world.clock.at
    made = identity.add_account(company.world.database, now, ADMIN, now, "dispatcher", "", "Dora", email)
    identity.set_password(company.world.database, made.id, PASSWORD)
    return made


def test_a_link_works_once(company: Company) -> None:
    link = identity.make_link(company.world.database, company.world.clock.at, TENANT, "engineer")
    assert company.stranger().get(link, follow_redirects=False).headers["location"] == "/fleet"
    assert company.stranger().get(link, follow_redirects=False).status_code == 403


def test_a_link_is_too_old_after_an_hour(company: Company) -> None:
    link = identity.make_link(company.world.database, company.world.clock.at, TENANT, "engineer")
    company.world.clock.at += timedelta(hours=1, seconds=1)
    assert company.stranger().get(link, follow_redirects=False).status_code == 403


def test_the_database_holds_no_secret_that_opens_anything(company: Company) -> None:
    database, now = company.world.database, company.world.clock.at
    link = identity.make_link(database, now, TENANT, "admin")
    key = identity.create_key(database, now, TENANT, "admin")
    session = identity.use_link(database, now, link.removeprefix(identity.LINK_PATH))
    person(company)
    with database.read() as connection:
        kept = "".join(str(list(connection.execute(sa.select(table)))) for table in tables.metadata.sorted_tables)
    for secret in (link.removeprefix(identity.LINK_PATH), key, session.cookie, PASSWORD):
        assert secret not in kept


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(company: Company) -> None:
    link = identity.make_link(company.world.database, company.world.clock.at, TENANT, "engineer")
    cookie = company.stranger().get(link, follow_redirects=False).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_session_ends_by_itself_and_by_signing_out(company: Company) -> None:
    client = company.browser("engineer")
    assert client.get("/api/v1/me").status_code == 200
    other = company.browser("engineer")
    cookie = other.cookies[COOKIE]
    other.post("/sign-out", follow_redirects=False)
    other.cookies.set(COOKIE, cookie)
    assert other.get("/api/v1/me").status_code == 401
    company.world.clock.at += identity.SESSION + timedelta(seconds=1)
    assert client.get("/api/v1/me").status_code == 401


def test_a_person_signs_in_by_password_and_is_sent_on_within_the_site(company: Company) -> None:
    person(company)
    client = company.stranger()
    form = {"email": "Dora@example.org", "password": PASSWORD, "next": "//evil.example/"}
    assert client.post("/sign-in", data=form, follow_redirects=False).headers["location"] == "/inbox"
    form["next"] = "/cases"
    client = company.stranger()
    assert client.post("/sign-in", data=form, follow_redirects=False).headers["location"] == "/cases"


def test_wrong_passwords_are_counted_and_then_nothing_helps(company: Company) -> None:
    person(company)
    client = company.stranger()
    wrong = {"email": "dora@example.org", "password": "wrong"}
    assert [client.post("/sign-in", data=wrong).status_code for _ in range(identity.TRIES)] == [401] * identity.TRIES
    assert client.post("/sign-in", data={**wrong, "password": PASSWORD}).status_code == 429
    company.world.clock.at += identity.TRIES_WITHIN + timedelta(seconds=1)
    assert client.post("/sign-in", data={**wrong, "password": PASSWORD}, follow_redirects=False).status_code == 303


def test_a_closed_account_is_out_at_once(company: Company) -> None:
    made = person(company)
    database, now = company.world.database, company.world.clock.at
    session = identity.start_session(database, now, made.id)
    assert identity.close_account(database, now, ADMIN, now, made.id)
    assert identity.who_by_cookie(database, now, session.cookie) is None
    with pytest.raises(identity.WrongPassword):
        identity.sign_in(database, now, TENANT, "dora@example.org", PASSWORD, "here")


def test_a_key_says_who_it_is_and_needs_no_token(company: Company) -> None:
    client = company.program("technician")
    assert client.get("/api/v1/me").json() == {
        "tenant": TENANT, "role": "technician", "subject": "tom", "name": "API key",
    }  # fmt: skip
    client.headers["authorization"] = "Bearer fw_wrong"
    assert client.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"role": "king"}, "role"),
        ({"email": "nobody"}, "email"),
        ({"name": " "}, "name"),
        ({"role": "customer"}, "subject"),
    ],
)
def test_a_person_who_cannot_be_added_is_refused_with_the_field(
    company: Company, fields: dict[str, str], field: str
) -> None:
    given = {"role": "admin", "subject": "", "name": "N", "email": "n@example.org", **fields}
    now = company.world.clock.at
    with pytest.raises(identity.BadAccount) as refused:
        identity.add_account(company.world.database, now, ADMIN, now, **given)
    assert refused.value.field == field


def test_an_address_is_taken_once_a_tenant(company: Company) -> None:
    person(company)
    with pytest.raises(identity.BadAccount, match="taken"):
        person(company)


def test_the_admin_makes_links_for_his_own_people_alone(company: Company) -> None:
    stranger = identity.ensure_account(company.world.database, company.world.clock.at, "elsewhere", "admin")
    client = company.browser("admin")
    assert client.post(f"/people/{stranger.id}/link").status_code == 404
    made = person(company)
    assert "/sign-in/link/" in client.post(f"/people/{made.id}/link").text


def test_the_installations_own_key_acts_in_the_tenant_that_is_named(company: Company) -> None:
    company.full()
    client = company.program("admin", TENANT, tenant="*")
    assert client.get("/api/v1/me").json()["tenant"] == TENANT
    assert len(client.get("/api/v1/devices").json()["items"]) == 3
    assert client.get("/api/v1/devices", params={"tenant": "elsewhere"}).json()["items"] == []
    assert client.get("/api/v1/devices/acme/p1/ledger").status_code == 200
    assert client.get("/api/v1/devices", params={"tenant": "a/b"}).status_code == 422


def test_no_other_role_has_a_key_of_the_whole_installation(company: Company) -> None:
    with pytest.raises(identity.BadAccount):
        identity.create_key(company.world.database, company.world.clock.at, "*", "dispatcher")


def test_a_key_of_one_tenant_stays_in_it_whatever_is_named(company: Company) -> None:
    client = company.program("admin")
    assert client.get("/api/v1/me", params={"tenant": "elsewhere"}).json()["tenant"] == TENANT


def test_signing_in_and_out_and_failing_to_stand_in_the_chain_and_are_for_admins_alone(company: Company) -> None:
    database, wall = company.world.database, company.world.clock.at
    browser = company.browser("engineer")
    browser.post("/sign-out", follow_redirects=False)
    company.program("dispatcher")
    told = company.world.actions()
    assert {"signed_in", "signed_out", "key_made"} <= set(told)
    for role, hears in ((Role.ADMIN, True), (Role.DISPATCHER, False)):
        who = Principal(TENANT, role, "", "x", "X", None)
        entries, last = entries_for(database, who, set, 0, 10_000)
        assert ("signed_in" in {e.action for e in entries}) is hears
        assert last == len(told)
    made = identity.add_account(database, wall, ADMIN, wall, "engineer", "", "Eva", "eva@x.org")
    identity.set_password(database, made.id, PASSWORD)
    with pytest.raises(identity.WrongPassword):
        identity.sign_in(database, wall, TENANT, "eva@x.org", "not this one", "1.2.3.4")
    assert company.world.actions()[-1] == "sign_in_refused"
