"""How long a client waits before it connects again."""

from plumbing.mqtt_patience import RETRY_S, Patience


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def thrown_out_thrice(patience: Patience, clock: Clock) -> tuple[float, str]:
    """The broker ends three connections within a few seconds."""
    for _ in range(2):
        patience.thrown_out()
        assert patience.wait(True) == (RETRY_S[0], "")
        clock.at += 2
    patience.thrown_out()
    return patience.wait(True)


def test_failures_wait_longer_and_longer_until_one_succeeds() -> None:
    patience = Patience("p", Clock())
    assert [patience.wait(False)[0] for _ in range(4)] == [2.0, 3.0, 3.0, 3.0]
    assert patience.wait(True)[0] == RETRY_S[0]


def test_a_bad_line_waits_a_quarter_of_a_minute_and_a_twin_that_stays_a_minute() -> None:
    clock = Clock()
    patience = Patience("acme/p1", clock)
    waits = []
    for _ in range(3):
        wait, words = thrown_out_thrice(patience, clock)
        assert "'acme/p1'" in words
        assert f"in {wait:.0f} s" in words
        waits.append(wait)
        clock.at += wait
    assert waits == [15.0, 60.0, 60.0]


def test_after_a_quiet_time_it_is_a_first_offence_again() -> None:
    clock = Clock()
    patience = Patience("p", clock)
    assert thrown_out_thrice(patience, clock)[0] == 15.0
    clock.at += 301
    assert thrown_out_thrice(patience, clock)[0] == 15.0


def test_connections_that_end_with_the_broker_are_not_held_against_anybody() -> None:
    clock = Clock()
    patience = Patience("p", clock)
    for _ in range(5):
        patience.thrown_out()
        patience.nobody_listens()
        assert patience.wait(True)[1] == ""
