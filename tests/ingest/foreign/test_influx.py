"""Influx line protocol, line by line."""

import pytest

from ingest.domain.foreign.decoder import Readings, Sample, Station, Told, Unknown, Unreadable
from ingest.domain.foreign.influx import Influx, Nothing
from ingest.domain.foreign.line_protocol import BadLine, Point, read_line, read_lines
from tests.ingest.foreign.payloads import AT_MS, GATE

ALONE = Station("acme", "gate")
NS = 1_795_341_600_000_000_000


def send(lines: str | bytes, station: Station = ALONE) -> list[Told]:
    """Decode one message."""
    body = lines.encode() if isinstance(lines, str) else lines
    return Influx().decode(station, Nothing(), "influx", body, AT_MS)


@pytest.mark.parametrize(
    ("line", "point"),
    [
        ("m f=1", Point("m", {}, {"f": 1.0}, None)),
        ("m,a=b,c=d f=1i,g=2u,h=-3.5e2,k=t,l=FALSE 17", Point(
            "m", {"a": "b", "c": "d"}, {"f": 1, "g": 2, "h": -350.0, "k": True, "l": False}, 17)),
        (r'my\ m,a\,b=c\=d f\ g="x \"y\" = , z" -5', Point("my m", {"a,b": "c=d"}, {"f g": 'x "y" = , z'}, -5)),
        (r'm f="a\\b",g=1', Point("m", {}, {"f": "a\\b", "g": 1.0}, None)),
        ("m  f=1   5", Point("m", {}, {"f": 1.0}, 5)),
        ("m f=1.2.3", Point("m", {}, {"f": "1.2.3"}, None)),
        ("m f=NaN", Point("m", {}, {"f": "NaN"}, None)),
    ],
)  # fmt: skip
def test_a_line_is_read(line: str, point: Point) -> None:
    assert read_line(line) == point


@pytest.mark.parametrize(
    "line", ["m", "m f", "m f=", "m =1", "m f=1 x", "m f=1 2 3", ",a=b f=1", "m,a f=1", "m,a= f=1", "m f=1,", "m " * 5,
             "m f=1 " + "9" * 20],
)  # fmt: skip
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(BadLine):
        read_line(line)


def test_lines_end_outside_of_quotation_marks_and_comments_are_passed_over() -> None:
    text = 'a f=1\r\n# a comment\n\nb f="x\ny",g=2\nc"d f=3\nnonsense\n'
    points = list(read_lines(text))
    assert [p.measurement for p in points if isinstance(p, Point)] == ["a", "b", 'c"d']
    assert points[1] == Point("b", {}, {"f": "x\ny", "g": 2.0}, None)
    assert points[3] == "nonsense"


@pytest.mark.parametrize(
    ("sent", "t"),
    [
        (NS, NS // 1_000_000),
        (NS + 1_500, "2026-11-22T10:00:00.000001+00:00"),
        (NS // 1_000, NS // 1_000_000),
        (NS // 1_000_000, NS // 1_000_000),
        (NS // 1_000_000_000, NS // 1_000_000),
        (9_223_372_036_854_775_807, 9_223_372_036_854),
    ],
)
def test_times_are_nanoseconds_and_shorter_ones_are_understood(sent: int, t: object) -> None:
    (readings,) = send(f"m f=1 {sent}")
    assert isinstance(readings, Readings)
    (sample,) = readings.samples
    assert isinstance(sample, Sample)
    assert sample.t == t or str(sample.t).startswith("2262-04-11T23:47:16")


def test_points_of_one_time_are_one_sample_and_tags_make_names() -> None:
    lines = (
        f"cpu,cpu=cpu0,host=pi usage_idle=97 {NS}\ncpu,cpu=cpu1,host=pi usage_idle=95 {NS}\n"
        f"mem,host=pi used=1i,free=2i {NS}\nmem,host=pi used=3i {NS}\nmem used=4i\n"
    )
    t = NS // 1_000_000
    assert send(lines) == [
        Readings("gate", (
            Sample(t, {"cpu.cpu0.usage_idle": 97.0, "cpu.cpu1.usage_idle": 95.0, "mem.used": 1, "mem.free": 2}),
            Sample(t, {"mem.used": 3}),
            Sample(None, {"mem.used": 4}),
        )),
    ]  # fmt: skip


def test_a_gateway_names_the_devices_behind_it_by_a_tag() -> None:
    lines = (
        f"Motor,device=Device\\ A,host=pi Temp=21.5,rpm=1500i {NS}\nMotor,device=Device\\ B Temp=1\n"
        "Motor,device=Stranger Temp=2\nload one=0.5\n"
    )
    assert send(lines, GATE) == [
        Readings("pump-1", (Sample(NS // 1_000_000, {"temp": 21.5, "Motor.rpm": 1500}),)),
        Readings("fan-1", (Sample(None, {"Motor.Temp": 1.0}),)),
        Unknown("Stranger", (Sample(None, {"Motor.Temp": 2.0}),)),
        Readings("gate", (Sample(None, {"load.one": 0.5}),)),
    ]
    (own,) = send("disk,device=sda1 free=1i")
    assert own == Readings("gate", (Sample(None, {"disk.sda1.free": 1}),))


@pytest.mark.parametrize("body", [b"\xff\xfe", b"m f=\xc3"])
def test_what_is_no_text_is_unreadable(body: bytes) -> None:
    assert send(body) == [Unreadable("gate")]


def test_what_is_no_line_stands_as_the_text_that_it_is() -> None:
    assert send("nonsense\nm f=1\n") == [Readings("gate", ("nonsense", Sample(None, {"m.f": 1.0})))]
