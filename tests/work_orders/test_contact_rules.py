"""When and how a customer may be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from work_orders.domain.contact_rules import (
    DAY,
    WEB,
    Contact,
    HoldUntil,
    Purpose,
    Quiet,
    SendBy,
    Told,
    ToldAlready,
    Wanted,
    Way,
    decide,
)

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Quiet(time(22), time(7))
NOON = datetime(2026, 11, 24, 11, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, 23, tzinfo=UTC)
BOTH = (Way("mail", "x@example.org"), Way("sms", "+49 1"))
YES: dict[tuple[str, str], bool] = {
    (p.value, c): True for p in (Purpose.FORECAST, Purpose.SERVICE, Purpose.SAFETY) for c in ("mail", "sms")
}
IDA = Contact(BERLIN, NIGHT, BOTH, YES)
NOTICE = Wanted("N-1", Purpose.FORECAST)


@pytest.mark.parametrize(
    ("wanted", "contact", "told", "now", "expected"),
    [
        (NOTICE, IDA, (), NOON, SendBy("mail", "x@example.org")),
        (NOTICE, IDA, (), MIDNIGHT, HoldUntil(datetime(2026, 11, 24, 6, tzinfo=UTC), "quiet hours")),
        (NOTICE, replace(IDA, ways=()), (), MIDNIGHT, SendBy(WEB)),
        (
            NOTICE, replace(IDA, consents={("forecast", "sms"): True}), (), NOON,
            SendBy("sms", "+49 1", "mail: no consent for forecast"),
        ),
        (
            NOTICE, replace(IDA, consents={}), (), NOON,
            SendBy(WEB, "", "mail: no consent for forecast; sms: no consent for forecast"),
        ),
        (
            NOTICE, replace(IDA, ways=(Way("mail", "x@example.org", "no such mailbox"), BOTH[1])), (), NOON,
            SendBy("sms", "+49 1", "mail: no such mailbox"),
        ),
        (
            replace(NOTICE, tried=frozenset(("mail",))), IDA, (), NOON,
            SendBy("sms", "+49 1", "mail: tried in vain"),
        ),
        (
            replace(NOTICE, not_before=NOON + DAY), IDA, (), NOON,
            HoldUntil(NOON + DAY, "it can still be stopped until then"),
        ),
        (NOTICE, IDA, (Told("N-1", "mail", NOON - 9 * DAY),), NOON, ToldAlready("mail")),
        (
            NOTICE, replace(IDA, cap_per_day=1), (Told("N-0", "mail", NOON - timedelta(hours=2)),), NOON,
            HoldUntil(NOON + timedelta(hours=22), "already 1 within a day"),
        ),
        (
            NOTICE, replace(IDA, cap_per_day=1), (Told("N-0", WEB, NOON - timedelta(hours=2)),), NOON,
            SendBy("mail", "x@example.org"),
        ),
        (
            replace(NOTICE, purpose=Purpose.SAFETY), IDA, (), MIDNIGHT,
            HoldUntil(datetime(2026, 11, 24, 6, tzinfo=UTC), "quiet hours"),
        ),
        (
            replace(NOTICE, purpose=Purpose.SAFETY),
            replace(IDA, consents={**YES, ("safety_at_night", "mail"): True}, cap_per_day=0), (), MIDNIGHT,
            SendBy("mail", "x@example.org"),
        ),
    ],
)  # fmt: skip
def test_what_the_rules_say(
    wanted: Wanted, contact: Contact, told: tuple[Told, ...], now: datetime, expected: object
) -> None:
    assert decide(wanted, contact, told, now) == expected


ZONES = st.sampled_from([ZoneInfo(z) for z in ("UTC", "Europe/Berlin", "Asia/Shanghai", "Australia/Lord_Howe")])
MOMENTS = st.integers(0, 2 * 366 * 24 * 60).map(lambda m: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=m))
TIMES = st.integers(0, 24 * 12 - 1).map(lambda n: time(n // 12, n % 12 * 5))


@settings(max_examples=40, deadline=None)
@given(ZONES, MOMENTS, TIMES, TIMES)
def test_quiet_hours_end_at_the_first_minute_that_is_not_quiet(
    zone: ZoneInfo, now: datetime, start: time, end: time
) -> None:
    quiet = Quiet(start, end)
    at = now
    while quiet.at(at.astimezone(zone).time()):  # slow and obvious
        at += timedelta(minutes=1)
    assert quiet.until(zone, now) == at


@settings(max_examples=60, deadline=None)
@given(
    ZONES, TIMES, TIMES, st.integers(0, 3), st.booleans(),
    st.lists(
        st.tuples(
            st.integers(0, 5), st.sampled_from(list(Purpose)[:3]), st.integers(0, 36 * 60), st.sampled_from([0, 1, 2])
        ),
        max_size=25,
    ),
    MOMENTS,
)  # fmt: skip
def test_in_any_order_of_wishes_nobody_is_woken_told_twice_or_flooded(
    zone: ZoneInfo, start: time, end: time, cap: int, at_night: bool,
    wishes: list[tuple[int, Purpose, int, int]], begin: datetime,
) -> None:  # fmt: skip
    consents: dict[tuple[str, str], bool] = {**YES, ("safety_at_night", "mail"): at_night}
    contact = Contact(zone, Quiet(start, end), BOTH, consents, cap)
    now, told = begin, list[Told]()
    for key, purpose, minutes, bounces in wishes:
        now += timedelta(minutes=minutes)
        tried = frozenset(w.channel for w in BOTH[:bounces])
        said = decide(Wanted(str(key), purpose, tried=tried), contact, told, now)
        if isinstance(said, HoldUntil):
            assert said.until > now
            assert isinstance(decide(Wanted(str(key), purpose, tried=tried), contact, told, said.until), SendBy)
            continue
        if isinstance(said, ToldAlready):
            assert str(key) in {t.key for t in told}
            continue
        assert said.channel not in tried
        assert str(key) not in {t.key for t in told if t.channel not in tried}
        if said.channel != WEB:
            safety = purpose is Purpose.SAFETY
            woken = contact.quiet.at(now.astimezone(zone).time())
            assert not woken or (safety and at_night and said.channel == "mail")
            lately = [t for t in told if t.channel != WEB and t.at > now - DAY]
            assert safety or len(lately) < cap
        told.append(Told(str(key), said.channel, now))
