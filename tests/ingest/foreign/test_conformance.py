"""What every decoder promises, on any bytes."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.domain.foreign import decoders
from ingest.domain.foreign.decoder import (
    Decoder,
    Presence,
    Readings,
    Remembered,
    Reply,
    Sample,
    Station,
    Unknown,
    Unreadable,
)
from tests.ingest.foreign.payloads import AT_MS, GATE, NODE, metric, payload

STATIONS = {"sparkplug": NODE, "thingsboard": GATE, "influx": GATE}
TOPICS = {
    "sparkplug": [
        *(f"spBv1.0/Plant 1/{kind}/Line 4" for kind in ("NBIRTH", "NDATA", "NDEATH")),
        *(f"spBv1.0/Plant 1/{kind}/Line 4/{who}" for kind in ("DBIRTH", "DDATA", "DDEATH") for who in ("Pump", "X")),
    ],
    "thingsboard": [
        "v1/devices/me/telemetry", "v1/devices/me/attributes", "v1/devices/me/attributes/request/7",
        "v1/devices/me/rpc/request/1", "v1/devices/me/rpc/response/1", "v1/devices/me/claim", "v1/gateway/telemetry",
        "v1/gateway/attributes", "v1/gateway/attributes/request", "v1/gateway/connect", "v1/gateway/disconnect",
        "v1/gateway/rpc", "v1/gateway/claim",
    ],
    "influx": ["influx", "influx/anything"],
}  # fmt: skip
OTHERS = ["", "/", "spBv1.0", "spBv1.0/Plant 1/NCMD/Line 4", "spBv1.0/Plant 1/NDATA/Line 5", "spBv1.0/x/NDATA/Line 4",
          "spBv1.0/Plant 1/DCMD/Line 4/Pump", "spBv1.0/STATE/forewarn", "STATE/forewarn", "v1/devices/me",
          "v1/devices/you/telemetry", "v1/devices/me/rpc/request/+", "v1/gateway", "v1/gateway/#",
          "forewarn/v1/acme/gate/telemetry", "$SYS/x", "spBv1.0/Plant 1/DDATA/Line 4/", "influx2"]  # fmt: skip
CASES = [pytest.param(d, t, id=f"{d.name} {t}") for d in decoders() for t in TOPICS[d.name]]
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_json = st.recursive(
    _scalars, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=8), c, max_size=4), max_leaves=12
)
_words = st.sampled_from(
    ["ts", "values", "device", "Device A", "temp", "id", "clientKeys", "method", "getSessionLimits"]
)
_likely = st.recursive(
    _scalars | _words,
    lambda c: st.lists(c, max_size=3) | st.dictionaries(_words, c, max_size=5),
    max_leaves=12,
)
_near = st.builds(
    lambda good, at, bad: good[: at % (len(good) + 1)] + bad + good[at % (len(good) + 1) + len(bad) :],
    st.sampled_from([
        payload(metric("Motor/Temp", 21.5), metric("on", True), metric(alias=3, value=7), seq=4),
        payload(metric("bdSeq", 3), metric("a", "text"), metric("b", null=True), seq=0),
        b'cpu,device=Pump temp=21.5,on=true,n=3i,s="x y" 1795341600000000000\nm f=1',
        b'{"ts":1795341600000,"values":{"temp":21.5}}',
    ]),
    st.integers(0, 200),
    st.binary(max_size=4),
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=60),
    _near,
    _json.map(lambda x: json.dumps(x).encode()),
    _likely.map(lambda x: json.dumps(x).encode()),
)


@pytest.mark.parametrize("decoder", [pytest.param(d, id=d.name) for d in decoders()])
class TestRights:
    """Who may go where."""

    def test_a_station_may_publish_on_its_own_topics_alone(self, decoder: Decoder) -> None:
        station = STATIONS[decoder.name]
        assert all(decoder.takes(t) and decoder.may_publish(station, t) for t in TOPICS[decoder.name])
        assert [t for t in OTHERS if decoder.may_publish(station, t)] == []

    def test_no_station_hears_what_is_for_others(self, decoder: Decoder) -> None:
        for filter_ in ("#", "+/#", "forewarn/#", "forewarn/v1/acme/gate/stored", "spBv1.0/#", "spBv1.0/+/+/#",
                        "spBv1.0/Plant 1/NCMD/Line 5", "v1/#", "+/devices/me/#"):  # fmt: skip
            assert not decoder.may_receive(STATIONS[decoder.name], filter_)

    def test_a_station_without_address_is_nobody_in_sparkplug(self, decoder: Decoder) -> None:
        for topic in ("spBv1.0///", "spBv1.0//NDATA/", "spBv1.0//NDATA"):
            assert not decoder.may_publish(Station("acme", "gate"), topic)


@pytest.mark.parametrize(("decoder", "topic"), CASES)
class TestAnyBytes:
    """Whatever comes."""

    @settings(max_examples=40, deadline=None)
    @given(bodies=st.lists(BODIES, min_size=1, max_size=4))
    def test_nothing_raises_and_what_is_told_can_be_sent_on(
        self, decoder: Decoder, topic: str, bodies: list[bytes]
    ) -> None:
        station, session = STATIONS[decoder.name], decoder.session({})
        before = copy.deepcopy(station)
        mine = {station.device, *station.behind.values()}
        for body in bodies:
            kept = bytes(body)
            for told in decoder.decode(station, session, topic, body, AT_MS):
                if isinstance(told, Readings | Unknown):
                    assert told.samples
                    assert all(isinstance(s, str) or _can_be_sent(s) for s in told.samples)
                if isinstance(told, Remembered):
                    assert decoder.remembers
                    assert told.values
                    assert json.loads(json.dumps(dict(told.values), allow_nan=False)) == told.values
                if isinstance(told, Readings | Presence | Unreadable | Remembered):
                    assert told.device in mine
                if isinstance(told, Unknown):
                    assert told.name not in station.behind
                if isinstance(told, Reply):
                    assert decoder.may_receive(station, told.topic)
            assert body == kept
        assert station == before

    @pytest.mark.parametrize(
        "body",
        [
         b"", b"\xff" * 50, b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'{"temp":' + b"9" * 5000 + b"}",
         b'{"ts":' + b"9" * 5000 + b',"values":{"temp":1}}', b'{"\\ud800":1}', b'"\\ud800"',
         b"\x12\xff\xff\xff\xff\x0f",
         b"\x12" * 1000, payload(metric("x" * 100_000, 1.0)), b"\x12\x00" * 30_000, b"," * 1000, b"m " * 1000,
         b'[{"ts":NaN,"values":{"temp":NaN}}]'],
        ids=range(16),
    )  # fmt: skip
    def test_what_breaks_readers_breaks_nothing(self, decoder: Decoder, topic: str, body: bytes) -> None:
        for told in decoder.decode(STATIONS[decoder.name], decoder.session({}), topic, body, AT_MS):
            if isinstance(told, Readings | Unknown):
                assert all(isinstance(s, str) or _can_be_sent(s) for s in told.samples)


def _can_be_sent(sample: Sample) -> bool:
    json.dumps({"t": sample.t, "values": dict(sample.values)})
    return all(type(v) in (int, float, bool, str, type(None)) for v in [sample.t, *sample.values.values()])


@pytest.mark.parametrize("decoder", [pytest.param(d, id=d.name) for d in decoders()])
def test_one_bad_value_never_loses_the_rest(decoder: Decoder) -> None:
    topic, body = _GOOD_AND_BAD[decoder.name]
    told = decoder.decode(STATIONS[decoder.name], decoder.session({}), topic, body, AT_MS)
    samples = [s for t in told if isinstance(t, Readings) for s in t.samples if isinstance(s, Sample)]
    assert [s.values["temp"] for s in samples] == [21.5]


_GOOD_AND_BAD: dict[str, tuple[str, bytes]] = {
    "sparkplug": (
        "spBv1.0/Plant 1/NDATA/Line 4",
        payload(b"\xff\xff", metric(alias=9, value=1), metric("temp", 21.5), metric("x", raw=b"\x82\x01\x00")),
    ),
    "thingsboard": ("v1/devices/me/telemetry", b'[3,null,{"ts":1,"values":[]},{"temp":21.5,"x":{"y":[1]}}]'),
    "influx": ("influx", b"nonsense\nMotor,device=Device\\ A Temp=21.5,x=1.2.3 1795341600000000000\n=,= =\n"),
}
