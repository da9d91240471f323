"""From a foreign message to the store, the quarantine and the ledger."""

import json

import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from ingest.domain.account import UNSEQUENCED
from ingest.domain.foreign.sparkplug_payload import DataType, read_payload
from ingest.service import foreign as service
from ingest.service.attributes import attributes_of
from ingest.service.foreign_names import (
    BadForeignName,
    foreign_names,
    forget_foreign,
    speak_sparkplug,
    speak_thingsboard,
    stand_behind,
)
from ingest.service.registry import UnknownDevice, find_device, revoke_device
from plumbing.foreign_listener import GONE, HERE
from plumbing.sql import to_us
from tests.ingest.conftest import NOW, World
from tests.ingest.foreign.conftest import TOKEN, Yard
from tests.ingest.foreign.payloads import metric, payload

NODE, TB = "acme/gate", "acme/tb"
NOW_MS = to_us(NOW) // 1000
T = NOW_MS - 5000


def values_of(world: World, device: str) -> dict[tuple[int, str], float]:
    """What is stored of a device: (epoch milliseconds, signal) -> value."""
    return {(t // 1000, signal): v for (_, d, t, signal), v in world.store.points.items() if d == device}


def test_a_sparkplug_node_and_its_device_are_stored(yard: Yard) -> None:
    yard.send(NODE, "spBv1.0/Plant 1/NBIRTH/Line 4", payload(metric("bdSeq", 0), metric("rpm", 1500, t=T), seq=0))
    yard.send(
        NODE, "spBv1.0/Plant 1/DBIRTH/Line 4/Pump",
        payload(metric("Motor/Temp", 20.5, DataType.DOUBLE, alias=1), seq=1, t=T),
    )  # fmt: skip
    yard.send(NODE, "spBv1.0/Plant 1/DDATA/Line 4/Pump", payload(metric(alias=1, value=21.5), seq=2, t=T + 1))
    assert values_of(yard.world, "gate") == {(T, "rpm"): 1500.0}
    assert values_of(yard.world, "pump-1") == {(T, "temp"): 20.5, (T + 1, "temp"): 21.5}
    assert yard.world.entry(UNSEQUENCED).stored == 2
    assert yard.replies == []
    assert yard.kept == [0, 1, 2]
    online = find_device(yard.world.database, "acme", "pump-1")
    assert online is not None
    assert online.online


def test_a_death_takes_node_and_devices_off_line(yard: Yard) -> None:
    yard.send(NODE, "spBv1.0/Plant 1/NBIRTH/Line 4", payload(metric("bdSeq", 0), seq=0))
    yard.send(NODE, "spBv1.0/Plant 1/DBIRTH/Line 4/Pump", payload(metric("rpm", 1.0), seq=1))
    yard.world.clock.pass_(2.0)
    yard.send(NODE, "spBv1.0/Plant 1/NDEATH/Line 4", payload(metric("bdSeq", 0)))
    for name in ("gate", "pump-1"):
        found = find_device(yard.world.database, "acme", name)
        assert found is not None
        assert found.online is False


def test_a_node_is_asked_for_its_births_on_its_own_connection(yard: Yard) -> None:
    yard.send(NODE, "spBv1.0/Plant 1/NDATA/Line 4", payload(metric(alias=1, value=1.0), seq=7, t=T))
    ((account, topic, body),) = yard.replies
    assert (account, topic) == (NODE, "spBv1.0/Plant 1/NCMD/Line 4")
    assert read_payload(body).metrics[0].name == "Node Control/Rebirth"
    assert yard.world.refusals() == [("samples[0].values.metrics[0]", "malformed")]


def test_every_form_of_thingsboard_telemetry_is_stored(yard: Yard) -> None:
    yard.send(
        TB, "v1/devices/me/telemetry",
        f'{{"ts":{T},"values":{{"temp":1}}}}', f'[{{"ts":{T + 1},"values":{{"temp":2}}}}]', '{"rpm":3}', '[{"rpm":4}]',
    )  # fmt: skip
    yard.send(TB, "v1/gateway/telemetry", f'{{"Device A":[{{"ts":{T},"values":{{"temp":5,"rpm":6}}}}]}}')
    assert values_of(yard.world, "tb") == {(T, "temp"): 1.0, (T + 1, "temp"): 2.0, (NOW_MS, "rpm"): 4.0}
    assert values_of(yard.world, "pump-2") == {(T, "temp"): 5.0, (T, "rpm"): 6.0}
    assert yard.world.entry(UNSEQUENCED, "tb").same_time == 1


@pytest.mark.parametrize(
    ("values", "refusals"),
    [
        ('{"temp":"21"}', [("samples[0].values.temp", "wrong_type")]),
        ('{"temp":{"x":1}}', [("samples[0].values.temp", "wrong_type")]),
        ('{"temp":NaN}', [("samples[0].values.temp", "not_finite")]),
        ('{"temp":999}', [("samples[0].values.temp", "out_of_range")]),
        ('{"pressure":1}', [("samples[0].values.pressure", "unknown_signal")]),
        ('{"°":1}', [("samples[0].values.\\xb0", "malformed")]),
        ('{"ts":1.5,"values":{"temp":1}}', [("samples[0].t", "malformed")]),
        (f'{{"ts":{NOW_MS + 3_600_000},"values":{{"temp":1}}}}', [("samples[0].t", "future")]),
        ('{"ts":-9999999999999,"values":{"temp":1}}', [("samples[0].t", "out_of_range")]),
        ('[7,{"temp":1}]', [("samples[0]", "malformed")]),
        ("7", [("", "malformed")]),
        ("nonsense", [("", "malformed")]),
        ('{"temp":"' + "x" * 1_000_000 + '"}', [("", "too_large")]),
    ],
    ids=range(13),
)
def test_refusals_by_exact_reason(yard: Yard, values: str, refusals: list[tuple[str, str]]) -> None:
    yard.send(TB, "v1/devices/me/telemetry", values)
    assert [(p.encode("ascii", "backslashreplace").decode(), r) for p, r in yard.world.refusals()] == refusals
    (kept,) = yard.world.page()
    assert (kept.tenant, kept.device) == ("acme", "tb")
    assert sum(yard.world.entry(UNSEQUENCED, "tb").refused.values()) == 1


def test_a_dataset_is_of_a_wrong_type_and_the_rest_is_stored(yard: Yard) -> None:
    table = metric("temp", kind=DataType.DATASET, raw=b"\x8a\x01\x00")
    yard.send(NODE, "spBv1.0/Plant 1/NDATA/Line 4", payload(table, metric("rpm", 7.0), t=T))
    assert values_of(yard.world, "gate") == {(T, "rpm"): 7.0}
    assert yard.world.refusals() == [("samples[0].values.temp", "wrong_type")]


def test_quarantine_shows_the_normal_form_and_where_it_came_from(yard: Yard) -> None:
    yard.send(TB, "v1/gateway/telemetry", f'{{"Device A":[{{"ts":{T},"values":{{"pressure":5}}}}]}}')
    (kept,) = yard.world.page()
    assert kept.topic == "forewarn/v1/acme/pump-2/telemetry"
    assert msgspec.json.decode(kept.body) == {
        "v": 1, "samples": [{"t": T, "values": {"pressure": 5}}], "from": "v1/gateway/telemetry",
    }  # fmt: skip


def test_readings_of_a_stranger_wait_under_its_name_until_it_is_registered(yard: Yard) -> None:
    yard.send(TB, "v1/gateway/telemetry", '{"pump-9":[{"temp":5}]}')
    (kept,) = yard.world.page()
    assert (kept.tenant, kept.device, kept.reason) == ("acme", "pump-9", "unknown_device")


def test_nobody_speaks_for_a_device_that_does_not_stand_behind_him(yard: Yard) -> None:
    """pump-1 stands behind the node, not behind this gateway; gate and tb stand behind nobody."""
    yard.send(TB, "v1/gateway/telemetry", f'{{"pump-1":[{{"ts":{T},"values":{{"temp":5}}}}],"tb":[{{"temp":6}}]}}')
    assert yard.world.store.points == {}
    assert [(q.tenant, q.device, q.reason) for q in yard.world.page()] == [("acme", "tb", "unknown_device")] * 2
    assert {q.topic for q in yard.world.page()} == {"v1/gateway/telemetry pump-1", "v1/gateway/telemetry tb"}


def test_a_repeat_overwrites_itself_and_the_ledger_says_unsequenced(yard: Yard) -> None:
    body = f'{{"ts":{T},"values":{{"temp":1}}}}'
    yard.send(TB, "v1/devices/me/telemetry", body, body)
    assert values_of(yard.world, "tb") == {(T, "temp"): 1.0}
    entry = yard.world.entry(UNSEQUENCED, "tb")
    assert (entry.stored, entry.same_time) == (2, 1)


def test_what_needs_no_storing_is_kept_at_once_and_in_order(yard: Yard) -> None:
    yard.send(TB, "v1/devices/me/attributes", '{"make":"Acme"}')
    yard.send(TB, "v1/devices/me/attributes/request/1", "{}")
    assert yard.kept == [0, 1]
    assert yard.replies == [(TB, "v1/devices/me/attributes/response/1", b'{"client": {"make": "Acme"}, "shared": {}}')]


def test_a_database_that_does_not_answer_leaves_what_was_known(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    assert yard.fleets.may_publish(TB, "v1/devices/me/telemetry")

    def fails() -> None:
        raise OperationalError("select", None, OSError("gone"))

    yard.look()
    monkeypatch.setattr(yard.fleets._database, "read", fails)
    assert yard.fleets.may_publish(TB, "v1/devices/me/telemetry")
    monkeypatch.undo()
    revoke_device(yard.world.database, "acme", "tb", now=NOW)
    yard.look()
    assert not yard.fleets.may_publish(TB, "v1/devices/me/telemetry")


def test_while_ingest_has_no_room_nothing_is_taken(yard: Yard) -> None:
    yard.fleets.attach(lambda message: False)
    assert not yard.fleets.offer(TB, "v1/devices/me/telemetry", b'{"temp":1}', lambda: None)
    yard.fleets.attach(yard.put)
    yard.send(TB, "v1/devices/me/telemetry", f'{{"ts":{T},"values":{{"temp":1}}}}')
    assert values_of(yard.world, "tb") == {(T, "temp"): 1.0}


class TestSigningIn:
    """By token, or by user name and secret."""

    def test_a_token_alone_is_enough_and_it_is_kept_as_a_digest(self, yard: Yard) -> None:
        assert yard.fleets.admit(TOKEN, None) == TB
        assert yard.fleets.admit(TOKEN, "") == TB
        assert yard.fleets.admit("A1_TEST_TOKEM", None) is None
        assert yard.fleets.admit(TB, None) is None
        with yard.world.database.read() as connection:
            assert TOKEN not in str(connection.exec_driver_sql("select * from ingest_foreign").all())

    def test_an_account_signs_in_by_its_secret(self, yard: Yard) -> None:
        from ingest.service.registry import new_secret

        made = new_secret(yard.world.database, "acme", "gate", now=NOW)
        yard.look()
        assert yard.fleets.admit(NODE, made.password) == NODE
        assert yard.fleets.admit(NODE, "wrong") is None
        assert yard.refused == [(NODE, "")]

    def test_a_device_of_our_own_has_no_business_here(self, yard: Yard) -> None:
        yard.world.device("pump-3")
        yard.look()
        assert not yard.fleets.may_publish("acme/pump-3", "v1/devices/me/telemetry")

    def test_the_revoked_are_out_within_a_second(self, yard: Yard) -> None:
        assert yard.fleets.may_publish(TB, "v1/devices/me/telemetry")
        revoke_device(yard.world.database, "acme", "tb", now=NOW)
        yard.world.clock.pass_(1.0)
        assert not yard.fleets.may_publish(TB, "v1/devices/me/telemetry")
        assert yard.fleets.admit(TOKEN, None) is None

    def test_what_waited_while_its_account_was_revoked_is_of_an_unknown_device(self, yard: Yard) -> None:
        yard.fleets.offer(TB, "v1/devices/me/telemetry", b'{"temp":1}', lambda: None)
        revoke_device(yard.world.database, "acme", "tb", now=NOW)
        yard.look()
        yard.take()
        assert [q.reason for q in yard.world.page()] == ["unknown_device"]


class TestNames:
    """Commands on foreign names."""

    def test_they_are_listed_without_the_token(self, yard: Yard) -> None:
        told = {n.device: (n.protocol, n.behind, n.name, n.has_token) for n in foreign_names(yard.world.database)}
        assert told == {
            "gate": ("sparkplug", "", "Plant 1/Line 4", False), "pump-1": ("sparkplug", "gate", "Pump", False),
            "tb": ("thingsboard", "", "", True), "pump-2": ("thingsboard", "tb", "Device A", False),
        }  # fmt: skip

    @pytest.mark.parametrize("address", ["", "a", "a/b/c", "a/", "/b", "a/+", "#/b", "a/" + "b" * 200])
    def test_a_node_needs_group_and_node(self, yard: Yard, address: str) -> None:
        with pytest.raises(BadForeignName):
            speak_sparkplug(yard.world.database, "acme", "pump-1", address, now=NOW)

    @pytest.mark.parametrize("token", ["", "short", "with space in it", "x" * 129, "é" * 20])
    def test_a_token_is_long_and_visible(self, yard: Yard, token: str) -> None:
        with pytest.raises(BadForeignName) as refused:
            speak_thingsboard(yard.world.database, "acme", "pump-1", token=token, now=NOW)
        assert not token or token not in str(refused.value)

    def test_names_that_others_have_are_refused(self, yard: Yard) -> None:
        yard.world.device("pump-9", tenant="other")
        with pytest.raises(BadForeignName):
            speak_sparkplug(yard.world.database, "other", "pump-9", "Plant 1/Line 4", now=NOW)
        with pytest.raises(BadForeignName):
            speak_thingsboard(yard.world.database, "other", "pump-9", token=TOKEN, now=NOW)
        with pytest.raises(BadForeignName):
            stand_behind(yard.world.database, "acme", "pump-1", "tb", "Device A", now=NOW)

    @pytest.mark.parametrize(("gateway", "name"), [("pump-1", "x"), ("pump-2", "x"), ("tb", ""), ("tb", "x" * 201)])
    def test_only_behind_a_gateway_and_with_a_name(self, yard: Yard, gateway: str, name: str) -> None:
        with pytest.raises(BadForeignName):
            stand_behind(yard.world.database, "acme", "pump-1", gateway, name, now=NOW)

    def test_a_device_of_another_tenant_is_unknown(self, yard: Yard) -> None:
        yard.world.device("pump-9", tenant="other")
        with pytest.raises(UnknownDevice):
            stand_behind(yard.world.database, "acme", "pump-9", "tb", "x", now=NOW)
        with pytest.raises(UnknownDevice):
            stand_behind(yard.world.database, "other", "pump-9", "tb", "x", now=NOW)

    @pytest.mark.parametrize("signals", [{"a": "b c"}, {"*": "temp"}, {"a": "-"}])
    def test_a_table_names_signals(self, yard: Yard, signals: dict[str, str]) -> None:
        with pytest.raises(BadForeignName):
            stand_behind(yard.world.database, "acme", "pump-1", "tb", "x", signals=signals, now=NOW)

    def test_what_is_forgotten_is_heard_no_more(self, yard: Yard) -> None:
        forget_foreign(yard.world.database, "acme", "pump-2", now=NOW)
        yard.look()
        yard.send(TB, "v1/gateway/telemetry", '{"Device A":[{"temp":1}]}')
        assert yard.world.store.points == {}
        with pytest.raises(UnknownDevice):
            forget_foreign(yard.world.database, "acme", "pump-2", now=NOW)

    def test_a_device_that_changes_sides_is_heard_on_the_new_one_alone(self, yard: Yard) -> None:
        stand_behind(yard.world.database, "acme", "pump-1", "tb", "Device B", now=NOW)
        yard.look()
        yard.send(NODE, "spBv1.0/Plant 1/DDATA/Line 4/Pump", payload(metric("temp", 1.0), t=T))
        yard.send(TB, "v1/gateway/telemetry", f'{{"Device B":[{{"ts":{T + 1},"values":{{"temp":2}}}}]}}')
        assert values_of(yard.world, "pump-1") == {(T + 1, "temp"): 2.0}


def asked(yard: Yard) -> dict[str, object]:
    """What a device is told of what it told of itself."""
    yard.send(TB, "v1/devices/me/attributes/request/1", "{}")
    ((_, _, body),) = yard.replies
    yard.replies.clear()
    told: dict[str, object] = json.loads(body)["client"]
    return told


def test_attributes_are_given_back_after_a_restart_and_of_nobody_else(yard: Yard) -> None:
    yard.send(TB, "v1/devices/me/attributes", '{"make":"Acme","rev":3,"on":true,"none":null}', '{"rev":4}')
    assert asked(yard) == {"make": "Acme", "rev": 4, "on": True, "none": None}
    again = yard.restarted()
    assert asked(again) == {"make": "Acme", "rev": 4, "on": True, "none": None}
    assert attributes_of(yard.world.database, "acme", "tb")["rev"] == 4
    assert attributes_of(yard.world.database, "acme", "pump-2") == {}


def test_while_the_database_does_not_answer_attributes_wait_in_memory(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.send(TB, "v1/devices/me/attributes", '{"rev":1}')

    def gone(*_: object) -> None:
        raise OperationalError("", {}, Exception("gone"))

    monkeypatch.setattr(service, "keep_attributes", gone)
    yard.send(TB, "v1/devices/me/attributes", '{"rev":2}')
    assert asked(yard) == {"rev": 2}
    assert asked(yard.restarted()) == {"rev": 1}
    monkeypatch.undo()
    yard.send(TB, "v1/devices/me/telemetry", '{"temp":1}')
    assert asked(yard.restarted()) == {"rev": 2}


def online(yard: Yard, *names: str) -> list[bool | None]:
    found = [find_device(yard.world.database, "acme", name) for name in names]
    return [None if device is None else device.online for device in found]


def come_or_go(yard: Yard, account: str, topic: str) -> None:
    yard.world.clock.pass_(2.0)
    yard.fleets.offer(account, topic, b"", lambda: None)
    yard.take()


def test_a_gateway_whose_connection_breaks_takes_those_behind_it_along(yard: Yard) -> None:
    come_or_go(yard, TB, HERE)
    assert online(yard, "tb", "pump-2") == [True, True]
    come_or_go(yard, TB, GONE)
    assert online(yard, "tb", "pump-2") == [False, False]
    come_or_go(yard, TB, HERE)
    assert online(yard, "tb", "pump-2") == [True, True]
    # a Sparkplug node says it by its births and deaths
    come_or_go(yard, NODE, GONE)
    assert online(yard, "gate") == [None]
    for topic in (HERE, GONE):
        assert not yard.fleets.may_publish(TB, topic)
        assert not yard.fleets.may_publish(NODE, topic)
