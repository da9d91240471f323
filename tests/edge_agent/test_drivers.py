"""One suite over the drivers that read this machine, then what is special about csv and host.

Those that read other machines have theirs in test_live_drivers.py.
"""

import gzip
import lzma
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from contracts.asset_model_text import parse
from edge_agent.adapters import drivers
from edge_agent.adapters.csv_driver import AT_THE_END_S, CsvDriver, cell
from edge_agent.adapters.host_driver import HostDriver
from edge_agent.adapters.outbox import Limits, SqliteOutbox
from edge_agent.domain.driving import Batch, Reading
from edge_agent.service import Driver

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
ROOM = 1_000_000
KINDS = ["csv", "host"]


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Driver]:
    """A driver of each kind with options that work; a new kind must be given some here."""
    (tmp_path / "in.csv").write_text("time,vibration\n" + "".join(f"2026-11-22T10:00:{i:02}Z,{i}\n" for i in range(60)))
    given: dict[str, dict[str, object]] = {"csv": {"path": "in.csv", "rate": 20.0}, "host": {"every": 0.1}}

    def made(kind: str) -> Driver:
        options, faults = drivers.check(kind, given[kind], str(tmp_path), kind)
        assert faults == []
        return drivers.load(kind)(options)

    return made


def polled(driver: Driver, seconds: float, position: str = "", start: float = 0.0) -> tuple[list[Reading], str]:
    """What a driver gives in so many seconds, polled when it says that polling makes sense."""
    readings, now = [], start
    while now <= start + seconds:
        batch = driver.poll(position, AT, now, ROOM)
        readings += batch.readings
        position = batch.position
        assert batch.due >= now
        now = max(batch.due, now + 0.01)
    return readings, position


@pytest.mark.parametrize("kind", KINDS)
class TestEveryDriver:
    def test_gives_readings_that_an_outbox_takes(self, kind: str, make: Callable[[str], Driver]) -> None:
        readings, position = polled(make(kind), 1.0)
        assert readings
        outbox = SqliteOutbox(Path(":memory:"), Limits(), lambda: 0.0)
        assert outbox.append(kind, readings, position).refused == 0
        assert outbox.waiting == len(readings)

    def test_gives_nothing_before_it_is_due(self, kind: str, make: Callable[[str], Driver]) -> None:
        driver = make(kind)
        _, position = polled(driver, 0.5)
        batch = driver.poll(position, AT, 0.6, ROOM)
        assert driver.poll(batch.position, AT, batch.due - 0.01, ROOM).readings == []

    def test_goes_on_from_its_position_in_a_new_process(self, kind: str, make: Callable[[str], Driver]) -> None:
        first = make(kind)
        before, position = polled(first, 0.5)
        first.close()
        after, _ = polled(make(kind), 0.5, position, start=100.0)
        assert after
        if position:
            assert not {r.t for r in before} & {r.t for r in after}

    def test_is_usable_again_after_close(self, kind: str, make: Callable[[str], Driver]) -> None:
        driver = make(kind)
        _, position = polled(driver, 0.5)
        driver.close()
        assert polled(driver, 0.5, position, start=10.0)[0]

    def test_refuses_unknown_and_wrong_options_by_name(self, kind: str, tmp_path: Path) -> None:
        _, faults = drivers.check(kind, {"colour": 3}, str(tmp_path), "drivers.x")
        assert "drivers.x.colour" in [f.field for f in faults]
        for option in drivers.load(kind).OPTIONS:
            wrong: object = 7 if option.kind is str else "seven"
            _, faults = drivers.check(kind, {option.name: wrong}, str(tmp_path), "drivers.x")
            assert (f"drivers.x.{option.name}", wrong) in [(f.field, f.value) for f in faults]
            assert option.what in str(faults)


def csv(tmp_path: Path, name: str, text: str | bytes, **more: object) -> CsvDriver:
    body = text.encode() if isinstance(text, str) else text
    if name.endswith(".xz"):
        body = lzma.compress(body)
    elif name.endswith(".gz"):
        body = gzip.compress(body)
    (tmp_path / name).write_bytes(body)
    options, faults = drivers.check("csv", {"path": name, "rate": 0, **more}, str(tmp_path), "csv")
    assert faults == []
    return CsvDriver(options)


def read(driver: CsvDriver, position: str = "", now: float = 0.0) -> Batch:
    return driver.poll(position, AT, now, ROOM)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.xz", "a.csv.gz"])
def test_a_csv_file_is_read_once_in_pieces_plain_or_packed(tmp_path: Path, name: str) -> None:
    text = "time,x\n" + "".join(f"{i},{i}\n" for i in range(1300))
    values, position = [], ""
    for _ in range(4):  # a new process each time
        batch = read(csv(tmp_path, name, text), position)
        values += [r.values["x"] for r in batch.readings]
        position = batch.position
    assert values == [float(i) for i in range(1300)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5), (" 2 ", 2.0), ("-1e3", -1000.0), ("", None), ("  ", None), ("true", True), ("False", False),
        ("n/a", "n/a"), ("NaN", "NaN"), ("inf", "inf"), ("1e999", "1e999"), ("1_000", "1_000"), ("١٢", "١٢"),
        ("1,5", "1,5"),
    ],
)  # fmt: skip
def test_a_cell_is_a_number_a_truth_nothing_or_the_text_as_it_stands(text: str, value: object) -> None:
    assert cell(text) == value
    assert type(cell(text)) is type(value)


def test_times_quotes_short_and_long_rows_and_bad_bytes_come_as_they_are(tmp_path: Path) -> None:
    body = b'\xef\xbb\xbftime;x;y\r\n1700000000000;1;2\r\nyesterday;"a;b";\r\n;3\r\n'
    body += b"2026-11-22T10:00:00Z;1;2;3\r\n5;\xff;0\r\n"
    batch = read(csv(tmp_path, "a.csv", body))
    assert [(r.t, dict(r.values)) for r in batch.readings] == [
        (1_700_000_000_000, {"x": 1.0, "y": 2.0}),
        ("yesterday", {"x": "a;b", "y": None}),
        ("", {"x": 3.0}),
        ("2026-11-22T10:00:00Z", {"x": 1.0, "y": 2.0, "column_4": 3.0}),
        (5, {"x": "�", "y": 0.0}),
    ]
    for reading in batch.readings:
        msgspec.json.encode(dict(reading.values))


@pytest.mark.parametrize(
    ("time", "more", "said"),
    [
        ("2026-07-01 10:00:00", {"zone": "Europe/Berlin"}, "2026-07-01T10:00:00+02:00"),
        ("2026-07-01T10:00:00Z", {"zone": "Europe/Berlin"}, "2026-07-01T10:00:00+00:00"),
        ("01.07.2026 10:00", {"time_format": "%d.%m.%Y %H:%M", "zone": "UTC"}, "2026-07-01T10:00:00+00:00"),
        ("01.07.2026 10:00 +0200", {"time_format": "%d.%m.%Y %H:%M %z"}, "2026-07-01T08:00:00+00:00"),
        ("1782900000.5", {"time_format": "seconds"}, 1782900000500),
        ("yesterday", {"zone": "UTC"}, "yesterday"),
    ],
)
def test_times_as_people_write_them(tmp_path: Path, time: str, more: dict[str, object], said: str | int) -> None:
    (reading,) = read(csv(tmp_path, "a.csv", f"time,v\n{time},1\n", **more)).readings
    assert reading.t == said


def test_a_file_of_several_machines_gives_the_named_signals_of_one(tmp_path: Path) -> None:
    text = "time,machine,Bearing temp (degC),note\n1000,a,40,x\n2000,b,50,x\n3000,a,41,x\n"
    more = {"machine_column": "machine", "machine": "a", "columns": "Bearing temp (degC) = bearing"}
    found = read(csv(tmp_path, "a.csv", text, **more)).readings
    assert found == [Reading(1000, {"bearing": 40.0}), Reading(3000, {"bearing": 41.0})]


def test_a_row_beyond_every_size_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    batch = read(csv(tmp_path, "a.csv", f"time,x\n1,1\n2,{'9' * 200_000}\n3,3\n"))
    assert [r.values.get("x") for r in batch.readings if r.t in (1, 3)] == [1.0, 3.0]
    assert any("cannot be read" in str(r.t) for r in batch.readings)


def test_at_most_rate_rows_a_second(tmp_path: Path) -> None:
    driver = csv(tmp_path, "a.csv", "time,x\n" + "".join(f"{i},{i}\n" for i in range(100)), rate=10)
    assert 10 <= len(polled(driver, 1.0)[0]) <= 11


def test_a_full_outbox_makes_it_wait_and_nothing_is_caught_up_in_a_burst(tmp_path: Path) -> None:
    driver = csv(tmp_path, "a.csv", "time,x\n" + "".join(f"{i},{i}\n" for i in range(100)), rate=10)
    first = driver.poll("", AT, 0.0, ROOM)
    for now in range(1, 6):
        batch = driver.poll(first.position, AT, float(now), 0)
        assert (batch.readings, batch.position, batch.problem) == ([], first.position, "the outbox is full")
    assert len(driver.poll(first.position, AT, 5.1, ROOM).readings) <= 2


def test_rows_that_the_outbox_could_not_take_are_given_again(tmp_path: Path) -> None:
    driver = csv(tmp_path, "a.csv", "time,x\n1,1\n2,2\n", rate=1)
    assert [r.t for r in driver.poll("", AT, 0.0, ROOM).readings] == [1]
    batch = driver.poll("", AT, 1.0, ROOM)
    assert [r.t for r in batch.readings] == [1]
    assert [r.t for r in driver.poll(batch.position, AT, 2.0, ROOM).readings] == [2]


def test_a_growing_file_is_followed_and_a_line_without_its_end_is_taken_when_it_stands_still(tmp_path: Path) -> None:
    driver = csv(tmp_path, "a.csv", "time,x\n1,1\n2,")
    batch = read(driver)
    assert [r.t for r in batch.readings] == [1]
    with (tmp_path / "a.csv").open("a") as file:
        file.write("22\n3,3")
    batch = read(driver, batch.position, now=AT_THE_END_S)
    assert [(r.t, r.values["x"]) for r in batch.readings] == [(2, 22.0)]
    assert read(driver, batch.position, now=1.5).readings == []
    assert [r.t for r in read(driver, batch.position, now=3.0).readings] == [3]


def test_a_file_that_goes_away_is_a_problem_in_words_and_no_end(tmp_path: Path) -> None:
    driver = csv(tmp_path, "a.csv", "time,x\n1,1\n")
    driver.close()
    (tmp_path / "a.csv").unlink()
    assert "cannot be read" in read(driver).problem
    (tmp_path / "a.csv").write_text("time,x\n1,1\n")
    assert len(read(driver, now=2.0).readings) == 1


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ({}, "d.path", "is missing"),
        ({"path": "none.csv"}, "d.path", "cannot be read"),
        ({"path": "a.csv", "time": "when"}, "d.time", "it has time, x"),
        ({"path": "a.csv", "rate": -1}, "d.rate", "from 0 on"),
        ({"path": "a.csv", "sep": "--"}, "d.sep", "one character"),
        ({"path": "a.csv", "zone": "Mars"}, "d.zone", "no time zone"),
        ({"path": "a.csv", "columns": "y = x"}, "d.columns", "is no column"),
        ({"path": "no.csv.xz"}, "d.path", "cannot be read"),
    ],
)
def test_csv_options_are_checked_before_anything_connects(
    tmp_path: Path, given: dict[str, object], field: str, rule: str
) -> None:
    (tmp_path / "a.csv").write_text("time,x\n1,1\n")
    (tmp_path / "no.csv.xz").write_text("time,x\n1,1\n")
    _, faults = drivers.check("csv", given, str(tmp_path), "d")
    assert [f.field for f in faults] == [field]
    assert rule in faults[0].rule


def test_an_unknown_driver_is_refused_with_the_names_of_all() -> None:
    _, faults = drivers.check("opc", {}, ".", "drivers.opc")
    assert ", ".join(drivers.names()) in faults[0].rule


def test_what_this_computer_says_is_what_its_asset_model_knows(make: Callable[[str], Driver]) -> None:
    text = (Path(__file__).parents[2] / "asset_models" / "host-computer.yaml").read_text()
    model = parse(text, "host-computer.yaml")
    readings, position = polled(make("host"), 0.5)
    assert position == ""
    for reading in readings:
        assert reading.t == "2026-11-22T10:00:00Z"
        assert {"cpu", "load", "memory_used", "disk_used"} <= reading.values.keys() <= model.signals.keys()
        for name, value in reading.values.items():
            signal = model.signals[name]
            assert isinstance(value, float)
            assert signal.low <= value <= signal.high, name


def test_the_host_driver_does_not_make_up_for_what_it_missed() -> None:
    options, _ = drivers.check("host", {"every": 1}, ".", "host")
    driver = HostDriver(options)
    driver.poll("", AT, 0.0, 0)
    assert len(driver.poll("", AT, 1.0, 0).readings) == 1
    late = driver.poll("", AT, 7.5, 0)
    assert (len(late.readings), late.due) == (1, 8.0)
