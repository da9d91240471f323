"""Between a live source and the outbox nothing is lost in silence, and the thread never gives up."""

import threading
import time
from datetime import UTC, datetime

import pytest

from edge_agent.adapters import live_source
from edge_agent.adapters.live_source import LOOK_S, LiveSource, SourceLost, WaitingReadings, in_words
from edge_agent.domain.driving import Reading

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def put(waiting: WaitingReadings, *numbers: int) -> None:
    for n in numbers:
        waiting.put(Reading(n, {"x": float(n)}))


def test_readings_are_handed_out_again_until_the_outbox_tells_their_place_back() -> None:
    waiting = WaitingReadings()
    put(waiting, 1, 2)
    first = waiting.poll("before", 0.0, "")
    put(waiting, 3)
    again = waiting.poll("before", 1.0, "")  # the outbox could not be written
    assert [r.t for r in first.readings] == [r.t for r in again.readings] == [1, 2]
    assert first.position == again.position != "before"
    after = waiting.poll(first.position, 2.0, "")
    assert [r.t for r in after.readings] == [3]
    empty = waiting.poll(after.position, 3.0, "")
    assert (empty.readings, empty.position) == ([], after.position)


def test_a_place_of_another_process_takes_nothing_away() -> None:
    old, new = WaitingReadings(), WaitingReadings()
    put(old, 1)
    place = old.poll("", 0.0, "").position
    put(new, 2)
    assert [r.t for r in new.poll(place, 0.0, "").readings] == [2]


def test_what_is_due_later_is_not_handed_out_before() -> None:
    waiting = WaitingReadings()
    batch = waiting.poll("", 0.0, "")
    put(waiting, 1)
    assert waiting.poll("", batch.due - 0.01, "").readings == []
    assert waiting.poll("", batch.due, "").readings


def test_a_long_queue_is_handed_out_in_pieces_without_a_pause() -> None:
    waiting = WaitingReadings()
    put(waiting, *range(1, 1202))
    position, now, taken = "", 0.0, 0
    while taken < 1201:
        batch = waiting.poll(position, now, "")
        taken, position = taken + len(batch.readings), batch.position
        assert batch.due in (now, now + LOOK_S)
        now = batch.due
    assert now <= 2 * LOOK_S


def test_beyond_its_limit_the_oldest_is_given_up_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    waiting = WaitingReadings(most_cells=20)
    put(waiting, *range(1, 16))  # two cells each
    held = waiting.poll("", 0.0, "")
    assert [r.t for r in held.readings] == list(range(6, 16))
    assert (waiting.given_up, "given up" in held.problem) == (5, True)
    after = waiting.poll(held.position, 1.0, "")
    assert (waiting.given_up, after.problem) == (0, "")
    assert "5 readings were given up" in caplog.text


class FastPauses:
    """A source whose pauses take no time, but are remembered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_source, "RETRY_S", (0.0, 0.001, 0.002))


def test_it_tries_for_ever_and_is_well_again_after_a_thousand_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    FastPauses(monkeypatch)
    tries = 0

    def session(source: LiveSource) -> None:
        nonlocal tries
        tries += 1
        if tries <= 500:
            raise SourceLost("nothing answers")
        if tries <= 1000:
            raise RuntimeError("not foreseen")  # a library's own fault ends nothing
        source.well()
        source.give(AT, {"x": 1.0})
        source.wait(60)

    made = LiveSource("test", session)
    until = time.monotonic() + 20
    problems = set()
    while not (batch := made.poll("", time.monotonic())).readings:
        problems.add(batch.problem)
        assert time.monotonic() < until
        time.sleep(0.002)
    assert batch.readings == [Reading("2026-11-22T10:00:00Z", {"x": 1.0})]
    assert (tries, batch.problem) == (1001, "")
    assert problems & {"nothing answers", "failed: RuntimeError"}
    made.close()


def test_pauses_grow_to_their_bound_and_begin_anew_after_a_connection_that_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    now = 0.0

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            if len(pauses) == 12:
                self.set()
            return self.is_set()

    class Clock:
        def now(self) -> datetime:
            return AT

        def monotonic(self) -> float:
            return now

    def session(source: LiveSource) -> None:
        nonlocal now
        if len(pauses) == 8:
            source.well()
            now += 100.0
        raise SourceLost("gone")

    made = LiveSource("test", session, Clock())
    made._run(Stopping())
    assert pauses == [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0, 1.0, 1.0, 2.0, 4.0]


def test_many_problems_are_one_line() -> None:
    assert in_words({}) == ""
    assert in_words({"b": "2", "a": "1"}) == "a: 1; b: 2"
    assert in_words({str(i): "x" for i in range(9)}) == "0: x; 1: x; 2: x; and 6 more"
