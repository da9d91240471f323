"""Past cases whose symptoms were alike, with what was found."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.domain.likeness import likeness, nearest, pattern_of
from anomaly.queries.past_cases import PastCase, like_now, past_cases
from anomaly.service import tables as t
from contracts.records import Carrier, Prediction, encode
from tests.anomaly.bench import WALL, Bench

DAY = timedelta(days=1)
WORN = (("vibration", 0.7, "up"), ("temperature", 0.3, "up"))
CLOGGED = (("pressure", 0.9, "down"), ("temperature", 0.1, "up"))
Carried = tuple[tuple[str, float, str], ...]
PATTERNS = st.dictionaries(st.sampled_from("abcd"), st.floats(-1, 1).map(lambda x: round(x, 3)), max_size=4)


@given(a=PATTERNS, b=PATTERNS, by=st.floats(0.1, 10))
def test_likeness_is_mutual_and_asks_not_for_size(a: dict[str, float], b: dict[str, float], by: float) -> None:
    assert -1 - 1e-9 <= likeness(a, b) <= 1 + 1e-9
    assert likeness(a, b) == pytest.approx(likeness(b, a), abs=1e-9)
    assert likeness(a, {name: by * x for name, x in b.items()}) == pytest.approx(likeness(a, b), abs=1e-6)
    if any(a.values()):
        assert likeness(a, a) == pytest.approx(1.0)


def test_the_other_way_is_another_story() -> None:
    up, down = pattern_of([("pressure", 1.0, "up")]), pattern_of([("pressure", 1.0, "down")])
    assert likeness(up, down) == pytest.approx(-1.0)
    assert nearest(up, [(down, "down"), ({}, "nothing"), (up, "up")], 3) == [(1.0, "up")]


def prediction(device: str, at: datetime, carried: Carried, component: str = "bearing") -> Prediction:
    return Prediction(
        1, f"{device}@{at:%j}/x", "acme", device, "pump", "1", component, "wear", 0.9, at, at, f"{device}@{at:%j}", at,
        2.0, 1.8, 90.0, None, [], [], None, at, [Carrier(*c) for c in carried], "good", True,
    )  # fmt: skip


def case(bench: Bench, device: str, day: int, carried: Carried, verdict: str, mode: str, model: str = "pump") -> None:
    """An alarm of two days and its finding."""
    at = WALL + day * DAY
    made = prediction(device, at + DAY, carried)
    with bench.database.write() as connection:
        if connection.execute(t.states.select().where(t.states.c.device == device)).first() is None:
            connection.execute(
                t.states.insert().values(tenant="acme", device=device, model=model, memory=b"", picture="{}")
            )
        connection.execute(t.predictions.insert().values(
            tenant="acme", id=made.id, device=device, component="bearing", alarm_id=made.alarm_id,
            issued_at=made.issued_at, measured_at=made.measured_at, payload=encode(made),
        ))  # fmt: skip
        connection.execute(t.labels.insert().values(
            tenant="acme", device=device, finding_id=f"F-{device}-{day}", case_id=f"C-{device}-{day}", asset=device,
            component="bearing", mode=mode, verdict=verdict, from_at=at, to_at=at + 2 * DAY, as_found="ring worn",
            replaced=verdict == "true", serial="",
        ))  # fmt: skip


def test_the_nearest_cases_of_the_same_kind_come_with_their_findings(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    case(bench, "p1", 0, WORN, "true", "wear")
    case(bench, "p2", 5, (("vibration", 0.5, "up"), ("temperature", 0.5, "up")), "false", "wear")
    case(bench, "p3", 9, CLOGGED, "true", "clogged")
    case(bench, "p4", 12, WORN, "unknown", "wear")
    case(bench, "fan", 3, WORN, "true", "unbalance", model="fan")
    case(bench, "p1", 90, WORN, "true", "wear")
    now = WALL + 60 * DAY
    found = past_cases(bench.database, "acme", prediction("p3", now, WORN))
    assert [(x.case, x.verdict) for x in found] == [("C-p1-0", "true"), ("C-p2-5", "false")]
    assert replace(found[0], likeness=1.0) == PastCase(
        "C-p1-0", "p1", "p1", "bearing", "wear", "true", "ring worn", True, WALL + 2 * DAY, 1.0
    )
    assert found[0].likeness == pytest.approx(1.0)
    assert 0.5 < found[1].likeness < 1
    assert [x.case for x in past_cases(bench.database, "acme", prediction("p1", now, CLOGGED), 1)] == ["C-p3-9"]
    assert like_now(bench.database, "acme", "p1") == []
    alarm = {"tenant": "acme", "id": f"p1@{WALL + 91 * DAY:%j}", "device": "p1", "component": "bearing",
             "raised_at": WALL + 90 * DAY, "score": 2.0, "reason": "", "history": False, "carriers": "[]"}  # fmt: skip
    with bench.database.write() as connection:
        connection.execute(t.alarms.insert().values(**alarm))
    assert [x.case for x in like_now(bench.database, "acme", "p1")] == ["C-p1-0", "C-p2-5"]
    assert past_cases(bench.database, "other", prediction("p1", now, WORN)) == []
