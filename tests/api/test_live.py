"""The stream of events: in order, resumed where it broke off, and only what the listener may hear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from api.live import Live
from api.roles import Principal, Role
from plumbing import audit
from tests.api.company import TENANT, Company

OFFICE = Principal(TENANT, Role.ENGINEER, "", "e", "Eva", None)
CUSTOMER = Principal(TENANT, Role.CUSTOMER, "brewery", "b", "Brewery", None)


def events(block: bytes) -> list[tuple[str, int, dict[str, Any]]]:
    """(kind, id, data) of each event in a piece of the stream."""
    out = []
    for text in block.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if "event" in fields:
            out.append((fields["event"], int(fields.get("id", 0)), msgspec.json.decode(fields["data"])))
    return out


async def listen(
    company: Company, who: Principal, after: int | None, enough: Callable[[list[Any]], bool],
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> list[tuple[str, int, dict[str, Any]]]:  # fmt: skip
    """What is heard until it is enough."""
    live = Live(company.world.database, company.web.owners.tick)
    stream: AsyncIterator[bytes] = live.stream(who, after, lambda: company.web.owners.mine(who), lambda: True)
    heard: list[tuple[str, int, dict[str, Any]]] = []
    async with asyncio.timeout(20):
        async for block in stream:
            heard += events(block)
            if meanwhile is not None and heard:
                await meanwhile()
                meanwhile = None
            if enough(heard):
                break
    live.close()
    return heard


def of_kind(heard: list[tuple[str, int, dict[str, Any]]], kind: str) -> list[int]:
    return [seq for k, seq, _ in heard if k == kind]


def test_a_stream_tells_the_whole_chain_from_the_number_given(company: Company) -> None:
    company.full()
    with company.world.database.read() as connection:
        last = audit.read(connection, TENANT, limit=10_000)[-1].seq
    heard = asyncio.run(listen(company, OFFICE, 0, lambda h: last in of_kind(h, "audit")))
    assert of_kind(heard, "audit") == list(range(1, last + 1))
    resumed = asyncio.run(listen(company, OFFICE, last - 3, lambda h: last in of_kind(h, "audit")))
    assert of_kind(resumed, "audit") == [last - 2, last - 1, last]


def test_what_happens_while_one_listens_arrives(company: Company) -> None:
    async def act() -> None:
        await asyncio.to_thread(company.hostile, "later")

    heard = asyncio.run(listen(company, OFFICE, None, lambda h: bool(of_kind(h, "audit")), act))
    assert "later" in next(data["text"] for kind, _, data in heard if kind == "audit")


def test_a_tick_comes_about_once_a_second(company: Company) -> None:
    heard = asyncio.run(listen(company, OFFICE, None, lambda h: len([k for k, _, _ in h if k == "tick"]) >= 2))
    tick = next(data for kind, _, data in heard if kind == "tick")
    assert tick["assets"].keys() == {"p1", "p2", "p3"}
    assert tick["factor"] == 1


def test_a_customer_hears_of_his_own_machines_and_nothing_of_the_office(company: Company) -> None:
    company.full()
    heard = asyncio.run(listen(company, CUSTOMER, 0, lambda h: any(k == "tick" for k, _, _ in h)))
    told = [data for kind, _, data in heard if kind == "audit"]
    assert told
    assert {t["asset"] for t in told} == {"p3"}
    assert "case_opened" not in {t["action"] for t in told}
    assert all("actor" not in t for t in told)
    tick = next(data for kind, _, data in heard if kind == "tick")
    assert tick["assets"].keys() == {"p3"}


def test_a_stream_ends_with_its_session(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live.CHECK_S", 0.0)

    async def to_the_end() -> int:
        live = Live(company.world.database, company.web.owners.tick)
        count = 0
        async with asyncio.timeout(20):
            async for _ in live.stream(OFFICE, None, set, lambda: False):
                count += 1
        live.close()
        return count

    assert asyncio.run(to_the_end()) >= 1


@pytest.mark.parametrize(("header", "since"), [("-1", ""), ("x", ""), ("", "one"), ("", "9" * 30)])
def test_a_number_that_is_none_is_refused(company: Company, header: str, since: str) -> None:
    client = company.program("engineer")
    answer = client.get("/events", params={"since": since}, headers={"last-event-id": header} if header else {})
    assert answer.status_code == 422
    assert answer.json()["field"] == ("Last-Event-ID" if header else "since")
